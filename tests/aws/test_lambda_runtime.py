"""The function under AWS's own runtime client, on MiniStack: what comes in, what goes out, and how it ends."""

from __future__ import annotations

import shutil
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from emulators.fixtures import ACCOUNT, REGION, client, unique_name
from lambda_runtime import ARN, Answer, lambda_process
from on_aws import account_on, make_rule, make_schedule, variables
from tables import table_of
from values import DAY, a_row, at

from slowsched import __version__
from slowsched.model import State, Worker
from slowsched.resources import handler_path
from slowsched.store.codec import ROW_FORMAT
from slowsched.store.dynamodb import DynamoStore
from slowsched.timer.eventbridge import read_cron
from slowsched.timer.settings import TimerSettings

OWNER = "acme/shop/production"
DUE = at("2020-01-01T00:00:00Z")
RULE_EVENT = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": ACCOUNT,
    "time": "2030-01-01T00:00:00Z",
    "region": REGION,
    "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/slowsched-wake"],
    "detail": {},
}
WITHOUT_PLACE = ("location", "timestamp")  # of a line: where in the code, and when
ACTIONS = """\
import time

from slowsched import PermanentError, action


@action("NOTE")
def note(payload, attempt):
    attempt.logger.info("noting %s", payload["word"])
    time.sleep(payload.get("seconds", 0))
    if "fail" in payload:
        raise PermanentError(payload["fail"])
    return {"noted": payload["word"]}
"""


def steady(lines):
    """Return lines of the log without what differs from run to run; a lateness is told as such."""
    return [
        {name: late(name, value) for name, value in line.items() if name not in WITHOUT_PLACE}
        for line in lines
        if "_aws" not in line
    ]


def late(name, value):
    """Return a value, or the word for any time since `DUE`."""
    return "late" if name == "late_seconds" and value > DAY.total_seconds() else value


def metrics(lines):
    """Return what the lines of metrics say, each held against its own declaration."""
    found = []
    for line in [line for line in lines if "_aws" in line]:
        about, values = line["_aws"], {name: value for name, value in line.items() if name != "_aws"}
        (directive,) = about["CloudWatchMetrics"]
        units = {each["Name"]: each["Unit"] for each in directive["Metrics"]}
        assert {**directive, "Metrics": None} == {"Namespace": "slowsched", "Dimensions": [["table"]], "Metrics": None}
        assert units == {name: "Seconds" if name.endswith("Seconds") else "Count" for name in values if name != "table"}
        found.append(
            {name: ["late"] * len(value) if name == "LatenessSeconds" else value for name, value in values.items()}
        )
    return found


def counted(table, **others):
    """Return the metrics of a wake that did nothing, but for `others`."""
    zeros = ("Executed", "Failed", "Dead", "Missed", "Overdue", "ClaimConflicts", "OldestOverdueSeconds")
    return {"table": table, "Wakes": [1.0], "ArmRounds": [1.0], **{name: [0.0] for name in zeros}} | others


class Stage:
    """A table, a rule, and the folder of a function whose actions are `ACTIONS`."""

    def __init__(self, endpoint, folder, monkeypatch):
        self.endpoint = endpoint
        self.folder = folder / "function"
        self.scratch = folder
        (self.folder / "worker").mkdir(parents=True)
        (self.folder / "worker" / "__init__.py").touch()
        shutil.copy(handler_path(), self.folder / "worker" / "handler.py")
        self.write_actions(ACTIONS)
        self.table = table_of(client("dynamodb", endpoint))
        self.rule = unique_name("wake")
        make_rule(client("events", endpoint), self.rule)
        self.store = DynamoStore(account_on(endpoint, monkeypatch), self.table)

    def write_actions(self, text):
        (self.folder / "worker" / "actions.py").write_text(text, encoding="utf-8")

    def plant(self, task_id="some task", **fields):
        """Write a row that is due, unless it says otherwise."""
        given = {"action": "NOTE", "payload": {"word": "now"}, "due": DUE, "owner": OWNER} | fields
        self.store.put(a_row(id=task_id, **given), 0)

    def armed(self):
        """Return what the rule is set to."""
        return client("events", self.endpoint).describe_rule(Name=self.rule)["ScheduleExpression"]

    def report(self, answer, **others):
        """Return what a wake that did nothing answers, but for `others`; its moment is that of the answer."""
        return {
            "format_version": "1.0",
            "environment": self.table,
            "now": answer.body["now"],
            "paused": None,
            "not_before": None,
            **{name: [] for name in ("attempts", "missed", "dead", "deferred", "unreadable", "would_run", "errors")},
            "left": 0,
            "timer": {"armed": None, "error": None},
            "interrupted": False,
        } | others

    def function(self, **others):
        """Run the function; `others` are variables in place of its own."""
        own = {"SLOWSCHED_TABLE": self.table, "SLOWSCHED_TIMER_KIND": "rule", "SLOWSCHED_TIMER_NAME": self.rule}
        environment = variables(self.endpoint, **(own | others))
        return lambda_process(self.folder, environment, self.scratch, python=Path(sys.executable))


