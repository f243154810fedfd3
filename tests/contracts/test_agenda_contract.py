"""What the agenda of every store promises (slowsched/store/base.py), held against each adapter.

Adapters are opened with pages of `PAGE_ROWS`, so that most of what follows is more than a page.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from values import DAY, DUE, HOUR, MINUTE, a_row, put_all

from slowsched.model import State

if TYPE_CHECKING:
    from slowsched.store.base import Store


def test_the_agenda_is_ordered_by_moment(store: Store) -> None:
    """Earliest first, over any number of pages; rows of one moment stand in an order of the store's own."""
    rows = [a_row(id=task_id, wake_at=DUE + minutes * MINUTE) for minutes in (2, 0, 1) for task_id in _ids_of(minutes)]
    put_all(store, *rows)
    found = list(store.agenda(DUE + HOUR))
    assert [sorted(found[:7]), sorted(found[7:14]), sorted(found[14:])] == [_ids_of(0), _ids_of(1), _ids_of(2)]


def _ids_of(minutes: int) -> list[str]:
    """Return ids in their order; those of a later moment stand before those of an earlier one."""
    return sorted(f"{9 - minutes} {letter}" for letter in ["B", "a", "b", "ä", "é", "日", "\U0001f600"])


def test_the_agenda_ends_with_its_bound(store: Store) -> None:
    """A row that wakes at the bound is due; one a microsecond later is not."""
    moments = {"before": -timedelta(microseconds=1), "at": timedelta(0), "after": timedelta(microseconds=1)}
    put_all(store, *(a_row(id=name, wake_at=DUE + distance) for name, distance in moments.items()))
    assert list(store.agenda(DUE)) == ["before", "at"]


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.DEAD, State.MISSED, State.DELETED])
def test_rows_that_need_nothing_are_not_on_the_agenda(store: Store, state: State) -> None:
    """A row without `wake_at` costs a wake nothing, and arms nothing."""
    put_all(store, a_row(state=state))
    assert (list(store.agenda(DUE + 1000 * DAY)), store.next_wake()) == ([], None)


def test_a_row_leaves_the_agenda_with_its_wake_at_and_comes_back_with_it(store: Store) -> None:
    """The agenda follows every write at once."""
    put_all(store, a_row(version=1))
    agendas = [list(store.agenda(DUE))]
    store.put(a_row(version=2, state=State.DEAD), 1)
    agendas.append(list(store.agenda(DUE)))
    store.put(a_row(version=3), 2)
    agendas.append(list(store.agenda(DUE)))
    assert agendas == [["some task id"], [], ["some task id"]]


def test_a_walk_over_the_agenda_stands_that_its_rows_move_away(store: Store) -> None:
    """A worker that takes each row as it comes gets to every row that nobody else moved."""
    ids = [f"task {number}" for number in range(10)]
    put_all(store, *(a_row(id=task_id) for task_id in ids))
    taken = []
    for task_id in store.agenda(DUE):
        taken.append(task_id)
        assert store.put(a_row(id=task_id, version=2, wake_at=DUE + HOUR), 1) is None
    assert (sorted(taken), list(store.agenda(DUE)), sorted(store.agenda(DUE + HOUR))) == (ids, [], ids)


def test_a_walk_over_the_agenda_stands_that_rows_ahead_of_it_move(store: Store) -> None:
    """Rows that stay where they are come once each; one that leaves may come or not."""
    ids = [f"task {number}" for number in range(9)]
    put_all(store, *(a_row(id=task_id) for task_id in ids))
    walk = store.agenda(DUE)
    seen = [next(walk)]
    moved = [task_id for task_id in ("task 4", "task 8") if task_id not in seen]
    for task_id in moved:
        store.put(a_row(id=task_id, version=2, state=State.DEAD), 1)
    seen += walk
    assert sorted({*seen, *moved}) == ids
    assert len(seen) == len(set(seen))


def test_the_next_wake_is_the_earliest(store: Store) -> None:
    """Whatever the order of the writes; None when no row needs the worker."""
    assert store.next_wake() is None
    put_all(store, *(a_row(id=f"in {days}", wake_at=DUE + days * DAY) for days in (3, 1, 2)))
    assert store.next_wake() == DUE + DAY


def test_the_next_wake_after_a_moment_is_later_than_it(store: Store) -> None:
    """A row at that very moment does not count, one a microsecond later does."""
    later = DUE + timedelta(microseconds=1)
    put_all(store, a_row(id="at", wake_at=DUE), a_row(id="later", wake_at=later))
    afters = [DUE - timedelta(microseconds=1), DUE, later]
    assert [store.next_wake(after) for after in afters] == [DUE, later, None]
