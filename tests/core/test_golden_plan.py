"""Plan files that released versions wrote: a newer version takes them for the same plan, and writes the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from golden_files import golden
from golden_plan import FILES, ROWS, plan_of_every_kind, plan_of_secrets
from planning import planned
from values import COMMIT, OWNER, a_declared

from slowsched.model import ChangeKind
from slowsched.plan_file import check_fits, differences, read_plan_file
from slowsched.render.shapes import FORMAT_VERSION, json_text, plan_file_shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from slowsched.model import Plan

PLANS: dict[str, Callable[[], Plan]] = {
    "plan-1.0-first.json": plan_of_every_kind,
    "plan-1.0-sensitive.json": plan_of_secrets,
}
HELD = {name: each["file"] for name, each in golden("plan-*.json").items()}


def read(name: str) -> Any:
    """Return a plan file as `apply plan.json` reads it."""
    return read_plan_file("plan.json", json_text(HELD[name]).encode())


def test_every_file_has_its_plan() -> None:
    """No golden plan is left out, and those of today's format are made by today's code."""
    assert (sorted(HELD), {each["format_version"] for each in HELD.values()}) == (sorted(PLANS), {FORMAT_VERSION})


@pytest.mark.parametrize("name", PLANS)
def test_an_older_plan_is_the_plan_of_now(name: str) -> None:
    """The same files over the same rows have the digest that was approved, so that apply goes on."""
    plan, filed = PLANS[name](), read(name)
    check_fits(filed, environment="local", owner=OWNER, commit=COMMIT)
    assert (filed.digest, sorted(filed.changes)) == (plan.digest, sorted(each.id for each in plan.changes))
    assert differences(filed, plan) == ("each change looks the same, but the digest is another: make the plan again",)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_is_written_as_ever(name: str) -> None:
    """The bytes of the file are those that the older version wrote."""
    assert json.loads(json_text(plan_file_shape(PLANS[name]()))) == HELD[name]


def test_every_kind_of_change_is_among_them() -> None:
    """No kind is left out."""
    assert {each["kind"] for held in HELD.values() for each in held["changes"]} == {kind.value for kind in ChangeKind}


def test_a_plan_that_differs_is_told_by_its_changes() -> None:
    """What an older version approved is held against the plan of now, task by task."""
    fewer = [each for each in FILES if each.task.id != "created"]
    plan = planned([*fewer, a_declared(id="another")], ROWS)
    assert differences(read("plan-1.0-first.json"), replace(plan, digest="0")) == (
        "'another': create is new, and was not approved",
        "'created': create was approved, and there is nothing to change any more",
    )


def test_a_secret_is_in_no_golden_plan() -> None:
    """What is sensitive is in no file of a plan."""
    assert "hunter" not in json.dumps(HELD)
