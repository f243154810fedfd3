"""What doctor checks on every backend: rows, control row, and the timer against the earliest wake. Pure.

Nothing is read here: `doctor` reads, and hands in values. A part that could not be read is `Unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from slowsched.diagnosis import Unknown, cannot_tell, error, fine, warning
from slowsched.lifecycle import CLOCK_SKEW
from slowsched.model import State
from slowsched.render.words import clock_moment, command, counted, moment_and_distance, quoted, span
from slowsched.timing import target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from slowsched.diagnosis import Finding
    from slowsched.model import Control, Row, Summary, Unreadable

__all__ = ["IDS_NAMED", "Live", "Pace", "Rows", "check_live", "check_timer", "named"]

IDS_NAMED = 5  # of many: enough to begin with, the rest is in `slowsched list`
OVERDUE_SLACK = timedelta(minutes=3)  # beyond lead and delivery: what docs/architecture.md allows without a fault
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What the timer is like (docs/architecture.md)."""

    lead: timedelta
    delivery: timedelta
    near: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All rows of the table, those that this version cannot read apart."""

    readable: tuple[Summary, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What the store and the timer hold at this moment; `earliest` is the earliest `wake_at`, `armed` the timer's.

    `tasks` are the rows that need the worker next, in full; None where nobody asked for them.
    """

    environment: str
    owner: str
    now: datetime
    pace: Pace
    rows: Rows | Unknown
    control: Control | Unknown
    earliest: datetime | Unknown | None
    armed: datetime | Unknown | None
    tasks: tuple[Row, ...] | Unknown | None = None


def check_live(live: Live) -> Iterator[Finding]:
    """Yield what is to be said of rows, control row and timer."""
    yield _store(live)
    if isinstance(live.rows, Rows):
        yield from _rows(live, live.rows)
    if not isinstance(live.control, Unknown):
        yield _pause(live, live.control)
    yield check_timer(live)


def named(ids: Sequence[str]) -> str:
    """Write the first of many ids, and how many more there are."""
    more = len(ids) - IDS_NAMED
    words = ", ".join(map(repr, ids[:IDS_NAMED]))
    return f"{words} and {more} more" if more > 0 else words


def _store(live: Live) -> Finding:
    for part in (live.rows, live.control, live.earliest):
        if isinstance(part, Unknown):
            return cannot_tell("store", "store", part)
    count = len(live.rows.readable) if isinstance(live.rows, Rows) else 0
    return fine("store", "store", f"it can be read, and has {counted(count, 'row')}")


# --- rows ------------------------------------------------------------------------------------------


def _rows(live: Live, rows: Rows) -> Iterator[Finding]:
    mine = sorted((row for row in rows.readable if row.owner == live.owner), key=lambda row: row.id)
    if rows.unreadable:
        ids = sorted(row.id for row in rows.unreadable)
        words = f"{counted(len(ids), 'row')} left alone, because this version cannot read them: {named(ids)}"
        reason = min(row.reason for row in rows.unreadable)
        yield error("unreadable", "rows", f"{words} ({reason})", "upgrade slowsched: a newer one wrote them")
    else:
        yield fine("unreadable", "rows", "all can be read")
    yield _overdue(live, rows)
    yield _dead(live, mine)
    yield _missed(live, mine)


def _overdue(live: Live, rows: Rows) -> Finding:
    """Look at the rows of all owners: they have one worker."""
    latest = live.now - OVERDUE_SLACK - live.pace.lead - live.pace.delivery
    late = sorted((row.wake_at, row.id) for row in rows.readable if row.wake_at is not None and row.wake_at < latest)
    if not late:
        return fine("overdue", "overdue tasks", "none")
    since = span(live.now - late[0][0])
    ids = [task_id for _, task_id in late]
    words = f"{counted(len(ids), 'task')} overdue, the first for {since}: {named(ids)}"
    if not isinstance(live.control, Unknown) and live.control.pause is not None:
        return warning("overdue", "overdue tasks", words, "they are executed after the pause, or missed by their grace")
    if live.pace.lead:
        out = "look at the findings about timer, heartbeat and function, and at the function's log"
    else:
        out = f"`{command('worker', live.environment)}` runs them now, and with --watch whenever something is due"
    return error("overdue", "overdue tasks", words, out)


