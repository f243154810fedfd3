"""Time arithmetic (slowsched/timing.py): minutes, durations, stamps, backoff, local time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import DAY, HOUR, MINUTE, a_retry, at

from slowsched.timing import (
    DUE_MAX,
    DUE_MIN,
    DURATION_MAX,
    Ambiguous,
    Gap,
    backoff_delay,
    ceil_minute,
    duration_text,
    is_whole_minute,
    parse_duration,
    parse_stamp,
    resolve_local,
    rfc3339,
    soonest,
    stamp,
    target,
)

MICRO = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
NOON = at("2030-01-01T12:00:00Z")

AWS = {"lead": timedelta(seconds=90), "delivery": timedelta(seconds=30)}
LOCAL = {"lead": timedelta(0), "delivery": timedelta(0)}

ZONES = sorted(available_timezones() - {"localtime"})
SAMPLED_ZONES = ZONES[::12]

moments = st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2199, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
leads = st.sampled_from([timedelta(0), SECOND, timedelta(seconds=90), timedelta(minutes=5)])
seconds = st.integers(min_value=0, max_value=int(DURATION_MAX.total_seconds()))


# --- minutes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "minute"),
    [
        ("2030-01-01T12:00:00Z", "2030-01-01T12:00:00Z"),
        ("2030-01-01T12:00:00.000001Z", "2030-01-01T12:01:00Z"),
        ("2030-01-01T12:00:30Z", "2030-01-01T12:01:00Z"),
        ("2030-01-01T12:00:59.999999Z", "2030-01-01T12:01:00Z"),
        ("2030-12-31T23:59:00.5Z", "2031-01-01T00:00:00Z"),
    ],
)
def test_ceil_minute(moment, minute):
    """A moment is rounded up to a whole minute, and a whole minute stays."""
    assert ceil_minute(at(moment)) == at(minute)


@given(moments)
def test_ceil_minute_is_the_first_whole_minute_that_is_not_earlier(moment):
    """It is a whole minute, not earlier than the moment, and less than a minute later."""
    minute = ceil_minute(moment)
    assert (is_whole_minute(minute), timedelta(0) <= minute - moment < MINUTE) == (True, True)


@pytest.mark.parametrize(
    ("moment", "whole"),
    [
        (NOON, True),
        (NOON + MICRO, False),
        (NOON + SECOND, False),
        (NOON.astimezone(timezone(HOUR)), False),
        (NOON.replace(tzinfo=None), False),
    ],
)
def test_is_whole_minute(moment, whole):
    """Only a moment in UTC without seconds is a whole minute."""
    assert is_whole_minute(moment) is whole


def test_soonest_without_a_lead_is_now():
    """The local timer serves the very moment."""
    assert soonest(NOON + MICRO, timedelta(0)) == NOON + MICRO


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ("2030-01-01T12:00:00Z", "2030-01-01T12:02:00Z"),
        ("2030-01-01T12:00:30Z", "2030-01-01T12:02:00Z"),
        ("2030-01-01T12:00:30.000001Z", "2030-01-01T12:03:00Z"),
    ],
)
def test_soonest_with_a_lead_is_a_whole_minute(now, first):
    """A timer with a lead of 90 s serves the first whole minute that is so far ahead."""
    assert soonest(at(now), AWS["lead"]) == at(first)


# --- target ----------------------------------------------------------------------------------------


def test_target__minute_ahead__is_that_minute():
    """A minute ahead is armed as it is, however near."""
    assert target(NOON, NOON - MICRO, **AWS) == NOON


def test_target__seconds__never_before_the_moment():
    """A moment with seconds is served by the minute after it: due 12:00:30 fires after 12:00:30."""
    assert target(NOON + 30 * SECOND, NOON - HOUR, **AWS) == NOON + MINUTE


def test_target__minute_reached__is_left():
    """At its minute the wake is on the way."""
    assert target(NOON, NOON, **AWS) is None


def test_target__last_moment_of_a_wake__is_left():
    """Its own, or that of the first minute that could be served from then: a worker may have asked for it."""
    assert target(NOON, NOON + 210 * SECOND - MICRO, **AWS) is None


def test_target__wake_lost__is_the_first_minute_that_can_be_served():
    """The lead in whole minutes, a minute and the delivery later its wake is lost."""
    assert target(NOON, NOON + 210 * SECOND, **AWS) == NOON + 5 * MINUTE


def test_target__wake_lost_with_seconds__is_rounded_up():
    """What is armed instead is a whole minute, at least the lead ahead."""
    assert target(NOON, NOON + 210 * SECOND + MICRO, **AWS) == NOON + 6 * MINUTE


def test_target__lead_of_whole_minutes__is_not_rounded_up_further():
    """A lead of two minutes is two minutes."""
    manners = AWS | {"lead": 2 * MINUTE}
    left, armed = (target(NOON, NOON + 210 * SECOND + more, **manners) for more in (-MICRO, 0 * MICRO))
    assert (left, armed) == (None, NOON + 6 * MINUTE)


def test_target__local__waits_one_minute_only():
    """Without lead and delivery a moment that passed a minute ago is armed for the minute that begins."""
    left, armed = target(NOON, NOON + MINUTE - MICRO, **LOCAL), target(NOON, NOON + MINUTE, **LOCAL)
    assert (left, armed) == (None, NOON + MINUTE)


@given(moments, moments, leads, leads)
def test_target_is_never_early_and_never_past(wake_at, now, lead, delivery):
    """What is armed is a whole minute, not before the wake and not before now."""
    minute = target(wake_at, now, lead=lead, delivery=delivery)
    assert minute is None or (is_whole_minute(minute) and minute >= wake_at and minute >= now)


def test_a_due_is_of_the_years_that_a_cron_expression_knows():
    """From 1970 to 2199, in UTC."""
    bounds = [each.isoformat() for each in (DUE_MIN, DUE_MAX)]
    assert bounds == ["1970-01-01T00:00:00+00:00", "2199-12-31T23:59:59.999999+00:00"]


# --- durations -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0s", timedelta(0)),
        ("90s", 90 * SECOND),
        ("15m", 15 * MINUTE),
        ("6h", 6 * HOUR),
        ("2d", 2 * DAY),
        ("007m", 7 * MINUTE),
        ("0000000000090s", 90 * SECOND),
        ("36500d", DURATION_MAX),
        ("3153600000s", DURATION_MAX),
    ],
)
def test_parse_duration(text, duration):
    """A number and a unit."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "1.5h", "5M", "5w", "5m ", "1h30m", "٣m", "5m\n"])
