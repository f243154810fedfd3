"""Put a backend together from settings: the only place that names concrete classes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from slowsched.backend import Backend
from slowsched.clock import chance, standing_clock, system_clock
from slowsched.errors import UsageError
from slowsched.store.base import new_write_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from slowsched.aws import Account
    from slowsched.config import Config, Environment

__all__ = ["open_account", "open_backend"]


def open_backend(
    config: Config,
    environment: str,
    *,
    fake_now: datetime | None = None,
    rehearsal: bool = False,
    account: Account | None = None,
) -> Backend:
    """Put together the backend of an environment; nothing is opened before it is used.

    `fake_now` replaces the clock by one that stands still; without `rehearsal`, which promises to write
    nothing, never on a real account. `account` is for a caller who wants to know what was used.

    Raises:
        ConfigError: the environment is unknown.
        UsageError: a real account is no place for a fake time.
    """
    settings = config.environment(environment)
    clock = system_clock if fake_now is None else standing_clock(fake_now)
    owner = f"{config.owner}/{environment}"
    if settings.backend == "local":
        return _local(config, settings, owner, clock, standing=fake_now is not None)
    from slowsched.aws_backend import aws_backend  # noqa: PLC0415 - for those who use it

    account = account or open_account(settings)
    if settings.table is None or settings.timer is None:
        raise TypeError(f"the schema of the settings let {environment!r} through without table or timer")
    if fake_now is not None and not rehearsal and not account.is_emulator():
        raise UsageError(
            f"environment {environment!r} is a real account, where tasks would really run",
            hint="add --dry-run, or use the local backend or an emulator (AWS_ENDPOINT_URL on this machine)",
        )
    return aws_backend(
        account,
        table=settings.table,
        timer=settings.timer,
        environment=environment,
        owner=owner,
        clock=clock,
        standing=fake_now is not None,
    )


def open_account(settings: Environment) -> Account:
    """Return the way to the AWS account of an environment."""
    from slowsched.aws import Account  # noqa: PLC0415 - for those who use it

    return Account(region=settings.region, expected_account=settings.expected_account)


def _local(
    config: Config, settings: Environment, owner: str, clock: Callable[[], datetime], *, standing: bool
) -> Backend:
    # Imported here: sqlite3 is for those who use it.
    from slowsched.sqlite_file import SqliteFile  # noqa: PLC0415
    from slowsched.store.sqlite import SqliteStore  # noqa: PLC0415
    from slowsched.timer.sqlite import SqliteTimer  # noqa: PLC0415

    file = SqliteFile(config.root / settings.path)
    return Backend(
        environment=settings.name,
        owner=owner,
        store=SqliteStore(file),
        timer=SqliteTimer(file),
        clock=clock,
        sleep=time.sleep,
        chance=chance,
        nonce=new_write_id,
        standing=standing,
    )
