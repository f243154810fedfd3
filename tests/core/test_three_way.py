"""Branch x base x main: what main will declare, whose each change is, and what the branch lacks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planning import planned
from values import HOUR, a_declared, a_place, a_retry, a_row

from slowsched import canonical
from slowsched.model import Attribution, Behind, BehindKind
from slowsched.three_way import Merged, attributed, digests_of, merge

A = a_declared(id="a")
EDITED = a_declared(id="a", description="edited")
OTHER = a_declared(id="a", description="other")
B = a_declared(id="b")

THIS, MAIN, DRIFT = Attribution.THIS_CHANGE, Attribution.ALREADY_ON_MAIN, Attribution.DRIFT


def merged(branch=(), base=(), main=()):
    """Merge at most one task, and return what is declared, whether the branch changed it, and what main did."""
    found = merge(branch, base, main)
    declared = found.declared[0] if found.declared else None
    return declared, bool(found.changed), found.behind[0].kind if found.behind else None


@pytest.mark.parametrize(
    ("branch", "base", "main", "expected"),
    [
        ([A], [A], [A], (A, False, None)),
        ([A], [], [], (A, True, None)),
        ([A], [], [A], (A, False, None)),
        ([EDITED], [A], [A], (EDITED, True, None)),
        ([EDITED], [A], [EDITED], (EDITED, False, None)),
        ([], [A], [A], (None, True, None)),
        ([], [A], [], (None, False, None)),
        ([], [], [A], (A, False, BehindKind.ADDED)),
        ([A], [A], [EDITED], (EDITED, False, BehindKind.CHANGED)),
        ([A], [A], [], (None, False, BehindKind.REMOVED)),
        ([EDITED], [A], [OTHER], (EDITED, True, None)),
        ([EDITED], [], [OTHER], (EDITED, True, None)),
        ([], [A], [EDITED], (None, True, None)),
        ([EDITED], [A], [], (EDITED, True, None)),
    ],
)
def test_one_task(branch, base, main, expected):
    """Every way in which the three may differ."""
    assert merged(branch, base, main) == expected


def declared(payload, **fields):
    """Return the task a with a payload."""
    return a_declared(id="a", payload=payload, **fields)


@pytest.mark.parametrize(
    ("mine", "base", "main", "expected"),
    [
        ({"x": 2, "y": 1}, {"x": 1, "y": 1}, {"x": 1, "y": 2}, {"x": 2, "y": 2}),
        ({"x": 2}, {"x": 1}, {"x": 3}, {"x": 2}),
        ({"x": {"p": 2, "q": 1}}, {"x": {"p": 1, "q": 1}}, {"x": {"p": 1, "q": 2}}, {"x": {"p": 2, "q": 2}}),
        ({"y": 1}, {"x": 1, "y": 1}, {"x": 1, "y": 2}, {"y": 2}),
        ({"x": 2, "y": 1}, {"x": 1, "y": 1}, {"x": 1}, {"x": 2}),
        ({"x": 2}, {"x": 1}, {"x": 1, "z": 1}, {"x": 2, "z": 1}),
        ({"x": True, "y": 1}, {"x": 1, "y": 1}, {"x": 1, "y": 2}, {"x": True, "y": 2}),
        ({"x": [True], "y": 1}, {"x": [1], "y": 1}, {"x": [1], "y": 2}, {"x": [True], "y": 2}),
        ({"x": [1, 2]}, {"x": [1]}, {"x": [0, 1]}, {"x": [1, 2]}),
        ([2], [1], [3], [2]),
        ("mine", {"x": 1}, {"x": 2}, "mine"),
    ],
)
def test_values_of_one_task(mine, base, main, expected):
    """Where both have changed a task its values are merged by their names; of one that both changed, the branch's."""
    found = merged([declared(mine)], [declared(base)], [declared(main)])[0]
    assert canonical.text(found.task.payload) == canonical.text(expected)  # in Python, true is 1


def test_policy_of_one_task():
    """The policy is merged value by value, too, and a grace with whether the file states it."""
    base = declared({"x": 1})
    mine = declared({"x": 1}, retry=a_retry(attempts=9), grace=HOUR, own_grace=True)
    main = declared({"x": 2}, retry=a_retry(backoff=HOUR), timeout=timedelta(seconds=7))
    expected = declared(
        {"x": 2},
        retry=a_retry(attempts=9, backoff=HOUR),
        timeout=timedelta(seconds=7),
        grace=HOUR,
        own_grace=True,
    )
    assert merged([mine], [base], [main])[0] == expected
    assert merged([main], [base], [mine])[0] == expected


def test_what_main_has_of_the_branch_and_more():
    """A branch whose every change main has is behind, and changes nothing."""
    mine, base, main = declared({"x": 2, "y": 1}), declared({"x": 1, "y": 1}), declared({"x": 2, "y": 2})
    assert merged([mine], [base], [main]) == (main, False, BehindKind.CHANGED)


def test_order():
    """What is declared is sorted by file and line, what the branch lacks by id."""
    first = a_declared(id="z", place=a_place(path="tasks/a.yaml"))
    second = a_declared(id="y", place=a_place(path="tasks/b.yaml", line=1))
    third = a_declared(id="x", place=a_place(path="tasks/b.yaml", line=9))
    added = tuple(Behind(id=each, kind=BehindKind.ADDED) for each in ("x", "y", "z"))
    assert merge([], [], [third, second, first]) == Merged(
        declared=(first, second, third), changed=frozenset(), behind=added
    )


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        (None, {"mine": THIS, "edited": MAIN, "stray": MAIN, "new": MAIN}),
        ([a_declared(id="edited")], {"mine": THIS, "edited": DRIFT, "stray": DRIFT, "new": MAIN}),
        ([a_declared(id="stray")], {"mine": THIS, "edited": MAIN, "stray": MAIN, "new": MAIN}),
    ],
)
def test_attribution(applied, expected):
    """A difference is drift where the commit applied last asked for what main asks for, a missing task included."""
    main = [a_declared(id="edited"), a_declared(id="new")]
    found = merge([a_declared(id="mine"), a_declared(id="edited")], [a_declared(id="edited")], main)
    plan = planned(list(found.declared), [a_row(id="edited", payload={"by": "hand"}), a_row(id="stray")])
    labelled = attributed(plan, found, None if applied is None else digests_of(applied))
    assert {change.id: change.attribution for change in labelled.changes} == expected
    assert labelled.behind == (Behind(id="new", kind=BehindKind.ADDED),)


_SIDES = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3), max_size=4)


def _tasks(side):
    return [a_declared(id=task_id, payload={"n": value}) for task_id, value in side.items()]


@given(_SIDES, _SIDES, _SIDES)
def test_nothing_of_main_is_lost(branch, base, main):
    """What the branch has not touched is as main has it: no delete, no edit of it is ever the branch's."""
    found = merge(_tasks(branch), _tasks(base), _tasks(main))
    untouched = {each for each in {*branch, *base, *main} if branch.get(each) == base.get(each)}
    values = {each.task.id: each.task.payload["n"] for each in found.declared}
    assert {each: values.get(each) for each in untouched} == {each: main.get(each) for each in untouched}
    assert not untouched & found.changed
