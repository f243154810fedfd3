"""Where a race goes: its store, its processes, and the quiet end in which all must come to rest."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from races.actors import ANYTHING, OWNERS, Race, wake_once
from races.racing import FOLDER, Spec
from values import a_declared, a_place

from slowsched import control
from slowsched.apply import ApplyRequest, apply
from slowsched.aws import Account
from slowsched.backend import Backend
from slowsched.clock import chance, system_clock
from slowsched.errors import UsageError
from slowsched.model import Row, State
from slowsched.reports import ApplyStatus
from slowsched.sqlite_file import SqliteFile
from slowsched.store.base import new_write_id
from slowsched.store.dynamodb import DynamoStore
from slowsched.store.sqlite import SqliteStore
from slowsched.timer.sqlite import SqliteTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from slowsched.store.base import Store

PROCESSES = 3
LONGEST_SECONDS = 180  # that a race may take on a busy machine, its end included
QUIET_MINUTES = (11, 25, 90, 300)  # after which leases, rests and the lock of whoever was cut off are over
LOCK_POLL_SECONDS = 0.02


@contextmanager
def backends_of(spec: Spec, later: timedelta = timedelta(0)) -> Iterator[Callable[[str], Backend]]:
    """Give what makes a backend for an owner; on SQLite every other one shares its connection with one before."""
    account = Account() if spec.table else None
    files: list[SqliteFile] = []
    made: list[Backend] = []

    def make(owner: str) -> Backend:
        if len(made) % 2 == 0:
            files.append(SqliteFile(Path(spec.file)))
        store: Store = DynamoStore(account, spec.table) if account else SqliteStore(files[-1])
        store.control()  # its client is made before the race begins
        backend = Backend(
            environment="race",
            owner=f"{owner}/race",
            store=store,
            timer=SqliteTimer(files[-1]),
            clock=lambda: system_clock() + later,
            sleep=lambda seconds: time.sleep(min(seconds, LOCK_POLL_SECONDS)),
            chance=chance,
            nonce=new_write_id,
        )
        made.append(backend)
        return backend

    try:
        yield make
    finally:
        for backend in made:
            backend.close()


def race(spec: Spec, environment: dict[str, str], processes: int = PROCESSES) -> list[dict[str, Any]]:
    """Let several processes race, and return their notes in the order of their moments."""
    folder = Path(spec.file).parent
    specs = [replace(spec, notes=str(folder / f"notes-{n}"), seed=spec.seed * 100 + n) for n in range(processes)]
    running = [
        subprocess.Popen(
            [sys.executable, str(FOLDER / "racing.py"), each.text],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for each in specs
    ]
    try:
        _start_together(running)
        for process in running:
            process.communicate(timeout=LONGEST_SECONDS)
        assert [process.returncode for process in running] == [0] * processes
    finally:
        for process in running:
            process.kill()
            process.communicate()
    notes = [json.loads(line) for each in specs for line in Path(each.notes).read_text(encoding="utf-8").splitlines()]
    return sorted(notes, key=lambda note: note["at"])


def _start_together(running: list[subprocess.Popen[str]]) -> None:
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def rows_in(spec: Spec) -> dict[str, Row]:
    """Return all rows as they stand."""
    with backends_of(spec) as backends:
        store = backends(OWNERS[0]).store
        rows = store.get_many([row.id for row in store.rows()])
    assert all(isinstance(row, Row) for row in rows.values())
    return dict(sorted(rows.items()))  # type: ignore[arg-type]


def locks_in(spec: Spec) -> list[str]:
    """Return the apply locks that are still held; where nobody was killed, everybody has let go."""
    with backends_of(spec) as backends:
        owners = backends(OWNERS[0]).store.control().owners
    return [f"{owner} is still locked" for owner, each in sorted(owners.items()) if each.lock is not None]


def come_to_rest(spec: Spec) -> tuple[list[dict[str, Any]], list[str]]:
    """Resume, wake at later and later moments, apply what stands in the rows; returns the notes, and what is wrong."""
    rest = Race(Path(spec.file).with_name("rest"))
    wrong: list[str] = []
    for minutes in QUIET_MINUTES:
        with backends_of(spec, timedelta(minutes=minutes)) as backends:
            backend = backends(OWNERS[0])
            with suppress(UsageError):
                control.resume(backend)
            wake_once(rest, backend)
    with backends_of(spec, timedelta(minutes=QUIET_MINUTES[-1] + 1)) as backends:
        rows = rows_in(spec)
        for owner in OWNERS:
            wrong += _applied_twice(backends(owner), rows)
        wrong += [
            f"{row.id} is {row.state} at {row.wake_at}" for row in rows.values() if row.wake_at or row.state in _BUSY
        ]
    rest.write()
    notes = [json.loads(line) for line in rest.path.read_text(encoding="utf-8").splitlines()]
    return notes, wrong


_BUSY = {State.SCHEDULED, State.RUNNING}


def _applied_twice(backend: Backend, rows: dict[str, Row]) -> list[str]:
    """Apply files that say what the owner's rows say, then again: the second time there is nothing to do."""
    kept = [row for row in rows.values() if row.owner == backend.owner and row.state is not State.DELETED]
    declared = [a_declared(task=row.task, place=a_place(path="tasks/a.yaml")) for row in kept]
    request = ApplyRequest(options=ANYTHING)
    first, second = (apply(backend, declared, request) for _ in range(2))
    if (first.status in {ApplyStatus.APPLIED, ApplyStatus.NOTHING}, second.status) != (True, ApplyStatus.NOTHING):
        return [f"{backend.owner}: applies at the end are {first.status} and {second.status}: {first.refused}"]
    return []
