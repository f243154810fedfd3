"""Print the table of kills: `python tests/kill_table.py`, after `make emulators`. It takes some minutes.

`kill -9` of apply and worker at every point, on SQLite and on DynamoDB Local, each time followed by a run that
finishes: how many tasks were lost, how many ran again after their success had been recorded.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from emulators.dynamodb_local import dynamodb_local
from emulators.ministack import ministack
from emulators.parts import missing
from kills.grounds import DynamoGround, SqliteGround
from kills.scenes import SCENES
from kills.tables import HEADER, line_of

if TYPE_CHECKING:
    from kills.grounds import Ground


def main() -> int:
    """Print a line for each command on each ground; status 1 where anything was lost or ran again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only every so many points")
    parser.add_argument("--points", action="store_true", help="show which points there were, and how often")
    options = parser.parse_args()
    wrong = False
    print(HEADER, flush=True)  # noqa: T201 - the table
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        grounds: list[Ground] = [SqliteGround(), *_emulated(stack, folder)]
        for number, ground in enumerate(grounds):
            for command in SCENES:
                line = line_of(folder / f"{number}-{command}", command, ground, every=options.every)
                wrong = wrong or line.numbers[1:] != (0, 0)
                print(line.text, flush=True)  # noqa: T201 - the table
                if options.points:
                    print(dict(sorted(Counter(each.point for each in line.verdicts).items())))  # noqa: T201
    return int(wrong)


def _emulated(stack: ExitStack, folder: Path) -> list[DynamoGround]:
    """Start DynamoDB Local and MiniStack, where they are installed."""
    reasons = [reason for part in ("java", "dynamodb-local", "ministack") if (reason := missing(part))]
    if reasons:
        print("; ".join(reasons), file=sys.stderr)  # noqa: T201 - what the table lacks
        return []
    ground = DynamoGround(*(stack.enter_context(start(folder)) for start in (dynamodb_local, ministack)))
    os.environ.update(ground.variables)
    return [ground]


if __name__ == "__main__":
    sys.exit(main())
