"""The exceptions of slowsched, one tree, each saying what happened and what to do next.

    SlowschedError                  an error a person can act on; exit status 1
    ├── UsageError                  a name, option or file that does not fit
    │   └── ConfigError             slowsched.yaml is missing or wrong
    ├── ProblemsError               task files have problems (carries them all)
    ├── GitError                    git cannot answer what was asked
    ├── ActionsError                the team's actions module does not import
    ├── PermanentError              raised by an action: do not retry this attempt
    ├── BackendError                the store or the timer did not do what it was asked
    │   ├── StoreError              ... the store
    │   └── TimerError              ... the timer
    ├── UnsafeError                 refused for safety, nothing was written; exit status 3
    ├── LockedError                 somebody else holds the apply lock; exit status 4
    │   └── LockLostError           the apply lock was lost on the way
    └── StalePlanError              not the plan that was approved; exit status 5

Losing a compare-and-set is not an error but an answer (`model.Conflict`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slowsched.model import Problem

__all__ = [
    "ActionsError",
    "BackendError",
    "ConfigError",
    "GitError",
    "LockLostError",
    "LockedError",
    "PermanentError",
    "ProblemsError",
    "SlowschedError",
    "StalePlanError",
    "StoreError",
    "TimerError",
    "UnsafeError",
    "UsageError",
]


class SlowschedError(Exception):
    """An error that says what happened (`message`) and what to do next (`hint`)."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}: {self.hint}"


class UsageError(SlowschedError):
    """A name, an option or a file that does not fit."""


class ConfigError(UsageError):
    """`slowsched.yaml` is missing, unreadable or wrong."""


class ProblemsError(SlowschedError):
    """Task files have problems; `problems` holds all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = len(problems)
        super().__init__(f"{count} problem{'' if count == 1 else 's'} in the task files")
        self.problems = tuple(problems)


class GitError(SlowschedError):
    """Git cannot answer what was asked of it."""


class ActionsError(SlowschedError):
    """The team's actions module does not import; `trace` is its own traceback, or empty."""

    def __init__(self, message: str, *, hint: str | None = None, trace: str = "") -> None:
        super().__init__(message, hint=hint)
        self.trace = trace


class PermanentError(SlowschedError):
    """Raised by an action whose attempt must not be retried: the task is dead at once."""


class BackendError(SlowschedError):
    """The store or the timer did not do what it was asked."""


class StoreError(BackendError):
    """The store did not do what it was asked: unreachable, locked, read-only, corrupt, full."""


class TimerError(BackendError):
    """The timer did not do what it was asked."""


class UnsafeError(SlowschedError):
    """Refused for safety; nothing was written."""


class LockedError(SlowschedError):
    """Somebody else holds the apply lock."""


class LockLostError(LockedError):
    """The apply lock was lost in the middle of an apply."""


class StalePlanError(SlowschedError):
    """The plan is not the one that was approved; nothing was written."""
