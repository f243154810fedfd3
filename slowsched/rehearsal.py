"""What a wake would do now, told without writing anything (`worker --dry-run`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from slowsched import lifecycle
from slowsched.lifecycle import Step
from slowsched.model import Unreadable
from slowsched.reports import WakeReport
from slowsched.wake import idle_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from slowsched.backend import Backend

__all__ = ["rehearse"]


def rehearse(backend: Backend, knows: Callable[[str], bool], limit: int | None = None) -> WakeReport:
    """Report what a wake would do now, without writing anything: nothing at all while it is paused."""
    idle = idle_report(backend, backend.store.control())
    now = backend.clock()
    steps: dict[Step, list[str]] = {step: [] for step in Step}
    unreadable: list[str] = []
    ids = list(backend.store.agenda(now))
    rows = backend.store.get_many(ids)
    for task_id in ids:
        row = rows.get(task_id)
        if isinstance(row, Unreadable):
            unreadable.append(task_id)
        elif row is not None:
            taken = lifecycle.take(row, now=now, token="", known=knows(row.task.action))
            if taken is not None:
                steps[taken.step].append(task_id)
    if idle is not None:
        return replace(idle, unreadable=tuple(unreadable), left=len(ids) - len(unreadable))
    return WakeReport(
        environment=backend.environment,
        now=now,
        missed=tuple(steps[Step.MISS]),
        dead=tuple(steps[Step.REFUSE]),
        deferred=tuple(steps[Step.DEFER]),
        unreadable=tuple(unreadable),
        would_run=tuple(steps[Step.CLAIM][:limit]),
        left=len(ids) - len(unreadable),
        armed=backend.timer.armed(),
    )