def test_parse_duration_refuses_what_is_none(text):
    """Anything but digits and one unit is refused, with what to write instead."""
    with pytest.raises(ValueError, match="is not a duration: write a number and s, m, h or d"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36501d", "3153600001s", "9999999999999s", "9" * 5000 + "d"])
def test_parse_duration_refuses_more_than_a_hundred_years(text):
    """A sum of any due and any duration is still a date; a number of any length is refused quickly."""
    with pytest.raises(ValueError, match="is longer than a hundred years"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (59 * SECOND, "59s"),
        (60 * SECOND, "1m"),
        (90 * SECOND, "90s"),
        (60 * MINUTE, "1h"),
        (24 * HOUR, "1d"),
        (25 * HOUR, "25h"),
        (DURATION_MAX, "36500d"),
    ],
)
def test_duration_text_takes_the_largest_unit(duration, text):
    """One length has one text, in the largest unit that divides it."""
    assert duration_text(duration) == text


@given(seconds)
def test_durations_come_back(count):
    """What is written is read back as the same length."""
    duration = timedelta(seconds=count)
    assert parse_duration(duration_text(duration)) == duration


@given(moments, seconds)
def test_any_due_plus_any_duration_is_a_date(moment, count):
    """No grace, backoff or timeout that a file may state leaves the range of dates."""
    assert moment + timedelta(seconds=count) <= DUE_MAX + DURATION_MAX


# --- text of moments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "stamped", "written"),
    [
        (NOON, "2030-01-01T12:00:00.000000Z", "2030-01-01T12:00:00Z"),
        (NOON + MICRO, "2030-01-01T12:00:00.000001Z", "2030-01-01T12:00:00.000001Z"),
        (NOON + timedelta(milliseconds=250), "2030-01-01T12:00:00.250000Z", "2030-01-01T12:00:00.250000Z"),
        (NOON.astimezone(timezone(2 * HOUR)), "2030-01-01T12:00:00.000000Z", "2030-01-01T12:00:00Z"),
        (DUE_MIN, "1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00Z"),
        (DUE_MAX, "2199-12-31T23:59:59.999999Z", "2199-12-31T23:59:59.999999Z"),
    ],
)
def test_stamp_and_rfc3339(moment, stamped, written):
    """A stamp has one width; the text for people has a fraction only where there is one; both are in UTC."""
    assert (stamp(moment), rfc3339(moment)) == (stamped, written)


@given(moments, moments)
def test_stamps_are_ordered_as_moments(one, other):
    """Stamps have one width, and their order as text is the order in time."""
    texts = (stamp(one), stamp(other))
    assert ({len(text) for text in texts}, texts[0] < texts[1], texts[0] == texts[1]) == (
        {27},
        one < other,
        one == other,
    )


