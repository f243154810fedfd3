"""A backend: what a use case works with, and that it is let go of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from protocol.fakes import EVENTBRIDGE, NOW, SECOND, a_scene
from values import MINUTE

from slowsched.errors import StoreError
from slowsched.store.memory import MemoryStore
from slowsched.timer.memory import MemoryTimer


class ClosingStore(MemoryStore):
    """A store that says when it is closed, and may fail at that."""

    def __init__(self, said, error=None):
        super().__init__()
        self._said = said
        self._error = error

    def close(self):
        self._said.append("store")
        if self._error is not None:
            raise self._error


class ClosingTimer(MemoryTimer):
    """A timer that says when it is closed."""

    def __init__(self, said):
        super().__init__()
        self._said = said

    def close(self):
        self._said.append("timer")


@pytest.mark.parametrize(
    ("now", "manners", "soonest"),
    [
        (NOW, {}, NOW),
        (NOW + SECOND, {}, NOW + SECOND),
        (NOW, EVENTBRIDGE, NOW + 2 * MINUTE),
        (NOW + 30 * SECOND, EVENTBRIDGE, NOW + 2 * MINUTE),
        (NOW + 31 * SECOND, EVENTBRIDGE, NOW + 3 * MINUTE),
    ],
)
def test_soonest_is_the_first_moment_the_timer_can_serve(now, manners, soonest):
    """A whole minute at least the lead ahead; now, where the timer has no lead."""
    assert a_scene(now=now, **manners).backend.soonest() == soonest


def test_a_backend_is_let_go_of_at_the_end_of_its_block():
    """Store and timer are closed, also when the block fails."""
    said = []
    backend = replace(a_scene().backend, store=ClosingStore(said), timer=ClosingTimer(said))
    with pytest.raises(KeyError), backend as entered:
        raise KeyError(entered is backend)
    assert said == ["store", "timer"]


def test_a_store_that_fails_to_close_does_not_keep_the_timer_open():
    """Its error is told all the same."""
    said = []
    backend = replace(a_scene().backend, store=ClosingStore(said, StoreError("busy")), timer=ClosingTimer(said))
    with pytest.raises(StoreError, match="busy"):
        backend.close()
    assert said == ["store", "timer"]
