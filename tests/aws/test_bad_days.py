"""Bad days on AWS, from the command line: each is said with the way out, in time, and nothing is lost.

Commands are real processes; AWS is MiniStack, where need be behind a proxy that answers in its place.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from emulators.fault_proxy import fault_proxy
from emulators.fixtures import ACCOUNT, REGION, client, requires, unique_name
from emulators.ministack import ministack
from on_aws import account_on, make_rule, make_schedule, variables
from tables import make_table, put
from values import a_row, at

from slowsched.errors import StoreError
from slowsched.store.codec import ROW_FORMAT, encode_row
from slowsched.store.dynamodb import DynamoStore
from slowsched.timer.settings import TimerSettings
from slowsched.timing import stamp

if TYPE_CHECKING:
    from pathlib import Path

SECONDS_MAX = 90  # in which a command ends, whatever AWS does
MANY = 10**6
AHEAD = "2190-01-01T00:00:00Z"
SOONER = "2180-01-01T00:00:00Z"
PLAN = ("plan",)
APPLY = ("apply", "--yes", "--allow-dirty")
WORKER = ("worker",)
ARM = ("arm",)
COMMANDS = (PLAN, APPLY, WORKER, ARM)
ACTION = 'from slowsched import action\n\n\n@action("NOTE")\ndef note(payload, attempt):\n    return None\n'

CREDENTIALS = "set AWS_PROFILE or AWS_ACCESS_KEY_ID, `aws sso login`, or give the CI job a role"
LOG_IN = "log in again (`aws sso login`, or whatever gives you credentials), and run it again"
MISSING = "look at region, table and timer of this environment in slowsched.yaml; terraform/ makes what is missing"
TIMER_MISSING = "look at region and timer of this environment in slowsched.yaml; terraform/ makes what is missing"
NETWORK = "look at the network, at `region` and AWS_ENDPOINT_URL, and run it again: nothing is lost"
LATER = "run it again later, nothing is lost; if it goes on, look at who else calls so often, and at the quotas"
BROKEN = "run it again later, nothing is lost; health.aws.amazon.com says what AWS knows of it"
CLOCK = "set this machine's clock (it must be within five minutes of AWS's), and run it again"
OTHER_TABLE = "make it with terraform/: keys `bucket` (number) and `id` (text), local secondary index `agenda`"
PROXY = "by the proxy of the tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A repository with one task, and its environment `production` on an emulator."""

    folder: Path
    endpoint: str
    table: str
    timer: TimerSettings

    def __post_init__(self) -> None:
        files = {
            "schemas/actions/NOTE.schema.json": '{"type": "object"}',
            "worker/actions.py": ACTION,
            "slowsched.yaml": self._config(),
        }
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, encoding="utf-8")
        self.declare("a")

    def _config(self, **changed: Any) -> str:
        timer = {"kind": self.timer.kind, "name": self.timer.name}
        if self.timer.kind == "schedule":
            timer |= {"group": self.timer.group, "target_arn": self.timer.target_arn, "role_arn": self.timer.role_arn}
        settings = {"backend": "aws", "region": REGION, "table": self.table, "timer": timer} | changed
        return json.dumps({"version": 1, "owner": "acme/shop", "environments": {"production": settings}})

    def configure(self, **changed: Any) -> None:
        """Write the settings anew, with these changed."""
        (self.folder / "slowsched.yaml").write_text(self._config(**changed), encoding="utf-8")

    def declare(self, task_id: str, due: str = AHEAD, **payload: Any) -> None:
        """Write the file of a task."""
        (self.folder / "tasks").mkdir(exist_ok=True)
        document = {"id": task_id, "due": due, "action": "NOTE", "payload": payload}
        (self.folder / "tasks" / f"{task_id}.json").write_text(json.dumps(document), encoding="utf-8")

    def run(self, words: tuple[str, ...], *, without: tuple[str, ...] = (), **others: str) -> Ran:
        """Run a command to its end, which must come in time and without a traceback."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GITHUB_"))}
        found = variables(self.endpoint, **others)
        environment = kept | {name: value for name, value in found.items() if name not in without}
        done = subprocess.run(
            [sys.executable, "-m", "slowsched", "--env", "production", *words],
            cwd=self.folder,
            env={**environment, "GIT_CEILING_DIRECTORIES": str(self.folder.parent), "COLUMNS": "400"},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return Ran(status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def rows(self) -> list[tuple[str, str]]:
        """Return id and state of every row; the control row is none."""
        items = client("dynamodb", self.endpoint).scan(TableName=self.table, ConsistentRead=True)["Items"]
        return sorted((item["id"]["S"], item["state"]["S"]) for item in items if "state" in item)

    def armed(self) -> str:
        """Return the expression of the rule."""
        rule = client("events", self.endpoint).describe_rule(Name=self.timer.name)
        return str(rule["ScheduleExpression"])


def refused(message: str, way_out: str, status: int = 1) -> Ran:
    """Return how a command ends that did nothing but say why."""
    return Ran(status=status, stdout="", stderr=f"slowsched: error: {message}: {way_out}\n")


def make_shop(folder: Path, endpoint: str) -> Shop:
    """Make a table and a rule, and a repository for them."""
    timer = TimerSettings(kind="rule", name=unique_name("wake"))
    table = unique_name("rows")
    make_table(client("dynamodb", endpoint), table)
    make_rule(client("events", endpoint), timer.name)
    return Shop(folder=folder, endpoint=endpoint, table=table, timer=timer)


@pytest.fixture
def shop(tmp_path, ministack_endpoint):
    """Return a repository on MiniStack."""
    return make_shop(tmp_path / "shop", ministack_endpoint)


@pytest.fixture
def proxy(ministack_endpoint):
    """Return a proxy before MiniStack."""
    with fault_proxy(ministack_endpoint) as proxy:
        yield proxy


def through(proxy):
    """Return the variables with which a command takes the way through a proxy."""
    return {"AWS_ENDPOINT_URL": proxy.url}


def is_row(request):
    """Say whether a request writes a task's row."""
    return request.operation == "PutItem" and "state" in request.document["Item"]


