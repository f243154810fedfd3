"""What a person does to one row: retry a dead or missed task, run a scheduled one early."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from slowsched import lifecycle
from slowsched.arm import arm
from slowsched.errors import StoreError, UsageError
from slowsched.model import Row, State, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from slowsched.backend import Backend
    from slowsched.store.base import Store

__all__ = ["find", "retry", "run_early"]

CONFLICT_TRIES = 10  # each loser has seen another's write of this row go through


def find(store: Store, task_id: str, owner: str) -> Row:
    """Return the row of this owner's task.

    Raises:
        UsageError: there is none (with the nearest id), or this version cannot read it.
    """
    match store.get(task_id):
        case Row(owner=found) as row if found == owner and row.state is not State.DELETED:
            return row
        case Unreadable(reason=reason):
            raise UsageError(f"the row of task {task_id!r} cannot be read ({reason})", hint="upgrade slowsched")
        case _:
            raise UsageError(f"there is no task {task_id!r}", hint=_nearest(store, task_id, owner))


def _nearest(store: Store, task_id: str, owner: str) -> str:
    ids = [row.id for row in store.rows() if not isinstance(row, Unreadable) and row.owner == owner]
    near = get_close_matches(task_id, ids, n=1)
    return f"did you mean {near[0]!r}?" if near else "`slowsched list` shows all"


def retry(backend: Backend, task_id: str) -> Row:
    """Schedule a dead or missed task again, at once, and arm.

    Raises:
        UsageError: there is no such task, or it is neither dead nor missed.
        StoreError: the row was not written.
        TimerError: the row was written, and the timer could not be armed.
    """
    return _intervene(
        backend, task_id, lambda row: lifecycle.retry(row, now=backend.clock(), soonest=backend.soonest())
    )


def run_early(backend: Backend, task_id: str) -> Row:
    """Make a scheduled task due at once, and arm.

    Raises:
        UsageError: there is no such task, or it is not scheduled.
        StoreError: the row was not written.
        TimerError: the row was written, and the timer could not be armed.
    """
    return _intervene(
        backend, task_id, lambda row: lifecycle.run_early(row, now=backend.clock(), soonest=backend.soonest())
    )


def _intervene(backend: Backend, task_id: str, transition: Callable[[Row], Row]) -> Row:
    for _ in range(CONFLICT_TRIES):
        row = find(backend.store, task_id, backend.owner)
        wanted = transition(row)
        if backend.store.put(wanted, row.version) is None:
            arm(backend, mine=wanted.wake_at)
            return wanted
    raise StoreError(f"the row of task {task_id!r} was changed {CONFLICT_TRIES} times meanwhile", hint="try again")
