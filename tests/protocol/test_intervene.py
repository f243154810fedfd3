"""What a person does to one row: retry it, or run it early."""

from __future__ import annotations

from dataclasses import replace

import pytest
from protocol.fakes import EVENTBRIDGE, NOW, SECOND, a_scene, due, told, woken
from values import HOUR, MINUTE, OWNER, a_claim, a_row, an_entry

from slowsched.errors import StoreError, TimerError, UsageError
from slowsched.intervene import CONFLICT_TRIES, find, retry, run_early
from slowsched.model import HistoryOutcome, State

FAILED = an_entry(started_at=NOW, finished_at=NOW, outcome=HistoryOutcome.FAILED, message="no")


def ended(state, **overrides):
    """Return a row of a task that came to its end an hour ago."""
    return a_row(**({"due": NOW - HOUR, "state": state, "attempt": 5, "history": (FAILED,), "version": 7} | overrides))


# --- retry -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.DEAD, State.MISSED])
@pytest.mark.parametrize(("manners", "soonest"), [({}, NOW), (EVENTBRIDGE, NOW + 2 * MINUTE)])
def test_a_dead_or_missed_task_is_scheduled_again(state, manners, soonest):
    """With all its attempts, as soon as the timer can serve it, whatever its grace; the history stays."""
    row = ended(state, grace=MINUTE)
    scene = a_scene(row, **manners)
    wanted = replace(row, state=State.SCHEDULED, attempt=0, version=8, wake_at=soonest, requested_at=NOW)
    assert (retry(scene.backend, row.id), scene.row()) == (wanted, wanted)
    scene.clock.now = soonest
    assert told(woken(scene)) == [("some task id", "succeeded", "succeeded")]


def test_a_retry_is_written_before_the_timer_is_set():
    """Who writes a row arms after it."""
    scene = a_scene(ended(State.DEAD), **EVENTBRIDGE)
    retry(scene.backend, "some task id")
    look = ["read control", "read wake"]
    assert scene.wire.calls == ["read rows", "put some task id scheduled", *look, "arm 12:02", *look]


@pytest.mark.parametrize("state", [State.SCHEDULED, State.RUNNING, State.SUCCEEDED])
def test_nothing_else_can_be_retried(state):
    """Least of all what succeeded: it would run a second time."""
    row = ended(state, claim=a_claim(lease_end=NOW + MINUTE) if state is State.RUNNING else None)
    scene = a_scene(row)
    with pytest.raises(UsageError, match=rf"task 'some task id' is {state}: only a dead or missed task can be retried"):
        retry(scene.backend, row.id)
    assert (scene.row(), scene.timer.writes) == (row, [])


def test_a_task_whose_file_has_left_git_cannot_be_retried():
    """What is not reviewed is not run."""
    scene = a_scene(ended(State.MISSED, expires_at=NOW + HOUR))
    with pytest.raises(UsageError, match="has left git: bring it back and apply, then retry"):
        retry(scene.backend, "some task id")


# --- run -------------------------------------------------------------------------------------------------


def test_a_scheduled_task_is_run_early():
    """Its due stays, for the key and the reader; its wake is now."""
    scene = a_scene(due(3600, grace=MINUTE))
    wanted = replace(due(3600, grace=MINUTE), version=2, wake_at=NOW, requested_at=NOW)
    assert (run_early(scene.backend, "some task id"), scene.row()) == (wanted, wanted)
    assert told(woken(scene)) == [("some task id", "succeeded", "succeeded")]


def test_a_superseded_attempt_is_waited_for():
    """It may still execute: not even a person's word makes two overlap."""
    lease_end = NOW + 5 * MINUTE
    row = due(3600, claim=a_claim(token=None, lease_end=lease_end), generation=2)
    scene = a_scene(row)
    assert run_early(scene.backend, row.id).wake_at == lease_end


