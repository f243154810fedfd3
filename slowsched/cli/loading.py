"""What commands begin with: the config, the tasks of the files, the backend, who is asking."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from slowsched.aws import Account, Usage
    from slowsched.backend import Backend
    from slowsched.cli.settings import Settings
    from slowsched.config import Config
    from slowsched.control import Holder
    from slowsched.model import Summary
    from slowsched.repository import Scan

__all__ = ["action_schemas", "holder", "open_environment", "person", "read_config", "rows_of", "scanning"]

_SCHEMA_SUFFIX = ".schema.json"


def read_config() -> Config:
    """Return the config of the repository around the current folder."""
    from slowsched.config import load_config

    return load_config(None)


@contextmanager
def scanning(
    settings: Settings, config: Config, *, environment: str | None, paths: Sequence[str] = ()
) -> Iterator[Scan]:
    """Give the tasks that the files declare, read while they are iterated, with progress at a terminal.

    No garbage is collected meanwhile: what is read are values without cycles, and walking through all
    rows again and again is a tenth of a plan.
    """
    from slowsched.cli.progress import progress
    from slowsched.repository import Scan

    gc.disable()
    try:
        with progress(settings, "task files read") as tell:
            yield Scan(config, environment, paths=paths, on_file=tell)
    finally:
        gc.enable()


@contextmanager
def open_environment(
    settings: Settings,
    config: Config | None = None,
    *,
    fake_now: datetime | None = None,
    rehearsal: bool = False,
    account: Account | None = None,
) -> Iterator[Backend]:
    """Open the backend of the environment that the settings name; with -v, say at the end what it used of AWS.

    `config` is for a caller who has read it already, `account` for one who asks more of it than a backend does.
    """
    from slowsched.wiring import open_account, open_backend

    config = config or read_config()
    environment = config.environment(settings.environment)
    if account is None and environment.backend == "aws":
        account = open_account(environment)
    try:
        with open_backend(config, environment.name, fake_now=fake_now, rehearsal=rehearsal, account=account) as backend:
            yield backend
    finally:
        if account is not None and settings.verbose:
            from slowsched.cli.output import note

            note(settings, _usage_words(account.usage))


def _usage_words(usage: Usage) -> str:
    read, written = f"{usage.read_units:g} read units", f"{usage.write_units:g} write units"
    return f"DynamoDB and EventBridge: {usage.requests} requests, {read}, {written}"


def rows_of(backend: Backend, *, told: bool = True) -> Iterator[Summary]:
    """Yield a summary of every row of this owner; how many cannot be read is told of, once."""
    from slowsched.cli.output import warn
    from slowsched.model import Unreadable

    unreadable = 0
    for row in backend.store.rows():
        if isinstance(row, Unreadable):
            unreadable += 1
        elif row.owner == backend.owner:
            yield row
    if unreadable and told:
        warn(f"{unreadable} of the rows cannot be read by this version: upgrade slowsched")


def action_schemas(config: Config) -> Mapping[str, Path]:
    """Return the payload schema file of every action of the repository."""
    folder = config.root / config.schemas / "actions"
    return {path.name.removesuffix(_SCHEMA_SUFFIX): path for path in sorted(folder.glob(f"*{_SCHEMA_SUFFIX}"))}


def person() -> str:
    """Return who runs this program, as others find them: user@machine, or the actor of a workflow."""
    import getpass
    import socket

    actor = os.environ.get("GITHUB_ACTOR")
    if actor:
        return f"{actor} (GitHub)"
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = str(os.getuid()) if sys.platform != "win32" else "somebody"
    return f"{user}@{socket.gethostname()}"


def holder() -> Holder:
    """Return who holds the apply lock while this process applies, and where to look at it."""
    from slowsched.control import Holder

    server, repository, run = (
        os.environ.get(name) for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    )
    url = f"{server}/{repository}/actions/runs/{run}" if server and repository and run else None
    return Holder(name=person(), url=url)
