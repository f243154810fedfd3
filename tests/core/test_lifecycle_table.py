"""Every cell of the table of transitions, docs/state-machine.md: from__what_happens__to (slowsched/lifecycle.py).

What git and a person ask for is here; what time asks for (claim, miss, defer, settle) is in
test_lifecycle_time.py. Each test states the whole row that comes out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from values import DAY, DUE, HOUR, MINUTE, a_claim, a_declared, a_place, a_row, a_task, an_entry

from slowsched import lifecycle
from slowsched.canonical import digests
from slowsched.errors import UsageError
from slowsched.lifecycle import RETENTION, Applier
from slowsched.model import Claim, HistoryEntry, HistoryOutcome, LateChoice, Row, Source, State

OWNER = "acme/shop/local"
COMMIT = "c0ffee0c0ffee0c0ffee0c0ffee0c0ffee0c0ffe"
SOURCE = Source(path="tasks/new.yaml", line=7, commit=COMMIT)

NEW_DUE = DUE + 30 * DAY
SECOND = timedelta(seconds=1)


def _by(now=DUE - 10 * DAY, lead=2 * MINUTE):
    return Applier(owner=OWNER, commit=COMMIT, now=now, soonest=now + lead)


def _declared(**overrides):
    return a_declared(place=a_place(path="tasks/new.yaml", line=7), **overrides)


EDITED = _declared(due=NEW_DUE, payload={"newPrice": 1})
EDITED_DIGESTS = digests(EDITED.task)

FAILED = an_entry(finished_at=DUE + SECOND, outcome=HistoryOutcome.FAILED, message="no")


def _skipped(now, due, generation=1):
    """Return what the history says of a task that was late and skipped on request."""
    return HistoryEntry(
        generation=generation,
        attempt=0,
        started_at=now,
        finished_at=now,
        late_seconds=(now - due).total_seconds(),
        outcome=HistoryOutcome.MISSED,
        message="late when applied, skipped on request",
    )


# --- none: create ----------------------------------------------------------------------------------


def _created(**overrides):
    task = a_task()
    fields = {
        "task": task,
        "digests": digests(task),
        "owner": OWNER,
        "source": SOURCE,
        "state": State.SCHEDULED,
        "version": 1,
        "generation": 1,
        "wake_at": DUE,
    }
    return Row(**(fields | overrides))


def test_none__create__scheduled_generation_1_at_due():
    """A new task waits for its due."""
    assert lifecycle.create(_declared(), _by()) == _created()


def test_none__create_nearer_than_the_lead__scheduled_at_soonest():
    """A due that the timer cannot serve any more is served at the first moment that it can."""
    by = _by(now=DUE - MINUTE)
    assert lifecycle.create(_declared(), by) == _created(wake_at=DUE + MINUTE)


def test_none__create_late_run__scheduled_at_soonest_without_grace():
    """A late task that a person wants run is asked for now: its grace does not count."""
    by = _by(now=DUE + DAY)
    assert lifecycle.create(_declared(), by, late=LateChoice.RUN) == _created(
        wake_at=DUE + DAY + 2 * MINUTE, requested_at=DUE + DAY
    )


def test_none__create_late_skip__missed():
    """A late task that a person wants skipped is recorded as missed, and never wakes anybody."""
    by = _by(now=DUE + DAY)
    assert lifecycle.create(_declared(), by, late=LateChoice.SKIP) == _created(
        state=State.MISSED, wake_at=None, history=(_skipped(DUE + DAY, DUE),)
    )


# --- deleted: create -------------------------------------------------------------------------------

TOMBSTONE = a_row(
    state=State.DELETED, version=8, generation=3, attempt=2, history=(FAILED,), requested_at=DUE - DAY, wake_at=None
)


def test_deleted__create__scheduled_next_generation():
    """A task that comes back goes on where it ended: version, generation and history."""
    assert lifecycle.create(_declared(), _by(), TOMBSTONE) == _created(version=9, generation=4, history=(FAILED,))


def test_deleted__create__scheduled_next_generation_not_before_old_lease():
    """An attempt that was superseded by the delete may still execute: nothing starts before its lease ends."""
    by = _by(now=DUE - HOUR)
    held = Claim(token=None, lease_end=DUE + HOUR)
    assert lifecycle.create(_declared(), by, replace(TOMBSTONE, claim=held)) == _created(
        version=9, generation=4, history=(FAILED,), claim=held, wake_at=DUE + HOUR
    )


def test_deleted__create_after_the_old_lease__scheduled_at_due_and_lease_forgotten():
    """A lease that is over holds nothing up."""
    by = _by(now=DUE - HOUR)
    over = Claim(token=None, lease_end=DUE - HOUR)
    assert lifecycle.create(_declared(), by, replace(TOMBSTONE, claim=over)) == _created(
        version=9, generation=4, history=(FAILED,)
    )


def test_deleted__create_late_run__not_before_old_lease():
    """Not even a person's word starts a task beside an attempt that may still execute."""
    by = _by(now=DUE + HOUR)
    held = Claim(token=None, lease_end=DUE + 2 * HOUR)
    assert lifecycle.create(_declared(), by, replace(TOMBSTONE, claim=held), LateChoice.RUN) == _created(
        version=9,
        generation=4,
        history=(FAILED,),
        claim=held,
        wake_at=DUE + 2 * HOUR,
        requested_at=DUE + HOUR,
    )


