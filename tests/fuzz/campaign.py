"""Fuzzes every target by coverage and says what came of it: what `make fuzz` runs.

`campaign.py --seconds 300 [TARGET...]` shares out that time. What was found to reach new code is kept in build/fuzz,
and is begun with the next time. An input that an oracle refuses, that takes longer than `SECONDS_MAX` or more memory
than `MEGABYTES_MAX`, is in build/fuzz too: mend what is wrong, and put it into tests/fuzz/corpus.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from fuzz.seeds import seeds  # noqa: E402 - found only from there

__all__ = ["SHARES", "Came", "campaign"]

BUILD = HERE.parent.parent / "build" / "fuzz"
SECONDS_MAX = 10  # for one input
MEGABYTES_MAX = 512  # of the whole process
LENGTH_MAX = 4096  # bytes of an input

# What share of the time, or of the runs, each target has: by how much there is to find, and how long one run takes.
SHARES = {"yaml": 30, "json": 10, "edit": 15, "config": 15, "row": 10, "use": 10, "control": 5, "plan": 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What the fuzzing of one target came to; `crash` is the end of its output where it failed."""

    target: str
    seeds: int
    executions: int
    found: int
    slowest: int
    megabytes: int
    crash: str = ""

    def line(self) -> str:
        """Write it for people."""
        told = f"{self.target:8} {self.seeds:5} seeds {self.executions:9} executions {self.found:5} new"
        return f"{told} {self.slowest:3} s slowest {self.megabytes:4} MB  {'FAILED' if self.crash else 'ok'}"


def campaign(target: str, build: Path, *options: str) -> Came:
    """Fuzz one target in a process of its own, which coverage does not measure."""
    given, kept = build / "seeds" / target, build / "found" / target
    for folder in (given, kept):
        folder.mkdir(parents=True, exist_ok=True)
    begun = seeds(target)
    for name, data in begun.items():
        (given / name).write_bytes(data)
    bounds = [f"-timeout={SECONDS_MAX}", f"-rss_limit_mb={MEGABYTES_MAX}", f"-max_len={LENGTH_MAX}"]
    told = ["-print_final_stats=1", f"-dict={HERE / 'words.dict'}", f"-artifact_prefix={build}/{target}-"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    ran = subprocess.run(
        # By a shell in between: the peak of memory that libFuzzer is told is else that of who started it, too.
        [
            "sh",
            "-c",
            '"$@"; exit $?',
            "sh",
            sys.executable,
            str(HERE / "guided.py"),
            target,
            *bounds,
            *told,
            *options,
            str(kept),
            str(given),
        ],
        env=environment | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    numbers = {name: int(number) for name, number in re.findall(r"stat::(\w+): +(\d+)", ran.stderr)}
    return Came(
        target=target,
        seeds=len(begun),
        executions=numbers.get("number_of_executed_units", 0),
        found=numbers.get("new_units_added", 0),
        slowest=numbers.get("slowest_unit_time_sec", 0),
        megabytes=numbers.get("peak_rss_mb", 0),
        crash="" if ran.returncode == 0 else (ran.stdout + ran.stderr)[-4000:] or f"status {ran.returncode}",
    )


def main() -> int:
    """Fuzz what is asked for; the status is 1 when anything was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(SHARES)}; all of them by default")
    parser.add_argument("--seconds", type=int, default=120, help="for all targets together")
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    asked = parser.parse_args()
    chosen = {target: share for target, share in SHARES.items() if target in (asked.targets or SHARES)}
    failed = False
    for target, share in chosen.items():
        seconds = max(asked.seconds * share // sum(chosen.values()), 1)
        came = campaign(target, BUILD, f"-max_total_time={seconds}", f"-seed={asked.seed}")
        print(came.line(), flush=True)  # noqa: T201 - a program, which speaks to a person
        if came.crash:
            print(came.crash, flush=True)  # noqa: T201 - as above
        failed = failed or bool(came.crash)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
