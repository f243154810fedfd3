"""What doctor says of an account and of what is in it: values in, findings out, no AWS."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from test_checks import NOW, OWNER, a_live
from values import MINUTE, a_row, at

from slowsched.aws_checks import check_aws, interval, lets_invoke
from slowsched.aws_inspection import Deployment, Expected, Function, Permission, Pulse, Seen, Table, TableIndex
from slowsched.checks import Rows
from slowsched.diagnosis import Unknown, Verdict, error, fine, warning
from slowsched.lambda_worker import BUDGET_MIN
from slowsched.lambda_worker import END_SLACK as WORKERS_END_SLACK
from slowsched.model import Control, Worker
from slowsched.store.codec import ROW_FORMAT
from slowsched.timer.eventbridge import NEVER, TimerState, TimerTarget, cron_text
from slowsched.timer.settings import TimerSettings
from slowsched.worker_checks import END_SLACK, HANDLER, TIMEOUT_MIN, check_function, check_worker

ACCOUNT = "123456789012"
FUNCTION = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:slowsched-worker"
RULE = f"arn:aws:events:eu-central-1:{ACCOUNT}:rule/slowsched-wake"
BEAT = f"arn:aws:events:eu-central-1:{ACCOUNT}:rule/slowsched-heartbeat"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/slowsched-scheduler"
KEYS = (("bucket", "N"), ("id", "S"))
AGENDA = TableIndex(keys=(("bucket", "N"), ("wake_at", "S")), projection="KEYS_ONLY")
REFUSED = Unknown(what="these credentials may not do it", way_out="use the role", refused=True)
SILENT = Unknown(what="AWS does not answer", way_out="look at the network")
ARMED = at("2030-01-02T00:00:00Z")

EXPECTED = Expected(
    slowsched="1.2.3", table="slowsched", timer=TimerSettings(kind="rule", name="slowsched-wake"), account=ACCOUNT
)
SCHEDULE = TimerSettings(kind="schedule", name="slowsched-wake", group="slowsched", target_arn=FUNCTION, role_arn=ROLE)
TABLE = Table(
    status="ACTIVE",
    keys=KEYS,
    indexes={"agenda": AGENDA},
    on_demand=True,
    protected=True,
    expires_by="expires_at",
    recoverable=True,
)
TIMER = TimerState(
    kind="rule",
    name="slowsched-wake",
    exists=True,
    arn=RULE,
    enabled=True,
    expression=cron_text(ARMED),
    moment=ARMED,
    targets=(TimerTarget(arn=FUNCTION),),
)
LAMBDA = Function(
    arn=FUNCTION,
    state="Active",
    reason="",
    update="Successful",
    update_reason="",
    handler=HANDLER,
    runtime="python3.13",
    timeout=15 * MINUTE,
    variables={
        "SLOWSCHED_TABLE": "slowsched",
        "SLOWSCHED_TIMER_KIND": "rule",
        "SLOWSCHED_TIMER_NAME": "slowsched-wake",
        "CATALOGUE": "another",
    },
)


def a_permission(*sources, **overrides):
    fields = {
        "allows": True,
        "principals": ("events.amazonaws.com",),
        "actions": ("lambda:InvokeFunction",),
        "sources": sources,
    }
    return Permission(**(fields | overrides))


DEPLOYMENT = Deployment(
    table=TABLE,
    timer=TIMER,
    function_arn=FUNCTION,
    function=LAMBDA,
    permissions=(a_permission(RULE), a_permission(BEAT)),
    pulses=(Pulse(name="slowsched-heartbeat", arn=BEAT, enabled=True, expression="rate(15 minutes)"),),
)
SEEN = Seen(expected=EXPECTED, account=ACCOUNT, region="eu-central-1", skew=timedelta(0), deployment=DEPLOYMENT)


def seen(**overrides):
    """A deployment without a fault, but for these."""
    of_seen = {name: value for name, value in overrides.items() if name in Seen.__dataclass_fields__}
    rest = {name: value for name, value in overrides.items() if name not in of_seen}
    return replace(SEEN, **({"deployment": replace(DEPLOYMENT, **rest)} | of_seen))


def found(**overrides):
    """What is wrong with such a deployment."""
    looked = seen(**overrides)
    findings = [*check_aws(looked, "production"), *check_function(looked)]
    return [each for each in findings if each.severity is not Verdict.OK]


def wrong(**overrides):
    """The one thing that is."""
    (finding,) = found(**overrides)
    return finding


def test_a_deployment_without_a_fault():
    """Each check says what it saw."""
    findings = [*check_aws(SEEN, "production"), *check_function(SEEN)]
    table, rule, function = "table slowsched", "rule slowsched-wake", "function slowsched-worker"
    beat = "heartbeat slowsched-heartbeat"
    assert findings == [
        fine("account", "account", "123456789012 in eu-central-1, as expected"),
        fine("clock", "clock", "this machine's goes with that of AWS"),
        fine("table", table, "it is there, and active"),
        fine("table-keys", table, "its keys are bucket (N) and id (S)"),
        fine("table-index", table, "its index 'agenda' is on bucket (N) and wake_at (S)"),
        fine("table-ttl", table, "its time to live is expires_at"),
        fine("table-recovery", table, "it can be recovered to a point in time"),
        fine("table-protection", table, "it is protected from deletion"),
        fine("table-billing", table, "it is billed on demand"),
        fine("timer", rule, "it is there, and enabled"),
        fine("timer-expression", rule, "cron(0 0 2 1 ? 2030) is 2030-01-02 00:00 UTC"),
        fine("timer-target", rule, "it starts function slowsched-worker"),
        fine("timer-permission", rule, "the function lets it in"),
        fine("heartbeat", beat, "it starts the function, rate(15 minutes)"),
        fine("heartbeat-permission", beat, "the function lets it in"),
        fine("function", function, "it is there, and ready"),
        fine("function-handler", function, "its handler is worker.handler.handler"),
        fine("function-runtime", function, "it runs on python3.13"),
        fine("function-timeout", function, "it may take 15 minutes"),
        fine("function-environment", function, "its variables name this table and timer"),
    ]


# --- the account -----------------------------------------------------------------------------------


def test_another_account():
    """It is an error, and nothing else of that account is looked at."""
    assert found(account="999999999999", deployment=None) == [
        error(
            "account",
            "account",
            "the credentials belong to account 999999999999, and this environment expects 123456789012",
            "use other credentials (AWS_PROFILE), or correct `expected_account` in slowsched.yaml",
        )
    ]


def test_no_credentials():
    """Why there is no account, with the way out."""
    unknown = Unknown(what="there are no AWS credentials", way_out="log in")
    assert found(account=unknown, deployment=None) == [
        error("account", "account", "there are no AWS credentials", "log in")
    ]


def test_an_account_that_nobody_expects():
    """A warning: the settings would take any."""
    assert wrong(expected=replace(EXPECTED, account=None)) == warning(
        "account",
        "account",
        "123456789012 in eu-central-1; the settings do not say whether that is the right one",
        "write `expected_account` for this environment into slowsched.yaml",
    )


@pytest.mark.parametrize(
    ("seconds", "severity", "words"),
    [
        (6, Verdict.WARNING, "this machine's is 6 seconds ahead of that of AWS"),
        (-10, Verdict.WARNING, "this machine's is 10 seconds behind that of AWS"),
        (
            -11,
            Verdict.ERROR,
            "this machine's is 11 seconds behind that of AWS: more than the apply lock and the timer allow for",
        ),
    ],
)
def test_a_clock_that_is_off(seconds, severity, words):
    """More than five seconds is a warning, more than the protocol allows for an error."""
    finding = wrong(skew=timedelta(seconds=seconds))
    assert (finding.code, finding.severity, finding.message) == ("clock", severity, words)
    assert found(skew=timedelta(seconds=5)) == []
    assert wrong(skew=None).message == "cannot tell: AWS did not say what time it is"


# --- the table -------------------------------------------------------------------------------------

LATER = "it can only be made together with the table: make a new one and apply to it (docs/deploy.md)"
AGAIN = "apply terraform/ again"


@pytest.mark.parametrize(
    ("table", "finding"),
    [
        (
            None,
            error(
                "table",
                "",
                "it does not exist in eu-central-1",
                f"correct region or table in slowsched.yaml, or {AGAIN}",
            ),
        ),
        (SILENT, error("table", "", "AWS does not answer", "look at the network")),
        (REFUSED, warning("table", "", "cannot tell: these credentials may not do it", "use the role")),
        (
            {"status": "DELETING"},
            error("table", "", "its status is DELETING", "wait until it is ACTIVE, or restore it"),
        ),
        (
            {"keys": (("id", "S"),)},
            error(
                "table-keys",
                "",
                "its keys are id (S), and should be bucket (N) and id (S)",
                "it is another table: correct `table` in slowsched.yaml, or make a new one",
            ),
        ),
        (
            {"indexes": {}},
            error("table-index", "", "it has no local secondary index 'agenda': nothing finds what is due", LATER),
        ),
        (
            {"indexes": {"agenda": replace(AGENDA, keys=(("bucket", "N"), ("due", "S")))}},
            error(
                "table-index",
                "",
                "its index 'agenda' is on bucket (N) and due (S), and should be on bucket (N) and wake_at (S)",
                LATER,
            ),
        ),
        (
            {"indexes": {"agenda": replace(AGENDA, projection="ALL")}},
            warning("table-index", "", "its index 'agenda' carries ALL, not keys only: every write costs more", LATER),
        ),
        (
            {"expires_by": None},
            warning(
                "table-ttl",
                "",
                "its time to live is off, not by expires_at: rows whose file has left git stay for ever",
                AGAIN,
            ),
        ),
        (
            {"expires_by": "ttl"},
            warning(
                "table-ttl",
                "",
                "its time to live is by ttl, not by expires_at: rows whose file has left git stay for ever",
                AGAIN,
            ),
        ),
        (
            {"expires_by": REFUSED},
            warning("table-ttl", "", "cannot tell: these credentials may not do it", "use the role"),
        ),
        (
            {"recoverable": False},
            warning(
                "table-recovery", "", "point-in-time recovery is off: what ran, and when, would be lost with it", AGAIN
            ),
        ),
        (
            {"recoverable": REFUSED},
            warning("table-recovery", "", "cannot tell: these credentials may not do it", "use the role"),
        ),
        ({"protected": False}, warning("table-protection", "", "it is not protected from deletion", AGAIN)),
        (
            {"on_demand": False},
            warning(
                "table-billing",
                "",
                "its capacity is provisioned: an apply or a wake with many tasks is throttled",
                "change its billing mode to PAY_PER_REQUEST",
            ),
        ),
    ],
)
def test_a_fault_of_the_table(table, finding):
    """Each is found, and each says what to do."""
    fault = replace(TABLE, **table) if isinstance(table, dict) else table
    assert wrong(table=fault) == replace(finding, subject="table slowsched")


def test_rows_are_read_where_there_is_a_table():
    """Not from another account, a silent one or a table that does not exist; where only describing is refused, yes."""
    readable = [seen(table=table).can_read_rows for table in (TABLE, REFUSED, SILENT, None)]
    assert (readable, seen(deployment=None).can_read_rows) == ([True, True, False, False], False)


# --- the timer -------------------------------------------------------------------------------------

ABSENT = TimerState(kind="rule", name="slowsched-wake", exists=False)


@pytest.mark.parametrize(
    ("timer", "finding"),
    [
        (
            ABSENT,
            error(
                "timer",
                "",
                "it does not exist in eu-central-1: no task wakes the worker",
                f"correct timer or region in slowsched.yaml, or {AGAIN}, then "
                "`slowsched doctor --fix --env production`",
            ),
        ),
        (REFUSED, warning("timer", "", "cannot tell: these credentials may not do it", "use the role")),
        (
            replace(TIMER, enabled=False),
            error(
                "timer",
                "",
                "it is disabled: no task wakes the worker",
                f"`slowsched doctor --fix --env production` enables it where something is to come, else {AGAIN}",
            ),
        ),
        (
            replace(TIMER, expression="rate(1 day)", moment=None),
            warning(
                "timer-expression",
                "",
                "somebody else wrote 'rate(1 day)' into it",
                "`slowsched arm --env production` sets it where something is to come",
            ),
        ),
        (
            replace(TIMER, targets=()),
            error("timer-target", "", "it starts nothing, and should start function slowsched-worker", AGAIN),
        ),
        (
            replace(TIMER, targets=(TimerTarget(arn="arn:aws:sqs:eu-central-1:123456789012:queue"),)),
            error("timer-target", "", "it starts queue, and should start function slowsched-worker", AGAIN),
        ),
        (
            replace(TIMER, arn=f"{RULE}-2"),
            error(
                "timer-permission",
                "",
                "the function does not let it in: its wake never comes",
                f"{AGAIN}: it makes the function's permission for this rule",
            ),
        ),
    ],
)
def test_a_fault_of_the_rule(timer, finding):
    """Each is found, and each says what to do."""
    assert wrong(timer=timer) == replace(finding, subject="rule slowsched-wake")


def test_a_timer_as_terraform_made_it():
    """The far moment that it begins with is no fault."""
    assert found(timer=replace(TIMER, expression=cron_text(NEVER), moment=None)) == []


def test_a_rule_that_starts_no_function():
    """Nothing more is known of a function then, nor of its heartbeat."""
    faults = found(timer=replace(TIMER, targets=()), function_arn=None, function=None, permissions=(), pulses=())
    assert [(each.code, each.message) for each in faults] == [
        ("timer-target", "it starts nothing, and no function"),
        ("timer-permission", "the function does not let it in: its wake never comes"),
        ("function", "it is not known: the timer starts no function"),
    ]


@pytest.mark.parametrize(
    ("may", "finding"),
    [
        (True, None),
        (
            False,
            error(
                "timer-permission",
                "",
                "role slowsched-scheduler may not start the function: the wake never comes",
                AGAIN,
            ),
        ),
        (REFUSED, warning("timer-permission", "", "cannot tell: these credentials may not do it", "use the role")),
    ],
)
def test_a_schedule_starts_the_function_with_a_role(may, finding):
    """What the role may do is asked of IAM; the function's own policy is for the heartbeat alone."""
    variables = LAMBDA.variables | {
        "SLOWSCHED_TIMER_KIND": "schedule",
        "SLOWSCHED_TIMER_GROUP": "slowsched",
        "SLOWSCHED_TIMER_ROLE_ARN": ROLE,
    }
    faults = found(
        expected=replace(EXPECTED, timer=SCHEDULE),
        deployment=replace(
            DEPLOYMENT,
            timer=replace(TIMER, kind="schedule", targets=(TimerTarget(arn=FUNCTION, role_arn=ROLE),)),
            function=replace(LAMBDA, variables=variables),
            permissions=(a_permission(BEAT),),
            role_may_invoke=may,
        ),
    )
    assert faults == ([] if finding is None else [replace(finding, subject="schedule slowsched-wake")])