@given(moments)
def test_moments_come_back(moment):
    """Both texts are read back as the same moment, to the microsecond."""
    assert (parse_stamp(stamp(moment)), parse_stamp(rfc3339(moment))) == (moment, moment)


def test_parse_stamp_returns_utc():
    """An offset is taken into account, and gone."""
    found = parse_stamp("2030-01-01T14:00:00+02:00")
    assert (found, found.utcoffset()) == (NOON, timedelta(0))


@pytest.mark.parametrize("text", ["", "noon", "2030-13-01T12:00:00Z"])
def test_parse_stamp_refuses_what_is_none(text):
    """What is no stamp is not guessed at."""
    with pytest.raises(ValueError, match=r"."):
        parse_stamp(text)


@pytest.mark.parametrize("text", ["2030-01-01T12:00:00", "2030-01-01"])
def test_parse_stamp_refuses_what_has_no_offset(text):
    """A time without an offset would be read in the zone of this machine."""
    with pytest.raises(ValueError, match=f"^'{text}' has no offset: whose time it is cannot be told$"):
        parse_stamp(text)


# --- backoff ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "jitter", "delay"),
    [
        (1, 0.0, 30 * SECOND),
        (1, 0.5, 45 * SECOND),
        (2, 0.0, MINUTE),
        (3, 0.0, 2 * MINUTE),
        (6, 0.0, 16 * MINUTE),
        (7, 0.0, 30 * MINUTE),
        (8, 0.0, 30 * MINUTE),
    ],
)
def test_backoff_doubles_up_to_its_maximum(attempt, jitter, delay):
    """One minute, two, four ... at most an hour, of which the lower half is sure."""
    assert backoff_delay(a_retry(), attempt, jitter) == delay


def test_backoff_reaches_a_maximum_that_is_no_doubling():
    """One minute, two, then the maximum of two and a half."""
    retry = a_retry(max_backoff=150 * SECOND)
    delays = [backoff_delay(retry, attempt, 0.0) for attempt in (1, 2, 3, 4)]
    assert delays == [30 * SECOND, 60 * SECOND, 75 * SECOND, 75 * SECOND]


def test_backoff_is_capped_from_the_first_attempt_on():
    """A maximum below the first rest holds at once."""
    assert backoff_delay(a_retry(backoff=HOUR, max_backoff=MINUTE), 1, 0.0) == 30 * SECOND


def test_backoff_of_nothing_is_nothing():
    """Who asks for no rest gets none, at any attempt."""
    assert backoff_delay(a_retry(backoff=timedelta(0)), 10**12, 0.5) == timedelta(0)


@given(
    st.integers(min_value=1, max_value=10**18),
    st.floats(min_value=0, max_value=1, exclude_max=True),
    seconds,
    seconds,
)
def test_backoff_stays_in_its_bounds(attempt, jitter, backoff, max_backoff):
    """Whatever the attempt: at most the maximum, and at least half of the first rest or of the maximum."""
    retry = a_retry(backoff=timedelta(seconds=backoff), max_backoff=timedelta(seconds=max_backoff))
    delay = backoff_delay(retry, attempt, jitter)
    assert min(retry.backoff, retry.max_backoff) / 2 <= delay <= retry.max_backoff


@given(st.integers(min_value=1, max_value=200), seconds, seconds)
def test_backoff_never_shrinks(attempt, backoff, max_backoff):
    """The next rest is at least as long, and at most twice as long."""
    retry = a_retry(backoff=timedelta(seconds=backoff), max_backoff=timedelta(seconds=max_backoff))
    this, following = (backoff_delay(retry, number, 0.0) for number in (attempt, attempt + 1))
    assert this <= following <= 2 * this + MICRO


# --- local time ------------------------------------------------------------------------------------


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        ("Europe/Berlin", "2030-01-01T12:00:00", "2030-01-01T11:00:00Z"),
        ("Europe/Berlin", "2030-07-01T12:00:00", "2030-07-01T10:00:00Z"),
        ("Europe/Berlin", "2030-03-31T01:59:59.999999", "2030-03-31T00:59:59.999999Z"),
        ("Europe/Berlin", "2030-03-31T03:00:00", "2030-03-31T01:00:00Z"),
        ("Europe/Berlin", "2030-10-27T01:59:59.999999", "2030-10-26T23:59:59.999999Z"),
        ("Europe/Berlin", "2030-10-27T03:00:00", "2030-10-27T02:00:00Z"),
        ("America/New_York", "2030-11-29T00:00:00", "2030-11-29T05:00:00Z"),
        ("Asia/Kathmandu", "2030-01-01T00:00:00", "2029-12-31T18:15:00Z"),
        ("UTC", "2030-01-01T00:00:00", "2030-01-01T00:00:00Z"),
    ],
)
def test_resolve_local(zone, local, instant):
    """A local time that exists once is one instant, to the microsecond beside a change of the clock."""
    assert resolve_local(_local(local), ZoneInfo(zone)) == at(instant)


