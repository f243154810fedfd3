"""What the tests of the AWS parts share: emulators on loopback."""

from __future__ import annotations

from emulators.fixtures import (
    boto,
    dynamodb_local_endpoint,
    ministack_endpoint,
    pytest_runtest_makereport,
)
from story import story

__all__ = ["boto", "dynamodb_local_endpoint", "ministack_endpoint", "pytest_runtest_makereport", "story"]
