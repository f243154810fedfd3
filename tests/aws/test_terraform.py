"""terraform/ passes Terraform's own checks against today's provider, gives the rights that it says, and fits the code.

What it makes is applied in the story (test_story.py). Here nothing is made, but for what `terraform test` mocks.
"""

from __future__ import annotations

import json
import re

import pytest
from documents import rows, section
from emulators.fixtures import requires
from rights import grants
from terraform_checks import MODULE, checked_copy, run_tests, runs_written, scan, what_iam_says

from slowsched.lambda_metrics import put_metrics
from slowsched.model import Control
from slowsched.reports import WakeReport
from slowsched.store.codec import decode_control
from slowsched.store.dynamodb import AGENDA_INDEX, BUCKETS_MAX, CONTROL_ID
from slowsched.timer.eventbridge import DESCRIPTION, NEVER, read_at, read_cron
from slowsched.timer.schedule import SCHEDULE_INPUT
from slowsched.timing import parse_stamp

README = "terraform/README.md"
ARN = re.compile(r"arn:aws:(\w+):[a-z0-9-]*:123456789012:")

TABLE, AGENDA = "dynamodb table/slowsched", "dynamodb table/slowsched/index/agenda"
WAKE, HEARTBEAT = "events rule/slowsched-wake", "events rule/slowsched-heartbeat"
SCHEDULE = "scheduler schedule/slowsched/slowsched-wake"
FUNCTION, LOGS = "lambda function:slowsched-worker", "logs log-group:/aws/lambda/slowsched-worker:*"
STARTER = "iam role/slowsched-scheduler"

READS = {
    "dynamodb:BatchGetItem": [TABLE],
    "dynamodb:DescribeContinuousBackups": [TABLE],
    "dynamodb:DescribeTable": [TABLE],
    "dynamodb:DescribeTimeToLive": [TABLE],
    "dynamodb:GetItem": [TABLE],
    "dynamodb:Query": [TABLE, AGENDA],
    "events:ListRuleNamesByTarget": ["*"],
    "lambda:GetFunctionConfiguration": [FUNCTION],
    "lambda:GetPolicy": [FUNCTION],
}
WORKS = {
    "dynamodb:BatchGetItem": [TABLE],
    "dynamodb:GetItem": [TABLE],
    "dynamodb:PutItem": [TABLE],
    "dynamodb:Query": [AGENDA],
    "logs:CreateLogStream": [LOGS],
    "logs:PutLogEvents": [LOGS],
    "sqs:SendMessage": ["sqs slowsched-failed"],
}
SETS_RULE = {"events:PutRule": [WAKE]}
SETS_SCHEDULE = {"iam:PassRole to scheduler.amazonaws.com": [STARTER], "scheduler:UpdateSchedule": [SCHEDULE]}
LOOKS_AT_RULE = {"events:DescribeRule": [HEARTBEAT, WAKE], "events:ListTargetsByRule": [WAKE]}
LOOKS_AT_SCHEDULE = {
    "events:DescribeRule": [HEARTBEAT],
    "iam:SimulatePrincipalPolicy": [STARTER],
    "scheduler:GetSchedule": [SCHEDULE],
}
RIGHTS = {
    "rule": {
        "plan": READS | LOOKS_AT_RULE,
        "apply": READS | LOOKS_AT_RULE | {"dynamodb:PutItem": [TABLE]} | SETS_RULE,
        "worker": WORKS | {"events:DescribeRule": [WAKE]} | SETS_RULE,
    },
    "schedule": {
        "plan": READS | LOOKS_AT_SCHEDULE,
        "apply": READS | LOOKS_AT_SCHEDULE | {"dynamodb:PutItem": [TABLE]} | SETS_SCHEDULE,
        "worker": WORKS | {"scheduler:GetSchedule": [SCHEDULE]} | SETS_SCHEDULE,
        "scheduler": {"lambda:InvokeFunction": [FUNCTION], "sqs:SendMessage": ["sqs slowsched-undelivered"]},
    },
}


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Return a copy of terraform/ that is ready to be checked, as it is."""
    requires("terraform", "provider-schema")
    return checked_copy(tmp_path_factory.mktemp("as-it-is"))


@pytest.fixture(scope="module")
def done(checked):
    """Return what the module's own tests came to."""
    return run_tests(checked.module, rendered=True)


