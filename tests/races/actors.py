"""What races on one store: appliers of two owners, workers, persons, and somebody who only watches.

Each is a loop until the race is over, and notes what it was told, with the moment. Nobody judges here.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from values import a_declared, a_place, a_task

from slowsched import control, intervene
from slowsched.apply import ApplyRequest, apply
from slowsched.clock import system_clock
from slowsched.errors import BackendError, PermanentError, UsageError
from slowsched.execute import Registry, Runner
from slowsched.model import Row
from slowsched.plan import PlanOptions
from slowsched.wake import wake

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from slowsched.backend import Backend
    from slowsched.execute import Attempt
    from slowsched.model import Declared, Plan

OWNERS = ("acme/news", "acme/shop")
TASKS = 16  # of each owner
HOPELESS = 0  # the one that fails for good, for persons to retry
ANYTHING = PlanOptions(max_deletes=10**6, max_delete_percent=100)
REST_SECONDS = 0.005
MINUTE = timedelta(minutes=1)


def ids_of(owner: str) -> list[str]:
    """Return the ids of an owner's tasks; persons run those of an odd number early."""
    return [f"{owner} {number:02}" for number in range(TASKS)]


@dataclass
class Race:
    """One process of a race: where it notes things, and until when it goes on."""

    path: Path
    ends_at: float = 0.0  # by the monotonic clock, which all processes of a machine share
    _notes: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def over(self) -> bool:
        """Say whether it is over."""
        return time.monotonic() > self.ends_at

    def note(self, what: str, **said: Any) -> None:
        """Note what somebody was told just now."""
        with self._lock:
            self._notes.append({"what": what, "at": time.monotonic(), **said})

    def write(self) -> None:
        """Write all notes into the file."""
        self.path.write_text("\n".join(map(json.dumps, self._notes)), encoding="utf-8")


class Applier:
    """Applies its own idea of an owner's tasks, again and again: edits, deletes and brings back."""

    def __init__(self, race: Race, backend: Backend, name: str, random: Random) -> None:
        self._race = race
        self._backend = backend
        self._name = name
        self._random = random
        self._wanted: dict[str, dict[str, Any]] = {}

    def run(self) -> None:
        """Apply until the race is over."""
        number = 0
        while not self._race.over:
            number += 1
            self.apply(f"{self._name} {number}")

    def apply(self, mark: str) -> None:
        """Apply once; what the plan is is noted while the lock is held, so that the notes stand in its order."""

        def on_plan(plan: Plan) -> None:
            kinds = {change.id: change.kind.value for change in plan.changes if change.result is not None}
            versions.update({each.id: each.result.version for each in plan.changes if each.result is not None})
            wanted = {task.task.id: task.task.payload["n"] for task in tasks}
            self._race.note("plan", owner=self._backend.owner, mark=mark, kinds=kinds, wanted=wanted)

        versions: dict[str, int] = {}
        tasks = self._declared(mark)
        request = ApplyRequest(options=ANYTHING, lock_timeout=MINUTE, on_plan=on_plan, stop=lambda: self._race.over)
        with suppress(BackendError):  # not answered: what it wrote is not known
            report = apply(self._backend, tasks, request)
            results = {each.id: each.result.value for each in report.results}
            self._race.note("applied", mark=mark, status=report.status.value, results=results)
            self._look_at_conflicts(mark, {key: versions[key] for key in versions if results[key] == "conflict"})

    def _look_at_conflicts(self, mark: str, versions: dict[str, int]) -> None:
        """Note each write that stands as it was made, and of which this applier was told that it was not."""
        for task_id, row in self._backend.store.get_many(list(versions)).items():
            if isinstance(row, Row) and (row.version, row.task.team) == (versions[task_id], mark):
                self._race.note("wrong", words=f"{mark} was told of a conflict of {task_id}, which it has written")

    def _declared(self, mark: str) -> list[Declared]:
        """Return what the files say now: most as before, some edited, some gone."""
        tasks = []
        for number, task_id in enumerate(ids_of(self._backend.owner.rpartition("/")[0])):
            if task_id not in self._wanted or self._random.random() < 0.3:
                due = system_clock() + timedelta(seconds=self._random.uniform(0.2, 1.0))
                payload = {"n": mark, "fails": self._random.random() < 0.1, "hopeless": number == HOPELESS}
                self._wanted[task_id] = {"due": due, "payload": payload}
            if self._random.random() > 0.05:
                task = a_task(id=task_id, team=mark, action="RECORD", **self._wanted[task_id])
                tasks.append(a_declared(task=task, place=a_place(path=f"tasks/{number}.yaml")))
        return tasks


