"""Small builders of values for every test: a plausible one by default, keyword overrides for what matters.

    a_task(due=at("2030-01-01T12:00:00Z"))
    a_row(state=State.RUNNING, version=7)       a row's own fields ...
    a_row(id="other", payload={"n": 1})         ... and its task's, in one call

Digests always fit the task, and `wake_at` fits the state, unless they are given.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from slowsched.canonical import digests
from slowsched.model import (
    Claim,
    Declared,
    HistoryEntry,
    HistoryOutcome,
    Place,
    Retry,
    Row,
    Source,
    State,
    Summary,
    Task,
)
from slowsched.store.base import Write
from slowsched.timing import parse_stamp

if TYPE_CHECKING:
    from slowsched.store.base import Store

DUE = datetime(2030, 1, 1, tzinfo=UTC)
OWNER = "acme/shop/local"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

_TASK_FIELDS = frozenset(Task.__dataclass_fields__)


def at(text: str) -> datetime:
    """Return the moment of `2030-01-01T12:00:00Z`."""
    return parse_stamp(text)


def a_retry(**overrides: Any) -> Retry:
    """Return the retry policy that is the default (docs/task-files.md)."""
    return Retry(**({"attempts": 5, "backoff": MINUTE, "max_backoff": HOUR} | overrides))


def a_task(**overrides: Any) -> Task:
    """Return a task, the one of the README unless told otherwise."""
    fields = {
        "id": "some task id",
        "due": DUE,
        "action": "APPLY_SALE",
        "payload": {"itemID": "some item", "newPrice": 29.99, "salePercent": 50},
        "retry": a_retry(),
        "timeout": timedelta(seconds=30),
    }
    return Task(**(fields | overrides))


def a_place(**overrides: Any) -> Place:
    """Return the place of a task in a file."""
    return Place(**({"path": "tasks/sale.yaml", "line": 1, "column": 1} | overrides))


def a_source(**overrides: Any) -> Source:
    """Return the file, line and commit that a row was applied from."""
    return Source(**({"path": "tasks/sale.yaml", "line": 1, "commit": COMMIT} | overrides))


def a_declared(**overrides: Any) -> Declared:
    """Return a declared task; overrides are of Declared (`task`, `place`, `own_grace`) or of its task."""
    return Declared(**({"place": a_place()} | _with_task(overrides)))


def a_claim(**overrides: Any) -> Claim:
    """Return a worker's hold on a row."""
    return Claim(**({"token": "a token", "lease_end": DUE + MINUTE} | overrides))


def an_entry(**overrides: Any) -> HistoryEntry:
    """Return an attempt that is still running, as the history has it."""
    return HistoryEntry(**({"generation": 1, "attempt": 1, "started_at": DUE} | overrides))


def a_row(**overrides: Any) -> Row:
    """Return a row, scheduled unless told otherwise; overrides are of Row or of its task."""
    given = _with_task(overrides)
    state = given.get("state", State.SCHEDULED)
    fields = {
        "digests": digests(given["task"]),
        "owner": OWNER,
        "source": a_source(),
        "state": state,
        "version": 1,
        "generation": 1,
    }
    return Row(**(fields | _state_fields(state, given["task"], given) | given))


def summary_of(row: Row) -> Summary:
    """Return what a walk over all rows tells of this one."""
    return Summary(
        id=row.id,
        owner=row.owner,
        state=row.state,
        task_digest=row.digests.task,
        wake_at=row.wake_at,
        expires_at=row.expires_at,
    )


def put_all(store: Store, *rows: Row) -> None:
    """Create rows that are not there yet."""
    assert store.put_many([Write(row=row, expect_version=0) for row in rows]) == [None] * len(rows)


def _with_task(overrides: dict[str, Any]) -> dict[str, Any]:
    """Gather the overrides that are a task's into a `task`."""
    of_task = {name: value for name, value in overrides.items() if name in _TASK_FIELDS}
    rest = {name: value for name, value in overrides.items() if name not in _TASK_FIELDS}
    if "task" in rest and of_task:
        raise TypeError(f"give `task`, or its fields, not both: {', '.join(of_task)}")
    return {"task": a_task(**of_task)} | rest


def _state_fields(state: State, task: Task, given: dict[str, Any]) -> dict[str, Any]:
    """Return what a row in this state holds besides: an attempt that fits it, and when it next wakes."""
    claim = given.get("claim") or a_claim(lease_end=task.due + MINUTE)
    attempt = given.get("attempt", 1)
    entry = an_entry(generation=given.get("generation", 1), attempt=attempt, started_at=task.due)
    ended = replace(entry, finished_at=task.due + timedelta(seconds=1), outcome=HistoryOutcome.SUCCEEDED)
    match state:
        case State.SCHEDULED:
            return {"wake_at": task.due}
        case State.RUNNING:
            return {"attempt": attempt, "claim": claim, "wake_at": claim.lease_end, "history": (entry,)}
        case State.SUCCEEDED:
            return {"attempt": attempt, "history": (ended,)}
        case State.DEAD:
            return {"attempt": attempt, "history": (replace(ended, outcome=HistoryOutcome.FAILED, message="no"),)}
        case State.DELETED:
            return {"expires_at": task.due + 400 * DAY}
        case _:
            return {}
