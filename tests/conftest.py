"""What tests in several folders share: the emulators on loopback, one of a kind for the whole run."""

from __future__ import annotations

from emulators.fixtures import (
    boto,
    dynamodb_local_endpoint,
    ministack_endpoint,
    pytest_runtest_makereport,
)

__all__ = ["boto", "dynamodb_local_endpoint", "ministack_endpoint", "pytest_runtest_makereport"]
