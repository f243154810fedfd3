"""Mends of what fires when: rules of EventBridge, and schedules of EventBridge Scheduler."""

# ruff: noqa: SLF001 - private names are what there is to mend; reach.py lists them, and checks them first
from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from reach import events_module, replace, scheduler_module, wrapped

if TYPE_CHECKING:
    from reach import Handler

TICK_SECONDS = 0.5
DONE = 200  # HTTP's

# A look at the clock and a write of a rule do not overlap: a moment that has come fires before it is replaced.
CLOCK = threading.RLock()


def quick_clock() -> None:
    """Look at the clock twice a second, not every ten seconds."""
    for module, name in (
        (events_module(), "_SCHEDULER_TICK_INTERVAL"),
        (scheduler_module(), "_SCHEDULE_TICK_INTERVAL"),
    ):
        replace(module, name, lambda _seconds: TICK_SECONDS)


def rules_count_from_their_put() -> None:
    """Fire at the moments after a put, and never at one before it.

    A new rule counted from the first look at the clock, and lost a minute that came before that. A rule that was put to
    a minute that has passed fired at once. On AWS the first fires, and the second never does.
    """
    events = events_module()
    last_fired = events._rule_last_fired

    def from_now(data: dict[str, Any]) -> None:
        key = events._rule_key(data.get("Name"), data.get("EventBusName", "default"))
        rule = events._rules.get(key)
        if rule and rule["ScheduleExpression"].startswith("cron("):
            last_fired[(events.get_account_id(), events.get_region(), key)] = events._now_ts()

    for name in ("_put_rule", "_enable_rule"):

        @wrapped(events, name)
        def change(inner: Handler, data: dict[str, Any]) -> Any:
            with CLOCK:
                events._tick_scheduled_rules()
                answer = inner(data)
                from_now(data)
            return answer

    @wrapped(events, "_delete_rule")
    def delete(inner: Handler, data: dict[str, Any]) -> Any:
        with CLOCK:
            events._tick_scheduled_rules()
            key = events._rule_key(data.get("Name"), data.get("EventBusName", "default"))
            last_fired.pop((events.get_account_id(), events.get_region(), key), None)
            return inner(data)

    @wrapped(events, "_tick_scheduled_rules")
    def tick(inner: Handler) -> None:
        with CLOCK:
            inner()


def puts_replace_everything() -> None:
    """Reset what a put of a rule leaves out, and take no tags for a rule that is there."""
    events = events_module()

    @wrapped(events, "_put_rule")
    def put(inner: Handler, data: dict[str, Any]) -> Any:
        known = events._rule_key(data.get("Name"), data.get("EventBusName", "default")) in events._rules
        whole = {"State": "ENABLED", "Description": "", "RoleArn": "", **data}
        return inner({**whole, "Tags": []} if known else whole)


def schedules_can_be_set_again() -> None:
    """Fire a one-time schedule once for each time that it is set, and never at a moment that has passed.

    It fired once in its life, and at once where its moment had passed.
    """
    scheduler = scheduler_module()
    last_fired = scheduler._schedule_last_fired

    def from_now(name: str, body: dict[str, Any]) -> None:
        key = f"{body.get('GroupName', 'default')}/{name}"
        place = (scheduler.get_account_id(), scheduler.get_region(), key)
        moment = scheduler._at_time_epoch(body.get("ScheduleExpression", ""))
        last_fired.pop(place, None)
        if moment is not None and moment <= scheduler.time.time():
            last_fired[place] = scheduler.time.time()

    for function in ("_create_schedule", "_update_schedule"):

        @wrapped(scheduler, function)
        def change(inner: Handler, name: str, body: dict[str, Any]) -> Any:
            with CLOCK:
                scheduler._tick_schedules()
                answer = inner(name, body)
                if answer[0] == DONE:
                    from_now(name, body)
            return answer

    @wrapped(scheduler, "_tick_schedules")
    def tick(inner: Handler) -> None:
        with CLOCK:
            inner()