# --- credentials -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_no_credentials(shop, command):
    """Nothing on this machine gives any."""
    ran = shop.run(command, without=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    assert ran == refused(
        f"cannot read the table {shop.table!r}: there are no AWS credentials (Unable to locate credentials)",
        CREDENTIALS,
    )


def test_a_profile_that_does_not_exist(shop):
    """The profile is named."""
    ran = shop.run(PLAN, AWS_PROFILE="nobody")
    what = "the AWS profile does not exist (The config profile (nobody) could not be found)"
    way_out = "correct AWS_PROFILE, or write that profile"
    assert ran == refused(f"cannot read the table {shop.table!r}: {what}", way_out)


CREDENTIALS_REFUSED = {
    "ExpiredTokenException": ("the AWS credentials have expired", LOG_IN),
    "UnrecognizedClientException": (
        "AWS does not know these credentials",
        f"{CREDENTIALS}; or the account has not enabled this region",
    ),
    "RequestTimeTooSkewed": ("the clocks differ", CLOCK),
}


@pytest.mark.parametrize("code", CREDENTIALS_REFUSED)
def test_credentials_that_aws_refuses(shop, proxy, code):
    """Expired, unknown, or signed by a clock that is off: one line each, and nothing is written."""
    what, way_out = CREDENTIALS_REFUSED[code]
    proxy.answer_error(400, code, MANY)
    assert shop.run(APPLY, **through(proxy)) == refused(
        f"cannot read the table {shop.table!r}: {what} ({PROXY})", way_out
    )
    assert shop.rows() == []


def test_another_account_than_expected(shop):
    """No call but the one that asks for the account is made before it is found out."""
    shop.configure(expected_account="999999999999")
    for command in COMMANDS:
        assert shop.run(command) == refused(
            f"the credentials belong to account {ACCOUNT}, and this environment expects 999999999999",
            "use other credentials (AWS_PROFILE), or correct `expected_account` in slowsched.yaml",
        )
    assert shop.rows() == []


# --- permissions -----------------------------------------------------------------------------------

READS = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "events:DescribeRule"]


def give(endpoint, user, actions):
    """Let a user do these actions, and nothing else."""
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("iam", endpoint).put_user_policy(UserName=user, PolicyName="all", PolicyDocument=policy)


@pytest.fixture
def guarded(tmp_path):
    """Return a repository on a MiniStack that checks rights, the name of a user, and the user's key as variables."""
    requires("ministack")
    with ministack(tmp_path, auth=True) as endpoint:
        iam, user = client("iam", endpoint), unique_name("user")
        iam.create_user(UserName=user)
        key = iam.create_access_key(UserName=user)["AccessKey"]
        variables_of_user = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        yield make_shop(tmp_path / "shop", endpoint), user, variables_of_user


