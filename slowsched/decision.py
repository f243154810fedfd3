"""What a plan does with one task: its file x its row x now -> a Change, or nothing.

Pure; the table is docs/state-machine.md. Only the declared half of a row is compared: what the worker
recorded never makes a change, but decides what a change may do. A task that is late or in conflict
blocks itself, never the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slowsched import canonical, lifecycle
from slowsched.model import Change, ChangeKind, Declared, Field, LateChoice, Place, Row, State, Unreadable
from slowsched.sensitive import below, without_values
from slowsched.timing import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import datetime

    from slowsched.lifecycle import Applier

__all__ = ["Allowance", "decide"]

_UPDATE_NOTES: dict[State, tuple[str, ...]] = {State.RUNNING: ("superseded",), State.SUCCEEDED: ("runs-again",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a person allows: what becomes of late tasks, and which running tasks may be superseded."""

    late: LateChoice | None = None
    late_of: Mapping[str, LateChoice] = field(default_factory=dict)
    supersede: frozenset[str] = frozenset()

    def late_choice(self, task_id: str) -> LateChoice | None:
        """Return what becomes of this task if it is late: the word on it, else the word on all."""
        return self.late_of.get(task_id, self.late)


def decide(declared: Declared | None, row: Row | Unreadable | None, by: Applier, allowance: Allowance) -> Change | None:
    """Decide on one task; None when there is nothing to do.

    `declared` is None when no file has the task (any more), `row` when the store does not have it.
    """
    match declared, row:
        case Declared(), Unreadable():
            message = f"its row cannot be read ({row.reason}): upgrade slowsched"
            return _of_file(ChangeKind.CONFLICT, declared, None, message=message)
        case Declared(), None | Row(state=State.DELETED):
            return _entered(declared, row, by, allowance)
        case Declared(), Row():
            return _differing(declared, row, by, allowance)
        case None, Row():
            return _gone(row, by, allowance)
        case _:
            return None


def _entered(declared: Declared, tombstone: Row | None, by: Applier, allowance: Allowance) -> Change:
    """A new task, or one that is back: create, or late."""

    def make(late: LateChoice | None) -> Row:
        return lifecycle.create(declared, by, tombstone, late)

    return _scheduled(ChangeKind.CREATE, declared, tombstone, by, allowance, make=make)


def _differing(declared: Declared, row: Row, by: Applier, allowance: Allowance) -> Change | None:
    """A task that has a file and a row: unchanged, update, late or conflict."""
    digests = canonical.digests(declared.task)
    if row.digests == digests and row.expires_at is None:
        return None
    if row.digests.execution == digests.execution:
        restored = () if row.expires_at is None else ("restored",)
        result = lifecycle.edit_policy(row, declared, by)
        return _of_file(ChangeKind.UPDATE, declared, row, result, ("policy-only", *restored))
    if row.state is State.RUNNING and row.id not in allowance.supersede:
        message = f"it is running: wait for its outcome, or say --supersede '{row.id}'"
        return _of_file(ChangeKind.CONFLICT, declared, row, message=message)
    if row.state is State.SUCCEEDED and declared.task.due < by.now:
        message = "it already ran: give it a due ahead to run it again, or take the edit back"
        return _of_file(ChangeKind.LATE, declared, row, message=message)

    def make(late: LateChoice | None) -> Row:
        return lifecycle.edit(row, declared, by, late)

    notes = _UPDATE_NOTES.get(row.state, ())
    return _scheduled(ChangeKind.UPDATE, declared, row, by, allowance, make=make, notes=notes)


def _scheduled(
    kind: ChangeKind,
    declared: Declared,
    row: Row | None,
    by: Applier,
    allowance: Allowance,
    *,
    make: Callable[[LateChoice | None], Row],
    notes: tuple[str, ...] = (),
) -> Change:
    """Schedule for the task's due: as it stands if that is ahead, else by its grace or a person's word."""
    due = declared.task.due
    late: LateChoice | None = None
    if due < by.now and not _covered(declared, by.soonest):
        choice = allowance.late_choice(declared.task.id)
        if choice is None:
            return _of_file(ChangeKind.LATE, declared, row, message=_late_message(due))
        late = choice
        notes = (*notes, f"late-{late.value}")
    elif due < by.soonest:
        notes = (*notes, "soon")
    return _of_file(kind, declared, row, make(late), notes)