def test_deleted__create_late_skip__missed_and_old_lease_kept():
    """What is skipped keeps the old lease: a retry must still wait for it."""
    by = _by(now=DUE + HOUR)
    held = Claim(token=None, lease_end=DUE + 2 * HOUR)
    missed = lifecycle.create(_declared(), by, replace(TOMBSTONE, claim=held), LateChoice.SKIP)
    assert missed == _created(
        state=State.MISSED,
        version=9,
        generation=4,
        history=(FAILED, _skipped(DUE + HOUR, DUE, generation=4)),
        claim=held,
        wake_at=None,
    )


# --- any: policy edit, restore ---------------------------------------------------------------------

ANY_STATE = [State.SCHEDULED, State.RUNNING, State.SUCCEEDED, State.DEAD, State.MISSED]


@pytest.mark.parametrize("state", ANY_STATE)
def test_any__policy_edit__same_state_and_wake(state):
    """Whatever a row does, an edit of its policy replaces task and source and leaves all the rest."""
    row = a_row(state=state, version=4, deferred_since=DUE, requested_at=DUE)
    after = _declared(grace=HOUR, description="why")
    assert lifecycle.edit_policy(row, after, _by()) == replace(
        row, task=after.task, digests=digests(after.task), source=SOURCE, version=5
    )


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.MISSED])
def test_any_with_expires_at__same_file_back__kept_again(state):
    """A forgotten row whose file is back is kept for good."""
    row = a_row(state=state, version=4, expires_at=DUE + DAY)
    assert lifecycle.edit_policy(row, _declared(), _by()) == replace(row, source=SOURCE, version=5, expires_at=None)


# --- scheduled, dead, missed, succeeded: edit ------------------------------------------------------


def _edited(row, **overrides):
    fields = {
        "task": EDITED.task,
        "digests": EDITED_DIGESTS,
        "source": SOURCE,
        "state": State.SCHEDULED,
        "version": row.version + 1,
        "generation": row.generation + 1,
        "attempt": 0,
        "wake_at": NEW_DUE,
        "requested_at": None,
        "deferred_since": None,
        "expires_at": None,
    }
    return replace(row, **(fields | overrides))


EDITABLE = {
    State.SCHEDULED: a_row(version=4, generation=2, attempt=1, history=(FAILED,), requested_at=DUE, deferred_since=DUE),
    State.DEAD: a_row(state=State.DEAD, version=4, generation=2, attempt=5),
    State.MISSED: a_row(state=State.MISSED, version=4, generation=2),
    State.SUCCEEDED: a_row(state=State.SUCCEEDED, version=4, generation=2),
}


@pytest.mark.parametrize("state", EDITABLE)
def test_scheduled_dead_missed_succeeded__edit__scheduled_next_generation_at_new_due(state):
    """An edit of the execution starts over: next generation, no attempts, the new due."""
    row = EDITABLE[state]
    assert lifecycle.edit(row, EDITED, _by()) == _edited(row)


@pytest.mark.parametrize("state", EDITABLE)
def test_scheduled_dead_missed_succeeded__edit_nearer_than_the_lead__not_before_soonest(state):
    """The new due is served at the first moment that the timer can."""
    row, by = EDITABLE[state], _by(now=NEW_DUE - MINUTE)
    assert lifecycle.edit(row, EDITED, by) == _edited(row, wake_at=NEW_DUE + MINUTE)


@pytest.mark.parametrize("state", [State.SCHEDULED, State.DEAD, State.MISSED])
def test_scheduled_dead_missed__edit_late_run__scheduled_at_soonest_without_grace(state):
    """An edit whose due passed runs when a person says so."""
    row, by = EDITABLE[state], _by(now=NEW_DUE + DAY)
    assert lifecycle.edit(row, EDITED, by, LateChoice.RUN) == _edited(
        row, wake_at=NEW_DUE + DAY + 2 * MINUTE, requested_at=NEW_DUE + DAY
    )