def test_refused_permissions(guarded):
    """What may not be done is named, with the action to grant; a wrong secret is told from a right that is missing."""
    shop, user, key = guarded
    give(shop.endpoint, user, READS)
    grant = "use the role that terraform/ makes for this, or let this one do {}"
    place = f"{REGION}:{ACCOUNT}"
    assert shop.run(PLAN, **key).status == 0
    assert shop.run(APPLY, **key) == refused(
        f"cannot write the control row into the table {shop.table!r}: these credentials may not dynamodb:PutItem "
        f"on arn:aws:dynamodb:{place}:table/{shop.table}",
        grant.format("dynamodb:PutItem"),
    )
    assert shop.rows() == []
    wrong = shop.run(PLAN, **key | {"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert (wrong.status, "AWS does not know these credentials" in wrong.stderr) == (1, True)

    # Rows may be written, and the timer not: what was applied is there, the rest is said.
    give(shop.endpoint, user, [*READS, "dynamodb:PutItem"])
    ran = shop.run(APPLY, **key)
    refusal = f"these credentials may not events:PutRule on arn:aws:events:{place}:rule/{shop.timer.name}"
    said = (
        f"could not be armed (cannot arm the rule {shop.timer.name!r} for {AHEAD}: {refusal}: "
        f"{grant.format('events:PutRule')}). To try again: slowsched arm --env production"
    )
    assert (ran.status, said in " ".join(ran.stdout.split()), shop.rows()) == (6, True, [("a", "scheduled")])
    give(shop.endpoint, user, [*READS, "dynamodb:PutItem", "events:PutRule"])
    assert (shop.run(ARM, **key).status, shop.armed()) == (0, "cron(0 0 1 1 ? 2190)")


# --- half of an answer -----------------------------------------------------------------------------


def test_a_read_that_breaks_off_in_the_middle_of_the_rows(shop, proxy):
    """Half of the rows is no plan: it would create what is there already, and nothing is written."""
    for number in range(20):
        shop.declare(f"t{number:02}", text="x" * 60_000)
    assert shop.run(APPLY).status == 0
    pages = []

    def is_later_page(request):
        if request.operation == "Query" and "ExclusiveStartKey" in request.document:
            pages.append(request)
        return bool(pages) and request is pages[-1]

    proxy.fail(99, matching=is_later_page)
    for command in (PLAN, APPLY):
        ran = shop.run(command, **through(proxy))
        said = f"slowsched: error: cannot read the table {shop.table!r}: AWS has a failure of its own, again and again"
        assert (ran.status, ran.stdout, ran.stderr.startswith(said)) == (1, "", True)
    assert (len(pages) >= 2, "No changes. 21 unchanged" in shop.run(PLAN).stdout) == (True, True)


# --- what is not there -----------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [{"table": "nobodys"}, {"region": "us-west-2"}], ids=["table", "region"])
def test_a_missing_table_and_a_wrong_region(shop, changed):
    """A table that does not exist here may be one of another region: both are named as what to look at."""
    shop.configure(**changed)
    table = changed.get("table", shop.table)
    for command in COMMANDS:
        assert shop.run(command) == refused(
            f"cannot read the table {table!r}: it does not exist (Requested resource not found)", MISSING
        )


def test_a_missing_rule(shop):
    """It is not made by the way, and no row is written that nobody would wake up for."""
    shop.configure(timer={"kind": "rule", "name": "nobodys"})
    said = "cannot {} the rule 'nobodys': it does not exist"
    for command in (PLAN, APPLY):
        assert shop.run(command) == refused(said.format("read"), TIMER_MISSING)
    assert shop.rows() == []
    assert client("events", shop.endpoint).list_rules(NamePrefix="nobodys")["Rules"] == []


def test_a_rule_that_goes_missing_under_rows(shop):
    """The rows stay; `arm` says what is missing, and sets the timer as soon as it is back."""
    assert shop.run(APPLY).status == 0
    events = client("events", shop.endpoint)
    events.delete_rule(Name=shop.timer.name)
    said = f"cannot arm the rule {shop.timer.name!r}: it does not exist"
    assert shop.run(ARM) == refused(said, TIMER_MISSING, status=6)
    assert shop.rows() == [("a", "scheduled")]
    make_rule(events, shop.timer.name)
    assert (shop.run(ARM).status, shop.armed()) == (0, "cron(0 0 1 1 ? 2190)")


def test_a_missing_schedule(tmp_path, shop):
    """A schedule is said with its name, and set as soon as it is there."""
    timer = TimerSettings(
        kind="schedule",
        name=unique_name("wake"),
        group="default",
        target_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:worker",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/scheduler",
    )
    other = Shop(folder=tmp_path / "other", endpoint=shop.endpoint, table=shop.table, timer=timer)
    said = f"cannot read the schedule {timer.name!r} of the group 'default': it does not exist"
    assert other.run(APPLY) == refused(said, TIMER_MISSING)
    make_schedule(client("scheduler", shop.endpoint), timer)
    assert other.run(APPLY).status == 0


def plain_table(endpoint, keys):
    """Make a table without an index, of these keys."""
    name = unique_name("other")
    kinds = ("HASH", "RANGE")
    client("dynamodb", endpoint).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in keys.items()],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, kinds, strict=False)],
    )
    return name