def work(race: Race, backend: Backend) -> None:
    """Wake until the race is over."""
    while not race.over:
        with suppress(BackendError):
            wake_once(race, backend)
        time.sleep(REST_SECONDS)


def wake_once(race: Race, backend: Backend) -> None:
    """Wake once; the action notes that it was here, and the report what was recorded."""

    def record(payload: Any, attempt: Attempt) -> None:
        early = (attempt.due - backend.clock()).total_seconds()
        race.note("run", key=attempt.idempotency_key, number=attempt.number, n=payload["n"], early=early)
        if payload["hopeless"]:
            raise PermanentError("it never will")
        if payload["fails"] and attempt.number == 1:
            raise RuntimeError("it did not work")

    registry = Registry()
    registry.add("RECORD", record)
    for each in wake(backend, Runner(registry)).attempts:
        race.note("outcome", id=each.id, generation=each.generation, state=each.state.value, outcome=each.outcome.value)


def intervene_often(race: Race, backend: Backend, random: Random) -> None:
    """Run tasks early, retry the dead, pause and resume."""
    while not race.over:
        with suppress(BackendError, UsageError):  # most often there is nothing to run or to retry
            if random.random() < 0.05:
                _pause(backend)
            elif random.random() < 0.3:
                intervene.retry(backend, ids_of(backend.owner.rpartition("/")[0])[HOPELESS])
            else:
                intervene.run_early(backend, random.choice(ids_of(backend.owner.rpartition("/")[0])[1::2]))
        time.sleep(4 * REST_SECONDS)


def _pause(backend: Backend) -> None:
    control.pause(backend, by="a person", reason=None)
    time.sleep(4 * REST_SECONDS)
    control.resume(backend)


def watch(race: Race, backend: Backend) -> None:
    """Read all rows again and again; a version or a generation that went back is noted."""
    seen: dict[str, tuple[int, int]] = {}
    ids = [task_id for owner in OWNERS for task_id in ids_of(owner)]
    while not race.over:
        with suppress(BackendError):
            for task_id, row in backend.store.get_many(ids).items():
                if not isinstance(row, Row):
                    race.note("wrong", words=f"{task_id} cannot be read")
                    continue
                now = row.version, row.generation
                before = seen.setdefault(task_id, now)
                if now[0] < before[0] or now[1] < before[1]:
                    race.note("wrong", words=f"{task_id} went back from {before} to {now}")
                seen[task_id] = now
        time.sleep(REST_SECONDS)


def threads_of(race: Race, backends: Callable[[str], Backend], random: Random, name: str) -> list[threading.Thread]:
    """Return the threads of one process, not yet started: two appliers, two workers, a person, and who watches."""
    calls: list[tuple[Any, ...]] = [
        *((Applier(race, backends(owner), f"{name}-{owner}", _another(random)).run,) for owner in OWNERS),
        *((work, race, backends(owner)) for owner in OWNERS),
        (intervene_often, race, backends(random.choice(OWNERS)), _another(random)),
        (watch, race, backends(OWNERS[0])),
    ]
    return [threading.Thread(target=_told, args=(race, *call)) for call in calls]


def _another(random: Random) -> Random:
    return type(random)(random.random())


def _told(race: Race, call: Callable[..., None], *arguments: Any) -> None:
    """Run an actor, and note what it ends with if that is nothing that it expects."""
    try:
        call(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, the race has found it
        race.note("wrong", words=f"{call.__qualname__} ended with {error!r}")
