"""Timers that really fire: on MiniStack, with functions that write down when they were started.

All timers share one wait of about two minutes, in real time: there is no other on an emulator.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from emulators.fixtures import client, unique_name
from on_aws import account_on, make_rule, make_schedule

from slowsched.timer.rule import RuleTimer
from slowsched.timer.schedule import ScheduleTimer
from slowsched.timer.settings import TimerSettings
from slowsched.timing import ceil_minute

FUNCTION = """
import boto3, os, time
def handler(event, context):
    item = {"timer": {"S": os.environ["TIMER"]}, "started": {"N": str(time.time())}, "source": {"S": event["source"]}}
    boto3.client("dynamodb").put_item(TableName=os.environ["TABLE"], Item=item)
"""
HEAD_START = timedelta(seconds=10)  # for the timers to be set before their first minute, on a busy machine
PATIENCE_SECONDS = 45  # after the last minute
MINUTE = timedelta(minutes=1)
KINDS = {"rule": (RuleTimer, "aws.events"), "schedule": (ScheduleTimer, "slowsched.schedule")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A timer whose target is a function of its own."""

    timer: RuleTimer | ScheduleTimer
    source: str


class Stage:
    """A table, and what makes timers whose functions write into it."""

    def __init__(self, endpoint, account):
        self._account = account
        self._clients = {name: client(name, endpoint) for name in ("dynamodb", "lambda", "iam", "events", "scheduler")}
        self._table = unique_name("started")
        self._made = {}
        key = {"timer": "S", "started": "N"}
        self._clients["dynamodb"].create_table(
            TableName=self._table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in key.items()],
            KeySchema=[{"AttributeName": "timer", "KeyType": "HASH"}, {"AttributeName": "started", "KeyType": "RANGE"}],
        )
        self._role = self._make_role()

    def _make_role(self):
        principal = {"Service": ["lambda.amazonaws.com", "scheduler.amazonaws.com"]}
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        grant = {"Effect": "Allow", "Action": ["lambda:InvokeFunction", "dynamodb:PutItem"], "Resource": "*"}
        name, iam = unique_name("role"), self._clients["iam"]
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=_policy(grant))
        return arn

    def timer(self, kind, name):
        """Return the timer of this name, made with its function when it is first asked for."""
        key = f"{kind} {name}"
        if key not in self._made:
            settings = TimerSettings(
                kind=kind,
                name=unique_name("wake"),
                target_arn=self._make_function(key),
                role_arn=self._role,
            )
            getattr(self, f"_make_{kind}")(settings)
            adapter, source = KINDS[kind]
            self._made[key] = Made(timer=adapter(self._account, settings), source=source)
        return self._made[key].timer

    def _make_function(self, key):
        arn = self._clients["lambda"].create_function(
            FunctionName=unique_name("started"),
            Runtime="python3.13",
            Role=self._role,
            Handler="function.handler",
            Code={"ZipFile": _zip()},
            Timeout=60,
            Environment={"Variables": {"TIMER": key, "TABLE": self._table}},
        )["FunctionArn"]
        return str(arn)

    def _make_rule(self, settings):
        events = self._clients["events"]
        make_rule(events, settings.name)
        events.put_targets(Rule=settings.name, Targets=[{"Id": "worker", "Arn": settings.target_arn}])
        self._clients["lambda"].add_permission(
            FunctionName=settings.target_arn,
            StatementId="wake",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=events.describe_rule(Name=settings.name)["Arn"],
        )

    def _make_schedule(self, settings):
        make_schedule(self._clients["scheduler"], settings)

    def started(self):
        """Return the minutes at which each timer has started its function, as far as it was told who does."""
        found = {key: [] for key in self._made}
        for item in self._clients["dynamodb"].scan(TableName=self._table, ConsistentRead=True)["Items"]:
            key = item["timer"]["S"]
            moment = datetime.fromtimestamp(float(item["started"]["N"]), UTC)
            if item["source"]["S"] == self._made[key].source:
                found[key].append(moment.replace(second=0, microsecond=0))
        return {key: sorted(minutes) for key, minutes in found.items()}


def _policy(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _zip():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("function.py", FUNCTION)
    return data.getvalue()


def _wait(until, seconds):
    """Wait until something is so, or so many seconds are over."""
    deadline = time.monotonic() + seconds
    while not until() and time.monotonic() < deadline:
        time.sleep(0.5)


@pytest.fixture
def stage(ministack_endpoint, monkeypatch):
    """Return a stage on MiniStack."""
    return Stage(ministack_endpoint, account_on(ministack_endpoint, monkeypatch))


def test_timers_fire_at_the_minute_that_they_were_set_to_last(stage):
    """Armed, and armed again after it fired: twice. Armed again before it fired: once, later. For the past: never."""
    names = [(kind, name) for kind in KINDS for name in ("again", "put off", "past")]
    for kind, name in names:
        stage.timer(kind, name)
    first = ceil_minute(datetime.now(UTC) + HEAD_START)
    second = first + MINUTE
    for kind in KINDS:
        stage.timer(kind, "again").arm(first)
        stage.timer(kind, "put off").arm(first)
        stage.timer(kind, "put off").arm(second)
        stage.timer(kind, "past").arm(first - 3 * MINUTE)

    def fired(minute):
        return all(minute in stage.started()[f"{kind} again"] for kind in KINDS)

    _wait(lambda: fired(first), (first - datetime.now(UTC)).total_seconds() + PATIENCE_SECONDS)
    for kind in KINDS:
        stage.timer(kind, "again").arm(second)
    expected = {"again": [first, second], "put off": [second], "past": []}
    everything = {f"{kind} {name}": expected[name] for kind, name in names}
    _wait(lambda: stage.started() == everything, (second - datetime.now(UTC)).total_seconds() + PATIENCE_SECONDS)
    assert stage.started() == everything
