"""Drift in words: what it is, whose matter it is, and what to do about it (slowsched/render/drift.py)."""

from __future__ import annotations

import pytest
from render_values import CREATE, a_plan
from values import COMMIT

from slowsched.model import Problem
from slowsched.render.drift import drift_markdown, drift_shape, drift_text
from slowsched.reports import Drift

NEWER = "b" * 40
TIMER = "it is not set, and a task is due"
STOPPED = "Commit bbbbbbb is being applied, or its apply was stopped (then apply it again):"
UNFINISHED = f"{STOPPED} what that has written is no drift."
ASKED = f"what commit {COMMIT[:7]} asked for, which was applied last"


def text_of(drift: Drift) -> list[str]:
    """Return the lines that are not blank, on a wide terminal without colours."""
    return [line for line in drift_text(drift, width=200, color=False).splitlines() if line]


def test_no_drift() -> None:
    """It says so, and that the timer is as it must be."""
    assert text_of(Drift(plan=a_plan())) == [
        f"Drift of production, owner acme/shop, commit {COMMIT[:7]}",
        f"No drift in the table: it is {ASKED}; 12 unchanged, 3 done.",
        "Timer: not set, and nothing to set it for.",
    ]


def test_nothing_applied_yet() -> None:
    """There is nothing to differ from."""
    assert "No drift: nothing has been applied yet." in text_of(Drift(plan=a_plan(commit=None)))


def test_a_difference_is_shown_with_the_way_back() -> None:
    """The change that would put it back, then what to do."""
    lines = text_of(Drift(plan=a_plan(CREATE)))
    assert f"The table is not {ASKED}." in lines
    assert lines[-2:] == ["Put it back: slowsched apply --env production", "Or keep it: write it into the task files."]


def test_a_timer_that_is_wrong_and_an_apply_that_was_stopped() -> None:
    """Both are said, and how the timer is set."""
    lines = text_of(Drift(plan=a_plan(), applying=NEWER, timer=TIMER))
    assert lines[2:] == [f"Timer: {TIMER}.", UNFINISHED, "Set the timer: slowsched arm --env production"]


def test_problems_say_that_nothing_can_be_told() -> None:
    """A commit that cannot be read as tasks is compared with nothing."""
    found = Problem(path="tasks/a.yaml", line=1, column=1, pointer="$", code="schema", message="it is no task")
    lines = text_of(Drift(plan=a_plan(problems=(found,))))
    assert lines[1:] == [
        "tasks/a.yaml:1:1: $: it is no task [schema]",
        "1 problem in the task files: nothing is planned before they are fixed.",
    ]


@pytest.mark.parametrize("changes", [(), (CREATE,)], ids=["none", "one"])
def test_an_issue_tells_the_same(changes: tuple[object, ...]) -> None:
    """Timer, unfinished apply and what would be put back stand before the plan."""
    drift = Drift(plan=a_plan(*changes), applying=NEWER, timer=TIMER)
    assert drift_markdown(drift).startswith("### slowsched drift: production\n\n")
    assert f"**Timer: {TIMER}.** Set it with `slowsched arm --env production`." in drift_markdown(drift)
    assert f"\n\n{UNFINISHED}\n" in drift_markdown(drift)
    assert ("What `slowsched apply --env production` would put back:" in drift_markdown(drift)) is bool(changes)


def test_the_document_has_what_the_plan_has_and_the_drift() -> None:
    """A script finds both in one document."""
    shape = drift_shape(Drift(plan=a_plan(), applying=NEWER, timer=TIMER))
    assert shape["drift"] == {"found": True, "applied": COMMIT, "applying": NEWER, "timer": TIMER}


def test_an_issue_without_drift_says_no_more() -> None:
    """Neither a timer nor an apply is spoken of."""
    text = drift_markdown(Drift(plan=a_plan()))
    assert text.startswith(f"### slowsched drift: production\n\nNo drift in the table: it is {ASKED}; 12 unchanged")
    assert ("Set it with" in text, "is being applied" in text) == (False, False)
