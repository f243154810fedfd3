"""Virtual time, and processes that run one at a time, each until its next call.

The hub holds what is to happen when. A process is made of strands (greenlets), one for each of its threads; a
strand that waits has told the hub when it goes on, so that the code under test stays synchronous and unaware.
"""

from __future__ import annotations

import heapq
from datetime import timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from random import Random

STRANDS = 16  # calls that one process makes at once, as production does (aws.PARALLEL_CALLS)


class Gone(BaseException):
    """The process has died: nothing that it still tries reaches anybody."""


class EndlessError(Exception):
    """A day has so many steps that something goes round in circles."""


class Hub:
    """The queue of what happens when. `now` is the true time, which no process sees; `steps` counts decisions."""

    def __init__(self, start: datetime, steps_a_day: int) -> None:
        self.now = start
        self._steps_a_day = steps_a_day
        self.steps = 0
        self.over = False
        self.greenlet = getcurrent()
        self._queue: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = count()

    def at(self, moment: datetime, do: Callable[[], object]) -> None:
        """Let something happen at a moment, at once when that has passed."""
        heapq.heappush(self._queue, (max(moment, self.now), next(self._order), do))

    def later(self, seconds: float, do: Callable[[], object]) -> None:
        """Let something happen after a while."""
        self.at(self.now + timedelta(seconds=seconds), do)

    def next_event(self) -> datetime | None:
        """Return when something happens next."""
        return self._queue[0][0] if self._queue else None

    def run(self, until: datetime) -> None:
        """Let time pass."""
        self.greenlet = getcurrent()
        queue, day, day_began = self._queue, self.now.date(), self.steps
        while queue and not self.over and queue[0][0] <= until:
            self.now, _, do = heapq.heappop(queue)
            self.steps += 1
            if self.now.date() != day:
                day, day_began = self.now.date(), self.steps
            elif self.steps - day_began > self._steps_a_day:
                raise EndlessError(f"more than {self._steps_a_day} steps in a day")
            do()
        if not self.over:
            self.now = max(self.now, until)


class Process:
    """A process of the world: alive until it ends or is killed, now and then frozen, with a clock of its own.

    `calls` counts what it sent; `chance` decides what befalls it, whatever others do.
    """

    def __init__(self, hub: Hub, name: str, chance: Random, *, owner: str, skew: timedelta) -> None:
        self.hub = hub
        self.name = name
        self.chance = chance
        self.owner = owner
        self.skew = skew
        self.alive = True
        self.frozen_until: datetime | None = None
        self.calls = 0
        self.row_format = 1
        self.began = hub.now
        self.arms = False  # whether it has said that the timer is set
        self.on_death: Callable[[], object] = lambda: None
        self._waiting: set[Any] = set()

    def clock(self) -> datetime:
        """Return what this process takes for now."""
        return self.hub.now + self.skew

    def strand(self, run: Callable[[], object]) -> None:
        """Begin a strand, which runs at once until it waits."""
        self.go(greenlet(run, parent=self.hub.greenlet))

    def go(self, strand: Any) -> None:
        """Let a strand go on; one of a frozen process goes on when that is thawed."""
        if not self.alive:
            return
        if self.frozen_until is not None and self.hub.now < self.frozen_until:
            self.hub.at(self.frozen_until, partial(self.go, strand))
            return
        strand.switch()

    def wait(self) -> None:
        """Wait until somebody lets this strand go on."""
        strand = getcurrent()
        self._waiting.add(strand)
        self.hub.greenlet.switch()
        self._waiting.discard(strand)
        self.check()

    def rest(self, seconds: float) -> None:
        """Let time pass for this strand."""
        self.check()
        self.hub.later(max(seconds, 0.0), partial(self.go, getcurrent()))
        self.wait()

    def check(self) -> None:
        """Go no further when the process has died."""
        if not self.alive:
            raise Gone

    def freeze(self, until: datetime) -> None:
        """Let nothing of this process go on before a moment."""
        self.frozen_until = until

    def kill(self) -> None:
        """End the process where it is; called by the hub, or by a strand of it, which ends last."""
        if not self.alive:
            return
        self.alive = False
        for strand in list(self._waiting):
            if strand is not getcurrent():
                strand.throw(Gone)


class Strands:
    """The threads of one process, in place of a `ThreadPoolExecutor`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def map(self, function: Callable[..., Any], *arguments: Iterable[Any]) -> Iterator[Any]:
        """Call a function on many arguments side by side; answers in their order."""
        jobs = list(zip(*arguments, strict=True))
        answers: list[Any] = [None] * len(jobs)
        order = list(range(len(jobs)))
        self._process.chance.shuffle(order)
        main, left = getcurrent(), len(jobs)

        def work() -> None:
            nonlocal left
            while order:
                index = order.pop()
                try:
                    answers[index] = function(*jobs[index])
                except Gone:
                    return
                except Exception as error:  # noqa: BLE001 - raised where the answer is taken
                    answers[index] = _Raised(error)
                left -= 1
            if left == 0:
                self._process.hub.later(0, partial(self._process.go, main))

        for _ in range(min(STRANDS, len(jobs))):
            self._process.hub.later(0, partial(self._process.strand, work))
        if jobs:
            self._process.wait()
        return map(_given, answers)


class _Raised:
    def __init__(self, error: Exception) -> None:
        self.error = error


def _given(answer: Any) -> Any:
    if isinstance(answer, _Raised):
        raise answer.error
    return answer
