"""Branch x base x main: what main will declare once a branch is merged, and whose change each difference is.

Pure. A plan of the branch alone would propose to delete what main has gained since, and to take back what main
has edited. So the plan is made of what main will declare, and each change of it says where it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from slowsched import canonical
from slowsched.model import Attribution, Behind, BehindKind
from slowsched.sensitive import merged_places

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slowsched.model import Declared, Plan

__all__ = ["Merged", "attributed", "digests_of", "merge"]

_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What main will declare: `declared`, sorted by file and line; `changed` are the ids that the branch changes.

    `behind` is what main has changed since the branch began and the branch has not, by id.
    """

    declared: tuple[Declared, ...]
    changed: frozenset[str]
    behind: tuple[Behind, ...]


def merge(branch: Iterable[Declared], base: Iterable[Declared], main: Iterable[Declared]) -> Merged:
    """Merge task by task, and inside a task value by value, as git would: `base` is where the branch began.

    What the branch has changed since is the branch's, all else is main's. A value that both have changed is the
    branch's: git has somebody decide before it is merged. A task that stands the same in both is no change of the
    branch, so a squashed merge and a cherry-pick leave nothing behind.
    """
    ours = {each.task.id: each for each in branch}
    began = {each.task.id: each for each in base}
    theirs = {each.task.id: each for each in main}
    declared: list[Declared] = []
    changed: set[str] = set()
    behind: list[Behind] = []
    for task_id in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(task_id), theirs.get(task_id)
        wanted = _merged(mine, began.get(task_id), other)
        if _digest(wanted) != _digest(other):
            changed.add(task_id)
        elif _digest(mine) != _digest(other):
            behind.append(Behind(id=task_id, kind=_done_by_main(mine, other)))
        if wanted is not None:
            declared.append(wanted)
    return Merged(
        declared=tuple(sorted(declared, key=lambda each: (each.place.path, each.place.line, each.task.id))),
        changed=frozenset(changed),
        behind=tuple(behind),
    )


def _merged(mine: Declared | None, began: Declared | None, other: Declared | None) -> Declared | None:
    """Merge one task; where one side has removed what the other has changed, the branch decides."""
    own, their = _digest(mine), _digest(other)
    if own == their:
        return mine
    if own == _digest(began):
        return other
    if mine is None or began is None or other is None or their == _digest(began):
        return mine
    own_grace = mine.own_grace if mine.own_grace != began.own_grace else other.own_grace
    task = _three(mine.task, began.task, other.task)
    task = replace(task, sensitive=merged_places(mine.task, began.task, other.task, task.payload))
    return replace(mine, task=task, own_grace=own_grace)


def _three(mine: Any, began: Any, other: Any) -> Any:
    """Merge one value of a task; values by name are merged one by one, lists as a whole."""
    if is_dataclass(mine) and not isinstance(mine, type):
        names = [each.name for each in fields(mine)]
        return replace(
            mine, **{name: _three(*(getattr(each, name) for each in (mine, began, other))) for name in names}
        )
    if _same(mine, began):
        return other
    if _same(other, began):
        return mine
    if isinstance(mine, Mapping) and isinstance(began, Mapping) and isinstance(other, Mapping):
        names = [*mine, *(name for name in other if name not in mine)]
        merged = {name: _three(*(each.get(name, _ABSENT) for each in (mine, began, other))) for name in names}
        return {name: value for name, value in merged.items() if value is not _ABSENT}
    return mine


def _same(one: Any, other: Any) -> bool:
    """Say whether two values mean the same; `true` is not 1, at any depth."""
    if isinstance(one, Mapping | list):
        return type(one) is type(other) and canonical.text(one) == canonical.text(other)
    return type(one) is type(other) and bool(one == other)


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


def _done_by_main(mine: Declared | None, other: Declared | None) -> BehindKind:
    if mine is None:
        return BehindKind.ADDED
    return BehindKind.REMOVED if other is None else BehindKind.CHANGED


def _digest(declared: Declared | None) -> str | None:
    return None if declared is None else canonical.task_digest(declared.task)
