"""Measure slowsched beside its floors, print one table, and end with 1 when a budget is broken.

    python benchmarks/run.py                      everything
    python benchmarks/run.py --sizes 1000 --runs 3

What is measured and how to read it: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import platform
import resource
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from measure import PEAK_UNIT, Case, MeasureError, Quantity, measure
from report import Line, table
from suite import (
    Comparison,
    compare_help,
    compare_import,
    compare_repository,
    compare_wakes,
    has_octodns,
    has_powertools,
    make_world,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = (1_000, 10_000)
RUNS = 5
SHORT_RUNS = 5  # times as many runs of what takes a fraction of a second


def main() -> int:
    """Measure, print, and return the exit status."""
    options = _options()
    sizes = sorted(set(options.sizes))
    lines: list[Line] = []
    try:
        with tempfile.TemporaryDirectory(prefix="slowsched-bench-") as folder:
            root = Path(folder)
            lines += _lines(*compare_help(root / "help"), options.runs * SHORT_RUNS)
            if has_powertools():
                lines += _lines(*compare_import(root / "import"), options.runs * SHORT_RUNS)
            worlds = []
            for size in sizes:
                _progress(f"making {size:,} task files")
                worlds.append(make_world(root / str(size), size))
            lines += _lines(*compare_wakes(worlds), options.runs * SHORT_RUNS)
            for world in worlds:
                lines += _lines(*compare_repository(world), options.runs)
    except MeasureError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    finally:
        _progress("")
    print(table(lines))
    print(_remarks(options.runs, lines))
    return 1 if any(line.broken for line in lines) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure slowsched beside its floors.")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="numbers of task files")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help="measured runs of each process")
    return parser.parse_args()


def _lines(cases: Sequence[Case], comparisons: Sequence[Comparison], runs: int) -> list[Line]:
    figures = measure(cases, runs, _progress)
    return [
        Line(
            comparison=each,
            measured=figures[each.case][each.quantity],
            floor=figures[each.floor][each.quantity],
        )
        for each in comparisons
    ]


def _progress(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)


def _remarks(runs: int, lines: Sequence[Line]) -> str:
    """Return what a reader must know to trust the table."""
    short = runs * SHORT_RUNS
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    remarks = [
        "",
        f"Whole processes in turn with their floors, {runs} runs each after a warm-up ({short} of start-up and wakes).",
        f"Ratios are of medians; only they travel to another machine than this one ({machine}).",
    ]
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * PEAK_UNIT / 2**20
    if any(line.floor.least <= own for line in lines if line.comparison.quantity is Quantity.PEAK):
        remarks.append(f"Peaks at or below {own:.0f} MiB are this program's own, which a child begins with.")
    if not has_octodns():
        remarks.append("octoDNS is not installed here (pip install '.[bench]'): its comparison was left out.")
    if not has_powertools():
        remarks.append("Powertools is not installed here (pip install '.[lambda]'): the function was left out.")
    broken = sum(line.broken for line in lines)
    kept = sum(line.comparison.budget is not None for line in lines) - broken
    remarks.append(f"{kept} budgets kept, {broken} broken.")
    return "\n".join(remarks)


if __name__ == "__main__":
    sys.exit(main())
