"""The plan of a branch: what apply would do once it is merged, and whose change each difference is.

Three states are compared, the branch, the base, and the rows; offline the base stands in for the rows. It reads
only, as `live_plan` does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from slowsched import lifecycle
from slowsched.live_plan import read_plan
from slowsched.model import LateChoice, State
from slowsched.store.base import Write
from slowsched.store.memory import MemoryStore
from slowsched.three_way import attributed, digests_of, merge
from slowsched.timer.memory import MemoryTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from slowsched.backend import Backend
    from slowsched.model import Base, Declared, Plan, Problem, Trailer
    from slowsched.plan import PlanOptions

__all__ = ["read_branch_plan", "standing_in"]

STAND_IN_BATCH = 1000  # rows written into memory at a time


def read_branch_plan(
    backend: Backend,
    declared: Iterable[Declared],
    *,
    base: Base,
    tasks_at: Callable[[str], Sequence[Declared]],
    commit: str | None,
    options: PlanOptions,
    problems: Callable[[], Sequence[Problem]] = tuple,
    is_ancestor: Callable[[str, str], bool] | None = None,
    trailers: Callable[[str | None], Sequence[Trailer]] | None = None,
) -> Plan:
    """Make the plan of what main will declare once a branch is merged into `base`.

    `tasks_at` returns what a commit declares; the rest is as for `read_plan`. The order of commits is asked of
    the base as well: the merge will contain it.

    Raises:
        GitError: a commit cannot be read, the one that was applied last included.
        UsageError, StoreError, TimerError: as for `read_plan`.
    """
    main = tasks_at(base.tip)
    began = main if base.merge_base == base.tip else tasks_at(base.merge_base)
    merged = merge(declared, began, main)

    def comes_before(old: str, new: str) -> bool:
        return is_ancestor is None or is_ancestor(old, base.tip) or is_ancestor(old, new)

    plan = read_plan(
        backend,
        merged.declared,
        commit=commit,
        options=replace(options, strict_trailers=True),
        problems=problems,
        is_ancestor=comes_before,
        trailers=trailers,
    )
    if all(change.id in merged.changed for change in plan.changes):
        plan = attributed(plan, merged, None)
    else:
        applied = backend.store.control().of(backend.owner).applied
        plan = attributed(plan, merged, None if applied is None else digests_of(tasks_at(applied)))
    return replace(plan, base=base)


def standing_in(backend: Backend, tasks: Iterable[Declared]) -> Backend:
    """Return a backend in memory whose rows are what these tasks would be, had they been applied and run in time."""
    store = MemoryStore()
    by = lifecycle.Applier(owner=backend.owner, commit=None, now=backend.clock(), soonest=backend.soonest())
    rows = [lifecycle.create(each, by, late=LateChoice.RUN) for each in tasks]
    done = [row if row.task.due > by.now else replace(row, state=State.SUCCEEDED, wake_at=None) for row in rows]
    for start in range(0, len(done), STAND_IN_BATCH):
        store.put_many([Write(row=row, expect_version=0) for row in done[start : start + STAND_IN_BATCH]])
    timer = backend.timer
    return replace(
        backend,
        store=store,
        timer=MemoryTimer(lead=timer.lead, propagation=timer.propagation, delivery=timer.delivery),
    )
