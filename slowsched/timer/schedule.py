"""A timer in a one-time schedule of EventBridge Scheduler.

`UpdateSchedule` replaces the whole schedule: what is left out falls back to AWS's default. What slowsched decides
(expression, zone, window, state, what is started with which role and input) is sent every time, always the same. What
the infrastructure decides (where failures go, how often AWS tries again, the key that it is encrypted with) is read
once, before the first write, and sent back: it stays a matter of Terraform, and needs no setting here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slowsched.timer.eventbridge import DESCRIPTION, EventBridgeTimer, at_text, read_at

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["SCHEDULE_INPUT", "ScheduleTimer"]

# What the function is told: to the byte what Terraform's `jsonencode` writes, which would else set it anew.
SCHEDULE_INPUT = '{"source":"slowsched.schedule"}'

_WINDOW = {"Mode": "OFF"}
_KEPT_OF_SCHEDULE = ("KmsKeyArn",)
_KEPT_OF_TARGET = ("DeadLetterConfig", "RetryPolicy")


class ScheduleTimer(EventBridgeTimer):
    """A timer in the schedule that the settings name, which starts their target with their role."""

    noun = "schedule"
    service = "scheduler"
    busy = "ConflictException"

    def _describe(self, client: Any) -> dict[str, Any]:
        answer: dict[str, Any] = client.get_schedule(**self._key())
        return answer

    def _targets(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        return [answer["Target"]]

    def _moment(self, answer: dict[str, Any]) -> datetime | None:
        if answer.get("ScheduleExpressionTimezone", "UTC") != "UTC" or answer.get("FlexibleTimeWindow") != _WINDOW:
            return None
        return read_at(answer["ScheduleExpression"])

    def _put(self, client: Any, moment: datetime, found: dict[str, Any]) -> None:
        target = found["Target"]
        client.update_schedule(
            **self._key(),
            **{key: found[key] for key in _KEPT_OF_SCHEDULE if key in found},
            ScheduleExpression=at_text(moment),
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow=_WINDOW,
            State="ENABLED",
            Description=DESCRIPTION,
            ActionAfterCompletion="NONE",
            Target={
                "Arn": self._settings.target_arn or target["Arn"],
                "RoleArn": self._settings.role_arn or target["RoleArn"],
                "Input": SCHEDULE_INPUT,
                **{key: target[key] for key in _KEPT_OF_TARGET if key in target},
            },
        )

    def _key(self) -> dict[str, str]:
        group = {} if self._settings.group is None else {"GroupName": self._settings.group}
        return {"Name": self._settings.name, **group}

    def _named(self) -> str:
        group = "" if self._settings.group is None else f" of the group {self._settings.group!r}"
        return f"{super()._named()}{group}"
