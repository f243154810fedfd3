"""The adapters that a port's contract runs on; a new one joins by a class here and its name below."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Protocol

import pytest
from aws.tables import MotoAdapter, TableAdapter
from emulators.fixtures import ACCOUNT, REGION, client, unique_name
from on_aws import account_on, make_rule, make_schedule

from slowsched.sqlite_file import SqliteFile
from slowsched.store.memory import MemoryStore
from slowsched.store.sqlite import SqliteStore
from slowsched.timer.memory import MemoryTimer
from slowsched.timer.rule import RuleTimer
from slowsched.timer.schedule import ScheduleTimer
from slowsched.timer.settings import TimerSettings
from slowsched.timer.sqlite import SqliteTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

    def __init__(self, _: pytest.FixtureRequest) -> None:
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

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._path = request.getfixturevalue("tmp_path") / "local.db"
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


def _on_emulator(name: str, *, buckets: int = 1) -> Callable[[pytest.FixtureRequest], StoreAdapter]:
    def adapter(request: pytest.FixtureRequest) -> StoreAdapter:
        endpoint = request.getfixturevalue(f"{name}_endpoint")
        return TableAdapter(endpoint, request.getfixturevalue("monkeypatch"), PAGE_ROWS, buckets=buckets)

    return adapter


def _on_moto(request: pytest.FixtureRequest) -> StoreAdapter:
    return MotoAdapter(request.getfixturevalue("monkeypatch"), PAGE_ROWS)


STORE_ADAPTERS: dict[str, Callable[[pytest.FixtureRequest], StoreAdapter]] = {
    "memory": MemoryStoreAdapter,
    "sqlite": SqliteStoreAdapter,
    "moto": _on_moto,
    "dynamodb-local": _on_emulator("dynamodb_local"),
    "dynamodb-local, 3 buckets": _on_emulator("dynamodb_local", buckets=3),
    "ministack": _on_emulator("ministack"),
}


@pytest.fixture(params=STORE_ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> Iterator[StoreAdapter]:
    """Return each adapter in turn, with nothing in it."""
    adapter = STORE_ADAPTERS[request.param](request)
    yield adapter
    adapter.close()


@pytest.fixture
def store(adapter: StoreAdapter) -> Store:
    """Return a store of each adapter in turn, with nothing in it."""
    return adapter.open()


class MemoryTimerAdapter:
    """The timer in memory: one object is the timer of everybody."""

    def __init__(self, _: pytest.FixtureRequest) -> None:
        self._timer = MemoryTimer()

    def open(self) -> Timer:
        return self._timer


class SqliteTimerAdapter:
    """The timer in a SQLite file: each timer has its own connection."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._path = request.getfixturevalue("tmp_path") / "local.db"

    def open(self) -> Timer:
        return SqliteTimer(SqliteFile(self._path))


class RuleTimerAdapter:
    """The timer in a rule on MiniStack, as Terraform has just made it."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        endpoint = request.getfixturevalue("ministack_endpoint")
        self._account = account_on(endpoint, request.getfixturevalue("monkeypatch"))
        self._settings = TimerSettings(kind="rule", name=unique_name("wake"))
        make_rule(client("events", endpoint), self._settings.name)

    def open(self) -> Timer:
        return RuleTimer(self._account, self._settings)


class ScheduleTimerAdapter:
    """The timer in a schedule on MiniStack, as Terraform has just made it."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        endpoint = request.getfixturevalue("ministack_endpoint")
        self._account = account_on(endpoint, request.getfixturevalue("monkeypatch"))
        self._settings = TimerSettings(
            kind="schedule",
            name=unique_name("wake"),
            target_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:worker",
            role_arn=f"arn:aws:iam::{ACCOUNT}:role/scheduler",
        )
        make_schedule(client("scheduler", endpoint), self._settings)

    def open(self) -> Timer:
        return ScheduleTimer(self._account, self._settings)


TIMER_ADAPTERS = {
    "memory": MemoryTimerAdapter,
    "sqlite": SqliteTimerAdapter,
    "rule": RuleTimerAdapter,
    "schedule": ScheduleTimerAdapter,
}


@pytest.fixture(params=TIMER_ADAPTERS)
def open_timer(request: pytest.FixtureRequest) -> Iterator[Callable[[], Timer]]:
    """Return a way to open one and the same timer of each adapter in turn, as another process would."""
    adapter = TIMER_ADAPTERS[request.param](request)
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(adapter.open()))


@pytest.fixture
def timer(open_timer: Callable[[], Timer]) -> Timer:
    """Return a timer of each adapter in turn, never set."""
    return open_timer()
