"""Bounded lateness where wakes are cut short, on days of a table whose timer has EventBridge's manners.

Calls take up to a second, a write of the timer up to a minute to be in force, a wake half a minute to arrive. What
else may befall a table is simulated in tests/simulation.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

import pytest
from protocol.day import Day
from protocol.fakes import DELIVERY, LEAD, NOW, SECOND, declared, due
from values import MINUTE

from slowsched.apply import ApplyRequest, apply
from slowsched.arm import arm
from slowsched.model import State
from slowsched.reports import ApplyStatus
from slowsched.timing import ceil_minute, soonest

TIMEOUT = 10 * MINUTE  # a wake at the end of a lease, which would hide another that is missing, is far away
CALLS = 60 * SECOND  # what calls and actions before it, one after the other, may cost a task
HOURS = timedelta(hours=2)
CHANGES_END = 40 * MINUTE
TOGETHER = 4 * MINUTE
LEFT = 8 * MINUTE  # what the wakes that leave something may cost it


@pytest.fixture(autouse=True)
def _quiet():
    """Keep failing attempts out of the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def together(moment):
    """Put off a moment to the next one at which many things are due."""
    return moment + (NOW - moment) % TOGETHER


@dataclass
class Tasks:
    """The tasks of a day: when each is due, and when it was acknowledged. Many are due together."""

    day: Day
    due: dict[str, datetime] = field(default_factory=dict)
    known: dict[str, datetime] = field(default_factory=dict)

    def fill(self) -> None:
        """Let writers and applies come and go for the first part of the day."""
        chance = Random(self.day.seed)  # noqa: S311 - to be replayed
        for number in range(chance.randint(3, 8)):
            self.day.start(self._writer(f"t{number}", chance), at=self._moment(chance))
        for owner in ("acme/a/local", "acme/b/local"):
            tasks = []
            for moment in sorted(self._moment(chance) for _ in range(3)):
                ahead = chance.choice([2, 3, 5, 20, 45])
                minutes = (together(moment + ahead * MINUTE) - NOW) / MINUTE
                tasks = [*tasks, declared(f"{owner} {ahead} {moment}", minutes=minutes, **self._fields(chance))]
                self.day.start(self._applier(tasks), at=moment, owner=owner)

    def _moment(self, chance: Random) -> datetime:
        return NOW + chance.uniform(0, 1) * CHANGES_END

    def _fields(self, chance: Random) -> dict[str, object]:
        payload = {"seconds": chance.choice([0, 0, 1, 5]), "failures": chance.choice([0, 0, 0, 1])}
        return {"payload": payload, "timeout": TIMEOUT}

    def _writer(self, task_id: str, chance: Random):
        ahead = timedelta(seconds=chance.choice([0, 30, 90, 100, 150, 300, 600, 1200]))
        fields = self._fields(chance)

        def run(backend):
            now = backend.clock()
            row = due(id=task_id, due=together(now + ahead), **fields)
            wake_at = max(row.task.due, soonest(now, LEAD))
            assert backend.store.put(replace(row, wake_at=wake_at), 0) is None
            arm(backend)
            self._acknowledge(task_id, row.task.due)

        return run

    def _applier(self, tasks):
        def run(backend):
            request = ApplyRequest(
                commit=str(len(tasks)), is_ancestor=lambda *two: two[0] <= two[1], lock_timeout=MINUTE
            )
            report = apply(backend, tasks, request)
            if report.status in {ApplyStatus.APPLIED, ApplyStatus.NOTHING}:
                for task in tasks:
                    self._acknowledge(task.task.id, task.task.due)

        return run

    def _acknowledge(self, task_id: str, moment: datetime) -> None:
        self.due.setdefault(task_id, moment)
        self.known.setdefault(task_id, self.day.now)

    def late(self) -> list[str]:
        """Return the tasks that ran before their due, later than promised, or not at all."""
        return [task_id for task_id in self.due if not self._is_on_time(task_id)]

    def _is_on_time(self, task_id: str) -> bool:
        ran = self.day.ran.get(task_id, [])
        latest = max(ceil_minute(self.due[task_id]) + MINUTE, self.known[task_id] + LEAD + 2 * MINUTE)
        return bool(ran) and self.due[task_id] <= ran[0] <= latest + DELIVERY + CALLS + LEFT

    def unfinished(self) -> list[str]:
        """Return the tasks of the table that have not come to an end."""
        return [task_id for task_id in self.day.table.items if self._state(task_id) is not State.SUCCEEDED]

    def _state(self, task_id: str) -> State:
        return self.day.table.get(task_id).state


@pytest.mark.parametrize("seed", range(30))
def test_wakes_that_are_cut_short_cost_minutes_and_no_task(seed):
    """A third of all wakes has a limit, is stopped or short of time: the timer alone serves what they leave, once."""
    day = Day(seed, cut_short=0.3)
    tasks = Tasks(day)
    tasks.fill()
    day.run(HOURS)
    assert (day.errors, tasks.late(), tasks.unfinished(), len(tasks.due) >= 9) == ([], [], [], True)
    again = {task_id for task_id, ran in day.ran.items() if len(ran) > 1}
    failing = {task_id for task_id in tasks.due if day.table.get(task_id).task.payload["failures"]}
    assert again == failing
