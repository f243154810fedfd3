"""A store against a dict of rows, through two handles, with answers that get lost: a state machine for Hypothesis.

A lost answer changes nothing of what the writer is told. Only where another writer came between the two sendings is a
write that had won told as lost, with the other's row.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from values import DUE, MINUTE, a_row, summary_of

from slowsched.model import Conflict, Control, Row, State
from slowsched.store.base import Store, Write
from slowsched.store.items import ItemStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from slowsched.store.codec import Item
    from slowsched.store.items import Refused

__all__ = ["Forgetful", "KeepsTheLaws"]

ids = st.sampled_from(["a", "B", "ä", "a b", "%", "\U0001f600"])
moments = st.integers(-2, 2).map(lambda minutes: DUE + minutes * MINUTE)
wakes = st.none() | moments
handles = st.integers(0, 1)
beyond = st.sampled_from([0, 0, 0, 1])  # on the version found, seldom on one that nobody wrote


class Forgetful(ItemStore):
    """Mixed into an adapter: the answers of the next sendings get lost, and each write is sent again."""

    to_lose = 0
    meanwhile: Callable[[], object] | None = None

    def _write_row(self, item: Item, expect_version: int) -> Refused | None:
        self._lose(super()._write_row, item, expect_version)
        return super()._write_row(item, expect_version)

    def _write_control(self, item: Item, expect_version: int) -> Refused | None:
        self._lose(super()._write_control, item, expect_version)
        return super()._write_control(item, expect_version)

    def _lose(self, send: Callable[[Item, int], object], item: Item, expect_version: int) -> None:
        if self.to_lose:
            self.to_lose -= 1
            send(dict(item), expect_version)
            between, self.meanwhile = self.meanwhile, None
            if between is not None:
                between()


class KeepsTheLaws(RuleBasedStateMachine):
    """Two handles on one store, and what a table of rows must hold; a subclass says which store."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, Row] = {}
        self.control = Control()
        self.handles = self.open_handles()

    @abstractmethod
    def open_handles(self) -> tuple[Any, Any]:
        """Return two `Forgetful` handles on one empty store, with pages of two rows."""

    def teardown(self) -> None:
        """Close both."""
        for handle in self.handles:
            handle.close()

    def made(self, task_id: str, wake_at: datetime | None, more: int) -> tuple[Row, int]:
        """Return a row to write, and the version that it is written on."""
        version = (self.rows[task_id].version if task_id in self.rows else 0) + more
        state = State.MISSED if wake_at is None else State.SCHEDULED
        return a_row(id=task_id, version=version + 1, state=state, wake_at=wake_at), version

    def answer(self, row: Row, version: int) -> Conflict | None:
        """Write into the table, and return what the writer must be told."""
        found = self.rows.get(row.id)
        if (0 if found is None else found.version) != version:
            return Conflict(found=found)
        self.rows[row.id] = row
        return None

    @rule(handle=handles, task_id=ids, wake_at=wakes, more=beyond, lost=st.booleans())
    def put(self, handle: int, task_id: str, wake_at: datetime | None, more: int, lost: bool) -> None:
        row, version = self.made(task_id, wake_at, more)
        self.handles[handle].to_lose = int(lost)
        assert self.handles[handle].put(row, version) == self.answer(row, version)

    @rule(handle=handles, task_id=ids, wake_at=wakes)
    def put_with_another_between(self, handle: int, task_id: str, wake_at: datetime | None) -> None:
        """The write wins, its answer is lost, and the other handle goes on from it: the row is the other's."""
        row, version = self.made(task_id, wake_at, 0)
        others = replace(row, version=row.version + 1, attempt=7)
        mine, other = self.handles[handle], self.handles[1 - handle]
        mine.to_lose, mine.meanwhile = 1, lambda: other.put(others, row.version)
        assert mine.put(row, version) == Conflict(found=others)
        self.rows[task_id] = others

    @rule(
        handle=handles,
        many=st.lists(st.tuples(ids, wakes, beyond), max_size=5, unique_by=lambda one: one[0]),
        lost=st.integers(0, 2),
    )
    def put_many(self, handle: int, many: list[tuple[str, datetime | None, int]], lost: int) -> None:
        made = [self.made(*one) for one in many]
        self.handles[handle].to_lose = lost
        answers = self.handles[handle].put_many([Write(row=row, expect_version=version) for row, version in made])
        self.handles[handle].to_lose = 0  # an adapter may send many rows in another way
        assert answers == [self.answer(*one) for one in made]

    @rule(handle=handles, not_before=wakes, more=beyond, lost=st.booleans())
    def put_control(self, handle: int, not_before: datetime | None, more: int, lost: bool) -> None:
        version = self.control.version + more
        control = replace(self.control, version=version + 1, not_before=not_before)
        self.handles[handle].to_lose = int(lost)
        told = self.handles[handle].put_control(control, version)
        assert told == (self.control if more else None)
        self.control = self.control if more else control

    @rule(until=moments, handle=handles)
    def agenda(self, until: datetime, handle: int) -> None:
        """Earliest first; the order within a moment is each store's own."""
        due = {row.id: row.wake_at for row in self.rows.values() if row.wake_at is not None and row.wake_at <= until}
        found = list(self.handles[handle].agenda(until))
        assert (sorted(found), [due[task_id] for task_id in found]) == (sorted(due), sorted(due.values()))

    @rule(after=wakes, handle=handles)
    def next_wake(self, after: datetime | None, handle: int) -> None:
        later = [row.wake_at for row in self.rows.values() if row.wake_at and (after is None or row.wake_at > after)]
        assert self.handles[handle].next_wake(after) == min(later, default=None)

    @invariant()
    def both_handles_see_the_table(self) -> None:
        """Every row, every summary and the control row, at every moment."""
        for handle in self.handles:
            assert isinstance(handle, Store)
            assert (handle.get_many([*self.rows, "none"]), handle.control()) == (self.rows, self.control)
            summaries = sorted(map(summary_of, self.rows.values()), key=lambda row: row.id)
            assert sorted(handle.rows(), key=lambda row: row.id) == summaries