TYPOS = [
    ("table.tf", "deletion_protection_enabled", "deletion_protection", "Unsupported argument"),
    ("timer.tf", "dead_letter_config {", "dead_letters {", "Unsupported block type"),
    ("function.tf", "= [var.architecture]", "= {}", "Incorrect attribute value type"),
    ("queues.tf", "aws_sqs_queue.failed.arn", "aws_sqs_queue.lost.arn", "Reference to undeclared resource"),
    ("outputs.tf", "aws_iam_role.plan.arn", "aws_iam_role.plan.arm", "Unsupported attribute"),
]
FAULTS = [
    ("table.tf", '"KEYS_ONLY"', '"ALL"', "The table is not the one that slowsched works on"),
    ("table.tf", "== var.buckets", "> 0", "Missing expected failure"),
    ("timer.tf", "rate(15 minutes)", "rate(1 hour)", "The heartbeat is not every 15 minutes"),
    ("github.tf", '"Deny"', '"Allow"', "Somebody may plan or apply who was not named"),
    ("alarms.tf", '"breaching"', '"missing"', "An alarm is missing, or looks elsewhere"),
]
WEAKNESSES = [
    ("queues.tf", "sqs_managed_sse_enabled   = true", "sqs_managed_sse_enabled   = false", "CKV_AWS_27"),
    ("roles.tf", 'Action   = "dynamodb:PutItem"', 'Action   = "*"', "CKV_AWS_63"),
    ("table.tf", "recovery {\n    enabled = true", "recovery {\n    enabled = false", "CKV_AWS_28"),
]


# --- Terraform's own checks ------------------------------------------------------------------------


def test_it_is_written_as_terraform_writes_it(checked):
    """`terraform fmt` would change no file."""
    assert checked.whole.unformatted() == []


def test_it_is_valid_for_todays_provider(checked):
    """`terraform validate` finds nothing wrong with the module, nor with the example that uses it."""
    assert (checked.module.validate(), checked.example.validate()) == ([], [])


@pytest.mark.parametrize(("file", "here", "instead", "found"), TYPOS)
def test_a_typo_is_found(file, here, instead, found, checked):
    """`terraform validate` finds a mistake in any of the files, and nothing else."""
    with checked.planted((file, here, instead)):
        problems = checked.module.validate()

    assert [[place.split(":")[0], what] for place, what, *_ in (each.split(": ") for each in problems)] == [
        [file, found]
    ]


def test_its_own_tests_pass(done):
    """`terraform test` passes every run that is written in the module's tests."""
    assert (done.passed, done.failed) == (runs_written(), 0)


def test_faults_are_found(checked):
    """`terraform test` fails where the module is valid and wrong, and says each thing that is."""
    with checked.planted(*(place for *place, _ in FAULTS)):
        done = run_tests(checked.module)

    said = "\n".join(done.why)
    assert [message for *_, message in FAULTS if message not in said] == []


# --- who may do what -------------------------------------------------------------------------------


def _granted(done, run):
    """Return what each role may do, by its name: actions and resources, these without the words that all share."""
    found = {}
    for values in [each["values"] for each in done.resources[run] if each["type"] == "aws_iam_role_policy"]:
        role = "worker" if values["name"] == "timer" else values["name"].replace("wake", "scheduler")
        for grant in grants(role, json.loads(values["policy"])):
            action = f"{grant.action} to {grant.passed_to}" if grant.passed_to else grant.action
            found.setdefault(role, {}).setdefault(action, set()).add(ARN.sub(r"\1 ", grant.resource))
    return {role: {action: sorted(each) for action, each in actions.items()} for role, actions in found.items()}


@pytest.mark.parametrize("kind", ["rule", "schedule"])
def test_a_role_may_do_this_and_no_more(kind, done):
    """The rendered policies give each role these actions on these resources."""
    wanted = {role: {action: sorted(on) for action, on in actions.items()} for role, actions in RIGHTS[kind].items()}
    assert _granted(done, kind) == wanted


@pytest.mark.parametrize("kind", ["rule", "schedule"])
def test_a_statement_says_what_it_is_for(kind, done):
    """Every policy is a document of today's version, and no two of its statements have the same name."""
    documents = [
        json.loads(each["values"][key])
        for each in done.resources[kind]
        for key in ("policy", "assume_role_policy")
        if each["type"].startswith(("aws_iam_role", "aws_sqs_queue_policy", "aws_sns_topic_policy"))
        and each["values"].get(key)
    ]
    names = [[statement["Sid"] for statement in each["Statement"]] for each in documents]

    assert {each["Version"] for each in documents} == {"2012-10-17"}
    assert [sorted(each) for each in names] == [sorted(set(each)) for each in names]


@pytest.mark.parametrize("kind", ["rule", "schedule"])
def test_iam_knows_every_right(kind, done, tmp_path):
    """Every action exists, and is narrowed to a resource of a kind that it takes, wherever it takes one."""
    requires("checkov")
    # All that is below a log group are its streams.
    pairs = {
        (grant.action, re.sub(r"(:log-group:[^:]*):\*$", r"\1:log-stream:*", grant.resource))
        for values in done.values(kind, "aws_iam_role_policy").values()
        for grant in grants("any", json.loads(values["policy"]))
    }
    wrong = [("dynamodb:PutRow", "*"), ("dynamodb:PutItem", "*"), ("events:PutRule", "arn:aws:sqs:eu-west-1:1:q")]

    assert what_iam_says(pairs, tmp_path) == []
    assert len(what_iam_says(wrong, tmp_path)) == len(wrong)


# --- it fits the code ------------------------------------------------------------------------------


