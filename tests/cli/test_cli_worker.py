"""worker through the command line: one wake in this process, its statuses, and what actions may do to it."""

from __future__ import annotations

import subprocess

import pytest
from command_line import AHEAD, run_process

from slowsched.cli.worker import wake_status
from slowsched.reports import WakeReport
from slowsched.timing import parse_stamp

MOMENT = ("--fakenow", AHEAD)


def began(shop):
    log = shop / "began.log"
    return log.read_text().split("\n")[:-1] if log.exists() else []


@pytest.mark.usefixtures("shop")
def test_a_wake_with_nothing_due(run):
    """Nothing due is status 0; with -q not a word."""
    assert run("worker").status == 0
    quiet = run("worker", "-q")
    assert (quiet.status, quiet.stdout, quiet.stderr) == (0, "", "")


def test_a_moment_is_played(run, declare, shop):
    """--fakenow runs what is due then, and says what came of it."""
    declare("a")
    run("apply")
    assert run("worker").status == 0
    assert began(shop) == []
    ran = run("worker", *MOMENT, "--format", "json")
    assert ran.status == 0
    assert ran.document["now"] == AHEAD
    assert ran.document["attempts"] == [
        {
            "id": "a",
            "generation": 1,
            "attempt": 1,
            "outcome": "succeeded",
            "late_seconds": 0.0,
            "state": "succeeded",
            "message": '{"noted":"a"}',
        }
    ]
    assert run("worker", "--fake-now", AHEAD).status == 0
    assert began(shop) == ["a"]


@pytest.mark.usefixtures("shop")
def test_stdout_is_the_report_and_prints_go_to_stderr(declare):
    """What an action prints does not get into the document, in a real process either."""
    declare("a")
    assert run_process("apply", "-q").status == 0
    ran = run_process("worker", *MOMENT, "--format", "json")
    assert (ran.status, ran.stderr) == (0, "the action prints\n")
    assert ran.document["attempts"][0]["outcome"] == "succeeded"


def test_a_failed_attempt_is_status_6(run, declare):
    """A failure is retried later, a permanent one makes the task dead; both are told of by the status."""
    declare("fails", payload={"fail": True})
    declare("never", payload={"give_up": True})
    declare("works")
    run("apply")
    ran = run("worker", *MOMENT, "--format", "json")
    assert ran.status == 6
    states = {each["id"]: (each["outcome"], each["state"]) for each in ran.document["attempts"]}
    assert states == {
        "fails": ("failed", "scheduled"),
        "never": ("failed", "dead"),
        "works": ("succeeded", "succeeded"),
    }
    assert ran.document["dead"] == ["never"]


def test_a_rehearsal_writes_nothing(run, declare, shop):
    """--dry-run says what would be run, and runs nothing."""
    declare("a")
    run("apply")
    before = (shop / ".slowsched" / "local.db").read_bytes()
    ran = run("worker", *MOMENT, "--dry-run", "--format", "json")
    assert (ran.status, ran.document["would_run"]) == (0, ["a"])
    assert (began(shop), (shop / ".slowsched" / "local.db").read_bytes()) == ([], before)


def test_a_limit_bounds_the_attempts(run, declare, shop):
    """--limit begins so many attempts, earliest first, and says how much is left."""
    for name in "abc":
        declare(name)
    run("apply")
    ran = run("worker", *MOMENT, "--limit", "2", "--format", "json")
    assert (sorted(began(shop)), ran.document["left"]) == (["a", "b"], 1)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--fakenow", "tomorrow"), "'tomorrow' is no time: write it as 2030-01-01T00:00:00Z"),
        (("--fakenow", "2030-01-01"), "'2030-01-01' has no offset: write 2030-01-01T00:00:00Z for UTC, or "),
        (("--fakenow", "2030-01-01T10:00:00"), "has no offset: write 2030-01-01T10:00:00Z for UTC, or "),
        (("--fakenow", "0001-01-01T00:00:00+02:00"), "'0001-01-01T00:00:00+02:00' is no time in UTC: "),
        (("--fakenow", "2030-13-01T00:00:00Z"), "'2030-13-01T00:00:00Z' is no time: write it as 2030-01-01T00:00:00Z"),
        (("--watch", *MOMENT), "--watch goes with real time: not with --fakenow, nor with --dry-run"),
        (("--watch", "--dry-run"), "--watch goes with real time: not with --fakenow, nor with --dry-run"),
        (("--limit", "0"), "invalid value for '--limit'"),
    ],
)
def test_what_the_worker_cannot_do(run, words, line):
    """A time that is none, or without offset, and options that exclude each other: one line, status 1."""
    ran = run("worker", *words)
    assert (ran.status, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)
    assert line in ran.stderr


def test_an_attempt_past_its_timeout_does_not_hold_the_process(declare, run):
    """The report of a wake that hosts an overrun attempt comes at its timeout, and the process ends with it."""
    declare("slow", payload={"seconds": 600}, timeout="1s")
    run("apply")
    ran = run_process("worker", *MOMENT, "--format", "json")
    assert ran.status == 6
    assert [(each["id"], each["outcome"], each["state"]) for each in ran.document["attempts"]] == [
        ("slow", "timed-out", "running")
    ]


def test_an_overrun_attempt_does_not_speak_into_the_report(declare, run, shop):
    """An attempt that was given up, and prints on, prints to stderr to the end of the process."""
    with (shop / "worker" / "actions.py").open("a") as file:
        file.write("\n\n@action('CHATTER')\ndef chatter(payload, attempt):\n    while True:\n        print('.')\n")
    (shop / "schemas" / "actions" / "CHATTER.schema.json").write_text("true")
    declare("a", action="CHATTER", timeout="1s")
    run("apply")
    ran = run_process("worker", *MOMENT, "--format", "json", stderr=subprocess.DEVNULL)
    assert (ran.status, ran.document["attempts"][0]["outcome"]) == (6, "timed-out")


def test_verbose_lets_the_actions_be_heard(declare, run, shop):
    """With -v what the actions log reaches stderr."""
    with (shop / "worker" / "actions.py").open("a") as file:
        file.write("\n\n@action('TALK')\ndef talk(payload, attempt):\n    attempt.logger.info('a word')\n")
    (shop / "schemas" / "actions" / "TALK.schema.json").write_text("true")
    declare("a", action="TALK")
    run("apply")
    assert "INFO slowsched.action.TALK: a word\n" in run_process("-v", "worker", *MOMENT).stderr


@pytest.mark.parametrize(
    ("report", "status"),
    [
        ({}, 0),
        ({"missed": ("a",), "deferred": ("b",), "unreadable": ("c",), "left": 3}, 0),
        ({"dead": ("a",)}, 6),
        ({"timer_error": "no"}, 6),
        ({"errors": ("no",)}, 6),
    ],
)
def test_the_status_of_a_wake(report, status):
    """6 where something needs a look: a dead task, a failed call, a timer that is not armed."""
    assert wake_status(WakeReport(environment="local", now=parse_stamp(AHEAD), **report)) == status
