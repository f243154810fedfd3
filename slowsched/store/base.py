"""The port of the store: a compare-and-set register of rows with an ordered agenda, and no policy.

What a row may become is decided in `lifecycle`; an adapter only keeps it. All reads are strongly
consistent unless they say otherwise. Every adapter passes `tests/contracts/test_store_contract.py` and
`test_agenda_contract.py` beside it.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from slowsched.canonical import SPEC_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from slowsched.errors import StoreError
    from slowsched.model import Conflict, Control, Row, Summary, Unreadable

__all__ = ["SPEC_BYTES_MAX", "Store", "Write", "new_write_id"]


def new_write_id() -> str:
    """Return a fresh nonce for one write."""
    return os.urandom(8).hex()  # what `secrets` does, without its imports


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One conditional write: `row` is put if the version found is `expect_version` (0: no row there)."""

    row: Row
    expect_version: int


class Store(ABC):
    """A compare-and-set register of rows with an agenda.

    A lost answer: an adapter sends a fresh `write_id` with every put, and when the condition fails it
    compares the row it finds; its own `write_id` means that the write had won (docs/architecture.md).

    Every method raises `StoreError` when the backend does not answer, in at most 60 seconds.
    """

    @abstractmethod
    def get(self, task_id: str) -> Row | Unreadable | None:
        """Return the row of a task, None when there is none."""

    @abstractmethod
    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Row | Unreadable]:
        """Return the rows of these tasks by id; ids without a row are left out."""

    @abstractmethod
    def rows(self) -> Iterator[Summary | Unreadable]:
        """Yield a summary of every row of every owner, tombstones included, in no order, paged inside."""

    @abstractmethod
    def agenda(self, until: datetime) -> Iterator[str]:
        """Yield the ids of rows whose `wake_at` is at or before `until`, earliest first.

        Rows of one moment come in an order of the store's own: an index of DynamoDB has none. It is paged
        inside; a row that moves while the pages are read may be seen or not.
        """

    @abstractmethod
    def next_wake(self, after: datetime | None = None) -> datetime | None:
        """Return the earliest `wake_at` of all rows, or the earliest later than `after`."""

    @abstractmethod
    def put(self, row: Row, expect_version: int) -> Conflict | None:
        """Write the row if the version found is `expect_version` (0: if there is no row).

        `row.version` is already the new one. Returns None when it was written, else what was found.
        """

    @abstractmethod
    def put_many(self, writes: Sequence[Write]) -> list[Conflict | StoreError | None]:
        """Do many puts, each on its own condition, in any order or in parallel; one answer a write.

        The answers stand in the order of the writes. Nothing is promised about the writes as a whole:
        some may be done and others not.
        """

    @abstractmethod
    def control(self) -> Control:
        """Return the control row; a `Control()` of version 0 when it was never written."""

    @abstractmethod
    def put_control(self, control: Control, expect_version: int) -> Control | None:
        """Write the control row if the version found is `expect_version`; else return what was found."""

    def close(self) -> None:  # noqa: B027 - an adapter with nothing to close need not say so
        """Let go of connections; the store is not used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