def test_the_control_row_is_one(done):
    """The item that Terraform makes is the control row of a table that nobody has used, with its buckets."""
    item = json.loads(done.values("rule", "aws_dynamodb_table_item")["control"]["item"])
    plain = {name: int(value["N"]) if "N" in value else value["S"] for name, value in item.items()}

    assert decode_control(plain) == Control(version=1)
    assert (plain["bucket"], plain["id"], plain["buckets"]) == (0, CONTROL_ID, 1)


def test_the_index_is_the_one_that_is_asked(done):
    """The index has the name that the store asks for, and the table can have as many buckets as it takes."""
    table = done.values("rule", "aws_dynamodb_table")["this"]
    refused = f"var.buckets <= {BUCKETS_MAX} &&"

    assert [each["name"] for each in table["local_secondary_index"]] == [AGENDA_INDEX]
    assert refused in (MODULE / "variables.tf").read_text(encoding="utf-8")


def test_arming_changes_nothing_but_the_moment(done):
    """Rule and schedule begin as slowsched writes them, with the moment that counts as none."""
    rule = done.values("rule", "aws_cloudwatch_event_rule")["wake"]
    schedule = done.values("schedule", "aws_scheduler_schedule")["wake"]

    assert (rule["description"], read_cron(rule["schedule_expression"])) == (DESCRIPTION, NEVER)
    assert (schedule["description"], read_at(schedule["schedule_expression"])) == (DESCRIPTION, NEVER)
    assert schedule["target"][0]["input"] == SCHEDULE_INPUT


@pytest.mark.parametrize("resource", ["aws_cloudwatch_event_rule", "aws_scheduler_schedule"])
def test_an_armed_timer_is_left_alone(resource):
    """Terraform plans no change of the expression of either timer, and ignores nothing else of it."""
    text = (MODULE / "timer.tf").read_text(encoding="utf-8")
    block = re.search(rf'^resource "{resource}" "wake" .*?^}}', text, re.MULTILINE | re.DOTALL)
    assert re.findall(r"ignore_changes = (.*)", block[0]) == ["[schedule_expression]"]


def test_alarms_look_at_what_the_function_writes(done, capsys):
    """Every alarm on a metric of slowsched names one that a wake writes, with the dimension that it has there."""
    put_metrics(WakeReport(environment="aws", now=parse_stamp("2030-01-01T00:00:00.000000Z")), table="slowsched")
    line = json.loads(capsys.readouterr().out)
    [written] = line["_aws"]["CloudWatchMetrics"]
    alarms = [each["values"] for each in done.resources["rule"] if each["type"] == "aws_cloudwatch_metric_alarm"]
    ours = [each for each in alarms if each["namespace"] == written["Namespace"]]

    assert sorted(each["metric_name"] for each in ours) == ["Dead", "OldestOverdueSeconds", "Wakes"]
    assert {each["metric_name"] for each in ours} <= {each["Name"] for each in written["Metrics"]}
    assert [[list(each["dimensions"])] for each in ours] == [written["Dimensions"]] * 3
    assert {each["dimensions"]["table"] for each in ours} == {line["table"]}


# --- its documents ---------------------------------------------------------------------------------


def test_the_readme_lists_inputs_and_outputs():
    """The tables of the README are the variables and outputs of the module, with their own words."""
    variables = (MODULE / "variables.tf").read_text(encoding="utf-8")
    outputs = (MODULE / "outputs.tf").read_text(encoding="utf-8")
    inputs = []
    for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', variables, re.MULTILINE | re.DOTALL):
        found = dict(re.findall(r"^  (\w+) +=  *(.*)$", body, re.MULTILINE))
        default = f"`{found['default']}`" if "default" in found else "required"
        inputs.append([f"`{name}`", found["type"], default, json.loads(found["description"])])
    given = re.findall(r'^output "(\w+)" \{\n  description = (".*")', outputs, re.MULTILINE)

    assert rows(section(README, "Inputs")) == inputs
    assert rows(section(README, "Outputs")) == [[f"`{name}`", json.loads(text)] for name, text in given]


# --- the scanner -----------------------------------------------------------------------------------


def test_the_scanner_finds_nothing(checked):
    """Every check of checkov passes, but for the exceptions, each of which is needed and has its reason."""
    requires("checkov")
    found = scan(checked.folder)
    written = sorted(
        tuple(each)
        for file in sorted(checked.folder.rglob("*.tf"))
        for each in re.findall(r"^ +#checkov:skip=(\w+):(\S.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    )
    taken = {(each["check_id"], each["check_result"]["suppress_comment"]) for each in found["skipped_checks"]}

    assert [f"{each['check_id']} {each['resource']}" for each in found["failed_checks"]] == []
    assert found["parsing_errors"] == []
    assert taken == set(written)


def test_weaknesses_are_found(checked):
    """The scanner finds each thing that is planted."""
    requires("checkov")
    with checked.planted(*(place for *place, _ in WEAKNESSES)):
        found = {each["check_id"] for each in scan(checked.folder)["failed_checks"]}

    assert found >= {check for *_, check in WEAKNESSES}
