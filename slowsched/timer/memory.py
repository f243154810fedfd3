"""A timer in memory: an attribute, for tests and rehearsals; what it holds ends with the process.

It takes effect at once and wakes nobody. A test that wants EventBridge's manners gives it a lead, a
propagation and a delivery.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from slowsched.timer.base import Timer

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["MemoryTimer"]


class MemoryTimer(Timer):
    """A timer on a list: `writes` are all the moments it was ever set to, the last one counts."""

    def __init__(
        self,
        *,
        lead: timedelta = timedelta(0),
        propagation: timedelta = timedelta(0),
        delivery: timedelta = timedelta(0),
    ) -> None:
        self.lead = lead
        self.propagation = propagation
        self.delivery = delivery
        self.writes: list[datetime] = []

    def armed(self) -> datetime | None:
        """Return the minute that the timer is set to."""
        return self.writes[-1] if self.writes else None

    def _write(self, moment: datetime) -> None:
        self.writes.append(moment)
