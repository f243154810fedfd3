"""`kill -9` at random moments, 200 times in all: what was written stays, and one more run finishes the work."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from acceptance.shop import LONGEST_SECONDS

from slowsched import control
from slowsched.config import load_config
from slowsched.model import State
from slowsched.timing import rfc3339
from slowsched.wiring import open_backend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from acceptance.shop import Shop

    from slowsched.model import Row

KILLS_OF_APPLY = 100
KILLS_OF_WORKER = 100
KILLS_A_ROUND = 4  # then one more run, which must finish the work
TASKS = 100
RENAMED = 10  # tasks of each round that have another id than in the round before: a delete and a create
SEED = 3
DUE = datetime(2120, 1, 1, tzinfo=UTC)
AFTER_THE_LEASE = timedelta(minutes=10)  # a killed worker's rows are its own until its lease ends


class Killer:
    """Runs commands and kills them, at moments drawn at random over as long as they take.

    Start-up included, but the later the likelier: most of the time a process only imports.
    """

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._random = Random(SEED)  # noqa: S311 - moments to kill at, not secrets
        self._seconds = 0.0
        self.kills = 0

    def run_to_its_end(self, *words: str) -> None:
        """Run a command undisturbed, and learn how long it takes."""
        began = time.perf_counter()
        status = self._shop.start(*words).wait(timeout=LONGEST_SECONDS)
        self._seconds = time.perf_counter() - began
        assert status == 0

    def kill(self, *words: str) -> bool:
        """Start a command and kill it at a random moment; says whether it was still running then."""
        process = self._shop.start(*words)
        try:
            process.wait(timeout=self._random.triangular(0, self._seconds, self._seconds))
        except subprocess.TimeoutExpired:
            process.kill()
        killed = process.wait(timeout=LONGEST_SECONDS) == -signal.SIGKILL
        self.kills += killed
        return killed


# --- apply -----------------------------------------------------------------------------------------


def test_killed_applies_leave_nothing_half_done(recording_shop: Shop) -> None:
    """After any kill each row is as it was or as it was to be; one more apply makes all of them as asked."""
    shop, killer = recording_shop, Killer(recording_shop)
    _desire(shop, 0)
    killer.run_to_its_end("apply", "--yes")
    number = 0
    while killer.kills < KILLS_OF_APPLY:
        number += 1
        desired = _desire(shop, number)
        rows = shop.rows()
        for _ in range(KILLS_A_ROUND):
            if not killer.kill("apply", "--yes"):
                break
            found = shop.rows()
            _assert_moved_on(rows, found, number)
            _unlock(shop)
            rows = found
        killer.run_to_its_end("apply", "--yes")
        assert {row.id: row.task.payload for row in _live(shop.rows())} == desired
        assert shop.armed() == DUE + timedelta(minutes=number)
    assert shop.document("plan", "--detailed-exitcode")["changes"] == []


def _desire(shop: Shop, number: int) -> dict[str, dict[str, int]]:
    """Write the task files of a round, all of which change, and the timer with them; returns the payload of each id."""
    desired: dict[str, dict[str, int]] = {}
    for slot in range(TASKS):
        renamed = f", round {number}" if slot < RENAMED else ""
        desired[f"task {slot:03}{renamed}"] = {"round": number}
        due = rfc3339(DUE + timedelta(days=TASKS - 1 - slot, minutes=number))
        shop.write(
            f"tasks/{slot:03}.yaml",
            f"id: task {slot:03}{renamed}\ndue: {due}\naction: RECORD\npayload: {{round: {number}}}\n",
        )
    return desired


def _live(rows: Mapping[str, Row]) -> Iterator[Row]:
    return (row for row in rows.values() if row.state is not State.DELETED)


def _assert_moved_on(before: Mapping[str, Row], after: Mapping[str, Row], number: int) -> None:
    """See that no row was lost or went back, and that each is of this round or the last."""
    assert before.keys() <= after.keys()
    for task_id, row in before.items():
        assert (after[task_id].version, after[task_id].generation) >= (row.version, row.generation)
    assert {row.state for row in after.values()} <= {State.SCHEDULED, State.DELETED}
    assert {row.task.payload["round"] for row in _live(after)} <= {number - 1, number}


def _unlock(shop: Shop) -> None:
    """Take the apply lock from the dead, as `slowsched unlock` does."""
    with open_backend(load_config(shop.root), "local") as backend:
        control.unlock(backend)


# --- worker ----------------------------------------------------------------------------------------


def test_killed_workers_repeat_nothing_that_was_recorded(recording_shop: Shop) -> None:
    """After any kill one more wake gives every task its outcome; what succeeded is never executed again."""
    shop, killer = recording_shop, Killer(recording_shop)
    for number in range(TASKS):
        shop.write(
            f"tasks/{number:03}.yaml",
            f"id: task {number:03}\ndue: {rfc3339(DUE)}\naction: RECORD\npayload: {{}}\n"
            f"retry: {{attempts: {KILLS_A_ROUND + 1}}}\n",
        )
    shop.document("apply", "--yes")
    snapshot = shop.root / "snapshot"
    shutil.copytree(shop.database.parent, snapshot)
    killer.run_to_its_end("worker", "--fakenow", rfc3339(DUE))
    while killer.kills < KILLS_OF_WORKER:
        _restore(shop)
        watch = _Watch(shop)
        moment = DUE
        for _ in range(KILLS_A_ROUND):
            if not killer.kill("worker", "--fakenow", rfc3339(moment)):
                break
            watch.look()
            moment += AFTER_THE_LEASE
        killer.run_to_its_end("worker", "--fakenow", rfc3339(moment))
        watch.look()
        assert watch.succeeded == {_key(f"task {number:03}") for number in range(TASKS)}
        assert set(watch.keys()) == watch.succeeded


def _restore(shop: Shop) -> None:
    """Make all tasks due again, as after their apply."""
    shutil.rmtree(shop.database.parent)
    shutil.copytree(shop.root / "snapshot", shop.database.parent)
    (shop.root / "keys.txt").unlink(missing_ok=True)


def _key(task_id: str) -> str:
    return f"local/{task_id}@{rfc3339(DUE)}#1"


class _Watch:
    """Sees that no key is written after its success was recorded."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._seen = 0  # lines of the file at the last look
        self.succeeded: set[str] = set()

    def keys(self) -> list[str]:
        """Return what the action has written."""
        path = self._shop.root / "keys.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def look(self) -> None:
        """Look at the file and the rows, while nothing runs."""
        keys = self.keys()
        assert not self.succeeded.intersection(keys[self._seen :])
        rows = self._shop.rows().values()
        assert {row.state for row in rows} <= {State.SCHEDULED, State.RUNNING, State.SUCCEEDED}
        self.succeeded = {_key(row.id) for row in rows if row.state is State.SUCCEEDED}
        assert self.succeeded <= set(keys)
        self._seen = len(keys)
