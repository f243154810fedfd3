"""One world: a table, a timer, a function, a repository and people, put together from a scenario and run to its end.

    world = World(a_scenario(7))
    world.run()
    world.violation      what did not hold, None when all did

The production code is put together here as `slowsched.aws_backend` does: the store on DynamoDB, a timer on
EventBridge, clocks and tokens of the process. Nothing of it is changed.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from simulation import dynamodb, eventbridge
from simulation.checks import Checks, Violation
from simulation.faults import HEARTBEAT, Fault, Faults
from simulation.function import Function
from simulation.hub import EndlessError, Gone, Hub, Process, Strands
from simulation.network import Wire
from simulation.people import People
from slowsched.backend import Backend
from slowsched.errors import SlowschedError
from slowsched.store.dynamodb import DynamoStore
from slowsched.timer.rule import RuleTimer
from slowsched.timer.schedule import ScheduleTimer
from slowsched.timer.settings import TimerSettings
from slowsched.timing import stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from simulation.function import Execution
    from simulation.scenario import Scenario
    from slowsched.reports import WakeReport

SKEW_SECONDS = 5.0  # a clock is off by no more, so that two differ by no more than lifecycle.CLOCK_SKEW
BAD_SKEW_SECONDS = 120.0
STEPS_A_TASK = 1000  # a day that has more goes round in circles
IDLE_SAMPLE = 0.01  # of heartbeats that would find nothing, how many are run all the same


class SimulatedStore(DynamoStore):
    """The store of production; only its threads are strands of the process."""

    def __init__(self, process: Process, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._strands = Strands(process)

    def _threads(self) -> Any:
        return self._strands


class World:
    """The state of one run."""

    def __init__(self, scenario: Scenario, *, left_out: frozenset[tuple[str, int]] = frozenset()) -> None:
        self.scenario = scenario
        self.hub = Hub(scenario.start, STEPS_A_TASK * max(20, len(scenario.commits[0][min(scenario.commits[0])])))
        self.chance = Random(f"{scenario.seed}/world")  # noqa: S311 - to be replayed
        self.faults = Faults(self.hub, scenario.rates, until=scenario.end, left_out=left_out)
        self.story: list[tuple[datetime, str, str]] = []
        self.violation: Violation | None = None
        self.figures: Counter[str] = Counter()
        self.table = dynamodb.Table(self.hub)
        self.checks = Checks(self)
        self.table.watch = self.checks.written
        self.function = Function(self)
        self.alarm = eventbridge.Alarm(self, scenario.timer, self.function.invoke)
        self.people = People(self)
        self._outages: list[tuple[str, datetime, datetime]] = []
        self._alive: dict[str, Process] = {}
        self._idle_mark: object = None
        buckets = {"bucket": {"N": "0"}, "id": {"S": dynamodb.CONTROL}, "version": {"N": "0"}}
        self.table.set(("0", dynamodb.CONTROL), {**buckets, "buckets": {"N": str(scenario.buckets)}}, None)

    # --- what happens ------------------------------------------------------------------------------

    def run(self) -> None:
        """Run everything: what the scenario says, then the time after it in which all must converge."""
        try:
            self._run()
        except EndlessError as error:
            self.violated("nothing goes round in circles", str(error))
        self.figures["steps"] = self.hub.steps
        self.figures["seconds"] = int((self.hub.now - self.scenario.start).total_seconds())

    def _run(self) -> None:
        for act in self.scenario.acts:
            self.hub.at(act.at, lambda act=act: self.people.act(act))
        if self.scenario.heartbeat:
            self.hub.at(self._next_quarter(), self._heartbeat)
        self.hub.at(self.scenario.start + timedelta(days=1), self._expire)
        self.hub.run(self.scenario.end)
        self.tell("world", "no more faults")
        self.checks.converge()

    def _next_quarter(self) -> datetime:
        now = self.hub.now.replace(second=0, microsecond=0)
        return now + HEARTBEAT - timedelta(minutes=now.minute % 15)

    def _heartbeat(self) -> None:
        """A quarter of an hour begins; a wake that would find nothing is run now and then only."""
        idle = self._mark() == self._idle_mark and not self._alive and not self.table.due(stamp(self.hub.now))
        if idle and self.chance.random() > IDLE_SAMPLE:
            # Nothing changes before the next event: the heartbeats until then find nothing either.
            until = self.hub.next_event() or self.hub.now
            quarters = max((until - self.hub.now) // HEARTBEAT, 1)
            self.figures["idle heartbeats"] += quarters
            self.hub.at(self._next_quarter() + (quarters - 1) * HEARTBEAT, self._heartbeat)
            return
        self.hub.at(self._next_quarter(), self._heartbeat)
        missed, seconds = self.chance.random(), self.chance.uniform(0.0, eventbridge.DELIVERY)
        if self.faults.of_event(Fault.HEARTBEAT_MISSED, None, missed, f"heartbeat {self.hub.now:%d %H:%M}"):
            self.tell("timer", "the heartbeat is missed")
            return
        self.hub.later(seconds, lambda: self.function.invoke("heartbeat"))

    def _mark(self) -> object:
        """Return what a wake that finds nothing leaves as it is."""
        return self.table.writes, self.alarm.minute(), self.alarm.settled()

    def _expire(self) -> None:
        """A day is over: DynamoDB takes away what has expired."""
        self.hub.later(86_400, self._expire)
        now = int(self.hub.now.timestamp())
        for key, item in list(self.table.items.items()):
            if "expires_at" in item and int(item["expires_at"]["N"]) <= now:
                late = self.chance.random()
                if not self.faults.of_event(Fault.TTL_LATE, None, late, f"ttl {key[1]} {self.hub.now:%d}"):
                    self.figures["expired rows"] += 1
                    self.table.set(key, None, None)

    # --- processes ---------------------------------------------------------------------------------

    def process(self, name: str, *, owner: str) -> Process:
        """Make a process; its name decides its chance."""
        while name in self._alive:
            name += "'"
        chance = Random(f"{self.scenario.seed}/{name}")  # noqa: S311 - to be replayed
        process = Process(self.hub, name, chance, owner=owner, skew=self.some_skew(chance, SKEW_SECONDS))
        bad, seconds = chance.random(), chance.uniform(-BAD_SKEW_SECONDS, BAD_SKEW_SECONDS)
        if self.faults.of_event(Fault.BAD_CLOCK, process, bad, "clock"):
            process.skew = self.seconds(seconds)
            self.checks.bad_clock(process)
        process.row_format = 2 if self.upgraded() else 1
        return process

    def begin(self, process: Process, run: Callable[[], object]) -> None:
        """Let a process run to its end; an error of slowsched's own is an end, any other a violation."""

        def main() -> None:
            try:
                run()
            except Gone:
                pass
            except SlowschedError as error:
                self.failed(process, error)
            except KeyboardInterrupt:
                self.tell(process.name, "was interrupted")
            except Exception as error:  # noqa: BLE001 - told as what it is
                self.violated("no process breaks off", f"{process.name}: {type(error).__name__}: {error}", error)
            if process.alive:
                self._alive.pop(process.name, None)
                process.alive = False
                if not self._alive:
                    self.checks.quiet(process)

        self._alive[process.name] = process
        process.strand(main)

    def backend(self, process: Process) -> Backend:
        """Put the backend of a process together."""
        wire = Wire(self, process)
        clients = {"dynamodb": dynamodb.Client(self.table, wire, process)}
        clients["events"] = clients["scheduler"] = eventbridge.Client(self.alarm, wire, self, process)  # type: ignore[assignment]
        account: Any = SimpleNamespace(client=clients.__getitem__, close=lambda: None)
        nonces, write_ids = count(1), count(1)
        store = SimulatedStore(
            process,
            account,
            "table",
            page_rows=self.scenario.page_rows,
            write_ids=lambda: f"{process.name}/w{next(write_ids)}",
        )
        kind = ScheduleTimer if self.alarm.kind == "schedule" else RuleTimer
        return Backend(
            environment="production",
            owner=process.owner,
            store=store,
            timer=kind(account, TimerSettings(kind=self.alarm.kind, name="wake"), sleep=process.rest),
            clock=process.clock,
            sleep=process.rest,
            chance=process.chance.random,
            nonce=lambda: f"{process.name}/t{next(nonces)}",
        )

    def died(self, process: Process, how: str) -> None:
        """End a process where it is."""
        if not process.alive:
            return
        self.tell(process.name, how)
        self._alive.pop(process.name, None)
        self.checks.process_ended(process)
        process.kill()
        process.on_death()

    def freeze(self, process: Process, until: datetime) -> None:
        """Let a process do nothing for a while."""
        self.tell(process.name, f"frozen until {until:%H:%M:%S}")
        process.freeze(until)
        self.faults.lasts(until)
        self.checks.frozen(process)

    # --- what processes ask ------------------------------------------------------------------------

    def some_skew(self, chance: Random, seconds: float) -> timedelta:
        """Return by how much a clock is off."""
        return timedelta(seconds=chance.uniform(-seconds, seconds))

    def seconds(self, seconds: float) -> timedelta:
        """Return so many seconds."""
        return timedelta(seconds=seconds)

    def known_actions(self) -> tuple[str, ...]:
        """Return the actions that a worker knows by now."""
        learned = self.scenario.learned_at
        return ("ACT", "LEARNED_LATER") if learned is None or self.hub.now >= learned else ("ACT",)

    def upgraded(self) -> bool:
        """Say whether new processes write rows of the newer format."""
        return self.scenario.upgrade_at is not None and self.hub.now >= self.scenario.upgrade_at

    def outage(self, service: str) -> datetime | None:
        """Return the end of the outage that a service has at this moment."""
        now = self.hub.now
        return next((end for name, start, end in self._outages if name == service and start <= now < end), None)

    def break_down(self, service: str, seconds: float) -> None:
        """Let a service answer nobody for a while."""
        end = self.hub.now + self.seconds(seconds)
        self._outages.append((service, self.hub.now, end))
        self.faults.note(Fault.OUTAGE, end)

    # --- what is told ------------------------------------------------------------------------------

    def tell(self, who: str, what: str) -> None:
        """Add a line to the story."""
        self.story.append((self.hub.now, who, what))

    def failed(self, process: Process, error: SlowschedError) -> None:
        """Take note that a process ended with an error."""
        self.tell(process.name, f"fails: {error}")
        self.checks.failed(process, error)

    def reported(self, process: Process, report: WakeReport) -> None:
        """Take note of what a wake says of itself."""
        self.figures["wakes"] += 1
        if not report.errors and report.timer_error is None:
            self._idle_mark = self._mark()
            process.arms = report.paused is None and report.not_before is None
        if report.attempts or report.missed or report.dead or report.errors:
            ran = ", ".join(f"{each.id} {each.outcome}" for each in report.attempts)
            self.tell(process.name, f"reports: {ran or 'no attempt'}{'; errors' if report.errors else ''}")

    def began(self, execution: Execution) -> None:
        """Take note that an action begins."""
        self.figures["executions"] += 1
        self.tell(execution.process.name, f"executes {execution.row.id} #{execution.row.generation}")
        self.checks.began(execution)

    def execution_ended(self, execution: Execution) -> None:
        """Take note that an action has ended, of itself or with its process."""
        execution.ended = self.hub.now
        self.checks.ended(execution)

    def violated(self, check: str, text: str, error: BaseException | None = None) -> None:
        """End the run: something did not hold."""
        if self.violation is None:
            self.violation = Violation(check=check, text=text, at=self.hub.now, error=error)
            self.tell("CHECK", f"{check}: {text}")
        self.hub.over = True