@pytest.fixture
def stage(ministack_endpoint, tmp_path, monkeypatch):
    """Return a table and a function on MiniStack."""
    return Stage(ministack_endpoint, tmp_path, monkeypatch)


def line(**others):
    """Return a line of the log, as every line of an invocation begins."""
    return {"level": "INFO", "service": "slowsched", "request_id": "a-request", "woken_by": "rule"} | others


# --- what comes in, what goes out ------------------------------------------------------------------


def test_an_event_of_the_rule_is_a_wake(stage):
    """What is due is run, the outcome is recorded, the rule is armed for what comes next, and the answer says so."""
    stage.plant()
    stage.plant("later", due=at("2190-01-01T00:00:00Z"))
    with stage.function() as function:
        answer = function.invoke(RULE_EVENT)
    (attempt,) = answer.body["attempts"]
    expected = {"id": "some task", "generation": 1, "attempt": 1, "outcome": "succeeded", "state": "succeeded"}
    assert {name: late(name, value) for name, value in attempt.items()} == expected | {
        "late_seconds": "late",
        "message": '{"noted":"now"}',
    }
    timer = {"armed": "2190-01-01T00:00:00Z", "error": None}
    assert answer == Answer(kind="response", body=stage.report(answer, attempts=[attempt], timer=timer))
    assert (stage.store.get("some task").state, stage.armed()) == (State.SUCCEEDED, "cron(0 0 1 1 ? 2190)")


def test_the_log_and_the_metrics_of_a_wake(stage):
    """Each line of the log is one JSON object: an action's with its attempt, one an attempt, one for the wake."""
    stage.plant("one", payload={"word": "one"})
    with stage.function() as function:
        answer = function.invoke(RULE_EVENT)
        lines = function.lines()
    key = "production/one@2020-01-01T00:00:00Z#1"
    wake = {name: value for name, value in stage.report(answer).items() if name != "errors" and value is not None}
    assert steady(lines) == [
        line(message="noting one", task_id="one", attempt=1, idempotency_key=key),
        line(
            message="attempt succeeded",
            task_id="one",
            generation=1,
            attempt=1,
            outcome="succeeded",
            late_seconds="late",
            state="succeeded",
            said='{"noted":"one"}',
        ),
        line(message="wake", **(wake | {"attempts": 1, "timer": answer.body["timer"]})),
    ]
    assert metrics(lines) == [counted(stage.table, ArmRounds=[2.0], Executed=[1.0], LatenessSeconds=["late"])]


def test_a_failed_attempt_is_logged_and_fails_no_invocation(stage):
    """It is a warning with the action's traceback, and stands in its row; Lambda has nothing to try again."""
    stage.plant(payload={"word": "no", "fail": "never"})
    with stage.function() as function:
        answer = function.invoke(RULE_EVENT)
        lines = function.lines()
    assert (answer.kind, answer.body["dead"]) == ("response", ["some task"])
    (trace,) = [each["exception"] for each in lines if "exception" in each]
    assert trace.splitlines()[-1] == "slowsched.errors.PermanentError: never"
    assert [(each["level"], each["message"]) for each in steady(lines)] == [
        ("INFO", "noting no"),
        ("WARNING", "attempt 1 of some task failed"),
        ("WARNING", "attempt failed"),
        ("INFO", "wake"),
    ]
    assert metrics(lines) == [counted(stage.table, ArmRounds=[2.0], Failed=[1.0], Dead=[1.0], LatenessSeconds=["late"])]