def test_a_table_without_the_keys(shop):
    """A table of somebody else is said to be one, and is left alone."""
    table = plain_table(shop.endpoint, {"pk": "S"})
    shop.configure(table=table)
    what = "the table is not made for slowsched (The provided key element does not match the schema)"
    for command in COMMANDS:
        assert shop.run(command) == refused(f"cannot read the table {table!r}: {what}", OTHER_TABLE)
    assert client("dynamodb", shop.endpoint).scan(TableName=table)["Items"] == []


def test_a_table_without_the_index(shop):
    """What was written stays written, and each command says that the timer cannot be set, and why."""
    table = plain_table(shop.endpoint, {"bucket": "N", "id": "S"})
    shop.configure(table=table)
    said = (
        f"cannot read the table {table!r}: the table is not made for slowsched (The table does not have the specified "
        f"index: agenda): {OTHER_TABLE}"
    )
    for command in (APPLY, WORKER, ARM):
        ran = shop.run(command)
        assert (ran.status, said in " ".join((ran.stdout + ran.stderr).split())) == (1 if command == ARM else 6, True)


# --- a network and a server that fail --------------------------------------------------------------


def test_nothing_listens(shop):
    """Each command ends at once."""
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for command in COMMANDS:
            assert shop.run(command, AWS_ENDPOINT_URL=url) == refused(
                f"cannot read the table {shop.table!r}: AWS cannot be reached "
                f'(Could not connect to the endpoint URL: "{url}/")',
                NETWORK,
            )


def test_an_address_that_is_none(shop):
    """A mistyped AWS_ENDPOINT_URL is no defect of slowsched."""
    ran = shop.run(PLAN, AWS_ENDPOINT_URL="localhost:8000")
    what = "the address of AWS is none (Invalid endpoint: localhost:8000)"
    assert ran == refused(f"cannot read the table {shop.table!r}: {what}", "correct AWS_ENDPOINT_URL")


@pytest.mark.parametrize(
    ("order", "what", "way_out"),
    [
        ("throttle", f"AWS throttles the calls, again and again ({PROXY})", LATER),
        ("fail", f"AWS has a failure of its own, again and again ({PROXY})", BROKEN),
    ],
    ids=["throttled", "broken"],
)
def test_throttling_and_failures_that_last(shop, proxy, order, what, way_out):
    """Each command has tried four times, and then says so."""
    getattr(proxy, order)(MANY)
    for command in COMMANDS:
        proxy.forget_requests()
        assert shop.run(command, **through(proxy)) == refused(f"cannot read the table {shop.table!r}: {what}", way_out)
        assert len(proxy.requests()) == 4


def test_throttling_that_ends(shop, proxy):
    """A few refusals are nothing that anybody hears of."""
    proxy.throttle(2, matching=is_row)
    proxy.throttle(2, matching="PutRule", code="ThrottlingException")
    assert shop.run(APPLY, **through(proxy)).status == 0
    assert (shop.rows(), shop.armed()) == ([("a", "scheduled")], "cron(0 0 1 1 ? 2190)")


def test_answers_that_are_lost(shop, proxy):
    """A row was written and its answer lost, four times: not claimed to be unwritten, and the next apply knows it."""
    proxy.lose_answers(MANY, matching=is_row)
    ran = shop.run(APPLY, **through(proxy))
    assert (ran.status, NETWORK in " ".join(ran.stdout.split())) == (6, True)
    assert shop.rows() == [("a", "scheduled")]
    again = shop.run(APPLY)
    assert (again.status, "No changes. 1 unchanged" in again.stdout) == (0, True)
    assert shop.armed() == "cron(0 0 1 1 ? 2190)"