@pytest.mark.parametrize(
    ("permissions", "lets"),
    [
        ((), False),
        ((a_permission(),), True),
        ((a_permission("arn:aws:events:*:*:rule/slowsched-*"),), True),
        ((a_permission(BEAT),), False),
        ((a_permission(RULE, actions=("lambda:*",)),), True),
        ((a_permission(RULE, actions=("lambda:GetFunction",)),), False),
        ((a_permission(RULE, principals=("*",)),), True),
        ((a_permission(RULE, principals=("s3.amazonaws.com",)),), False),
        ((a_permission(RULE), a_permission(allows=False)), False),
    ],
)
def test_what_a_policy_lets_in(permissions, lets):
    """Principal, action and source must fit a statement that allows, and none that denies."""
    assert lets_invoke(permissions, RULE) is lets


def test_a_policy_that_cannot_be_read():
    """Both permissions are unknown then."""
    assert [(each.code, each.severity) for each in found(permissions=REFUSED)] == [
        ("timer-permission", Verdict.WARNING),
        ("heartbeat-permission", Verdict.WARNING),
    ]


# --- the heartbeat ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "minutes"),
    [
        ("rate(1 minute)", 1),
        ("rate(15 minutes)", 15),
        ("rate(1 hour)", 60),
        ("rate(2 days)", 2880),
        ("cron(0/15 * * * ? *)", 15),
        ("cron(*/20 * ? * * *)", 20),
        ("cron(* * * * ? *)", 1),
        ("cron(7,37 * * * ? *)", 30),
        ("cron(50,5,10 * * * ? *)", 40),
        ("cron(30 * * * ? *)", 60),
        ("cron(0/0 * * * ? *)", None),
        ("cron(0/15 8-18 * * ? *)", None),
        ("cron(a * * * ? *)", None),
        ("cron(0 0 2 1 ? 2030)", None),
        ("", None),
    ],
)
def test_how_long_a_rule_rests(expression, minutes):
    """The longest rest of a rate or of a cron by minutes; of any other nothing is said."""
    assert interval(expression) == (None if minutes is None else minutes * MINUTE)