def test_more_lateness_than_a_line_of_metrics_holds(stage):
    """A hundred values are a line; nothing is counted twice."""
    for number in range(120):
        stage.plant(f"task {number:03}", timeout=timedelta(seconds=300))
    with stage.function() as function:
        function.invoke(RULE_EVENT)
        found = metrics(function.lines())
    assert [len(each.get("LatenessSeconds", [])) for each in found] == [100, 20]
    assert [each.get("Executed") for each in found] == [[120.0], None]


def test_an_event_of_the_schedule_is_a_wake(stage):
    """With a schedule the function arms that, whose target is the function itself, by the role of its variables."""
    scheduler = client("scheduler", stage.endpoint)
    settings = TimerSettings(
        kind="schedule",
        name=unique_name("wake"),
        group=unique_name("group"),
        target_arn=ARN,
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/slowsched-scheduler",
    )
    scheduler.create_schedule_group(Name=settings.group)
    make_schedule(scheduler, settings)
    stage.plant()
    stage.plant("later", due=at("2190-01-01T00:00:00Z"))
    own = {
        "SLOWSCHED_TIMER_KIND": "schedule",
        "SLOWSCHED_TIMER_NAME": settings.name,
        "SLOWSCHED_TIMER_GROUP": settings.group,
        "SLOWSCHED_TIMER_ROLE_ARN": settings.role_arn,
    }
    with stage.function(**own) as function:
        answer = function.invoke({"source": "slowsched.schedule"})
        woken_by = {each["woken_by"] for each in steady(function.lines())}
    found = scheduler.get_schedule(Name=settings.name, GroupName=settings.group)
    assert (answer.body["timer"], woken_by) == ({"armed": "2190-01-01T00:00:00Z", "error": None}, {"schedule"})
    assert found["ScheduleExpression"] == "at(2190-01-01T00:00:00)"
    assert (found["Target"]["Arn"], found["Target"]["RoleArn"]) == (settings.target_arn, settings.role_arn)


def test_whatever_comes_is_a_wake(stage):
    """A heartbeat and any other event are wakes as well; what an event says of itself is only named."""
    events = [{"source": "slowsched.heartbeat"}, {"source": "aws.s3"}, {"source": ["aws.events"]}, {}, [], "x", 1, None]
    with stage.function() as function:
        kinds = [function.invoke(event).kind for event in events]
        woken_by = [each["woken_by"] for each in steady(function.lines())]
    assert (kinds, woken_by) == (["response"] * 8, ["heartbeat", *["other"] * 7])


def test_the_function_says_of_itself_what_it_is(stage):
    """The control row holds its version, the format that it writes and its actions; written once."""
    with stage.function() as function:
        function.invoke(RULE_EVENT)
        function.invoke(RULE_EVENT)
    control = stage.store.control()
    assert (control.version, control.worker) == (
        1,
        Worker(slowsched=__version__, row_format=ROW_FORMAT, actions=("NOTE",)),
    )


# --- how it ends -----------------------------------------------------------------------------------


def test_only_what_can_finish_is_begun(stage):
    """With little time left a long task is left for the next wake, for which the timer is armed; a warning says why."""
    stage.plant(timeout=timedelta(minutes=5))
    with stage.function() as function:
        answer = function.invoke(RULE_EVENT, seconds=75)
        lines = steady(function.lines())
    assert (answer.body["attempts"], answer.body["left"]) == ([], 1)
    assert answer.body["timer"]["armed"] is not None
    assert [(each["level"], each["message"]) for each in lines] == [
        ("WARNING", "the function has too little time: set its timeout to 900 seconds"),
        ("INFO", "wake"),
    ]


