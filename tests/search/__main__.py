"""The search as a command, from the tests: `python -m search [NAME...] [--preemptions N] [--seconds N]`."""

from __future__ import annotations

import argparse
import logging
import sys

from search import apply_configurations, lease_configurations, timer_configurations
from search.engine import Search

ALL = {
    f"{family}.{name}": make
    for family, module in (
        ("timer", timer_configurations),
        ("lease", lease_configurations),
        ("apply", apply_configurations),
    )
    for name, make in module.ALL.items()
}


def main() -> int:
    """Search, tell what it came to, and return 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="search", description=__doc__)
    parser.add_argument("names", nargs="*", help="configurations, or families of them; all by default")
    parser.add_argument("--preemptions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=120.0, help="of the processor, for each, at most")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    wrong = 0
    totals = [0, 0, 0, 0, 0.0]
    say = sys.stdout.write
    say("| configuration | preemptions | schedules | states | moves | endings | seconds | |\n")
    say("|---" * 8 + "|\n")
    for name, make in ALL.items():
        if given.names and not any(name.startswith(each) for each in given.names):
            continue
        search = Search(make(), given.preemptions)
        found = search.run(seconds=given.seconds)
        how = "all" if found.complete else "not finished"
        how = "WRONG" if found.violations else how
        say(
            f"| {name} | {given.preemptions} | {found.schedules:,} | {found.states:,} | {found.moves:,} "
            f"| {found.endings:,} | {found.seconds:.1f} | {how} |\n"
        )
        numbers = (found.schedules, found.states, found.moves, found.endings, found.seconds)
        totals = [total + number for total, number in zip(totals, numbers, strict=True)]
        for violation in found.violations:
            wrong = 1
            say("\n".join((violation.what, *violation.way)) + "\n")
        sys.stdout.flush()
    schedules, states, moves, endings, seconds = totals
    say(f"| all | {given.preemptions} | {schedules:,} | {states:,} | {moves:,} | {endings:,} | {seconds:.1f} | |\n")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