def a_pulse(**overrides):
    return replace(DEPLOYMENT.pulses[0], **overrides)


@pytest.mark.parametrize(
    ("pulses", "there"),
    [
        ((), ""),
        ((a_pulse(enabled=False),), "; there is slowsched-heartbeat (disabled)"),
        (
            (a_pulse(expression="rate(1 hour)"), a_pulse(name="x", expression=None)),
            "; there is slowsched-heartbeat (rate(1 hour)), x (None)",
        ),
    ],
)
def test_no_heartbeat(pulses, there):
    """None, a disabled one, or one that is too slow: what a lost wake costs has no bound."""
    assert wrong(pulses=pulses) == error(
        "heartbeat",
        "heartbeat",
        f"no enabled rule starts the function at least every 20 minutes{there}: a lost wake is never made good",
        AGAIN,
    )
    assert wrong(pulses=REFUSED).severity is Verdict.WARNING


def test_a_heartbeat_that_is_not_let_in():
    """It beats, and the function does not hear it."""
    assert wrong(permissions=(a_permission(RULE),)).code == "heartbeat-permission"


# --- the function ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "finding"),
    [
        (None, error("function", "", "it does not exist: nothing executes a task", AGAIN)),
        (REFUSED, warning("function", "", "cannot tell: these credentials may not do it", "use the role")),
        ({"state": "Pending"}, error("function", "", "its state is Pending", "wait until it is Active")),
        (
            {"state": "Failed", "reason": "no such role"},
            error("function", "", "its state is Failed: no such role", AGAIN),
        ),
        (
            {"update": "Failed", "update_reason": "too large"},
            error("function", "", "its last update failed: too large", AGAIN),
        ),
        ({"update": "InProgress"}, warning("function", "", "it is being updated", "look again in a minute")),
        (
            {"handler": "index.handler"},
            error(
                "function-handler",
                "",
                "its handler is index.handler, and should be worker.handler.handler",
                f"the timer starts another function, or {AGAIN}",
            ),
        ),
        (
            {"runtime": "python3.9"},
            warning(
                "function-runtime",
                "",
                "it runs on python3.9, and needs Python 3.11 or newer",
                "set `runtime` of the Terraform module",
            ),
        ),
        (
            {"runtime": ""},
            warning(
                "function-runtime",
                "",
                "it runs on an unknown runtime, and needs Python 3.11 or newer",
                "set `runtime` of the Terraform module",
            ),
        ),
        (
            {"timeout": 3 * MINUTE},
            error(
                "function-timeout",
                "",
                "it may take 3 minutes, and needs 4 minutes: it cannot stay for a near task",
                f"{AGAIN}, which sets 15 minutes",
            ),
        ),
        (
            {"variables": {"SLOWSCHED_TABLE": "another", "SLOWSCHED_TIMER_KIND": "rule"}},
            error(
                "function-environment",
                "",
                "SLOWSCHED_TABLE is another, and should be slowsched; "
                "SLOWSCHED_TIMER_NAME is absent, and should be slowsched-wake",
                f"correct slowsched.yaml (`terraform output` says what is right), or {AGAIN}",
            ),
        ),
        (
            {"variables": None},
            warning(
                "function-environment",
                "",
                "cannot tell: Lambda does not show its variables",
                "let these credentials use its KMS key",
            ),
        ),
    ],
)
def test_a_fault_of_the_function(function, finding):
    """Each is found, and each says what to do."""
    fault = replace(LAMBDA, **function) if isinstance(function, dict) else function
    assert wrong(function=fault) == replace(finding, subject="function slowsched-worker")


