"""What an apply and a wake report: frozen values, rendered by `render`, judged by nobody here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from slowsched.model import ChangeKind, OutcomeKind, Pause, Plan, Refusal, State

__all__ = ["ApplyReport", "ApplyResult", "ApplyStatus", "AttemptReport", "Drift", "Result", "WakeReport"]


class Result(StrEnum):
    """What became of one change of an apply."""

    APPLIED = "applied"
    LATE = "late"
    CONFLICT = "conflict"
    FAILED = "failed"
    SKIPPED = "skipped"


class ApplyStatus(StrEnum):
    """What became of an apply as a whole."""

    APPLIED = "applied"
    NOTHING = "nothing"
    PARTIAL = "partial"
    REFUSED = "refused"
    LOCKED = "locked"
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """One line of an apply's report; `message` says why, where it was not applied."""

    id: str
    kind: ChangeKind
    result: Result
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReport:
    """What an apply did. `armed` is the timer afterwards; `timer_error` why it could not be armed.

    `interrupted` says that a signal or a lost lock ended it before its last write: the changes not
    reached are `skipped`.
    """

    environment: str
    owner: str
    commit: str | None
    digest: str
    status: ApplyStatus
    results: tuple[ApplyResult, ...] = ()
    armed: datetime | None = None
    timer_error: str | None = None
    refused: tuple[Refusal, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptReport:
    """One attempt of a wake: its outcome, how late it began, and the state its row is in after it."""

    id: str
    generation: int
    attempt: int
    outcome: OutcomeKind
    late_seconds: float
    state: State
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeReport:
    """What one wake did. `left` counts due rows that it did not get to.

    `paused` and `not_before` say why a wake did nothing; `would_run` is filled by a rehearsal
    (`--dry-run`) in place of attempts; `errors` are calls of the backend that failed on the way.
    `oldest_overdue` is how long the longest waiting of what is left has been due; `conflicts` counts writes
    that others were quicker with, `arm_rounds` how often the timer was looked after.
    """

    environment: str
    now: datetime
    attempts: tuple[AttemptReport, ...] = ()
    missed: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    deferred: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    would_run: tuple[str, ...] = ()
    left: int = 0
    armed: datetime | None = None
    timer_error: str | None = None
    paused: Pause | None = None
    not_before: datetime | None = None
    errors: tuple[str, ...] = ()
    interrupted: bool = False
    oldest_overdue: timedelta | None = None
    conflicts: int = 0
    arm_rounds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How the live rows differ from what the commit applied last asked for: `plan` is the plan of that commit.

    `applying` is a commit whose apply goes on, or was stopped; `timer` is what is wrong with the timer, None where
    it is set as the rows need it.
    """

    plan: Plan
    applying: str | None = None
    timer: str | None = None

    @property
    def found(self) -> bool:
        """Whether there is any."""
        return bool(self.plan.changes) or self.timer is not None
