"""The JSON documents that scripts rely on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from render_values import NASTY, PLANS, PROBLEMS, a_create, a_plan
from report_values import APPLIES, DIAGNOSES, ROWS, WAKES
from values import a_declared

from slowsched.render.shapes import (
    apply_shape,
    diagnosis_shape,
    json_text,
    list_shape,
    plan_file_shape,
    plan_shape,
    row_shape,
    validate_shape,
    wake_shape,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_SHAPES = {
    "validate": validate_shape(2, 12, PROBLEMS),
    "plan-every-change": plan_shape(PLANS["every-change"]),
    "plan-problems": plan_shape(PLANS["problems"]),
    "plan-refused": plan_shape(PLANS["refused"]),
    "plan-no-changes": plan_shape(PLANS["no-changes"]),
    "plan-file": plan_file_shape(PLANS["typical"]),
    "apply-partial": apply_shape(APPLIES["partial"]),
    "apply-refused": apply_shape(APPLIES["refused"]),
    "apply-interrupted": apply_shape(APPLIES["interrupted"]),
    "wake-busy": wake_shape(WAKES["busy"]),
    "wake-idle": wake_shape(WAKES["idle"]),
    "wake-paused": wake_shape(WAKES["paused"]),
    "doctor-ill": diagnosis_shape(DIAGNOSES["ill"]),
    "doctor-well": diagnosis_shape(DIAGNOSES["well"]),
    "list": list_shape(ROWS.values()),
    "show-running": row_shape(ROWS["running"]),
}

# What was promised to scripts: a key may be added, none may go.
_PROMISED = {
    "validate": {"format_version", "files", "tasks", "problems"},
    "plan-every-change": {
        *("format_version", "environment", "owner", "commit", "now", "digest", "valid_until", "counts", "timer"),
        *("changes", "problems", "refused"),
    },
    "apply-partial": {
        *("format_version", "environment", "owner", "commit", "digest", "status", "results", "timer", "refused"),
    },
    "wake-busy": {
        *("format_version", "environment", "now", "attempts", "missed", "dead", "deferred", "unreadable", "left"),
        "timer",
    },
    "doctor-ill": {"format_version", "environment", "now", "healthy", "findings"},
    "list": {"format_version", "rows"},
    "show-running": {
        *("id", "state", "action", "due", "wake_at", "generation", "version", "attempt", "owner", "source", "digest"),
        *("task", "expires_at", "history"),
    },
}


@pytest.mark.parametrize("name", _SHAPES)
def test_shape(name: str, as_expected: Callable[[str, str], None]) -> None:
    """Every document is the one that was read and approved."""
    as_expected(f"{name}.json", json_text(_SHAPES[name]))


@pytest.mark.parametrize("name", _SHAPES)
def test_json_text_is_the_shape(name: str) -> None:
    """What is printed reads back as the document, and is one line end long at its end."""
    text = json_text(_SHAPES[name])
    assert json.loads(text) == _SHAPES[name]
    assert text.endswith("}\n")


@pytest.mark.parametrize("name", _PROMISED)
def test_promised_keys(name: str) -> None:
    """No key that scripts rely on is missing."""
    assert _PROMISED[name] - _SHAPES[name].keys() == set()


def test_json_text_is_harmless() -> None:
    """A document printed to a terminal moves no cursor and reorders no text."""
    text = json_text(plan_shape(PLANS["nasty"]))
    assert {each for each in text if not each.isprintable()} == {"\n"}
    assert json.loads(text)["changes"][0]["id"] == NASTY


def test_plan_file_holds_no_value() -> None:
    """A plan that is kept as a file tells what would be done, and nothing of what tasks hold."""
    secret = {"payload": {"token": "s3cret", "s3cret": 1}, "description": "s3cret", "labels": {"s3cret": "s3cret"}}
    plan = a_plan(a_create(a_declared(team="s3cret", **secret)))
    assert "s3cret" in json_text(plan_shape(plan))
    assert "s3cret" not in json_text(plan_file_shape(plan))


def test_what_is_absent_is_null() -> None:
    """An empty optional of a task is null, so that every task has the same keys."""
    task = plan_shape(PLANS["first"])["changes"][0]["after"]
    assert {key for key, value in task.items() if value is None} == {
        *("description", "team", "labels", "timezone", "grace", "protect")
    }
