"""Plays a minute of MiniStack's clock in no time: prints when a rule or a schedule fires, as JSON.

Run by the Python of `.emulators/`: `probe.py SCENARIO [MEND LEFT OUT...]`. The clock is a value, moved by half a tick;
what fires is noted and goes nowhere.
"""

# ruff: noqa: SLF001 - it takes the place of MiniStack's clock and targets
from __future__ import annotations

import importlib
import json
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from mends import mend
from reach import KNOWN, MendError

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:worker"


class Played:
    """MiniStack's rules and schedules on a clock of ours."""

    def __init__(self) -> None:
        self.events = cast("Any", importlib.import_module("ministack.services.eventbridge"))
        self.schedules = cast("Any", importlib.import_module("ministack.services.scheduler"))
        self.now = NOON
        self.fired: list[str] = []
        self.events._ensure_default_bus()
        self.events._now_ts = self.clock
        self.schedules.time = SimpleNamespace(time=self.clock)
        self.events._invoke_target = lambda *_: self.fired.append(f"{self.now:%H:%M}")

    def clock(self) -> float:
        """Return the moment that it is."""
        return self.now.timestamp()

    def rule(self, expression: str) -> None:
        """Put the rule."""
        self.events._put_rule({"Name": "wake", "ScheduleExpression": expression})
        self.events._put_targets({"Rule": "wake", "Targets": [{"Id": "1", "Arn": FUNCTION}]})

    def schedule(self, expression: str) -> None:
        """Create the schedule, or update it."""
        body = {"ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}}
        body |= {"Target": {"Arn": FUNCTION, "RoleArn": "arn:aws:iam::000000000000:role/scheduler"}}
        known = "default/wake" in self.schedules._schedules
        write = self.schedules._update_schedule if known else self.schedules._create_schedule
        write("wake", body)

    def until(self, seconds: float) -> None:
        """Let the clock run to so many seconds after noon, and look at it whenever MiniStack would."""
        tick = timedelta(seconds=self.events._SCHEDULER_TICK_INTERVAL)
        while self.now < NOON + timedelta(seconds=seconds):
            self.now += tick
            self.events._tick_scheduled_rules()
            self.schedules._tick_schedules()


def new_rule_just_before_its_minute(play: Played) -> None:
    """A rule is made two seconds before the minute that it is for."""
    play.now = NOON - timedelta(seconds=2)
    play.rule("cron(0 12 1 1 ? 2030)")
    play.until(120)


def rule_put_to_a_passed_minute(play: Played) -> None:
    """A rule that waits for one o'clock is put back to noon, when it is half a minute past noon."""
    play.now = NOON - timedelta(minutes=5)
    play.rule("cron(0 13 1 1 ? 2030)")
    play.until(30)
    play.rule("cron(0 12 1 1 ? 2030)")
    play.until(120)


def rule_put_between_its_minute_and_the_look(play: Played) -> None:
    """A rule is put to one o'clock a moment after its minute has come, before anybody has looked at the clock."""
    play.now = NOON - timedelta(minutes=5)
    play.rule("cron(0 12 1 1 ? 2030)")
    play.until(-1)
    play.now = NOON + timedelta(milliseconds=100)
    play.rule("cron(0 13 1 1 ? 2030)")
    play.until(120)


def rule_armed_three_times(play: Played) -> None:
    """A rule is put to a minute, fires, and is put to the next one; three times."""
    for minute in (1, 2, 3):
        play.rule(f"cron({minute} 12 1 1 ? 2030)")
        play.until(60 * minute + 30)


def schedule_set_again(play: Played) -> None:
    """A one-time schedule fires, and is set to a later moment."""
    play.schedule("at(2030-01-01T12:01:00)")
    play.until(90)
    play.schedule("at(2030-01-01T12:03:00)")
    play.until(240)


def schedule_set_to_a_passed_moment(play: Played) -> None:
    """A one-time schedule is set to a moment that has passed."""
    play.schedule("at(2030-01-01T13:00:00)")
    play.until(30)
    play.schedule("at(2030-01-01T12:00:00)")
    play.until(120)


def name_that_is_gone(_play: Played) -> None:
    """A newer MiniStack has renamed what a mend reaches for."""
    KNOWN["services.sqs"] += ("_queue_by_name",)
    mend()


SCENARIOS: dict[str, Callable[[Played], None]] = {
    scenario.__name__: scenario
    for scenario in (
        *(new_rule_just_before_its_minute, rule_put_to_a_passed_minute, rule_put_between_its_minute_and_the_look),
        *(rule_armed_three_times, schedule_set_again, schedule_set_to_a_passed_moment, name_that_is_gone),
    )
}


def main() -> int:
    """Play the scenario of the arguments."""
    scenario, *left_out = sys.argv[1:]
    try:
        mend(without=left_out)
        play = Played()
        SCENARIOS[scenario](play)
    except MendError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(play.fired))
    return 0


if __name__ == "__main__":
    sys.exit(main())
