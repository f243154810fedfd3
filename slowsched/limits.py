"""What a plan may do: the limits of the config, what flags and trailers allow, what refuses the plan as a whole.

Pure. A flag is said by who applies, a trailer by a commit that was reviewed: the rules between the two, and why,
are docs/decisions/0017.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from slowsched.model import Change, ChangeKind, LateChoice, Refusal, State, Trailer
from slowsched.timing import duration_text, rfc3339
from slowsched.trailers import TrailerName, late_of, task_of
from slowsched.wording import did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

__all__ = ["PlanOptions", "Standing", "judged", "needed", "noted_imminent", "refusals"]

FEW_DELETES = 3  # up to so many deletes are no mass deletion, whatever their share


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the caller allows: the limits of the config, the flags, and the trailers of commits, newest first.

    `late` is a word on all tasks, `late_of` on single ones. With `strict_trailers` (on a branch, where they can be
    mended) a trailer that is not understood refuses the plan.
    """

    late: LateChoice | None = None
    late_of: Mapping[str, LateChoice] = field(default_factory=dict)
    allow_deletes: int | None = None
    allow_protected: frozenset[str] = frozenset()
    allow_imminent: frozenset[str] = frozenset()
    supersede: frozenset[str] = frozenset()
    max_deletes: int = 50
    max_delete_percent: int = 30
    imminent: timedelta = timedelta(0)
    trailers: tuple[Trailer, ...] = ()
    strict_trailers: bool = False

    @property
    def flagged(self) -> frozenset[str]:
        """Every id that a flag names: one that nobody has is a mistake of who typed it."""
        return self.allow_protected | self.allow_imminent | self.supersede | self.late_of.keys()

    @property
    def named(self) -> frozenset[str]:
        """Every id that a flag or a trailer names."""
        return self.flagged.union(found for each in self.trailers if (found := task_of(each)) is not None)

    @property
    def deletes(self) -> frozenset[int]:
        """The numbers of deletes that are allowed: the flag's, else those of the newest commit that names any.

        A commit names several where environments differ.
        """
        if self.allow_deletes is not None:
            return frozenset([self.allow_deletes])
        said = [*self._said(TrailerName.ALLOW_DELETES)]
        return frozenset(int(each.value) for each in said if each.commit == said[0].commit)

    @property
    def late_choices(self) -> dict[str, LateChoice]:
        """What becomes of single late tasks: as a flag says, else as the newest trailer on the task."""
        said = dict(late_of(each) for each in reversed([*self._said(TrailerName.LATE)]))
        return said | dict(self.late_of)

    def ids(self, name: TrailerName) -> frozenset[str]:
        """Return the ids for which something is allowed, by flags and by trailers alike."""
        flags = {
            TrailerName.ALLOW_PROTECTED: self.allow_protected,
            TrailerName.ALLOW_IMMINENT: self.allow_imminent,
            TrailerName.SUPERSEDE: self.supersede,
        }
        return flags[name].union(each.value for each in self._said(name))

    def _said(self, name: TrailerName) -> Iterator[Trailer]:
        return (each for each in self.trailers if each.message is None and each.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many tasks are declared, and how many of the owner's rows are pending: what deletes are measured by."""

    desired: int
    pending: int


def noted_imminent(changes: Sequence[Change], now: datetime, options: PlanOptions) -> list[Change]:
    """Note the changes that would take away, or change, what fires within the time that the config names."""
    if not options.imminent:
        return list(changes)
    until = now + options.imminent
    return [replace(each, notes=(*each.notes, "imminent")) if _takes(each, until) else each for each in changes]


def _takes(change: Change, until: datetime) -> bool:
    """Say whether a change keeps its row from executing until then as it stands; an edit of the policy does not."""
    row = change.before
    return (
        change.kind in {ChangeKind.UPDATE, ChangeKind.DELETE}
        and "policy-only" not in change.notes
        and row is not None
        and row.state is State.SCHEDULED
        and row.wake_at is not None
        and row.wake_at <= until
    )


# --- what refuses a plan ---------------------------------------------------------------------------


def refusals(changes: Sequence[Change], standing: Standing, options: PlanOptions) -> tuple[Refusal, ...]:
    """Return what forbids the plan as a whole: limits over pending rows, protected tasks, imminent ones, trailers."""
    refused: list[Refusal] = []
    deletes = _deletes(changes)
    reason = _over_limit(deletes, standing, options)
    if reason is not None and deletes not in options.deletes:
        code, message = reason
        refused.append(Refusal(code=code, message=f"{message}: say --allow-deletes {deletes} if that is meant"))
    for change in _guarded(changes, "protected", options.ids(TrailerName.ALLOW_PROTECTED)):
        message = f"'{change.id}' is protected: say --allow-protected '{change.id}' to delete it"
        refused.append(Refusal(code="protected", message=message))
    refused.extend(
        Refusal(code="imminent", message=_imminent_message(change, options.imminent))
        for change in _guarded(changes, "imminent", options.ids(TrailerName.ALLOW_IMMINENT))
    )
    if options.strict_trailers:
        refused.extend(
            Refusal(code="trailer", message=f"commit {each.commit[:12]} says {each.name}: {each.value}: {each.message}")
            for each in options.trailers
            if each.message is not None
        )
    return tuple(refused)


def _guarded(changes: Sequence[Change], note: str, allowed: Collection[str]) -> list[Change]:
    return [each for each in changes if note in each.notes and each.id not in allowed]


def _imminent_message(change: Change, within: timedelta) -> str:
    wake_at = change.due if change.before is None else change.before.wake_at or change.due
    return (
        f"'{change.id}' fires at {rfc3339(wake_at)}, within {duration_text(within)}: "
        f"say --allow-imminent '{change.id}' to {change.kind} it"
    )


def _deletes(changes: Sequence[Change]) -> int:
    return sum(1 for change in changes if change.kind is ChangeKind.DELETE and _was_pending(change))


def _over_limit(deletes: int, standing: Standing, options: PlanOptions) -> tuple[str, str] | None:
    pending = standing.pending
    if standing.desired == 0 and pending:
        return "no-tasks", f"no task is declared while {pending} {'is' if pending == 1 else 'are'} pending"
    if deletes > options.max_deletes:
        return "too-many-deletes", f"{deletes} pending tasks would be deleted, more than {options.max_deletes}"
    if deletes > FEW_DELETES and deletes * 100 > pending * options.max_delete_percent:
        share = f"more than {options.max_delete_percent} %"
        return "too-many-deletes", f"{deletes} of {pending} pending tasks would be deleted, {share}"
    return None


def _was_pending(change: Change) -> bool:
    return change.before is not None and change.before.state in {State.SCHEDULED, State.RUNNING}


# --- what trailers did, and could do ---------------------------------------------------------------


def judged(
    changes: Sequence[Change], standing: Standing, options: PlanOptions, unknown: Collection[str]
) -> tuple[Trailer, ...]:
    """Return the trailers, those marked as used without which the plan would be another, or refused.

    One that names a task nobody has (`unknown`) says so. That refuses nothing: the task may be one of another
    environment, and what a mistyped id should have allowed is refused anyway.
    """
    notes = {change.id: change.notes for change in changes}
    deletes = _deletes(changes)
    counts = options.allow_deletes is None and _over_limit(deletes, standing, options) is not None
    told: set[tuple[str, str | None]] = set()  # of two trailers on the same task the newer one counts

    def judge(trailer: Trailer) -> Trailer:
        if trailer.message is not None:
            return trailer
        task_id = task_of(trailer)
        if task_id is None:
            number = int(trailer.value)
            return replace(trailer, used=counts and number == deletes and number in options.deletes)
        if task_id in unknown:
            return replace(trailer, message=f"there is no task {shown(task_id)} here{did_you_mean(task_id, notes)}")
        key = trailer.name, task_id
        newest = key not in told and task_id not in _flags(options, trailer.name)
        told.add(key)
        return replace(trailer, used=newest and _note(trailer) in notes.get(task_id, ()))

    return tuple(map(judge, options.trailers))


def _flags(options: PlanOptions, name: str) -> Collection[str]:
    match name:
        case TrailerName.ALLOW_PROTECTED:
            return options.allow_protected
        case TrailerName.ALLOW_IMMINENT:
            return options.allow_imminent
        case TrailerName.SUPERSEDE:
            return options.supersede
        case _:
            return options.late_of


def _note(trailer: Trailer) -> str:
    """Return the note of a change that a trailer made possible."""
    match trailer.name:
        case TrailerName.LATE:
            return f"late-{late_of(trailer)[1].value}"
        case TrailerName.SUPERSEDE:
            return "superseded"
        case TrailerName.ALLOW_PROTECTED:
            return "protected"
        case _:
            return "imminent"


def needed(changes: Sequence[Change], standing: Standing, options: PlanOptions) -> tuple[str, ...]:
    """Return the trailers that would allow what is refused, late or in conflict; of a late task both choices."""
    lines: list[str] = []
    deletes = _deletes(changes)
    if _over_limit(deletes, standing, options) is not None and deletes not in options.deletes:
        lines.append(f"{TrailerName.ALLOW_DELETES}: {deletes}")
    for note, name in (("protected", TrailerName.ALLOW_PROTECTED), ("imminent", TrailerName.ALLOW_IMMINENT)):
        lines.extend(f"{name}: {change.id}" for change in _guarded(changes, note, options.ids(name)))
    for change in changes:
        row = change.before
        if change.kind is ChangeKind.LATE and (row is None or row.state is not State.SUCCEEDED):
            lines.append(f"{TrailerName.LATE}: {change.id} run|skip")
        elif change.kind is ChangeKind.CONFLICT and row is not None:
            lines.append(f"{TrailerName.SUPERSEDE}: {change.id}")
    return tuple(lines)
