"""The plan's digest, when it goes out of date, and what it does to the timer (slowsched/plan.py)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from planning import EDIT, NOW, PASSED, PRICE_EDIT, planned, setting
from values import DAY, DUE, HOUR, MINUTE, a_declared, a_place, a_row

from slowsched.model import LateChoice, State, Unreadable
from slowsched.plan import PlanOptions, compare, make_plan

SECOND = timedelta(seconds=1)

# --- the digest ------------------------------------------------------------------------------------

FILES = [a_declared(id="new"), a_declared(id="edited", **EDIT), a_declared(id="policy", grace=DAY)]
ROWS = [a_row(id="edited"), a_row(id="policy"), a_row(id="gone"), a_row(id="done", state=State.SUCCEEDED)]


def _digest(files=FILES, rows=ROWS, **options):
    return planned(files, rows, **options).digest


@pytest.mark.parametrize(
    ("files", "rows", "where"),
    [
        (FILES[::-1], ROWS[::-1], setting()),
        (FILES, ROWS, setting(now=NOW + 9 * DAY, armed=DUE)),
        (FILES, ROWS, setting(now=DUE - MINUTE)),
        (FILES, ROWS, setting(commit="f" * 40)),
        (FILES, ROWS, setting(environment="prod")),
        (
            FILES,
            [a_row(id=each, version=9, generation=4) for each in ("edited", "policy", "gone")] + ROWS[3:],
            setting(),
        ),
        ([a_declared(id="same"), *FILES], [a_row(id="same"), *ROWS], setting()),
        ([a_declared(id="new", place=a_place(path="moved.yaml")), *FILES[1:]], ROWS, setting()),
        (FILES, [*ROWS[:3], a_row(id="done", state=State.MISSED)], setting()),
        (FILES, [*ROWS[:2], a_row(id="gone", state=State.DEAD), ROWS[3]], setting()),
    ],
    ids=["order", "time", "soon", "commit", "environment", "versions", "unchanged", "place", "finished", "dead"],
)
def test_the_digest_is_of_what_would_be_done(files, rows, where):
    """It is the same for the same changes, whatever the order, the time, the versions and the place."""
    assert planned(files, rows, where=where).digest == _digest()


@pytest.mark.parametrize(
    ("files", "rows"),
    [
        ([], ROWS),
        (FILES[1:], ROWS),
        ([a_declared(id="new", payload={}), *FILES[1:]], ROWS),
        ([a_declared(id="new", team="x"), *FILES[1:]], ROWS),
        ([a_declared(id="newer"), *FILES[1:]], ROWS),
        (FILES, [a_row(id="edited", payload={}), *ROWS[1:]]),
        (FILES, [a_row(id="edited", state=State.RUNNING), *ROWS[1:]]),
        (FILES, [a_row(id="edited", state=State.SUCCEEDED), *ROWS[1:]]),
        (FILES, [*ROWS[:2], a_row(id="gone", payload={}), ROWS[3]]),
        (FILES, [*ROWS[:2], a_row(id="gone", team="x"), ROWS[3]]),
        (FILES, [*ROWS[:2], a_row(id="gone", state=State.SUCCEEDED), ROWS[3]]),
        (FILES, ROWS[:3]),
    ],
    ids=[
        "no file",
        "one create less",
        "execution of a create",
        "policy of a create",
        "id of a create",
        "execution of what is edited",
        "conflict instead of update",
        "update that runs again",
        "execution of what is deleted",
        "policy of what is deleted",
        "forget instead of delete",
        "one forget less",
    ],
)
def test_the_digest_changes_with_what_would_be_done(files, rows):
    """Another id, kind, execution or policy before or after is another plan."""
    assert _digest(files, rows) != _digest()


def test_the_digest_changes_with_the_word_on_what_is_late():
    """Late, run and skip are three plans."""
    late = [a_declared(due=NOW - DAY)]
    assert len({_digest(late, [], late=choice) for choice in (None, *LateChoice)}) == 3


def test_the_digest_is_of_one_owner():
    """The same changes for another owner are another plan."""
    files = [a_declared()]
    other = make_plan(compare(files, [], "another"), {}, setting(owner="another"), PlanOptions())
    assert other.digest != planned(files, []).digest


# --- when it goes out of date, and the timer -------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "rows", "now", "until"),
    [
        ([a_declared(id="a", due=DUE + DAY), a_declared(id="b")], [], NOW, DUE),
        ([a_declared(**PRICE_EDIT)], [a_row()], NOW, DUE),
        ([a_declared()], [], DUE, DUE),
        ([a_declared(grace=DAY)], [a_row()], NOW, None),
        ([a_declared()], [a_row(state=State.MISSED, expires_at=DUE)], NOW, None),
        ([], [a_row()], NOW, None),
        ([a_declared()], [a_row()], NOW, None),
        ([a_declared()], [], PASSED, None),
        ([a_declared(**PRICE_EDIT)], [a_row(state=State.RUNNING)], NOW, None),
    ],
    ids=["first of two", "an edit", "now", "policy", "restored", "delete", "unchanged", "late already", "conflict"],
)
def test_valid_until_is_the_first_due_that_would_be_late(files, rows, now, until):
    """A create or an edit is late after its due; nothing else goes out of date by time alone."""
    assert planned(files, rows, where=setting(now=now)).valid_until == until


def test_valid_until_leaves_out_what_is_run_late():
    """What is late already gets no later."""
    assert planned([a_declared()], [], where=setting(now=PASSED), late=LateChoice.RUN).valid_until is None


@pytest.mark.parametrize(
    ("files", "rows", "now", "armed", "after"),
    [
        ([], [], NOW, None, None),
        ([], [], NOW, DUE - DAY, DUE - DAY),
        ([a_declared()], [], NOW, None, DUE),
        ([a_declared(due=DUE + 30 * SECOND)], [], NOW, None, DUE + MINUTE),
        ([a_declared()], [a_row()], NOW, None, DUE),
        ([a_declared(**EDIT)], [a_row()], NOW, DUE, DUE + 5 * DAY),
        ([], [a_row(id="gone"), a_row(id="x", owner="another", due=DUE + DAY)], NOW, DUE, DUE + DAY),
        ([a_declared(**EDIT)], [a_row(state=State.RUNNING)], NOW, None, DUE + MINUTE),
        ([a_declared()], [a_row()], DUE, DUE, DUE),
        ([a_declared()], [a_row()], DUE + 210 * SECOND, DUE, DUE + 5 * MINUTE),
        ([a_declared()], [Unreadable(id="some task id", reason="format 2")], NOW, None, None),
        ([a_declared()], [], PASSED, None, None),
    ],
    ids=[
        "nothing",
        "nothing any more",
        "create",
        "seconds",
        "unchanged",
        "edited away",
        "deleted, another owner's is next",
        "conflict keeps its lease",
        "its wake is on the way",
        "its wake is lost",
        "unreadable",
        "late is not armed for",
    ],
)
def test_timer_after(files, rows, now, armed, after):
    """The minute that the timer would be set to: the first wake of all rows, of every owner, after the apply."""
    plan = planned(files, rows, where=setting(now=now, armed=armed), allow_deletes=1)
    assert (plan.timer_before, plan.timer_after) == (armed, after)


@pytest.mark.parametrize("days", [0, 1, 30])
def test_timer_after_is_the_first_of_changed_and_unchanged(days):
    """What changes and what stays are armed for alike."""
    files = [a_declared(id="new", due=DUE + 2 * HOUR + days * DAY), a_declared(id="same", due=DUE + DAY)]
    plan = planned(files, [a_row(id="same", due=DUE + DAY)])
    assert plan.timer_after == min(each.task.due for each in files)
