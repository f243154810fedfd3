"""Cells of the table of the plan, docs/state-machine.md, with a file: file__row__change (slowsched/decision.py).

Each is decided twice (`planning.decided`). Each test states the whole change; the row that it would write is
the transition's own, tested with the lifecycle. Running rows and files that are gone: test_plan_table_gone.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from planning import (
    EDIT,
    EDIT_FIELDS,
    EDITED_DUE,
    LATE_MESSAGE,
    LEAD,
    NOW,
    PASSED,
    PRICE_EDIT,
    PRICE_FIELD,
    applier,
    change_of_file,
    decided,
    moved,
)
from values import DAY, DUE, HOUR, MINUTE, a_declared, a_place, a_row

from slowsched import lifecycle
from slowsched.model import ChangeKind, Field, LateChoice, State

TASK_ID = "some task id"
MICRO = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
RAN_ALREADY = "it already ran: give it a due ahead to run it again, or take the edit back"
FINISHED = [State.SUCCEEDED, State.MISSED]
ANY_STATE = [State.SCHEDULED, State.RUNNING, State.DEAD, *FINISHED]
TOMBSTONES = [None, a_row(state=State.DELETED, version=4, generation=2)]
NEW_IDS = ["none", "tombstone"]


# --- new, due ahead --------------------------------------------------------------------------------


@pytest.mark.parametrize("row", TOMBSTONES, ids=NEW_IDS)
def test_new_due_ahead__none_or_tombstone__create(row):
    """A task that no row has is created; one that is back begins where its tombstone ended."""
    declared = moved()
    result = lifecycle.create(declared, applier(), row)
    assert decided(declared, row) == change_of_file(ChangeKind.CREATE, declared, row, result=result)


@pytest.mark.parametrize("row", TOMBSTONES, ids=NEW_IDS)
@pytest.mark.parametrize("ahead", [timedelta(0), MICRO, MINUTE], ids=["now", "just ahead", "nearer than the lead"])
def test_new_due_nearer_than_the_lead__none_or_tombstone__create_soon(row, ahead):
    """A due that the timer cannot serve in time any more is still ahead: it is created, and noted."""
    declared, now = moved(), DUE - ahead
    change = decided(declared, row, now=now)
    result = lifecycle.create(declared, applier(now), row)
    assert change == change_of_file(ChangeKind.CREATE, declared, row, result=result, notes=("soon",))


@pytest.mark.parametrize("ahead", [timedelta(0), MINUTE], ids=["now", "a minute"])
def test_new_due_ahead__none_on_the_local_timer__create_without_a_note(ahead):
    """A timer without a lead serves every moment that is not past."""
    declared, now = moved(), DUE - ahead
    result = lifecycle.create(declared, applier(now, timedelta(0)))
    assert decided(declared, None, now=now, lead=timedelta(0)) == change_of_file(
        ChangeKind.CREATE, declared, None, result=result
    )


def test_new_due_at_the_lead__none__create_without_a_note():
    """The first moment that the timer can serve is not soon: it is in time."""
    declared, now = moved(), DUE - 2 * MINUTE
    assert decided(declared, None, now=now) == change_of_file(
        ChangeKind.CREATE, declared, None, result=lifecycle.create(declared, applier(now))
    )


# --- new, due passed -------------------------------------------------------------------------------


@pytest.mark.parametrize("row", TOMBSTONES, ids=NEW_IDS)
@pytest.mark.parametrize("late", [MICRO, DAY, 3653 * DAY], ids=["just passed", "a day", "ten years"])
def test_new_due_passed__none_or_tombstone__late(row, late):
    """What is late is refused with what to do, never run by accident nor dropped in silence."""
    declared = moved()
    assert decided(declared, row, now=DUE + late) == change_of_file(
        ChangeKind.LATE, declared, row, message=LATE_MESSAGE
    )


@pytest.mark.parametrize("row", TOMBSTONES, ids=NEW_IDS)
@pytest.mark.parametrize("choice", LateChoice)
def test_new_due_passed__none_or_tombstone_and_late_run_or_skip__create(row, choice):
    """A person's word decides: run at once, or recorded as missed."""
    declared = moved()
    result = lifecycle.create(declared, applier(PASSED), row, choice)
    assert decided(declared, row, now=PASSED, late=choice) == change_of_file(
        ChangeKind.CREATE, declared, row, result=result, notes=(f"late-{choice}",)
    )


