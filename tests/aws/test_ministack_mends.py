"""MiniStack does what its mends say: each is shown by what happens with it, and without it.

When rules and schedules fire is in `test_ministack_clock.py`.
"""

from __future__ import annotations

import io
import json
import time
import urllib.parse
import urllib.request
import zipfile
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from emulators.fixtures import ACCOUNT, REGION, client, requires, unique_name
from emulators.ministack import ministack

WITHOUT = (
    *("rules-count-from-their-put", "puts-replace-everything", "schedules-can-be-set-again"),
    *("functions-are-invoked-asynchronously", "targets-need-a-permission", "destinations-need-a-right"),
    *("resources-are-named-as-on-aws", "alarms-are-described-whole"),
)
NAMES_AND_ROLES = (
    *("resources-are-named-as-on-aws", "refusals-name-the-resource", "schedules-need-their-role-passed"),
)
ANSWER_SECONDS = 30  # until something that must happen has happened; generous
QUIET_SECONDS = 1  # of what must not happen: many times as long as it takes where it does

# Says that it was called, and with what; then fails, if told so.
HANDLER = """
import json, os, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    if os.environ["FAIL"] == "yes":
        raise RuntimeError("told to")
"""
LOOKS_ROUND = """
from importlib.util import find_spec
def handler(event, context):
    return [name for name in ("boto3", "botocore", "ministack", "yaml") if find_spec(name)]
"""


# --- rules, targets, functions ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain_endpoint(tmp_path_factory):
    """Return the address of a MiniStack as it comes, but for its clock and the interpreter of functions."""
    requires("ministack")
    with ministack(tmp_path_factory.mktemp("plain"), without=WITHOUT, retry_seconds=0.1) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def mended_endpoint(tmp_path_factory):
    """Return the address of a mended MiniStack whose Lambda tries again soon."""
    requires("ministack")
    with ministack(tmp_path_factory.mktemp("mended"), retry_seconds=0.1) as endpoint:
        yield endpoint


