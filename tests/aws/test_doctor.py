"""doctor on MiniStack: a deployment without a fault is healthy, and each planted fault is found and explained."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from deployment import deploy
from on_aws import account_on
from tables import make_table
from values import a_row

from slowsched import __version__
from slowsched.cli.main import program
from slowsched.config import load_config
from slowsched.model import State, Worker
from slowsched.store.codec import ROW_FORMAT
from slowsched.timer.eventbridge import cron_text
from slowsched.wiring import open_backend

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
WORKER = Worker(slowsched=__version__, row_format=ROW_FORMAT, actions=("APPLY_SALE",))
AGAIN = "apply terraform/ again"


@pytest.fixture(name="shop", params=["rule", "schedule"])
def _shop(request, ministack_endpoint, monkeypatch, tmp_path):
    """A healthy deployment, of either kind of timer, with a task due tomorrow, and a repository that names it."""
    return _ready(request.param, ministack_endpoint, monkeypatch, tmp_path)


@pytest.fixture(name="ruled")
def _ruled(ministack_endpoint, monkeypatch, tmp_path):
    """The same, with a rule."""
    return _ready("rule", ministack_endpoint, monkeypatch, tmp_path)


def _ready(kind, endpoint, monkeypatch, tmp_path):
    account_on(endpoint, monkeypatch)
    monkeypatch.chdir(tmp_path)
    made = deploy(endpoint, kind)
    output = {"slowsched_environment": {"value": made.environment}}
    assert run("init", "--from-terraform", "-", stdin=json.dumps(output)).exit_code == 0
    with opened() as backend:
        store_row(backend, a_row(owner=backend.owner, due=TOMORROW))
        say(backend, WORKER)
    assert run("arm", "--env", "production").exit_code == 0
    return made


def run(*words, stdin=None):
    return CliRunner().invoke(program, list(words), input=stdin)


def opened():
    return open_backend(load_config(None), "production")


def store_row(backend, row):
    assert backend.store.put(row, row.version - 1) is None


def say(backend, worker):
    control = backend.store.control()
    assert (
        backend.store.put_control(replace(control, version=control.version + 1, worker=worker), control.version) is None
    )


def doctor(*words, status):
    """What doctor says is wrong, by code; each finding has a way out."""
    ran = run("doctor", "--env", "production", "--format", "json", *words)
    document = json.loads(ran.stdout)
    assert (ran.exit_code, document["healthy"]) == (status, status == 0)
    wrong = [each for each in document["findings"] if each["severity"] != "ok"]
    assert all(each["way_out"] for each in wrong)
    return {each["code"]: (each["severity"], each["message"], each["way_out"]) for each in wrong}


def test_a_healthy_deployment_says_so(shop):
    """Nothing is wrong, not even a warning; every check of the documentation was made."""
    ran = run("doctor", "--env", "production", "--strict")
    assert ran.exit_code == 0
    assert ran.stdout.endswith("\n\nHealthy.\n")
    document = json.loads(run("doctor", "--env", "production", "--format", "json").stdout)
    assert {each["severity"] for each in document["findings"]} == {"ok"}
    assert [each["code"] for each in document["findings"]] == [
        *("account", "clock", "table", "table-keys", "table-index", "table-ttl", "table-recovery", "table-protection"),
        *("table-billing", "timer", "timer-expression", "timer-target", "timer-permission", "heartbeat"),
        *("heartbeat-permission", "function", "function-handler", "function-runtime", "function-timeout"),
        *("function-environment", "worker-version", "worker-actions", "store", "unreadable", "overdue", "dead"),
        *("missed", "paused", "timer-moment"),
    ]
    assert f"table {shop.table}" in {each["subject"] for each in document["findings"]}


# --- what was planted, and what is found -----------------------------------------------------------


def test_a_disabled_rule(ruled):
    """A rule that is disabled wakes nobody; arming enables it again."""
    ruled.client("events").disable_rule(Name=ruled.timer.name)
    fix = "`slowsched doctor --fix --env production`"
    found = doctor(status=1)
    assert found.pop("timer-moment")[1].startswith("it is not set, or to nothing that slowsched would write, and the ")
    assert found == {
        "timer": (
            "error",
            "it is disabled: no task wakes the worker",
            f"{fix} enables it where something is to come, else {AGAIN}",
        )
    }
    assert doctor("--fix", status=0) == {}


def test_a_target_that_is_gone(ruled):
    """A rule without a target starts nothing; the function that terraform/ makes is still looked at."""
    ruled.client("events").remove_targets(Rule=ruled.timer.name, Ids=["worker"])
    words = f"it starts nothing, and should start function {ruled.function}"
    assert doctor(status=1) == {"timer-target": ("error", words, AGAIN)}


@pytest.mark.parametrize(("which", "code"), [("timer", "timer-permission"), ("heartbeat", "heartbeat-permission")])
def test_a_permission_that_is_gone(ruled, which, code):
    """The function does not let the rule in."""
    rule = ruled.timer.name if which == "timer" else ruled.heartbeat
    ruled.client("lambda").remove_permission(FunctionName=ruled.function, StatementId=rule)
    words = "the function does not let it in: its wake never comes"
    assert doctor(status=1) == {code: ("error", words, f"{AGAIN}: it makes the function's permission for this rule")}


@pytest.mark.parametrize("gone", ["policy", "role"])
def test_a_role_that_may_nothing(ministack_endpoint, monkeypatch, tmp_path, gone):
    """A schedule whose role lost its policy, or is gone, starts nothing."""
    made = _ready("schedule", ministack_endpoint, monkeypatch, tmp_path)
    made.client("iam").delete_role_policy(RoleName=made.role, PolicyName="wake")
    if gone == "role":
        made.client("iam").delete_role(RoleName=made.role)
    words = f"role {made.role} may not start the function: the wake never comes"
    assert doctor(status=1) == {"timer-permission": ("error", words, AGAIN)}


def test_an_index_that_is_missing(ruled):
    """Nothing finds what is due; the store says that it cannot be read."""
    dynamodb = ruled.client("dynamodb")
    _remake(ruled)
    dynamodb.create_table(
        TableName=ruled.table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "bucket", "AttributeType": "N"},
            {"AttributeName": "id", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "bucket", "KeyType": "HASH"},
            {"AttributeName": "id", "KeyType": "RANGE"},
        ],
    )
    found = doctor(status=1)
    assert found["table-index"] == (
        "error",
        "it has no local secondary index 'agenda': nothing finds what is due",
        "it can only be made together with the table: make a new one and apply to it (docs/deploy.md)",
    )
    assert found["store"][0] == "error"


def test_a_table_that_is_missing(ruled):
    """It says where it was looked for, and reads no rows."""
    _remake(ruled)
    assert doctor(status=1) == {
        "table": (
            "error",
            "it does not exist in eu-central-1",
            f"correct region or table in slowsched.yaml, or {AGAIN}",
        )
    }


def _remake(made):
    dynamodb = made.client("dynamodb")
    dynamodb.update_table(TableName=made.table, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=made.table)


@pytest.mark.usefixtures("shop")
def test_an_old_worker():
    """One that cannot read what is written here, and lacks an action that comes next."""
    with opened() as backend:
        say(backend, Worker(slowsched="0.0.1", row_format=ROW_FORMAT - 1, actions=("ANOTHER",)))
    deploys = "build the package of this version (`slowsched package`) and apply terraform/ with it"
    assert doctor(status=1) == {
        "worker-version": (
            "error",
            f"it runs slowsched 0.0.1, and this is {__version__}: it cannot read the rows that this version writes",
            deploys,
        ),
        "worker-actions": (
            "error",
            "it does not know APPLY_SALE, which is asked for by 1 task: 'some task id'",
            "add it to the actions, build the package, and apply terraform/ with it",
        ),
    }


@pytest.mark.usefixtures("ruled")
def test_a_worker_that_never_woke():
    """A warning: it may have been deployed a minute ago."""
    with opened() as backend:
        say(backend, None)
    assert doctor(status=0) == {
        "worker-version": (
            "warning",
            "it has said nothing yet: no wake has run since it was deployed",
            "wait for the heartbeat, at most 15 minutes; if it still has not, its log says why",
        )
    }


def test_a_timer_that_is_late(ruled):
    """Somebody set it by hand; --fix sets it, and changes nothing else."""
    ruled.client("events").put_rule(
        Name=ruled.timer.name, ScheduleExpression=cron_text(TOMORROW + timedelta(hours=1)), State="ENABLED"
    )
    found = doctor(status=1)
    assert list(found) == ["timer-moment"]
    assert found["timer-moment"][1].startswith("it is set too late, to ")
    assert found["timer-moment"][2] == "`slowsched doctor --fix --env production` sets it"
    assert doctor("--fix", status=0) == {}
    assert ruled.client("events").describe_rule(Name=ruled.timer.name)["ScheduleExpression"] == cron_text(TOMORROW)


def test_a_schedule_that_was_never_set(ministack_endpoint, monkeypatch, tmp_path):
    """As Terraform made it anew: no task would wake the worker before --fix."""
    made = _ready("schedule", ministack_endpoint, monkeypatch, tmp_path)
    scheduler = made.client("scheduler")
    kept = ("Name", "GroupName", "FlexibleTimeWindow", "Target", "ScheduleExpressionTimezone")
    found = scheduler.get_schedule(Name=made.timer.name, GroupName=made.timer.group)
    scheduler.update_schedule(
        **{key: found[key] for key in kept}, ScheduleExpression="at(2199-01-01T00:00:00)", State="ENABLED"
    )
    assert list(doctor(status=1)) == ["timer-moment"]
    assert doctor("--fix", status=0) == {}


@pytest.mark.parametrize("fault", ["gone", "disabled", "slow"])
def test_a_heartbeat_that_is_gone(shop, fault):
    """Gone, disabled or too slow: what a lost wake costs has no bound."""
    events = shop.client("events")
    if fault == "gone":
        events.remove_targets(Rule=shop.heartbeat, Ids=["worker"])
        events.delete_rule(Name=shop.heartbeat)
    elif fault == "disabled":
        events.disable_rule(Name=shop.heartbeat)
    else:
        events.put_rule(Name=shop.heartbeat, ScheduleExpression="rate(1 hour)", State="ENABLED")
    there = {
        "gone": "",
        "disabled": f"; there is {shop.heartbeat} (disabled)",
        "slow": f"; there is {shop.heartbeat} (rate(1 hour))",
    }
    words = (
        f"no enabled rule starts the function at least every 20 minutes{there[fault]}: a lost wake is never made good"
    )
    assert doctor(status=1) == {"heartbeat": ("error", words, AGAIN)}


def test_time_to_live_that_is_off(ruled):
    """With point-in-time recovery and the protection from deletion off, too: three warnings, and it is healthy."""
    dynamodb = ruled.client("dynamodb")
    dynamodb.update_time_to_live(
        TableName=ruled.table, TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires_at"}
    )
    dynamodb.update_continuous_backups(
        TableName=ruled.table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    dynamodb.update_table(TableName=ruled.table, DeletionProtectionEnabled=False)
    assert doctor(status=0) == {
        "table-ttl": (
            "warning",
            "its time to live is off, not by expires_at: rows whose file has left git stay for ever",
            AGAIN,
        ),
        "table-recovery": (
            "warning",
            "point-in-time recovery is off: what ran, and when, would be lost with it",
            AGAIN,
        ),
        "table-protection": ("warning", "it is not protected from deletion", AGAIN),
    }
    assert run("doctor", "--env", "production", "--strict").exit_code == 1


@pytest.mark.usefixtures("shop")
def test_another_account(monkeypatch):
    """Nothing of it is looked at, and --fix touches nothing there."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "999999999999")
    assert doctor(status=1) == {
        "account": (
            "error",
            "the credentials belong to account 999999999999, and this environment expects 123456789012",
            "use other credentials (AWS_PROFILE), or correct `expected_account` in slowsched.yaml",
        )
    }
    ran = run("doctor", "--env", "production", "--fix")
    assert ran.exit_code == 1
    assert "The timer could not be armed: the credentials belong to account 999999999999" in ran.stdout


