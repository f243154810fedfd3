"""Fakes for the protocol tests: a clock that sleeping moves, and a store and timer whose every call is seen.

    scene = a_scene(a_row(id="a"), due_now=...)   a backend on real fakes, with rows in it
    scene.wire.calls                              what went over the wire, in order

A call on the wire is what a real adapter would send: one read, one conditional write, one arming.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from values import MINUTE, OWNER, a_row, a_task, at

from slowsched.backend import Backend
from slowsched.execute import Finished, Registry, Runner, run_attempt
from slowsched.model import Declared, Place
from slowsched.store.memory import MemoryStore
from slowsched.timer.memory import MemoryTimer
from slowsched.wake import WakeRequest, wake

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from slowsched.execute import Attempt
    from slowsched.model import Row
    from slowsched.reports import WakeReport

NOW = at("2030-01-01T12:00:00Z")
SECOND = timedelta(seconds=1)
LEAD, PROPAGATION, DELIVERY = 90 * SECOND, 60 * SECOND, 30 * SECOND  # EventBridge's
NEAR = 75 * SECOND

_write_ids = count(1)  # of all stores: no two writes may share one

T = TypeVar("T")


class Clock:
    """A clock that only moves when it is told to, or slept on."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now
        self.slept: list[float] = []
        self.on_sleep: Callable[[], object] = lambda: None

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass, and whatever a test lets happen meanwhile."""
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        self.on_sleep()


class TickingClock(Clock):
    """A clock that goes as real time does: for waiting on threads, where sleeping on a fake would be over at once."""

    def __init__(self, now: datetime = NOW) -> None:
        super().__init__(now)
        self._began = time.monotonic()

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self._began)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait in real time until something another thread does has come about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.002)


class Crash(BaseException):
    """The process is gone: nothing that it still tries reaches anybody."""


class Wire:
    """What lies between a process and its backend: it writes down every call and can let any of them fail.

    `before` and `after` are told the name of each call; what they raise is what the caller sees.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.before: Callable[[str], object] = lambda _name: None
        self.after: Callable[[str], object] = lambda _name: None

    def send(self, name: str, call: Callable[[], T]) -> T:
        """Send one call."""
        self.before(name)
        self.calls.append(name)
        answer = call()
        self.after(name)
        return answer

    def crash_at(self, step: int) -> None:
        """Let the process be gone at a step; every call is two, its sending and its answer."""
        steps = count()

        def hit(_name: str) -> None:
            if next(steps) >= step:
                raise Crash

        self.before = self.after = hit

    def heal(self) -> None:
        """Let everything through again."""
        self.before = self.after = lambda _name: None

    def fail(self, prefix: str, error: Exception, *, times: int = 1_000_000, nth: int = 1) -> None:
        """Let calls whose name starts with `prefix` fail before they are sent, so many from the nth on."""
        seen = count(1)

        def refuse(name: str) -> None:
            if name.startswith(prefix) and nth <= next(seen) < nth + times:
                raise error

        self.before = refuse

    def on(self, prefix: str, do: Callable[[], object], *, nth: int = 1) -> None:
        """Let something happen just before the nth call whose name starts with `prefix`."""
        seen = count(1)

        def meanwhile(name: str) -> None:
            if name.startswith(prefix) and next(seen) == nth:
                self.before = lambda _name: None
                do()

        self.before = meanwhile


class WireStore(MemoryStore):
    """A store in memory behind a wire; several may share the same items, as processes share a table."""

    def __init__(self, wire: Wire, beside: MemoryStore | None = None) -> None:
        super().__init__(write_ids=lambda: f"w{next(_write_ids)}")
        self._wire = wire
        if beside is not None:
            self.items = beside.items
            self.control_items = beside.control_items
            self._lock = beside._lock  # noqa: SLF001 - the lock of what they share

    def _read_rows(self, task_ids: Any) -> Any:
        return self._wire.send("read rows", lambda: super(WireStore, self)._read_rows(task_ids))

    def _read_summaries(self) -> Any:
        return self._wire.send("read table", lambda: super(WireStore, self)._read_summaries())

    def agenda(self, until: datetime) -> Any:
        return self._wire.send("read agenda", lambda: super(WireStore, self).agenda(until))

    def _read_wake(self, after: str) -> Any:
        return self._wire.send("read wake", lambda: super(WireStore, self)._read_wake(after))

    def _write_row(self, item: Any, expect_version: int) -> Any:
        name = f"put {item['id']} {item['state']}"
        return self._wire.send(name, lambda: super(WireStore, self)._write_row(item, expect_version))

    def _read_control(self) -> Any:
        return self._wire.send("read control", lambda: super(WireStore, self)._read_control())

    def _write_control(self, item: Any, expect_version: int) -> Any:
        return self._wire.send("put control", lambda: super(WireStore, self)._write_control(item, expect_version))


class WireTimer(MemoryTimer):
    """A timer in memory behind a wire."""

    def __init__(self, wire: Wire, **manners: timedelta) -> None:
        super().__init__(**manners)
        self._wire = wire

    def _write(self, moment: datetime) -> None:
        self._wire.send(f"arm {moment:%H:%M}", lambda: super(WireTimer, self)._write(moment))

    def armed(self) -> datetime | None:
        return self._wire.send("read timer", lambda: super(WireTimer, self).armed())


