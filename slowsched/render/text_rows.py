"""Rows in words: a table of many, and one with its task and its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched.model import HistoryOutcome, State
from slowsched.render.harmless import harmless
from slowsched.render.layout import Ink, paint, sentence, table
from slowsched.render.values import task_values, value_lines
from slowsched.render.words import (
    clock_moment,
    command,
    lateness,
    local_moment,
    moment,
    moment_and_distance,
    quoted,
    short_commit,
    span,
)
from slowsched.sensitive import message_mask, row_digests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from slowsched.model import HistoryEntry, Row
    from slowsched.render.layout import Line

__all__ = ["STATE_INK", "list_text", "row_text"]

STATE_INK = {
    State.SCHEDULED: Ink.PLAIN,
    State.RUNNING: Ink.YELLOW,
    State.SUCCEEDED: Ink.GREEN,
    State.DEAD: Ink.BAD,
    State.MISSED: Ink.MAGENTA,
    State.DELETED: Ink.FAINT,
}
_OUTCOME_INK = {None: Ink.YELLOW, HistoryOutcome.SUCCEEDED: Ink.GREEN}
_HEADINGS = ("STATE", "DUE", "WAKE", "ATTEMPT", "ID", "ACTION")
_INDENT = 2
_DIGEST_DIGITS = 12  # enough to compare by eye


def list_text(rows: Sequence[Row], *, color: bool) -> str:
    """Write a table of rows in the order given; no column is cut, whatever the width."""
    if not rows:
        return "No rows.\n"
    heading: Line = tuple((name, Ink.STRONG) for name in _HEADINGS)
    return paint(table([heading, *map(_table_row, rows)]), color=color)


def _table_row(row: Row) -> Line:
    return (
        (row.state.value, STATE_INK[row.state]),
        (_short(row.task.due), Ink.PLAIN),
        (_wake_words(row), Ink.PLAIN),
        (f"{row.attempt}/{row.task.retry.attempts}", Ink.PLAIN),
        (harmless(row.id), Ink.STRONG),
        (row.task.action, Ink.PLAIN),
    )


def _short(when: datetime) -> str:
    return moment(when).replace(" UTC", "Z")


def _wake_words(row: Row) -> str:
    if row.wake_at is None:
        return "-"
    return "at due" if row.wake_at == row.task.due else _short(row.wake_at)


def row_text(row: Row, *, now: datetime, width: int, color: bool) -> str:
    """Write one row: its state in words, its task, where it comes from, and its history."""
    return paint(_lines(row, now, width), color=color)


def _lines(row: Row, now: datetime, width: int) -> Iterator[Line]:
    yield (harmless(row.id), Ink.STRONG), ("  ", Ink.PLAIN), (row.state.value, STATE_INK[row.state])
    yield from _state_lines(row, now, width)
    if row.expires_at is not None:
        kept = f"its file has left git; the record is kept until {row.expires_at:%Y-%m-%d}"
        yield from sentence(kept, width, indent=_INDENT)
    yield ()
    yield from value_lines([*_due(row, now), *task_values(row.task), *_recorded(row)], width, _INDENT)
    yield ()
    yield from _history(row, width)


def _state_lines(row: Row, now: datetime, width: int) -> Iterator[Line]:
    retry = command(f"retry {quoted(row.id)}", row.owner.rpartition("/")[2])
    match row.state:
        case State.SCHEDULED:
            for words in _scheduled_words(row, now):
                yield from sentence(words, width, indent=_INDENT)
        case State.RUNNING if row.claim is not None:
            words = f"attempt {row.attempt} is running; its lease ends {moment_and_distance(row.claim.lease_end, now)}"
            yield from sentence(words, width, indent=_INDENT)
        case State.SUCCEEDED:
            yield from sentence("it has run, and does not run again unless it is edited", width, indent=_INDENT)
        case State.DEAD:
            words = "a person must act: edit the task, or try it again:"
            yield from sentence(words, width, indent=_INDENT, command=retry)
        case State.MISSED:
            yield from sentence("it was not run; to run it now:", width, indent=_INDENT, command=retry)


def _scheduled_words(row: Row, now: datetime) -> Iterator[str]:
    wake_at = row.task.due if row.wake_at is None else row.wake_at
    if row.deferred_since is not None:
        since = clock_moment(row.deferred_since)
        yield f"no worker has known its action since {since}; asked again {moment_and_distance(wake_at, now)}"
    elif row.attempt:
        yield f"attempt {row.attempt + 1} of {row.task.retry.attempts} starts {moment_and_distance(wake_at, now)}"
    else:
        yield f"fires {moment_and_distance(wake_at, now)}"
    if row.requested_at is not None:
        yield f"asked for by a person at {clock_moment(row.requested_at)}"


def _due(row: Row, now: datetime) -> Iterator[tuple[str, str]]:
    yield "due", moment_and_distance(row.task.due, now)
    local = local_moment(row.task.due, row.task.timezone)
    if local is not None:
        yield "local time", harmless(local)


def _recorded(row: Row) -> Iterable[tuple[str, str]]:
    source = row.source
    return (
        ("source", harmless(f"{source.path}:{source.line}, {short_commit(source.commit)}")),
        ("owner", harmless(row.owner)),
        ("generation", f"{row.generation}, version {row.version}"),
        ("digest", row_digests(row).execution[:_DIGEST_DIGITS]),
    )


def _history(row: Row, width: int) -> Iterator[Line]:
    if not row.history:
        yield (("No attempts.", Ink.PLAIN),)
        return
    yield ("History", Ink.STRONG), (" (generation.attempt)", Ink.FAINT)
    mask = message_mask(row.task)
    for entry, line in zip(row.history, table([_attempt(each) for each in row.history]), strict=True):
        yield line
        if entry.message is not None:
            yield from sentence(mask(entry.message), width, indent=2 * _INDENT, hang=0)


def _attempt(entry: HistoryEntry) -> Line:
    outcome = "running" if entry.outcome is None else entry.outcome.value.replace("-", " ")
    took = "" if entry.finished_at is None else f", took {span(entry.finished_at - entry.started_at)}"
    return (
        (f"  {entry.generation}.{entry.attempt}", Ink.PLAIN),
        (clock_moment(entry.started_at), Ink.PLAIN),
        (outcome, _OUTCOME_INK.get(entry.outcome, Ink.RED)),
        (f"{lateness(entry.late_seconds)}{took}", Ink.PLAIN),
    )
