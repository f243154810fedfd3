"""The plan as a whole: what is compared and fetched, order, fields, counts, problems (slowsched/plan.py)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from planning import EDIT, NOW, compared, planned, setting
from values import DAY, DUE, MINUTE, OWNER, a_declared, a_place, a_row

from slowsched import lifecycle
from slowsched.errors import UsageError
from slowsched.lifecycle import Applier
from slowsched.model import (
    Change,
    ChangeKind,
    Field,
    Plan,
    Problem,
    Severity,
    State,
    Unreadable,
)
from slowsched.plan import Comparison, PlanOptions, compare, make_plan

SECOND = timedelta(seconds=1)
EMPTY_DIGEST = "098252ad8e322d2796e6eaec8283e5980cac0c4a240372f504691108ea9afe22"
NO_COUNTS = {
    "create": 0,
    "update": 0,
    "delete": 0,
    "forget": 0,
    "late": 0,
    "conflict": 0,
    "unchanged": 0,
    "done": 0,
}
BROKEN = Problem(path="tasks/x.yaml", line=1, column=1, pointer="$", code="schema", message="no task")


def test_nothing_desired_and_nothing_live():
    """An empty repository over an empty table: nothing to do, said in full."""
    assert planned([], []) == Plan(
        environment="local",
        owner=OWNER,
        commit="0123456789abcdef0123456789abcdef01234567",
        now=NOW,
        digest=EMPTY_DIGEST,
        changes=(),
        counts=NO_COUNTS,
    )


def test_one_of_each():
    """A plan counts what it does by kind, and what it leaves alone as unchanged or done."""
    files = [a_declared(id=each) for each in ("same", "dead", "missed", "running", "done", "new")]
    files += [a_declared(id=each, **EDIT) for each in ("edited", "raced")]
    files += [a_declared(id="late", due=NOW - DAY), a_declared(id="policy", grace=DAY)]
    rows = [a_row(id=each) for each in ("same", "edited", "deleted", "policy")]
    rows += [a_row(id="dead", state=State.DEAD), a_row(id="missed", state=State.MISSED)]
    rows += [a_row(id="running", state=State.RUNNING), a_row(id="raced", state=State.RUNNING)]
    rows += [a_row(id="done", state=State.SUCCEEDED), a_row(id="forgotten", state=State.SUCCEEDED)]
    rows += [a_row(id="gone long ago", state=State.DELETED), a_row(id="not ours", owner="another")]
    plan = planned(files, rows)
    assert ([(each.id, each.kind.value) for each in plan.changes], dict(plan.counts), plan.pending) == (
        [
            ("late", "late"),
            ("deleted", "delete"),
            ("forgotten", "forget"),
            ("new", "create"),
            ("policy", "update"),
            ("edited", "update"),
            ("raced", "conflict"),
        ],
        {
            "create": 1,
            "update": 2,
            "delete": 1,
            "forget": 1,
            "late": 1,
            "conflict": 1,
            "unchanged": 4,
            "done": 1,
        },
        6,
    )


def test_changes_are_sorted_by_due_then_id():
    """Equal inputs print equal text, whatever the order of files and rows."""
    files = [a_declared(id=name, due=DUE + days * DAY) for name, days in (("b", 1), ("ab", 0), ("a", 1), ("B", 1))]
    assert [each.id for each in planned(files, []).changes] == ["ab", "B", "a", "b"]


# --- comparison: what must be fetched --------------------------------------------------------------


def test_compare_asks_for_the_rows_that_differ_only():
    """Nothing is fetched for what is unchanged, new, foreign, forgotten or deleted."""
    files = [a_declared(id=each) for each in ("same", "new", "foreign", "broken", "back")]
    files += [a_declared(id="edited", **EDIT)]
    rows = [a_row(id="same"), a_row(id="edited"), a_row(id="gone"), a_row(id="foreign", owner="another")]
    rows += [a_row(id="forgotten", state=State.MISSED, expires_at=DUE), a_row(id="back", state=State.DELETED)]
    broken, unknown = Unreadable(id="broken", reason="format 2"), Unreadable(id="unknown", reason="format 2")
    assert compared(files, [*rows, broken, unknown]) == Comparison(
        differing=(files[1], files[3], files[4], files[5]),
        gone=("gone",),
        foreign=(files[2],),
        unreadable=(unknown,),
        known=frozenset({"broken", "back", "edited"}),
        desired=5,
        unchanged=1,
        pending=3,
        rest_wakes=(DUE,),
    )


def test_compare_counts_each_task_that_is_done():
    """A task that ran is declared as any other, and not counted among the unchanged."""
    files = [a_declared(id=each) for each in ("a", "b", "c")]
    rows = [a_row(id="a", state=State.SUCCEEDED), a_row(id="b", state=State.SUCCEEDED), a_row(id="c")]
    assert compared(files, rows) == Comparison(desired=3, unchanged=1, done=2, pending=1, rest_wakes=(DUE,))


def test_compare_names_unreadable_rows_in_order():
    """They are told by id, in whatever order the store has them."""
    rows = [Unreadable(id=each, reason="format 2") for each in ("b", "c", "a")]
    assert compared([], rows) == Comparison(unreadable=(rows[2], rows[0], rows[1]))


def test_compare_names_the_ids_to_fetch_in_order():
    """The ids are sorted, each once, and a new task's is not among them."""
    comparison = compared(
        [a_declared(id="b", **EDIT), a_declared(id="new")], [a_row(id="c"), a_row(id="b"), a_row(id="a")]
    )
    assert comparison.ids == ("a", "b", "c")


