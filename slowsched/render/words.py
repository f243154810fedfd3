"""Moments, spans and notes in the words of a reader."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slowsched.model import Change

__all__ = [
    "clock_moment",
    "command",
    "counted",
    "distance",
    "lateness",
    "local_moment",
    "moment",
    "moment_and_distance",
    "note_words",
    "owner_words",
    "quoted",
    "short_commit",
    "span",
]

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
# From which length on a span is told in which unit.
_PRECISION = (
    (2 * _DAY, _DAY, "days"),
    (_DAY, _HOUR, "hours"),
    (2 * _MINUTE, _MINUTE, "minutes"),
    (timedelta(0), _SECOND, "seconds"),
)
_COMMIT_DIGITS = 7  # as git shows it

_NOTES = {
    "imminent": "imminent: it is about to fire",
    "late-skip": "recorded as missed, not run",
    "policy-only": "policy only: the execution is untouched",
    "restored": "restored: its file is back",
    "runs-again": "runs again: it has already succeeded",
    "superseded": "supersedes a running attempt",
}


def moment(when: datetime) -> str:
    """Write a moment exactly: `2027-12-31 00:00 UTC`, with seconds where it has any."""
    return f"{_clock(when.astimezone(UTC))} UTC"


def clock_moment(when: datetime) -> str:
    """Write what a clock read, to the second: nobody reads for fractions there, and JSON has them."""
    return moment(when.replace(microsecond=0))


def _clock(when: datetime) -> str:
    precision = "auto" if when.second or when.microsecond else "minutes"
    return when.replace(tzinfo=None).isoformat(sep=" ", timespec=precision)


def local_moment(when: datetime, zone: str | None) -> str | None:
    """Write a moment in the zone of its author: `2027-12-31 01:00 in Europe/Berlin`.

    None without a zone, and for a zone that this machine does not know.
    """
    if zone is None:
        return None
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few tasks name a zone, and start-up counts

    try:
        local = when.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        return None
    return f"{_clock(local)} in {zone}"


def span(length: timedelta) -> str:
    """Write a length of time, rounded down: `1 year, 37 days`, `1 hour, 12 minutes`, `40 seconds`."""
    import humanize  # noqa: PLC0415 - a plan without changes has no spans to tell

    if length < _SECOND:
        return "under a second"
    unit, name = next((unit, name) for least, unit, name in _PRECISION if length >= least)
    text = humanize.precisedelta(length // unit * unit, minimum_unit=name, suppress=["months"], format="%d")
    return text.replace(" and ", ", ")


def lateness(seconds: float) -> str:
    """Write how late something began: `on time` within a second, else `3 minutes, 5 seconds late`."""
    return "on time" if seconds < 1 else f"{span(timedelta(seconds=seconds))} late"


def distance(when: datetime, now: datetime) -> str:
    """Write how far a moment is from now: `in 37 days`, `3 hours ago`, `now`."""
    if abs(when - now) < _SECOND:
        return "now"
    return f"in {span(when - now)}" if when > now else f"{span(now - when)} ago"


def moment_and_distance(when: datetime, now: datetime) -> str:
    """Write a moment exactly and in words: `2027-12-31 00:00 UTC, in 37 days`."""
    return f"{moment(when)}, {distance(when, now)}"


def counted(number: int, noun: str) -> str:
    """Write a number of things: `1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def short_commit(commit: str | None) -> str:
    """Write a commit as git does, or say that there is none."""
    return "no commit" if commit is None else f"commit {commit[:_COMMIT_DIGITS]}"


def owner_words(environment: str, owner: str, commit: str | None) -> str:
    """Write whose rows are meant and as of which commit: `production, owner acme/shop, commit 4f2a9c1`."""
    return f"{environment}, owner {owner.removesuffix(f'/{environment}')}, {short_commit(commit)}"


def command(words: str, environment: str) -> str:
    """Write a command to type next; `local` is the environment that needs no word."""
    return f"slowsched {words}" if environment == "local" else f"slowsched {words} --env {environment}"


def quoted(task_id: str) -> str:
    """Write an id as one word of a shell."""
    return shlex.quote(task_id)


def note_words(change: Change, now: datetime) -> Sequence[str]:
    """Write the notes of a change, and when it can start where that is later than its due."""
    return [_note(note, change, now) for note in change.notes] + _waits(change, now)


def _note(note: str, change: Change, now: datetime) -> str:
    name, _, argument = note.partition(":")
    match name:
        case "soon":
            return f"soon: {_start(change, now)}"
        case "late-run":
            return f"runs late: {_start(change, now)}"
        case "renamed-from":
            return f"renamed from {argument}"
        case _:
            return _NOTES.get(note, note.replace("-", " "))


def _waits(change: Change, now: datetime) -> list[str]:
    """Say that a start is held back where no note says so: a lease or a grace decides over it."""
    wake_at = None if change.result is None else change.result.wake_at
    told = {"soon", "late-run", "policy-only"}.intersection(change.notes)
    return [] if wake_at is None or wake_at <= change.due or told else [_start(change, now)]


def _start(change: Change, now: datetime) -> str:
    wake_at = change.due if change.result is None else change.result.wake_at or change.due
    exact = f"{wake_at:%H:%M} UTC" if wake_at.date() == now.date() and not wake_at.second else moment(wake_at)
    return f"can start at {exact} at the earliest"
