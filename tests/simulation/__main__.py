"""`python -m simulation`: run many seeds, tell one, or leave the rules out one at a time.

python -m simulation run --seeds 2000        as many as that, on all processors
python -m simulation run --minutes 30        for as long as that
python -m simulation story 1234              what happened at a seed, minimised where it fails
python -m simulation crowds                  very many tasks
python -m simulation mutations               every rule left out, and how many seeds it took to notice
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from simulation.mutations import MUTATIONS
from simulation.playing import all_left_out, chunks, play, played

if TYPE_CHECKING:
    from collections import Counter

CROWDS = {
    "one that fails": "one task that fails for ever beside 1,000 others, each within its bound",
    "stampede": "10,000 tasks in one minute, each executed",
}
SHOWN_MAX = 5  # failing seeds that are told at length


@click.group()
def main() -> None:
    """Play days, and years, of a table in a world that a seed decides."""


@main.command()
@click.option("--seeds", type=int, help="how many")
@click.option("--minutes", type=float, help="for how long, where no number is given")
@click.option("--first", type=int, default=0, show_default=True, help="the first seed")
@click.option("--profile", help="days of one kind; else the seed chooses")
@click.option("--processes", type=int, default=os.cpu_count(), show_default=True)
def run(seeds: int | None, minutes: float | None, first: int, profile: str | None, processes: int) -> None:
    """Run seeds, and print what they came to; exit 1 when something did not hold."""
    if seeds is None and minutes is None:
        seeds = 500
    began = time.monotonic()
    outcome = played(chunks(first, seeds, minutes), profile, processes)
    failed = outcome.failed
    _print(outcome.figures, outcome.faults, time.monotonic() - began)
    for seed, check, text in failed[:SHOWN_MAX]:
        click.echo(f"seed {seed}: {check}: {text}")
        more = "" if profile is None else f" --profile {profile}"
        click.echo(f"  replay: python -m simulation story {seed}{more}")
    click.echo(f"{len(failed)} violations")
    sys.exit(1 if failed else 0)


def _print(figures: Counter[str], faults: Counter[str], seconds: float) -> None:
    console = Console()
    table = Table(title="simulated")
    table.add_column("what")
    table.add_column("how many", justify="right")
    years = timedelta(seconds=figures.pop("seconds")) / timedelta(days=365.25)
    table.add_row("seeds", f"{figures.pop('seeds'):,}")
    table.add_row("simulated years", f"{years:,.1f}")
    table.add_row("steps", f"{figures.pop('steps'):,}")
    for name, number in sorted(figures.items()):
        table.add_row(name, f"{number:,}")
    table.add_row("minutes it took", f"{seconds / 60:.1f}")
    console.print(table)
    struck = Table(title="faults injected")
    struck.add_column("fault")
    struck.add_column("times", justify="right")
    for name, number in sorted(faults.items()):
        struck.add_row(name, f"{number:,}")
    struck.add_row("in all", f"{sum(faults.values()):,}")
    console.print(struck)


@main.command()
def crowds() -> None:
    """Play the days that have very many tasks; exit 1 when something did not hold."""
    violations = 0
    for name, told in CROWDS.items():
        outcome = play(0, 1, name)
        figures = outcome.figures
        click.echo(
            f"{told}: {figures['executions']:,} executions in {figures['wakes']:,} wakes, "
            f"{figures['ended succeeded']:,} succeeded, {figures['ended dead']} dead, {len(outcome.failed)} violations"
        )
        for _, check, text in outcome.failed:
            click.echo(f"  {check}: {text}")
        violations += len(outcome.failed)
    sys.exit(1 if violations else 0)


@main.command()
@click.argument("seed", type=int)
@click.option("--profile", help="days of one kind; else the seed chooses")
@click.option("--whole", is_flag=True, help="as it was, not minimised")
def story(seed: int, profile: str | None, *, whole: bool) -> None:
    """Tell what happened at a seed; one that fails is minimised first."""
    from simulation.scenario import a_scenario  # noqa: PLC0415
    from simulation.story import minimised, told  # noqa: PLC0415
    from simulation.world import World  # noqa: PLC0415

    found = None if whole else minimised(a_scenario(seed, profile))
    if found is None:
        found = World(a_scenario(seed, profile))
        found.run()
    click.echo(told(found))
    sys.exit(0 if found.violation is None else 1)


@main.command()
@click.option("--only", help="one of the rules")
@click.option("--processes", type=int, default=os.cpu_count(), show_default=True)
def mutations(only: str | None, processes: int) -> None:
    """Leave the rules out one at a time; exit 1 when one is not noticed."""
    names = [each for each in MUTATIONS if only in (None, each)]
    missed = 0
    for name, found in all_left_out(names, processes):
        missed += found is None
        told = "NOT NOTICED" if found is None else "{:>3} seeds ({}): {}".format(*found)
        click.echo(f"{name:<44} {told}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
