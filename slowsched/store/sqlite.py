"""A store in one SQLite file, for a laptop, a rehearsal or one machine; the file itself is `sqlite_file`.

A row is a row of a table, one column an attribute of its item; the agenda is a partial index on
`wake_at`. Every walk is paged by a key, so that no page keeps a transaction open for the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from slowsched.errors import StoreError
from slowsched.store.base import new_write_id
from slowsched.store.codec import CONTROL_ATTRIBUTES, ROW_ATTRIBUTES, SUMMARY_ATTRIBUTES
from slowsched.store.items import ItemStore, Refused
from slowsched.timing import stamp

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from slowsched.sqlite_file import SqliteFile
    from slowsched.store.codec import Item

__all__ = ["PAGE_ROWS", "SqliteStore"]

# Rows of a page, and writes of a transaction: some milliseconds' work, so that others get their turn,
# and fewer than the 999 parameters that older versions of SQLite take.
PAGE_ROWS = 500

_T = TypeVar("_T")


class _Table:
    """The statements of a table that holds items: one column an attribute, `id` the key."""

    # S608: every name in these statements is a constant of this package.
    def __init__(self, name: str, attributes: Sequence[str]) -> None:
        columns = ", ".join(attributes)
        self.attributes = attributes
        self.select = f"SELECT {columns} FROM {name} WHERE id IN "  # noqa: S608
        self.insert = f"INSERT INTO {name} ({columns}) VALUES {_marks(len(attributes))} ON CONFLICT DO NOTHING"  # noqa: S608
        assignments = ", ".join(f"{attribute} = ?" for attribute in attributes)
        self.update = f"UPDATE {name} SET {assignments} WHERE id = ? AND version = ?"  # noqa: S608

    def item(self, values: Sequence[Any]) -> Item:
        return dict(zip(self.attributes, values, strict=True))


def _marks(count: int) -> str:
    return f"({', '.join('?' * count)})"


_ROWS = _Table("task_rows", ROW_ATTRIBUTES)
_CONTROL = _Table("control", ("id", *CONTROL_ATTRIBUTES))
_CONTROL_ID = "control"

_SUMMARIES = f"SELECT {', '.join(SUMMARY_ATTRIBUTES)}, seq FROM task_rows WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
# A key that is no Unicode comes as bytes; cast back to text it goes on from its place, not from behind all text.
_AGENDA = """
SELECT wake_at, id FROM task_rows
WHERE wake_at <= ? AND (wake_at, id) > (CAST(? AS TEXT), CAST(? AS TEXT))
ORDER BY wake_at, id LIMIT ?
"""
_NEXT_WAKE = "SELECT wake_at FROM task_rows WHERE wake_at > CAST(? AS TEXT) ORDER BY wake_at LIMIT 1"


class SqliteStore(ItemStore):
    """A store in a SQLite file, which may be shared: with other processes, with threads, with the timer."""

    def __init__(
        self, file: SqliteFile, *, page_rows: int = PAGE_ROWS, write_ids: Callable[[], str] = new_write_id
    ) -> None:
        super().__init__(write_ids=write_ids)
        self._file = file
        self._page_rows = page_rows

    def close(self) -> None:
        """Let go of the file; others that share it open it again."""
        self._file.close()

    def _read_rows(self, task_ids: Sequence[str]) -> Iterator[Item]:
        for page in self._pages(task_ids):
            yield from map(_ROWS.item, self._file.read(_ROWS.select + _marks(len(page)), page))

    def _read_summaries(self) -> Iterator[Sequence[Any]]:
        last = 0
        while page := self._file.read(_SUMMARIES, (last, self._page_rows)):
            for values in page:
                yield values[:-1]  # without `seq`
            last = page[-1][-1]

    def agenda(self, until: datetime) -> Iterator[str]:
        """Yield the ids that are due by `until`; each page as the file stands when it is reached."""
        bound, last = stamp(until), ("", "")
        while page := self._file.read(_AGENDA, (bound, *last, self._page_rows)):
            for _, task_id in page:
                if isinstance(task_id, str):
                    yield task_id
            last = page[-1]

    def _read_wake(self, after: str) -> str | None:
        found = self._file.read(_NEXT_WAKE, (after,))
        return found[0][0] if found else None

    def _write_row(self, item: Item, expect_version: int) -> Refused | None:
        with self._file.transaction() as connection:
            return _compare_and_set(connection, _ROWS, item, expect_version)

    def _write_rows(self, writes: Sequence[tuple[Item, int]]) -> list[Refused | StoreError | None]:
        outcomes: list[Refused | StoreError | None] = []
        for page in self._pages(writes):
            try:
                with self._file.transaction() as connection:
                    answers = [_compare_and_set(connection, _ROWS, item, version) for item, version in page]
            except StoreError as error:
                outcomes.extend([error] * len(page))
            else:
                outcomes.extend(answers)
        return outcomes

    def _read_control(self) -> Item | None:
        found = self._file.read(_CONTROL.select + _marks(1), (_CONTROL_ID,))
        return _CONTROL.item(found[0]) if found else None

    def _write_control(self, item: Item, expect_version: int) -> Refused | None:
        item["id"] = _CONTROL_ID
        with self._file.transaction() as connection:
            return _compare_and_set(connection, _CONTROL, item, expect_version)

    def _pages(self, values: Sequence[_T]) -> Iterator[Sequence[_T]]:
        return (values[start : start + self._page_rows] for start in range(0, len(values), self._page_rows))


def _compare_and_set(connection: sqlite3.Connection, table: _Table, item: Item, expect_version: int) -> Refused | None:
    """Put the item in one conditional statement; when that changes nothing, return what stands in its place."""
    values = [item.get(attribute) for attribute in table.attributes]
    if expect_version:
        cursor = connection.execute(table.update, (*values, item["id"], expect_version))
    else:
        cursor = connection.execute(table.insert, values)
    if cursor.rowcount:
        return None
    found = connection.execute(table.select + _marks(1), (item["id"],)).fetchone()
    return Refused(found=None if found is None else table.item(found))
