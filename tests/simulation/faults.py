"""The faults that can befall a world, how often each does, and which call it strikes.

Every process draws for each of its calls from its own chance, the same numbers whatever is switched off: a fault can
be left out of a run, and everything else stays as near to what it was as it can.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from simulation.hub import Hub, Process


class Fault(StrEnum):
    """What can go wrong; each can be switched off."""

    # at a call
    CRASH_BEFORE = "crash before a call"
    CRASH_AFTER = "crash after a call took effect"
    LOST_REQUEST = "request lost"
    LOST_ANSWER = "answer lost"
    LATE_REQUEST = "request that takes effect after it was given up"
    THROTTLED = "throttled"
    SERVER_ERROR = "server error, nothing done"
    SERVER_ERROR_DONE = "server error, done all the same"
    SLOW = "slow call"
    FREEZE = "process frozen at a call"
    JUMP = "clock jumps within the skew"
    # of the timer
    TIMER_AGAIN = "timer write takes effect a second time, later"
    TIMER_OUT_OF_ORDER = "timer writes in force in another order"
    FIRE_LOST = "fire lost"
    FIRE_TWICE = "fire delivered twice"
    FIRE_LATE = "fire late"
    FIRE_EARLY = "fire early"
    TIMER_DISABLED = "timer disabled by hand"
    TIMER_REWRITTEN = "timer rewritten by hand"
    TIMER_DELETED = "timer deleted by hand"
    # of the function
    HEARTBEAT_MISSED = "heartbeat missed"
    KILLED = "process killed at a random moment"
    RETRY_LOST = "retry of a failed invocation lost"
    # of actions
    ACTION_KILLS = "action kills its process"
    ACTION_KILLED_AFTER = "process killed right after its action succeeded"
    # of people and machines
    OUTAGE = "service answers nobody for a while"
    CANCELLED = "apply cancelled"
    UNLOCKED = "lock taken away by hand"
    BAD_CLOCK = "clock wrong by more than the skew"
    OLD_WORKER = "worker of an older format"
    TTL_LATE = "expired row kept for days"


CALL_FAULTS = (
    Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
    Fault.LOST_REQUEST,
    Fault.LOST_ANSWER,
    Fault.LATE_REQUEST,
    Fault.THROTTLED,
    Fault.SERVER_ERROR,
    Fault.SERVER_ERROR_DONE,
    Fault.SLOW,
    Fault.FREEZE,
    Fault.JUMP,
)
# What costs nobody a minute: an apply that is stopped arms the timer, and two fires are one wake too many.
HARMLESS = {Fault.CANCELLED, Fault.FIRE_TWICE, Fault.FIRE_EARLY, Fault.JUMP, Fault.TTL_LATE}
WRITES_ONLY = {Fault.LATE_REQUEST, Fault.SERVER_ERROR_DONE, Fault.LOST_ANSWER}

# What a fault may cost beyond itself: the heartbeat, with the delivery of its event.
HEARTBEAT = timedelta(minutes=15)


@dataclass
class Faults:
    """What strikes when. `left_out` are single faults by process and call, for a story that shall be short."""

    hub: Hub
    rates: Mapping[Fault, float]
    until: datetime
    left_out: frozenset[tuple[str, int]] = frozenset()
    counts: Counter[Fault] = field(default_factory=Counter)
    struck: list[tuple[str, int]] = field(default_factory=list)
    last: datetime | None = None  # when the last fault was over

    def __post_init__(self) -> None:
        self._kinds = [kind for kind in CALL_FAULTS if self.rates.get(kind)]
        self._bounds = list(accumulate(self.rates[kind] for kind in self._kinds))

    def of_call(self, process: Process, *, write: bool) -> Fault | None:
        """Return what befalls the next call of a process."""
        process.calls += 1
        draw = process.chance.random()
        if not self._bounds or draw >= self._bounds[-1]:
            return None
        kind = next(kind for kind, bound in zip(self._kinds, self._bounds, strict=True) if draw < bound)
        if kind in WRITES_ONLY and not write:
            return None
        return kind if self._strikes(kind, (process.name, process.calls)) else None

    def of_event(self, kind: Fault, process: Process | None, draw: float, mark: str) -> bool:
        """Say whether a fault strikes that is no matter of one call; `mark` names the occasion."""
        name = mark if process is None else f"{process.name} {mark}"
        return draw < self.rates.get(kind, 0.0) and self._strikes(kind, (name, 0))

    def _strikes(self, kind: Fault, place: tuple[str, int]) -> bool:
        if self.hub.now >= self.until or place in self.left_out:
            return False
        self.struck.append(place)
        if kind in HARMLESS:
            self.counts[kind] += 1
        else:
            self.note(kind)
        return True

    def note(self, kind: Fault, until: datetime | None = None) -> None:
        """Count a fault, and remember when it was over."""
        self.counts[kind] += 1
        self.lasts(until or self.hub.now)

    def lasts(self, until: datetime) -> None:
        """Remember that what struck goes on until a moment."""
        self.last = until if self.last is None else max(self.last, until)
