"""The stores in memory and in SQLite keep the laws of a store, whatever is done through two handles."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from store_laws import Forgetful, KeepsTheLaws

from slowsched.sqlite_file import SqliteFile
from slowsched.store.memory import MemoryStore
from slowsched.store.sqlite import SqliteStore

STEPS = settings(
    max_examples=20,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


class ForgetfulMemory(Forgetful, MemoryStore):
    """The store in memory, some of whose answers get lost."""


class ForgetfulSqlite(Forgetful, SqliteStore):
    """The store in SQLite, some of whose answers get lost."""


class MemoryKeepsTheLaws(KeepsTheLaws):
    """Two stores on the same dicts."""

    def open_handles(self) -> tuple[Any, Any]:
        one, other = ForgetfulMemory(), ForgetfulMemory()
        other.items, other.control_items = one.items, one.control_items
        return one, other


class SqliteKeepsTheLaws(KeepsTheLaws):
    """Two connections to a file for each run."""

    def open_handles(self) -> tuple[Any, Any]:
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name) / "local.db"
        return ForgetfulSqlite(SqliteFile(path), page_rows=2), ForgetfulSqlite(SqliteFile(path), page_rows=2)

    def teardown(self) -> None:
        """Remove the file."""
        super().teardown()
        self.folder.cleanup()


def test_memory() -> None:
    """In memory."""
    run_state_machine_as_test(MemoryKeepsTheLaws, settings=STEPS)


def test_sqlite() -> None:
    """In a file."""
    run_state_machine_as_test(SqliteKeepsTheLaws, settings=STEPS)


class Careless(ForgetfulMemory):
    """A store that takes its own write for another's when its answer was lost."""

    def _write_row(self, item: Any, expect_version: int) -> Any:
        refused = super()._write_row(item, expect_version)
        if refused is not None and refused.found is not None:
            return type(refused)(found=refused.found | {"write_id": "another"})
        return refused


class CarelessKeepsTheLaws(MemoryKeepsTheLaws):
    """Two such stores."""

    def open_handles(self) -> tuple[Any, Any]:
        one, other = Careless(), Careless()
        other.items, other.control_items = one.items, one.control_items
        return one, other


def test_a_store_that_breaks_a_law_is_noticed() -> None:
    """The machine finds a store that cannot tell a lost answer from a lost race."""
    quickly = settings(STEPS, report_multiple_bugs=False, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(CarelessKeepsTheLaws, settings=quickly)
