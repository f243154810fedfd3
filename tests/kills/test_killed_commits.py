"""An apply of a commit is killed between two writes; then come a later commit, and the killed one again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kills.grounds import SqliteGround, control_of, rows_of
from kills.launcher import launched
from kills.scenes import AFTER_THE_LEASE, Apply, Repository, finished, timer_covers

from slowsched.model import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kills.launcher import Point

    from slowsched.model import Row

BATCHES = 4  # of 25 writes each, of which all but the last leave some for later
PLAN = ("plan", "--detailed-exitcode")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apply]:
    """Return a repository whose first commit is applied, and whose second, with a hundred changes, is to be."""
    root = tmp_path_factory.mktemp("commits")
    (root / "shop").mkdir()
    with launched(root) as launcher:
        yield Apply(Repository(root / "shop", SqliteGround(), launcher))


def between_two_writes(scene: Apply) -> list[Point]:
    """Return the points at which one batch of rows is on the disk and the next is not begun."""
    scene.repository.restore()
    points = scene.repository.run(scene.words).points
    rows = [number for number, name in enumerate(points) if name in {"before INSERT INTO", "before UPDATE task_rows"}]
    commits = [number for number, name in enumerate(points) if name == "after COMMIT"]
    after = [next(number for number in commits if number > rows[25 * batch - 1]) for batch in range(1, BATCHES)]
    assert len(set(after)) == BATCHES - 1
    return [("after COMMIT", commits.index(number) + 1) for number in after]


def kill(scene: Apply, commit: str, point: Point) -> dict[str, Row]:
    """Kill the apply of the second commit, and return the rows that it leaves."""
    scene.repository.git("checkout", "--quiet", "--detach", commit)
    scene.repository.restore()
    assert scene.repository.run(scene.words, kill_at=point).point == "after COMMIT"
    assert control_of(scene.ground).applying == commit
    return rows_of(scene.ground)


def test_a_later_commit_finishes_what_a_killed_one_began_and_the_killed_one_is_refused(scene: Apply) -> None:
    """B waits for the lock of the dead, then all rows are B's; A, which B contains, changes nothing any more."""
    repository, first = scene.repository, scene.commit
    points = between_two_writes(scene)
    repository.task("deleted 07", payload={"back": True})
    repository.remove("created 03")
    repository.task("updated 05", payload={"n": "B"})
    later = repository.commit("later")
    seen: list[object] = []
    for point in points:
        half = kill(scene, first, point)
        repository.git("checkout", "--quiet", "--detach", later)
        locked = repository.run(scene.words)
        assert (locked.statuses, rows_of(scene.ground)) == ([4], half), locked.said
        deletes = sum(row.state is State.SCHEDULED and _is_gone(repository, key) for key, row in half.items())
        apply = repository.apply_words("--allow-deletes", str(deletes))
        finished(repository.run(apply, PLAN, later=AFTER_THE_LEASE), 0, 0)
        assert control_of(scene.ground).applied == later
        timer_covers(scene.ground)
        rows = rows_of(scene.ground)
        seen.append({key: (row.state, row.digests, row.wake_at) for key, row in rows.items() if _matters(row)})
        repository.git("checkout", "--quiet", "--detach", first)
        again = repository.run(scene.words, later=2 * AFTER_THE_LEASE)
        assert (again.statuses, rows_of(scene.ground)) == ([3], rows), again.said
        assert f"commit {later[:12]} was applied last and does not come before {first[:12]}" in again.said
    assert seen == [seen[0]] * len(points), "wherever it was killed, the rows are the same"


def test_a_commit_that_does_not_contain_a_killed_one_is_refused(scene: Apply) -> None:
    """What was being applied counts as applied: half of it stands in the rows."""
    repository, first = scene.repository, scene.commit
    repository.git("checkout", "--quiet", "--detach", f"{first}~1")
    repository.task("sibling")
    sibling = repository.commit("sibling")
    repository.git("checkout", "--quiet", "--detach", first)
    half = kill(scene, first, between_two_writes(scene)[0])
    repository.git("checkout", "--quiet", "--detach", sibling)
    refused = repository.run(repository.apply_words(), later=AFTER_THE_LEASE)
    assert (refused.statuses, rows_of(scene.ground)) == ([3], half), refused.said
    assert f"commit {first[:12]} was being applied last and does not come before {sibling[:12]}" in refused.said
    words = repository.apply_words("--allow-rollback", "--late", "skip", "--allow-deletes", "25")
    finished(repository.run(words, PLAN, later=2 * AFTER_THE_LEASE), 0, 0)
    assert control_of(scene.ground).applied == sibling


def _is_gone(repository: Repository, task_id: str) -> bool:
    return not (repository.root / "tasks" / f"{task_id}.json").exists()


def _matters(row: Row) -> bool:
    """Say whether a row has its file; what a commit between made and another took away is a tombstone or nothing."""
    return row.expires_at is None
