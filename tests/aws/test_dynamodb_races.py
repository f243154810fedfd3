"""Many workers, and applies beside a worker, on one table of a real server: nothing runs twice, no edit is lost."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from aws.tables import raw_client, table_of
from on_aws import account_on
from protocol.fakes import declared
from values import COMMIT, MINUTE, OWNER, a_row, at, put_all

from slowsched.apply import ApplyRequest, apply
from slowsched.aws import Account
from slowsched.backend import Backend
from slowsched.execute import Registry, Runner
from slowsched.model import Row, State
from slowsched.store.base import new_write_id
from slowsched.store.dynamodb import DynamoStore
from slowsched.timer.memory import MemoryTimer
from slowsched.wake import wake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from slowsched.execute import Attempt
    from slowsched.model import Declared
    from slowsched.reports import WakeReport
    from slowsched.store.items import Refused

NOW = at("2030-01-01T12:00:00Z")
WORKERS = 16
TASKS = 100
EDITED = 40
LONGEST_SECONDS = 240


class Race:
    """A table, and backends on it that share nothing but that and the timer."""

    def __init__(self, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        account_on(endpoint, monkeypatch)
        self._table = table_of(raw_client(endpoint))
        self._timer = MemoryTimer()
        self._backends: list[Backend] = []
        self.executed: list[tuple[str, str]] = []  # id and team, in the order of their beginning

    def backend(self, kind: Callable[[Account, str], DynamoStore] = DynamoStore) -> Backend:
        """Return the backend of another process; its clock stands, so that each due row is handled once."""
        backend = Backend(
            environment="local",
            owner=OWNER,
            store=kind(Account(), self._table),
            timer=self._timer,
            clock=lambda: NOW,
            sleep=lambda _seconds: None,
            chance=lambda: 0.0,
            nonce=new_write_id,
            standing=True,
        )
        backend.store.control()  # its client is made before the race begins
        self._backends.append(backend)
        return backend

    def wake(self, backend: Backend) -> WakeReport:
        """Wake a worker; its action writes down that it was here, and takes a moment."""

        def record(_payload: Any, attempt: Attempt) -> None:
            self.executed.append((attempt.task_id, attempt.idempotency_key))
            time.sleep(0.005)

        registry = Registry()
        registry.add("APPLY_SALE", record)
        return wake(backend, Runner(registry))

    def rows(self) -> dict[str, Row]:
        """Return all rows as they stand, each of which can be read."""
        store = self._backends[0].store
        rows = store.get_many([row.id for row in store.rows()])
        return {key: row for key, row in sorted(rows.items()) if isinstance(row, Row)}

    def close(self) -> None:
        """Let go of everything."""
        for backend in self._backends:
            backend.close()


@pytest.fixture(params=["dynamodb_local", "ministack"])
def race(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Race]:
    """Return an empty table on each server in turn."""
    race = Race(request.getfixturevalue(f"{request.param}_endpoint"), monkeypatch)
    yield race
    race.close()


def together(calls: list[Callable[[], Any]]) -> list[Any]:
    """Make all calls at the same moment, each in a thread of its own; return what they return."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait(LONGEST_SECONDS)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls, timeout=LONGEST_SECONDS))


def test_sixteen_workers_execute_each_of_100_due_tasks_once(race: Race) -> None:
    """They share the work, and every attempt is in a history; nobody sees an error."""
    ids = [f"task {number:03}" for number in range(TASKS)]
    workers = [race.backend() for _ in range(WORKERS)]
    put_all(workers[0].store, *(a_row(id=task_id, due=NOW) for task_id in ids))
    reports = together([lambda worker=worker: race.wake(worker) for worker in workers])
    assert sorted(race.executed) == [(task_id, f"local/{task_id}@2030-01-01T12:00:00Z#1") for task_id in ids]
    assert sorted(each.id for report in reports for each in report.attempts) == ids
    rows = race.rows()
    assert (list(rows), [report.errors for report in reports]) == (ids, [()] * WORKERS)
    assert {(row.state, row.version, row.attempt, len(row.history)) for row in rows.values()} == {
        (State.SUCCEEDED, 3, 1, 1)
    }
    assert sum(1 for report in reports if report.attempts) > 1, "the work was shared"


class Unconditional(DynamoStore):
    """A store that writes whatever was written since."""

    def _put(self, what: str, item: dict[str, Any], _condition: object) -> Refused | None:
        return super()._put(what, item, {})


