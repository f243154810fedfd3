"""`slowsched import`: files for what a table holds; a plan afterwards has no changes."""

from __future__ import annotations

import json
import shutil

import boto3
import pytest
from moto import mock_aws

from slowsched.original_table import wanted_of_item

AHEAD = "2190-01-01T00:00:00Z"
CONFIG = """\
version: 1
owner: {owner}
defaults: {{grace: 2d, timeout: 45s}}
environments:
  production:
    backend: aws
    region: eu-central-1
    table: shared
    timer: {{kind: rule, name: wake}}
"""
TASKS = """\
id: plain
due: 2190-01-01T00:00:00Z
action: NOTE
payload: {}
---
id: ../Up & Down/ÄÖ "x" 😀
due: 2090-11-29T09:00:00
timezone: Europe/Berlin
action: NOTE
payload:
  text: |
    two
    lines
  numbers: [1, 2.5, -0.001, 1.0e+300, true, null, "012", "2030-01-01"]
  "odd: key": {"": []}
description: "why: # not a comment"
team: pricing
labels: {a: b}
environments: [local]
grace: 6h
retry: {attempts: 2, backoff: 5s, max_backoff: 9s}
timeout: 30s
protect: true
---
id: Up & Down ÄÖ x
due: 2090-11-29T08:00:00.5+01:00
action: NOTE
payload: {a: [1]}
---
id: twice, and clear
due: 2090-10-29T02:30:00+01:00
timezone: Europe/Berlin
action: NOTE
payload: {a: text}
---
id: late
due: 2020-01-01T00:00:00Z
grace: 36500d
action: NOTE
payload: {}
"""


def names(folder):
    return sorted(path.name for path in (folder / "tasks").glob("*.*") if path.name != ".gitkeep")


def away(shop):
    """Take all task files out of the repository."""
    shutil.rmtree(shop / "tasks")
    (shop / "tasks").mkdir()


def test_import_then_plan_has_no_changes(run, shop):
    """Rows of every kind become files, one a task, with safe names; plan has no changes, a second import nothing."""
    (shop / "tasks" / "all.yaml").write_text(TASKS)
    assert run("apply", "--yes").status == 0
    assert run("worker").status == 0
    away(shop)
    ran = run("import")
    assert (ran.status, len(ran.stdout.splitlines())) == (0, 5)
    assert names(shop) == [
        "late.yaml",
        "plain.yaml",
        "twice-and-clear.yaml",
        "up-down-äö-x-2.yaml",
        "up-down-äö-x.yaml",
    ]
    assert run("validate").status == 0
    plan = run("plan", "--format", "json", "--detailed-exitcode")
    assert (plan.status, plan.document["changes"], plan.document["counts"]["done"]) == (0, [], 1)
    again = run("import")
    assert (again.status, again.stdout, again.stderr.count("declared already")) == (0, "", 5)


def test_a_file_says_no_more_than_it_must(run, shop, declare):
    """What is a default is left out; the file is for the environment that it came from."""
    declare("plain")
    assert run("apply", "--yes").status == 0
    away(shop)
    assert run("import").stdout == "created  tasks/plain.yaml  plain\n"
    assert (shop / "tasks" / "plain.yaml").read_text() == (
        f"id: plain\ndue: {AHEAD}\naction: NOTE\npayload: {{}}\nenvironments:\n- local\n"
    )


def test_no_file_is_overwritten(run, shop, declare):
    """A name that is taken is left alone; --dry-run writes nothing at all."""
    declare("plain")
    assert run("apply", "--yes").status == 0
    away(shop)
    other = shop / "tasks" / "plain.yaml"
    other.write_text(f"id: another\ndue: {AHEAD}\naction: NOTE\npayload: {{}}\n")
    assert run("import", "--dry-run").stdout == "would create  tasks/plain-2.yaml  plain\n"
    assert names(shop) == ["plain.yaml"]
    assert run("import").stdout == "created  tasks/plain-2.yaml  plain\n"
    assert "id: another" in other.read_text()


def test_deleted_and_forgotten_rows_are_left(run, declare):
    """What left git on purpose does not come back."""
    gone = declare("gone")
    assert run("apply", "--yes").status == 0
    gone.unlink()
    assert run("apply", "--yes", "--allow-deletes", "1").status == 0
    ran = run("import")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "There is nothing to import.\n")


def test_what_no_file_can_say_is_told(run, shop, declare):
    """A row without a grace, where slowsched.yaml now gives every file one: told, no file, status 6."""
    declare("plain")
    assert run("apply", "--yes").status == 0
    away(shop)
    (shop / "slowsched.yaml").write_text("version: 1\nowner: acme/shop\ndefaults: {grace: 2d}\n")
    ran = run("import")
    assert (ran.status, ran.stdout, names(shop)) == (6, "", [])
    assert "no file for plain: its row has no grace" in ran.stderr


def test_an_action_without_a_schema_is_told(run, shop, declare):
    """The file is written, and what is missing beside it is said."""
    declare("plain")
    assert run("apply", "--yes").status == 0
    away(shop)
    (shop / "schemas" / "actions" / "NOTE.schema.json").unlink()
    ran = run("import")
    assert (ran.status, ran.stdout) == (6, "created  tasks/plain.yaml  plain\n")
    assert "there is no action 'NOTE'" in ran.stderr


# --- on a table of DynamoDB ------------------------------------------------------------------------


