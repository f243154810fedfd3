"""Put a backend together from settings: the only place that names concrete classes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from slowsched.backend import Backend
from slowsched.errors import UsageError
from slowsched.store.base import new_write_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from slowsched.config import Config

__all__ = ["open_backend", "system_clock"]


def system_clock() -> datetime:
    """Return now, in UTC."""
    return datetime.now(UTC)


def _chance() -> float:
    from random import random  # noqa: PLC0415 - a plan needs none

    return random()  # noqa: S311 - it spreads retries, it guards nothing


def _standing_clock(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def open_backend(config: Config, environment: str, *, fake_now: datetime | None = None) -> Backend:
    """Put together the backend of an environment; nothing is opened before it is used.

    `fake_now` replaces the clock by one that stands still.

    Raises:
        ConfigError: the environment is unknown.
        UsageError: this version has no such backend.
    """
    settings = config.environment(environment)
    if settings.backend != "local":
        raise UsageError(
            f"environment {environment!r} has the backend {settings.backend!r}, which this version does not have",
            hint="use an environment with `backend: local`",
        )
    # Imported here: sqlite3 is for those who use it.
    from slowsched.sqlite_file import SqliteFile  # noqa: PLC0415
    from slowsched.store.sqlite import SqliteStore  # noqa: PLC0415
    from slowsched.timer.sqlite import SqliteTimer  # noqa: PLC0415

    file = SqliteFile(config.root / settings.path)
    return Backend(
        environment=environment,
        owner=f"{config.owner}/{environment}",
        store=SqliteStore(file),
        timer=SqliteTimer(file),
        clock=system_clock if fake_now is None else _standing_clock(fake_now),
        sleep=time.sleep,
        chance=_chance,
        nonce=new_write_id,
        standing=fake_now is not None,
    )
