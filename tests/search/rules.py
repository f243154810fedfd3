"""What must hold in every world of a search (docs/architecture.md, docs/state-machine.md), checked at every move.

`Safety` looks at each write of a row and each beginning of an attempt, `Punctual` at time as well.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from protocol.fakes import DELIVERY, LEAD
from values import MINUTE

from slowsched import canonical
from slowsched.lifecycle import CLOCK_SKEW
from slowsched.model import State
from slowsched.timing import ceil_minute, parse_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from search.engine import Search
    from search.processes import Begin
    from search.world import World
    from slowsched.store.codec import Item

CALLS = timedelta(seconds=15)  # what takes longer than that counts as a fault
HEARTBEAT = 15 * MINUTE
NEEDS_WORKER = frozenset({State.SCHEDULED.value, State.RUNNING.value})

_moment = lru_cache(maxsize=4096)(parse_stamp)


class Safety:
    """Whatever happens: one attempt at a time, not before due, nothing again after a success, no step back."""

    def written(self, search: Search, before: World, after: World, process: str) -> tuple[World, str | None]:
        """Judge a write of one row; returns the world with what is to be remembered of it."""
        old_rows = dict(before.rows)
        for task_id, number in after.rows:
            old_number = old_rows.get(task_id)
            if number == old_number:
                continue
            old = None if old_number is None else search.table.item(old_number)
            new = search.table.item(number)
            wrong = _step_is_wrong(old, new, after)
            if wrong is not None:
                return after, f"{task_id}: {wrong}"
            if new["state"] == State.SUCCEEDED.value:
                after = after._replace(facts=after.facts | {("done", task_id, new["generation"])})
            after = self.remembered(search, after, process)
        return after, None

    def remembered(self, _search: Search, world: World, _process: str) -> World:
        """Return the world with what else is to be remembered of a write."""
        return world

    def controlled(self, _search: Search, _before: World, after: World, _process: str) -> tuple[World, str | None]:
        """Judge a write of the control row."""
        return after, None

    def begun(self, _search: Search, world: World, begin: Begin, _process: str) -> tuple[World, str | None]:
        """Judge the beginning of an attempt."""
        row = begin.row
        if any(each.task_id == row.id for each in world.executing):
            return world, f"{row.id}: two attempts at once"
        if row.requested_at is None and world.now + CLOCK_SKEW < row.task.due:
            return world, f"{row.id}: executed before its due"
        if ("done", row.id, row.generation) in world.facts:
            return world, f"{row.id}: executed again after its success was recorded"
        if canonical.digests(row.task).execution != row.digests.execution:
            return world, f"{row.id}: executed with another payload than its generation's"
        return world, None

    def finished(self, _search: Search, world: World, _process: str, _result: Any) -> World:
        """Return the world with what is to be remembered of a process that has come to its end."""
        return world

    def passed(self, _search: Search, _world: World) -> str | None:
        """Judge a world after time has passed."""
        return None

    def quiet(self, _search: Search, _world: World) -> str | None:
        """Judge a world in which no process lives."""
        return None

    def ended(self, _search: Search, _world: World) -> str | None:
        """Judge a world in which nothing happens any more."""
        return None


def _step_is_wrong(old: Item | None, new: Item, world: World) -> str | None:
    if (new["state"] in NEEDS_WORKER) != ("wake_at" in new):
        return f"{new['state']} with wake_at {new.get('wake_at')}"
    if old is None:
        return None
    if new["version"] <= old["version"] or new["generation"] < old["generation"]:
        return f"version {old['version']} to {new['version']}, generation {old['generation']} to {new['generation']}"
    return _generation_is_wrong(old, new, world)


def _generation_is_wrong(old: Item, new: Item, world: World) -> str | None:
    again = new["generation"] == old["generation"]
    if again and new["digest"] != old["digest"]:
        return "its execution was edited within a generation"
    if again and old["state"] == State.DELETED.value and new["state"] != State.DELETED.value:
        return f"{new['state']} after it was deleted"
    if new["state"] == State.RUNNING.value and ("done", new["id"], new["generation"]) in world.facts:
        return "claimed again after its success was recorded"
    return None


class Punctual(Safety):
    """Besides: nobody is late beyond the bound, none starves, and the timer covers the earliest wake."""

    def controlled(self, search: Search, before: World, after: World, _process: str) -> tuple[World, str | None]:
        """Remember when a pause ended."""
        if search.table.control(before).pause is not None and search.table.control(after).pause is None:
            after = after._replace(facts=after.facts | {("resumed", after.now)})
        return after, None

    def passed(self, search: Search, world: World) -> str | None:
        """Hold the bound of lateness against each row that needs the worker."""
        if search.table.control(world).pause is not None:
            return None
        resumed = max((fact[1] for fact in world.facts if fact[0] == "resumed"), default=None)
        for task_id, wake_at in wakes(search, world):
            latest = ceil_minute(wake_at) + MINUTE + DELIVERY + CALLS
            if resumed is not None:
                latest = max(latest, resumed + LEAD + 2 * MINUTE + DELIVERY + CALLS)
            if world.faulted is not None:
                latest = max(latest, world.faulted + HEARTBEAT + 2 * MINUTE + DELIVERY + CALLS)
            if world.now > latest:
                return f"{task_id}: late, it was to wake at {wake_at:%H:%M:%S}"
        return None

    def quiet(self, search: Search, world: World) -> str | None:
        """Hold the timer against the earliest wake."""
        first = min((wake_at for _, wake_at in wakes(search, world)), default=None)
        if first is None or world.faulted is not None or search.table.control(world).pause is not None:
            return None
        minute, written = ceil_minute(first), world.timer.written
        if minute <= world.now or (written is not None and world.now < written <= minute):
            return None
        return f"the timer was set to {written} last, the earliest wake is {first:%H:%M:%S}"

    def ended(self, search: Search, world: World) -> str | None:
        """Say which tasks have not come to an end."""
        until = search.configuration.until
        left = [task_id for task_id, wake_at in wakes(search, world) if until is None or wake_at < until]
        return f"{', '.join(left)}: never" if left and until is not None else None


def wakes(search: Search, world: World) -> Iterator[tuple[str, datetime]]:
    """Yield each row that needs the worker, and when: not before a resume lets it."""
    not_before = search.table.control(world).not_before
    for item in search.table.items(world):
        if "wake_at" in item:
            wake_at = _moment(str(item["wake_at"]))
            yield str(item["id"]), wake_at if not_before is None else max(wake_at, not_before)
