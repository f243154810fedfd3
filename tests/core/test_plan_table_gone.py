"""Cells of the table of the plan, docs/state-machine.md: running rows, files that are gone, rows of others.

Each is decided twice (`planning.decided`). Each test states the whole change; the row that it would write is
the transition's own, tested with the lifecycle.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from planning import (
    EDIT,
    EDIT_FIELDS,
    EDITED_DUE,
    LATE_MESSAGE,
    NOW,
    PRICE_EDIT,
    PRICE_FIELD,
    applier,
    change_of_file,
    change_of_row,
    decided,
    moved,
    planned,
)
from values import DAY, DUE, a_claim, a_row, a_source

from slowsched import lifecycle
from slowsched.decision import Allowance, decide
from slowsched.model import ChangeKind, LateChoice, Place, Problem, Refusal, State, Unreadable

TASK_ID = "some task id"
OTHER_OWNER = "acme/other/local"
SECOND = timedelta(seconds=1)
RUNNING = "it is running: wait for its outcome, or say --supersede 'some task id'"
GONE_RUNNING = "its file is gone while it is running: wait for its outcome, or say --supersede 'some task id'"
FINISHED = [State.SUCCEEDED, State.MISSED]


def test_without_a_word_nothing_is_allowed():
    """Nobody said anything: what is late stays late, and what runs is not taken from its worker."""
    late, edited, row = moved(due=DUE - DAY), moved(**EDIT), a_row(state=State.RUNNING)
    changes = [decide(late, None, applier(DUE), Allowance()), decide(edited, row, applier(DUE), Allowance())]
    assert [each.kind for each in changes] == [ChangeKind.LATE, ChangeKind.CONFLICT]


def test_a_change_of_a_row_has_the_place_that_its_file_had():
    """Where the file is gone, the place is that of the commit which brought the row."""
    change = decide(None, a_row(source=a_source(path="tasks/old.yaml", line=12)), applier(), Allowance())
    assert change.place == Place(path="tasks/old.yaml", line=12)


# --- the execution differs, or the file is gone: running -------------------------------------------


@pytest.mark.parametrize("now", [NOW, EDITED_DUE + DAY], ids=["ahead", "passed"])
@pytest.mark.parametrize("supersede", [(), ("other id",)], ids=["unsaid", "another"])
def test_execution_differs__running__conflict(now, supersede):
    """An edit cannot race an execution: it blocks itself, with the way out."""
    declared, row = moved(**EDIT), a_row(state=State.RUNNING)
    allowance = Allowance(late=LateChoice.RUN, supersede=frozenset(supersede))
    assert decide(declared, row, applier(now), allowance) == change_of_file(
        ChangeKind.CONFLICT, declared, row, fields=EDIT_FIELDS, message=RUNNING
    )


def test_execution_differs__running_through_the_plan__conflict():
    """The same through the whole plan."""
    declared, row = moved(**EDIT), a_row(state=State.RUNNING)
    assert decided(declared, row) == change_of_file(
        ChangeKind.CONFLICT, declared, row, fields=EDIT_FIELDS, message=RUNNING
    )


def test_execution_differs_due_ahead__running_and_supersede__update_superseded():
    """A person may take a task from its worker; the old lease is waited for."""
    now = DUE + 10 * SECOND
    declared, row = moved(**EDIT), a_row(state=State.RUNNING, claim=a_claim(lease_end=DUE + 90 * SECOND))
    assert decided(declared, row, now=now, supersede=[TASK_ID]) == change_of_file(
        ChangeKind.UPDATE,
        declared,
        row,
        result=lifecycle.edit(row, declared, applier(now)),
        fields=EDIT_FIELDS,
        notes=("superseded",),
    )


@pytest.mark.parametrize(("choice", "kind"), [(None, ChangeKind.LATE), (LateChoice.RUN, ChangeKind.UPDATE)])
def test_execution_differs_due_passed__running_and_supersede__late_as_above(choice, kind):
    """To supersede says nothing about a due that passed: both words are needed."""
    now = DUE + 10 * SECOND
    declared, row = moved(**PRICE_EDIT), a_row(state=State.RUNNING, claim=a_claim(lease_end=DUE + 90 * SECOND))
    result = lifecycle.edit(row, declared, applier(now), choice)
    expected = {"message": LATE_MESSAGE} if choice is None else {"result": result, "notes": ("superseded", "late-run")}
    assert decided(declared, row, now=now, late=choice, supersede=[TASK_ID]) == change_of_file(
        kind, declared, row, fields=PRICE_FIELD, **expected
    )


def test_gone__running__conflict():
    """A delete cannot race an execution either."""
    row = a_row(state=State.RUNNING)
    assert decided(None, row) == change_of_row(ChangeKind.CONFLICT, row, message=GONE_RUNNING)


def test_gone__running_and_supersede__delete_superseded():
    """A person may delete what runs."""
    row = a_row(state=State.RUNNING)
    assert decided(None, row, now=DUE, supersede=[TASK_ID]) == change_of_row(
        ChangeKind.DELETE, row, result=lifecycle.delete(row, applier(DUE)), notes=("superseded",)
    )


# --- gone ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.SCHEDULED, State.DEAD])
def test_gone__scheduled_dead__delete(state):
    """A task whose file is gone is deleted; it stands where the file stood."""
    row = a_row(state=state)
    assert decided(None, row) == change_of_row(ChangeKind.DELETE, row, result=lifecycle.delete(row, applier()))


@pytest.mark.parametrize("state", FINISHED)
@pytest.mark.parametrize("protect", [False, True])
def test_gone__succeeded_missed__forget(state, protect):
    """What is finished is kept for the retention, without alarm, protected or not."""
    row = a_row(state=state, protect=protect)
    assert decided(None, row) == change_of_row(ChangeKind.FORGET, row, result=lifecycle.forget(row, applier()))


@pytest.mark.parametrize("row", [a_row(state=each, expires_at=DUE + DAY) for each in (*FINISHED, State.DELETED)])
def test_gone__forgotten_or_deleted__nothing(row):
    """What was forgotten or deleted once needs nothing more."""
    assert decided(None, row) is None


def test_gone__scheduled_and_protected__refused():
    """The delete of a protected task needs a word, and until then the whole plan is refused."""
    row = a_row(protect=True)
    change = change_of_row(ChangeKind.DELETE, row, result=lifecycle.delete(row, applier()), notes=("protected",))
    plan = planned([_other()], [row])
    message = "'some task id' is protected: say --allow-protected 'some task id' to delete it"
    assert (plan.changes[0], plan.refused) == (change, (Refusal(code="protected", message=message),))


def test_gone__scheduled_and_protected_and_allowed__delete():
    """With the word it is a delete like any other."""
    row = a_row(protect=True)
    change = change_of_row(ChangeKind.DELETE, row, result=lifecycle.delete(row, applier()), notes=("protected",))
    plan = planned([_other()], [row], allow_protected=frozenset({TASK_ID}))
    assert (plan.changes[0], plan.refused) == (change, ())


def test_gone__running_and_protected_and_supersede__refused_still():
    """One word does not stand for the other."""
    row = a_row(state=State.RUNNING, protect=True)
    plan = planned([_other()], [row], supersede=frozenset({TASK_ID}))
    assert (plan.changes[0].notes, [each.code for each in plan.refused]) == (("superseded", "protected"), ["protected"])


def test_gone__dead_and_protected__delete():
    """What is dead has nothing left to protect."""
    row = a_row(state=State.DEAD, protect=True)
    plan = planned([_other()], [row])
    change = change_of_row(ChangeKind.DELETE, row, result=lifecycle.delete(row, applier()))
    assert (plan.changes[0], plan.refused) == (change, ())


def _other():
    """Return another task, so that the desired state is not empty; it is created last."""
    return moved(id="other", due=DUE + 100 * DAY)


# --- rows that are not ours, or cannot be read -----------------------------------------------------


@pytest.mark.parametrize("state", State)
def test_any__row_of_another_owner_with_the_same_id__problem(state):
    """An id belongs to one owner; the file is told, and nothing else is planned."""
    plan = planned([moved(), _other()], [a_row(state=state, owner=OTHER_OWNER)])
    problem = Problem(
        path="tasks/new.yaml",
        line=7,
        column=3,
        pointer="$.id",
        code="foreign-id",
        message="the id 'some task id' belongs to another owner in this table: choose another",
    )
    assert (plan.changes, plan.problems) == ((), (problem,))


@pytest.mark.parametrize("state", State)
def test_gone__row_of_another_owner__nothing(state):
    """Rows of others are neither shown nor touched."""
    plan = planned([], [a_row(state=state, owner=OTHER_OWNER)])
    assert (plan.changes, plan.pending, plan.refused) == ((), 0, ())


def test_any__unreadable_row__conflict():
    """A row that a newer version wrote is left alone; its task blocks itself."""
    declared, row = moved(), Unreadable(id=TASK_ID, reason="format 2")
    message = "its row cannot be read (format 2): upgrade slowsched"
    assert decided(declared, row) == change_of_file(ChangeKind.CONFLICT, declared, None, message=message)


def test_gone__unreadable_row__nothing():
    """Nobody knows whose it is: it is shown and left alone."""
    row = Unreadable(id=TASK_ID, reason="format 2")
    assert (decided(None, row), planned([], [row]).unreadable) == (None, (row,))


def test_none__none__nothing():
    """A task that neither a file nor a row has is no change: it was deleted for good meanwhile."""
    assert decide(None, None, applier(), Allowance()) is None
