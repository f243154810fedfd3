"""The adapters that a port's contract runs on; a new one joins by a class here and its name below."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Protocol

import pytest

from slowsched.sqlite_file import SqliteFile
from slowsched.store.memory import MemoryStore
from slowsched.store.sqlite import SqliteStore
from slowsched.timer.memory import MemoryTimer
from slowsched.timer.sqlite import SqliteTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from slowsched.store.base import Store
    from slowsched.store.codec import Item
    from slowsched.timer.base import Timer

PAGE_ROWS = 3  # so that a handful of rows is more than a page


class StoreAdapter(Protocol):
    """What the contract needs of an adapter besides its store."""

    def open(self) -> Store:
        """Return another store on the same rows, as another process would have it, with small pages."""
        ...

    def plant(self, item: Item) -> None:
        """Write an item over the row of its id, whatever it says, as another version might have."""
        ...

    def plant_control(self, item: Item) -> None:
        """The same for the control row."""
        ...

    def close(self) -> None:
        """Close every store that was opened."""
        ...


class MemoryStoreAdapter:
    """The store in memory: one object is the store of everybody."""

    def __init__(self, _: Path) -> None:
        self._store = MemoryStore()

    def open(self) -> Store:
        return self._store

    def plant(self, item: Item) -> None:
        self._store.items[item["id"]] = item

    def plant_control(self, item: Item) -> None:
        self._store.control_items[""] = item

    def close(self) -> None:
        self._store.close()


class SqliteStoreAdapter:
    """The store in a SQLite file: each store has its own connection."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "local.db"
        self._opened: list[SqliteStore] = []

    def open(self) -> Store:
        self._opened.append(SqliteStore(SqliteFile(self._path), page_rows=PAGE_ROWS))
        return self._opened[-1]

    def plant(self, item: Item) -> None:
        self._replace("task_rows", {"version": 0} | item)

    def plant_control(self, item: Item) -> None:
        self._replace("control", {"id": "control", "version": 0} | item)

    def _replace(self, table: str, item: Item) -> None:
        with closing(SqliteFile(self._path)) as file, file.transaction() as connection:
            names, marks = ", ".join(item), ", ".join("?" * len(item))
            connection.execute(f"REPLACE INTO {table} ({names}) VALUES ({marks})", tuple(item.values()))  # noqa: S608

    def close(self) -> None:
        for store in self._opened:
            store.close()


STORE_ADAPTERS = {"memory": MemoryStoreAdapter, "sqlite": SqliteStoreAdapter}


@pytest.fixture(params=STORE_ADAPTERS)
def adapter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreAdapter]:
    """Return each adapter in turn, with nothing in it."""
    adapter = STORE_ADAPTERS[request.param](tmp_path)
    yield adapter
    adapter.close()


@pytest.fixture
def store(adapter: StoreAdapter) -> Store:
    """Return a store of each adapter in turn, with nothing in it."""
    return adapter.open()


class MemoryTimerAdapter:
    """The timer in memory: one object is the timer of everybody."""

    def __init__(self, _: Path) -> None:
        self._timer = MemoryTimer()

    def open(self) -> Timer:
        return self._timer


class SqliteTimerAdapter:
    """The timer in a SQLite file: each timer has its own connection."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "local.db"

    def open(self) -> Timer:
        return SqliteTimer(SqliteFile(self._path))


TIMER_ADAPTERS = {"memory": MemoryTimerAdapter, "sqlite": SqliteTimerAdapter}


@pytest.fixture(params=TIMER_ADAPTERS)
def open_timer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Timer]]:
    """Return a way to open one and the same timer of each adapter in turn, as another process would."""
    adapter = TIMER_ADAPTERS[request.param](tmp_path)
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(adapter.open()))


@pytest.fixture
def timer(open_timer: Callable[[], Timer]) -> Timer:
    """Return a timer of each adapter in turn, never set."""
    return open_timer()
