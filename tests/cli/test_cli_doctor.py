"""doctor on the local backend, and what every command says or refuses where the environment is on AWS."""

from __future__ import annotations

from dataclasses import replace

import pytest
from command_line import AHEAD, PAST

from slowsched.cli.loading import open_environment
from slowsched.cli.settings import Settings
from slowsched.timing import parse_stamp

CHECKS = ["store", "unreadable", "overdue", "dead", "missed", "paused", "timer-moment"]
REAL = """\
version: 1
owner: acme/shop
environments:
  production:
    backend: aws
    region: eu-central-1
    table: slowsched
    timer: {kind: rule, name: slowsched-wake}
    expected_account: "123456789012"
"""


def findings(run, *words):
    """The status of doctor, and what it says is wrong: code, severity."""
    ran = run("doctor", "--format", "json", *words)
    assert [each["code"] for each in ran.document["findings"]] == CHECKS
    assert ran.document["healthy"] is (ran.status == 0)
    return ran.status, [(e["code"], e["severity"]) for e in ran.document["findings"] if e["severity"] != "ok"]


def test_a_new_repository_is_healthy(run, repository):
    """Without a store nothing is wrong, and none is made; after an apply neither."""
    assert findings(run) == (0, [])
    assert not (repository / ".slowsched").exists()
    assert run("apply").status == 0
    assert findings(run, "--strict") == (0, [])
    assert run("doctor").stdout.endswith("\n\nHealthy.\n")
    assert run("doctor", "-q").stdout == ""


def test_what_is_wrong_is_found(run, declare):
    """A dead task, an overdue one and a timer that was set by hand; --fix sets the timer, and nothing else."""
    declare("broken", due=PAST, payload={"give_up": True})
    declare("ahead")
    assert run("apply", "--late", "run").status == 0
    assert run("worker").status == 6
    assert findings(run) == (1, [("dead", "error")])
    with open_environment(Settings()) as backend:
        backend.timer.arm(parse_stamp("2191-01-01T00:00:00Z"))
    assert findings(run) == (1, [("dead", "error"), ("timer-moment", "error")])
    ran = run("doctor", "--fix")
    assert (ran.status, f"The timer was armed for {AHEAD[:10]} 00:00 UTC" in ran.stdout) == (1, True)
    assert findings(run) == (1, [("dead", "error")])
    assert "`slowsched retry broken`" in run("doctor").stdout


def test_what_nobody_ran_is_overdue(run, declare):
    """Where no worker runs the tasks wait, and the timer's minute has gone by."""
    declare("waits")
    assert run("apply").status == 0
    with open_environment(Settings()) as backend:
        row = backend.store.get("waits")
        late = replace(row, wake_at=parse_stamp(PAST), version=row.version + 1)
        assert backend.store.put(late, row.version) is None
    assert findings(run) == (1, [("overdue", "error"), ("timer-moment", "error")])
    assert "-> `slowsched worker` runs them now, and with --watch whenever something is due" in " ".join(
        run("doctor").stdout.split()
    )


def test_a_warning_counts_with_strict(run, declare):
    """A pause leaves it healthy, unless one is strict."""
    declare("ahead")
    assert run("apply").status == 0
    assert run("pause").status == 0
    assert findings(run) == (0, [("paused", "warning")])
    assert run("doctor", "--strict").status == 1
    assert run("doctor").stdout.endswith("\nHealthy: 1 warning.\n")


def test_a_store_that_is_broken(run, shop):
    """It is a finding with its way out; a timer that cannot be armed either is status 1, and said."""
    (shop / ".slowsched").mkdir()
    (shop / ".slowsched" / "local.db").write_bytes(
        b"this is no database, but long enough to look like a page of one" * 99
    )
    ran = run("doctor", "--fix")
    assert (ran.status, ran.stderr) == (1, "")
    assert "The timer could not be armed:" in ran.stdout
    assert "\nerror    store:" in ran.stdout


@pytest.fixture(name="real")
def _real(shop, monkeypatch):
    """A repository whose environment is a real account, on a machine without credentials."""
    (shop / "slowsched.yaml").write_text(REAL)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(shop / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shop / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return shop


@pytest.mark.usefixtures("real")
def test_no_fake_time_on_a_real_account(run):
    """It is refused before anybody is asked: whose account it is does not matter."""
    ran = run("worker", "--env", "production", "--fakenow", AHEAD)
    assert (ran.status, ran.stdout) == (1, "")
    assert ran.stderr == (
        "slowsched: error: environment 'production' is a real account, where tasks would really run: add --dry-run, "
        "or use the local backend or an emulator (AWS_ENDPOINT_URL on this machine)\n"
    )


@pytest.mark.usefixtures("real")
def test_a_rehearsal_may_have_one(run):
    """With --dry-run it gets as far as the credentials."""
    ran = run("worker", "--env", "production", "--fakenow", AHEAD, "--dry-run")
    assert (ran.status, "there are no AWS credentials" in ran.stderr) == (1, True)


@pytest.mark.usefixtures("real")
def test_a_profile_that_does_not_exist(run, monkeypatch):
    """It is an error with a way out there, too."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    ran = run("worker", "--env", "production", "--fakenow", AHEAD)
    assert (ran.status, "Traceback" in ran.stderr, "AWS profile" in ran.stderr) == (1, False, True)
    ran = run("doctor", "--env", "production")
    assert (ran.status, "error    account: the AWS profile" in ran.stdout) == (1, True)


@pytest.mark.usefixtures("real")
def test_doctor_without_credentials(run):
    """One finding, and nothing else is tried."""
    ran = run("doctor", "--env", "production", "--format", "json")
    assert (ran.status, [each["code"] for each in ran.document["findings"]]) == (1, ["account"])
    assert ran.document["findings"][0]["message"].startswith("there are no AWS credentials")
