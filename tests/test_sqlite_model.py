"""SQLite against memory: whatever is done to both, both answer the same."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from store_model import LikeMemory

from slowsched.sqlite_file import SqliteFile
from slowsched.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from slowsched.store.base import Store


class SqliteIsLikeMemory(LikeMemory):
    """A file for each run."""

    def open_store(self) -> Store:
        self.folder = TemporaryDirectory()
        return SqliteStore(SqliteFile(Path(self.folder.name) / "local.db"), page_rows=2)

    def teardown(self) -> None:
        """Remove the file."""
        super().teardown()
        self.folder.cleanup()


TestSqliteIsLikeMemory = SqliteIsLikeMemory.TestCase
TestSqliteIsLikeMemory.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
