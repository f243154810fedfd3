"""What the tests of the SQLite file share: a stranger's connection, and what an error tells people."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from values import a_row

from slowsched.errors import StoreError
from slowsched.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from slowsched.sqlite_file import SqliteFile


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a plain connection, as some other program has it; what it wrote is committed at the end."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        yield connection


def names_in(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def error_of(call: Callable[[], object]) -> str:
    """Return what a call that fails tells people: what, where and the way out."""
    with pytest.raises(StoreError) as caught:
        call()
    return str(caught.value)


def errors_of(file: SqliteFile) -> tuple[str, str]:
    """Return what reading and writing tell people."""
    store = SqliteStore(file)
    return error_of(lambda: store.get("a")), error_of(lambda: store.put(a_row(), 0))