def _queue(endpoint, name, policy=None):
    attributes = {"Policy": json.dumps(policy)} if policy else {}
    url = client("sqs", endpoint).create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return SimpleNamespace(url=url, arn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")


def _messages(endpoint, queue, count, *, seconds=ANSWER_SECONDS):
    """Return the messages of a queue: as soon as there are so many, else what came in some seconds."""
    found = []
    deadline = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        request = {"QueueUrl": queue.url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
        found += client("sqs", endpoint).receive_message(**request).get("Messages", [])
        time.sleep(0.05)
    return found


def _role(endpoint, name, service, *statements, source=None):
    def document(*parts):
        return json.dumps({"Version": "2012-10-17", "Statement": list(parts)})

    only = {"Condition": {"StringEquals": {"aws:SourceArn": source, "aws:SourceAccount": ACCOUNT}}} if source else {}
    trust = document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole", **only})
    iam = client("iam", endpoint)
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
    return arn


def _allow(action, resource):
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def _function(endpoint, *, code=HANDLER, fail="no", role="arn:aws:iam::123456789012:role/nobody"):
    """Make a function that tells a queue of its calls; with a rule for the events of a source of its name."""
    name = unique_name("function")
    told = _queue(endpoint, f"{name}-told")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", code)
    functions = client("lambda", endpoint)
    arn = functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="index.handler",
        Role=role,
        Code={"ZipFile": packed.getvalue()},
        Environment={"Variables": {"QUEUE": told.url, "FAIL": fail}},
        Timeout=30,
    )["FunctionArn"]
    rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"
    client("events", endpoint).put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    return SimpleNamespace(name=name, arn=arn, told=told, rule=rule)


def _permit(endpoint, function, source):
    client("lambda", endpoint).add_permission(
        FunctionName=function.name,
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=source,
    )


def _fire(endpoint, function, **target):
    """Make the rule of a function fire."""
    events = client("events", endpoint)
    events.put_targets(Rule=function.name, Targets=[{"Id": "1", "Arn": function.arn, **target}])
    events.put_events(Entries=[{"Source": function.name, "DetailType": "test", "Detail": "{}"}])


@pytest.mark.parametrize(
    ("which", "described"),
    [
        ("mended_endpoint", {"State": "ENABLED", "ScheduleExpression": "rate(15 minutes)"}),
        (
            "plain_endpoint",
            {
                "State": "DISABLED",
                "Description": "heartbeat",
                "RoleArn": "arn:aws:iam::123456789012:role/r",
                "ScheduleExpression": "rate(15 minutes)",
            },
        ),
    ],
)
def test_a_put_of_a_rule_replaces_everything(which, described, request):
    """What a second put of a rule leaves out is reset."""
    events = client("events", request.getfixturevalue(which))
    name = unique_name("rule")
    full = {"State": "DISABLED", "Description": "heartbeat", "RoleArn": "arn:aws:iam::123456789012:role/r"}
    events.put_rule(Name=name, ScheduleExpression="rate(10 minutes)", **full)
    events.put_rule(Name=name, ScheduleExpression="rate(15 minutes)")

    found = events.describe_rule(Name=name)

    assert {key: found[key] for key in ("State", "Description", "RoleArn", "ScheduleExpression") if key in found} == (
        described
    )


@pytest.mark.parametrize(("which", "tags"), [("mended_endpoint", []), ("plain_endpoint", ["late"])])
def test_a_put_of_a_rule_that_is_there_takes_no_tags(which, tags, request):
    """Tags of a second put are passed over."""
    events = client("events", request.getfixturevalue(which))
    name = unique_name("rule")
    arn = events.put_rule(Name=name, ScheduleExpression="rate(10 minutes)")["RuleArn"]
    events.put_rule(Name=name, ScheduleExpression="rate(10 minutes)", Tags=[{"Key": "late", "Value": "yes"}])

    assert [tag["Key"] for tag in events.list_tags_for_resource(ResourceARN=arn)["Tags"]] == tags


@pytest.mark.parametrize(("which", "calls"), [("mended_endpoint", 3), ("plain_endpoint", 1)])
def test_a_failed_event_is_tried_again(which, calls, request):
    """The event of a rule goes into Lambda's queue: a function that fails is called three times."""
    endpoint = request.getfixturevalue(which)
    function = _function(endpoint, fail="yes")
    _permit(endpoint, function, function.rule)

    _fire(endpoint, function)

    found = _messages(endpoint, function.told, calls) + _messages(endpoint, function.told, 1, seconds=QUIET_SECONDS)
    assert len(found) == calls


@pytest.mark.parametrize(
    ("which", "permitted", "calls", "dead"),
    [
        ("mended_endpoint", "rule", 1, []),
        ("mended_endpoint", "rule-of-another", 0, ["NO_PERMISSIONS"]),
        ("mended_endpoint", None, 0, ["NO_PERMISSIONS"]),
        ("plain_endpoint", None, 1, []),
    ],
)
def test_a_rule_needs_a_permission(which, permitted, calls, dead, request):
    """Without a permission of the function for this rule the event goes to the target's dead-letter queue."""
    endpoint = request.getfixturevalue(which)
    function = _function(endpoint)
    if permitted:
        _permit(endpoint, function, function.rule.replace("rule/", f"{permitted}/"))
    principal = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    mine = {"ArnEquals": {"aws:SourceArn": function.rule}}
    letters = _queue(
        endpoint, f"{function.name}-dead", {"Statement": [{**principal, "Resource": "*", "Condition": mine}]}
    )

    _fire(endpoint, function, DeadLetterConfig={"Arn": letters.arn})

    called = _messages(endpoint, function.told, calls) if calls else []
    called += _messages(endpoint, function.told, 1, seconds=QUIET_SECONDS)
    found = _messages(endpoint, letters, len(dead)) if dead else _messages(endpoint, letters, 1, seconds=0.2)
    codes = [each["MessageAttributes"]["ERROR_CODE"]["StringValue"] for each in found]
    assert (len(called), codes) == (calls, dead)


def test_a_dead_letter_queue_needs_a_policy(mended_endpoint):
    """A queue whose policy does not let EventBridge write gets no dead letter."""
    function = _function(mended_endpoint)
    letters = _queue(mended_endpoint, f"{function.name}-dead")

    _fire(mended_endpoint, function, DeadLetterConfig={"Arn": letters.arn})

    assert _messages(mended_endpoint, letters, 1, seconds=QUIET_SECONDS) == []


@pytest.mark.parametrize(
    ("which", "allowed", "group", "calls"),
    [
        ("mended_endpoint", "lambda:InvokeFunction", "default", 1),
        ("mended_endpoint", "lambda:InvokeFunction", "another", 0),
        ("mended_endpoint", "sqs:SendMessage", "default", 0),
        ("plain_endpoint", "sqs:SendMessage", "another", 1),
    ],
)
def test_a_schedule_acts_with_the_role_of_its_target(which, allowed, group, calls, request):
    """A schedule acts only if its role trusts its group, and may; a dead letter is written with the same role."""
    endpoint = request.getfixturevalue(which)
    function = _function(endpoint)
    letters = _queue(endpoint, f"{function.name}-dead")
    trusted = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{group}"
    role = _role(endpoint, function.name, "scheduler.amazonaws.com", _allow(allowed, "*"), source=trusted)
    soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 6))
    client("scheduler", endpoint).create_schedule(
        Name=function.name,
        ScheduleExpression=f"at({soon})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": function.arn, "RoleArn": role, "Input": "{}", "DeadLetterConfig": {"Arn": letters.arn}},
    )

    dead = int(not calls and group == "default")
    told = _messages(endpoint, function.told, 1, seconds=ANSWER_SECONDS if calls else 8)
    found = _messages(endpoint, letters, 1, seconds=ANSWER_SECONDS if dead else QUIET_SECONDS)
    assert (len(told), len(found)) == (calls, dead)


