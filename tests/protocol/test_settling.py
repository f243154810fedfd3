"""Settling one attempt: what is written, and what is told of it, whoever else wrote (slowsched/settling.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from protocol.fakes import NOW, SECOND, a_scene, due
from values import MINUTE, a_declared

from slowsched import lifecycle
from slowsched.agenda_walk import CONFLICT_TRIES
from slowsched.errors import StoreError
from slowsched.execute import Finished
from slowsched.lifecycle import Applier
from slowsched.model import Claim, Outcome, OutcomeKind, State
from slowsched.reports import AttemptReport
from slowsched.settling import Settled, settle

OK = Outcome(kind=OutcomeKind.SUCCEEDED, message="done")
CLAIMED = lifecycle.take(due(-2), now=NOW, token="mine", known=True).row
SUCCEEDED = lifecycle.settle(CLAIMED, "mine", OK, now=NOW, soonest=NOW, jitter=0.0)
LATER = replace(a_declared(), task=replace(CLAIMED.task, due=NOW + 60 * MINUTE))
APPLIER = Applier(owner=CLAIMED.owner, commit=None, now=NOW, soonest=NOW)


def settled(scene, outcome=OK):
    """Settle the claimed attempt."""
    return settle(scene.backend, CLAIMED, Finished(token="mine", outcome=outcome), None)


def test_an_outcome_is_written():
    """The row is told as it stands now."""
    scene = a_scene(CLAIMED)
    assert (settled(scene), scene.row()) == (Settled(row=SUCCEEDED, conflicts=0), SUCCEEDED)


def test_an_outcome_is_written_over_an_edit_of_the_policy():
    """The edit stays, and the write that it won is counted."""
    scene = a_scene(CLAIMED)
    edited = lifecycle.edit_policy(CLAIMED, replace(LATER, task=replace(CLAIMED.task, team="new")), APPLIER)
    scene.wire.on("put", lambda: scene.put(edited))
    assert settled(scene) == Settled(row=scene.row(), conflicts=1)
    assert (scene.row().task.team, scene.row().state) == ("new", State.SUCCEEDED)


def test_an_outcome_that_was_recorded_before_an_edit_is_recorded():
    """The answer was lost, and the task edited to run again: it did run, and nothing is amiss."""
    scene = a_scene(CLAIMED)
    scene.store.lose_answers(1, meanwhile=lambda: scene.put(lifecycle.edit(scene.row(), LATER, APPLIER)))
    assert settled(scene) == Settled(row=scene.row(), conflicts=1)
    assert (scene.row().state, scene.row().generation) == (State.SCHEDULED, 2)


def test_an_outcome_that_came_after_a_superseding_edit_is_told():
    """The row is another's by now."""
    scene = a_scene(CLAIMED)
    scene.wire.on("put", lambda: scene.put(lifecycle.edit(CLAIMED, LATER, APPLIER)))
    message = "superseded while it ran: the outcome was not recorded"
    assert settled(scene) == Settled(row=scene.row(), message=message, conflicts=1)


def test_an_outcome_whose_row_is_gone_is_told():
    """There is nothing to write it into."""
    scene = a_scene(CLAIMED)
    scene.wire.on("put", scene.store.items.clear)
    message = "its row is gone or cannot be read: the outcome was not recorded"
    assert settled(scene) == Settled(row=None, message=message, conflicts=1)


def test_an_outcome_that_always_loses_is_given_up():
    """After so many tries it is left to the end of the lease; each try is counted, and no error is told."""
    scene = a_scene(CLAIMED)
    scene.wire.before = lambda _name: scene.put(replace(scene.row(), version=scene.row().version + 1))
    message = "the outcome could not be recorded: it is attempted again after its lease"
    assert settled(scene) == Settled(row=None, message=message, conflicts=CONFLICT_TRIES)


