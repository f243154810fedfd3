"""Drift: how the live rows, and the timer, differ from what the commit applied last asked for. It reads only.

It is the plan of that commit, with the same decisions: what it would change is what `apply` of it would put back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched import canonical
from slowsched.checks import Live, Pace, Rows, check_timer
from slowsched.diagnosis import Verdict
from slowsched.errors import LockedError, UsageError
from slowsched.live_plan import read_plan
from slowsched.model import Summary
from slowsched.reports import Drift

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from slowsched.backend import Backend
    from slowsched.model import Control, Declared, OwnerControl, Plan
    from slowsched.plan import PlanOptions

__all__ = ["READS_MAX", "read_drift"]

READS_MAX = 5  # an apply that ends while the rows are read makes it look again; so many in a row are a queue


def read_drift(backend: Backend, *, tasks_at: Callable[[str], Sequence[Declared]], options: PlanOptions) -> Drift:
    """Compare the rows with what the commit applied last declares; `tasks_at` returns what a commit does.

    What an apply that is not done yet, or was stopped, has already written is no drift.

    Raises:
        UsageError: the rows were applied outside of git: no commit says what they should be.
        LockedError: applies go on all the time.
        GitError: a commit cannot be read.
        StoreError, TimerError: the backend did not answer.
    """
    for _ in range(READS_MAX):
        before = backend.store.control().of(backend.owner)
        plan = _compare(backend, before, tasks_at, options)
        control = backend.store.control()
        after = control.of(backend.owner)
        if (after.applied, after.applying) == (before.applied, before.applying):
            return Drift(plan=plan, applying=before.applying, timer=_timer(backend, control))
    raise LockedError("one apply after the other goes on while the rows are read", hint="look again after them")


def _compare(
    backend: Backend, control: OwnerControl, tasks_at: Callable[[str], Sequence[Declared]], options: PlanOptions
) -> Plan:
    """Make the plan of the commit that was applied last."""
    applied, applying = control.applied, control.applying
    if applied is None and applying is None:
        _check_untouched(backend)
    wanted = () if applied is None else tasks_at(applied)
    if applying is not None and applying != applied:
        wanted = _so_far(backend, wanted, tasks_at(applying))
    return read_plan(backend, wanted, commit=applied, options=options)


def _check_untouched(backend: Backend) -> None:
    for row in backend.store.rows():
        if isinstance(row, Summary) and row.owner == backend.owner and row.expires_at is None:
            raise UsageError(
                f"the rows of {backend.owner} were applied outside of git: no commit says what they should be",
                hint="apply from a git work tree; `slowsched plan` compares them with the files here",
            )


def _so_far(backend: Backend, applied: Sequence[Declared], applying: Sequence[Declared]) -> tuple[Declared, ...]:
    """Return what is wanted in the middle of an apply: of each task the old, or the new where that is written."""
    live = {row.id: row for row in backend.store.rows() if isinstance(row, Summary)}
    old, new = ({each.task.id: each for each in declared} for declared in (applied, applying))
    chosen: list[Declared] = []
    for task_id in sorted(old.keys() | new.keys()):
        coming = new.get(task_id)
        row = live.get(task_id)
        there = None if row is None or row.expires_at is not None else row.task_digest
        is_written = there == (None if coming is None else canonical.task_digest(coming.task))
        wanted = coming if is_written else old.get(task_id)
        if wanted is not None:
            chosen.append(wanted)
    return tuple(chosen)


def _timer(backend: Backend, control: Control) -> str | None:
    """Return what is wrong with the timer, by doctor's rule; None where it is set as the rows need it."""
    timer = backend.timer
    found = check_timer(
        Live(
            environment=backend.environment,
            owner=backend.owner,
            now=backend.clock(),
            pace=Pace(lead=timer.lead, delivery=timer.delivery, near=timer.near),
            rows=Rows(),
            control=control,
            earliest=backend.store.next_wake(),
            armed=timer.armed(),
        )
    )
    return found.message if found.severity is Verdict.ERROR else None