@pytest.mark.parametrize(
    ("which", "allowed", "arrives"),
    [("mended_endpoint", True, 1), ("mended_endpoint", False, 0), ("plain_endpoint", False, 1)],
)
def test_a_failure_destination_needs_a_right(which, allowed, arrives, request):
    """An event that failed for good reaches its destination only if the function's role may write there."""
    endpoint = request.getfixturevalue(which)
    failures = _queue(endpoint, unique_name("failures"))
    statements = [_allow("sqs:SendMessage", failures.arn)] if allowed else []
    role = _role(endpoint, unique_name("worker"), "lambda.amazonaws.com", *statements)
    function = _function(endpoint, fail="yes", role=role)
    functions = client("lambda", endpoint)
    destination = {"OnFailure": {"Destination": failures.arn}}
    functions.put_function_event_invoke_config(FunctionName=function.name, DestinationConfig=destination)

    functions.invoke(FunctionName=function.name, InvocationType="Event", Payload=b"{}")

    assert len(_messages(endpoint, function.told, 3)) == 3
    seconds = ANSWER_SECONDS if arrives else QUIET_SECONDS
    assert len(_messages(endpoint, failures, 1, seconds=seconds)) == arrives


@pytest.mark.parametrize(
    ("without", "found"),
    [((), ["boto3", "botocore"]), (("functions-have-an-interpreter-of-their-own",), ["botocore", "ministack", "yaml"])],
)
def test_a_function_finds_only_what_lambda_brings(without, found, tmp_path):
    """A function has boto3, and nothing that MiniStack has installed for itself."""
    requires("ministack")
    with ministack(tmp_path, without=without) as endpoint:
        function = _function(endpoint, code=LOOKS_ROUND)
        answer = client("lambda", endpoint).invoke(FunctionName=function.name)
        assert json.loads(answer["Payload"].read()) == found


# --- alarms ----------------------------------------------------------------------------------------


def _asked_the_old_way(endpoint, name):
    """Return CloudWatch's answer about an alarm in the protocol that the older provider of Terraform speaks."""
    body = urllib.parse.urlencode({"Action": "DescribeAlarms", "Version": "2010-08-01", "AlarmNames.member.1": name})
    scope = f"Credential={ACCOUNT}/20300101/{REGION}/monitoring/aws4_request"
    signed = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
    asked = urllib.request.Request(endpoint, body.encode(), signed)  # noqa: S310 - a loopback address
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
        return answer.read().decode()


@pytest.mark.parametrize(("which", "whole"), [("mended_endpoint", True), ("plain_endpoint", False)])
def test_an_alarm_is_described_whole(which, whole, request):
    """The older protocol tells of an alarm what was put, too; else every plan of Terraform has changes."""
    endpoint = request.getfixturevalue(which)
    name = unique_name("alarm")
    client("cloudwatch", endpoint).put_metric_alarm(
        AlarmName=name,
        AlarmDescription="dead & gone",
        Namespace="slowsched",
        MetricName="Dead",
        Dimensions=[{"Name": "table", "Value": "shop"}],
        Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
        Period=300,
        EvaluationPeriods=1,
        TreatMissingData="notBreaching",
        AlarmActions=["arn:aws:sns:eu-central-1:123456789012:topic"],
    )

    answer = _asked_the_old_way(endpoint, name)

    told = [
        "<AlarmDescription>dead &amp; gone</AlarmDescription>",
        "<Statistic>Sum</Statistic>",
        "<Period>300</Period>",
        "<TreatMissingData>notBreaching</TreatMissingData>",
        "<AlarmActions><member>arn:aws:sns:eu-central-1:123456789012:topic</member></AlarmActions>",
        "<Dimensions><member><Name>table</Name><Value>shop</Value></member></Dimensions>",
    ]
    assert [each for each in told if each in answer] == (told if whole else [])


