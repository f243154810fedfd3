"""Settle one attempt: write its outcome into its row, whoever else wrote that row meanwhile.

What the outcome makes of the row is decided in `lifecycle`; here it is written on the version that was found
last, for as long as the row is the attempt's own. The timer is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slowsched import lifecycle
from slowsched.agenda_walk import CONFLICT_TRIES
from slowsched.errors import StoreError
from slowsched.model import Row, State
from slowsched.reports import AttemptReport

if TYPE_CHECKING:
    from datetime import datetime

    from slowsched.backend import Backend
    from slowsched.execute import Finished
    from slowsched.model import Unreadable

__all__ = ["Settled", "settle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How an attempt was settled: its row as it stands now (None: not known), and what is to be said of it."""

    row: Row | None
    message: str | None = None
    error: str | None = None
    conflicts: int

    @property
    def needs_worker(self) -> bool:
        """Whether the row comes back to the worker."""
        return self.row is not None and self.row.wake_at is not None

    @property
    def dead(self) -> bool:
        """Whether a person must act."""
        return self.row is not None and self.row.state is State.DEAD

    def report(self, claimed: Row, finished: Finished) -> AttemptReport:
        """Return what the wake reports of the attempt."""
        return AttemptReport(
            id=claimed.id,
            generation=claimed.generation,
            attempt=claimed.attempt,
            outcome=finished.outcome.kind,
            late_seconds=claimed.history[-1].late_seconds,
            state=State.RUNNING if self.row is None else self.row.state,
            message=self.message or finished.outcome.message,
        )


def settle(backend: Backend, claimed: Row, finished: Finished, hosted_until: datetime | None) -> Settled:
    """Write the outcome of the attempt for which the row was claimed; a backend that fails is in the result."""
    found: Row | Unreadable | None = claimed
    conflicts = 0
    error: str | None = None
    try:
        while conflicts < CONFLICT_TRIES:
            if not isinstance(found, Row):
                message = "its row is gone or cannot be read: the outcome was not recorded"
                return Settled(row=None, message=message, conflicts=conflicts)
            settled = lifecycle.settle(
                found,
                finished.token,
                finished.outcome,
                now=backend.clock(),
                soonest=backend.soonest(),
                jitter=backend.chance(),
                hosted_until=hosted_until,
            )
            if settled is None and lifecycle.was_settled(found, claimed, finished.outcome):
                # By this process: the answer was lost, and an edit came after it.
                return Settled(row=found, conflicts=conflicts)
            superseded = None if settled is not None else "superseded while it ran: the outcome was not recorded"
            settled = settled or _hosted_on(found, claimed, hosted_until)
            if settled is None:
                return Settled(row=found, message=superseded, conflicts=conflicts)
            answer = backend.store.put(settled, found.version)
            if answer is None:
                return Settled(row=settled, message=superseded, conflicts=conflicts)
            conflicts += 1
            found = answer.found
    except StoreError as failure:
        error = f"{claimed.id}: {failure}"
    message = "the outcome could not be recorded: it is attempted again after its lease"
    return Settled(row=None, message=message, error=error, conflicts=conflicts)


def _hosted_on(found: Row, claimed: Row, hosted_until: datetime | None) -> Row | None:
    """Return a row that waits for its superseded attempt for as long as this process hosts it; None: it need not."""
    if hosted_until is None or claimed.claim is None or hosted_until <= claimed.claim.lease_end:
        return None
    return lifecycle.draw_out(found, claimed.claim.lease_end, hosted_until)
