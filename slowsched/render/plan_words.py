"""What a plan says as a whole, in sentences that the terminal and the pull request share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched.model import ChangeKind
from slowsched.render.words import counted, moment, moment_and_distance

if TYPE_CHECKING:
    from slowsched.model import Plan

__all__ = ["COUNTED", "first_due", "problems_words", "standing", "timer_words"]

COUNTED = {
    ChangeKind.CREATE: "to create",
    ChangeKind.UPDATE: "to update",
    ChangeKind.DELETE: "to delete",
    ChangeKind.FORGET: "to forget",
    ChangeKind.LATE: "late",
    ChangeKind.CONFLICT: "in conflict",
}


def standing(plan: Plan) -> str:
    """Write what stays as it is: `12 unchanged, 3 done`."""
    return f"{plan.counts['unchanged']} unchanged, {plan.counts['done']} done"


def problems_words(plan: Plan) -> str:
    """Write that a plan with problems plans nothing."""
    return f"{counted(len(plan.problems), 'problem')} in the task files: nothing is planned before they are fixed."


def timer_words(plan: Plan) -> str:
    """Write what the timer is set to before and after."""
    before, after = plan.timer_before, plan.timer_after
    if after is None:
        return "not set, and nothing to set it for" if before is None else f"stays at {moment(before)}"
    if before == after:
        return f"stays at {moment(after)}"
    return f"{'not set' if before is None else moment(before)} -> {moment_and_distance(after, plan.now)}"


def first_due(plan: Plan) -> str | None:
    """Return the id of the first task that would be late if the plan were applied after `valid_until`."""
    coming = {ChangeKind.CREATE, ChangeKind.UPDATE}
    return next((each.id for each in plan.changes if each.due == plan.valid_until and each.kind in coming), None)
