"""Two stores that are told the same must answer the same: a state machine for Hypothesis, memory being the model."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from values import DUE, MINUTE, a_row

from slowsched.model import Control, Row, State
from slowsched.store.base import Store, Write
from slowsched.store.memory import MemoryStore

if TYPE_CHECKING:
    from datetime import datetime

ids = st.sampled_from(["a", "B", "ä", "a b", "%", "'", "\U0001f600"])
moments = st.integers(-2, 2).map(lambda minutes: DUE + minutes * MINUTE)
steps = st.integers(-1, 1).map(lambda step: max(step, 0))  # on the version found, twice as often as beyond it


class LikeMemory(RuleBasedStateMachine):
    """A store beside one in memory; a subclass says which."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = MemoryStore()
        self.store = self.open_store()

    @abstractmethod
    def open_store(self) -> Store:
        """Return an empty store, with small pages."""

    def teardown(self) -> None:
        """Close the store."""
        self.store.close()

    def ask(self, question: str, *arguments: object) -> object:
        """Put the same question to both; return the answer when it is the same."""
        expected, found = (getattr(store, question)(*arguments) for store in (self.memory, self.store))
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

    # Of two writes of one row the port promises no order, so each row is written once.
    @rule(many=st.lists(st.tuples(ids, st.none() | moments, steps), max_size=5, unique_by=lambda one: one[0]))
    def put_many(self, many: list[tuple[str, object, int]]) -> None:
        self.ask("put_many", [self.write(*one) for one in many])

    @rule(until=moments)
    def agenda(self, until: datetime) -> None:
        """Earliest first; the order within a moment is each store's own."""
        found, expected = list(self.store.agenda(until)), list(self.memory.agenda(until))
        assert (sorted(found), self.wakes(found)) == (sorted(expected), self.wakes(expected))

    def wakes(self, task_ids: list[str]) -> list[datetime | None]:
        """Return when these rows need the worker."""
        rows = [self.memory.get(task_id) for task_id in task_ids]
        return [row.wake_at for row in rows if isinstance(row, Row)]

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
        self.store.close()

    @invariant()
    def they_hold_the_same(self) -> None:
        """Every row and the control row are alike at every moment."""

        def held(store: Store) -> tuple[list[object], Control]:
            return sorted(store.rows(), key=lambda row: row.id), store.control()

        assert held(self.store) == held(self.memory)