def test_the_function_has_the_time_that_the_worker_needs():
    """The bound is what the worker itself warns of."""
    assert (END_SLACK, TIMEOUT_MIN) == (WORKERS_END_SLACK, BUDGET_MIN + WORKERS_END_SLACK)


def test_without_a_deployment_nothing_is_said_of_a_function():
    """The finding about the account says enough."""
    assert list(check_function(seen(deployment=None))) == []


# --- what the worker said --------------------------------------------------------------------------


def a_worker(**overrides):
    return Worker(**({"slowsched": "1.2.3", "row_format": ROW_FORMAT, "actions": ("APPLY_SALE",)} | overrides))


def said(worker, *tasks, function=LAMBDA):
    live = a_live(control=Control(worker=worker), tasks=tasks)
    return list(check_worker(seen(function=function), live))


def test_a_worker_of_this_version():
    """It knows what comes next."""
    assert said(a_worker(), a_row()) == [
        fine("worker-version", "worker", "it runs slowsched 1.2.3, as this is"),
        fine("worker-actions", "worker", "it knows the actions of what comes next: 1 task"),
    ]


@pytest.mark.parametrize(
    ("worker", "finding"),
    [
        (
            None,
            warning(
                "worker-version",
                "worker",
                "it has said nothing yet: no wake has run since it was deployed",
                "wait for the heartbeat, at most 15 minutes; if it still has not, its log says why",
            ),
        ),
        (
            {"slowsched": "1.1.0", "row_format": ROW_FORMAT - 1},
            error(
                "worker-version",
                "worker",
                "it runs slowsched 1.1.0, and this is 1.2.3: it cannot read the rows that this version writes",
                "build the package of this version (`slowsched package`) and apply terraform/ with it",
            ),
        ),
        (
            {"slowsched": "2.0.0", "row_format": ROW_FORMAT + 1},
            error(
                "worker-version",
                "worker",
                "it runs slowsched 2.0.0, and this is 1.2.3: this version cannot read the rows that it writes",
                "install slowsched 2.0.0 here",
            ),
        ),
        (
            {"slowsched": "1.2.2"},
            warning(
                "worker-version",
                "worker",
                "it runs slowsched 1.2.2, and this is 1.2.3; they read each other's rows",
                "build the package of this version (`slowsched package`) and apply terraform/ with it",
            ),
        ),
    ],
)
def test_another_worker(worker, finding):
    """None that has woken yet, an old one, a newer one, and one that differs in nothing that matters."""
    assert said(worker and a_worker(**worker))[0] == finding


