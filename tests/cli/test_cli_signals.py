"""Ctrl-C and SIGTERM in the middle of apply, of a wake and of the daemon: real processes, real signals."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing

import pytest
from command_line import AHEAD, PAST, Terminal, run_process, start_process, wait_until

from slowsched.cli.loading import open_environment
from slowsched.cli.settings import Settings
from slowsched.control import ApplyLock, Holder

TASKS = 2_000
BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(name="many")
def _many(shop):
    """As many tasks as take a while to apply."""
    tasks = [{"id": f"task {number}", "due": AHEAD, "action": "NOTE", "payload": {}} for number in range(TASKS)]
    (shop / "tasks" / "many.yaml").write_text("\n---\n".join(json.dumps(task) for task in tasks))


def rows(shop):
    """How many rows there are; 0 before there is a file."""
    path = shop / ".slowsched" / "local.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            return connection.execute("SELECT count(*) FROM task_rows").fetchone()[0]
        except sqlite3.OperationalError:  # in the middle of being made
            return 0


@BOTH
@pytest.mark.usefixtures("many")
def test_a_signal_stops_apply_between_two_writes(shop, number):
    """The report says what was written, the timer is armed, the lock is free, and the next run finishes."""
    process = start_process("apply", "--format", "json")
    wait_until(lambda: rows(shop) > 0)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    report = json.loads(stdout)
    results = [each["result"] for each in report["results"]]
    assert (process.returncode, report["status"], report["interrupted"]) == (6, "partial", True)
    assert 0 < results.count("applied") == rows(shop) < TASKS
    assert results.count("skipped") == TASKS - results.count("applied")
    assert report["timer"] == {"armed": AHEAD, "error": None}
    assert stderr == ("slowsched: stopping: after the writes that are under way; a second signal ends it at once\n")
    again = run_process("apply", "--format", "json")
    assert (again.status, rows(shop)) == (0, TASKS)


@pytest.mark.usefixtures("many")
def test_a_second_signal_ends_apply_at_once(shop):
    """Two signals end it without a report; the next run finishes once the lock is removed or over."""
    process = start_process("apply", "--format", "json")
    wait_until(lambda: rows(shop) > 0)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=60)
    assert (process.returncode, stdout) in {(128 + signal.SIGINT, ""), (128 + signal.SIGTERM, "")}
    assert run_process("unlock", "--yes").status == 0
    assert run_process("apply", "-q").status == 0
    assert rows(shop) == TASKS


@BOTH
def test_a_signal_ends_the_wait_for_the_lock(declare, number):
    """An apply that waits for another one's lock stops waiting, with the status of one that is locked out."""
    declare("a")
    with open_environment(Settings()) as backend:
        ApplyLock(backend, Holder(name="ci@runner")).take()
    process = start_process("apply", "--lock-timeout", "1h", "--format", "json")
    assert process.stderr.readline() == "Another apply holds the lock; waiting for it, up to 1h.\n"
    process.send_signal(number)
    stdout, _ = process.communicate(timeout=30)
    assert (process.returncode, json.loads(stdout)["status"]) == (4, "locked")


@BOTH
def test_a_signal_lets_a_wake_end_what_runs(shop, declare, run, number):
    """Nothing more is claimed, what runs is waited for and recorded, and the next run does the rest."""
    for name in range(20):
        declare(f"task {name}", payload={"seconds": 60})
    run("apply")
    process = start_process("worker", "--fakenow", AHEAD, "--format", "json")
    wait_until(lambda: len(lines(shop / "began.log")) >= 16)
    process.send_signal(number)
    wait_until(lambda: process.poll() is None)
    (shop / "go").touch()
    stdout, stderr = process.communicate(timeout=60)
    report = json.loads(stdout)
    began = lines(shop / "began.log")
    assert (process.returncode, report["interrupted"], report["left"]) == (0, True, 20 - len(began))
    assert {each["state"] for each in report["attempts"]} == {"succeeded"}
    assert len(report["attempts"]) == len(began) < 20
    assert report["timer"]["armed"] is not None
    assert "slowsched: stopping: nothing more is claimed, what runs is waited for; a second" in stderr
    assert run("worker", "--fakenow", AHEAD).status == 0
    assert sorted(lines(shop / "began.log")) == sorted(f"task {name}" for name in range(20))


@BOTH
def test_a_second_signal_ends_a_wake_at_once(shop, declare, run, number):
    """The second signal waits for nothing; what ran is attempted again after its lease."""
    declare("a", payload={"seconds": 600})
    run("apply")
    process = start_process("worker", "--fakenow", AHEAD)
    wait_until(lambda: lines(shop / "began.log") == ["a"])
    process.send_signal(number)
    time.sleep(0.1)  # two signals of one kind at the same moment are one
    process.send_signal(number)
    stdout, _ = process.communicate(timeout=10)
    assert (process.returncode, stdout) == (128 + number, "")
    (shop / "go").touch()
    after_lease = "2190-01-01T00:10:00Z"
    assert run("worker", "--fakenow", after_lease).status == 0
    assert lines(shop / "began.log") == ["a", "a"]
    history = run("show", "a", "--format", "json").document["history"]
    assert [each["outcome"] for each in history] == ["lease-expired", "succeeded"]


@BOTH
def test_the_daemon_runs_what_is_due_and_ends_by_a_signal(shop, declare, run, number):
    """It runs what is due at its start in a process of its own; a signal lets the wake end first, then the daemon."""
    declare("a", due=PAST, payload={"seconds": 60})
    assert run("apply", "--late", "run").status == 0
    process = start_process("worker", "--watch")
    wait_until(lambda: lines(shop / "began.log") == ["a"])
    process.send_signal(number)
    time.sleep(0.1)
    assert process.poll() is None
    (shop / "go").touch()
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "succeeded  a" in stdout
    assert "Watching the timer of acme/shop/local; Ctrl-C ends it.\n" in stderr
    assert "stopping: the wake that runs ends first; a second signal ends it at once\n" in stderr


def test_ctrl_c_reaches_the_daemon_and_its_wake_once(shop, declare, run):
    """At a terminal, Ctrl-C asks the wake to end, once; a second one ends both at once."""
    declare("a", due=PAST, payload={"seconds": 600})
    run("apply", "--late", "run")
    terminal = Terminal("worker", "--watch")
    terminal.expect("the action prints")
    terminal.type("\x03")
    terminal.expect("the wake that runs ends first")
    terminal.expect("what runs is waited for")
    assert terminal.process.poll() is None
    terminal.type("\x03")
    assert terminal.end() == 130
    assert lines(shop / "done.log") == []


def test_the_daemon_outlives_its_actions(declare, run):
    """An action that kills its process does not take the daemon with it, which notices what is applied meanwhile."""
    declare("a", due=PAST, payload={"exit": 77})
    run("apply", "--late", "run")
    process = start_process("worker", "--watch", "--format", "json")
    assert process.stderr.readline().startswith("Watching ")
    assert process.stderr.readline() == "the action prints\n"
    assert process.stderr.readline() == (
        "slowsched: warning: an action ended its process with status 77; "
        "what it ran is attempted again after its lease\n"
    )
    process.terminate()
    stdout, _ = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, "")
