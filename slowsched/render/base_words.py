"""What a plan says where it was compared with a base: whose each change is, and what the branch lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched.model import Attribution, BehindKind
from slowsched.render.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slowsched.model import Change, Plan

__all__ = [
    "attribution_title",
    "attribution_words",
    "behind_lists",
    "behind_words",
    "by_attribution",
    "speculative_words",
]


def by_attribution(plan: Plan) -> Sequence[tuple[Attribution | None, Sequence[Change]]]:
    """Return the changes in the order of a review, each group in the plan's: what this change does, then the rest.

    One group, of no attribution, where the plan was not compared with a base.
    """
    if plan.base is None:
        return [(None, plan.changes)]
    groups = [(each, [change for change in plan.changes if change.attribution is each]) for each in Attribution]
    return [(attribution, changes) for attribution, changes in groups if changes]


def attribution_title(attribution: Attribution, plan: Plan, count: int) -> str:
    """Write what a group of changes has in common, and how many they are."""
    words = {
        Attribution.THIS_CHANGE: "By this change",
        Attribution.ALREADY_ON_MAIN: f"Already on {_ref(plan)}, not applied yet",
        Attribution.DRIFT: "Drift: the table was changed since the last apply, which this would put back",
    }
    return f"{words[attribution]} ({count})"


def attribution_words(plan: Plan) -> str | None:
    """Write how many changes are whose; None where the plan was not compared with a base, or has none."""
    if plan.base is None or not plan.changes:
        return None
    by_this, already, drift = (sum(each.attribution is one for each in plan.changes) for one in Attribution)
    already_there = f"{already} already on {_ref(plan)} and not applied yet"
    return f"Of {counted(len(plan.changes), 'change')}: {by_this} by this change, {already_there}, {drift} drift."


def behind_words(plan: Plan) -> str | None:
    """Write that a branch lacks what its base has, and that it is no delete; None where it lacks nothing."""
    if not plan.behind:
        return None
    tasks = counted(len(plan.behind), "task")
    return f"Behind {_ref(plan)} by {tasks}: no deletes and no changes, they come with a merge of {_ref(plan)}"


def behind_lists(plan: Plan) -> Sequence[tuple[str, Sequence[str]]]:
    """Return what main has done since the branch began (`added`), and the ids that it did it to."""
    listed = [(each.value, [one.id for one in plan.behind if one.kind is each]) for each in BehindKind]
    return [(word, ids) for word, ids in listed if ids]


def speculative_words(plan: Plan) -> str | None:
    """Write that nobody has asked the table; None where it was asked."""
    return f"Speculative: compared with {_ref(plan)}, not with the rows." if plan.speculative else None


def _ref(plan: Plan) -> str:
    return "main" if plan.base is None else plan.base.ref