@pytest.mark.parametrize(("kind", "times"), [(DynamoStore, 1), (Unconditional, 2)])
def test_the_condition_of_a_claim_is_what_keeps_a_task_from_running_twice(
    race: Race, kind: type[DynamoStore], times: int
) -> None:
    """Two workers that have both read a row as due: without the condition, both execute it."""
    both_have_read = threading.Barrier(2)

    class ReadsTogether(kind):  # type: ignore[misc, valid-type]
        """A store whose first answer waits for that of the other."""

        met = False

        def _read_rows(self, task_ids: Any) -> Any:
            rows = list(super()._read_rows(task_ids))
            if not self.met:
                self.met = True
                both_have_read.wait(LONGEST_SECONDS)
            return rows

    workers = [race.backend(ReadsTogether) for _ in range(2)]
    put_all(workers[0].store, a_row(id="task", due=NOW))
    together([lambda worker=worker: race.wake(worker) for worker in workers])
    assert [task_id for task_id, _ in race.executed] == ["task"] * times


def test_no_policy_edit_is_lost_beside_a_running_worker(race: Race) -> None:
    """Whatever stage a row is in when a team is changed: who was told "applied" finds it there, and each ran once."""
    ids = [f"task {number:02}" for number in range(EDITED)]
    editor, *workers = [race.backend() for _ in range(5)]
    put_all(editor.store, *(a_row(id=task_id, due=NOW) for task_id in ids))
    acknowledged: dict[str, str] = {}
    edits = 0

    def edit() -> None:
        nonlocal edits
        for number in count(1):
            over = {row.state for row in race.rows().values()} == {State.SUCCEEDED}
            tasks = [declared(task_id, due=NOW, team=f"team {number}") for task_id in ids]
            for task_id, result in _applied(editor, tasks).items():
                edits += 1
                if result == "applied":
                    acknowledged[task_id] = f"team {number}"
            if over:
                return

    together([edit, *(lambda worker=worker: race.wake(worker) for worker in workers)])
    rows = race.rows()
    assert Counter(task_id for task_id, _ in race.executed) == dict.fromkeys(ids, 1)
    assert {task_id: row.task.team for task_id, row in rows.items()} == acknowledged
    assert {(row.state, row.generation, len(row.history)) for row in rows.values()} == {(State.SUCCEEDED, 1, 1)}
    assert edits > EDITED


def test_an_edit_of_what_is_executed_either_counts_or_is_refused(race: Race) -> None:
    """A new due beside a running worker is acknowledged, and then it counts, or it is a conflict."""
    ids = [f"task {number:02}" for number in range(EDITED)]
    editor, *workers = [race.backend() for _ in range(5)]
    put_all(editor.store, *(a_row(id=task_id, due=NOW) for task_id in ids))
    later = NOW + 60 * MINUTE
    tasks = [declared(task_id, due=later) for task_id in ids]
    results, *_ = together(
        [lambda: _applied(editor, tasks), *(lambda worker=worker: race.wake(worker) for worker in workers)]
    )
    rows = race.rows()
    ran = Counter(task_id for task_id, _ in race.executed)
    for task_id, row in rows.items():
        if results[task_id] == "applied":
            assert (row.state, row.generation, row.wake_at, row.task.due) == (State.SCHEDULED, 2, later, later)
            assert ran[task_id] == len(row.history) <= 1
        else:
            assert (results[task_id], row.state, row.generation, ran[task_id]) == ("conflict", State.SUCCEEDED, 1, 1)
    assert (sorted(rows), max(ran.values(), default=1)) == (ids, 1)


def test_of_many_applies_at_once_one_holds_the_lock_at_a_time(race: Race) -> None:
    """Each waits for its turn; the last one's edit stands, and the lock is free."""
    editors = [race.backend() for _ in range(4)]
    put_all(editors[0].store, a_row(id="task", due=NOW + 60 * MINUTE))
    waiting = [replace(editor, sleep=lambda _seconds: time.sleep(0.01)) for editor in editors]
    tasks = [declared("task", team=f"team {number}") for number in range(len(editors))]
    results = together(
        [
            lambda editor=editor, task=task: _applied(editor, [task], lock_timeout=MINUTE)
            for editor, task in zip(waiting, tasks, strict=True)
        ]
    )
    row = race.rows()["task"]
    assert (results, row.version) == ([{"task": "applied"}] * 4, 5)
    assert editors[0].store.control().of(OWNER).lock is None


def _applied(backend: Backend, tasks: list[Declared], **request: Any) -> dict[str, str]:
    """Apply these tasks, and return what became of each change."""
    report = apply(backend, tasks, ApplyRequest(commit=COMMIT, **request))
    return {each.id: each.result.value for each in report.results}