# --- rights ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["mended", "plain"])
def guarded(request, tmp_path_factory):
    """Return a MiniStack that checks rights, with the mends of them or without, and what it is."""
    requires("ministack")
    without = () if request.param == "mended" else NAMES_AND_ROLES
    with ministack(tmp_path_factory.mktemp("guarded"), auth=True, without=without) as endpoint:
        yield SimpleNamespace(endpoint=endpoint, mended=request.param == "mended")


def _user(endpoint, *statements):
    """Return the keys of a user with these rights."""
    iam = client("iam", endpoint)
    name = unique_name("user")
    iam.create_user(UserName=name)
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def _refused(call, **arguments):
    """Return the code with which a call is refused, or nothing."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def test_rights_on_a_rule_are_on_its_name(guarded):
    """A right on `rule/NAME` allows to put that rule and to look at its targets, and no other rule."""
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/wake"
    keys = _user(guarded.endpoint, _allow(["events:PutRule", "events:ListTargetsByRule"], arn))
    events = client("events", guarded.endpoint, **keys)

    refused = [
        _refused(events.put_rule, Name="wake", ScheduleExpression="rate(1 day)"),
        _refused(events.list_targets_by_rule, Rule="wake"),
        _refused(events.put_rule, Name="other", ScheduleExpression="rate(1 day)"),
    ]

    denied = "AccessDeniedException"
    assert refused == (["", "", denied] if guarded.mended else [denied, denied, denied])


def test_rights_on_a_schedule_are_on_its_group(guarded):
    """A right on `schedule/GROUP/NAME` allows to look at that schedule, and at none of another group."""
    arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/slowsched/wake"
    keys = _user(guarded.endpoint, _allow("scheduler:GetSchedule", arn))
    scheduler = client("scheduler", guarded.endpoint, **keys)

    refused = [
        _refused(scheduler.get_schedule, GroupName="slowsched", Name="wake"),
        _refused(scheduler.get_schedule, GroupName="default", Name="wake"),
    ]

    denied = "AccessDeniedException"
    assert refused == (["ResourceNotFoundException", denied] if guarded.mended else [denied, denied])


def test_who_writes_a_schedule_passes_its_role(guarded):
    """To set a schedule one needs a right on its role, too, and for EventBridge Scheduler."""
    name = unique_name("wake")
    role = _role(guarded.endpoint, name, "scheduler.amazonaws.com")
    to_scheduler = {"Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}}
    to_lambda = {"Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}}
    write = _allow("scheduler:*", "*")
    schedule = {
        "Name": name,
        "ScheduleExpression": "at(2199-01-01T00:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:worker", "RoleArn": role},
    }

    def written(rights, call):
        keys = _user(guarded.endpoint, write, *rights)
        return _refused(getattr(client("scheduler", guarded.endpoint, **keys), call), **schedule)

    refused = [
        written([], "create_schedule"),
        written([{**_allow("iam:PassRole", role), **to_lambda}], "create_schedule"),
        written([{**_allow("iam:PassRole", role), **to_scheduler}], "create_schedule"),
        written([], "update_schedule"),
    ]

    denied = "AccessDeniedException"
    expected = [denied, denied, "", denied] if guarded.mended else ["", "ConflictException", "ConflictException", ""]
    assert refused == expected


def test_a_refusal_names_the_resource(guarded):
    """A refusal by a policy says on which resource, as AWS does."""
    keys = _user(guarded.endpoint, _allow("sts:GetCallerIdentity", "*"))

    with pytest.raises(ClientError) as error:
        client("dynamodb", guarded.endpoint, **keys).get_item(TableName="shop", Key={"id": {"S": "a"}})

    named = f" on resource: arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/shop because" in str(error.value)
    assert named == guarded.mended
