"""What the timers of EventBridge send, what they read, and what they say when something is not as it should be.

Moto answers in this process; it fires nothing.
"""

from __future__ import annotations

import pytest
from calls import answer_with, sent_by
from emulators.fixtures import REGION
from moto import mock_aws
from on_aws import account_on, make_rule, make_schedule
from values import at

from slowsched.errors import TimerError, UsageError
from slowsched.timer.eventbridge import TimerState, TimerTarget
from slowsched.timer.rule import RuleTimer
from slowsched.timer.schedule import ScheduleTimer
from slowsched.timer.settings import TimerSettings

DESCRIPTION = "slowsched: the next moment anything is due"
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:shop-worker"
ROLE = "arn:aws:iam::123456789012:role/shop-scheduler"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:undelivered"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
RETRY = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 900}
RULE = TimerSettings(kind="rule", name="shop-wake")
SCHEDULE = TimerSettings(kind="schedule", name="shop-wake", group="shop", target_arn=FUNCTION, role_arn=ROLE)
NOON = at("2030-01-01T12:00:00Z")
LEAP = at("2028-02-29T23:05:00Z")
GONE = (404, "ResourceNotFoundException", "Rule shop-wake does not exist on EventBus default.")


@pytest.fixture
def account(monkeypatch):
    """Return an account in memory, with a rule and a schedule as Terraform makes them."""
    with mock_aws():
        account = account_on("", monkeypatch)
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        make_rule(account.client("events"), RULE.name)
        account.client("events").put_targets(
            Rule=RULE.name,
            Targets=[{"Id": "worker", "Arn": FUNCTION, "DeadLetterConfig": {"Arn": QUEUE}, "RetryPolicy": RETRY}],
        )
        account.client("scheduler").create_schedule_group(Name="shop")
        queue = {"DeadLetterConfig": {"Arn": QUEUE}, "RetryPolicy": RETRY}
        make_schedule(account.client("scheduler"), SCHEDULE, target=queue, KmsKeyArn=KEY)
        yield account


@pytest.fixture
def rule(account):
    """Return the timer in the rule, and a list of what it sends."""
    return RuleTimer(account, RULE), sent_by(account.client("events"))


@pytest.fixture
def schedule(account):
    """Return the timer in the schedule, and a list of what it sends."""
    return ScheduleTimer(account, SCHEDULE), sent_by(account.client("scheduler"))


def put_rule(expression):
    """Return the one call that sets the rule."""
    constant = {"Name": "shop-wake", "State": "ENABLED", "Description": DESCRIPTION}
    return "PutRule", {**constant, "ScheduleExpression": expression}


def update_schedule(expression, **changed):
    """Return the one call that sets the schedule."""
    target = {
        "Arn": FUNCTION,
        "RoleArn": ROLE,
        "Input": '{"source":"slowsched.schedule"}',
        "DeadLetterConfig": {"Arn": QUEUE},
        "RetryPolicy": RETRY,
    }
    return "UpdateSchedule", {
        "Name": "shop-wake",
        "GroupName": "shop",
        "KmsKeyArn": KEY,
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "ENABLED",
        "Description": DESCRIPTION,
        "ActionAfterCompletion": "NONE",
        "Target": {**target, **changed},
    }


# --- what is sent ----------------------------------------------------------------------------------


def test_a_rule_is_looked_at_once_and_then_set_with_everything_else_constant(rule):
    """Every put says state and description, the same each time, and never a tag or a bus."""
    timer, sent = rule
    timer.arm(NOON)
    timer.arm(LEAP)
    assert sent == [
        ("DescribeRule", {"Name": "shop-wake"}),
        put_rule("cron(0 12 1 1 ? 2030)"),
        put_rule("cron(5 23 29 2 ? 2028)"),
    ]


def test_a_schedule_is_read_once_and_then_replaced_with_everything_else_constant(schedule):
    """Every update says all that slowsched decides, and what the infrastructure had set on it."""
    timer, sent = schedule
    timer.arm(NOON)
    timer.arm(LEAP)
    assert sent == [
        ("GetSchedule", {"Name": "shop-wake", "GroupName": "shop"}),
        update_schedule("at(2030-01-01T12:00:00)"),
        update_schedule("at(2028-02-29T23:05:00)"),
    ]


def test_a_schedule_has_no_more_than_it_had(account):
    """Where Terraform set neither queue nor retries nor key, none is sent; without a group it is AWS's default."""
    settings = TimerSettings(kind="schedule", name="plain", target_arn=FUNCTION, role_arn=ROLE)
    make_schedule(account.client("scheduler"), settings)
    sent = sent_by(account.client("scheduler"))
    ScheduleTimer(account, settings).arm(NOON)
    name, expected = update_schedule("at(2030-01-01T12:00:00)")
    del expected["GroupName"], expected["KmsKeyArn"], expected["Target"]["DeadLetterConfig"]
    # Moto answers with AWS's own default, which then goes back as it came.
    expected["Target"]["RetryPolicy"] = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
    assert sent[1:] == [(name, expected | {"Name": "plain"})]