def test_an_attempt_that_does_not_stop_ends_the_process(stage):
    """Others are settled, the timer is armed, everything is logged; then the process ends without an answer."""
    stage.plant("hung", payload={"word": "hung", "seconds": 600}, timeout=timedelta(seconds=1))
    stage.plant("other", payload={"word": "other"})
    with stage.function() as function:
        answer = function.invoke(RULE_EVENT)
        lines = function.lines()
    hung = stage.store.get("hung")
    assert answer == Answer(kind="ended", body=1)
    assert (hung.state, stage.store.get("other").state) == (State.RUNNING, State.SUCCEEDED)
    assert timedelta(0) <= read_cron(stage.armed()) - hung.claim.lease_end <= timedelta(minutes=3)
    assert [(each["level"], each["message"]) for each in steady(lines)[-3:]] == [
        ("WARNING", "attempt timed-out"),
        ("INFO", "wake"),
        ("ERROR", "an attempt does not stop after its timeout: the process ends with it"),
    ]
    (told,) = metrics(lines)
    assert told == counted(
        stage.table, ArmRounds=told["ArmRounds"], Executed=[1.0], Failed=[1.0], LatenessSeconds=["late"] * 2
    )


def test_actions_that_do_not_import_fail_the_invocation(stage):
    """Nothing is claimed, the log has the module's own traceback; once it is mended the same process goes on."""
    stage.plant()
    stage.write_actions("import nowhere\n")
    with stage.function() as function:
        failed = function.invoke(RULE_EVENT)
        (said,) = steady(function.lines())
        version = stage.store.get("some task").version
        stage.write_actions(ACTIONS)
        mended = function.invoke(RULE_EVENT)
    trace = said.pop("exception")
    assert trace.splitlines()[-1] == "ModuleNotFoundError: No module named 'nowhere'"
    assert said == line(
        level="ERROR",
        message="worker/actions.py does not import: ModuleNotFoundError: No module named 'nowhere'",
        error="ActionsError",
        hint="the traceback above is its own; nothing was claimed",
    )
    assert (failed.kind, failed.body["errorType"], version) == ("error", "ActionsError", 1)
    assert (mended.kind, [each["outcome"] for each in mended.body["attempts"]]) == ("response", ["succeeded"])


def test_a_store_that_does_not_answer_fails_the_invocation(stage):
    """The log has one line with what happened and the way out; no metrics, which an alarm notices."""
    with stage.function(SLOWSCHED_TABLE="nowhere") as function:
        answer = function.invoke(RULE_EVENT)
        lines = function.lines()
    (said,) = steady(lines)
    assert (answer.kind, answer.body["errorType"], metrics(lines)) == ("error", "StoreError", [])
    assert answer.body["errorMessage"] == f"{said['message']}: {said['hint']}"
    assert (said["level"], said["error"]) == ("ERROR", "StoreError")
    assert "nowhere" in said["message"]


def test_a_timer_that_cannot_be_armed_fails_the_invocation(stage):
    """What was due has run and is recorded; the failure is there for an alarm, and for Lambda to try again."""
    stage.plant()
    stage.plant("later", due=at("2190-01-01T00:00:00Z"))
    with stage.function(SLOWSCHED_TIMER_NAME="no-such-rule") as function:
        answer = function.invoke(RULE_EVENT)
        lines = function.lines()
    assert (answer.kind, answer.body["errorType"]) == ("error", "BackendError")
    assert answer.body["errorMessage"].startswith("the timer could not be armed: ")
    assert stage.store.get("some task").state is State.SUCCEEDED
    assert metrics(lines) == [counted(stage.table, Executed=[1.0], ArmRounds=[0.0], LatenessSeconds=["late"])]


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"SLOWSCHED_TABLE": ""}, "the function has no variable SLOWSCHED_TABLE: deploy it with the Terraform module"),
        (
            {"SLOWSCHED_TIMER_KIND": "schedule"},
            "the function has no variable SLOWSCHED_TIMER_GROUP: deploy it with the Terraform module",
        ),
        ({"SLOWSCHED_TIMER_KIND": "alarm"}, "SLOWSCHED_TIMER_KIND is 'alarm': set it to rule or schedule"),
    ],
)
def test_variables_that_are_missing_or_wrong(stage, others, said):
    """The error names the variable and the way out."""
    with stage.function(**others) as function:
        answer = function.invoke(RULE_EVENT)
    assert (answer.kind, answer.body["errorMessage"]) == ("error", said)
