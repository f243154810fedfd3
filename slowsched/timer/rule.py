"""A timer in a scheduled rule of EventBridge, on the default bus: the timer of the original, and the default.

`PutRule` makes a rule that is not there, and replaces one that is with what it is given: what is left out becomes
null. So state and description are sent every time, always the same. A role or an event pattern such a rule does not
have, and tags are Terraform's alone: `PutRule` takes none for a rule that exists. Its targets are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slowsched.aws import aws_errors
from slowsched.errors import TimerError
from slowsched.timer.eventbridge import DESCRIPTION, EventBridgeTimer, cron_text, read_cron

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["RuleTimer"]


class RuleTimer(EventBridgeTimer):
    """A timer in the rule that the settings name."""

    noun = "rule"
    service = "events"
    busy = "ConcurrentModificationException"

    def _describe(self, client: Any) -> dict[str, Any]:
        answer: dict[str, Any] = client.describe_rule(Name=self._settings.name)
        return answer

    def _targets(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        with aws_errors(TimerError, f"read the targets of {self._named()}"):
            # A rule has five targets at most unless a quota was raised; one answer holds a hundred.
            targets: list[dict[str, Any]] = self._account.client(self.service).list_targets_by_rule(
                Rule=answer["Name"]
            )["Targets"]
            return targets

    def _moment(self, answer: dict[str, Any]) -> datetime | None:
        return read_cron(answer.get("ScheduleExpression", ""))

    def _put(self, client: Any, moment: datetime, found: dict[str, Any]) -> None:  # noqa: ARG002 - that it is there is enough
        client.put_rule(
            Name=self._settings.name,
            ScheduleExpression=cron_text(moment),
            State="ENABLED",
            Description=DESCRIPTION,
        )
