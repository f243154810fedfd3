"""What the two timers of EventBridge, a rule and a schedule, do alike.

Both fire in a minute of UTC that an expression names, at any of its seconds; both take a while until a new
expression is in force, without a number that AWS would promise; and neither tells a moment from another one
that was written meanwhile. docs/decisions/0010-timers-of-eventbridge.md says why each thing is as it is.
"""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from slowsched.aws import aws_errors
from slowsched.errors import TimerError
from slowsched.timer.base import Timer
from slowsched.timing import DUE_MAX, DUE_MIN, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

    from slowsched.aws import Account
    from slowsched.timer.settings import TimerSettings

__all__ = [
    "DESCRIPTION",
    "EventBridgeTimer",
    "TimerState",
    "TimerTarget",
    "at_text",
    "cron_text",
    "read_at",
    "read_cron",
]

DESCRIPTION = "slowsched: the next moment anything is due"

# What Terraform begins with (terraform/module/timer.tf), and what therefore stands for "never set".
NEVER = datetime(2199, 1, 1, tzinfo=UTC)

# Somebody else changed it in the same instant, and nothing was written: the rests before the next tries.
RESTS = (0.2, 0.5, 1.0)

_CRON = re.compile(r"cron\(([0-9]{1,2}) ([0-9]{1,2}) ([0-9]{1,2}) ([0-9]{1,2}) \? ([0-9]{4})\)")
_AT = re.compile(r"at\(([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):00\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerTarget:
    """What a timer starts: its ARN, the input that it is given (None: the event itself), and what becomes of failures.

    `role_arn` is the role that a schedule starts it with; a rule starts a function by the function's own permission.
    What AWS does not tell is None.
    """

    arn: str
    input: str | None = None
    role_arn: str | None = None
    dead_letter_arn: str | None = None
    retry_attempts: int | None = None
    event_age_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerState:
    """What a timer of EventBridge is at this moment, for doctor.

    Of one that does not `exist` nothing else is known. `moment` is the minute in UTC that `expression` names
    when slowsched wrote it, be the timer enabled or not; None for every other expression: the far one that
    Terraform begins with, and one that was edited by hand.
    """

    kind: str
    name: str
    exists: bool
    arn: str | None = None
    enabled: bool = False
    expression: str | None = None
    moment: datetime | None = None
    description: str | None = None
    targets: tuple[TimerTarget, ...] = ()


class EventBridgeTimer(Timer):
    """A timer that Terraform has made, and of which nothing but the moment is changed here.

    Before its first write an adapter looks once whether the timer exists: `PutRule` would make a rule that
    starts nothing, and a schedule can only be replaced as a whole.
    """

    # When a write is in force AWS puts no number on ("a short period"): a minute is what the protocol stands on.
    # Nearer than a minute and a half a moment might be past before it is in force.
    lead = timedelta(seconds=90)
    propagation = timedelta(seconds=60)
    # It fires within its minute, and its event then takes seconds to arrive: half a minute is a late one.
    delivery = timedelta(seconds=30)

    noun: str  # what it is in a message
    service: str  # its client's name in botocore
    busy: str  # the code of the answer that somebody else is changing it, and that nothing was written

    def __init__(
        self, account: Account, settings: TimerSettings, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._account = account
        self._settings = settings
        self._sleep = sleep
        self._found: dict[str, Any] | None = None

    def armed(self) -> datetime | None:
        """Return the minute at which it wakes the worker next, or did last.

        None when it is disabled, and when it names no single minute of UTC as slowsched writes it, be it that
        it was never set or that somebody edited it: no wake can be counted on, and arming puts it right.

        Raises:
            TimerError: it does not exist, or AWS did not answer.
        """
        answer = self._existing("read")
        return self._set_to(answer) if _is_enabled(answer) else None

    def inspect(self) -> TimerState:
        """Return all that can be told of it; that it does not exist is a state, and no error.

        Raises:
            TimerError: AWS did not answer.
        """
        answer = self._described("read")
        if answer is None:
            return TimerState(kind=self._settings.kind, name=self._settings.name, exists=False)
        return TimerState(
            kind=self._settings.kind,
            name=self._settings.name,
            exists=True,
            arn=answer["Arn"],
            enabled=_is_enabled(answer),
            expression=answer.get("ScheduleExpression"),
            moment=self._set_to(answer),
            description=answer.get("Description"),
            targets=tuple(_target(each) for each in self._targets(answer)),
        )

    @abstractmethod
    def _describe(self, client: Any) -> dict[str, Any]:
        """Return what AWS says of it."""

    @abstractmethod
    def _targets(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        """Return its targets as AWS writes them."""

    @abstractmethod
    def _moment(self, answer: dict[str, Any]) -> datetime | None:
        """Return the minute that an answer names, None when it is none that slowsched would write."""

    @abstractmethod
    def _put(self, client: Any, moment: datetime, found: dict[str, Any]) -> None:
        """Set it by one call; `found` is what it was before the first write."""

    def _write(self, moment: datetime) -> None:
        doing = f"arm {self._named()} for {rfc3339(moment)}"
        if not DUE_MIN <= moment <= DUE_MAX:
            raise TimerError(f"cannot {doing}", hint="EventBridge knows the years 1970 to 2199 only")
        if self._found is None:
            self._found = self._existing("arm")
        with aws_errors(TimerError, doing):
            client = self._account.client(self.service)
            busy = client.exceptions.from_code(self.busy)
            for rest in RESTS:
                try:
                    self._put(client, moment, self._found)
                except busy:
                    self._sleep(rest)
                else:
                    return
            self._put(client, moment, self._found)

    def _set_to(self, answer: dict[str, Any]) -> datetime | None:
        moment = self._moment(answer)
        return None if moment == NEVER else moment

    def _existing(self, verb: str) -> dict[str, Any]:
        answer = self._described(verb)
        if answer is None:
            raise TimerError(
                f"cannot {verb} {self._named()}: it does not exist",
                hint="look at region and timer of this environment in slowsched.yaml; terraform/ makes what is missing",
            )
        return answer

    def _described(self, verb: str) -> dict[str, Any] | None:
        with aws_errors(TimerError, f"{verb} {self._named()}"):
            client = self._account.client(self.service)
            try:
                return self._describe(client)
            except client.exceptions.ResourceNotFoundException:
                return None

    def _named(self) -> str:
        return f"the {self.noun} {self._settings.name!r}"


def cron_text(moment: datetime) -> str:
    """Write the cron expression of a minute in UTC, from integers only."""
    return f"cron({moment.minute:d} {moment.hour:d} {moment.day:d} {moment.month:d} ? {moment.year:04d})"


def at_text(moment: datetime) -> str:
    """Write the `at` expression of a minute in UTC, from integers only."""
    day = f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}"
    return f"at({day}T{moment.hour:02d}:{moment.minute:02d}:00)"


def read_cron(text: str) -> datetime | None:
    """Return the minute for which `cron_text` writes exactly this text, None for any other."""
    match = _CRON.fullmatch(text)
    if match is None:
        return None
    minute, hour, day, month, year = map(int, match.groups())
    return _minute(text, cron_text, year, month, day, hour, minute)


def read_at(text: str) -> datetime | None:
    """Return the minute for which `at_text` writes exactly this text, None for any other."""
    match = _AT.fullmatch(text)
    return None if match is None else _minute(text, at_text, *map(int, match.groups()))


def _minute(text: str, write: Callable[[datetime], str], *numbers: int) -> datetime | None:
    year, month, day, hour, minute = numbers
    try:
        moment = datetime(year, month, day, hour, minute, tzinfo=UTC)
    except ValueError:  # the 30th of February
        return None
    return moment if text == write(moment) else None


def _is_enabled(answer: dict[str, Any]) -> bool:
    # A rule may also be enabled for the management events of CloudTrail.
    return str(answer.get("State", "")).startswith("ENABLED")


def _target(target: dict[str, Any]) -> TimerTarget:
    retry = target.get("RetryPolicy", {})
    return TimerTarget(
        arn=target["Arn"],
        input=target.get("Input"),
        role_arn=target.get("RoleArn"),
        dead_letter_arn=target.get("DeadLetterConfig", {}).get("Arn"),
        retry_attempts=retry.get("MaximumRetryAttempts"),
        event_age_seconds=retry.get("MaximumEventAgeInSeconds"),
    )
