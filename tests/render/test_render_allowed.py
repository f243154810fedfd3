"""What commits allow, what would allow the rest, and what fires together, in text, Markdown and JSON."""

from __future__ import annotations

from datetime import timedelta

import pytest
from values import COMMIT, DAY, DUE, OWNER, a_declared

from slowsched.model import Base, Change, ChangeKind, Plan, Together, Trailer
from slowsched.render.markdown import COMMENT_MAX, plan_markdown
from slowsched.render.plan_words import together_words
from slowsched.render.shapes import plan_shape
from slowsched.render.text_plan import plan_text

TRAILERS = (
    Trailer(name="Slowsched-Late", value="a run", commit=COMMIT, used=True),
    Trailer(name="Slowsched-Supersede", value="@all", commit="f" * 40),
    Trailer(name="Slowsched-Lat", value="b", commit="e" * 40, message="there is no trailer 'Slowsched-Lat'"),
)
BASE = Base(ref="origin/main", tip="f" * 40, merge_base="f" * 40)
COUNTS = {kind.value: 0 for kind in ChangeKind} | {"unchanged": 0, "done": 0}


def a_plan(**fields):
    """Return a plan without changes that says these things."""
    common = {
        "environment": "local",
        "owner": OWNER,
        "commit": COMMIT,
        "now": DUE - DAY,
        "digest": "d",
        "counts": COUNTS,
    }
    return Plan(**({"changes": ()} | common | fields))


def shown(plan):
    """Return the lines of the text after its third."""
    return plan_text(plan, width=100, color=False).splitlines()[4:]


def test_what_commits_allow():
    """Each with its commit: what it comes to, or why it allows nothing."""
    assert shown(a_plan(trailers=TRAILERS)) == [
        "",
        "Allowed, in commit 0123456: Slowsched-Late: a run",
        "Not needed, in commit fffffff: Slowsched-Supersede: @all",
        "Allows nothing, in commit eeeeeee: Slowsched-Lat: b: there is no trailer 'Slowsched-Lat'",
    ]
    assert (
        "> [!NOTE]\n"
        "> **What commit messages allow**\n"
        "> - Allowed, in commit 0123456: <code>Slowsched-Late: a run</code>\n"
        "> - Not needed, in commit fffffff: <code>Slowsched-Supersede: &#64;all</code>\n"
        "> - Allows nothing, in commit eeeeeee: <code>Slowsched-Lat: b</code>: there is no trailer 'Slowsched-Lat'\n"
    ) in plan_markdown(a_plan(trailers=TRAILERS))


def test_what_would_allow_the_rest():
    """It is told on a branch, whose commits can still say it, and nowhere else."""
    needed = ("Slowsched-Allow-Deletes: 5", "Slowsched-Late: a run|skip")
    assert shown(a_plan(needed=needed, base=BASE))[-4:] == [
        "",
        "If it is meant, end the message of a commit of this branch with:",
        "    Slowsched-Allow-Deletes: 5",
        "    Slowsched-Late: a run|skip",
    ]
    assert shown(a_plan(needed=needed)) == []
    assert (
        "> [!TIP]\n"
        "> If it is meant, end the message of a commit of this branch with\n"
        "> - <code>Slowsched-Allow-Deletes: 5</code>\n"
        "> - <code>Slowsched-Late: a run&#124;skip</code>\n"
    ) in plan_markdown(a_plan(needed=needed, base=BASE))
    assert "TIP" not in plan_markdown(a_plan(needed=needed))


def test_thousands_of_them_are_counted():
    """The text stays readable and the comment within its limit."""
    many = a_plan(
        trailers=TRAILERS * 1000, needed=tuple(f"Slowsched-Late: {n} run|skip" for n in range(3000)), base=BASE
    )
    text = shown(many)
    assert (text.count("... and 2800 more"), text.count("    ... and 2800 more")) == (1, 1)
    assert len(plan_markdown(many)) < COMMENT_MAX


def test_the_document_has_only_what_there_is():
    """Keys that few plans need are absent from the others."""
    extras = {"together", "trailers", "needed"}
    assert extras & plan_shape(a_plan()).keys() == set()
    full = plan_shape(a_plan(trailers=TRAILERS[:1], needed=("n",), together=(Together(minute=DUE, tasks=2),)))
    assert {key: full[key] for key in extras} == {
        "together": [{"minute": "2030-01-01T00:00:00Z", "tasks": 2}],
        "trailers": [{"name": "Slowsched-Late", "value": "a run", "commit": COMMIT, "used": True, "message": None}],
        "needed": ["n"],
    }


def a_create(**task):
    """Return a create of a task that is due at DUE."""
    declared = a_declared(**task)
    return Change(
        id=declared.task.id,
        kind=ChangeKind.CREATE,
        action=declared.task.action,
        due=DUE,
        place=declared.place,
        declared=declared,
    )


@pytest.mark.parametrize(
    ("zone", "until"),
    [(None, "2030-01-01 00:00 UTC"), ("Europe/Berlin", "2030-01-01 00:00 UTC (2030-01-01 01:00 in Europe/Berlin)")],
)
def test_from_when_a_plan_is_out_of_date(zone, until):
    """In UTC, and in the zone of its author where the task names one."""
    plan = a_plan(changes=(a_create(timezone=zone),), valid_until=DUE)
    sentence = f"This plan is out of date from {until}, when "
    assert sentence + "some task id becomes due." in " ".join(plan_text(plan, width=200, color=False).split("\n"))
    assert sentence + "<code>some task id</code> becomes due.\n" in plan_markdown(plan)


def test_tasks_that_fire_together():
    """The fullest minutes first, and the rest counted."""
    minutes = tuple(Together(minute=DUE + timedelta(minutes=n), tasks=2 + (n == 3)) for n in range(7))
    plan = a_plan(changes=(a_create(),), together=minutes)
    words = list(together_words(plan))
    assert (words[:2], len(words), words[-1]) == (
        [
            "3 tasks fire in the same minute, 2030-01-01 00:03 UTC.",
            "2 tasks fire in the same minute, 2030-01-01 00:00 UTC.",
        ],
        6,
        "Several tasks fire in 2 more minutes.",
    )
    assert all(each in plan_text(plan, width=100, color=False) and each in plan_markdown(plan) for each in words)