def _covered(declared: Declared, start: datetime) -> bool:
    """Say whether the file's own grace still covers a start at `start`; a default never does."""
    grace = declared.task.grace
    return declared.own_grace and grace is not None and start <= declared.task.due + grace


def _late_message(due: datetime) -> str:
    return (
        f"it was due at {rfc3339(due)}: give it a due ahead, or say --late run to run it now, "
        "or --late skip to record it as missed"
    )


def _gone(row: Row, by: Applier, allowance: Allowance) -> Change | None:
    """A row whose file is gone: delete, forget or conflict."""
    if row.expires_at is not None:
        return None
    if row.state in {State.SUCCEEDED, State.MISSED}:
        return _of_row(ChangeKind.FORGET, row, lifecycle.forget(row, by))
    if row.state is State.RUNNING and row.id not in allowance.supersede:
        message = f"its file is gone while it is running: wait for its outcome, or say --supersede '{row.id}'"
        return _of_row(ChangeKind.CONFLICT, row, message=message)
    notes = ("superseded",) if row.state is State.RUNNING else ()
    if row.task.protect and row.state is not State.DEAD:
        notes = (*notes, "protected")
    return _of_row(ChangeKind.DELETE, row, lifecycle.delete(row, by), notes)


def _of_file(
    kind: ChangeKind,
    declared: Declared,
    row: Row | None,
    result: Row | None = None,
    notes: tuple[str, ...] = (),
    *,
    message: str | None = None,
) -> Change:
    """Make the change of a task that a file declares."""
    task = declared.task
    return Change(
        id=task.id,
        kind=kind,
        action=task.action,
        due=task.due,
        place=declared.place,
        notes=notes,
        fields=() if row is None or row.state is State.DELETED else _fields(row, declared),
        message=message,
        before=row,
        declared=declared,
        result=result,
    )


def _of_row(
    kind: ChangeKind,
    row: Row,
    result: Row | None = None,
    notes: tuple[str, ...] = (),
    *,
    message: str | None = None,
) -> Change:
    """Make the change of a task whose file is gone; its place is the one that the file had."""
    return Change(
        id=row.id,
        kind=kind,
        action=row.task.action,
        due=row.task.due,
        place=Place(path=row.source.path, line=row.source.line),
        notes=notes,
        message=message,
        before=row,
        result=result,
    )


def _fields(row: Row, declared: Declared) -> tuple[Field, ...]:
    before = canonical.task_document(row.task)
    after = canonical.task_document(declared.task)
    return tuple(_differences("$", before, after, {*row.task.sensitive, *declared.task.sensitive}))


def _differences(pointer: str, before: Any, after: Any, hidden: Collection[str]) -> Iterator[Field]:
    """Go down into mappings; lists and scalars are compared as a whole, a key that is absent is not null.

    What is `hidden` is compared, and masked on both sides, whichever of them marks it.
    """
    if isinstance(before, dict) and isinstance(after, dict) and pointer not in hidden:
        for key in sorted(before.keys() | after.keys()):
            inner = below(pointer, key)
            if key in before and key in after:
                yield from _differences(inner, before[key], after[key], hidden)
            elif key in before:
                yield _field(inner, hidden, before=before[key])
            else:
                yield _field(inner, hidden, after=after[key])
    elif canonical.text(before) != canonical.text(after):
        yield _field(pointer, hidden, before=before, after=after)


def _field(pointer: str, hidden: Collection[str], **sides: Any) -> Field:
    """Make a field of the sides that there are."""
    masked = {side: without_values(value, hidden, pointer) for side, value in sides.items()} if hidden else sides
    return Field(
        pointer=pointer,
        before=masked.get("before"),
        after=masked.get("after"),
        sensitive=bool(hidden) and masked != sides,
    )
