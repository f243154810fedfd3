"""How the mends reach into MiniStack: its modules, what takes the place of a function, and every name that is used.

The version is pinned, because the names are private; one that is gone stops the start with a message.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Handler = Callable[..., Any]

VERSION = "1.5.33"

# Every name that the mends reach for, by module.
KNOWN: dict[str, tuple[str, ...]] = {
    "core.arn": ("parse_arn",),
    "core.iam_actions": ("access_denied_response", "extract_resource_arn", "identity_denial_message"),
    "core.iam_evaluator": ("EvalContext", "_gather_role_policies", "enforce", "evaluate", "evaluate_resource_policy"),
    "core.lambda_runtime": ("_detect_runtime_binary",),
    "core.responses": ("get_account_id", "get_region"),
    "core.router": ("extract_access_key_id",),
    "services.cloudwatch": ("_alarms", "_describe_alarms"),
    "services.eventbridge": (
        *("_SCHEDULER_TICK_INTERVAL", "_delete_rule", "_dispatch_to_lambda", "_dispatch_to_sqs", "_enable_rule"),
        *("_invoke_target", "_now_ts", "_pattern_event_view", "_put_rule", "_rule_key", "_rule_last_fired", "_rules"),
        "_tick_scheduled_rules",
    ),
    "services.iam": ("_roles",),
    "services.lambda_svc": (
        *("_execution_record_for_config", "_functions", "_get_func_record_for_ref", "_route_async_failure"),
        "invoke_async_with_retry",
    ),
    "services.scheduler": (
        *("_SCHEDULE_TICK_INTERVAL", "_at_time_epoch", "_create_schedule", "_error", "_schedule_last_fired"),
        *("_tick_schedules", "_update_schedule", "handle_request"),
    ),
    "services.sqs": ("_queue_by_arn",),
}


class MendError(Exception):
    """MiniStack is not as these mends know it."""


def module(name: str) -> ModuleType:
    """Return a module of MiniStack."""
    return importlib.import_module(f"ministack.{name}")


def replace(place: ModuleType, name: str, make: Callable[[Any], Any]) -> None:
    """Put in the place of something what is made of it."""
    setattr(place, name, make(getattr(place, name)))


def wrapped(place: ModuleType, name: str) -> Callable[[Handler], Handler]:
    """Return a decorator: the function under it takes the place of another, which is its first argument."""

    def put(wrapper: Handler) -> Handler:
        replace(place, name, lambda inner: functools.wraps(inner)(functools.partial(wrapper, inner)))
        return wrapper

    return put


def events_module() -> ModuleType:
    """Return the module of EventBridge."""
    return module("services.eventbridge")


def scheduler_module() -> ModuleType:
    """Return the module of EventBridge Scheduler."""
    return module("services.scheduler")


def check_names() -> None:
    """Refuse a MiniStack that lacks a name that is reached for.

    Raises:
        MendError: With the names, and what to do.
    """
    gone = [f"{place}.{name}" for place, names in KNOWN.items() for name in names if not hasattr(module(place), name)]
    if gone:
        raise MendError(
            f"MiniStack has no {', '.join(gone)}: tests/emulators/inside_ministack knows {VERSION}; install "
            "that with make emulators, or look how the new version does it and mend the mends"
        )
