"""The worker as a function on Lambda: invocations, their retries, the kill at the time-out, and what actions do.

What an action does is told by its payload. An execution goes on until it ends, or until its process does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from simulation.faults import Fault
from slowsched.errors import SlowschedError
from slowsched.execute import Finished
from slowsched.model import Outcome, OutcomeKind, Worker
from slowsched.wake import WakeRequest, wake

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from simulation.hub import Process
    from simulation.world import World
    from slowsched.execute import Attempt
    from slowsched.model import Row
    from slowsched.reports import WakeReport

TIMEOUT_SECONDS = 900  # the function's: terraform/module
RETRY_SECONDS = (60.0, 120.0)  # Lambda's, of a failed invocation
START_SECONDS = 2.0
KILL_SECONDS = 600.0


class Function:
    """The function: every event is an invocation in a process of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.invocations = 0

    def invoke(self, origin: str, retries: tuple[float, ...] = RETRY_SECONDS) -> None:
        """Start one invocation."""
        world = self._world
        self.invocations += 1
        process = world.process(f"wake {world.hub.now:%d %H:%M:%S} {origin}", owner="")
        old = process.chance.random()
        if process.row_format > 1 and world.faults.of_event(Fault.OLD_WORKER, process, old, "old"):
            process.row_format = 1
        runner = SimulatedRunner(world, process)

        def run() -> None:
            process.rest(process.chance.uniform(0.0, START_SECONDS))
            try:
                self._wake(process, runner)
            except SlowschedError as error:
                world.failed(process, error)
                self._again(process, origin, retries)
            runner.end()

        process.on_death = partial(self._again, process, origin, retries)
        killed, seconds = process.chance.random(), KILL_SECONDS ** process.chance.random()
        if world.faults.of_event(Fault.KILLED, process, killed, "killed"):
            world.hub.later(seconds, partial(self._kill, process, "killed"))
        world.hub.later(TIMEOUT_SECONDS, partial(self._kill, process, "killed at the function's time-out"))
        world.begin(process, run)

    def _wake(self, process: Process, runner: SimulatedRunner) -> None:
        world = self._world
        announce = Worker(slowsched="1", row_format=process.row_format, actions=tuple(sorted(world.known_actions())))
        report = wake(world.backend(process), runner, WakeRequest(announce=announce))  # type: ignore[arg-type]
        world.reported(process, report)
        if runner.overrun:
            # As lambda_worker does: the process ends before it answers, which Lambda takes for a failure.
            world.died(process, "ends with an attempt that does not stop")
            process.check()
        _check(report)

    def _kill(self, process: Process, how: str) -> None:
        if process.alive:
            self._world.faults.lasts(self._world.hub.now)
            self._world.died(process, how)

    def _again(self, process: Process, origin: str, retries: tuple[float, ...]) -> None:
        if not retries:
            return
        lost = process.chance.random()
        if not self._world.faults.of_event(Fault.RETRY_LOST, process, lost, "retry"):
            again = partial(self.invoke, f"{origin}, tried again", retries[1:])
            self._world.hub.later(retries[0], again)


def _check(report: WakeReport) -> None:
    """Fail as the function does when something was left undone that another wake may mend."""
    if report.timer_error is not None:
        raise SlowschedError(report.timer_error)
    if report.errors:
        raise SlowschedError("; ".join(report.errors))


@dataclass
class Execution:
    """One execution of an action: whose, of what, and from when to when."""

    process: Process
    row: Row
    token: str
    began: datetime
    ended: datetime | None = None
    complete: bool = False