@pytest.mark.parametrize(
    ("zone", "local", "earlier", "later"),
    [
        ("Europe/Berlin", "2030-03-31T02:00:00", "2030-03-31T01:00:00+01:00", "2030-03-31T03:00:00+02:00"),
        ("Europe/Berlin", "2030-03-31T02:59:59", "2030-03-31T01:59:59+01:00", "2030-03-31T03:59:59+02:00"),
        ("America/New_York", "2030-03-10T02:30:00", "2030-03-10T01:30:00-05:00", "2030-03-10T03:30:00-04:00"),
        ("Australia/Lord_Howe", "2030-10-06T02:15:00", "2030-10-06T01:45:00+10:30", "2030-10-06T02:45:00+11:00"),
        ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00"),
    ],
)
def test_resolve_local_names_both_sides_of_a_gap(zone, local, earlier, later):
    """A local time that is skipped could have meant two instants, named as the zone writes them."""
    found = resolve_local(_local(local), ZoneInfo(zone))
    assert isinstance(found, Gap)
    assert (found.earlier.isoformat(), found.later.isoformat()) == (earlier, later)


@pytest.mark.parametrize(
    ("zone", "local", "earlier", "later"),
    [
        ("Europe/Berlin", "2030-10-27T02:00:00", "2030-10-27T02:00:00+02:00", "2030-10-27T02:00:00+01:00"),
        ("Europe/Berlin", "2030-10-27T02:59:59", "2030-10-27T02:59:59+02:00", "2030-10-27T02:59:59+01:00"),
        ("America/New_York", "2030-11-03T01:30:00", "2030-11-03T01:30:00-04:00", "2030-11-03T01:30:00-05:00"),
        ("Australia/Lord_Howe", "2030-04-07T01:45:00", "2030-04-07T01:45:00+11:00", "2030-04-07T01:45:00+10:30"),
    ],
)
def test_resolve_local_names_both_instants_of_an_ambiguous_time(zone, local, earlier, later):
    """A local time that comes twice is two instants, the earlier one first."""
    found = resolve_local(_local(local), ZoneInfo(zone))
    assert isinstance(found, Ambiguous)
    assert (found.earlier.isoformat(), found.later.isoformat()) == (earlier, later)


@given(
    st.sampled_from(SAMPLED_ZONES),
    st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2037, 12, 31)),  # noqa: DTZ001 - a local time
)
def test_resolve_local_is_right_in_every_zone(zone_name, local):
    """An instant reads as the local time; both of an ambiguous one do; neither side of a gap does."""
    zone = ZoneInfo(zone_name)
    match resolve_local(local, zone):
        case Ambiguous(earlier=earlier, later=later):
            assert (earlier.replace(tzinfo=None), later.replace(tzinfo=None), earlier < later) == (local, local, True)
        case Gap(earlier=earlier, later=later):
            assert earlier.replace(tzinfo=None) < local < later.replace(tzinfo=None)
        case instant:
            assert (instant.utcoffset(), instant.astimezone(zone).replace(tzinfo=None)) == (timedelta(0), local)


@pytest.mark.parametrize("zone_name", SAMPLED_ZONES)
def test_every_change_of_the_clock_is_noticed(zone_name):
    """Around each change of the offset in 2024 and 2025, the hour that is skipped or comes twice is refused."""
    zone = ZoneInfo(zone_name)
    start = at("2024-01-01T00:00:00Z")
    offsets = [(start + n * HOUR).astimezone(zone).utcoffset() for n in range(2 * 366 * 24)]
    changes = [n for n in range(1, len(offsets)) if offsets[n] != offsets[n - 1]]
    for n in changes:
        before, after = offsets[n - 1], offsets[n]
        edge = (start + n * HOUR).replace(tzinfo=None)  # changes are at full or half hours: look at both
        local = min(edge + before, edge + after) + abs(after - before) / 2
        kinds = {type(resolve_local(each, zone)) for each in (local, local - HOUR / 2)}
        assert kinds & {Gap if after > before else Ambiguous}, (zone_name, local)
