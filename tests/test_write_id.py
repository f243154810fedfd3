"""A lost answer is told from a lost race by `write_id` (docs/architecture.md).

The rule stands once, in `store/items.py`; the store in memory sends a write twice where a network
would have lost the answer of the first.
"""

from __future__ import annotations

from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING

import pytest
from values import a_row

from slowsched.errors import StoreError
from slowsched.model import Conflict, Control, OwnerControl
from slowsched.sqlite_file import SqliteFile
from slowsched.store.base import Write
from slowsched.store.codec import encode_row
from slowsched.store.memory import MemoryStore
from slowsched.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from slowsched.store.codec import Item
    from slowsched.store.items import Refused


def numbered() -> Callable[[], str]:
    """Return a source of the write ids `w1`, `w2` and so on."""
    numbers = count(1)
    return lambda: f"w{next(numbers)}"


@pytest.fixture
def store() -> MemoryStore:
    """Return an empty store whose write ids are numbered."""
    return MemoryStore(write_ids=numbered())


@pytest.mark.parametrize("lost", range(3))
def test_a_put_whose_answer_is_lost_has_won(store: MemoryStore, lost: int) -> None:
    """Sent again, a create and an update find themselves, and that is no conflict."""
    store.lose_answers(lost)
    assert (store.put(a_row(version=1), 0), store.put(a_row(version=2), 1)) == (None, None)
    assert store.get("some task id") == a_row(version=2)


def test_the_control_row_has_the_same_rule(store: MemoryStore) -> None:
    """A lock is not refused to the very process that just took it."""
    control = Control(version=1, owners={"acme/shop/local": OwnerControl(applied="c1")})
    store.lose_answers(2)
    answers = (store.put_control(control, 0), store.put_control(Control(version=2), 1))
    assert (answers, store.control()) == ((None, None), Control(version=2))


def test_put_many_has_the_same_rule(store: MemoryStore) -> None:
    """Each write of many is known by its own id."""
    store.lose_answers(2)
    writes = [Write(row=a_row(id=task_id), expect_version=0) for task_id in ("a", "b", "c")]
    assert store.put_many(writes) == [None, None, None]


def test_put_many_answers_a_write_that_fails_with_its_error() -> None:
    """A backend that does not do one write of many has still done the others."""
    error = StoreError("throttled")

    class Throttled(MemoryStore):
        """A store that never gets to the row `b`."""

        def _write_row(self, item: Item, expect_version: int) -> Refused | None:
            if item["id"] == "b":
                raise error
            return super()._write_row(item, expect_version)

    store = Throttled()
    writes = [Write(row=a_row(id=task_id), expect_version=0) for task_id in ("a", "b", "c")]
    assert store.put_many(writes) == [None, error, None]
    assert sorted(store.items) == ["a", "c"]


def test_a_put_that_lost_stays_lost_when_it_is_sent_again(store: MemoryStore) -> None:
    """The row of another is never taken for one's own."""
    store.put(a_row(version=3), 0)
    store.lose_answers(1)
    assert store.put(a_row(version=2), 1) == Conflict(found=a_row(version=3))


def test_a_put_that_was_written_over_before_it_was_sent_again_is_a_conflict(store: MemoryStore) -> None:
    """It had won and was seen, and whoever came after it is not undone: the writer reads again."""
    theirs = a_row(version=2, attempt=1)
    store.lose_answers(1, meanwhile=lambda: store.put(theirs, 1))
    assert store.put(a_row(version=1), 0) == Conflict(found=theirs)
    assert store.get("some task id") == theirs


def test_a_late_copy_of_an_old_write_changes_nothing(store: MemoryStore) -> None:
    """A packet that comes after its time finds a higher version, and no deleted row comes back."""
    store.put(a_row(version=1), 0)
    store.put(a_row(version=2), 1)
    late = MemoryStore(write_ids=lambda: "w1")
    late.items = store.items
    assert late.put(a_row(version=1), 0) == Conflict(found=a_row(version=2))


def test_every_write_has_an_id_of_its_own(store: MemoryStore) -> None:
    """The same row put again is another write: only one of two equal writes may win."""
    row = a_row(version=1)
    assert (store.put(row, 0), store.items["some task id"]) == (None, encode_row(row, "w1"))
    assert store.put(row, 0) == Conflict(found=row)
    assert (store.put(row, 1), store.items["some task id"]) == (None, encode_row(row, "w3"))


def test_write_ids_are_random_unless_told_otherwise() -> None:
    """Two stores of two processes never make the same one."""
    one, other = MemoryStore(), MemoryStore()
    one.put(a_row(), 0)
    other.put(a_row(), 0)
    assert one.items["some task id"]["write_id"] != other.items["some task id"]["write_id"]


def test_sqlite_keeps_the_write_id_and_has_the_same_rule(tmp_path: Path) -> None:
    """A put that finds its own write_id in the file had won."""
    with closing(SqliteFile(tmp_path / "local.db")) as file:
        first, again = (SqliteStore(file, write_ids=lambda: "w1") for _ in range(2))
        assert (first.put(a_row(version=1), 0), again.put(a_row(version=1), 0)) == (None, None)
        another = SqliteStore(file, write_ids=lambda: "w2")
        assert another.put(a_row(version=1), 0) == Conflict(found=a_row(version=1))
        assert file.read("SELECT write_id, version FROM task_rows") == [("w1", 1)]