def test_a_backend_that_does_not_answer_is_told():
    """The write may have happened: the row is not known, and the error names the task."""
    scene = a_scene(CLAIMED)
    scene.wire.fail("put", StoreError("no answer"))
    message = "the outcome could not be recorded: it is attempted again after its lease"
    assert settled(scene) == Settled(row=None, message=message, error="some task id: no answer", conflicts=0)


@pytest.mark.parametrize(
    ("row", "needs_worker", "dead"),
    [
        (None, False, False),
        (CLAIMED, True, False),
        (SUCCEEDED, False, False),
        (replace(SUCCEEDED, state=State.DEAD), False, True),
    ],
    ids=["not known", "comes back", "done", "dead"],
)
def test_what_is_left_to_do_for_a_row(row, needs_worker, dead):
    """A row comes back to the worker, or to a person, or to nobody."""
    found = Settled(row=row, conflicts=0)
    assert (found.needs_worker, found.dead) == (needs_worker, dead)


@pytest.mark.parametrize(
    ("found", "state", "message"),
    [
        (Settled(row=SUCCEEDED, conflicts=0), State.SUCCEEDED, "done"),
        (Settled(row=None, message="lost", conflicts=0), State.RUNNING, "lost"),
    ],
)
def test_what_is_reported_of_an_attempt(found, state, message):
    """Which attempt it was, how late it began, and what came of it; a row that is not known counts as running."""
    assert found.report(CLAIMED, Finished(token="mine", outcome=OK)) == AttemptReport(
        id="some task id",
        generation=1,
        attempt=1,
        outcome=OutcomeKind.SUCCEEDED,
        late_seconds=(2 * SECOND).total_seconds(),
        state=state,
        message=message,
    )


# --- a superseded attempt that does not stop ---

GIVEN_UP = Outcome(kind=OutcomeKind.TIMED_OUT, message="given up")
HOSTED = CLAIMED.claim.lease_end + 5 * MINUTE
TOLD = "superseded while it ran: the outcome was not recorded"


def given_up(found, hosted_until):
    """Settle the claimed attempt, given up, on what was found in its place; returns the settlement and the row."""
    scene = a_scene(found)
    return settle(scene.backend, CLAIMED, Finished(token="mine", outcome=GIVEN_UP), hosted_until), scene.row()


def test_what_superseded_an_attempt_waits_for_as_long_as_its_process_hosts_it():
    """The lease that was kept is drawn out, and the wake is not before it."""
    edited = lifecycle.edit(CLAIMED, replace(LATER, task=replace(LATER.task, due=NOW)), APPLIER)
    done, row = given_up(edited, HOSTED)
    wanted = replace(edited, version=edited.version + 1, wake_at=HOSTED, claim=Claim(token=None, lease_end=HOSTED))
    assert (row, done) == (wanted, Settled(row=wanted, message=TOLD, conflicts=1))


def test_a_tombstone_keeps_the_lease_that_was_drawn_out():
    """It wakes nobody, and a task that comes back waits."""
    done, row = given_up(lifecycle.delete(CLAIMED, APPLIER), HOSTED)
    assert (row.state, row.wake_at, row.claim, done.message) == (
        State.DELETED,
        None,
        Claim(token=None, lease_end=HOSTED),
        TOLD,
    )


@pytest.mark.parametrize("hosted_until", [None, CLAIMED.claim.lease_end])
def test_an_attempt_that_ends_before_its_lease_is_not_waited_for_longer(hosted_until):
    """Nothing is written."""
    edited = lifecycle.edit(CLAIMED, LATER, APPLIER)
    assert given_up(edited, hosted_until) == (Settled(row=edited, message=TOLD, conflicts=1), edited)


def test_the_lease_of_another_attempt_is_left_alone():
    """Another worker has claimed it since: its lease is its own."""
    other = replace(CLAIMED, version=7, claim=Claim(token="another", lease_end=CLAIMED.claim.lease_end))
    assert given_up(other, HOSTED) == (Settled(row=other, message=TOLD, conflicts=1), other)
