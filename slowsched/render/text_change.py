"""One change of a plan in words: a title, when it fires, what to know, and value by value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched.model import ChangeKind, State
from slowsched.render.harmless import harmless
from slowsched.render.layout import Ink, columns, pad, sentence
from slowsched.render.values import field_lines, task_values, value_lines
from slowsched.render.words import local_moment, moment, moment_and_distance, note_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from slowsched.model import Change, Row, Task
    from slowsched.render.layout import Line, Span

__all__ = ["KIND_INK", "KIND_SIGN", "block", "kind_span", "one_line", "when"]

KIND_SIGN = {
    ChangeKind.CREATE: "+",
    ChangeKind.UPDATE: "~",
    ChangeKind.DELETE: "-",
    ChangeKind.FORGET: ".",
    ChangeKind.LATE: "!",
    ChangeKind.CONFLICT: "!",
}
KIND_INK = {
    ChangeKind.CREATE: Ink.GREEN,
    ChangeKind.UPDATE: Ink.YELLOW,
    ChangeKind.DELETE: Ink.RED,
    ChangeKind.FORGET: Ink.FAINT,
    ChangeKind.LATE: Ink.MAGENTA,
    ChangeKind.CONFLICT: Ink.MAGENTA,
}
_NOT_COMING = {
    State.RUNNING: "is running",
    State.SUCCEEDED: "has already succeeded",
    State.DEAD: "is dead",
    State.MISSED: "was missed",
}
_KIND_COLUMNS = max(len(kind.value) for kind in ChangeKind)
_INDENT = 4


def kind_span(kind: ChangeKind) -> Span:
    """Write a kind with its sign: `+ create  `, all of one width."""
    return f"{KIND_SIGN[kind]} {pad(kind.value, _KIND_COLUMNS)}", KIND_INK[kind]


def one_line(change: Change) -> Line:
    """Write a change where there are too many for more; what stands in its way is told all the same."""
    told = "; ".join(change.notes) if change.message is None else change.message
    return (
        kind_span(change.kind),
        (f"  {moment(change.due)}", Ink.PLAIN),
        (f"  {change.id}", Ink.STRONG),
        (f"  {change.place.path}:{change.place.line}", Ink.FAINT),
        (f"  {told}", Ink.YELLOW if change.message is None else Ink.MAGENTA),
    )


def block(change: Change, now: datetime, width: int) -> Iterator[Line]:
    """Write a change in full."""
    yield from _title(change, width)
    for words in when(change, now):
        yield from sentence(words, width, indent=_INDENT)
    if change.message is not None:
        yield from sentence(change.message, width, Ink.MAGENTA, indent=_INDENT, hang=0)
    for note in note_words(change, now):
        yield from sentence(note, width, Ink.YELLOW, indent=_INDENT)
    if change.fields:
        yield from field_lines(change.fields, width, _INDENT)
    elif change.kind is ChangeKind.CREATE and change.declared is not None:
        yield from value_lines(task_values(change.declared.task), width, _INDENT)


def _title(change: Change, width: int) -> Iterator[Line]:
    """Write kind, id and place on one line, the place on its own where they do not fit."""
    kind, place = kind_span(change.kind), harmless(f"{change.place.path}:{change.place.line}")
    title = (kind, (f"  {harmless(change.id)}", Ink.STRONG))
    if sum(columns(text) for text, _ in title) + 2 + columns(place) <= width:
        yield (*title, (f"  {place}", Ink.FAINT))
    else:
        yield title
        yield ((" " * _INDENT + place, Ink.FAINT),)


def when(change: Change, now: datetime) -> Iterator[str]:
    """Say when a change fires or would have fired, in UTC, in words and in the zone of its author."""
    task = _task(change)
    match change.kind:
        case ChangeKind.CREATE | ChangeKind.UPDATE:
            yield _coming(change, now)
        case ChangeKind.DELETE | ChangeKind.FORGET:
            yield _gone(change, now)
        case _:
            yield _due(change.due, now)
    local = None if task is None else local_moment(change.due, task.timezone)
    if local is not None:
        yield f"that is {local}"


def _task(change: Change) -> Task | None:
    if change.declared is not None:
        return change.declared.task
    return None if change.before is None else change.before.task


def _due(due: datetime, now: datetime) -> str:
    return f"{'was' if due < now else 'is'} due {moment_and_distance(due, now)}"


def _coming(change: Change, now: datetime) -> str:
    """Say when a created or updated task fires, or why it does not."""
    row, due = change.result, change.due
    if row is not None and row.state in _NOT_COMING and "late-skip" not in change.notes:
        return f"{_NOT_COMING[row.state]}, due {moment(due)}"
    if row is not None and row.attempt and row.wake_at is not None:
        attempt = f"attempt {row.attempt + 1} of {row.task.retry.attempts}"
        return f"{attempt} starts {moment_and_distance(row.wake_at, now)}"
    return _due(due, now) if due < now else f"fires {moment_and_distance(due, now)}"


def _gone(change: Change, now: datetime) -> str:
    """Say what a deleted task would have done, or what is kept of a forgotten one."""
    state = State.SCHEDULED if change.before is None else change.before.state
    if state is State.SCHEDULED:
        return f"would have fired {moment_and_distance(change.due, now)}"
    return f"{state.value}, was due {moment_and_distance(change.due, now)}{_kept(change.result, change.kind)}"


def _kept(row: Row | None, kind: ChangeKind) -> str:
    if row is None or row.expires_at is None or kind is not ChangeKind.FORGET:
        return ""
    return f"; its record is kept until {row.expires_at:%Y-%m-%d}"
