"""The timer on EventBridge, as a rule or a schedule: minutes in UTC, in force after a while, the last writer wins.

A write is in force up to a minute after it was answered, never before an earlier one. A minute fires when what is in
force at its begin names it, once, and its event is delivered some seconds later.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from simulation.faults import Fault
from simulation.network import NotFoundError, refused
from slowsched.timer.eventbridge import DESCRIPTION, EventBridgeTimer, read_at, read_cron

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from simulation.hub import Process
    from simulation.network import Wire
    from simulation.world import World

PROPAGATION = EventBridgeTimer.propagation.total_seconds()
DELIVERY = EventBridgeTimer.delivery.total_seconds()
STALE_SHARE = 0.8  # of answers while a write is on its way
AT_ONCE_SHARE = 0.3  # of writes that are in force within a second
GAP_SHARE = 0.5  # of writes that take the one before out of force earlier than they come into it
AGAIN_SECONDS = 120.0
LATE_SECONDS = 600.0
TARGET = {
    "Arn": "arn:worker",
    "RoleArn": "arn:role",
    "DeadLetterConfig": {"Arn": "arn:dead"},
    "RetryPolicy": {"MaximumRetryAttempts": 185},
}
NEVER = {"rule": "cron(0 0 1 1 ? 2199)", "schedule": "at(2199-01-01T00:00:00)"}
CONSTANT = {
    "rule": {"Name": "wake", "State": "ENABLED", "Description": DESCRIPTION},
    "schedule": {
        "Name": "wake",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Description": DESCRIPTION,
        "ActionAfterCompletion": "NONE",
        "Target": {**TARGET, "Input": '{"source":"slowsched.schedule"}'},
    },
}


class Alarm:
    """The one timer of the table. `kind` is how it is kept: `rule` or `schedule`."""

    def __init__(self, world: World, kind: str, wake: Callable[[str], object]) -> None:
        self._world = world
        self.kind = kind
        self._wake = wake
        self._read = read_cron if kind == "rule" else read_at
        first = {**CONSTANT[kind], "ScheduleExpression": NEVER[kind]}
        self._written: dict[str, Any] | None = first
        self._in_force: list[tuple[datetime, float, dict[str, Any] | None]] = [(world.hub.now, 0, first)]
        self._fired: datetime | None = None
        self._has_target = True
        self.last_writer = ""
        self.writes = 0

    def describe(self) -> dict[str, Any] | None:
        """Return what was written last."""
        return self._written

    def described(self, draw: float) -> dict[str, Any] | None:
        """Return what AWS says of it: what was written last, or what is still in force before that."""
        if draw < STALE_SHARE and self._written is not None and not self.settled():
            return self._in_force_at(self._world.hub.now) or self._written
        return self._written

    def wanted(self) -> datetime | None:
        """Return the minute that was written last, None when it would not fire."""
        return self._minute_of(self._written)

    def minute(self) -> datetime | None:
        """Return the minute that is in force, None when nothing would fire."""
        return self._minute_of(self._in_force_at(self._world.hub.now))

    def works(self) -> bool:
        """Say whether it is there, enabled, and starts the function."""
        return self._written is not None and self._written["State"] == "ENABLED" and self._has_target

    def settled(self) -> bool:
        """Say whether all that was written is in force."""
        return all(since <= self._world.hub.now for since, _, _ in self._in_force)

    def write(self, wanted: dict[str, Any] | None, writer: str = "", *, by_hand: bool = False) -> None:
        """Set it; None: delete it. What deletes it takes its target away, which no writing of slowsched brings back."""
        world, chance = self._world, self._world.chance
        self._written = wanted
        self.writes += 1
        self.last_writer = writer
        if by_hand:
            self._has_target = wanted is not None
        at_once = chance.random() < AT_ONCE_SHARE
        since = world.hub.now + timedelta(seconds=chance.uniform(0.0, 1.0 if at_once else PROPAGATION))
        if not world.faults.of_event(Fault.TIMER_OUT_OF_ORDER, None, chance.random(), f"order {self.writes}"):
            since = max([since, *(each for each, _, _ in self._in_force[-1:])])
        gap, before = chance.random(), chance.random()
        if gap < GAP_SHARE:
            self._in_force.append((world.hub.now + (since - world.hub.now) * before, self.writes, None))
        self._enforce(since, wanted)
        again, seconds = chance.random(), chance.uniform(1.0, AGAIN_SECONDS)
        if not by_hand and world.faults.of_event(Fault.TIMER_AGAIN, None, again, f"again {self.writes}"):
            later = world.hub.now + timedelta(seconds=seconds)
            world.faults.lasts(later)
            world.hub.at(later, partial(self._again, wanted))

    def _again(self, wanted: dict[str, Any] | None) -> None:
        if self._written is None:
            return
        self._world.tell("timer", f"a write comes a second time: {_told(wanted)}")
        self._written = wanted
        self._enforce(self._world.hub.now, wanted)

    def _enforce(self, since: datetime, wanted: dict[str, Any] | None) -> None:
        self._in_force.append((since, self.writes + 0.5, wanted))
        del self._in_force[:-50]
        minute = self._minute_of(wanted)
        if minute is None:
            return
        self._world.hub.at(minute, partial(self._tick, minute))
        chance = self._world.chance
        early, seconds = chance.random(), chance.uniform(1.0, 90.0)
        if self._world.faults.of_event(Fault.FIRE_EARLY, None, early, f"early {self.writes}"):
            self._world.hub.at(minute - timedelta(seconds=seconds), partial(self._wake, "early"))

    def _tick(self, minute: datetime) -> None:
        """A minute begins."""
        world, chance = self._world, self._world.chance
        if world.hub.now != minute or self._fired == minute or self.minute() != minute:
            return
        self._fired = minute
        mark = f"fire {minute:%d %H:%M}"
        lost, late, twice = chance.random(), chance.random(), chance.random()
        seconds, more, second = chance.uniform(0, DELIVERY), chance.uniform(1, LATE_SECONDS), chance.uniform(0, 120.0)
        if world.faults.of_event(Fault.FIRE_LOST, None, lost, f"lost {mark}"):
            world.tell("timer", f"{minute:%H:%M} fires, and its event is lost")
            return
        if world.faults.of_event(Fault.FIRE_LATE, None, late, f"late {mark}"):
            seconds += more
            world.faults.lasts(world.hub.now + timedelta(seconds=seconds))
        world.hub.later(seconds, partial(self._wake, f"{minute:%H:%M}"))
        if world.faults.of_event(Fault.FIRE_TWICE, None, twice, f"twice {mark}"):
            world.hub.later(seconds + second, partial(self._wake, f"{minute:%H:%M} again"))

    def _in_force_at(self, moment: datetime) -> dict[str, Any] | None:
        found = [each for each in self._in_force if each[0] <= moment]
        return max(found, key=lambda each: each[:2])[2] if found else None

    def _minute_of(self, state: dict[str, Any] | None) -> datetime | None:
        if state is None or state["State"] != "ENABLED" or not self._has_target:
            return None
        return self._read(state["ScheduleExpression"])


def _told(state: dict[str, Any] | None) -> str:
    return "deleted" if state is None else f"{state['ScheduleExpression']} {state['State']}"


class _BusyError(Exception):
    """Somebody else changes it at this moment; the wire's faults stand for that."""


