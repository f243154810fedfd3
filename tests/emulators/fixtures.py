"""Fixtures for tests that need an emulator: import them by name into the `conftest.py` of a folder.

One emulator of a kind serves a whole session; a test keeps to names of its own (`unique_name`). A part that is not
installed skips a test on a user's machine, with the reason, and fails it where the variable CI is set.
"""

from __future__ import annotations

import functools
import itertools
import os
from typing import TYPE_CHECKING, Any

import pytest

from emulators.dynamodb_local import dynamodb_local
from emulators.ministack import ministack
from emulators.parts import is_ci, missing
from emulators.processes import log_tail

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

ACCOUNT = "123456789012"  # as an access key, MiniStack takes twelve digits for the account and its root
REGION = "eu-central-1"

_LOGS: list[Path] = []
_NUMBERS = itertools.count(1)


def requires(*parts: str) -> None:
    """Leave the test out where a part is not installed; in CI, fail it."""
    reasons = [reason for reason in map(missing, parts) if reason]
    if reasons and is_ci():
        pytest.fail("; ".join(reasons))
    if reasons:
        pytest.skip("left out: " + "; ".join(reasons))


@functools.cache  # they are slow to make, and safe to share
def client(
    service: str,
    endpoint: str,
    *,
    key: str = ACCOUNT,
    secret: str = ACCOUNT,
    token: str = "",
    attempts: int = 1,
    read_timeout: float = 60,
) -> Any:
    """Return a botocore client for an emulator, with nothing taken from the environment."""
    import botocore.config  # noqa: PLC0415 - only for tests that need it
    import botocore.session  # noqa: PLC0415

    session = botocore.session.Session(session_vars={"profile": (None, None, None, None)})
    session.set_credentials(key, secret, token or None)
    config = botocore.config.Config(
        region_name=REGION,
        connect_timeout=10,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return session.create_client(service, endpoint_url=endpoint, config=config)


def unique_name(prefix: str) -> str:
    """Return a name that no other test of this session has."""
    return f"{prefix}-{os.getpid()}-{next(_NUMBERS)}"


@pytest.fixture(scope="session")
def ministack_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a MiniStack that checks no rights."""
    requires("ministack")
    folder = tmp_path_factory.mktemp("ministack")
    _LOGS.append(folder / "ministack.log")
    with ministack(folder) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def dynamodb_local_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a DynamoDB Local in memory."""
    requires("java", "dynamodb-local")
    folder = tmp_path_factory.mktemp("dynamodb-local")
    _LOGS.append(folder / "dynamodb-local.log")
    with dynamodb_local(folder) as endpoint:
        yield endpoint


@pytest.fixture
def boto() -> Callable[..., Any]:
    """Return `client(service, endpoint)`."""
    return client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the emulators' logs under a test that failed with one of them."""
    report = yield
    used = {"ministack_endpoint", "dynamodb_local_endpoint"} & set(getattr(item, "fixturenames", ()))
    if report.failed and used:
        report.sections += [(log.name, log_tail(log)) for log in _LOGS]
    return report
