"""The zone of the machine has no say in any moment (slowsched/timing.py)."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from values import at

from slowsched.timing import parse_stamp, resolve_local, rfc3339, stamp

if not hasattr(time, "tzset"):
    pytest.skip("the zone of this machine cannot be changed", allow_module_level=True)

BERLIN = ZoneInfo("Europe/Berlin")
NOON_ELSEWHERE = at("2030-01-01T12:00:00Z").astimezone(timezone(timedelta(hours=2)))


@pytest.fixture
def nepal(monkeypatch):
    """Put this process into a zone that nothing here asks for, five hours and 45 minutes east."""
    monkeypatch.setenv("TZ", "NPT-5:45")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("nepal")
def test_the_machine_stands_elsewhere():
    """What the tests below show would show nothing on a machine that stands in UTC."""
    assert time.localtime().tm_gmtoff == 20_700


@pytest.mark.usefixtures("nepal")
def test_moments_are_written_in_utc():
    """Both texts are in UTC, wherever the machine and the moment are."""
    assert (stamp(NOON_ELSEWHERE), rfc3339(NOON_ELSEWHERE)) == (
        "2030-01-01T12:00:00.000000Z",
        "2030-01-01T12:00:00Z",
    )


@pytest.mark.usefixtures("nepal")
def test_moments_are_read_as_utc():
    """What is read is in UTC, whether it was written with an offset or as a local time."""
    read = parse_stamp("2030-01-01T14:00:00+02:00")
    resolved = resolve_local(datetime(2030, 1, 1, 13), BERLIN)  # noqa: DTZ001 - a local time
    assert [each.isoformat() for each in (read, resolved)] == ["2030-01-01T12:00:00+00:00"] * 2


def test_the_fold_of_a_local_time_chooses_nothing():
    """A time that comes twice is ambiguous, whichever of both somebody marked."""
    local = datetime(2030, 10, 27, 2, 30)  # noqa: DTZ001 - a local time
    assert resolve_local(local.replace(fold=1), BERLIN) == resolve_local(local, BERLIN)
