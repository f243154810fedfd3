"""What apply would do: desired x live x now -> Plan, with its limits and its digest.

Pure, in two steps so that nothing is fetched that does not change: `compare` looks at summaries, then
`make_plan` has `decision` decide on the full rows of what differs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from slowsched import canonical
from slowsched.errors import UsageError
from slowsched.limits import PlanOptions, Standing, judged, needed, noted_imminent, refusals
from slowsched.model import (
    Change,
    ChangeKind,
    Declared,
    LateChoice,
    Plan,
    Problem,
    Row,
    Severity,
    State,
    Summary,
    Together,
    Unreadable,
)
from slowsched.timing import ceil_minute, soonest, target
from slowsched.trailers import TrailerName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from slowsched.lifecycle import Applier

__all__ = ["Comparison", "LateChoice", "PlanOptions", "PlanSetting", "compare", "make_plan"]

READ_AHEAD = 64  # a third less for digesting than by single tasks; more gains nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSetting:
    """Where and when a plan is made: the owner, the commit, now, and what the timer can do."""

    environment: str
    owner: str
    commit: str | None
    now: datetime
    lead: timedelta
    delivery: timedelta
    armed: datetime | None = None

    @property
    def applier(self) -> Applier:
        """Who would write the rows."""
        from slowsched.lifecycle import Applier  # noqa: PLC0415 - for what differs only, as below

        earliest = soonest(self.now, self.lead)
        return Applier(owner=self.owner, commit=self.commit, now=self.now, soonest=earliest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What one pass over files and summaries tells: `differing` and `gone` need their rows.

    `pending` counts this owner's rows that still need the worker; `rest_wakes` are the wakes of all rows that no
    change can touch, those that their files leave as they are first; `unknown` are ids that the caller named and
    nobody has.
    """

    differing: tuple[Declared, ...] = ()
    gone: tuple[str, ...] = ()
    foreign: tuple[Declared, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    known: frozenset[str] = field(default_factory=frozenset)
    desired: int = 0
    unchanged: int = 0
    done: int = 0
    pending: int = 0
    rest_wakes: tuple[datetime, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids whose full rows `make_plan` needs, sorted."""
        return tuple(sorted({*self.gone, *(each.task.id for each in self.differing if each.task.id in self.known)}))


def compare(
    declared: Iterable[Declared],
    live: Iterable[Summary | Unreadable],
    owner: str,
    named: frozenset[str] = frozenset(),
) -> Comparison:
    """Compare what files declare with summaries of the rows; `live` is read to its end first.

    `named` are ids that the caller has something to say about.
    """
    summaries: dict[str, Summary | Unreadable] = {each.id: each for each in live}
    pending = sum([_is_pending(each, owner) for each in summaries.values()])
    unknown = named - summaries.keys()
    differing: list[Declared] = []
    foreign: list[Declared] = []
    known: set[str] = set()
    unchanged = done = 0
    wakes: list[datetime] = []
    for each in _by_batches(declared):
        row = summaries.pop(each.task.id, None)
        if isinstance(row, Summary):
            if row.owner != owner:
                foreign.append(each)
                continue
            if row.expires_at is None and row.task_digest == canonical.task_digest(each.task):
                done += row.state is State.SUCCEEDED
                unchanged += row.state is not State.SUCCEEDED
                if row.wake_at is not None:
                    wakes.append(row.wake_at)
                continue
        differing.append(each)
        if row is not None:
            known.add(each.task.id)
    return replace(
        _without_file(summaries.values(), owner, wakes),
        differing=tuple(differing),
        foreign=tuple(foreign),
        known=frozenset(known),
        desired=len(differing) + unchanged + done,
        unchanged=unchanged,
        done=done,
        pending=pending,
        unknown=tuple(sorted(unknown.difference(each.task.id for each in differing))),
    )


def _without_file(rows: Iterable[Summary | Unreadable], owner: str, wakes: Sequence[datetime]) -> Comparison:
    """Return what the rows without a file come to; `wakes` are those of the rows that their files leave as they are."""
    gone: list[str] = []
    unreadable: list[Unreadable] = []
    rest_wakes = list(wakes)
    for row in rows:
        if isinstance(row, Unreadable):
            unreadable.append(row)
        elif _may_go(row, owner):
            gone.append(row.id)
        elif row.wake_at is not None:
            rest_wakes.append(row.wake_at)
    return Comparison(
        gone=tuple(gone),
        unreadable=tuple(sorted(unreadable, key=lambda each: each.id)),
        rest_wakes=tuple(rest_wakes),
    )


def _by_batches(declared: Iterable[Declared]) -> Iterator[Declared]:
    """Yield what is declared, read some files ahead: reading and digesting in turns thwarts the processor's caches."""
    rest = iter(declared)
    while batch := list(islice(rest, READ_AHEAD)):
        yield from batch


def _is_pending(row: Summary | Unreadable, owner: str) -> bool:
    # Compared one by one: a set would hash the state of every row in Python.
    return (
        isinstance(row, Summary) and row.owner == owner and (row.state is State.SCHEDULED or row.state is State.RUNNING)
    )


def _may_go(row: Summary, owner: str) -> bool:
    """Say whether a row without a file has something left to be done to it."""
    return row.owner == owner and row.expires_at is None


def make_plan(
    comparison: Comparison,
    rows: Mapping[str, Row | Unreadable],
    setting: PlanSetting,
    options: PlanOptions,
    problems: Sequence[Problem] = (),
) -> Plan:
    """Decide on everything that differs, from the full rows of `comparison.ids`.

    With errors in the files there are no changes at all: half of a repository is not a desired state.

    Raises:
        UsageError: `options` names an id that nobody has.
    """
    found = (*problems, *_foreign_problems(comparison.foreign))
    broken = any(each.severity is Severity.ERROR for each in found)
    decided = [] if broken else list(_decided(comparison, rows, setting, options))
    changes = _sorted(_renames([change for change, _ in decided if change is not None]))
    changes = noted_imminent(changes, setting.now, options)
    standing = Standing(desired=comparison.desired, pending=comparison.pending)
    if not broken:  # else a named id may stand in a file that could not be read
        _check_named([each for each in comparison.unknown if each in options.flagged], changes)
    return Plan(
        environment=setting.environment,
        owner=setting.owner,
        commit=setting.commit,
        now=setting.now,
        digest=_digest(setting.owner, changes),
        changes=tuple(changes),
        counts=_counts(comparison, decided),
        pending=comparison.pending,
        valid_until=_valid_until(changes, setting.now),
        timer_before=setting.armed,
        timer_after=setting.armed if broken else _timer_after(comparison.rest_wakes, decided, setting),
        problems=found,
        refused=() if broken else refusals(changes, standing, options),
        unreadable=comparison.unreadable,
        trailers=judged(changes, standing, options, comparison.unknown),
        needed=() if broken else needed(changes, standing, options),
        together=_together(changes, comparison.rest_wakes),
    )


def _decided(
    comparison: Comparison, rows: Mapping[str, Row | Unreadable], setting: PlanSetting, options: PlanOptions
) -> Iterable[tuple[Change | None, Row | Unreadable | None]]:
    """Yield what was decided on each task that differs, beside the row that it was decided on."""
    if not (comparison.differing or comparison.gone):
        return
    from slowsched.decision import Allowance, decide  # noqa: PLC0415 - a plan without changes starts sooner without

    supersede = options.ids(TrailerName.SUPERSEDE)
    allowance = Allowance(late=options.late, late_of=options.late_choices, supersede=supersede)
    pairs: list[tuple[Declared | None, str]] = [(each, each.task.id) for each in comparison.differing]
    pairs += [(None, task_id) for task_id in comparison.gone]
    by = setting.applier
    for declared, task_id in pairs:
        row = rows.get(task_id)
        yield decide(declared, row, by, allowance), row


def _foreign_problems(foreign: Iterable[Declared]) -> list[Problem]:
    problems = [
        Problem(
            path=declared.place.path,
            line=declared.place.line,
            column=declared.place.column,
            pointer="$.id",
            code="foreign-id",
            message=f"the id {declared.task.id!r} belongs to another owner in this table: choose another",
        )
        for declared in foreign
    ]
    return sorted(problems, key=lambda problem: (problem.path, problem.line, problem.column))


# --- the plan as a whole ---------------------------------------------------------------------------


def _sorted(changes: Iterable[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: (change.due, change.id))


def _renames(changes: Sequence[Change]) -> list[Change]:
    """Note creates that execute exactly what a delete of the same plan would have executed."""
    deleted = {
        change.before.digests.execution: change.id
        for change in reversed(_sorted(changes))
        if change.kind is ChangeKind.DELETE and change.before is not None
    }
    return [
        replace(change, notes=(*change.notes, f"renamed-from:{deleted[change.result.digests.execution]}"))
        if change.kind is ChangeKind.CREATE and change.result is not None and change.result.digests.execution in deleted
        else change
        for change in changes
    ]


def _together(changes: Sequence[Change], rest_wakes: Iterable[datetime]) -> tuple[Together, ...]:
    """Count the tasks of each minute in which something fires because of the plan, and something else as well."""
    wakes = [
        change.result.wake_at
        for change in changes
        if change.kind in {ChangeKind.CREATE, ChangeKind.UPDATE}
        and "policy-only" not in change.notes
        and change.result is not None
        and change.result.wake_at is not None
    ]
    counts = Counter(map(ceil_minute, wakes))
    counts += Counter(minute for minute in map(ceil_minute, rest_wakes if wakes else ()) if minute in counts)
    return tuple(Together(minute=minute, tasks=count) for minute, count in sorted(counts.items()) if count > 1)


def _check_named(unknown: Sequence[str], changes: Sequence[Change]) -> None:
    for task_id in unknown:
        from difflib import get_close_matches  # noqa: PLC0415 - for a mistake only

        near = get_close_matches(task_id, [change.id for change in changes], n=1)
        hint = f"did you mean {near[0]!r}?" if near else "ids are written as in the task file"
        raise UsageError(f"there is no task {task_id!r}", hint=hint)


def _counts(comparison: Comparison, decided: Sequence[tuple[Change | None, Row | Unreadable | None]]) -> dict[str, int]:
    """Count changes by kind; a row that was changed by another apply meanwhile counts as what it is now."""
    counts = Counter(change.kind.value for change, _ in decided if change is not None)
    settled = [row.state for change, row in decided if change is None and isinstance(row, Row)]
    done = sum(1 for state in settled if state is State.SUCCEEDED)
    return {
        **{kind.value: counts[kind.value] for kind in ChangeKind},
        "unchanged": comparison.unchanged + len(settled) - done,
        "done": comparison.done + done,
    }


def _digest(owner: str, changes: Sequence[Change]) -> str:
    """Digest what would be done, and nothing that time alone changes: no clock text, no versions."""
    return canonical.digest([owner, [_digest_entry(change) for change in changes]])


def _digest_entry(change: Change) -> list[Any]:
    after = None
    if change.declared is not None:
        after = canonical.digests(change.declared.task) if change.result is None else change.result.digests
    before = None if change.before is None else change.before.digests
    # An update that was approved before the task ran must not run it again unseen.
    chosen = [note for note in change.notes if note == "runs-again" or note.startswith("late-")]
    return [
        change.id,
        change.kind.value,
        chosen,
        *(None if each is None else [each.execution, each.task] for each in (before, after)),
    ]


def _valid_until(changes: Sequence[Change], now: datetime) -> datetime | None:
    ahead = [
        change.due
        for change in changes
        if change.kind in {ChangeKind.CREATE, ChangeKind.UPDATE}
        and "policy-only" not in change.notes
        and change.due >= now
    ]
    return min(ahead, default=None)


def _timer_after(
    rest_wakes: Sequence[datetime],
    decided: Sequence[tuple[Change | None, Row | Unreadable | None]],
    setting: PlanSetting,
) -> datetime | None:
    after = [row if change is None or change.result is None else change.result for change, row in decided]
    wakes = [row.wake_at for row in after if isinstance(row, Row) and row.wake_at is not None]
    if rest_wakes:
        wakes.append(min(rest_wakes))
    if not wakes:
        return setting.armed
    minute = target(min(wakes), setting.now, lead=setting.lead, delivery=setting.delivery)
    return setting.armed if minute is None else minute
