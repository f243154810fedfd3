"""Time arithmetic: minutes, durations, backoff, local time; pure functions, `now` is an argument.

Every `datetime` here is aware and in UTC unless its name says local.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from slowsched.model import Retry

__all__ = [
    "DUE_MAX",
    "DUE_MIN",
    "DURATION_MAX",
    "Ambiguous",
    "Gap",
    "backoff_delay",
    "ceil_minute",
    "duration_text",
    "is_whole_minute",
    "parse_duration",
    "parse_stamp",
    "resolve_local",
    "rfc3339",
    "soonest",
    "stamp",
    "target",
]

# EventBridge cron expressions know the years 1970 to 2199.
DUE_MIN = datetime(1970, 1, 1, tzinfo=UTC)
DUE_MAX = datetime(2200, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)

DURATION_MAX = timedelta(days=36_500)  # a hundred years: sums with any due stay inside datetime's range

_DURATION = re.compile(r"(\d+)([smhd])", re.ASCII)
_DURATION_DIGITS = 12  # more is longer than the longest in every unit
_DOUBLINGS_MAX = 32  # a second, doubled so often, is longer than DURATION_MAX
_UNIT_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_MINUTE = timedelta(minutes=1)


def ceil_minute(moment: datetime) -> datetime:
    """Round up to a whole minute, the precision of the timer; never earlier than `moment`."""
    floor = moment.replace(second=0, microsecond=0)
    return floor if floor == moment else floor + _MINUTE


def is_whole_minute(moment: datetime) -> bool:
    """Say whether `moment` is a whole minute in UTC."""
    return moment.utcoffset() == timedelta(0) and moment.second == 0 and moment.microsecond == 0


def soonest(now: datetime, lead: timedelta) -> datetime:
    """Return the first moment that a timer with this `lead` can serve; `now` where it has none."""
    return ceil_minute(now + lead) if lead else now


def target(wake_at: datetime, now: datetime, *, lead: timedelta, delivery: timedelta) -> datetime | None:
    """Return the minute to arm the timer for, so that it serves `wake_at`; None to leave it as it is.

    A minute ahead is armed as it is: never later than asked for. A minute that has just passed is left,
    because its wake may still be on the way and must not be postponed; nor must that of the first minute that
    the timer could serve from then, which a worker has asked for that had too little time left. One that passed
    longer ago has lost its wake: the first minute that the timer can serve.
    """
    minute = ceil_minute(wake_at)
    if now < minute:
        return minute
    asked_for = minute + -(-lead // _MINUTE) * _MINUTE
    if now < asked_for + _MINUTE + delivery:
        return None
    return ceil_minute(now + lead)


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `15m`, `6h` or `2d`.

    Raises:
        ValueError: the text is not of that form, or longer than `DURATION_MAX`.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write a number and s, m, h or d, as in 90s, 15m, 6h or 2d")
    digits, unit = match[1].lstrip("0"), match[2]
    seconds = int(digits[:_DURATION_DIGITS] or 0) * _UNIT_SECONDS[unit]
    if len(digits) > _DURATION_DIGITS or seconds > DURATION_MAX.total_seconds():
        raise ValueError(f"{text!r} is longer than a hundred years")
    return timedelta(seconds=seconds)


@lru_cache(maxsize=1024)  # a plan without changes writes the same few lengths for every task
def duration_text(duration: timedelta) -> str:
    """Write a whole number of seconds in the largest unit that divides it: one text for one length."""
    seconds = int(duration.total_seconds())
    unit = next(unit for unit, size in _UNIT_SECONDS.items() if seconds % size == 0 and (seconds or unit == "s"))
    return f"{seconds // _UNIT_SECONDS[unit]}{unit}"


def stamp(moment: datetime) -> str:
    """Write a moment as fixed-width text (27 characters), so that text order is time order."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_stamp(text: str) -> datetime:
    """Read what `stamp` or `rfc3339` wrote.

    Raises:
        ValueError: the text is not such a stamp.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset: whose time it is cannot be told")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def rfc3339(moment: datetime) -> str:
    """Write a moment for people and scripts: RFC 3339 in UTC with `Z`, a fraction only where there is one."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat().removesuffix("+00:00") + "Z"


def backoff_delay(retry: Retry, attempt: int, jitter: float) -> timedelta:
    """Return how long to rest after failed attempt number `attempt` (from 1).

    Doubles from `retry.backoff` up to `retry.max_backoff`; `jitter` in [0, 1) moves it within the upper
    half, so that tasks which failed together do not come back together.
    """
    full = min(retry.backoff, retry.max_backoff)
    for _ in range(min(attempt - 1, _DOUBLINGS_MAX)):
        if full * 2 >= retry.max_backoff:
            full = retry.max_backoff
            break
        full *= 2
    return full / 2 + full / 2 * jitter


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A local time that the zone skips; the two instants that it could have meant, in the zone."""

    earlier: datetime
    later: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """A local time that the zone has twice; both instants, in the zone."""

    earlier: datetime
    later: datetime


def resolve_local(local: datetime, zone: ZoneInfo) -> datetime | Gap | Ambiguous:
    """Return the instant (UTC) of a naive local time, or what stands against it."""
    first = local.replace(tzinfo=zone, fold=0)
    second = local.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    instants = sorted((first.astimezone(UTC), second.astimezone(UTC)))
    earlier, later = (instant.astimezone(zone) for instant in instants)
    if later.replace(tzinfo=None) == local:
        return Ambiguous(earlier=earlier, later=later)
    return Gap(earlier=earlier, later=later)
