"""Mutate the core, run its quick tests on every mutant, and hold the survivors against those that are explained.

`make mutants` runs it; docs/decisions/0023 says why and with what. It ends with 1 where a file of `SCORED` scores less
than `SCORE_MIN`, where a survivor is not explained, or where an explained one does not survive any more.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "mutants"  # where mutmut keeps its copy of the project
SCORE_MIN = 95  # percent of the mutants of each of these that the tests notice, the explained ones not among them
SCORED = ("arm", "lifecycle", "plan", "timing")
NOTICED = {"killed", "timeout"}
INTERNAL_ERROR = 3  # of pytest: mutmut takes it for noticed, but no test has said so

os.chdir(ROOT)  # mutmut reads its settings where it is imported
sys.path.insert(0, str(ROOT / "tests"))

from mutation import outside  # noqa: E402 - found by the path above
from mutation.survivors import Change, explained, stripped  # noqa: E402 - the same
from mutmut.mutation.diff_apply import get_diff_for_mutant  # noqa: E402 - where its settings are
from mutmut.stats import status_by_exit_code  # noqa: E402 - the same
from mutmut.utils.format_utils import orig_function_and_class_names_from_key  # noqa: E402 - the same


def run_mutmut(processes: str) -> None:
    """Have mutmut make its mutants anew, and run the tests on each."""
    shutil.rmtree(WORK, ignore_errors=True)
    mutmut = Path(sys.executable).parent / "mutmut"
    subprocess.run([mutmut, "run", "--max-children", processes], check=True)


def inside() -> tuple[Counter[str], list[Change]]:
    """Return how many mutants mutmut made of each module, and what the survivors among them change."""
    made: Counter[str] = Counter()
    survived: list[Change] = []
    for path in sorted((WORK / "slowsched").glob("*.meta")):
        module = path.name.removesuffix(".py.meta")
        results = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        found = {name: status for name, status in results.items() if (module, _function(name)) not in outside.AT_IMPORT}
        made[module] += len(found)
        survived += [_change(module, name) for name, status in found.items() if _survives(status)]
    return made, survived


def _survives(status: int | None) -> bool:
    return status == INTERNAL_ERROR or status_by_exit_code[status] not in NOTICED


def _function(name: str) -> str:
    function, owner = orig_function_and_class_names_from_key(name)
    return function if owner is None else f"{owner}.{function}"


def _change(module: str, name: str) -> Change:
    lines = get_diff_for_mutant(name, path=Path("slowsched") / f"{module}.py").splitlines()
    lines = [line for line in lines if not line.startswith(("---", "+++"))]
    return Change(
        module=module,
        function=_function(name),
        before=stripped([line[1:] for line in lines if line.startswith("-")]),
        after=stripped([line[1:] for line in lines if line.startswith("+")]),
    )


def main() -> int:
    """Run everything and print the score of each file; returns the exit status."""
    began = monotonic()
    run_mutmut(os.environ.get("MUTANTS_PROCESSES", str(os.cpu_count() or 1)))
    made, survived = inside()
    planted = [each for module in outside.TESTS for each in outside.mutants(module)]
    made.update(each.change.module for each in planted)
    survived += outside.survivors(planted)
    known = {change for change, _ in explained()}
    lost = Counter(each.module for each in survived)
    scores = {module: 100 * (made[module] - lost[module]) / made[module] for module in sorted(made) if made[module]}
    print(f"\n{'file':<24}{'mutants':>8}{'survive':>8}{'score':>9}")
    for module, score in scores.items():
        print(f"{f'slowsched/{module}.py':<24}{made[module]:>8}{lost[module]:>8}{score:>7.1f} %")
    total = made.total()
    print(f"{'all':<24}{total:>8}{len(survived):>8}{100 * (total - len(survived)) / total:>7.1f} %")
    unexplained = sorted({each for each in survived if each not in known})
    stale = sorted(known.difference(survived))
    for title, changes in (("Not explained in survivors.toml", unexplained), ("Explained, and noticed now", stale)):
        print(*(f"\n{title}: {each}" for each in changes), sep="")
    print(f"\n{monotonic() - began:.0f} s")
    return int(bool(unexplained or stale or min(scores[module] for module in SCORED) < SCORE_MIN))


if __name__ == "__main__":
    sys.exit(main())