@pytest.mark.usefixtures("shop")
def test_a_dead_task_and_an_overdue_one():
    """Each is named, with the words to type."""
    past = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    with opened() as backend:
        store_row(backend, a_row(id="broken", owner=backend.owner, state=State.DEAD))
        store_row(backend, a_row(id="waits", owner=backend.owner, due=past))
    assert run("arm", "--env", "production").exit_code == 0
    found = doctor(status=1)
    assert list(found) == ["overdue", "dead"]
    assert found["overdue"][1].startswith("1 task overdue, the first for 2 hours")
    assert found["dead"][1:] == (
        "1 task without attempts left, for a person to act on: 'broken'",
        (
            "`slowsched show broken --env production` says why; mend that, then edit the task or "
            "`slowsched retry broken --env production`"
        ),
    )


@pytest.mark.usefixtures("ruled")
def test_a_pause():
    """It is a warning, and says how to end it."""
    assert run("pause", "--env", "production", "--reason", "the shop moves").exit_code == 0
    found = doctor(status=0)
    assert (list(found), found["paused"][2]) == (["paused"], "`slowsched resume --env production` ends that")


def test_a_function_of_other_settings(ruled):
    """Variables, handler and timeout are held against the settings and the worker's needs."""
    functions = ruled.client("lambda")
    functions.update_function_configuration(
        FunctionName=ruled.function,
        Handler="index.handler",
        Timeout=60,
        Environment={"Variables": {"SLOWSCHED_TABLE": "another"}},
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName=ruled.function, WaiterConfig={"Delay": 0.1})
    assert list(doctor(status=1)) == [*("function-handler", "function-timeout", "function-environment", "task-timeout")]