@pytest.mark.parametrize("row", TOMBSTONES, ids=NEW_IDS)
@pytest.mark.parametrize("choice", [None, *LateChoice])
def test_new_due_passed__none_or_tombstone_and_own_grace_covers__create_soon(row, choice):
    """A grace that the file itself states runs it, whatever is said of what is late: it is not late."""
    declared, now = moved(grace=HOUR, own_grace=True), DUE + MINUTE
    result = lifecycle.create(declared, applier(now), row)
    assert decided(declared, row, now=now, late=choice) == change_of_file(
        ChangeKind.CREATE, declared, row, result=result, notes=("soon",)
    )


def test_new_due_passed__none_and_own_grace_covers_the_start_exactly__create_soon():
    """The first moment that the timer can serve is just within the grace."""
    declared, now = moved(grace=HOUR, own_grace=True), DUE + HOUR - LEAD
    result = lifecycle.create(declared, applier(now - 30 * SECOND))
    assert decided(declared, None, now=now - 30 * SECOND) == change_of_file(
        ChangeKind.CREATE, declared, None, result=result, notes=("soon",)
    )


def test_new_due_passed__none_and_own_grace_covers_now_but_not_the_start__late():
    """A task that could start only after its grace is late now, not missed in a minute."""
    declared, now = moved(grace=HOUR, own_grace=True), DUE + HOUR - MINUTE
    assert decided(declared, None, now=now) == change_of_file(ChangeKind.LATE, declared, None, message=LATE_MESSAGE)


@pytest.mark.parametrize("declared", [moved(grace=2 * DAY), moved(own_grace=True)], ids=["default", "none"])
def test_new_due_passed__none_and_default_grace__late(declared):
    """The grace of the config never covers what is late already."""
    assert decided(declared, None, now=DUE + MINUTE) == change_of_file(
        ChangeKind.LATE, declared, None, message=LATE_MESSAGE
    )


# --- same ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ANY_STATE)
@pytest.mark.parametrize("now", [NOW, PASSED], ids=["ahead", "passed"])
@pytest.mark.parametrize("choice", [None, *LateChoice])
def test_same__any__unchanged(state, now, choice):
    """A task that its row has is unchanged, whatever became of it, and whatever is said of what is late."""
    assert decided(moved(), a_row(state=state), now=now, late=choice, supersede=[TASK_ID]) is None


def test_same_moved_to_another_file__any__unchanged():
    """The file's place is not part of a task."""
    assert decided(a_declared(place=a_place(path="elsewhere.json", line=99)), a_row()) is None


@pytest.mark.parametrize("state", FINISHED)
def test_same__forgotten__update_restored(state):
    """A file that is back keeps its finished row; nothing runs."""
    declared, row = moved(), a_row(state=state, expires_at=DUE + 300 * DAY)
    assert decided(declared, row, now=PASSED) == change_of_file(
        ChangeKind.UPDATE,
        declared,
        row,
        result=lifecycle.edit_policy(row, declared, applier(PASSED)),
        notes=("policy-only", "restored"),
    )


# --- only the policy differs -----------------------------------------------------------------------

POLICY = {"grace": HOUR, "protect": True, "team": "pricing"}
POLICY_FIELDS = (
    Field(pointer="$.grace", before=None, after="1h"),
    Field(pointer="$.protect", before=None, after=True),
    Field(pointer="$.team", before=None, after="pricing"),
)


@pytest.mark.parametrize("state", ANY_STATE)
@pytest.mark.parametrize("now", [NOW, PASSED], ids=["ahead", "passed"])
def test_only_policy_differs__any__update_policy_only(state, now):
    """A policy edit lands at any time, on any row, and touches no execution."""
    declared, row = moved(**POLICY), a_row(state=state)
    assert decided(declared, row, now=now) == change_of_file(
        ChangeKind.UPDATE,
        declared,
        row,
        result=lifecycle.edit_policy(row, declared, applier(now)),
        fields=POLICY_FIELDS,
        notes=("policy-only",),
    )


@pytest.mark.parametrize("state", FINISHED)
def test_only_policy_differs__forgotten__update_restored(state):
    """A file that is back with another policy does both at once."""
    declared, row = moved(**POLICY), a_row(state=state, expires_at=DUE + 300 * DAY)
    assert decided(declared, row, now=PASSED) == change_of_file(
        ChangeKind.UPDATE,
        declared,
        row,
        result=lifecycle.edit_policy(row, declared, applier(PASSED)),
        fields=POLICY_FIELDS,
        notes=("policy-only", "restored"),
    )


# --- the execution differs, due ahead --------------------------------------------------------------