def test_a_timer_that_is_throttled(shop, proxy):
    """The row is applied, the timer keeps its later moment, and `arm` finishes the work."""
    assert shop.run(APPLY).status == 0
    shop.declare("b", SOONER)
    proxy.throttle(MANY, matching="PutRule", code="ThrottlingException")
    ran = shop.run(APPLY, **through(proxy))
    said = f"cannot arm the rule {shop.timer.name!r} for {SOONER}: AWS throttles the calls, again and again"
    assert (ran.status, said in " ".join(ran.stdout.split()), shop.armed()) == (6, True, "cron(0 0 1 1 ? 2190)")
    assert shop.rows() == [("a", "scheduled"), ("b", "scheduled")]
    assert (shop.run(ARM).status, shop.armed()) == (0, "cron(0 0 1 1 ? 2180)")


def test_a_server_that_is_silent(shop, ministack_endpoint):
    """From the start, or from the first row on: every command ends in time, and says what may be open."""
    started = time.monotonic()
    with ThreadPoolExecutor() as pool:
        from_start = [pool.submit(_against_silence, shop, ministack_endpoint, command, False) for command in COMMANDS]
        from_row = pool.submit(_against_silence, shop, ministack_endpoint, APPLY, True)
    silent = 'cannot read the table {!r}: AWS does not answer (Read timeout on endpoint URL: "{}/")'
    for each in from_start:
        url, ran = each.result()
        assert ran == refused(silent.format(shop.table, url), NETWORK)
    url, ran = from_row.result()
    words = " ".join(ran.stdout.split())
    assert (ran.status, f"cannot write 'a' into the table {shop.table!r}: AWS does not answer" in words) == (6, True)
    assert silent.format(shop.table, url) in words
    assert "To finish what is left, run it again: slowsched apply --env production" in words
    assert shop.rows() == []
    assert time.monotonic() - started < SECONDS_MAX


def _against_silence(shop, endpoint, command, from_row):
    """Run a command against a server that never answers, or from the first row's write on no more."""
    seen = []

    def concerns(request):
        if not from_row or is_row(request):
            seen.append(request)
        return bool(seen)

    with fault_proxy(endpoint) as proxy:
        proxy.stay_silent(MANY, matching=concerns)
        return proxy.url, shop.run(command, **through(proxy))


# --- rows ------------------------------------------------------------------------------------------


def test_a_row_that_a_newer_version_wrote(shop):
    """It is left alone, told of by each command, and holds up nothing else; its own file is a conflict."""
    item = encode_row(a_row(id="newer", owner="acme/shop/production"), "w")
    item |= {"format": ROW_FORMAT + 1, "wake_at": stamp(at("2020-01-01T00:00:00Z"))}
    put(client("dynamodb", shop.endpoint), shop.table, "newer", item)
    shop.declare("newer", SOONER)
    ran = shop.run(APPLY)
    assert (ran.status, "upgrade slowsched" in ran.stdout + ran.stderr) == (6, True), ran
    assert shop.rows() == [("a", "scheduled"), ("newer", item["state"])]
    found = client("dynamodb", shop.endpoint).scan(TableName=shop.table)["Items"]
    assert [each["format"]["N"] for each in found if each["id"]["S"] == "newer"] == [str(ROW_FORMAT + 1)]
    woken = shop.run(WORKER)
    assert (woken.status, "upgrade slowsched" in woken.stdout + woken.stderr) == (0, True), woken


def test_a_task_that_is_too_large(shop):
    """It is a problem of its file, long before the item would be larger than DynamoDB takes."""
    shop.declare("b", text="x" * 70_000)
    ran = shop.run(APPLY)
    assert (ran.status, "tasks/b.json:1:1: $: " in ran.stdout, "of 65536: keep large data elsewhere" in ran.stdout) == (
        1,
        True,
        True,
    ), ran.stdout
    assert shop.rows() == []


def test_an_item_that_is_too_large(dynamodb_local_endpoint, monkeypatch):
    """Where DynamoDB itself refuses one, the way out is to make the payload smaller; nothing is written."""
    table = unique_name("rows")
    make_table(client("dynamodb", dynamodb_local_endpoint), table)
    row = a_row(payload={"text": "x" * 410_000})
    with DynamoStore(account_on(dynamodb_local_endpoint, monkeypatch), table) as store:
        with pytest.raises(StoreError) as raised:
            store.put(row, 0)
        assert (raised.value.message, raised.value.hint, store.get(row.id)) == (
            f"cannot write {row.id!r} into the table {table!r}: it is larger than the 400 KB that DynamoDB takes",
            "make its payload smaller: a reference, not the data",
            None,
        )
