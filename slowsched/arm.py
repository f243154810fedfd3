"""The arm protocol: the only code that writes the timer.

The timer has no compare-and-set, so the last writer must be right. Everybody first writes rows, then
arms, then looks again, at earlier and at later moments: the last writer of the timer has verified after
writing, and whoever writes a row later arms later. docs/architecture.md says what each rule is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slowsched.errors import TimerError
from slowsched.timing import ceil_minute, target

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from slowsched.backend import Backend
    from slowsched.model import Control

__all__ = ["ROUNDS_MAX", "Armed", "Look", "arm"]

ROUNDS_MAX = 8  # somebody else changed the earliest wake between two looks, so many times in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """What arming came to: the minute written last, None when the timer was left as it is."""

    moment: datetime | None
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What arming goes by, as strongly consistent reads found it: the control row, and the earliest wake."""

    control: Control
    wake_at: datetime | None


def arm(
    backend: Backend,
    next_wake: Callable[[], datetime | None] | None = None,
    *,
    seen: Look | None = None,
    mine: datetime | None = None,
) -> Armed:
    """Set the timer for the next moment that the worker is needed, and verify that it still is.

    `next_wake` returns that moment by a strongly consistent read; without it, the store's. A worker
    gives its own, which leaves out what it looks after itself. `seen` is what the caller saw a moment ago,
    after its own writes, and takes the place of the first look; the look after a write is always made.
    `mine` is the earliest moment that the caller has set itself since it armed last: where its calls took
    long that is near by now, and nobody has armed it yet.

    Raises:
        StoreError, TimerError: the backend did not answer, or the earliest wake would not hold still.
    """
    next_wake = next_wake or backend.store.next_wake
    own = None if mine is None else ceil_minute(mine)
    written: datetime | None = None
    for rounds in range(1, ROUNDS_MAX + 1):
        minute = _wanted(backend, seen or _look(backend, next_wake))
        seen = None
        first = written is None
        if minute is None or (first and minute != own and minute < backend.clock() + backend.timer.near):
            return Armed(moment=written, rounds=rounds)
        written = _in_time(backend, minute) if first and minute == own else minute
        # Always written: what a describe call says may be stale, and a write in flight may be undone.
        backend.timer.arm(written)
        if _wanted(backend, _look(backend, next_wake)) == minute:
            return Armed(moment=written, rounds=rounds)
    raise TimerError(
        f"the earliest wake changed {ROUNDS_MAX} times while the timer was set",
        hint="the heartbeat will serve it; run `slowsched arm` when it is quieter",
    )


def _in_time(backend: Backend, minute: datetime) -> datetime:
    """Return a minute, or the first that the timer can serve where this one may be past once it is in force."""
    return minute if minute >= backend.clock() + backend.timer.propagation else backend.soonest()


def _look(backend: Backend, next_wake: Callable[[], datetime | None]) -> Look:
    return Look(control=backend.store.control(), wake_at=next_wake())


def _wanted(backend: Backend, look: Look) -> datetime | None:
    """Return the minute that the timer should be set to now; None to leave it."""
    if look.wake_at is None or look.control.pause is not None:
        return None
    wake_at = look.wake_at
    if look.control.not_before is not None:
        wake_at = max(wake_at, look.control.not_before)
    return target(wake_at, backend.clock(), lead=backend.timer.lead, delivery=backend.timer.delivery)
