"""The file of an approved plan, and how the plan of now is another (slowsched/plan_file.py)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from values import COMMIT, DUE, OWNER, a_declared, a_row

from slowsched.errors import StalePlanError, UsageError
from slowsched.model import Change, ChangeKind, Plan
from slowsched.plan_file import DIFFERENCES_MAX, check_fits, differences, read_plan_file, without_a_file
from slowsched.render.shapes import json_text, plan_file_shape


def a_change(task_id="a", kind=ChangeKind.CREATE, **more):
    """Return a change of a task that a file declares, with or without a row."""
    declared = a_declared(id=task_id)
    fields = {"id": task_id, "kind": kind, "action": "APPLY_SALE", "due": DUE, "place": declared.place}
    return Change(**(fields | {"declared": declared} | more))


def a_plan(*changes, **more):
    """Return a plan with these changes."""
    counts = {kind.value: sum(each.kind is kind for each in changes) for kind in ChangeKind}
    fields = {"environment": "local", "owner": OWNER, "commit": COMMIT, "now": DUE, "digest": "d" * 64}
    return Plan(**(fields | {"changes": changes, "counts": counts | {"unchanged": 0, "done": 0}} | more))


def filed(*changes, **more):
    """Return the file of a plan, written and read."""
    return read_plan_file("plan.json", json_text(plan_file_shape(a_plan(*changes, **more))).encode())


def refusal(data):
    """Return what is said of a file that is no plan."""
    with pytest.raises(UsageError) as caught:
        read_plan_file("plan.json", data)
    return str(caught.value)


def test_a_file_has_what_the_plan_had():
    """For what it was made, its digest, and its changes."""
    found = filed(a_change(), commit=None)
    assert (found.environment, found.owner, found.commit, found.digest) == ("local", OWNER, None, "d" * 64)
    assert [(task_id, each["kind"]) for task_id, each in found.changes.items()] == [("a", "create")]


@pytest.mark.parametrize("data", [b"", b"### slowsched plan", b"\xff", b"[" * 100_000])
def test_what_is_no_json(data):
    """It is said what the file should be."""
    assert refusal(data) == (
        "plan.json is no plan: it is no JSON: it takes what `slowsched plan --out plan.json` has written"
    )


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"format_version": "1.0"},
        {"format_version": 2},
        {"environment": "local", "owner": 1, "commit": None, "digest": "d", "changes": []},
        {"environment": "local", "owner": "a", "commit": None, "digest": "d", "changes": [1]},
        {"environment": "local", "owner": "a", "commit": None, "digest": "d", "changes": None},
    ],
)
def test_what_is_another_document(document):
    """Whatever is missing or wrong in it, nothing is applied."""
    assert refusal(json.dumps(document).encode()) == (
        "plan.json is no plan: write one with `slowsched plan --out plan.json`"
    )


def test_another_format():
    """A newer version may mean something else by the same words."""
    assert refusal(b'{"format_version": "2.0"}') == (
        "plan.json has the format 2.0, and this slowsched reads 1.0: make the plan again"
    )


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        (
            {"environment": "production"},
            UsageError,
            "plan.json is a plan for 'production', not for 'local': say --env production, or plan again for local",
        ),
        ({"owner": "b/local"}, UsageError, f"plan.json is a plan of 'b/local', not of '{OWNER}': make the plan again"),
        (
            {"commit": "f" * 40},
            StalePlanError,
            (
                "plan.json is the plan of commit ffffffffffff, and this is commit 0123456789ab: "
                "plan again; whether it is the same plan all the same, --expect DIGEST asks"
            ),
        ),
        (
            {"commit": None},
            StalePlanError,
            (
                "plan.json is the plan of no commit, and this is commit 0123456789ab: "
                "plan again; whether it is the same plan all the same, --expect DIGEST asks"
            ),
        ),
    ],
)
def test_a_plan_for_something_else(fields, error, message):
    """Another environment or owner is a mistake, another commit a plan that is out of date."""
    with pytest.raises(error) as caught:
        check_fits(filed(**fields), environment="local", owner=OWNER, commit=COMMIT)
    assert str(caught.value) == message


def test_a_plan_for_this():
    """Nothing is said."""
    check_fits(filed(), environment="local", owner=OWNER, commit=COMMIT)


def test_changes_that_appeared_vanished_or_are_others():
    """By id: what is new, what is gone, what has another kind, choice or task."""
    priced = a_declared(id="edited", payload={"price": 1234567})
    before = filed(
        a_change("gone"),
        a_change("same"),
        a_change("edited"),
        a_change("late", ChangeKind.LATE),
        a_change("again", notes=("soon",)),
        a_change("row", ChangeKind.UPDATE, before=a_row(id="row")),
    )
    now = a_plan(
        a_change("same"),
        a_change("edited", declared=priced),
        a_change("late", notes=("late-run",)),
        a_change("again", ChangeKind.CREATE, notes=("runs-again",)),
        a_change("row", ChangeKind.UPDATE, before=a_row(id="row", payload={"price": 7654321})),
        a_change("new"),
    )
    told = differences(before, now)
    assert [each.split(" has another task")[0] for each in told] == [
        "'again': approved as it stands, now runs-again",
        "'edited': the file",
        "'gone': create was approved, and there is nothing to change any more",
        "'late': approved as late, now create",
        "'late': approved as it stands, now late-run",
        "'new': create is new, and was not approved",
        "'row': the row",
    ]
    assert not any(price in "".join(told) for price in ("1234567", "7654321"))


def test_a_difference_that_cannot_be_seen():
    """A tombstone is in the digest and not in the file."""
    assert differences(filed(a_change()), a_plan(a_change())) == (
        "each change looks the same, but the digest is another: make the plan again",
    )


def test_many_differences_are_counted():
    """Nobody reads hundreds of lines."""
    told = differences(filed(), a_plan(*(a_change(f"{n:03}") for n in range(DIFFERENCES_MAX + 2))))
    assert (len(told), told[-1]) == (DIFFERENCES_MAX + 1, "and 2 more differences")
    assert len(differences(filed(), a_plan(*(a_change(f"{n:03}") for n in range(DIFFERENCES_MAX))))) == DIFFERENCES_MAX


def test_a_file_with_odd_changes_is_compared_all_the_same():
    """Somebody may have edited it: it is only text for people, the digest decides."""
    odd = replace(filed(), changes={"a": {"id": "a", "kind": [], "notes": 1, "before": 1, "after": {"task": 1}}})
    assert differences(odd, a_plan(a_change()))[0] == "'a': approved as [], now create"


def test_what_a_digest_alone_can_tell():
    """How much there is to do now, and what would tell more."""
    hint = "a digest alone cannot say what differs; `apply plan.json` with the file of `plan --out plan.json` does"
    assert without_a_file(a_plan(a_change())) == (f"the plan of now: 1 create ({hint})",)
    assert without_a_file(a_plan()) == (f"the plan of now: nothing ({hint})",)
