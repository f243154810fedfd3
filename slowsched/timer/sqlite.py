"""A timer in the SQLite file of the local store: one row, which the local worker reads.

It has no lead, no propagation and no delivery: what is written is in force when it is written.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from slowsched.errors import StoreError, TimerError
from slowsched.timer.base import Timer
from slowsched.timing import parse_stamp, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from slowsched.sqlite_file import SqliteFile

__all__ = ["SqliteTimer"]

_READ = "SELECT armed FROM timer WHERE id = 'timer'"
_WRITE = "INSERT INTO timer (id, armed) VALUES ('timer', ?) ON CONFLICT (id) DO UPDATE SET armed = excluded.armed"


class SqliteTimer(Timer):
    """A timer in a SQLite file, which it may share with a store."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def armed(self) -> datetime | None:
        """Return the minute that the timer is set to, None when never set.

        Raises:
            TimerError: the file cannot be read, or what it holds is no moment.
        """
        with _as_timer_error():
            found = self._file.read(_READ)
        if not found:
            return None
        try:
            return parse_stamp(found[0][0])
        except (TypeError, ValueError) as error:
            raise TimerError(
                f"{self._file.path} holds no moment for the timer: {found[0][0]!r}",
                hint="`slowsched arm` sets it anew",
            ) from error

    def close(self) -> None:
        """Let go of the file; others that share it open it again."""
        self._file.close()

    def _write(self, moment: datetime) -> None:
        with _as_timer_error(), self._file.transaction() as connection:
            connection.execute(_WRITE, (stamp(moment),))


@contextmanager
def _as_timer_error() -> Iterator[None]:
    """Let the timer's caller see what failed as an error of the timer."""
    try:
        yield
    except StoreError as error:
        raise TimerError(error.message, hint=error.hint) from error