def test_actions_that_the_worker_lacks():
    """They are named with the tasks that ask for them, the earliest first."""
    tasks = (a_row(id="b", action="NEW", due=NOW), a_row(id="a", action="NEWER", due=NOW + MINUTE), a_row(id="c"))
    assert said(a_worker(), *tasks)[1] == error(
        "worker-actions",
        "worker",
        "it does not know NEW, NEWER, which is asked for by 2 tasks: 'b', 'a'",
        "add it to the actions, build the package, and apply terraform/ with it",
    )


def test_tasks_that_the_function_has_no_time_for():
    """A worker would never claim them."""
    slow = a_row(id="slow", timeout=10 * MINUTE)
    assert said(a_worker(), slow, function=replace(LAMBDA, timeout=10 * MINUTE))[-1] == error(
        "task-timeout",
        "tasks",
        "1 task with a timeout beyond what the function has time for: 'slow'",
        "give the function 15 minutes, or the tasks a shorter timeout",
    )
    assert len(said(a_worker(), slow, function=replace(LAMBDA, timeout=11 * MINUTE))) == 2
    assert len(said(a_worker(), slow, function=None)) == 2


def test_what_cannot_be_read_of_the_worker():
    """Without the control row the store's finding says so; without the tasks only this check cannot tell."""
    assert list(check_worker(SEEN, a_live(control=SILENT))) == []
    found = list(check_worker(SEEN, a_live(control=Control(worker=a_worker()), tasks=REFUSED)))
    assert [(each.code, each.severity) for each in found] == [
        ("worker-version", Verdict.OK),
        ("worker-actions", Verdict.WARNING),
    ]
    assert [each.code for each in check_worker(SEEN, a_live(rows=Rows(), owner=OWNER))] == ["worker-version"]
