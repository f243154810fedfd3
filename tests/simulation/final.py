"""After the last fault: everything converges, and every acknowledged task has its execution or a visible end.

The window check is that of the analysis of Chronos by Jepsen: not how many executions there were, but that each
target that was acknowledged has one of its own, complete, inside its window.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from simulation.dynamodb import CONTROL
from simulation.people import commit_name
from slowsched import control
from slowsched.apply import ApplyRequest
from slowsched.canonical import digests
from slowsched.control import Holder
from slowsched.limits import PlanOptions
from slowsched.model import Row, State
from slowsched.reports import Result
from slowsched.store.codec import decode_row
from slowsched.timing import ceil_minute, parse_stamp

if TYPE_CHECKING:
    from simulation.world import World
    from slowsched.reports import ApplyReport

QUIET = timedelta(minutes=40)  # a heartbeat, a lock's lease, a worker's whole time
SERVED = timedelta(minutes=6)
ENDLESS = timedelta(days=3)  # after the last due: all retries, and a day of an unknown action
ENDS = {State.SUCCEEDED, State.DEAD, State.MISSED}


class Converging:
    """What was acknowledged, and the end of a run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._acknowledged: dict[str, int] = {}
        self._named: dict[str, set[str]] = {}

    def acknowledge(self, task_id: str, commit: int) -> None:
        """An apply has said that a task is as a commit wants it."""
        self._acknowledged[task_id] = commit

    def named(self, owner: str, report: ApplyReport) -> None:
        """An apply has named what it could not do: that is seen by whoever looks at the pipeline."""
        self._named[owner] = {each.id for each in report.results if each.result in (Result.LATE, Result.CONFLICT)}

    def run(self) -> None:
        """Come to rest, apply the last commit again, wait for the last due, and look."""
        world = self._world
        owners = tuple(world.scenario.commits[-1])
        self._resume(owners[0])
        world.hub.run(world.hub.now + QUIET)
        for owner in owners:
            self._apply(owner, "settles")
        world.hub.run(world.hub.now + QUIET)
        self._nothing_overdue()
        for owner in owners:
            self._apply(owner, "again", expect_nothing=True)
        world.hub.run(world.hub.now + SERVED)
        self._timer_covers()
        self._wait_for_all()
        self._look()

    def _resume(self, owner: str) -> None:
        """A pause that nobody ended is ended."""
        world = self._world
        process = world.process("resumes in the end", owner=owner)

        def run() -> None:
            if world.backend(process).store.control().pause is not None:
                control.resume(world.backend(process))

        world.checks.person(process, "resume")
        world.begin(process, run)

    def _apply(self, owner: str, name: str, *, expect_nothing: bool = False) -> None:
        """Apply the last commit, as the pipeline would do again; whoever rolled back has rolled forward."""
        world = self._world
        commit = len(world.scenario.commits) - 1
        process = world.process(f"apply {name} {owner}", owner=owner)
        request = ApplyRequest(
            commit=commit_name(commit),
            options=PlanOptions(max_deletes=1000, max_delete_percent=100),
            holder=Holder(name=process.name),
            is_ancestor=lambda old, new: old <= new,
            lock_timeout=timedelta(minutes=15),
        )
        world.people.start_apply(process, commit, request)
        world.hub.run(world.hub.now + timedelta(minutes=20))
        line = next((each for each in reversed(world.story) if each[1] == process.name), None)
        if world.violation is None and process.alive:
            world.violated("an apply ends", f"{process.name}: {line}")
        if expect_nothing and line is not None and Result.APPLIED.value in line[2].split(": ", 1)[-1]:
            world.violated("a second apply has no changes", line[2])

    def _rows(self) -> list[Row]:
        rows: list[Row] = []
        for key, item in self._world.table.items.items():
            if key[1] != CONTROL:
                plain = {name: value["S"] if "S" in value else int(value["N"]) for name, value in item.items()}
                row = decode_row({**plain, "format": 1})
                assert isinstance(row, Row)
                rows.append(row)
        return rows

    def _nothing_overdue(self) -> None:
        for row in self._rows():
            if row.wake_at is not None and row.wake_at + timedelta(minutes=25) < self._world.hub.now:
                self._world.violated("nothing is overdue in the end", f"{row.id} was to wake {row.wake_at}")

    def _timer_covers(self) -> None:
        """Say whether the timer is in force for the earliest wake, where that is not looked after at this moment."""
        world = self._world
        wakes = [row.wake_at for row in self._rows() if row.wake_at is not None]
        if not wakes or min(wakes) < world.hub.now + timedelta(minutes=3) or world.violation is not None:
            return
        world.figures["timers looked at"] += 1
        if world.alarm.wanted() != ceil_minute(min(wakes)):
            text = f"it is set to {world.alarm.wanted()}, the earliest wake is {min(wakes)}"
            world.violated("the timer covers the earliest wake", text)

    def _wait_for_all(self) -> None:
        """Go on until no row needs the worker any more."""
        world, table = self._world, self._world.table
        last = max((row.wake_at for row in self._rows() if row.wake_at is not None), default=world.hub.now)
        while world.violation is None and world.hub.now < last + ENDLESS:
            first = table.first()
            if first is None:
                return
            world.hub.run(max(world.hub.now, parse_stamp(first["wake_at"]["S"])) + SERVED)
        if world.violation is None:
            world.violated("all comes to an end", ", ".join(row.id for row in self._rows() if row.wake_at is not None))

    def _look(self) -> None:
        """Every task of the last commit has its own end, as that commit wants it; what was acknowledged is there."""
        world = self._world
        if world.violation is not None:
            return
        rows = {row.id: row for row in self._rows()}
        for declared in (each for tasks in world.scenario.commits[-1].values() for each in tasks):
            name, row = declared.task.id, rows.get(declared.task.id)
            if any(name in named for named in self._named.values()):
                continue  # a person must act, and every apply says so
            if row is None or row.state not in ENDS:
                acknowledged = "acknowledged" if name in self._acknowledged else "never acknowledged"
                state = "gone" if row is None else row.state
                world.violated("no task is lost", f"{name} ({acknowledged}) is {state}")
            elif row.digests != digests(declared.task):
                world.violated("no acknowledged edit is lost", f"{name} is not as the last commit wants it")
        for row in rows.values():
            world.figures[f"ended {row.state}"] += 1


__all__ = ["Converging"]