@pytest.mark.parametrize("state", [State.SCHEDULED, State.DEAD, State.MISSED])
def test_scheduled_dead_missed__edit_late_skip__missed(state):
    """An edit whose due passed is recorded as missed when a person says so."""
    row, by = EDITABLE[state], _by(now=NEW_DUE + DAY)
    entry = _skipped(NEW_DUE + DAY, NEW_DUE, generation=3)
    assert lifecycle.edit(row, EDITED, by, LateChoice.SKIP) == _edited(
        row, state=State.MISSED, wake_at=None, history=(*row.history, entry)
    )


def test_forgotten__edit__kept_again():
    """An edit of a row whose file was gone keeps it for good."""
    row = a_row(state=State.SUCCEEDED, expires_at=DUE + RETENTION)
    assert lifecycle.edit(row, EDITED, _by()) == _edited(row)


# --- running: edit or delete with --supersede ------------------------------------------------------

NOW = DUE + 10 * SECOND
LEASE_END = DUE + 90 * SECOND
RUNNING = a_row(state=State.RUNNING, version=4, generation=2, claim=a_claim(lease_end=LEASE_END), wake_at=LEASE_END)
HELD = Claim(token=None, lease_end=LEASE_END)
SUPERSEDED = replace(RUNNING.history[-1], finished_at=NOW, outcome=HistoryOutcome.SUPERSEDED)


def test_running__superseding_edit__scheduled_with_superseded_in_history_and_lease_kept():
    """The attempt is nobody's any more, and its lease goes on."""
    assert lifecycle.edit(RUNNING, EDITED, _by(now=NOW)) == _edited(RUNNING, history=(SUPERSEDED,), claim=HELD)


def test_running__superseding_edit_with_a_near_due__not_before_the_old_lease_ends():
    """Two attempts never overlap: the new generation waits for the old lease."""
    near = _declared(due=DUE + 40 * SECOND, payload={"newPrice": 1})
    assert lifecycle.edit(RUNNING, near, _by(now=NOW, lead=timedelta(0))) == _edited(
        RUNNING, task=near.task, digests=digests(near.task), history=(SUPERSEDED,), claim=HELD, wake_at=LEASE_END
    )


def test_running__superseding_edit_late_run__not_before_the_old_lease_ends():
    """Not even a person's word starts it beside the old attempt."""
    past = _declared(due=DUE - DAY, payload={"newPrice": 1})
    assert lifecycle.edit(RUNNING, past, _by(now=NOW, lead=timedelta(0)), LateChoice.RUN) == _edited(
        RUNNING,
        task=past.task,
        digests=digests(past.task),
        history=(SUPERSEDED,),
        claim=HELD,
        wake_at=LEASE_END,
        requested_at=NOW,
    )


def test_running__superseding_edit_late_skip__missed_and_lease_kept():
    """A superseded attempt may still execute although the edit is skipped: its lease is kept."""
    past = _declared(due=DUE - DAY, payload={"newPrice": 1})
    assert lifecycle.edit(RUNNING, past, _by(now=NOW), LateChoice.SKIP) == _edited(
        RUNNING,
        task=past.task,
        digests=digests(past.task),
        state=State.MISSED,
        history=(SUPERSEDED, _skipped(NOW, DUE - DAY, generation=3)),
        claim=HELD,
        wake_at=None,
    )


def test_running__superseding_edit_of_a_lease_that_is_over__scheduled_and_lease_forgotten():
    """A worker that died holds nothing up."""
    by = _by(now=LEASE_END)
    entry = replace(SUPERSEDED, finished_at=LEASE_END)
    assert lifecycle.edit(RUNNING, EDITED, by) == _edited(RUNNING, history=(entry,), claim=None)


def test_running__superseding_edit_of_an_attempt_that_timed_out__its_outcome_stands():
    """An attempt that has its outcome keeps it; its lease goes on all the same."""
    timed_out = replace(RUNNING.history[-1], finished_at=DUE + SECOND, outcome=HistoryOutcome.TIMED_OUT)
    row = replace(RUNNING, history=(timed_out,))
    assert lifecycle.edit(row, EDITED, _by(now=NOW)) == _edited(row, claim=HELD)


def test_running__superseding_delete__deleted_with_superseded_in_history_and_lease_kept():
    """The tombstone remembers the lease, for whoever creates the task again."""
    assert lifecycle.delete(RUNNING, _by(now=NOW)) == replace(
        RUNNING,
        state=State.DELETED,
        version=5,
        wake_at=None,
        history=(SUPERSEDED,),
        claim=HELD,
        expires_at=NOW + RETENTION,
    )


