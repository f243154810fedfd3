"""Drift in the words of a terminal, as JSON and for an issue: the plan that would put it back, and the timer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slowsched.render.harmless import harmless
from slowsched.render.layout import Ink, paint, sentence
from slowsched.render.markdown import plan_markdown
from slowsched.render.plan_words import problems_words, standing, timer_words
from slowsched.render.shapes import plan_shape
from slowsched.render.text_plan import change_lines, rest_lines, summary_lines
from slowsched.render.text_problems import problem_lines
from slowsched.render.words import command, owner_words, short_commit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slowsched.render.layout import Line
    from slowsched.reports import Drift

__all__ = ["drift_markdown", "drift_shape", "drift_text"]

_BLANK: Line = ()


def drift_shape(drift: Drift) -> dict[str, Any]:
    """Return the plan that would put it back, as `plan` prints it, with a member on the drift (plan.schema.json)."""
    told = {
        "found": drift.found,
        "applied": drift.plan.commit,
        "applying": drift.applying,
        "timer": drift.timer,
    }
    return {**plan_shape(drift.plan), "drift": told}


def drift_text(drift: Drift, *, width: int, color: bool) -> str:
    """Write it for a person: every difference, and what to do about it."""
    return paint(_lines(drift, width), color=color)


def _lines(drift: Drift, width: int) -> Iterator[Line]:
    plan = drift.plan
    yield from sentence(f"Drift of {owner_words(plan.environment, plan.owner, plan.commit)}", width)
    yield _BLANK
    if plan.problems:
        yield from problem_lines(plan.problems)
        yield from sentence(problems_words(plan), width, Ink.BAD)
        return
    yield from change_lines(plan, width)
    if plan.changes:
        yield from summary_lines(plan, width)
    yield from sentence(_found(drift), width, Ink.BAD if drift.found else Ink.PLAIN)
    if drift.timer is None:
        yield from sentence(f"Timer: {timer_words(plan)}.", width)
    else:
        yield from sentence(f"Timer: {drift.timer}.", width, Ink.BAD)
    if drift.applying is not None:
        yield from sentence(_unfinished(drift), width)
    yield from rest_lines(plan, width)
    yield from _next(drift, width)


def _next(drift: Drift, width: int) -> Iterator[Line]:
    plan = drift.plan
    if plan.changes:
        yield _BLANK
        yield from sentence("Put it back:", width, command=command("apply", plan.environment))
        yield from sentence("Or keep it: write it into the task files.", width)
    elif drift.timer is not None:
        yield _BLANK
        yield from sentence("Set the timer:", width, command=command("arm", plan.environment))


def _found(drift: Drift) -> str:
    """Say in one sentence whether there is any."""
    plan = drift.plan
    if plan.commit is None and drift.applying is None:
        return "No drift: nothing has been applied yet."
    asked = f"what {short_commit(plan.commit)} asked for, which was applied last"
    if plan.changes:
        return f"The table is not {asked}."
    return f"No drift in the table: it is {asked}; {standing(plan)}."


def _unfinished(drift: Drift) -> str:
    return (
        f"{short_commit(drift.applying).capitalize()} is being applied, or its apply was stopped (then apply it "
        "again): what that has written is no drift."
    )


def drift_markdown(drift: Drift) -> str:
    """Write it for an issue, in GitHub's Markdown and within the length of a comment."""
    plan = drift.plan
    lines = [f"### slowsched drift: {harmless(plan.environment)}", "", _found(drift)]
    if drift.timer is not None:
        lines += ["", f"**Timer: {drift.timer}.** Set it with `{command('arm', plan.environment)}`."]
    if drift.applying is not None:
        lines += ["", _unfinished(drift)]
    if plan.changes:
        lines += ["", f"What `{command('apply', plan.environment)}` would put back:"]
    _, _, body = plan_markdown(plan).partition("\n\n")
    return "\n".join(lines) + "\n\n" + body
