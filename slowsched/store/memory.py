"""A store in memory: a dict of items, for tests and rehearsals; what it holds ends with the process.

Rows go through the same items as in every other store, so that a test sees what a real store would
give back. Safe to share between threads.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any, cast

from slowsched.store.base import new_write_id
from slowsched.store.codec import SUMMARY_ATTRIBUTES
from slowsched.store.items import ItemStore, Refused
from slowsched.timing import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from slowsched.store.codec import Item

__all__ = ["MemoryStore"]

_CONTROL = ""  # the control row's key; no task has an empty id


class MemoryStore(ItemStore):
    """A store on a dict; `items` is open to tests that plant what no writer of today would write.

    An item is never changed in place, so what was read of one stays as it was.
    """

    def __init__(self, *, write_ids: Callable[[], str] = new_write_id) -> None:
        super().__init__(write_ids=write_ids)
        self.items: dict[str, Item] = {}
        self.control_items: dict[str, Item] = {}
        self._lock = RLock()
        self._answers_to_lose = 0
        self._meanwhile: Callable[[], object] | None = None

    def lose_answers(self, count: int, *, meanwhile: Callable[[], object] | None = None) -> None:
        """Let the answers of the next writes get lost, so that each is sent twice, as a client does.

        `meanwhile` is called once between the first two sendings, for a writer that comes in between.
        """
        self._answers_to_lose = count
        self._meanwhile = meanwhile

    def _read_rows(self, task_ids: Sequence[str]) -> list[Item]:
        with self._lock:
            return [self.items[task_id] for task_id in task_ids if task_id in self.items]

    def _read_summaries(self) -> Iterator[Sequence[Any]]:
        with self._lock:
            return iter([[item.get(name) for name in SUMMARY_ATTRIBUTES] for item in self.items.values()])

    def agenda(self, until: datetime) -> Iterator[str]:
        """Yield the ids that are due by `until`, as they stand at this call."""
        last = stamp(until)
        return iter([task_id for wake_at, task_id in self._wakes() if wake_at <= last])

    def _read_wake(self, after: str) -> str | None:
        return next((wake_at for wake_at, _ in self._wakes() if wake_at > after), None)

    def _wakes(self) -> list[tuple[str, str]]:
        """Return `wake_at` and id of every row that needs the worker, in the agenda's order."""
        with self._lock:
            return sorted((cast("str", item["wake_at"]), key) for key, item in self.items.items() if "wake_at" in item)

    def _write_row(self, item: Item, expect_version: int) -> Refused | None:
        return self._send(self.items, cast("str", item["id"]), item, expect_version)

    def _read_control(self) -> Item | None:
        with self._lock:
            return self.control_items.get(_CONTROL)

    def _write_control(self, item: Item, expect_version: int) -> Refused | None:
        return self._send(self.control_items, _CONTROL, item, expect_version)

    def _send(self, table: dict[str, Item], key: str, item: Item, expect_version: int) -> Refused | None:
        """Send a write, and send it again when its answer is to be lost."""
        refused = self._compare_and_set(table, key, item, expect_version)
        if not self._answer_is_lost():
            return refused
        return self._compare_and_set(table, key, item, expect_version)

    def _answer_is_lost(self) -> bool:
        with self._lock:
            if not self._answers_to_lose:
                return False
            self._answers_to_lose -= 1
            meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return True

    def _compare_and_set(self, table: dict[str, Item], key: str, item: Item, expect_version: int) -> Refused | None:
        with self._lock:
            found = table.get(key)
            version = 0 if found is None else found["version"]
            if version != expect_version:
                return Refused(found=None if found is None else found)
            table[key] = item
            return None
