"""A deployment in the shape of terraform/, made by calls: table, timer, heartbeat, function, permissions, roles.

It stands where a test needs something to find fault with, and real Terraform would take half a minute.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulators.fixtures import ACCOUNT, REGION, client, unique_name
from on_aws import make_rule, make_schedule
from tables import make_table

from slowsched.timer.settings import TimerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Deployed", "deploy", "stand_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What was made, all of it under one name on one emulator."""

    endpoint: str
    name: str
    timer: TimerSettings

    @property
    def table(self) -> str:
        """The table."""
        return self.name

    @property
    def heartbeat(self) -> str:
        """The rule of the heartbeat."""
        return f"{self.name}-heartbeat"

    @property
    def function(self) -> str:
        """The function."""
        return f"{self.name}-worker"

    @property
    def function_arn(self) -> str:
        """The ARN of the function."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function}"

    @property
    def role(self) -> str:
        """The role that the schedule starts the function with."""
        return f"{self.name}-scheduler"

    @property
    def environment(self) -> dict[str, Any]:
        """The environment, as Terraform's output says it."""
        timer = {key: getattr(self.timer, key) for key in ("kind", "name", "group", "target_arn", "role_arn")}
        return {
            "backend": "aws",
            "region": REGION,
            "table": self.table,
            "timer": {key: value for key, value in timer.items() if value is not None},
            "expected_account": ACCOUNT,
        }

    def client(self, service: str) -> Any:
        """Return a client of the emulator."""
        return client(service, self.endpoint)


def stand_in() -> bytes:
    """Return the zip of a function that does nothing."""
    text = "def handler(event, context):\n    return None\n"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("worker/handler.py", text)
        archive.writestr("worker/__init__.py", "")
    return file.getvalue()


def deploy(
    endpoint: str, kind: str = "rule", *, package: bytes | None = None, variables: Mapping[str, str] | None = None
) -> Deployed:
    """Make a deployment of a name of its own, with a rule or a schedule as its timer.

    `package` is the zip of the function, a stand-in unless it is given; `variables` are more of its environment.
    """
    name = unique_name("shop")
    made = Deployed(endpoint=endpoint, name=name, timer=_settings(name, kind))
    _make_table(made)
    _make_function(made, package or stand_in(), variables or {})
    if kind == "rule":
        make_rule(made.client("events"), made.timer.name)
        _start_with(made, made.timer.name, None)
    else:
        _make_schedule(made)
    made.client("events").put_rule(Name=made.heartbeat, ScheduleExpression="rate(15 minutes)", State="ENABLED")
    _start_with(made, made.heartbeat, {"source": "slowsched.heartbeat"})
    return made


def _settings(name: str, kind: str) -> TimerSettings:
    if kind == "rule":
        return TimerSettings(kind=kind, name=f"{name}-wake")
    return TimerSettings(
        kind=kind,
        name=f"{name}-wake",
        group=name,
        target_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}-worker",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/{name}-scheduler",
    )


def _make_table(made: Deployed) -> None:
    dynamodb = made.client("dynamodb")
    make_table(dynamodb, made.table)
    dynamodb.update_table(TableName=made.table, DeletionProtectionEnabled=True)
    dynamodb.update_continuous_backups(
        TableName=made.table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


def _make_function(made: Deployed, package: bytes, variables: Mapping[str, str]) -> None:
    role = f"{made.name}-worker"
    _make_role(made, role, "lambda.amazonaws.com")
    own = {
        "SLOWSCHED_TABLE": made.table,
        "SLOWSCHED_TIMER_KIND": made.timer.kind,
        "SLOWSCHED_TIMER_NAME": made.timer.name,
        "SLOWSCHED_TIMER_GROUP": made.timer.group,
        "SLOWSCHED_TIMER_ROLE_ARN": made.timer.role_arn,
    }
    functions = made.client("lambda")
    functions.create_function(
        FunctionName=made.function,
        Runtime="python3.13",
        Handler="worker.handler.handler",
        Role=f"arn:aws:iam::{ACCOUNT}:role/{role}",
        Timeout=900,
        Code={"ZipFile": package},
        Environment={"Variables": {key: value for key, value in own.items() if value is not None} | {**variables}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=made.function, WaiterConfig={"Delay": 0.1})


def _make_role(made: Deployed, role: str, service: str) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=document)


def _start_with(made: Deployed, rule: str, event: dict[str, str] | None) -> None:
    """Let a rule start the function, with an input of its own or with the event itself."""
    events = made.client("events")
    given = {} if event is None else {"Input": json.dumps(event)}
    events.put_targets(Rule=rule, Targets=[{"Id": "worker", "Arn": made.function_arn, **given}])
    made.client("lambda").add_permission(
        FunctionName=made.function,
        StatementId=rule,
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=events.describe_rule(Name=rule)["Arn"],
    )


def _make_schedule(made: Deployed) -> None:
    _make_role(made, made.role, "scheduler.amazonaws.com")
    may = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": made.function_arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    made.client("iam").put_role_policy(RoleName=made.role, PolicyName="wake", PolicyDocument=document)
    scheduler = made.client("scheduler")
    scheduler.create_schedule_group(Name=made.timer.group)
    make_schedule(scheduler, made.timer)
