"""How problems are worded."""

from __future__ import annotations

from typing import Any

import pytest

from slowsched.model import Problem
from slowsched.wording import did_you_mean, nearest, problem, shown


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("it's", '"it\'s"'),
        ("line\nend", "'line\\nend'"),
        ("x" * 61, f"'{'x' * 60}...'"),
        ({}, "{}"),
        ([], "[]"),
        ({"a": 1}, "this mapping"),
        ([1], "this list"),
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        (10**80, f"1{'0' * 59}..."),
    ],
)
def test_shown(value: Any, words: str) -> None:
    """A value is shown on one line, and short."""
    assert shown(value) == words


def test_nearest() -> None:
    """The nearest name is found whatever its case, where one is near; a text that is no name is compared with none."""
    known = ["payload", "protect", "due", "Due"]
    assert [nearest(word, known) for word in ("paylod", "PAYLOAD", "xyz", "x" * 201)] == [
        "payload",
        "payload",
        None,
        None,
    ]
    assert nearest("DUE", known) == "Due"


def test_did_you_mean() -> None:
    """The end of a message names the nearest name, or else something else, or nothing."""
    assert did_you_mean("paylod", ["payload"]) == ": did you mean 'payload'?"
    assert did_you_mean("xyz", ["payload"], otherwise="look it up") == ": look it up"
    assert did_you_mean("xyz", ["payload"]) == ""


def test_problem() -> None:
    """A problem has the pointer to its value, with long keys cut."""
    assert problem("a.yaml", (2, 3), ("a", 0, "k" * 61), "code", "message") == Problem(
        path="a.yaml", line=2, column=3, pointer=f"$.a[0]['{'k' * 60}...']", code="code", message="message"
    )