def test_a_row_that_changed_after_the_comparison_is_decided_as_it_is_now():
    """Between summaries and rows another apply may have finished: what is up to date counts as that."""
    files = [a_declared(id="edited", **EDIT), a_declared(id="ran", **EDIT), a_declared(id="vanished", **EDIT)]
    old = [a_row(id=each) for each in ("edited", "ran", "vanished", "gone", "forgotten")]
    now = {
        "edited": a_row(id="edited", **EDIT),
        "ran": a_row(id="ran", state=State.SUCCEEDED, **EDIT),
        "forgotten": a_row(id="forgotten", state=State.MISSED, expires_at=DUE),
        "gone": a_row(id="gone", state=State.DELETED),
    }
    plan = make_plan(compared(files, old), now, setting(), PlanOptions())
    by = setting().applier
    create = Change(
        id="vanished",
        kind=ChangeKind.CREATE,
        action="APPLY_SALE",
        due=files[2].task.due,
        place=a_place(),
        declared=files[2],
        result=lifecycle.create(files[2], by),
    )
    assert (plan.changes, dict(plan.counts)) == (
        (create,),
        NO_COUNTS | {"create": 1, "unchanged": 3, "done": 1},
    )


def test_live_rows_are_read_to_their_end_before_the_files():
    """The files may be a stream that is parsed on the way: the store is not kept waiting for it."""
    order = []

    def files():
        order.append("files")
        yield a_declared()

    def rows():
        yield from ()
        order.append("rows")

    compare(files(), rows(), OWNER)
    assert order == ["rows", "files"]


def test_applier_of_a_setting():
    """The rows are written for the owner and the commit, not before the first moment of the timer."""
    assert setting(commit=None).applier == Applier(owner=OWNER, commit=None, now=NOW, soonest=NOW + 2 * MINUTE)


# --- fields ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3, "d": 2}}}, [("$.payload.a.b.c", 1, 3)]),
        ({"l": [1, 2, 3]}, {"l": [1, 3]}, [("$.payload.l", [1, 2, 3], [1, 3])]),
        ({"l": [{"a": 1}]}, {"l": [{"a": 2}]}, [("$.payload.l", [{"a": 1}], [{"a": 2}])]),
        ({"n": 1}, {"n": True}, [("$.payload.n", 1, True)]),
        ({"n": 0}, {"n": False}, [("$.payload.n", 0, False)]),
        ({"n": 1}, {"n": "1"}, [("$.payload.n", 1, "1")]),
        ({"n": [1]}, {"n": [True]}, [("$.payload.n", [1], [True])]),
        ({"n": {}}, {"n": []}, [("$.payload.n", {}, [])]),
        ({"n": None}, {"n": 1}, [("$.payload.n", None, 1)]),
        ({}, {"new": {"a": 1}}, [("$.payload.new", None, {"a": 1})]),
        ({"old": [1]}, {}, [("$.payload.old", [1], None)]),
        ({"n": None}, {}, [("$.payload.n", None, None)]),
        ({"a": {"odd key": None}}, {"a": {}}, [("$.payload.a['odd key']", None, None)]),
        ({"z": 1, "a": 1}, {"a": 2, "z": 2}, [("$.payload.a", 1, 2), ("$.payload.z", 1, 2)]),
    ],
)
def test_fields_of_a_payload(before, after, fields):
    """Mappings are gone down into, lists and scalars compared as a whole, with their types, in order."""
    (change,) = planned([a_declared(payload=after)], [a_row(payload=before)]).changes
    assert change.fields == tuple(Field(pointer=where, before=old, after=new) for where, old, new in fields)


