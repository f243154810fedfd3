"""A process of a race; a program of its own, started by `races.course`. Its one argument is a `Spec` as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a process races on: a table of AWS where there is one, else the SQLite file that holds the timer."""

    file: str
    table: str = ""
    notes: str = ""
    seed: int = 0
    seconds: float = 0.0
    faults: tuple[tuple[str, str, str], ...] = ()

    @property
    def text(self) -> str:
        """As the argument of a process."""
        return json.dumps(asdict(self))


def main() -> None:
    """Race: plant the faults, say that all is ready, and begin with the word."""
    spec = Spec(**json.loads(sys.argv[1]))
    sys.path.insert(0, str(FOLDER.parent))
    from kills.launcher import plant  # noqa: PLC0415 - found by the line before

    logging.getLogger("slowsched").addHandler(logging.NullHandler())  # actions that fail are part of it
    for fault in spec.faults:
        plant(*fault)
    from races.actors import Race, threads_of  # noqa: PLC0415 - after the faults
    from races.course import backends_of  # noqa: PLC0415

    random = Random(spec.seed)  # noqa: S311 - a seed, so that a race is nearly the same again
    race = Race(Path(spec.notes))
    with backends_of(spec) as backends:
        threads = threads_of(race, backends, random, f"p{spec.seed}")
        print("ready", flush=True)  # noqa: T201 - this is what the parent reads
        sys.stdin.readline()
        race.ends_at = time.monotonic() + spec.seconds
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    race.write()


if __name__ == "__main__":
    main()
