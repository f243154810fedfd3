"""Many worker processes at once on one file of the local backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acceptance.shop import LONGEST_SECONDS

from slowsched.model import State

if TYPE_CHECKING:
    from acceptance.shop import Shop

WORKERS = 8
TASKS = 500
DUE = "2120-01-01T00:00:00Z"


def test_eight_workers_execute_each_of_500_due_tasks_once(recording_shop: Shop) -> None:
    """Eight workers that start at the same moment share the work: each task is executed exactly once."""
    for number in range(TASKS):
        recording_shop.write(
            f"tasks/{number:03}.yaml", f"id: task {number:03}\ndue: {DUE}\naction: RECORD\npayload: {{}}\n"
        )
    recording_shop.document("apply", "--yes")
    workers = [recording_shop.start("worker", "--fakenow", DUE) for _ in range(WORKERS)]
    assert [worker.wait(timeout=LONGEST_SECONDS) for worker in workers] == [0] * WORKERS
    keys = (recording_shop.root / "keys.txt").read_text(encoding="utf-8").splitlines()
    assert sorted(keys) == [f"local/task {number:03}@{DUE}#1" for number in range(TASKS)]
    rows = recording_shop.rows().values()
    assert {(row.state, row.attempt, len(row.history)) for row in rows} == {(State.SUCCEEDED, 1, 1)}