def test_fields_of_a_policy():
    """Every key that a file may have is compared, as it is written in a file."""
    before = {"labels": {"a": "1", "b": "2"}, "description": "old", "timezone": "Europe/Berlin", "protect": True}
    after = {"labels": {"a": "1", "c": "3"}, "timeout": 2 * MINUTE}
    (change,) = planned([a_declared(**after)], [a_row(**before)]).changes
    assert change.fields == (
        Field(pointer="$.description", before="old", after=None),
        Field(pointer="$.labels.b", before="2", after=None),
        Field(pointer="$.labels.c", before=None, after="3"),
        Field(pointer="$.protect", before=True, after=None),
        Field(pointer="$.timeout", before="30s", after="2m"),
        Field(pointer="$.timezone", before="Europe/Berlin", after=None),
    )


# --- renames ---------------------------------------------------------------------------------------


def test_a_renamed_task_is_noted():
    """A create that executes exactly what a delete would have: a reviewer sees one intention."""
    plan = planned([a_declared(id="new name"), a_declared(id="other", payload={})], [a_row(id="old name")])
    assert [(each.id, each.kind.value, each.notes) for each in plan.changes] == [
        ("new name", "create", ("renamed-from:old name",)),
        ("old name", "delete", ()),
        ("other", "create", ()),
    ]


def test_a_rename_names_the_first_of_several_deletes():
    """Of equal deletes the note names the first, so that it is stable."""
    plan = planned([a_declared(id="new")], [a_row(id=each) for each in ("b", "c", "a")])
    assert plan.changes[3].notes == ("renamed-from:a",)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.MISSED])
def test_what_is_forgotten_is_no_rename(state):
    """A finished task is kept as what it was: a task that executes the same is another one."""
    plan = planned([a_declared(id="new")], [a_row(id="old", state=state)])
    assert [each.notes for each in plan.changes] == [(), ()]


def test_a_late_task_is_no_rename():
    """What is not created is not renamed either."""
    plan = planned([a_declared(id="new", due=NOW - DAY)], [a_row(id="old", due=NOW - DAY)])
    assert [each.notes for each in plan.changes] == [(), ()]


# --- ids that the caller names ---------------------------------------------------------------------


@pytest.mark.parametrize("option", ["supersede", "allow_protected"])
@pytest.mark.parametrize(
    ("named", "hint"),
    [("some task idd", "did you mean 'some task id'?"), ("xyz", "ids are written as in the task file")],
)
def test_a_named_id_that_nobody_has_is_an_error(option, named, hint):
    """A word for a task that does not exist is a mistake: the nearest one is named."""
    with pytest.raises(UsageError) as caught:
        planned([], [a_row()], **{option: frozenset({named})})
    assert str(caught.value) == f"there is no task {named!r}: {hint}"


@pytest.mark.parametrize("option", ["supersede", "allow_protected"])
def test_a_named_id_of_a_file_or_a_row_is_known(option):
    """Whoever has it: a file or a row; that it changes nothing is no mistake."""
    files, rows = [a_declared(id="new")], [a_row(id="row"), Unreadable(id="broken", reason="format 2")]
    plan = planned(files, rows, **{option: frozenset({"new", "row", "broken"})})
    assert [each.id for each in plan.changes] == ["new", "row"]


def test_a_named_id_in_a_repository_with_errors_is_no_mistake_yet():
    """Its file may be the one that cannot be read: the errors are what must be seen first."""
    plan = planned([], [a_row()], problems=[BROKEN], supersede=frozenset({"some other"}))
    assert plan.problems == (BROKEN,)


# --- problems --------------------------------------------------------------------------------------


def test_with_an_error_nothing_is_changed():
    """Half of a repository is not a desired state: no change, no refusal, the timer as it is."""
    files, rows = [a_declared(id="new"), a_declared(id="same")], [a_row(id="gone"), a_row(id="same")]
    plan = planned(files, rows, problems=[BROKEN], where=setting(armed=DUE - DAY))
    assert plan == Plan(
        environment="local",
        owner=OWNER,
        commit="0123456789abcdef0123456789abcdef01234567",
        now=NOW,
        digest=EMPTY_DIGEST,
        changes=(),
        counts=NO_COUNTS | {"unchanged": 1},
        pending=2,
        timer_before=DUE - DAY,
        timer_after=DUE - DAY,
        problems=(BROKEN,),
    )


def test_with_an_error_and_no_task_the_empty_set_is_not_refused_besides():
    """The error is the reason, not that no file could be read, and nothing that could be said allows it."""
    plan = planned([], [a_row()], problems=[BROKEN])
    assert (plan.refused, plan.needed) == ((), ())


def test_a_warning_does_not_stop_a_plan():
    """A warning is shown, and the plan is made."""
    warning = Problem(
        path="x.yaml", line=1, column=1, pointer="$", code="odd", message="odd", severity=Severity.WARNING
    )
    plan = planned([a_declared()], [], problems=[warning])
    assert ([each.kind.value for each in plan.changes], plan.problems) == (["create"], (warning,))
