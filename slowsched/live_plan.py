"""The plan as of now: what the files declare against the rows that are live. It reads only, and takes no lock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from slowsched.model import Refusal
from slowsched.plan import PlanOptions, PlanSetting, compare, make_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from slowsched.backend import Backend
    from slowsched.model import Declared, OwnerControl, Plan, Problem, Trailer

__all__ = ["out_of_order", "read_plan"]


def read_plan(
    backend: Backend,
    declared: Iterable[Declared],
    *,
    commit: str | None,
    options: PlanOptions,
    problems: Callable[[], Sequence[Problem]] = tuple,
    is_ancestor: Callable[[str, str], bool] | None = None,
    trailers: Callable[[str | None], Sequence[Trailer]] | None = None,
) -> Plan:
    """Make the plan as of now: one pass over the declared tasks, one paged read of the rows.

    `declared` may be a stream; `problems` is asked after its end for what was found in the files. With
    `is_ancestor` (whether one commit is another or came before it) the plan also says whether the order
    of commits refuses it. `trailers` returns what the commits allow that come after the one applied last.

    Raises:
        UsageError: `options` names a task that nobody has.
        StoreError, TimerError: the backend did not answer.
    """
    now = backend.clock()
    before: OwnerControl | None = None
    if commit is not None and not (is_ancestor is None and trailers is None):
        before = backend.store.control().of(backend.owner)
    if before is not None and trailers is not None:
        options = replace(options, trailers=tuple(trailers(before.applied)))
    comparison = compare(declared, backend.store.rows(), backend.owner, options.named)
    rows = backend.store.get_many(comparison.ids) if comparison.ids else {}
    setting = PlanSetting(
        environment=backend.environment,
        owner=backend.owner,
        commit=commit,
        now=now,
        lead=backend.timer.lead,
        delivery=backend.timer.delivery,
        armed=backend.timer.armed(),
    )
    plan = make_plan(comparison, rows, setting, options, problems())
    if commit is None or before is None or is_ancestor is None:
        return plan
    refusal = out_of_order(before, commit, is_ancestor)
    return plan if refusal is None else replace(plan, refused=(refusal, *plan.refused))


def out_of_order(before: OwnerControl, commit: str, is_ancestor: Callable[[str, str], bool]) -> Refusal | None:
    """Refuse a commit that does not come after what was applied last, or was being applied."""
    for word, last in (("applied", before.applied), ("being applied", before.applying)):
        if last is not None and not is_ancestor(last, commit):
            message = (
                f"commit {last[:12]} was {word} last and does not come before {commit[:12]}: "
                "apply a commit that contains it, or say --allow-rollback"
            )
            return Refusal(code="rollback", message=message)
    return None
