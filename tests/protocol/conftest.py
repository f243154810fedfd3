"""What several protocol tests need."""

from __future__ import annotations

import threading

import pytest


@pytest.fixture
def release():
    """Return an event that blocked actions wait for; it is set when the test is over, whatever became of it."""
    event = threading.Event()
    yield event
    event.set()
