"""The port of the timer: one moment at which the worker is woken; the last writer wins.

A timer has no compare-and-set, takes effect after a delay and has minute precision in UTC; the arm
protocol (`arm`) is built for exactly that, and is the only caller of `Timer.arm`. Every adapter passes
`tests/contracts/test_timer_contract.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING

from slowsched.errors import TimerError
from slowsched.timing import is_whole_minute, rfc3339

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Timer"]


class Timer(ABC):
    """One moment at which the worker is woken.

    `lead`: how far ahead of now a moment must be for the timer to serve it. `propagation`: how long a
    write may take to be in force. `delivery`: how long after its minute the wake may arrive.
    """

    lead: timedelta = timedelta(0)
    propagation: timedelta = timedelta(0)
    delivery: timedelta = timedelta(0)

    @property
    def near(self) -> timedelta:
        """How near a moment is looked after by a worker that stays, rather than by the timer (docs/architecture.md)."""
        return (self.lead + self.propagation) / 2

    def arm(self, moment: datetime) -> None:
        """Set the timer to `moment`, a whole minute in UTC, whatever it was set to.

        Raises:
            TimerError: the moment is no whole minute, or the backend did not do it.
        """
        if not is_whole_minute(moment):
            raise TimerError(f"the timer takes whole minutes in UTC, not {rfc3339(moment)}")
        self._write(moment)

    @abstractmethod
    def _write(self, moment: datetime) -> None:
        """Write `moment` to the backend, with every other attribute constant."""

    @abstractmethod
    def armed(self) -> datetime | None:
        """Return the minute that the timer is set to, for people (plan, doctor); None when never set.

        One that was disabled, or edited by hand to what is no single minute, is none either: no plan fails for
        it, and the next arming puts it right.

        Raises:
            TimerError: the backend did not answer.
        """

    def close(self) -> None:  # noqa: B027 - an adapter with nothing to close need not say so
        """Let go of connections; the timer is not used afterwards."""
