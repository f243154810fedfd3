"""What doctor sees of an account on MiniStack, and what it makes of answers that are refused or do not come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from calls import answer_with, sent_by
from deployment import deploy
from emulators.fixtures import ACCOUNT
from on_aws import account_on

from slowsched.aws_backend import aws_backend
from slowsched.aws_inspection import Expected, Function, Pulse, Table, TableIndex, inspect
from slowsched.clock import system_clock
from slowsched.diagnosis import Unknown, Verdict
from slowsched.doctor import examine
from slowsched.worker_checks import HANDLER

SERVICES = ("dynamodb", "events", "scheduler", "lambda", "iam", "sts")

# What may be refused, by operation, and the checks that then cannot tell.
REFUSED = {
    ("dynamodb", "DescribeTable"): ["table"],
    ("dynamodb", "DescribeTimeToLive"): ["table-ttl"],
    ("dynamodb", "DescribeContinuousBackups"): ["table-recovery"],
    ("events", "ListTargetsByRule"): ["timer"],
    ("events", "ListRuleNamesByTarget"): ["heartbeat"],
    ("lambda", "GetFunctionConfiguration"): ["function"],
    ("lambda", "GetPolicy"): ["timer-permission", "heartbeat-permission"],
}


class Place:
    """An account on MiniStack with a deployment, and what doctor sees and says of it."""

    def __init__(self, endpoint, monkeypatch, kind="rule", clock=system_clock):
        self.made = deploy(endpoint, kind)
        self.account = account_on(endpoint, monkeypatch)
        self.backend = aws_backend(
            self.account,
            table=self.made.table,
            timer=self.made.timer,
            environment="production",
            owner="acme/shop/production",
            clock=clock,
        )
        self.expected = Expected(slowsched="1", table=self.made.table, timer=self.made.timer, account=ACCOUNT)

    def seen(self):
        return inspect(self.account, self.backend, self.expected)

    def wrong(self):
        """What doctor says is wrong, but that the worker has said nothing yet."""
        findings = examine(self.backend, seen=self.seen()).findings
        return [each for each in findings if each.severity is not Verdict.OK and each.code != "worker-version"]


@pytest.fixture(name="place")
def _place(ministack_endpoint, monkeypatch):
    return Place(ministack_endpoint, monkeypatch)


def test_what_is_seen(place):
    """Table, function and heartbeat as they were made."""
    seen = place.seen()
    found = seen.deployment
    assert (seen.account, seen.region, seen.skew, seen.can_read_rows) == (ACCOUNT, "eu-central-1", timedelta(0), True)
    assert found.table == Table(
        status="ACTIVE",
        keys=(("bucket", "N"), ("id", "S")),
        indexes={"agenda": TableIndex(keys=(("bucket", "N"), ("wake_at", "S")), projection="KEYS_ONLY")},
        on_demand=True,
        protected=True,
        expires_by="expires_at",
        recoverable=True,
    )
    assert found.function == Function(
        arn=place.made.function_arn,
        state="Active",
        reason="",
        update="Successful",
        update_reason="",
        handler=HANDLER,
        runtime="python3.13",
        timeout=timedelta(minutes=15),
        variables={
            "SLOWSCHED_TABLE": place.made.table,
            "SLOWSCHED_TIMER_KIND": "rule",
            "SLOWSCHED_TIMER_NAME": place.made.timer.name,
        },
    )
    (pulse,) = found.pulses
    assert pulse == Pulse(name=place.made.heartbeat, arn=pulse.arn, enabled=True, expression="rate(15 minutes)")
    assert (found.timer.exists, found.function_arn, found.role_may_invoke) == (True, place.made.function_arn, None)
    assert len(found.permissions) == 2


def test_nothing_is_written(place):
    """Every call only reads."""
    calls = [sent_by(place.account.client(service)) for service in SERVICES]
    place.seen()
    names = sorted({name for of_service in calls for name, _ in of_service})
    assert names == [
        *("DescribeContinuousBackups", "DescribeRule", "DescribeTable", "DescribeTimeToLive", "GetCallerIdentity"),
        *("GetFunctionConfiguration", "GetPolicy", "ListRuleNamesByTarget", "ListTargetsByRule"),
    ]


@pytest.mark.parametrize(("call", "codes"), REFUSED.items(), ids=[name for _, name in REFUSED])
def test_a_refused_permission_is_a_warning(place, call, codes):
    """The check cannot tell, and names what is not allowed; all others go on."""
    service, operation = call
    message = (
        f"User: arn:aws:iam::1:user/x is not authorized to perform: {service}:{operation} on resource: arn:x because"
    )
    answer_with(place.account.client(service), operation, [(400, "AccessDeniedException", message)])
    found = place.wrong()
    unless = {"ListTargetsByRule": f"cannot read the targets of the rule {place.made.timer.name!r}"}
    words = f"{unless.get(operation, 'cannot tell')}: these credentials may not {service}:{operation} on arn:x"
    assert [(each.code, each.severity, each.message) for each in found] == [
        (code, Verdict.WARNING, words) for code in codes
    ]
    assert {each.way_out for each in found} == {
        f"use the role that terraform/ makes for this, or let this one do {service}:{operation}"
    }


def test_rules_that_may_not_be_described_are_passed_over(place):
    """One of several rules of a function is the heartbeat; where none can be looked at nobody can tell."""
    place.made.client("events").put_rule(Name=f"{place.made.name}-another", ScheduleExpression="rate(1 day)")
    target = {"Id": "worker", "Arn": place.made.function_arn}
    place.made.client("events").put_targets(Rule=f"{place.made.name}-another", Targets=[target])
    denied = (400, "AccessDeniedException", "not authorized to perform: events:DescribeRule on resource: arn:x")
    seen = place.seen()
    assert [pulse.name for pulse in seen.deployment.pulses] == [f"{place.made.name}-another", place.made.heartbeat]
    # The first describes the timer.
    events = place.account.client("events")
    _answer_later(events, [denied])
    assert [pulse.name for pulse in place.seen().deployment.pulses] == [place.made.heartbeat]
    _answer_later(events, [denied, denied])
    assert isinstance(place.seen().deployment.pulses, Unknown)


def _answer_later(events, errors):
    """Refuse calls of DescribeRule from the second on."""
    state = {"calls": 0}

    def arm(**_):
        state["calls"] += 1
        if state["calls"] == 1:
            events.meta.events.unregister("after-call.eventbridge.DescribeRule", arm)
            answer_with(events, "DescribeRule", errors)

    events.meta.events.register("after-call.eventbridge.DescribeRule", arm)


def test_after_a_silence_nothing_more_is_asked(place):
    """Each try may take half a minute; what was not asked is unknown for the same reason."""
    lambdas = place.account.client("lambda")
    calls = sent_by(lambdas)
    answer_with(lambdas, "GetFunctionConfiguration", [(500, "ServiceException", "we are sorry")] * 4)
    found = place.seen().deployment
    assert [name for name, _ in calls] == ["GetFunctionConfiguration"]
    assert isinstance(found.function, Unknown)
    assert (found.permissions, found.pulses) == (found.function, found.function)
    assert found.function.refused is False


def test_a_silent_table_leaves_the_rows_unread(place):
    """Nothing of the rows is said where not even the table can be described."""
    answer_with(place.account.client("dynamodb"), "DescribeTable", [(500, "InternalServerError", "we are sorry")] * 4)
    codes = [each.code for each in place.wrong()]
    assert codes == ["table", "timer", "function"]


def test_an_answer_that_is_none_of_these_stops_nothing(place):
    """AWS has answered, and quickly: the others are asked."""
    answer_with(place.account.client("lambda"), "GetPolicy", [(400, "InvalidParameterValueException", "no")])
    assert [(each.code, each.severity) for each in place.wrong()] == [
        ("timer-permission", Verdict.ERROR),
        ("heartbeat-permission", Verdict.ERROR),
    ]


@pytest.mark.parametrize(("ahead", "severity"), [(60, Verdict.ERROR), (-60, Verdict.ERROR), (8, Verdict.WARNING)])
def test_a_clock_that_is_off(ministack_endpoint, monkeypatch, ahead, severity):
    """This machine's clock is held against the date of an answer."""
    place = Place(ministack_endpoint, monkeypatch, clock=lambda: system_clock() + timedelta(seconds=ahead))
    assert abs(place.seen().skew - timedelta(seconds=ahead)) < timedelta(seconds=2)
    assert [(each.code, each.severity) for each in place.wrong()] == [("clock", severity)]


def test_a_function_without_a_policy(place):
    """No policy is an answer: nobody may start it."""
    for rule in (place.made.timer.name, place.made.heartbeat):
        place.made.client("lambda").remove_permission(FunctionName=place.made.function, StatementId=rule)
    assert place.seen().deployment.permissions == ()


def test_a_local_backend_is_no_account(place):
    """A timer of another kind is a fault of the program, not of the account."""
    with pytest.raises(TypeError, match="is no timer of EventBridge"):
        inspect(place.account, _WithTimer(place.backend), place.expected)


class _WithTimer:
    """A backend whose timer is none of EventBridge."""

    def __init__(self, backend):
        self.timer, self.clock = object(), backend.clock