@pytest.fixture
def account(monkeypatch):
    """Give an account of moto with the table `shared`, its rule, and the original's table."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        keys = [{"AttributeName": "bucket", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}]
        index = [keys[0], {"AttributeName": "wake_at", "KeyType": "RANGE"}]
        dynamodb.create_table(
            TableName="shared",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind}
                for name, kind in {"bucket": "N", "id": "S", "wake_at": "S"}.items()
            ],
            KeySchema=keys,
            LocalSecondaryIndexes=[
                {"IndexName": "agenda", "KeySchema": index, "Projection": {"ProjectionType": "KEYS_ONLY"}}
            ],
        )
        boto3.client("events").put_rule(Name="wake", ScheduleExpression="cron(0 0 1 1 ? 2199)", State="ENABLED")
        dynamodb.create_table(
            TableName="cwscheduler-jobs",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "ID", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "ID", "KeyType": "HASH"}],
        )
        yield dynamodb


@pytest.mark.usefixtures("account")
def test_owners_share_a_table_and_see_their_own(run, shop, tmp_path):
    """Two repositories in one table: each imports, plans and deletes its own rows, and never sees the other's."""
    other = tmp_path / "blog"
    shutil.copytree(shop, other)
    ids = {}
    for folder, owner in ((shop, "acme/shop"), (other, "acme/blog")):
        (folder / "slowsched.yaml").write_text(CONFIG.format(owner=owner))
        for name in ("one", "two"):
            document = {"id": f"{owner} {name}", "due": AHEAD, "action": "NOTE", "payload": {}}
            (folder / "tasks" / f"{name}.json").write_text(json.dumps(document))
        assert run("apply", "-C", str(folder), "--env", "production", "--yes", "--allow-dirty").status == 0
        away(folder)
    for folder, owner in ((shop, "acme/shop"), (other, "acme/blog")):
        assert run("import", "-C", str(folder), "--env", "production").status == 0
        plan = run("plan", "-C", str(folder), "--env", "production", "--format", "json").document
        assert (plan["changes"], plan["counts"]["unchanged"]) == ([], 2)
        listed = run("list", "-C", str(folder), "--env", "production", "--format", "json").document["rows"]
        ids[owner] = [row["id"] for row in listed]
    assert ids == {owner: [f"{owner} one", f"{owner} two"] for owner in ("acme/shop", "acme/blog")}
    away(shop)
    removed = run("apply", "--env", "production", "--yes", "--allow-dirty", "--allow-deletes", "2", "--format", "json")
    assert [(each["id"], each["kind"]) for each in removed.document["results"]] == [
        (name, "delete") for name in ids["acme/shop"]
    ]
    plan = run("plan", "-C", str(other), "--env", "production", "--format", "json").document
    assert (plan["changes"], plan["counts"]["unchanged"]) == ([], 2)


def test_the_table_of_the_original(run, shop, account):
    """Its items become task files with the action's schema held; what JSON does not have is told."""
    payload = {"itemID": {"S": "some item"}, "newPrice": {"N": "29.99"}, "salePercent": {"N": "50"}}
    for item in (
        {"ID": {"S": "some task id"}, "Due": {"S": AHEAD}, "Action": {"S": "NOTE"}, "Payload": {"M": payload}},
        {"ID": {"S": "odd"}, "Due": {"S": AHEAD}, "Action": {"S": "NOTE"}, "Payload": {"M": {"x": {"SS": ["a"]}}}},
    ):
        account.put_item(TableName="cwscheduler-jobs", Item=item)
    ran = run("import", "--from-original", "cwscheduler-jobs")
    assert (ran.status, ran.stdout) == (6, "created  tasks/some-task-id.yaml  some task id\n")
    assert "no file for odd: its Payload holds a value of DynamoDB's type SS" in ran.stderr
    assert (shop / "tasks" / "some-task-id.yaml").read_text() == (
        f"id: some task id\ndue: {AHEAD}\naction: NOTE\n"
        "payload:\n  itemID: some item\n  newPrice: 29.99\n  salePercent: 50\n"
    )
    plan = run("plan", "--format", "json").document
    assert [(each["id"], each["kind"]) for each in plan["changes"]] == [("some task id", "create")]


@pytest.mark.usefixtures("shop", "account")
def test_a_table_that_is_not_there_is_an_error(run):
    """A mistyped name of a table is said, with status 1."""
    ran = run("import", "--from-original", "cwscheduler-job")
    assert (ran.status, ran.stdout) == (1, "")
    assert "cannot read the table 'cwscheduler-job'" in ran.stderr


@pytest.mark.parametrize(
    ("due", "written"),
    [
        ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
        ("2030-01-01T00:00:00.123456Z", "2030-01-01T00:00:00.123456Z"),
        ("2030-01-01T00:00:00.123456001+02:00", "2030-01-01T00:00:00.123457+02:00"),
        ("2030-12-31T23:59:59.999999999Z", "2031-01-01T00:00:00.000000Z"),
    ],
)
def test_a_time_of_go_is_never_made_earlier(due, written):
    """Nanoseconds are rounded up: a task never starts before its due."""
    item = {"ID": {"S": "a"}, "Due": {"S": due}, "Action": {"S": "NOTE"}}
    assert wanted_of_item(item).document == {"id": "a", "due": written, "action": "NOTE", "payload": {}}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"ID": {"S": "a"}, "Action": {"S": "NOTE"}}, "its Due is missing"),
        ({"ID": {"S": "a"}, "Due": {"N": "1"}, "Action": {"S": "NOTE"}}, "its Due is no text"),
        (
            {"ID": {"S": "a"}, "Due": {"S": AHEAD}, "Action": {"S": "X"}, "Team": {"S": "y"}},
            "it has attributes that no task has: Team",
        ),
    ],
)
def test_an_item_that_is_no_task_is_told(item, reason):
    """What the original never wrote is not guessed."""
    assert wanted_of_item(item).reason == reason
