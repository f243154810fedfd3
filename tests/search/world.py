"""The world of a search: a table, a timer with EventBridge's manners, a clock, and what must be remembered of the past.

A world is a value. The table answers by the production `MemoryStore`; items are kept once and known by a number, so
that a world is small, and equal worlds are equal tuples. Time passes only in `later`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from protocol.fakes import DELIVERY, NOW, PROPAGATION

from slowsched.model import Control
from slowsched.store.codec import encode_control
from slowsched.store.items import Refused
from slowsched.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slowsched.model import Row
    from slowsched.store.codec import Item

WITHIN_THE_MINUTE = timedelta(seconds=59)  # a rule fires somewhere in its minute, if it still stands there by then


class Call(NamedTuple):
    """What a process sends next: a method of the store or the timer, and its arguments."""

    name: str
    arguments: tuple[Any, ...]


class Timer(NamedTuple):
    """What is in force, writes that will be (since when, minute), the minute written last, one that will fire late."""

    in_force: datetime | None = None
    coming: tuple[tuple[datetime, datetime], ...] = ()
    written: datetime | None = None
    late: datetime | None = None
    arrivals: tuple[datetime, ...] = ()


class Executing(NamedTuple):
    """An attempt that executes: until when by itself (None: as long as its process), and in which process."""

    task_id: str
    until: datetime | None
    process: str


class Left(NamedTuple):
    """How often what is out of the ordinary may still happen, by kind.

    A process dies, or is killed by what it executes; an old write of the timer comes again; a minute does not fire,
    or fires twice; the answer of a write is lost, so that it is sent again; a write of the timer is in force slowly,
    or so that until then nothing is; a minute fires late; and for how long calls may take in all.
    """

    crash: int = 0
    killed: int = 0
    again: int = 0
    lost: int = 0
    twice: int = 0
    unanswered: int = 0
    slow: int = 0
    gap: int = 0
    late: int = 0
    stall: timedelta = timedelta(0)


class World(NamedTuple):
    """Everything but the processes."""

    now: datetime = NOW
    rows: tuple[tuple[str, int], ...] = ()
    control: int | None = None
    timer: Timer = Timer()
    executing: tuple[Executing, ...] = ()
    facts: frozenset[tuple[Any, ...]] = frozenset()
    left: Left = Left()
    faulted: datetime | None = None
    to_start: tuple[tuple[str, datetime], ...] = ()

    def used(self, kind: str, amount: Any = 1) -> World:
        """Return this world with so much less of a kind to come."""
        return self._replace(left=self.left._replace(**{kind: getattr(self.left, kind) - amount}))

    def fault(self, kind: str) -> World:
        """Return this world after a fault, from which the bound of lateness counts anew."""
        return self.used(kind)._replace(faulted=self.now)


class Table:
    """The items of all worlds of a search, each once, and the answers that were given."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._numbers: dict[str, int] = {}
        self._by_object: dict[int, int] = {}
        self._reads: dict[Any, tuple[Any, Any]] = {}
        self._controls: dict[int | None, Control] = {}
        self._pauses: dict[int | None, tuple[Item | None, int | None]] = {}

    def number(self, item: Item) -> int:
        """Return the number of an item; equal items have one."""
        number = self._by_object.get(id(item))
        if number is None:
            number = self._numbers.setdefault(repr(sorted(item.items())), len(self._items))
            if number == len(self._items):
                self._items.append(item)
                self._by_object[id(item)] = number
        return number

    def item(self, number: int) -> Item:
        """Return the item of a number."""
        return self._items[number]

    def items(self, world: World) -> Iterator[Item]:
        """Yield the items of all rows."""
        return (self._items[number] for _, number in world.rows)

    def store(self, world: World) -> MemoryStore:
        """Return a store that holds what this world holds."""
        store = MemoryStore()
        store.items = {task_id: self._items[number] for task_id, number in world.rows}
        store.control_items = {} if world.control is None else {"": self._items[world.control]}
        return store

    def row(self, world: World, task_id: str) -> Any:
        """Return a row as it stands."""
        return self.store(world).get(task_id)

    def control(self, world: World) -> Control:
        """Return the control row as it stands."""
        if world.control not in self._controls:
            self._controls[world.control] = self.store(world).control()
        return self._controls[world.control]

    def planted(self, world: World, *rows: Row, control: Control | None = None) -> World:
        """Return a world with these rows, and this control row."""
        store = self.store(world)
        for row in rows:
            store.put(row, 0)
        if control is not None:
            store.put_control(control, 0)
        return self._kept(world, store)

    def _kept(self, world: World, store: MemoryStore) -> World:
        rows = tuple(sorted((task_id, self.number(item)) for task_id, item in store.items.items()))
        control = self.number(store.control_items[""]) if store.control_items else None
        return world._replace(rows=rows, control=control)

    def answer(self, world: World, call: Call, *, all_owners: bool = True) -> tuple[World, Any, Any]:
        """Return the world after a call, what the caller is told, and a short text for that.

        Without `all_owners` the control row tells of pause and resume only.
        """
        if call.name == "_read_control" and not all_owners:
            return (world, *self._pause(world.control))
        if call.name == "armed":
            return world, world.timer.in_force, world.timer.in_force
        if call.name.startswith("_write"):
            store = self.store(world)
            told = getattr(store, call.name)(*call.arguments)
            return (self._kept(world, store) if told is None else world), told, self._short(told)
        where = (world.control,) if call.name == "_read_control" else (world.rows, call.arguments)
        mark = (call.name, where)
        if mark not in self._reads:
            told = getattr(self.store(world), call.name)(*call.arguments)
            told = list(told) if call.name in {"agenda", "_read_summaries"} else told
            self._reads[mark] = (told, self._short(told))
        return (world, *self._reads[mark])

    def _pause(self, control: int | None) -> tuple[Item | None, int | None]:
        if control not in self._pauses:
            item = {} if control is None else self.item(control)
            told = {name: value for name, value in item.items() if name in {"paused", "not_before"}}
            item = {**encode_control(Control(version=1), ""), **told}
            number = self.number(item) if told else None
            self._pauses[control] = (None, None) if number is None else (self.item(number), number)
        return self._pauses[control]

    def _short(self, told: Any) -> Any:
        match told:
            case Refused(found=None):
                return "refused"
            case Refused(found=found):
                return ("refused", self.number(found))
            case dict():
                return self.number(told)
            case list():
                return tuple(map(self._short, told))
            case _:
                return told


