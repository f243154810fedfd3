"""The environment of a process that works on AWS, or on what stands for it, and what such a test makes there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from emulators.fixtures import ACCOUNT, REGION

from slowsched.aws import Account
from slowsched.timer.eventbridge import DESCRIPTION
from slowsched.timer.schedule import SCHEDULE_INPUT

if TYPE_CHECKING:
    import pytest

    from slowsched.timer.settings import TimerSettings

# What the two timers begin with before anybody sets them, as terraform/module has it.
FAR_CRON = "cron(0 0 1 1 ? 2199)"
FAR_AT = "at(2199-01-01T00:00:00)"


def variables(endpoint: str, **others: str) -> dict[str, str]:
    """Return the variables of a process whose AWS is an emulator; nothing of this machine's own configuration."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": ACCOUNT,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **others,
    }


def account_on(endpoint: str, monkeypatch: pytest.MonkeyPatch, **others: str) -> Account:
    """Return the account of an emulator, as the environment tells slowsched of it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in variables(endpoint, **others).items():
        monkeypatch.setenv(name, value)
    return Account()


def make_rule(events: Any, name: str) -> None:
    """Make a rule as Terraform does, without a target."""
    events.put_rule(Name=name, ScheduleExpression=FAR_CRON, State="ENABLED", Description=DESCRIPTION)


def make_schedule(
    scheduler: Any, settings: TimerSettings, *, target: dict[str, Any] | None = None, **others: Any
) -> None:
    """Make the schedule of the settings as Terraform does; `target` is what else its target has."""
    scheduler.create_schedule(
        Name=settings.name,
        GroupName=settings.group or "default",
        Description=DESCRIPTION,
        ScheduleExpression=FAR_AT,
        ScheduleExpressionTimezone="UTC",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": settings.target_arn, "RoleArn": settings.role_arn, "Input": SCHEDULE_INPUT, **(target or {})},
        **others,
    )
