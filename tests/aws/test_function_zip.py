"""The zip of the function: what is in it, that it is enough, that nothing in it is of no use, and its bytes."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from emulators.fixtures import client, unique_name
from emulators.parts import EMULATORS, FUNCTION_PYTHON, ROOT
from function_zips import ARM, a_shop, names_of, of_team, write
from on_aws import account_on, make_rule, make_schedule, variables
from tables import table_of
from values import a_row, at

from slowsched.model import State
from slowsched.package import STORED_BYTES_MAX, function_zip
from slowsched.store.dynamodb import DynamoStore
from slowsched.timer.settings import TimerSettings

DRIVER = Path(__file__).with_name("whole_zip.py")
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:slowsched-worker"
MEBIBYTE = 1024 * 1024

# What is in the zip though no wake opens it.
UNOPENED = {
    "licenses/aws-lambda-powertools.txt": "it asks to come with every copy",
    "licenses/typing-extensions.txt": "the same",
}


@pytest.fixture(name="shop")
def _shop(tmp_path):
    """Return a repository with one action."""
    return a_shop(tmp_path)


# --- it is enough, and not too much ----------------------------------------------------------------


class Function:
    """The project's own zip, unpacked, with all that it needs on MiniStack."""

    def __init__(self, endpoint, folder, monkeypatch):
        self.content = function_zip(ROOT, ARM)
        self.folder = folder / "unpacked"
        zipfile.ZipFile(io.BytesIO(self.content)).extractall(self.folder)
        self.endpoint = endpoint
        self.table = table_of(client("dynamodb", endpoint))
        self.catalogue = unique_name("catalogue")
        client("dynamodb", endpoint).create_table(
            TableName=self.catalogue,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        self.store = DynamoStore(account_on(endpoint, monkeypatch), self.table)

    def wake(self, event, **own):
        """Run one wake with the function's own Python, and nothing but the zip and boto3 on its path."""
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        runtime = EMULATORS / "function" / "lib" / version / "site-packages"
        done = subprocess.run(
            [FUNCTION_PYTHON, "-I", "-S", "-B", DRIVER, self.folder, runtime, json.dumps(event)],
            env=variables(self.endpoint, SLOWSCHED_TABLE=self.table, SLOWSCHED_CATALOGUE_TABLE=self.catalogue, **own),
            cwd=self.folder.parent,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(name="function")
def _function(ministack_endpoint, tmp_path, monkeypatch):
    return Function(ministack_endpoint, tmp_path, monkeypatch)


def test_the_zip_alone_runs_a_wake_and_every_file_of_it_is_used(function):
    """With boto3 and nothing else on the path a sale is applied, by a rule and by a schedule; no file was useless."""
    events, scheduler = client("events", function.endpoint), client("scheduler", function.endpoint)
    rule, group = unique_name("wake"), unique_name("group")
    make_rule(events, rule)
    scheduler.create_schedule_group(Name=group)
    schedule = TimerSettings(kind="schedule", name=rule, group=group, target_arn=ARN, role_arn=f"{ARN}:role/any")
    make_schedule(scheduler, schedule)
    for task_id, due in (("now", "2020-01-01T00:00:00Z"), ("later", "2190-01-01T00:00:00Z")):
        function.store.put(a_row(id=task_id, due=at(due), owner="acme/shop/production"), 0)
    own = {"SLOWSCHED_TIMER_NAME": rule}
    first = function.wake({"source": "aws.events"}, SLOWSCHED_TIMER_KIND="rule", **own)
    second = function.wake(
        {"source": "slowsched.schedule"},
        SLOWSCHED_TIMER_KIND="schedule",
        SLOWSCHED_TIMER_GROUP=group,
        SLOWSCHED_TIMER_ROLE_ARN=str(schedule.role_arn),
        **own,
    )
    item = client("dynamodb", function.endpoint).get_item(
        TableName=function.catalogue, Key={"pk": {"S": "item#some item"}}
    )["Item"]
    assert [(each["id"], each["outcome"]) for each in first["answer"]["attempts"]] == [("now", "succeeded")]
    assert (item["price"], second["answer"]["attempts"]) == ({"N": "29.99"}, [])
    assert first["answer"]["timer"] == second["answer"]["timer"] == {"armed": "2190-01-01T00:00:00Z", "error": None}
    assert function.store.get("now").state is State.SUCCEEDED
    assert set(names_of(function.content)) - {*first["opened"], *second["opened"]} == set(UNOPENED)
    unwanted = {"click", "jsonschema", "jsonschema_rs", "rich", "sqlite3", "yaml", "asyncio"}
    assert unwanted & {*first["modules"], *second["modules"]} == set()


def test_the_zip_is_small_and_holds_no_more_than_its_parts():
    """Under 5 MB, unpacked too: slowsched, Powertools with the one module it needs, the team's folder."""
    content = function_zip(ROOT, ARM)
    entries = zipfile.ZipFile(io.BytesIO(content)).infolist()
    assert len(content) < 5 * MEBIBYTE
    assert sum(entry.file_size for entry in entries) < 5 * MEBIBYTE
    assert of_team(content) == [
        "typing_extensions.py",
        "worker/__init__.py",
        "worker/actions.py",
        "worker/catalogue.py",
        "worker/handler.py",
    ]
    assert [name for name in names_of(content) if name.endswith((".pyc", "/")) or "/cli/" in name] == []


# --- its bytes -------------------------------------------------------------------------------------


def packed(root, out, *, umask=0o022, **environment):
    """Run `slowsched package` as a process."""
    done = subprocess.run(
        [sys.executable, "-m", "slowsched", "package", "--out", str(out)],
        cwd=root,
        env={**os.environ, **environment},
        umask=umask,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out.read_bytes()


def test_equal_input_makes_equal_bytes(shop, tmp_path):
    """Whatever the umask, the time zone, the locale, the order and the age of the files."""
    write(shop, {"worker/prices.py": "", "worker/Ä.py": "", "worker/a/b.json": "{}", "worker/a.txt": ""})
    other = tmp_path / "other"
    for file in sorted((path for path in shop.rglob("*") if path.is_file()), reverse=True):
        place = other / file.relative_to(shop)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
        os.utime(place, (1, 1_000_000_000))
        place.chmod(0o600)
    one = packed(shop, tmp_path / "one.zip", TZ="UTC", LC_ALL="C.UTF-8")
    two = packed(other, tmp_path / "two.zip", umask=0o077, TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7")
    assert one == two


def test_every_entry_says_the_same_of_itself(shop):
    """One moment, readable by all, to be run where its owner may run it, stored as it is."""
    (shop / "worker" / "tool.sh").write_text("#!/bin/sh\n")
    (shop / "worker" / "tool.sh").chmod(0o700)
    entries = zipfile.ZipFile(io.BytesIO(function_zip(shop, ARM))).infolist()
    kinds = {
        (entry.date_time, entry.external_attr >> 16, entry.compress_type, entry.create_system) for entry in entries
    }
    moment = (1980, 1, 1, 0, 0, 0)
    assert kinds == {(moment, 0o100644, zipfile.ZIP_STORED, 3), (moment, 0o100755, zipfile.ZIP_STORED, 3)}
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)


def test_a_large_zip_is_compressed(shop):
    """Beyond what is stored as it is, size counts for more than bytes that every zlib would write alike."""
    (shop / "worker" / "table.csv").write_text("1,2\n" * STORED_BYTES_MAX, encoding="utf-8")
    assert len(function_zip(shop, ARM)) < MEBIBYTE