def test_a_target_edited_by_hand_is_put_right(account, schedule):
    """What the schedule starts, with which role and input, is what the settings say, whatever it was."""
    edited = {"Arn": f"{FUNCTION}-old", "RoleArn": f"{ROLE}-old", "Input": "{}", "RetryPolicy": RETRY}
    _, whole = update_schedule("at(2029-01-01T12:00:00)")
    account.client("scheduler").update_schedule(**{**whole, "Target": {**edited, "DeadLetterConfig": {"Arn": QUEUE}}})
    timer, sent = schedule
    sent.clear()
    timer.arm(NOON)
    assert sent[1:] == [update_schedule("at(2030-01-01T12:00:00)")]


@pytest.mark.parametrize("moment", ["1969-12-31T23:59:00Z", "2200-01-01T00:00:00Z"])
def test_a_year_that_eventbridge_does_not_know_is_refused_before_any_call(rule, schedule, moment):
    """Outside of 1970 to 2199 nothing is sent."""
    for timer, sent in (rule, schedule):
        with pytest.raises(TimerError, match="EventBridge knows the years 1970 to 2199"):
            timer.arm(at(moment))
        assert sent == []


# --- what is read ----------------------------------------------------------------------------------


def test_reading_costs_one_call(rule, schedule):
    """The minute is in the answer to one call, and no write."""
    for timer, sent in (rule, schedule):
        assert timer.armed() is None
        assert len(sent) == 1


@pytest.mark.parametrize("text", ["rate(15 minutes)", "cron(0 12 * * ? *)", "cron(0 12 ? 1 3 2030)"])
def test_a_rule_edited_by_hand_is_set_to_no_minute_and_arming_puts_it_right(account, rule, text):
    """No plan fails for it; the next arming replaces it."""
    timer, _ = rule
    account.client("events").put_rule(Name=RULE.name, ScheduleExpression=text)
    assert timer.armed() is None
    timer.arm(NOON)
    assert timer.armed() == NOON


@pytest.mark.parametrize(
    "changed",
    [
        {"ScheduleExpression": "rate(15 minutes)"},
        {"ScheduleExpressionTimezone": "Europe/Berlin"},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}},
        {"State": "DISABLED"},
    ],
)
def test_a_schedule_edited_by_hand_is_set_to_no_minute_and_arming_puts_it_right(account, schedule, changed):
    """Another zone, a flexible window, another expression or a disabled one: none is a minute to count on."""
    timer, _ = schedule
    _, whole = update_schedule("at(2029-01-01T12:00:00)")
    account.client("scheduler").update_schedule(**{**whole, **changed})
    assert timer.armed() is None
    timer.arm(NOON)
    assert timer.armed() == NOON


def test_a_disabled_rule_is_set_to_no_minute_and_arming_enables_it(account, rule):
    """A rule that somebody switched off wakes nobody, whatever it says."""
    timer, _ = rule
    timer.arm(NOON)
    account.client("events").disable_rule(Name=RULE.name)
    assert timer.armed() is None
    timer.arm(LEAP)
    assert timer.armed() == LEAP


def test_what_doctor_sees_of_a_rule(account, rule):
    """Everything that can be told of it, with its targets."""
    timer, _ = rule
    timer.arm(NOON)
    account.client("events").disable_rule(Name=RULE.name)
    assert timer.inspect() == TimerState(
        kind="rule",
        name="shop-wake",
        exists=True,
        arn=f"arn:aws:events:{REGION}:123456789012:rule/shop-wake",
        enabled=False,
        expression="cron(0 12 1 1 ? 2030)",
        moment=NOON,
        description=DESCRIPTION,
        targets=(TimerTarget(arn=FUNCTION, dead_letter_arn=QUEUE, retry_attempts=185, event_age_seconds=900),),
    )


def test_what_doctor_sees_of_a_schedule(schedule):
    """Everything that can be told of it, with the role and the input of its target; a far moment is none."""
    assert schedule[0].inspect() == TimerState(
        kind="schedule",
        name="shop-wake",
        exists=True,
        arn=f"arn:aws:scheduler:{REGION}:123456789012:schedule/shop/shop-wake",
        enabled=True,
        expression="at(2199-01-01T00:00:00)",
        moment=None,
        description=DESCRIPTION,
        targets=(
            TimerTarget(
                arn=FUNCTION,
                input='{"source":"slowsched.schedule"}',
                role_arn=ROLE,
                dead_letter_arn=QUEUE,
                retry_attempts=185,
                event_age_seconds=900,
            ),
        ),
    )


