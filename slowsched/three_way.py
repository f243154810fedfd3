"""Branch x base x main: what main will declare once a branch is merged, and whose change each difference is.

Pure. A plan of the branch alone would propose to delete what main has gained since, and to take back what main
has edited. So the plan is made of what main will declare, and each change of it says where it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from slowsched import canonical
from slowsched.model import Attribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from slowsched.model import Declared, Plan

__all__ = ["Merged", "attributed", "digests_of", "merge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What main will declare: `declared`, sorted by file and line; `changed` are the ids that the branch changes.

    `behind` are the ids that main has changed since the branch began and the branch has not, sorted.
    """

    declared: tuple[Declared, ...]
    changed: frozenset[str]
    behind: tuple[str, ...]


def merge(branch: Iterable[Declared], base: Mapping[str, str], main: Iterable[Declared]) -> Merged:
    """Merge task by task: what the branch has changed since `base` is the branch's, all else is main's.

    `base` has the digests of the tasks where the branch began (`digests_of`). What both have changed is the
    branch's as well: git has somebody decide before it is merged. A task that stands the same in both is no
    change of the branch, so a squashed merge and a cherry-pick leave nothing behind.
    """
    ours = {each.task.id: each for each in branch}
    theirs = {each.task.id: each for each in main}
    declared: list[Declared] = []
    changed: set[str] = set()
    behind: list[str] = []
    for task_id in ours.keys() | theirs.keys() | base.keys():
        mine, other = ours.get(task_id), theirs.get(task_id)
        own_digest, other_digest = _digest(mine), _digest(other)
        wanted = mine
        if own_digest != other_digest:
            if own_digest == base.get(task_id):
                wanted = other
                behind.append(task_id)
            else:
                changed.add(task_id)
        if wanted is not None:
            declared.append(wanted)
    return Merged(
        declared=tuple(sorted(declared, key=lambda each: (each.place.path, each.place.line, each.task.id))),
        changed=frozenset(changed),
        behind=tuple(sorted(behind)),
    )


def digests_of(declared: Iterable[Declared]) -> dict[str, str]:
    """Return the digest of each task by its id."""
    return {each.task.id: canonical.task_digest(each.task) for each in declared}


def attributed(plan: Plan, merged: Merged, applied: Mapping[str, str] | None) -> Plan:
    """Return the plan with the attribution of each change, and with what the branch is behind.

    `applied` has the digests of the commit that was applied last; None when none was. What differs from the
    table although that commit asked for the same was changed there: drift.
    """
    wanted = digests_of(merged.declared)

    def of(task_id: str) -> Attribution:
        if task_id in merged.changed:
            return Attribution.THIS_CHANGE
        if applied is not None and applied.get(task_id) == wanted.get(task_id):
            return Attribution.DRIFT
        return Attribution.ALREADY_ON_MAIN

    changes = tuple(replace(change, attribution=of(change.id)) for change in plan.changes)
    return replace(plan, changes=changes, behind=merged.behind)


def _digest(declared: Declared | None) -> str | None:
    return None if declared is None else canonical.task_digest(declared.task)