class SimulatedRunner:
    """A `Runner` in virtual time: the same interface, with actions that do what their payload says."""

    def __init__(self, world: World, process: Process, parallel: int = 16) -> None:
        self._world = world
        self._process = process
        self._parallel = parallel
        self._running: dict[str, Execution] = {}
        self._given_up: list[Execution] = []
        self._finished: list[Finished] = []
        self._waits: Any = None
        self._waited = 0

    def knows(self, name: str) -> bool:
        return name in self._world.known_actions()

    @property
    def busy(self) -> int:
        return len(self._running) + len(self._finished)

    @property
    def free(self) -> int:
        return self._parallel - self.busy - len(self._hosted())

    @property
    def overrun(self) -> bool:
        return bool(self._hosted())

    def _hosted(self) -> list[Execution]:
        return [each for each in self._given_up if each.ended is None]

    def start(self, token: str, row: Row, _attempt: Attempt, timeout: timedelta) -> None:
        """Begin an attempt."""
        world, process = self._world, self._process
        execution = Execution(process=process, row=row, token=token, began=world.hub.now)
        self._running[token] = execution
        world.began(execution)
        does = row.task.payload
        seconds = float(does.get("seconds", 0.0))
        if does.get("to the end of its lease") and row.claim is not None:
            seconds = (row.claim.lease_end - process.clock()).total_seconds()
        if "hangs" not in does:
            world.hub.later(seconds, partial(self._ends, execution))
        world.hub.later(max(timeout.total_seconds(), 0.0), partial(self._give_up, execution))
        kills = process.chance.random(), process.chance.random() * max(seconds, 1.0)
        if world.faults.of_event(Fault.ACTION_KILLS, process, kills[0], f"kills {row.id}"):
            world.hub.later(kills[1], partial(self._kills, execution, "its action kills it"))

    def _ends(self, execution: Execution) -> None:
        process, world = self._process, self._world
        if not process.alive or execution.ended is not None:
            return
        if process.frozen_until is not None and world.hub.now < process.frozen_until:
            world.hub.at(process.frozen_until, partial(self._ends, execution))
            return
        outcome = self._outcome(execution)
        execution.complete = outcome.kind is OutcomeKind.SUCCEEDED
        world.execution_ended(execution)
        after = process.chance.random()
        mark = f"after {execution.row.id}"
        if execution.complete and world.faults.of_event(Fault.ACTION_KILLED_AFTER, process, after, mark):
            self._kills(execution, "killed right after its action succeeded")
            return
        if self._running.pop(execution.token, None) is not None:
            self._finished.append(Finished(token=execution.token, outcome=outcome))
            self._go_on()

    def _outcome(self, execution: Execution) -> Outcome:
        does, row = execution.row.task.payload, execution.row
        if row.attempt <= does.get("failures", 0):
            return Outcome(kind=OutcomeKind.FAILED, message="it raises", retryable=not does.get("permanent"))
        return Outcome(kind=OutcomeKind.SUCCEEDED)

    def _give_up(self, execution: Execution) -> None:
        process = self._process
        if not process.alive or execution.token not in self._running:
            return
        if process.frozen_until is not None and self._world.hub.now < process.frozen_until:
            self._world.hub.at(process.frozen_until, partial(self._give_up, execution))
            return
        del self._running[execution.token]
        self._given_up.append(execution)
        self._world.checks.given_up()
        self._finished.append(Finished(token=execution.token, outcome=Outcome(kind=OutcomeKind.TIMED_OUT)))
        self._go_on()

    def _kills(self, execution: Execution, how: str) -> None:
        if self._process.alive and (execution.ended is None or execution.complete):
            self._world.died(self._process, how)

    def wait(self, seconds: float | None = None) -> list[Finished]:
        """Wait until an attempt has its outcome, or `seconds` are over."""
        if self._running and not self._finished and (seconds is None or seconds > 0):
            self._waits = getcurrent()
            self._waited += 1
            if seconds is not None:
                self._world.hub.later(max(seconds, 0.0), partial(self._over, self._waited))
            self._process.wait()
        finished, self._finished = self._finished, []
        return finished

    def _over(self, waited: int) -> None:
        if self._waited == waited:
            self._go_on()

    def _go_on(self) -> None:
        waiting, self._waits = self._waits, None
        if waiting is not None:
            self._world.hub.later(0, partial(self._process.go, waiting))

    def end(self) -> None:
        """End what still runs, with the process."""
        for execution in (*self._running.values(), *self._given_up):
            if execution.ended is None:
                self._world.execution_ended(execution)
