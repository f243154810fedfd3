"""Local time in every zone that tzdata has: each change of an offset from 1970 to 2100, leap days and ends of years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import DAY, HOUR, a_retry, at

from slowsched.timing import Ambiguous, Gap, backoff_delay, ceil_minute, resolve_local, soonest, target
from slowsched.zones import PackagedZones

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

ZONES = PackagedZones()
NAMES = sorted(ZONES.names())
LETTERS = sorted({name[0] for name in NAMES})
START, END = at("1970-01-02T00:00:00Z"), at("2100-12-30T00:00:00Z")
STEP = 14 * DAY  # two changes that are nearer than that may go unseen; the shortest known are a month apart
MICRO = timedelta(microseconds=1)
ZERO = timedelta(0)

# Around leap days that are and are not, and where one year becomes another.
EDGES = [
    datetime(year, month, day, *time)  # noqa: DTZ001 - a local time
    for year in (1972, 1999, 2000, 2024, 2100)
    for month, day in ((1, 1), (2, 28), (3, 1), (12, 31))
    for time in ((0, 0, 0, 0), (12, 30, 15, 250_000), (23, 59, 59, 999_999))
] + [datetime(year, 2, 29, 23, 59, 59) for year in (1972, 2000, 2024, 2096)]  # noqa: DTZ001 - as above


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return a zone."""
    zone = ZONES.get(name)
    assert zone is not None
    return zone


def offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    """Return the offset of a zone at a moment."""
    found = moment.astimezone(zone).utcoffset()
    assert found is not None
    return found


def changes(zone: ZoneInfo) -> Iterator[tuple[datetime, timedelta, timedelta]]:
    """Yield each change of the offset: the first moment of the new one, the one before, the one after."""
    moment, before = START, offset(zone, START)
    while moment < END:
        following = moment + STEP
        after = offset(zone, following)
        if after != before:
            yield _first(zone, moment, following, before), before, after
        moment, before = following, after


def _first(zone: ZoneInfo, low: datetime, high: datetime, before: timedelta) -> datetime:
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        low, high = (middle, high) if offset(zone, middle) == before else (low, middle)
    return high


def wrong(zone: ZoneInfo, moment: datetime, before: timedelta, after: timedelta) -> list[object]:
    """Return what is not read as it must be around a change of the offset."""
    naive = moment.replace(tzinfo=None)
    start, end = naive + min(before, after), naive + max(before, after)
    kind = Gap if after > before else Ambiguous
    expected: dict[datetime, type] = {start - MICRO: datetime, end: datetime}
    expected |= dict.fromkeys((start, start + (end - start) / 2, end - MICRO), kind)
    found = {local: resolve_local(local, zone) for local in expected}
    told: list[object] = [local for local, what in expected.items() if type(found[local]) is not what]
    for local, either in found.items():
        if isinstance(either, Gap | Ambiguous):
            sides = [each.astimezone(UTC) for each in (either.earlier, either.later)]
            told += [local] if sides != sorted(local.replace(tzinfo=UTC) - each for each in (before, after)) else []
        elif either.astimezone(zone).replace(tzinfo=None, fold=0) != local:
            told.append(local)
    return told


@pytest.mark.parametrize("letter", LETTERS)
def test_every_change_of_every_zone(letter: str) -> None:
    """What is skipped is a gap, what comes twice is ambiguous, to the microsecond, and both moments are named."""
    faulty = {
        (name, moment)
        for name in NAMES
        if name.startswith(letter)
        for moment, before, after in changes(zone_of(name))
        if wrong(zone_of(name), moment, before, after)
    }
    assert faulty == set()


@pytest.mark.parametrize("local", EDGES, ids=str)
def test_leap_days_and_ends_of_years_in_every_zone(local: datetime) -> None:
    """A local time there is a moment that reads as that local time, in every zone that does not skip or repeat it."""
    faulty = []
    for name in NAMES:
        match resolve_local(local, zone_of(name)):
            case Gap() | Ambiguous():
                continue
            case moment if moment.astimezone(zone_of(name)).replace(tzinfo=None, fold=0) != local:
                faulty.append(name)
    assert faulty == []


moments = st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
spans = st.timedeltas(ZERO, timedelta(minutes=10))


@given(moments, st.sampled_from(NAMES))
def test_a_moment_comes_back_from_its_local_time(moment: datetime, name: str) -> None:
    """As itself, or as one of the two that an ambiguous time may be; never as a time that does not exist."""
    local = moment.astimezone(zone_of(name)).replace(tzinfo=None, fold=0)
    match resolve_local(local, zone_of(name)):
        case Ambiguous(earlier=earlier, later=later):
            assert moment in {earlier.astimezone(UTC), later.astimezone(UTC)}
        case found:
            assert found == moment


def test_the_changes_are_seen() -> None:
    """The search for them finds those of a zone that everybody knows, and none where there are none."""
    seen = [moment for moment, _, _ in changes(zone_of("Europe/Berlin"))]
    assert (len(seen), at("2030-03-31T01:00:00Z") in seen, at("2096-10-28T01:00:00Z") in seen) == (242, True, True)
    assert list(changes(zone_of("Etc/GMT+5"))) == []


# --- laws of the timer's arithmetic ----------------------------------------------------------------


@given(moments, st.timedeltas(ZERO, timedelta(minutes=3)), spans)
def test_later_is_never_served_earlier(moment: datetime, more: timedelta, lead: timedelta) -> None:
    """Rounding up and the first moment that can be served keep the order, and rounding twice changes nothing."""
    one, other = ceil_minute(moment), ceil_minute(moment + more)
    assert (one <= other, ceil_minute(one)) == (True, one)
    assert soonest(moment, lead) <= soonest(moment + more, lead)
    assert ZERO <= soonest(moment, lead) - (moment + lead) < timedelta(minutes=1)


@given(moments, st.timedeltas(-HOUR, HOUR), spans, spans)
def test_what_is_armed_is_armed_again(now: datetime, until: timedelta, lead: timedelta, delivery: timedelta) -> None:
    """Asked for what it just answered, the target stays; a lost wake is served no later than the lead allows."""
    wake_at = now + until
    minute = target(wake_at, now, lead=lead, delivery=delivery)
    if minute is None:
        # Its own wake may be on the way, or that of the first minute that could be served from then.
        asked_for = ceil_minute(ceil_minute(wake_at) + lead)
        assert ceil_minute(wake_at) <= now < asked_for + timedelta(minutes=1) + delivery
    else:
        assert minute <= max(ceil_minute(wake_at), ceil_minute(now + lead))
        assert minute == now or target(minute, now, lead=lead, delivery=delivery) == minute


@given(st.integers(1, 40), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_more_jitter_is_never_a_shorter_rest(attempt: int, one: float, other: float) -> None:
    """A rest grows with the jitter, and stays below that of the next attempt at the same jitter, or at the maximum."""
    low, high = sorted((one, other))
    short, long = (backoff_delay(a_retry(), attempt, jitter) for jitter in (low, high))
    assert short <= long <= backoff_delay(a_retry(), attempt + 1, high)