# --- scheduled, dead: delete; succeeded, missed: forget --------------------------------------------


@pytest.mark.parametrize("state", [State.SCHEDULED, State.DEAD])
def test_scheduled_dead__delete__deleted(state):
    """A tombstone needs nothing more, and expires."""
    row, by = EDITABLE[state], _by(now=DUE - DAY)
    assert lifecycle.delete(row, by) == replace(
        row, state=State.DELETED, version=5, wake_at=None, deferred_since=None, expires_at=DUE - DAY + RETENTION
    )


def test_scheduled_after_a_superseding_edit__delete__deleted_and_lease_kept():
    """The lease of a superseded attempt outlives an edit and a delete."""
    row = a_row(claim=HELD)
    assert lifecycle.delete(row, _by(now=NOW)) == replace(
        row, state=State.DELETED, version=2, wake_at=None, expires_at=NOW + RETENTION
    )


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.MISSED])
def test_succeeded_missed__forget__same_state_and_expires(state):
    """What is finished stays what it is for the retention."""
    row, by = EDITABLE[state], _by(now=DUE + DAY)
    assert lifecycle.forget(row, by) == replace(row, version=5, expires_at=DUE + DAY + RETENTION)


# --- dead, missed: retry by a person ---------------------------------------------------------------


@pytest.mark.parametrize("state", [State.DEAD, State.MISSED])
def test_dead_missed__retry__scheduled_with_fresh_attempts_at_soonest_without_grace(state):
    """All attempts again, at once; the generation stays, so that its idempotency key does."""
    row, now = EDITABLE[state], DUE + DAY
    assert lifecycle.retry(row, now=now, soonest=now + MINUTE) == replace(
        row, state=State.SCHEDULED, version=5, attempt=0, wake_at=now + MINUTE, requested_at=now
    )


def test_missed_after_a_superseding_edit__retry__not_before_the_old_lease_ends():
    """A retry waits for the attempt that an edit superseded."""
    row = a_row(state=State.MISSED, claim=HELD)
    assert lifecycle.retry(row, now=NOW, soonest=NOW) == replace(
        row, state=State.SCHEDULED, version=2, wake_at=LEASE_END, requested_at=NOW
    )


@pytest.mark.parametrize("state", [State.SCHEDULED, State.RUNNING, State.SUCCEEDED, State.DELETED])
def test_scheduled_running_succeeded_deleted__retry__refused(state):
    """Nothing but a dead or missed task is retried, a succeeded one least of all."""
    with pytest.raises(UsageError) as caught:
        lifecycle.retry(a_row(state=state), now=DUE, soonest=DUE)
    assert str(caught.value) == f"task 'some task id' is {state}: only a dead or missed task can be retried"


def test_missed_and_forgotten__retry__refused():
    """A task that no file declares is not retried."""
    with pytest.raises(UsageError) as caught:
        lifecycle.retry(a_row(state=State.MISSED, expires_at=DUE), now=DUE, soonest=DUE)
    assert str(caught.value) == ("the file of task 'some task id' has left git: bring it back and apply, then retry")


# --- scheduled: run by a person --------------------------------------------------------------------


def test_scheduled__run__scheduled_at_soonest_without_grace():
    """A person may run a task before its due; what a worker said of its action before is forgotten."""
    row, now = EDITABLE[State.SCHEDULED], DUE - DAY
    assert lifecycle.run_early(row, now=now, soonest=now + MINUTE) == replace(
        row, version=5, wake_at=now + MINUTE, requested_at=now, deferred_since=None
    )


def test_scheduled_after_a_superseding_edit__run__not_before_the_old_lease_ends():
    """Not even a person's word starts it beside the attempt that an edit superseded."""
    row = a_row(claim=HELD, wake_at=NEW_DUE)
    assert lifecycle.run_early(row, now=NOW, soonest=NOW) == replace(
        row, version=2, wake_at=LEASE_END, requested_at=NOW
    )


@pytest.mark.parametrize("state", [State.RUNNING, State.SUCCEEDED, State.DEAD, State.MISSED, State.DELETED])
def test_running_succeeded_dead_missed_deleted__run__refused(state):
    """Nothing but a scheduled task is run early."""
    with pytest.raises(UsageError) as caught:
        lifecycle.run_early(a_row(state=state), now=DUE, soonest=DUE)
    assert str(caught.value) == f"task 'some task id' is {state}: only a scheduled task can be run early"
