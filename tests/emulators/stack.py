"""slowsched's own Terraform with a zip of the function, applied to MiniStack by the real Terraform.

What provider 3.39.0 does not know is made by boto's calls, with the arguments of terraform/module/timer.tf: the group
and the schedule of EventBridge Scheduler. The control row and all the rest is Terraform's.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulators.fixtures import ACCOUNT, client
from emulators.terraform import Terraform, legacy_copy

if TYPE_CHECKING:
    from pathlib import Path

FAR = "at(2199-01-01T00:00:00)"
INPUT = '{"source":"slowsched.schedule"}'  # as Terraform's jsonencode writes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One deployment: everything is called `name`, or begins with it."""

    endpoint: str
    name: str
    kind: str
    terraform: Terraform

    @property
    def variables(self) -> dict[str, str]:
        """The variables of terraform/example that it was made with; who may be a role is the account itself."""
        anybody = json.dumps([f"arn:aws:iam::{ACCOUNT}:root"])
        return {
            "name": self.name,
            "timer_kind": self.kind,
            "function_package": "../function.zip",
            "plan_principal_arns": anybody,
            "apply_principal_arns": anybody,
        }

    def changes(self) -> str:
        """Return what another `terraform apply` would change, or nothing."""
        return self.terraform.changes(**self.variables)

    def client(self, service: str) -> Any:
        """Return a client with all rights."""
        return client(service, self.endpoint)

    def credentials(self, role: str) -> dict[str, str]:
        """Return the variables of a process that has taken on the role `plan` or `apply`."""
        answer = self.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{self.name}-{role}", RoleSessionName=role
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": answer["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": answer["SecretAccessKey"],
            "AWS_SESSION_TOKEN": answer["SessionToken"],
        }

    def timer_expression(self) -> str:
        """Return what the timer is set to."""
        if self.kind == "rule":
            return str(self.client("events").describe_rule(Name=f"{self.name}-wake")["ScheduleExpression"])
        return str(
            self.client("scheduler").get_schedule(GroupName=self.name, Name=f"{self.name}-wake")["ScheduleExpression"]
        )

    def catalogue(self) -> dict[str, Any]:
        """Return the items of the sample catalogue, by key, as DynamoDB writes them."""
        items = self.client("dynamodb").scan(TableName=f"{self.name}-catalogue")["Items"]
        return {item.pop("pk")["S"]: item for item in items}


def deploy(folder: Path, endpoint: str, package: Path, *, name: str, kind: str) -> Stack:
    """Apply terraform/example with a zip of the function, and return what was made.

    Args:
        folder: An empty place for the copy of terraform/, with its state.
        endpoint: MiniStack's address.
        package: The zip.
        name: What everything is called.
        kind: `rule` or `schedule`.
    """
    terraform = Terraform(folder=legacy_copy(folder / name, endpoint))
    shutil.copyfile(package, folder / name / "function.zip")
    stack = Stack(endpoint=endpoint, name=name, kind=kind, terraform=terraform)
    terraform.init()
    terraform.apply(**stack.variables)
    if kind == "schedule":
        _make_schedule(stack)
    return stack


def _make_schedule(stack: Stack) -> None:
    scheduler = stack.client("scheduler")
    scheduler.create_schedule_group(Name=stack.name)
    function = stack.client("lambda").get_function_configuration(FunctionName=f"{stack.name}-worker")
    scheduler.create_schedule(
        Name=f"{stack.name}-wake",
        GroupName=stack.name,
        Description="slowsched: the next moment anything is due",
        ScheduleExpression=FAR,
        ScheduleExpressionTimezone="UTC",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": function["FunctionArn"],
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{stack.name}-scheduler",
            "Input": INPUT,
            "RetryPolicy": {"MaximumEventAgeInSeconds": 900, "MaximumRetryAttempts": 185},
            "DeadLetterConfig": {"Arn": queue_arn(stack, "undelivered")},
        },
    )


def queue_arn(stack: Stack, which: str) -> str:
    """Return the ARN of a queue of dead letters, `undelivered` or `failed`."""
    queues = stack.client("sqs")
    url = queues.get_queue_url(QueueName=f"{stack.name}-{which}")["QueueUrl"]
    return str(queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