def test_a_function_that_is_gone(ruled):
    """The timer starts what does not exist."""
    ruled.client("lambda").delete_function(FunctionName=ruled.function)
    found = doctor(status=1)
    assert found["function"] == ("error", "it does not exist: nothing executes a task", AGAIN)


def test_a_rule_that_is_gone(ruled):
    """It says where it was looked for; the function that terraform/ makes is still looked at."""
    events = ruled.client("events")
    events.remove_targets(Rule=ruled.timer.name, Ids=["worker"])
    events.delete_rule(Name=ruled.timer.name)
    found = doctor(status=1)
    assert list(found) == ["timer", "timer-moment"]
    assert found["timer"][1] == "it does not exist in eu-central-1: no task wakes the worker"
    events.put_rule(Name=ruled.timer.name, ScheduleExpression=cron_text(TOMORROW), State="ENABLED")
    ruled.client("lambda").delete_function(FunctionName=ruled.function)
    assert doctor(status=1)["function"][1] == "it is not known: the timer starts no function"


def test_a_table_of_another_kind(ruled):
    """A table that exists under that name and has other keys is named as such, not read."""
    dynamodb = ruled.client("dynamodb")
    _remake(ruled)
    dynamodb.create_table(
        TableName=ruled.table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    assert doctor(status=1)["table-keys"][1] == "its keys are id (S), and should be bucket (N) and id (S)"


@pytest.mark.usefixtures("ruled")
def test_what_was_used_is_told():
    """With -v a command says at its end what it asked of AWS; without, nothing."""
    ran = run("list", "--env", "production", "-v")
    assert ran.stderr.startswith("DynamoDB and EventBridge: ")
    assert ran.stderr.endswith(" read units, 0 write units\n")
    assert run("list", "--env", "production").stderr == ""
    assert run("list", "-v").stderr == ""


def test_make_table_is_what_terraform_makes(ruled):
    """A table that is remade passes again: the helper and doctor agree."""
    _remake(ruled)
    make_table(ruled.client("dynamodb"), ruled.table)
    with opened() as backend:
        say(backend, WORKER)
    assert list(doctor(status=0)) == ["table-recovery", "table-protection"]
