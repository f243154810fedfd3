"""Why a seed failed: the smallest part of its scenario that still fails, as a story that a person can read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulation.scenario import Scenario
    from slowsched.model import Task

RUNS_MAX = 400  # of one minimising
WIDTH = 44

T = TypeVar("T")


class Failing:
    """A scenario that fails one check, and what was left out of it so far."""

    def __init__(self, scenario: Scenario, check: str) -> None:
        self._check = check
        self._runs = 0
        self.scenario = scenario
        self.left_out: frozenset[tuple[str, int]] = frozenset()
        self.world = self._played(scenario, self.left_out)

    def _played(self, scenario: Scenario, left_out: frozenset[tuple[str, int]]) -> World:
        self._runs += 1
        world = World(scenario, left_out=left_out)
        world.run()
        return world

    def _still_fails(self, scenario: Scenario, left_out: frozenset[tuple[str, int]]) -> bool:
        if self._runs >= RUNS_MAX:
            return False
        world = self._played(scenario, left_out)
        if world.violation is None or world.violation.check != self._check:
            return False
        self.scenario, self.left_out, self.world = scenario, left_out, world
        return True

    def minimise(self) -> World:
        """Leave out whatever can be left out: acts, kinds of faults, then single faults; the end, too."""
        _smaller(self.scenario.acts, lambda acts: self._still_fails(replace(self.scenario, acts=acts), self.left_out))
        kinds = tuple(self.scenario.rates.items())
        _smaller(kinds, lambda kept: self._still_fails(replace(self.scenario, rates=dict(kept)), self.left_out))
        struck = tuple(dict.fromkeys(self.world.faults.struck))
        every = frozenset(struck)
        _smaller(struck, lambda kept: self._still_fails(self.scenario, every - frozenset(kept)))
        _smaller(self.scenario.acts, lambda acts: self._still_fails(replace(self.scenario, acts=acts), self.left_out))
        return self.world


def _smaller(whole: Sequence[T], fails: Callable[[Any], bool]) -> None:
    """Leave out halves, then quarters, down to single elements, as long as it still fails (delta debugging)."""
    kept, size = tuple(whole), len(whole)
    while size:
        start = 0
        while start < len(kept):
            without = (*kept[:start], *kept[start + size :])
            if fails(without):
                kept = without
            else:
                start += size
        size //= 2


def minimised(scenario: Scenario) -> World | None:
    """Return the smallest world of a scenario that fails as the whole one does; None when it does not fail."""
    world = World(scenario)
    world.run()
    if world.violation is None:
        return None
    return Failing(scenario, world.violation.check).minimise()


def told(world: World) -> str:
    """Return the story of a world: who acts, what strikes, and all that happened up to the end."""
    scenario = world.scenario
    pages = scenario.page_rows or "any number of"
    kept = f"{scenario.timer}, {scenario.buckets} bucket(s), pages of {pages} rows"
    lines = [f"seed {scenario.seed}, profile {scenario.profile}: {kept}", ""]
    for number, commit in enumerate(scenario.commits):
        for tasks in commit.values():
            lines += [f"commit {number} declares {_declares(each.task)}" for each in tasks]
    struck = ", ".join(f"{kind} ({times})" for kind, times in sorted(world.faults.counts.items()))
    lines += ["", f"faults: {struck or 'none'}", ""]
    lines += [
        f"{at:%d %H:%M:%S}.{at.microsecond // 1000:03} {who[:WIDTH]:<{WIDTH}} {what}" for at, who, what in world.story
    ]
    if world.violation is not None:
        lines += ["", f"VIOLATED: {world.violation.check}: {world.violation.text}"]
    return "\n".join(lines)


def _declares(task: Task) -> str:
    does = {name: value for name, value in task.payload.items() if name not in ("id", "value")}
    told = ", ".join(f"{name} {value}" for name, value in does.items())
    timeout = f"timeout {task.timeout.total_seconds():.0f} s, attempts {task.retry.attempts}"
    return f"{task.id}, due {task.due:%Y-%m-%d %H:%M:%S}, {timeout}: {told}"