def _dead(live: Live, rows: Sequence[Summary]) -> Finding:
    ids = [row.id for row in rows if row.state is State.DEAD and row.expires_at is None]
    if not ids:
        return fine("dead", "dead tasks", "none")
    show = command(f"show {quoted(ids[0])}", live.environment)
    retry = command(f"retry {quoted(ids[0])}", live.environment)
    words = f"{counted(len(ids), 'task')} without attempts left, for a person to act on: {named(ids)}"
    return error("dead", "dead tasks", words, f"`{show}` says why; mend that, then edit the task or `{retry}`")


def _missed(live: Live, rows: Sequence[Summary]) -> Finding:
    ids = [row.id for row in rows if row.state is State.MISSED and row.expires_at is None]
    if not ids:
        return fine("missed", "missed tasks", "none")
    retry = command(f"retry {quoted(ids[0])}", live.environment)
    words = f"{counted(len(ids), 'task')} later than the grace, and not run: {named(ids)}"
    return warning("missed", "missed tasks", words, f"`{retry}` runs it now; or take its file out of git")


def _pause(live: Live, control: Control) -> Finding:
    pause = control.pause
    if pause is None:
        return fine("paused", "pause", "not paused")
    reason = "" if pause.reason is None else f" ({pause.reason})"
    words = f"{pause.by} has paused it since {clock_moment(pause.at)}{reason}: no worker starts anything"
    return warning("paused", "pause", words, f"`{command('resume', live.environment)}` ends that")


# --- the timer -------------------------------------------------------------------------------------


def check_timer(live: Live) -> Finding:
    """Hold the timer against the earliest wake, as the arm protocol would set it (docs/architecture.md)."""
    if isinstance(live.armed, Unknown):
        return cannot_tell("timer-moment", "timer", live.armed)
    if isinstance(live.control, Unknown) or isinstance(live.earliest, Unknown):
        words = "cannot tell whether it is right: the store does not say what is next"
        return warning("timer-moment", "timer", words, "see the finding about the store")
    if live.earliest is None or live.control.pause is not None:
        why = "nothing needs the worker" if live.earliest is None else "it is set again when the pause ends"
        return fine("timer-moment", "timer", why)
    wake_at = max(live.earliest, live.control.not_before or live.earliest)
    wanted = target(wake_at, live.now, lead=live.pace.lead, delivery=live.pace.delivery)
    if wanted is None or wanted < live.now + live.pace.near:
        return fine("timer-moment", "timer", "the next wake is too near to set it for: it is on its way")
    return _against(live, live.control, live.armed, wanted)


def _against(live: Live, control: Control, armed: datetime | None, wanted: datetime) -> Finding:
    """Hold what the timer is set to against what it should be set to."""
    needed = f"the worker is needed {moment_and_distance(wanted, live.now)}"
    if armed is None:
        words = f"it is not set, or to nothing that slowsched would write, and {needed}"
    elif live.now >= armed + _MINUTE + live.pace.delivery:
        words = f"it was set to {moment_and_distance(armed, live.now)}, its wake has gone by, and {needed}"
    elif armed > wanted:
        words = f"it is set too late, to {moment_and_distance(armed, live.now)}, and {needed}"
    else:
        return fine(
            "timer-moment", "timer", f"set to {moment_and_distance(armed, live.now)}, in time for the next task"
        )
    locked = [
        name for name, each in control.owners.items() if each.lock and each.lock.lease_end + CLOCK_SKEW > live.now
    ]
    if locked:
        words = f"{words}; an apply of {', '.join(sorted(locked))} is under way, and arms at its end"
        return warning("timer-moment", "timer", words, "look again after the apply")
    return error("timer-moment", "timer", words, f"`{command('doctor --fix', live.environment)}` sets it")