@pytest.mark.parametrize("state", [State.SCHEDULED, State.DEAD, State.MISSED])
def test_execution_differs_due_ahead__scheduled_dead_missed__update(state):
    """An edit is an update, field by field."""
    declared, row = moved(**EDIT), a_row(state=state, generation=2)
    result = lifecycle.edit(row, declared, applier())
    assert decided(declared, row) == change_of_file(ChangeKind.UPDATE, declared, row, result=result, fields=EDIT_FIELDS)


def test_execution_differs_due_ahead__succeeded__update_runs_again():
    """An edit of what ran already runs it again, and says so."""
    declared, row = moved(**EDIT), a_row(state=State.SUCCEEDED)
    assert decided(declared, row, now=PASSED) == change_of_file(
        ChangeKind.UPDATE,
        declared,
        row,
        result=lifecycle.edit(row, declared, applier(PASSED)),
        fields=EDIT_FIELDS,
        notes=("runs-again",),
    )


@pytest.mark.parametrize("ahead", [timedelta(0), MINUTE], ids=["now", "a minute"])
@pytest.mark.parametrize(("state", "notes"), [(State.SCHEDULED, ("soon",)), (State.SUCCEEDED, ("runs-again", "soon"))])
def test_execution_differs_due_nearer_than_the_lead__any_but_running__update_soon(state, notes, ahead):
    """A due that the timer cannot serve in time is noted."""
    declared, row, now = moved(**EDIT), a_row(state=state), EDITED_DUE - ahead
    assert decided(declared, row, now=now) == change_of_file(
        ChangeKind.UPDATE,
        declared,
        row,
        result=lifecycle.edit(row, declared, applier(now)),
        fields=EDIT_FIELDS,
        notes=notes,
    )


@pytest.mark.parametrize("state", FINISHED)
def test_execution_differs_due_ahead__forgotten__update_and_kept_again(state):
    """A file that is back with another execution is edited like any other."""
    declared, row = moved(**EDIT), a_row(state=state, expires_at=DUE + 300 * DAY)
    change = decided(declared, row, now=PASSED)
    assert change == change_of_file(
        ChangeKind.UPDATE,
        declared,
        row,
        result=replace(lifecycle.edit(row, declared, applier(PASSED)), expires_at=None),
        fields=EDIT_FIELDS,
        notes=("runs-again",) if state is State.SUCCEEDED else (),
    )


# --- the execution differs, due passed -------------------------------------------------------------


@pytest.mark.parametrize("state", [State.SCHEDULED, State.DEAD, State.MISSED])
def test_execution_differs_due_passed__scheduled_dead_missed__late(state):
    """An edit whose due passed is late, as a new task is."""
    declared, row = moved(**PRICE_EDIT), a_row(state=state)
    assert decided(declared, row, now=PASSED) == change_of_file(
        ChangeKind.LATE, declared, row, fields=PRICE_FIELD, message=LATE_MESSAGE
    )


@pytest.mark.parametrize("state", [State.SCHEDULED, State.DEAD, State.MISSED])
@pytest.mark.parametrize("choice", LateChoice)
def test_execution_differs_due_passed__scheduled_dead_missed_and_late_run_or_skip__update(state, choice):
    """A person's word decides on an edit, too."""
    declared, row = moved(**PRICE_EDIT), a_row(state=state)
    assert decided(declared, row, now=PASSED, late=choice) == change_of_file(
        ChangeKind.UPDATE,
        declared,
        row,
        result=lifecycle.edit(row, declared, applier(PASSED), choice),
        fields=PRICE_FIELD,
        notes=(f"late-{choice}",),
    )


def test_execution_differs_due_passed__scheduled_and_own_grace_covers__update_soon():
    """A grace that the file states covers an edit."""
    declared, row, now = moved(**PRICE_EDIT, grace=HOUR, own_grace=True), a_row(grace=HOUR), DUE + MINUTE
    assert decided(declared, row, now=now) == change_of_file(
        ChangeKind.UPDATE,
        declared,
        row,
        result=lifecycle.edit(row, declared, applier(now)),
        fields=PRICE_FIELD,
        notes=("soon",),
    )


@pytest.mark.parametrize("choice", [None, *LateChoice])
@pytest.mark.parametrize("own_grace", [False, True], ids=["no grace", "own grace"])
def test_execution_differs_due_passed__succeeded__late_it_already_ran(choice, own_grace):
    """What ran already never runs again by an edit of the past, whatever is said."""
    grace = 2 * DAY if own_grace else None
    declared = moved(**PRICE_EDIT, grace=grace, own_grace=own_grace)
    row = a_row(state=State.SUCCEEDED, grace=grace)
    assert decided(declared, row, now=PASSED, late=choice) == change_of_file(
        ChangeKind.LATE, declared, row, fields=PRICE_FIELD, message=RAN_ALREADY
    )
