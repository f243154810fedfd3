"""Play seeds in several processes, as they are or with one rule left out.

Nothing of slowsched is imported before a process has been told which rule it leaves out.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple

import planting

from simulation.mutations import MUTATIONS, SECONDS_MAX, SEEDS_MAX, Mutation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNK = 25  # seeds that a process is given at a time


class Outcome(NamedTuple):
    """What some seeds came to."""

    figures: Counter[str]
    faults: Counter[str]
    failed: list[tuple[int, str, str]]


def play(first: int, count: int, profile: str | None) -> Outcome:
    """Play some seeds in this process."""
    from simulation.scenario import a_scenario  # noqa: PLC0415 - after a fault was planted
    from simulation.world import World  # noqa: PLC0415

    logging.disable(logging.CRITICAL)
    figures: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    failed: list[tuple[int, str, str]] = []
    for seed in range(first, first + count):
        world = World(a_scenario(seed, profile))
        world.run()
        figures.update(world.figures)
        figures["seeds"] += 1
        faults.update({str(kind): times for kind, times in world.faults.counts.items()})
        if world.violation is not None:
            failed.append((seed, world.violation.check, world.violation.text))
    return Outcome(figures, faults, failed)


def chunks(first: int, seeds: int | None, minutes: float | None) -> Iterator[tuple[int, int]]:
    began = time.monotonic()
    at, left = first, seeds
    while left is None or left > 0:
        if minutes is not None and time.monotonic() - began > minutes * 60:
            return
        size = CHUNK if left is None else min(CHUNK, left)
        yield at, size
        at += size
        left = None if left is None else left - size


def left_out(name: str) -> tuple[int, str, str] | None:
    """Leave one rule out in this process; returns after how many seeds it was noticed, where, and by what."""
    return noticed(MUTATIONS[name])


def noticed(mutation: Mutation) -> tuple[int, str, str] | None:
    """Leave out what a mutation says; None where nothing notices, or the rule is not where it says."""
    if not planting.plant(mutation.module, mutation.text, mutation.instead):
        return None
    from simulation.scenario import a_scenario  # noqa: PLC0415
    from simulation.world import World  # noqa: PLC0415

    logging.disable(logging.CRITICAL)
    ends = time.monotonic() + SECONDS_MAX
    for number in range(SEEDS_MAX):
        if time.monotonic() > ends:
            break
        profile = mutation.profiles[number % len(mutation.profiles)]
        scenario = a_scenario(number, profile)
        world = World(replace(scenario, heartbeat=scenario.heartbeat and bool(mutation.text)))
        world.run()
        if world.violation is not None:
            return number + 1, profile, world.violation.check
    return None


def played(parts: Iterable[tuple[int, int]], profile: str | None, processes: int) -> Outcome:
    """Play parts of the seeds side by side, and add up what they came to."""
    whole = Outcome(Counter(), Counter(), [])
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: list[Any] = []
        left = iter(parts)
        while True:
            while len(waiting) < 2 * processes and (part := next(left, None)) is not None:
                waiting.append(pool.submit(play, *part, profile))
            if not waiting:
                return whole
            outcome = waiting.pop(0).result()
            whole.figures.update(outcome.figures)
            whole.faults.update(outcome.faults)
            whole.failed.extend(outcome.failed)


def all_left_out(names: list[str], processes: int) -> Iterator[tuple[str, tuple[int, str, str] | None]]:
    """Leave out rules side by side, each in a process of its own that has imported nothing of slowsched yet."""
    spawn = get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn, max_tasks_per_child=1) as pool:
        yield from zip(names, pool.map(left_out, names), strict=True)
