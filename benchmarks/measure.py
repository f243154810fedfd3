"""Run whole processes, one after the other and interleaved, and keep their wall time, CPU time and peak memory.

The peak that the kernel reports for a process includes what its parent held when it was started, so this
process stays small: it imports little and keeps nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["Case", "Figures", "MeasureError", "Quantity", "measure"]

LOG_TAIL = 2_000  # characters of a failed process's words that are shown
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
FOREIGN = ("SLOWSCHED_", "GITHUB_", "PYTHON", "COVERAGE_", "NO_COLOR")  # variables that would change what is measured


class MeasureError(Exception):
    """A process did not do what was to be measured."""


class Quantity(StrEnum):
    """What is measured of a process."""

    WALL = "wall"
    CPU = "CPU"
    PEAK = "peak"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A process to measure; `prepare` puts its folder into the state it starts from, unmeasured."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All values of one quantity of one case: seconds, or MiB for the peak."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value in the middle."""
        return median(self.values)

    @property
    def least(self) -> float:
        """The least value."""
        return min(self.values)

    @property
    def most(self) -> float:
        """The greatest value."""
        return max(self.values)


def measure(
    cases: Sequence[Case], runs: int, progress: Callable[[str], None] = lambda _: None
) -> dict[str, dict[Quantity, Figures]]:
    """Run all cases in turn, `runs` times after one unmeasured turn; returns name -> quantity -> figures.

    Raises:
        MeasureError: a process ended with another status than 0.
    """
    taken: dict[str, list[dict[Quantity, float]]] = {case.name: [] for case in cases}
    for turn in range(runs + 1):
        for case in cases:
            progress(f"turn {turn} of {runs}: {case.name}")
            figures = _run(case)
            if turn > 0:
                taken[case.name].append(figures)
    return {
        name: {quantity: Figures(values=tuple(run[quantity] for run in runs_taken)) for quantity in Quantity}
        for name, runs_taken in taken.items()
    }


def environment() -> dict[str, str]:
    """Return this process's variables without those that would change what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def _run(case: Case) -> dict[Quantity, float]:
    case.prepare()
    with (case.cwd / ".output").open("w+b") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            case.argv, cwd=case.cwd, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            words = output.read().decode(errors="replace")[-LOG_TAIL:]
            raise MeasureError(f"{case.name}: {' '.join(case.argv)} ended with {process.returncode}:\n{words}")
    return {
        Quantity.WALL: wall,
        Quantity.CPU: usage.ru_utime + usage.ru_stime,
        Quantity.PEAK: usage.ru_maxrss * PEAK_UNIT / 2**20,
    }
