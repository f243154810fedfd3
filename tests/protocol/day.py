"""A day in the life of a table: processes, a timer with EventBridge's manners, and time that passes.

Every call takes a while, and takes effect somewhere in that while; a write of the timer is in force only
after its propagation; a wake is delivered late, and may be cut short. One seed is one day, replayed exactly. Each
process is a thread, and only one of them ever runs: it stops at every call until the day lets it go on. Faults are
no part of it: they are the simulator's (tests/simulation), whose wakes are always whole.
"""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

from protocol.fakes import DELIVERY, EVENTBRIDGE, NOW, PROPAGATION, InlineRunner, WireStore, WireTimer
from values import MINUTE, OWNER

from slowsched.backend import Backend
from slowsched.execute import Registry
from slowsched.store.memory import MemoryStore
from slowsched.wake import WakeRequest, wake

if TYPE_CHECKING:
    from collections.abc import Callable

WAY_SECONDS_MAX = 0.5  # a call takes effect after one way, and its answer is back after another


class _Over(BaseException):
    """The day is over: the process goes no further, whatever it still tries."""


class _Wire:
    """Every call waits for its turn: once until it takes effect, once until its answer is back."""

    def __init__(self, day: Day, process: _Process) -> None:
        self._day = day
        self._process = process

    def send(self, _name: str, call: Callable[[], Any]) -> Any:
        """Send one call."""
        self._process.pass_time(self._day.chance.uniform(0.0, WAY_SECONDS_MAX))
        answer = call()
        self._process.pass_time(self._day.chance.uniform(0.0, WAY_SECONDS_MAX))
        return answer


class _Process:
    """A thread that only runs while the day waits for it."""

    def __init__(self, day: Day) -> None:
        self._day = day
        self._go = threading.Event()
        self._rests = threading.Event()
        self.error: BaseException | None = None
        self.ended = False

    def _main(self, run: Callable[[], object]) -> None:
        self._go.wait()
        try:
            run()
        except _Over:
            pass
        except BaseException as error:  # noqa: BLE001 - told to the test
            self.error = error
        self.ended = True
        self._rests.set()

    def begin(self, run: Callable[[], object]) -> None:
        """Run until the first call."""
        threading.Thread(target=self._main, args=(run,), daemon=True).start()
        self.go_on()

    def go_on(self) -> None:
        """Run until the next call, or the end."""
        self._rests.clear()
        self._go.set()
        self._rests.wait()

    def pass_time(self, seconds: float) -> None:
        """Wait, in this process, until that much time has passed."""
        self._go.clear()
        self._day.later(timedelta(seconds=seconds), self.go_on)
        self._rests.set()
        self._go.wait()
        if self._day.over:
            raise _Over


@dataclass
class Day:
    """A day: a queue of what happens when.

    `cut_short` is the share of wakes that may leave something to do. `ran` says when each task was executed, `errors`
    what processes failed of.
    """

    seed: int
    cut_short: float
    now: datetime = NOW
    over: bool = False
    ran: dict[str, list[datetime]] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)
    _queue: list[tuple[datetime, int, Callable[[], object]]] = field(default_factory=list)
    _order: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)  # noqa: S311 - to be replayed
        self.table = MemoryStore()
        self._armings: list[tuple[datetime, datetime]] = []  # in force from, minute
        self._processes: list[_Process] = []

    # --- what happens ---

    def later(self, after: timedelta, do: Callable[[], object]) -> None:
        """Let something happen after a while."""
        heapq.heappush(self._queue, (self.now + after, next(self._order), do))

    def start(self, run: Callable[[Backend], object], *, at: datetime | None = None, owner: str = OWNER) -> None:
        """Start a process, now or at a moment."""
        self.later((at or self.now) - self.now, lambda: self._begin(run, owner))

    def _begin(self, run: Callable[[Backend], object], owner: str) -> None:
        process = _Process(self)
        self._processes.append(process)
        backend = self._backend(process, f"p{len(self._processes)}", owner)
        process.begin(lambda: run(backend))

    def start_worker(self) -> None:
        """Start one wake."""
        request = WakeRequest()
        if self.chance.random() < self.cut_short:
            stopped = self.now + timedelta(seconds=self.chance.uniform(0.0, 20.0))
            request = self.chance.choice(
                [
                    WakeRequest(limit=1),
                    WakeRequest(budget=MINUTE),
                    WakeRequest(stop=lambda: self.now >= stopped),
                ]
            )
        self.start(lambda backend: wake(backend, self._runner(backend), request))

    def run(self, length: timedelta) -> None:
        """Let time pass, minute by minute for the timer, until the day is over."""
        end = self.now + length
        for minutes in range(1, length // MINUTE):
            self.later(minutes * MINUTE, self._tick)
        while self._queue and self._queue[0][0] <= end:
            self.now, _, do = heapq.heappop(self._queue)
            do()
        self.over = True
        for process in self._processes:
            if not process.ended:
                process.go_on()
        self.errors += [process.error for process in self._processes if process.error is not None]

    def _tick(self) -> None:
        """A minute begins: the timer's write that is in force by now may be for it."""
        in_force = [minute for since, minute in self._armings if since <= self.now]
        if in_force and in_force[-1] == self.now:
            self.later(timedelta(seconds=self.chance.uniform(0.0, DELIVERY.total_seconds())), self.start_worker)

    def _arm(self, minute: datetime) -> None:
        since = self.now + timedelta(seconds=self.chance.uniform(0.0, PROPAGATION.total_seconds()))
        # What is written later is in force later: it never falls behind an earlier write.
        since = max([since, *(each for each, _ in self._armings[-1:])])
        self._armings.append((since, minute))

    # --- what a process works with ---

    def _backend(self, process: _Process, name: str, owner: str) -> Backend:
        wire = _Wire(self, process)
        nonces = count(1)
        return Backend(
            environment="local",
            owner=owner,
            store=WireStore(wire, beside=self.table),
            timer=_Timer(wire, self._arm),
            clock=lambda: self.now,
            sleep=process.pass_time,
            chance=self.chance.random,
            nonce=lambda: f"{name} {next(nonces)}",
        )

    def _runner(self, backend: Backend) -> InlineRunner:
        registry = Registry()

        def act(payload: Any, attempt: Any) -> None:
            self.ran.setdefault(attempt.task_id, []).append(self.now)
            backend.sleep(payload["seconds"])
            if attempt.number <= payload.get("failures", 0):
                raise ValueError

        registry.add("APPLY_SALE", act)
        return InlineRunner(registry)


class _Timer(WireTimer):
    """A timer whose writes are in force later."""

    def __init__(self, wire: Any, arm: Callable[[datetime], None]) -> None:
        super().__init__(wire, **EVENTBRIDGE)
        self._arm = arm

    def _write(self, moment: datetime) -> None:
        self._wire.send("arm", lambda: self._arm(moment))

    def armed(self) -> datetime | None:
        return None
