"""What every timer promises (slowsched/timer/base.py), held against each adapter."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from values import at

from slowsched.errors import TimerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from slowsched.timer.base import Timer


def test_armed_returns_what_was_armed(timer: Timer) -> None:
    """The minute that a timer was set to is the minute that it tells."""
    timer.arm(at("2030-01-01T12:34:00Z"))
    assert timer.armed() == at("2030-01-01T12:34:00Z")


def test_a_timer_that_was_never_set_is_armed_for_nothing(timer: Timer) -> None:
    """Before the first write there is no minute."""
    assert timer.armed() is None


@pytest.mark.parametrize("second", ["2030-01-01T11:00:00Z", "2030-01-01T13:00:00Z", "2030-01-01T12:00:00Z"])
def test_the_last_writer_wins(open_timer: Callable[[], Timer], second: str) -> None:
    """A later write counts whoever made it, be it earlier, later or the same minute."""
    one, other = open_timer(), open_timer()
    one.arm(at("2030-01-01T12:00:00Z"))
    other.arm(at(second))
    assert (one.armed(), other.armed()) == (at(second), at(second))


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:00Z"])
def test_every_minute_of_the_years_that_a_due_may_have_can_be_armed(timer: Timer, moment: str) -> None:
    """The first and the last minute are taken as they are, the past included."""
    timer.arm(at(moment))
    assert timer.armed() == at(moment)


@pytest.mark.parametrize("moment", ["2030-01-01T12:00:01Z", "2030-01-01T12:00:00.000001Z"])
def test_only_whole_minutes_are_taken(timer: Timer, moment: str) -> None:
    """A moment that the timer cannot name is refused rather than rounded, and changes nothing."""
    with pytest.raises(TimerError, match="whole minutes"):
        timer.arm(at(moment))
    assert timer.armed() is None


def test_what_is_near_lies_between_lead_and_propagation(timer: Timer) -> None:
    """A timer states three lengths of time, none of them negative, and `near` follows from two."""
    assert min(timer.lead, timer.propagation, timer.delivery) >= timedelta(0)
    assert timer.near == (timer.lead + timer.propagation) / 2
