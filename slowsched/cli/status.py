"""The exit statuses, which scripts and CI rely on (docs/decisions/: exit codes)."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Status"]


class Status(IntEnum):
    """What the process says when it ends."""

    DONE = 0
    ERROR = 1  # a usage mistake, a problem in a file, a backend that does not answer
    CHANGES = 2  # of `plan --detailed-exitcode` and `drift` alone
    UNSAFE = 3
    LOCKED = 4
    STALE = 5
    IN_PART = 6
    INTERRUPTED = 130  # Ctrl-C, as every shell counts it
