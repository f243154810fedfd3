"""Whoever acts on the world from outside: pipelines that apply, people who intervene, the hand on the timer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from simulation.eventbridge import CONSTANT, NEVER
from simulation.faults import Fault
from slowsched import control, intervene
from slowsched.apply import ApplyRequest, apply
from slowsched.arm import arm
from slowsched.control import Holder
from slowsched.errors import UsageError
from slowsched.limits import PlanOptions
from slowsched.model import LateChoice
from slowsched.reports import ApplyReport, ApplyStatus
from slowsched.timer.eventbridge import at_text, cron_text
from slowsched.timing import ceil_minute

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulation.hub import Process
    from simulation.scenario import Act
    from simulation.world import World

LOCK_TIMEOUT = timedelta(minutes=12)  # of a pipeline: as long as a lock of a dead one may last


def commit_name(number: int) -> str:
    """Return the name of a commit; the history is a line."""
    return f"{number:040d}"


class People:
    """Carries out the acts of a scenario, each in a process of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._acts: dict[str, Callable[[Act], object]] = {
            "apply": self._apply,
            "rollback": self._apply,
            "disable": lambda act: self._tamper(act, Fault.TIMER_DISABLED),
            "rewrite": lambda act: self._tamper(act, Fault.TIMER_REWRITTEN),
            "remove": lambda act: self._tamper(act, Fault.TIMER_DELETED),
            "mend": self._mend,
            "outage": self._outage,
        }

    def act(self, act: Act) -> None:
        """Do what an act says."""
        self._acts.get(act.kind, self._person)(act)

    # --- the pipeline ---

    def _apply(self, act: Act) -> None:
        world = self._world
        commit = act.more.get("commit")
        if commit is None:
            known = [each for each in range(len(world.scenario.commits)) if self._is_made(each, act)]
            if not known:
                return
            commit = known[int(act.more["which"] * len(known))]
        process = world.process(f"apply {act.number} of commit {commit}", owner=act.owner)
        cancel, draw = act.more.get("cancel", 0.0), process.chance.random()
        stopped = world.hub.now + timedelta(seconds=cancel)
        cancelled = world.faults.of_event(Fault.CANCELLED, process, draw, "cancelled")
        impatient = process.chance.random() < 0.5

        def stop() -> bool:
            return cancelled and not impatient and world.hub.now >= stopped

        def on_progress(_done: int, _all: int) -> None:
            if cancelled and impatient:
                raise KeyboardInterrupt  # in the middle, where nobody asks

        request = ApplyRequest(
            commit=commit_name(commit),
            options=self._options(act),
            allow_rollback=act.kind == "rollback",
            lock_timeout=LOCK_TIMEOUT,
            holder=Holder(name=process.name),
            is_ancestor=lambda old, new: old <= new,
            stop=stop,
            on_progress=on_progress,
        )
        self.start_apply(process, commit, request)

    def _is_made(self, commit: int, act: Act) -> bool:
        """Say whether somebody has applied a commit by now: before that nobody has it to roll back to."""
        acts = self._world.scenario.acts
        return any(each.more.get("commit") == commit and each.at < act.at for each in acts if each.owner == act.owner)

    def _options(self, act: Act) -> PlanOptions:
        late = act.more.get("late")
        tasks = [each.task.id for commit in self._world.scenario.commits for each in commit[act.owner]]
        return PlanOptions(
            late=None if late is None else LateChoice(late),
            supersede=frozenset(self._known(tasks) if act.more.get("supersede") else ()),
            max_deletes=1000,
            max_delete_percent=100,
        )

    def _known(self, tasks: list[str]) -> set[str]:
        """Return those of some tasks that have a row: a flag on one that nobody has is refused."""
        rows = {key[1] for key in self._world.table.items}
        return rows.intersection(tasks)

    def start_apply(self, process: Process, commit: int, request: ApplyRequest) -> None:
        """Apply a commit, and take note of the report."""
        world = self._world
        declared = world.scenario.commits[commit][process.owner]

        def run() -> ApplyReport:
            world.tell(process.name, "begins")
            report = apply(world.backend(process), declared, request)
            told = ", ".join(f"{each.kind} {each.id} {each.result}" for each in report.results)
            world.tell(process.name, f"{report.status}: {told or 'no changes'}")
            world.figures["applies"] += 1
            done = (ApplyStatus.APPLIED, ApplyStatus.NOTHING, ApplyStatus.PARTIAL)
            process.arms = report.status in done and report.timer_error is None
            world.checks.applied(process, commit, report)
            return report

        world.checks.applier(process, commit, request)
        world.begin(process, run)

    # --- a person ---

    def _person(self, act: Act) -> None:
        world = self._world
        process = world.process(f"{act.kind} {act.number}", owner=act.owner)

        def run() -> None:
            backend = world.backend(process)
            try:
                self._do(act, backend)
            except UsageError as error:
                world.tell(process.name, f"is refused: {error}")
            else:
                world.tell(process.name, "done")
                process.arms = act.kind == "arm"
            world.figures["interventions"] += 1

        world.checks.person(process, act.kind)
        world.begin(process, run)

    def _do(self, act: Act, backend: Any) -> None:
        world = self._world
        match act.kind:
            case "pause":
                control.pause(backend, by="ann", reason=None)
            case "resume":
                control.resume(backend)
            case "unlock":
                if control.unlock(backend) is not None:
                    world.faults.note(Fault.UNLOCKED)
            case "arm":
                arm(backend)
            case _:
                names = sorted(key[1] for key in world.table.items if key[1].startswith(act.owner.split("/")[1]))
                if names:
                    name = names[int(act.more["which"] * len(names))]
                    world.tell(f"{act.kind} {act.number}", f"asks for {name}")
                    (intervene.retry if act.kind == "retry" else intervene.run_early)(backend, name)

    # --- the hand on the timer, and on the service ---

    def _tamper(self, act: Act, fault: Fault) -> None:
        world = self._world
        kind = world.alarm.kind
        text = cron_text if kind == "rule" else at_text
        found = world.alarm.describe() or {**CONSTANT[kind], "ScheduleExpression": NEVER[kind]}
        match fault:
            case Fault.TIMER_DISABLED:
                wanted: dict[str, Any] | None = {**found, "State": "DISABLED"}
            case Fault.TIMER_REWRITTEN:
                elsewhere = ceil_minute(world.hub.now + timedelta(seconds=act.more["seconds"] * 10))
                wanted = {**found, "ScheduleExpression": text(elsewhere)}
            case _:
                wanted = None
        world.faults.note(fault)
        world.tell("somebody", f"{fault}")
        world.alarm.write(wanted, by_hand=True)

    def _mend(self, act: Act) -> None:  # noqa: ARG002 - as every act
        """What Terraform makes anew, it makes as it was in the beginning."""
        world = self._world
        if world.alarm.works():
            return
        world.tell("somebody", "mends the timer")
        world.faults.lasts(world.hub.now)
        kind = world.alarm.kind
        world.alarm.write({**CONSTANT[kind], "ScheduleExpression": NEVER[kind]}, by_hand=True)

    def _outage(self, act: Act) -> None:
        service = "events" if act.more["which"] < 0.3 else "dynamodb"
        self._world.tell("world", f"{service} answers nobody for {act.more['seconds']} s")
        self._world.break_down(service, act.more["seconds"])
