"""What every store that keeps flat items does alike: encode, decode, and tell a lost answer from a lost race.

An adapter moves items (`codec`) and compares versions; it never sees a `Row`. It may send one write
several times, as any client on a network does, and reports only what the last sending came to.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slowsched.errors import StoreError
from slowsched.model import Conflict, Control
from slowsched.store.attributes import decode_moment, is_unicode
from slowsched.store.base import Store, new_write_id
from slowsched.store.codec import decode_control, decode_row, decode_summary, encode_control, encode_row
from slowsched.timing import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from slowsched.model import Row, Summary, Unreadable
    from slowsched.store.base import Write
    from slowsched.store.codec import Item

__all__ = ["ItemStore", "Refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A write whose condition failed, and the item that was found in its place."""

    found: Item | None


class ItemStore(Store):
    """A store that keeps flat items; an adapter adds the reads and the conditional writes.

    A write whose reply was lost is sent again by the client, and then fails its own condition. Every
    write therefore carries a fresh `write_id`, and finding one's own means that the write had won.
    """

    def __init__(self, *, write_ids: Callable[[], str] = new_write_id) -> None:
        self._write_ids = write_ids

    # --- what an adapter adds ---

    @abstractmethod
    def _read_rows(self, task_ids: Sequence[str]) -> Iterable[Item]:
        """Return the items of these rows, in no order; the ids are distinct and valid Unicode."""

    @abstractmethod
    def _read_summaries(self) -> Iterator[Sequence[Any]]:
        """Yield the values of the `SUMMARY_ATTRIBUTES` of every row, None for what is absent, page by page."""

    @abstractmethod
    def _read_wake(self, after: str) -> str | None:
        """Return the least `wake_at` above `after`, as it is stored; None when there is none."""

    @abstractmethod
    def _write_row(self, item: Item, expect_version: int) -> Refused | None:
        """Put the item if the row of its `id` has this version (0: if there is none)."""

    def _write_rows(self, writes: Sequence[tuple[Item, int]]) -> list[Refused | StoreError | None]:
        """Do many `_write_row`, each on its own condition; an adapter may do them together or in parallel."""
        outcomes: list[Refused | StoreError | None] = []
        for item, expect_version in writes:
            try:
                outcomes.append(self._write_row(item, expect_version))
            except StoreError as error:
                outcomes.append(error)
        return outcomes

    @abstractmethod
    def _read_control(self) -> Item | None:
        """Return the item of the control row, None when it was never written."""

    @abstractmethod
    def _write_control(self, item: Item, expect_version: int) -> Refused | None:
        """Put the control row if it has this version (0: if there is none)."""

    # --- what all share ---

    def get(self, task_id: str) -> Row | Unreadable | None:
        """Return the row of a task, None when there is none."""
        return self.get_many([task_id]).get(task_id)

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Row | Unreadable]:
        """Return the rows of these tasks by id; an id that no row can have is left out like one that has none."""
        possible = [task_id for task_id in dict.fromkeys(task_ids) if task_id and is_unicode(task_id)]
        rows = map(decode_row, self._read_rows(possible)) if possible else ()
        return {row.id: row for row in rows}

    def rows(self) -> Iterator[Summary | Unreadable]:
        """Yield a summary of every row."""
        return map(decode_summary, self._read_summaries())

    def next_wake(self, after: datetime | None = None) -> datetime | None:
        """Return the earliest `wake_at`, or the earliest later than `after`; a damaged one is passed over."""
        text = self._read_wake("" if after is None else stamp(after))
        while text is not None:
            with suppress(ValueError):
                return decode_moment(text)
            text = self._read_wake(text)
        return None

    def put(self, row: Row, expect_version: int) -> Conflict | None:
        """Write the row if the version found is `expect_version`."""
        item = encode_row(row, self._write_ids())
        return _answer(item, self._write_row(item, expect_version))

    def put_many(self, writes: Sequence[Write]) -> list[Conflict | StoreError | None]:
        """Do many puts; one answer a write, in their order."""
        answers: list[Conflict | StoreError | None] = [None] * len(writes)
        sent: dict[int, tuple[Item, int]] = {}
        for index, write in enumerate(writes):
            try:
                sent[index] = encode_row(write.row, self._write_ids()), write.expect_version
            except StoreError as error:
                answers[index] = error
        outcomes = self._write_rows(list(sent.values()))
        for (index, (item, _)), outcome in zip(sent.items(), outcomes, strict=True):
            answers[index] = outcome if isinstance(outcome, StoreError) else _answer(item, outcome)
        return answers

    def control(self) -> Control:
        """Return the control row."""
        item = self._read_control()
        return Control() if item is None else decode_control(item)

    def put_control(self, control: Control, expect_version: int) -> Control | None:
        """Write the control row if the version found is `expect_version`."""
        item = encode_control(control, self._write_ids())
        refused = self._write_control(item, expect_version)
        if refused is None or _is_own_write(item, refused):
            return None
        return Control() if refused.found is None else decode_control(refused.found)


def _answer(item: Item, refused: Refused | None) -> Conflict | None:
    """Return what a put of `item` answers: None when it was written, now or by an earlier sending."""
    if refused is None or _is_own_write(item, refused):
        return None
    return Conflict(found=None if refused.found is None else decode_row(refused.found))


def _is_own_write(item: Item, refused: Refused) -> bool:
    """Say whether the item that was found is the one that was sent."""
    return refused.found is not None and refused.found.get("write_id") == item["write_id"]