# --- what is not there -----------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["read", "arm"])
def test_a_rule_that_is_missing_is_not_made(account, verb):
    """It would start nothing and nobody would notice; who makes it is named."""
    timer = RuleTimer(account, TimerSettings(kind="rule", name="nobody's"))
    with pytest.raises(TimerError) as raised:
        timer.arm(NOON) if verb == "arm" else timer.armed()
    assert (raised.value.message, "terraform/" in raised.value.hint) == (
        f'cannot {verb} the rule "nobody\'s": it does not exist',
        True,
    )
    assert [each["Name"] for each in account.client("events").list_rules()["Rules"]] == ["shop-wake"]


@pytest.mark.parametrize("verb", ["read", "arm"])
def test_a_schedule_that_is_missing_is_said_so(account, verb):
    """A schedule, or the whole group of it."""
    timer = ScheduleTimer(account, TimerSettings(kind="schedule", name="shop-wake", group="gone"))
    with pytest.raises(TimerError) as raised:
        timer.arm(NOON) if verb == "arm" else timer.armed()
    assert (raised.value.message, "terraform/" in raised.value.hint) == (
        f"cannot {verb} the schedule 'shop-wake' of the group 'gone': it does not exist",
        True,
    )


def test_what_doctor_sees_of_a_timer_that_is_missing(account):
    """That it does not exist is a state, and no error."""
    rule, schedule = (TimerSettings(kind=kind, name="nobodys") for kind in ("rule", "schedule"))
    assert (RuleTimer(account, rule).inspect(), ScheduleTimer(account, schedule).inspect()) == (
        TimerState(kind="rule", name="nobodys", exists=False),
        TimerState(kind="schedule", name="nobodys", exists=False),
    )


# --- what AWS answers ------------------------------------------------------------------------------

BUSY = {
    "rule": ("events", "PutRule", (400, "ConcurrentModificationException", "There is concurrent modification.")),
    "schedule": ("scheduler", "UpdateSchedule", (409, "ConflictException", "Updating may cause inconsistency.")),
}


def timer_of(kind, account, sleep):
    """Return the timer of a kind, which rests by `sleep`."""
    return (RuleTimer if kind == "rule" else ScheduleTimer)(account, RULE if kind == "rule" else SCHEDULE, sleep=sleep)


@pytest.mark.parametrize("kind", BUSY)
def test_a_timer_that_somebody_else_is_changing_is_set_again(account, kind):
    """Two who arm at the same instant are the protocol's daily bread: the refused one tries again."""
    service, operation, error = BUSY[kind]
    rests: list[float] = []
    answer_with(account.client(service), operation, [error, error])
    timer = timer_of(kind, account, rests.append)
    timer.arm(NOON)
    assert (timer.armed(), rests) == (NOON, [0.2, 0.5])


@pytest.mark.parametrize("kind", BUSY)
def test_a_timer_that_somebody_keeps_changing_is_an_error(account, kind):
    """After four refusals it is given up, with the way out."""
    service, operation, error = BUSY[kind]
    answer_with(account.client(service), operation, [error] * 4)
    with pytest.raises(TimerError, match="somebody else changes it at this moment") as raised:
        timer_of(kind, account, lambda _: None).arm(NOON)
    assert raised.value.hint == "run it again"


def test_a_refused_permission_names_the_action_and_the_resource(account, rule):
    """What may not be done, on what, and what to do about it."""
    arn = "arn:aws:events:eu-central-1:123456789012:rule/shop-wake"
    who = "User: arn:aws:sts::123456789012:assumed-role/shop-plan/ci"
    refusal = f"{who} is not authorized to perform: events:PutRule on resource: {arn}"
    answer_with(account.client("events"), "PutRule", [(400, "AccessDeniedException", refusal)])
    with pytest.raises(TimerError) as raised:
        rule[0].arm(NOON)
    assert (raised.value.message, "events:PutRule" in raised.value.hint) == (
        f"cannot arm the rule 'shop-wake' for 2030-01-01T12:00:00Z: these credentials may not events:PutRule on {arn}",
        True,
    )


def test_a_rule_that_goes_away_meanwhile_is_no_bug(account, rule):
    """Between the look and the write the whole bus may go: still a message, and no traceback."""
    answer_with(account.client("events"), "PutRule", [GONE])
    with pytest.raises(TimerError, match="it does not exist"):
        rule[0].arm(NOON)


def test_another_account_is_found_out_before_the_first_call(account):
    """The check of the account stands before any use of a timer."""
    other = type(account)(region=REGION, expected_account="999999999999")
    with pytest.raises(UsageError, match="this environment expects 999999999999"):
        RuleTimer(other, RULE).arm(NOON)
