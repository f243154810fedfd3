"""What a plan says as a whole, in sentences that the terminal and the pull request share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched.model import ChangeKind
from slowsched.render.words import counted, local_moment, moment, moment_and_distance, short_commit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slowsched.model import Change, Plan, Trailer

__all__ = [
    "COUNTED",
    "first_due",
    "needed_words",
    "problems_words",
    "standing",
    "timer_words",
    "together_words",
    "trailer_words",
    "until_words",
]

MINUTES_MAX = 5  # minutes told in which several tasks fire; JSON has all

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


def together_words(plan: Plan) -> Iterator[str]:
    """Write in which minutes several tasks fire, the fullest first."""
    fullest = sorted(plan.together, key=lambda each: (-each.tasks, each.minute))
    for each in fullest[:MINUTES_MAX]:
        yield f"{each.tasks} tasks fire in the same minute, {moment(each.minute)}."
    if len(fullest) > MINUTES_MAX:
        yield f"Several tasks fire in {counted(len(fullest) - MINUTES_MAX, 'more minute')}."


def trailer_words(trailer: Trailer) -> tuple[str, str, str]:
    """Write what a trailer comes to and where it stands, the trailer itself, and why it allows nothing."""
    said = f"{trailer.name}: {trailer.value}"
    if trailer.message is not None:
        return f"Allows nothing, in {short_commit(trailer.commit)}", said, f": {trailer.message}"
    return f"{'Allowed' if trailer.used else 'Not needed'}, in {short_commit(trailer.commit)}", said, ""


def needed_words(plan: Plan) -> str | None:
    """Write what stands before the trailers that would allow what is refused; None where they are of no use.

    They are for a branch, whose commits are still to be written; who applies says it with flags.
    """
    if plan.base is None or not plan.needed:
        return None
    return "If it is meant, end the message of a commit of this branch with"


def until_words(due: Change) -> str:
    """Write from when the plan is out of date, in UTC and in the zone of the task's author."""
    zone = None if due.declared is None else due.declared.task.timezone
    local = local_moment(due.due, zone)
    return f"{moment(due.due)}{'' if local is None else f' ({local})'}"


def first_due(plan: Plan) -> Change | None:
    """Return the first task that would be late if the plan were applied after `valid_until`."""
    coming = {ChangeKind.CREATE, ChangeKind.UPDATE}
    return next((each for each in plan.changes if each.due == plan.valid_until and each.kind in coming), None)
