"""Examine an environment: read the store and the timer once, and let the checks judge. Writes nothing.

`fix` re-arms, and is the only thing here that changes anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from slowsched.arm import arm
from slowsched.aws_checks import check_aws
from slowsched.aws_failures import is_denied
from slowsched.checks import Live, Pace, Rows, check_live
from slowsched.diagnosis import Diagnosis, Fix, Unknown
from slowsched.errors import BackendError, UsageError
from slowsched.model import Row, Unreadable
from slowsched.worker_checks import check_function, check_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from slowsched.aws_inspection import Seen
    from slowsched.backend import Backend
    from slowsched.diagnosis import Finding

__all__ = ["TASKS_READ", "examine", "fix"]

TASKS_READ = 300  # of the rows that need the worker next, for their actions and timeouts: three reads of DynamoDB

Part = TypeVar("Part")


def fix(backend: Backend) -> Fix:
    """Arm the timer, and say what that came to."""
    try:
        return Fix(armed=arm(backend).moment)
    except (BackendError, UsageError) as error:
        return Fix(error=str(error))


def examine(backend: Backend, *, seen: Seen | None = None, fixed: Fix | None = None) -> Diagnosis:
    """Check everything; `seen` is what was found on AWS, None on another backend, `fixed` what was done before."""
    findings = tuple(_findings(backend, seen))
    return Diagnosis(environment=backend.environment, now=backend.clock(), findings=findings, fix=fixed)


def _findings(backend: Backend, seen: Seen | None) -> Iterator[Finding]:
    if seen is None:
        yield from check_live(_read(backend, with_tasks=False))
        return
    yield from check_aws(seen, backend.environment)
    yield from check_function(seen)
    if seen.can_read_rows:
        live = _read(backend, with_tasks=True)
        yield from check_worker(seen, live)
        yield from check_live(live)


class _Reader:
    """Reads parts of a backend, and asks no more once it has failed to answer: each try may take long."""

    def __init__(self) -> None:
        self._silent: Unknown | None = None

    def read(self, ask: Callable[[], Part]) -> Part | Unknown:
        """Return the part, or why it cannot be read."""
        if self._silent is not None:
            return self._silent
        try:
            return ask()
        except BackendError as error:
            unknown = Unknown(what=error.message, way_out=error.hint or "try again", refused=is_denied(error.__cause__))
            if not unknown.refused:
                self._silent = unknown
            return unknown


def _read(backend: Backend, *, with_tasks: bool) -> Live:
    """Read all rows once, then, close together, what the timer is held against."""
    store, timer = _Reader(), _Reader()
    rows = store.read(lambda: _rows(backend))
    tasks = store.read(lambda: _tasks(backend, rows)) if with_tasks and isinstance(rows, Rows) else None
    control = store.read(backend.store.control)
    earliest = store.read(backend.store.next_wake)
    armed = timer.read(backend.timer.armed)
    return Live(
        environment=backend.environment,
        owner=backend.owner,
        now=backend.clock(),
        pace=Pace(lead=backend.timer.lead, delivery=backend.timer.delivery, near=backend.timer.near),
        rows=rows,
        control=control,
        earliest=earliest,
        armed=armed,
        tasks=tasks,
    )


def _rows(backend: Backend) -> Rows:
    found = list(backend.store.rows())
    return Rows(
        readable=tuple(row for row in found if not isinstance(row, Unreadable)),
        unreadable=tuple(row for row in found if isinstance(row, Unreadable)),
    )


def _tasks(backend: Backend, rows: Rows) -> tuple[Row, ...]:
    """Return the rows that need the worker first, in full."""
    pending = sorted((row.wake_at, row.id) for row in rows.readable if row.wake_at is not None)[:TASKS_READ]
    found = backend.store.get_many([task_id for _, task_id in pending])
    return tuple(row for _, row in sorted(found.items()) if isinstance(row, Row))
