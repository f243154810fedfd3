"""Every interleaving of the calls of a few processes, on the production code.

A process is a function of a backend, and deterministic: what it does next depends only on the answers that
it had. So its next call is found by running it from the start on the answers so far, up to the first call
that has none (`_Process.next_call`); no threads, and what was seen once is not walked again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from values import OWNER

from slowsched.backend import Backend
from slowsched.store.items import ItemStore
from slowsched.store.memory import MemoryStore
from slowsched.timer.memory import MemoryTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from slowsched.store.codec import Item


class Call(NamedTuple):
    """What a process sends next: a method of the world, and its arguments."""

    name: str
    arguments: tuple[Any, ...]


class _Unanswered(BaseException):
    """The process has come to a call without an answer."""


@dataclass(frozen=True)
class World:
    """The table, the timer, the clock, and how often somebody slept; never changed in place."""

    items: Mapping[str, Item]
    control_items: Mapping[str, Item]
    armed: datetime | None
    now: datetime
    sleeps: int = 0

    def key(self) -> str:
        """Return a text that only equal worlds have."""
        return repr((sorted(self.items.items()), sorted(self.control_items.items()), self.armed, self.now, self.sleeps))

    def store(self) -> MemoryStore:
        """Return a store that holds what this world holds, to look at or to change."""
        store = MemoryStore()
        store.items, store.control_items = dict(self.items), dict(self.control_items)
        return store

    def answer(self, call: Call) -> tuple[World, Any]:
        """Return the world after a call, and what the caller is told."""
        if call.name == "arm":
            return replace(self, armed=call.arguments[0]), None
        if call.name == "armed":
            return self, self.armed
        if call.name == "sleep":
            return replace(self, sleeps=self.sleeps + 1), None
        store = self.store()
        answer = getattr(store, call.name)(*call.arguments)
        if call.name.startswith("_write"):
            return replace(self, items=store.items, control_items=store.control_items), answer
        return self, list(answer) if call.name in {"agenda", "_read_summaries"} else answer


@dataclass(frozen=True)
class _Step:
    answer: Any
    now: datetime


class _Replay:
    """The answers that a process had so far; at the end of them it stops."""

    def __init__(self, steps: Sequence[_Step], start: datetime) -> None:
        self._steps = iter(steps)
        self.now = start
        self.pending: Call | None = None

    def call(self, name: str, *arguments: Any) -> Any:
        step = None if self.pending is not None else next(self._steps, None)
        if step is None:
            # What the process does on its way out (finally) is not its next call.
            self.pending = self.pending or Call(name, arguments)
            raise _Unanswered
        self.now = step.now
        return step.answer


class _ReplayStore(ItemStore):
    def __init__(self, replay: _Replay, write_ids: Callable[[], str]) -> None:
        super().__init__(write_ids=write_ids)
        self._replay = replay

    def _read_rows(self, task_ids: Sequence[str]) -> Any:
        return self._replay.call("_read_rows", tuple(task_ids))

    def _read_summaries(self) -> Iterator[Sequence[Any]]:
        return iter(self._replay.call("_read_summaries"))

    def agenda(self, until: datetime) -> Iterator[str]:
        return iter(self._replay.call("agenda", until))

    def _read_wake(self, after: str) -> Any:
        return self._replay.call("_read_wake", after)

    def _write_row(self, item: Item, expect_version: int) -> Any:
        return self._replay.call("_write_row", item, expect_version)

    def _read_control(self) -> Any:
        return self._replay.call("_read_control")

    def _write_control(self, item: Item, expect_version: int) -> Any:
        return self._replay.call("_write_control", item, expect_version)


class _ReplayTimer(MemoryTimer):
    def __init__(self, replay: _Replay, manners: Mapping[str, timedelta]) -> None:
        super().__init__(**manners)
        self._replay = replay

    def _write(self, moment: datetime) -> None:
        self._replay.call("arm", moment)

    def armed(self) -> datetime | None:
        return self._replay.call("armed")


@dataclass
class _Process:
    name: str
    run: Callable[[Backend], object]
    manners: Mapping[str, timedelta]
    start: datetime
    owner: str = OWNER
    _calls: dict[str, Call | None] = field(default_factory=dict)

    def next_call(self, key: str, steps: Sequence[_Step]) -> Call | None:
        """Return what this process sends after these answers; None when it has come to its end."""
        if key not in self._calls:
            self._calls[key] = self._replayed(steps)
        return self._calls[key]

    def _replayed(self, steps: Sequence[_Step]) -> Call | None:
        replay = _Replay(steps, self.start)
        nonces, write_ids = count(1), count(1)
        backend = Backend(
            environment="local",
            owner=self.owner,
            store=_ReplayStore(replay, lambda: f"{self.name} w{next(write_ids)}"),
            timer=_ReplayTimer(replay, self.manners),
            clock=lambda: replay.now,
            sleep=lambda _seconds: replay.call("sleep"),
            chance=lambda: 0.0,
            nonce=lambda: f"{self.name} n{next(nonces)}",
        )
        with suppress(_Unanswered):
            self.run(backend)
        return replay.pending


@dataclass(frozen=True)
class Ending:
    """A world in which every process has come to its end, and one way that leads there."""

    world: World
    way: tuple[str, ...]


def endings(
    world: World,
    processes: Mapping[str, Callable[[Backend], object]],
    manners: Mapping[str, timedelta],
    owners: Mapping[str, str] | None = None,
) -> Iterator[Ending]:
    """Yield every world in which these processes can end, whatever the order of their calls."""
    running = [
        _Process(name, run, manners, world.now, (owners or {}).get(name, OWNER)) for name, run in processes.items()
    ]
    start = tuple(("", ()) for _ in running)
    stack: list[tuple[World, tuple[tuple[str, tuple[_Step, ...]], ...], tuple[str, ...]]] = [(world, start, ())]
    seen: set[tuple[str, ...]] = set()
    while stack:
        here, histories, way = stack.pop()
        mark = (here.key(), *(key for key, _ in histories))
        if mark in seen:
            continue
        seen.add(mark)
        ended = True
        for index, process in enumerate(running):
            key, steps = histories[index]
            call = process.next_call(key, steps)
            if call is None:
                continue
            ended = False
            after, answer = here.answer(call)
            history = (_longer(key, answer), (*steps, _Step(answer, after.now)))
            stack.append(
                (after, (*histories[:index], history, *histories[index + 1 :]), (*way, f"{process.name}: {call.name}"))
            )
        if ended:
            yield Ending(world=here, way=way)


_names: dict[tuple[str, str], str] = {}


def _longer(key: str, answer: Any) -> str:
    """Return a short name for a history with one more answer; equal histories have equal names."""
    return _names.setdefault((key, repr(answer)), str(len(_names)))