@dataclass
class Scene:
    """A backend on real fakes, with the fakes at hand."""

    wire: Wire
    store: WireStore
    timer: WireTimer
    clock: Clock
    backend: Backend
    executed: list[str] = field(default_factory=list)

    def put(self, *rows: Row) -> None:
        """Plant rows over whatever is there, without a call on the wire."""
        store = MemoryStore()
        for row in rows:
            store.put(row, 0)
        self.store.items.update(store.items)

    def row(self, task_id: str = "some task id") -> Any:
        """Return a row as it stands, without a call on the wire."""
        return self._bare().get(task_id)

    def control(self) -> Any:
        """Return the control row as it stands, without a call on the wire."""
        return self._bare().control()

    def next_wake(self) -> datetime | None:
        """Return the earliest wake as it stands, without a call on the wire."""
        return self._bare().next_wake()

    @property
    def armed(self) -> datetime | None:
        """The minute that the timer is set to."""
        return self.timer.writes[-1] if self.timer.writes else None

    def beside(self, **overrides: Any) -> Backend:
        """Return the backend of another process on the same rows, timer and clock, with a quiet wire."""
        store = WireStore(Wire(), beside=self.store)
        quiet = MemoryTimer(lead=self.timer.lead, propagation=self.timer.propagation, delivery=self.timer.delivery)
        quiet.writes = self.timer.writes
        nonces = count(1)
        given = {"store": store, "timer": quiet, "nonce": lambda: f"other{next(nonces)}"} | overrides
        return replace(self.backend, **given)

    def runner(self, parallel: int = 16, **actions: Callable[[Any, Attempt], object]) -> Runner:
        """Return a runner that knows these actions, and APPLY_SALE, which only says that it was here."""
        return Runner(self.registry(**actions), parallel=parallel)

    def ticking(self) -> Scene:
        """Return this scene with a clock that goes as real time does."""
        return replace(self, backend=replace(self.backend, clock=TickingClock(self.clock.now)))

    def inline_runner(self, **actions: Callable[[Any, Attempt], object]) -> InlineRunner:
        """Return a runner without threads."""
        return InlineRunner(self.registry(**actions))

    def registry(self, **actions: Callable[[Any, Attempt], object]) -> Registry:
        """Return a registry of these actions, and of APPLY_SALE, which only says that it was here."""

        def apply_sale(_payload: Any, attempt: Attempt) -> None:
            self.executed.append(attempt.task_id)
            self.wire.calls.append(f"execute {attempt.task_id}")

        registry = Registry()
        for name, function in ({"APPLY_SALE": apply_sale} | actions).items():
            registry.add(name, function)
        return registry

    def _bare(self) -> MemoryStore:
        store = MemoryStore()
        store.items, store.control_items = self.store.items, self.store.control_items
        return store


def a_scene(*rows: Row, now: datetime = NOW, standing: bool = False, **manners: timedelta) -> Scene:
    """Return a backend with these rows; `manners` are the timer's (`**EVENTBRIDGE`), none by default."""
    wire, clock, nonces = Wire(), Clock(now), count(1)
    store, timer = WireStore(wire), WireTimer(wire, **manners)
    backend = Backend(
        environment="local",
        owner=OWNER,
        store=store,
        timer=timer,
        clock=clock,
        sleep=clock.sleep,
        chance=lambda: 0.0,
        nonce=lambda: f"token{next(nonces)}",
        standing=standing,
    )
    scene = Scene(wire=wire, store=store, timer=timer, clock=clock, backend=backend)
    scene.put(*rows)
    return scene


EVENTBRIDGE = {"lead": LEAD, "propagation": PROPAGATION, "delivery": DELIVERY}


def due(seconds: float = 0, **overrides: Any) -> Row:
    """Return a scheduled row that is due so many seconds from `NOW`."""
    return a_row(**({"due": NOW + timedelta(seconds=seconds)} | overrides))


def declared(task_id: str = "some task id", *, minutes: float = 60, **overrides: Any) -> Declared:
    """Return a task that a file declares, due so many minutes from `NOW`."""
    task = a_task(**({"id": task_id, "due": NOW + minutes * MINUTE} | overrides))
    return Declared(task=task, place=Place(path=f"tasks/{task_id}.yaml"))


class InlineRunner:
    """Runs each attempt where it is started, so that nothing depends on how threads are scheduled."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._finished: list[Finished] = []
        self.free = 16
        self.overrun = False

    @property
    def busy(self) -> int:
        """How many outcomes have not been fetched yet."""
        return len(self._finished)

    def knows(self, name: str) -> bool:
        """Say whether there is a function for an action."""
        return name in self._registry

    def start(self, token: str, row: Row, attempt: Attempt, timeout: timedelta) -> None:
        """Run an attempt to its end."""
        function = self._registry.get(row.task.action)
        assert function is not None
        outcome = run_attempt(function, row.task.payload, attempt, timeout)
        self._finished.append(Finished(token=token, outcome=outcome))

    def wait(self, _seconds: float | None = None) -> list[Finished]:
        """Return the outcomes so far."""
        finished, self._finished = self._finished, []
        return finished


def woken(scene: Scene, runner: Runner | InlineRunner | None = None, **request: Any) -> WakeReport:
    """Do one wake, with APPLY_SALE known unless a runner is given, and return its report."""
    return wake(scene.backend, runner or scene.runner(), WakeRequest(**request))


def told(report: WakeReport) -> list[tuple[str, str, str]]:
    """Return what became of each attempt: its task, outcome, and the state of its row, sorted."""
    return sorted((each.id, each.outcome.value, each.state.value) for each in report.attempts)