# --- the timer, and time --------------------------------------------------------------------------------


def armed(world: World, minute: datetime, how: str) -> World:
    """Return the world after a write of the timer: in force at once (""), or after its propagation.

    Until then what was in force still is ("slow"), or nothing is ("gap").
    """
    timer = world.timer
    since = max([world.now + PROPAGATION if how else world.now, *(each for each, _ in timer.coming[-1:])])
    coming = (*timer.coming, (since, minute))
    in_force = None if how == "gap" else timer.in_force
    world = world.used(how) if how else world
    return _in_force(world._replace(timer=timer._replace(in_force=in_force, coming=coming, written=minute)))


def overwritten(world: World, minute: datetime) -> World:
    """Return the world after an old write of the timer has come once more, in force at once."""
    return world._replace(timer=world.timer._replace(in_force=minute, coming=(), written=minute))


def _in_force(world: World) -> World:
    timer = world.timer
    while timer.coming and timer.coming[0][0] <= world.now:
        timer = timer._replace(in_force=timer.coming[0][1], coming=timer.coming[1:])
    return world._replace(timer=timer)


def moments(world: World) -> Iterator[datetime]:
    """Yield when something of the timer or of a start is to happen."""
    timer = world.timer
    yield from (since for since, _ in timer.coming)
    yield from timer.arrivals
    yield from (moment for _, moment in world.to_start)
    if timer.in_force is not None:
        yield timer.in_force
    if timer.late is not None:
        yield timer.late + WITHIN_THE_MINUTE


def later(world: World, moment: datetime) -> Iterator[tuple[World, int]]:
    """Yield each world that may be at a later moment, with the number of wakes that arrive at it.

    Nothing else may happen in between: `moment` is at most the next of `moments`. A minute that is in force fires
    at once and arrives at once, or fires at its end, where it still stands there by then, and arrives late.
    """
    timer = world.timer
    wakes = timer.arrivals.count(moment)
    arrivals = tuple(each for each in timer.arrivals if each != moment)
    if timer.late is not None and moment == timer.late + WITHIN_THE_MINUTE:
        if timer.in_force == timer.late:
            arrivals = (*arrivals, moment + DELIVERY)
        timer = timer._replace(late=None)
    executing = tuple(each for each in world.executing if each.until is None or each.until > moment)
    world = _in_force(world._replace(now=moment, timer=timer._replace(arrivals=arrivals), executing=executing))
    if world.timer.in_force != moment:
        yield world, wakes
        return
    yield world, wakes + 1
    if world.left.late:
        yield world.used("late")._replace(timer=world.timer._replace(late=moment)), wakes
    if world.left.lost:
        yield world.fault("lost"), wakes
    if world.left.twice:
        yield world.used("twice"), wakes + 2