@pytest.mark.parametrize("state", [State.RUNNING, State.SUCCEEDED, State.DEAD, State.MISSED])
def test_only_a_scheduled_task_can_be_run_early(state):
    """The message says what it is."""
    row = ended(state, claim=a_claim(lease_end=NOW + MINUTE) if state is State.RUNNING else None)
    scene = a_scene(row)
    with pytest.raises(UsageError, match=rf"task 'some task id' is {state}: only a scheduled task can be run early"):
        run_early(scene.backend, row.id)


# --- races and errors --------------------------------------------------------------------------------------


def test_a_row_that_changes_meanwhile_is_looked_at_again():
    """A policy edit between reading and writing is kept."""
    scene = a_scene(due(3600))
    edited = replace(due(3600), version=2, task=replace(due(3600).task, team="new"))
    scene.wire.on("put", lambda: scene.put(edited))
    assert run_early(scene.backend, "some task id") == replace(edited, version=3, wake_at=NOW, requested_at=NOW)


def test_a_row_that_has_become_something_else_meanwhile_is_refused():
    """A worker has claimed it."""
    scene = a_scene(due(3600))
    scene.wire.on("put", lambda: scene.put(replace(due(3600), version=2, state=State.SUCCEEDED, wake_at=None)))
    with pytest.raises(UsageError, match="is succeeded"):
        run_early(scene.backend, "some task id")


def test_a_row_that_will_not_hold_still_is_an_error():
    """Nothing was written, and the timer is as it was."""
    scene = a_scene(due(3600))

    def meddle(name):
        if name.startswith("put"):
            scene.put(replace(scene.row(), version=scene.row().version + 1))

    scene.wire.before = meddle
    message = f"the row of task 'some task id' was changed {CONFLICT_TRIES} times meanwhile: try again"
    with pytest.raises(StoreError, match=message):
        run_early(scene.backend, "some task id")
    assert (scene.row().version, scene.timer.writes) == (1 + CONFLICT_TRIES, [])


def test_a_timer_that_cannot_be_set_is_told():
    """The row is written; `slowsched arm` does the rest."""
    scene = a_scene(due(3600), now=NOW + SECOND)
    scene.wire.fail("arm", TimerError("no answer"))
    with pytest.raises(TimerError, match="no answer"):
        run_early(scene.backend, "some task id")
    assert scene.row().requested_at == NOW + SECOND


# --- finding a row -----------------------------------------------------------------------------------------


def test_a_task_is_found_by_its_id():
    """As it is written in its file."""
    scene = a_scene(due())
    assert find(scene.store, "some task id", OWNER) == due()


@pytest.mark.parametrize(
    ("rows", "hint"),
    [
        ([due(id="some tusk id"), due(id="other")], "did you mean 'some tusk id'?"),
        ([due(id="other")], "`slowsched list` shows all"),
        ([], "`slowsched list` shows all"),
        ([due(id="some task id", owner="acme/blog/local")], "`slowsched list` shows all"),
        ([a_row(id="some task id", state=State.DELETED), due(id="some tusk id")], "did you mean 'some task id'?"),
    ],
    ids=["misspelt", "unlike", "empty", "another owner's", "deleted"],
)
def test_a_task_that_is_not_there_is_told_with_the_nearest(rows, hint):
    """Another owner's task is not there, and not named either."""
    scene = a_scene(*rows)
    with pytest.raises(UsageError) as error:
        find(scene.store, "some task id", OWNER)
    assert str(error.value) == f"there is no task 'some task id': {hint}"


def test_a_row_that_cannot_be_read_is_told():
    """Nothing is done to it."""
    scene = a_scene(due())
    scene.store.items["some task id"] = {**scene.store.items["some task id"], "format": 99}
    scene.store.items["other"] = {**scene.store.items["some task id"], "id": "other"}
    with pytest.raises(UsageError, match=r"cannot be read \(a newer version .*\): upgrade slowsched"):
        find(scene.store, "some task id", OWNER)
    with pytest.raises(UsageError, match="there is no task 'another': `slowsched list` shows all"):
        find(scene.store, "another", OWNER)
