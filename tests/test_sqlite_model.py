"""SQLite against memory: whatever is done to both, both answer the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from values import DUE, MINUTE, a_row

from slowsched.model import Control, Row, State
from slowsched.sqlite_file import SqliteFile
from slowsched.store.base import Store, Write
from slowsched.store.memory import MemoryStore
from slowsched.store.sqlite import SqliteStore

ids = st.sampled_from(["a", "B", "ä", "a b", "%", "'", "\U0001f600"])
moments = st.integers(-2, 2).map(lambda minutes: DUE + minutes * MINUTE)
steps = st.integers(-1, 1).map(lambda step: max(step, 0))  # on the version found, twice as often as beyond it


class SqliteIsLikeMemory(RuleBasedStateMachine):
    """Two stores that are told the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.memory = MemoryStore()
        self.sqlite = SqliteStore(SqliteFile(Path(self.folder.name) / "local.db"), page_rows=2)

    def teardown(self) -> None:
        """Remove the file."""
        self.sqlite.close()
        self.folder.cleanup()

    def ask(self, question: str, *arguments: object) -> object:
        """Put the same question to both; return the answer when it is the same."""
        expected, found = (getattr(store, question)(*arguments) for store in (self.memory, self.sqlite))
        assert found == expected
        return expected

    def write(self, task_id: str, wake_at: object, beyond: int) -> Write:
        """Return a write on the version found in memory, or on one that nobody wrote."""
        row = self.memory.get(task_id)
        version = (row.version if isinstance(row, Row) else 0) + beyond
        state = State.MISSED if wake_at is None else State.SCHEDULED
        return Write(row=a_row(id=task_id, version=version + 1, state=state, wake_at=wake_at), expect_version=version)

    @rule(task_id=ids, wake_at=st.none() | moments, beyond=steps)
    def put(self, task_id: str, wake_at: object, beyond: int) -> None:
        write = self.write(task_id, wake_at, beyond)
        self.ask("put", write.row, write.expect_version)

    @rule(many=st.lists(st.tuples(ids, st.none() | moments, steps), max_size=5))
    def put_many(self, many: list[tuple[str, object, int]]) -> None:
        self.ask("put_many", [self.write(*one) for one in many])

    @rule(until=moments)
    def agenda(self, until: object) -> None:
        assert [*self.sqlite.agenda(until)] == [*self.memory.agenda(until)]

    @rule(after=st.none() | moments)
    def next_wake(self, after: object) -> None:
        self.ask("next_wake", after)

    @rule(task_ids=st.lists(ids, max_size=5))
    def get_many(self, task_ids: list[str]) -> None:
        self.ask("get_many", task_ids)

    @rule(not_before=st.none() | moments, beyond=steps)
    def put_control(self, not_before: object, beyond: int) -> None:
        control = self.memory.control()
        version = control.version + beyond
        self.ask("put_control", replace(control, version=version + 1, not_before=not_before), version)

    @rule()
    def open_again(self) -> None:
        self.sqlite.close()

    @invariant()
    def they_hold_the_same(self) -> None:
        """Every row and the control row are alike at every moment."""

        def held(store: Store) -> tuple[list[object], Control]:
            return sorted(store.rows(), key=lambda row: row.id), store.control()

        assert held(self.sqlite) == held(self.memory)


TestSqliteIsLikeMemory = SqliteIsLikeMemory.TestCase
TestSqliteIsLikeMemory.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