class Client:
    """The client of one process, of the service that keeps the timer."""

    exceptions = SimpleNamespace(ResourceNotFoundException=NotFoundError, from_code=lambda _code: _BusyError)

    def __init__(self, alarm: Alarm, wire: Wire, world: World, process: Process) -> None:
        self._alarm = alarm
        self._wire = wire
        self._world = world
        self._process = process

    def close(self) -> None:
        """Let go of nothing."""

    def describe_rule(self, *, Name: str) -> dict[str, Any]:  # noqa: N803
        return self._described("DescribeRule", Name)

    def get_schedule(self, *, Name: str) -> dict[str, Any]:  # noqa: N803
        return self._described("GetSchedule", Name)

    def put_rule(self, **wanted: Any) -> dict[str, Any]:
        return self._put("PutRule", "rule", wanted)

    def update_schedule(self, **wanted: Any) -> dict[str, Any]:
        return self._put("UpdateSchedule", "schedule", wanted)

    def _described(self, operation: str, name: str) -> dict[str, Any]:
        def read() -> dict[str, Any]:
            found = self._alarm.described(self._process.chance.random())
            if found is None:
                raise NotFoundError(operation)
            return {"Arn": f"arn:{name}", **found}

        return self._wire.call("events", operation, read)

    def _put(self, operation: str, kind: str, wanted: dict[str, Any]) -> dict[str, Any]:
        self._world.checks.timer_written(kind, wanted, CONSTANT[kind])

        def write() -> dict[str, Any]:
            if kind == "schedule" and self._alarm.describe() is None:
                raise refused(operation, "ResourceNotFoundException")
            self._world.tell(self._process.name, f"timer -> {_told(wanted)}")
            self._alarm.write(wanted, self._process.name)
            return {}

        return self._wire.call("events", f"{operation} {wanted['ScheduleExpression']}", write, write=True)
