"""list, show and what a person does to a row: retry, run, arm, pause, resume, unlock."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest
from command_line import AHEAD

from slowsched.cli.loading import open_environment
from slowsched.cli.settings import Settings
from slowsched.control import ApplyLock, Holder

DAY_BEFORE = "2189-12-31T00:00:00Z"


@pytest.fixture(name="rows")
def _rows(run, declare):
    """A scheduled, a succeeded and a dead row, and a tombstone."""
    declare("done", due=DAY_BEFORE)
    declare("broken", due=DAY_BEFORE, payload={"give_up": True})
    declare("ahead")
    gone = declare("gone")
    assert run("apply").status == 0
    gone.unlink()
    assert run("apply").status == 0
    assert run("worker", "--fakenow", DAY_BEFORE).status == 6


def listed(run, *words):
    return [row["id"] for row in run("list", *words, "--format", "json").document["rows"]]


@pytest.mark.usefixtures("rows")
def test_list_filters_rows(run):
    """All but tombstones, by due and id; `--state` may be repeated; `--due-before` bounds the due."""
    assert listed(run) == ["broken", "done", "ahead"]
    assert listed(run, "--state", "succeeded", "--state", "scheduled") == ["done", "ahead"]
    assert listed(run, "--state", "deleted") == ["gone"]
    assert listed(run, "--due-before", AHEAD) == ["broken", "done"]
    assert listed(run, "--due-before", "2190-01-01T02:00:00+01:00") == ["broken", "done", "ahead"]


@pytest.mark.usefixtures("rows")
def test_list_as_text(run):
    """A table for people, with the columns of the contract."""
    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["STATE", "DUE", "WAKE", "ATTEMPT", "ID", "ACTION"]
    assert [line.split()[0] for line in lines[1:]] == ["dead", "succeeded", "scheduled"]


@pytest.mark.usefixtures("shop")
def test_list_of_nothing(run, shop):
    """Without a store there are no rows, and listing them makes none."""
    assert run("list").stdout == "No rows.\n"
    assert run("list", "--format", "json").document == {"format_version": "1.0", "rows": []}
    assert not (shop / ".slowsched").exists()


@pytest.mark.usefixtures("rows")
def test_show(run):
    """One row in words, or as JSON; an unknown id names the nearest."""
    assert run("show", "done").stdout.startswith("done  succeeded\n")
    document = run("show", "done", "--format", "json").document
    assert (document["id"], document["state"], document["history"][0]["message"]) == (
        "done",
        "succeeded",
        '{"noted":"done"}',
    )
    assert run("show", "gone").stdout.startswith("gone  deleted\n")
    ran = run("show", "dnoe")
    assert (ran.status, ran.stderr) == (1, "slowsched: error: there is no task 'dnoe': did you mean 'done'?\n")


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("words", [("show",), ("retry",), ("run", "--yes")])
def test_an_unknown_id_names_the_way_out(run, words):
    """Where nothing is near, the way out is the list."""
    ran = run(*words, "zzzzzz")
    assert (ran.status, ran.stdout) == (1, "")
    assert ran.stderr == "slowsched: error: there is no task 'zzzzzz': `slowsched list` shows all\n"


@pytest.mark.usefixtures("rows")
def test_retry(run):
    """A dead task is scheduled at once; one that is neither dead nor missed is refused."""
    ran = run("retry", "broken")
    assert (ran.status, ran.stdout) == (0, "")
    assert ran.stderr.startswith("'broken' is scheduled for ")
    assert ran.stderr.endswith(": slowsched worker executes it\n")
    assert listed(run, "--state", "scheduled") == ["broken", "ahead"]
    assert run("retry", "done").status == 1


@pytest.mark.usefixtures("rows")
def test_run_asks_or_is_told(run):
    """Without a terminal and without --yes nothing runs early; with it the next wake executes the task."""
    ran = run("run", "ahead")
    assert (ran.status, ran.stderr) == (
        1,
        "slowsched: error: this asks first, and nobody is at a terminal: say --yes if it is meant\n",
    )
    assert run("run", "ahead", "--yes").status == 0
    assert run("worker", "-q").status == 0
    assert run("show", "ahead", "--format", "json").document["state"] == "succeeded"
    assert run("run", "ahead", "--yes").status == 1


@pytest.mark.usefixtures("rows")
def test_arm(run):
    """Arming says what the timer is set to."""
    ran = run("arm")
    assert (ran.status, ran.stdout) == (0, "")
    assert ran.stderr.startswith("Timer: 2190-01-01 00:00 UTC, in ")


@pytest.mark.usefixtures("shop")
def test_arm_of_nothing(run):
    """With nothing to wait for the timer is left unset."""
    assert run("arm").stderr == "The timer is not set.\n"


@pytest.mark.usefixtures("rows")
def test_a_timer_that_cannot_be_armed(run, shop):
    """What was written is written, and the timer that could not be armed is said: status 6."""
    with closing(sqlite3.connect(shop / ".slowsched" / "local.db")) as connection:
        connection.execute("DROP TABLE timer")
    for words, said in (
        (("arm",), ""),
        (("retry", "broken"), "the task is scheduled, and "),
        (("run", "ahead", "--yes"), "the task is scheduled, and "),
        (("resume",), "it is resumed, and "),
    ):
        if words == ("resume",):
            assert run("pause").status == 0
        ran = run(*words)
        assert (ran.status, ran.stdout) == (6, "")
        assert re.fullmatch(f"slowsched: error: {said}/.*local.db cannot be used .*\n", ran.stderr)
    assert listed(run, "--state", "scheduled") == ["broken", "ahead"]


@pytest.mark.usefixtures("rows")
def test_a_row_of_a_newer_version(run, shop):
    """It is left out of the list with a warning, and shown to be what it is."""
    with closing(sqlite3.connect(shop / ".slowsched" / "local.db")) as connection, connection:
        connection.execute("UPDATE task_rows SET format = 99 WHERE id = 'done'")
    ran = run("list", "--format", "json")
    assert [row["id"] for row in ran.document["rows"]] == ["broken", "ahead"]
    assert ran.stderr == "slowsched: warning: 1 of the rows cannot be read by this version: upgrade slowsched\n"
    ran = run("show", "done")
    assert (ran.status, "upgrade slowsched" in ran.stderr) == (1, True)


@pytest.mark.usefixtures("rows")
def test_pause_and_resume(run, declare):
    """A paused worker starts nothing, and says why; resume lets it go on; neither is done twice."""
    declare("next", due=DAY_BEFORE)
    run("apply")
    assert run("pause", "--reason", "the shop moves").stderr == ("Paused: nothing is started before slowsched resume\n")
    twice = run("pause")
    assert (twice.status, twice.stderr.endswith(": `slowsched resume` ends that\n")) == (1, True)
    ran = run("worker", "--fakenow", DAY_BEFORE, "--format", "json")
    assert (ran.status, ran.document["attempts"], ran.document["paused"]["reason"]) == (0, [], "the shop moves")
    assert run("resume").stderr.startswith("Resumed. Timer: 2189-12-31 00:00 UTC, in ")
    assert run("resume").stderr == "slowsched: error: it is not paused: nothing to resume\n"
    assert run("worker", "--fakenow", DAY_BEFORE).status == 0


@pytest.mark.usefixtures("shop")
def test_unlock(run, declare):
    """The lock of a holder that is gone is shown, and removed when that is meant."""
    assert run("unlock").stderr == "There is no apply lock.\n"
    declare("a")
    with open_environment(Settings()) as backend:
        ApplyLock(backend, Holder(name="ci@runner", url="https://ci.example/1")).take()
    locked = run("apply", "--format", "json")
    assert (locked.status, locked.document["status"]) == (4, "locked")
    assert "ci@runner" in locked.document["refused"][0]["message"]
    asked = run("unlock")
    assert asked.status == 1
    assert asked.stderr.startswith("ci@runner (https://ci.example/1) holds the apply lock since ")
    unlocked = run("unlock", "--yes")
    assert (unlocked.status, unlocked.stderr.endswith("\nRemoved.\n")) == (0, True)
    assert run("apply").status == 0
