"""What refuses a plan as a whole: mass deletion, an empty repository, protected tasks (slowsched/plan.py)."""

from __future__ import annotations

import pytest
from planning import planned
from values import DAY, DUE, a_declared, a_row

from slowsched.model import Refusal, State


def _refused(*, gone, kept, **options):
    """Plan a repository of which so many pending tasks are gone and so many kept; return what refuses it."""
    rows = [a_row(id=f"gone {n}") for n in range(gone)] + [a_row(id=f"kept {n}") for n in range(kept)]
    return planned([a_declared(id=f"kept {n}") for n in range(kept)], rows, **options).refused


def _too_many(message):
    return (Refusal(code="too-many-deletes", message=message),)


OVER_50 = _too_many("51 pending tasks would be deleted, more than 50: say --allow-deletes 51 if that is meant")
OVER_30 = _too_many("4 of 13 pending tasks would be deleted, more than 30 %: say --allow-deletes 4 if that is meant")


def test_50_deletes__allowed():
    """Fifty deletes of many are a large clean-up, and nothing else."""
    assert _refused(gone=50, kept=200) == ()


def test_51_deletes__refused():
    """One more is refused, however many are kept."""
    assert _refused(gone=51, kept=1000) == OVER_50


def test_3_deletes_of_4__allowed():
    """Three deletes are no mass deletion, whatever their share."""
    assert _refused(gone=3, kept=1) == ()


def test_4_deletes_over_30_percent__refused():
    """Four of thirteen are more than 30 %."""
    assert _refused(gone=4, kept=9) == OVER_30


@pytest.mark.parametrize(("gone", "kept"), [(4, 10), (6, 14)], ids=["under", "exactly"])
def test_deletes_up_to_30_percent__allowed(gone, kept):
    """Four of fourteen are less, six of twenty are exactly 30 %."""
    assert _refused(gone=gone, kept=kept) == ()


def test_the_limits_of_the_config():
    """A repository may set its own limits."""
    assert [
        _refused(gone=4, kept=100, max_deletes=3),
        _refused(gone=4, kept=9, max_delete_percent=40),
        _refused(gone=4, kept=100, max_delete_percent=0),
        _refused(gone=1, kept=100, max_deletes=0),
    ] == [
        _too_many("4 pending tasks would be deleted, more than 3: say --allow-deletes 4 if that is meant"),
        (),
        _too_many("4 of 104 pending tasks would be deleted, more than 0 %: say --allow-deletes 4 if that is meant"),
        _too_many("1 pending tasks would be deleted, more than 0: say --allow-deletes 1 if that is meant"),
    ]


@pytest.mark.parametrize("allowed", [0, 3, 5, 50])
def test_allow_deletes_with_a_wrong_number__refused_still(allowed):
    """The exact number is asked for, so that a plan which has grown since is not waved through."""
    assert _refused(gone=4, kept=9, allow_deletes=allowed) == OVER_30


def test_allow_deletes_with_the_exact_number__allowed():
    """The exact number says that it was counted."""
    assert [_refused(gone=4, kept=9, allow_deletes=4), _refused(gone=51, kept=9, allow_deletes=51)] == [(), ()]


@pytest.mark.parametrize(("pending", "words"), [(1, "1 is"), (2, "2 are")])
def test_no_task_while_some_are_pending__refused(pending, words):
    """An empty repository is a wrong folder more often than a wish."""
    message = f"no task is declared while {words} pending: say --allow-deletes {pending} if that is meant"
    assert _refused(gone=pending, kept=0) == (Refusal(code="no-tasks", message=message),)


def test_no_task_while_some_are_pending_and_allow_deletes__allowed():
    """With the exact number it is meant."""
    assert _refused(gone=2, kept=0, allow_deletes=2) == ()


def test_no_task_while_one_runs__refused():
    """A task that runs is pending: it is not deleted, and the empty repository is refused all the same."""
    message = "no task is declared while 1 is pending: say --allow-deletes 0 if that is meant"
    assert planned([], [a_row(state=State.RUNNING)]).refused == (Refusal(code="no-tasks", message=message),)


@pytest.mark.parametrize(
    "row",
    [
        a_row(state=State.SUCCEEDED),
        a_row(state=State.DEAD),
        a_row(state=State.MISSED),
        a_row(state=State.DELETED),
        a_row(owner="another"),
    ],
    ids=["succeeded", "dead", "missed", "deleted", "another's"],
)
def test_no_task_while_none_is_pending__allowed(row):
    """What is finished, dead or another's is nothing that an empty repository could lose."""
    assert planned([], [row]).refused == ()


def test_deletes_of_dead_tasks_do_not_count():
    """The limits are over pending rows: dead ones may be cleaned up by the hundred."""
    rows = [a_row(id=f"dead {n}", state=State.DEAD) for n in range(100)]
    plan = planned([a_declared(id="kept")], [*rows, a_row(id="kept")])
    assert (plan.counts["delete"], plan.refused) == (100, ())


def test_forgotten_tasks_do_not_count():
    """To forget is no delete."""
    rows = [a_row(id=f"done {n}", state=State.SUCCEEDED) for n in range(100)]
    plan = planned([a_declared(id="kept")], [*rows, a_row(id="kept")])
    assert (plan.counts["forget"], plan.refused) == (100, ())


def test_superseding_deletes_count():
    """What runs is pending: to delete it counts like any other."""
    rows = [a_row(id=f"gone {n}", state=State.RUNNING) for n in range(4)]
    named = frozenset(row.id for row in rows)
    plan = planned([a_declared(id=f"kept {n}") for n in range(9)], [*rows, *_kept(9)], supersede=named)
    assert plan.refused == OVER_30


def test_rows_of_others_do_not_count_as_pending():
    """The share is of this owner's rows: others' rows do not make a mass deletion look small."""
    others = [a_row(id=f"other {n}", owner="another") for n in range(100)]
    rows = [a_row(id=f"gone {n}") for n in range(4)]
    plan = planned([a_declared(id=f"kept {n}") for n in range(9)], [*others, *rows, *_kept(9)])
    assert plan.refused == OVER_30


def test_every_protected_task_is_named():
    """Each protected delete is refused by its own name, in the order of the plan, beside the limits."""
    rows = [a_row(id=f"gone {n}", protect=n > 1, due=DUE + (5 - n) * DAY) for n in range(4)]
    plan = planned([a_declared(id=f"kept {n}") for n in range(9)], [*rows, *_kept(9)])
    assert plan.refused == (
        *OVER_30,
        Refusal(code="protected", message="'gone 3' is protected: say --allow-protected 'gone 3' to delete it"),
        Refusal(code="protected", message="'gone 2' is protected: say --allow-protected 'gone 2' to delete it"),
    )


def _kept(count):
    return [a_row(id=f"kept {n}") for n in range(count)]
