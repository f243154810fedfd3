"""What is measured: the processes of each comparison, the states they start from, and the budgets.

A budget is a ratio to a floor that ran in turn with it on the same machine; it holds for
`BUDGETED_FILES` files, the size it was set for. Smaller repositories are shown beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from generate import DUE_TOGETHER, FIRST_DUE, make_repository, make_zone
from measure import Case, MeasureError, Quantity, environment

__all__ = [
    "Comparison",
    "World",
    "compare_help",
    "compare_import",
    "compare_repository",
    "compare_wakes",
    "has_octodns",
    "has_powertools",
    "make_world",
]

BUDGETED_FILES = 10_000
VALIDATE_OF_LOAD = 0.75
PLAN_OF_VALIDATE = 1.25
PEAK_OF_LOAD = 1.5
HELP_OF_CLICK = 1.2
PLAN_OF_OCTODNS = 1 / 6
IMPORT_OF_BOTO3 = 2.5
WAKE_OF_SMALL_TABLE = 1.25  # it costs the same whatever the table holds; the rest is the machine's noise

SCRIPTS = Path(sys.executable).parent
SLOWSCHED = str(SCRIPTS / "slowsched")
OCTODNS = str(SCRIPTS / "octodns-sync")
PROJECT = Path(__file__).resolve().parents[1]
FLOORS = PROJECT / "benchmarks" / "floors"
WAKE = ("worker", "--fakenow", f"{FIRST_DUE:%Y-%m-%dT%H:%M:%SZ}")
STATE = ".slowsched"  # where a repository keeps its local store


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One line of the table: a quantity of a case over the same quantity of its floor."""

    what: str
    case: str
    floor: str
    quantity: Quantity
    budget: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Repositories of one size: one that was never applied, one that was, and one that is in git, too."""

    files: int
    fresh: Path
    applied: Path
    versioned: Path
    zone: Path

    @property
    def snapshot(self) -> Path:
        """The state of the applied repository, to start each wake from."""
        return self.applied.parent / "snapshot"


def has_octodns() -> bool:
    """Say whether octoDNS is installed beside slowsched."""
    return Path(OCTODNS).exists()


def has_powertools() -> bool:
    """Say whether what the function's zip needs is installed beside slowsched."""
    return find_spec("aws_lambda_powertools") is not None


# --- repositories ----------------------------------------------------------------------------------


def make_world(root: Path, files: int) -> World:
    """Make the repositories of one size, and see that each command does to them what is to be measured.

    Raises:
        MeasureError: a command does something else.
    """
    world = World(
        files=files,
        fresh=root / "fresh",
        applied=root / "applied",
        versioned=root / "versioned",
        zone=root / "zone",
    )
    make_repository(world.fresh, files)
    make_zone(world.zone, files)
    shutil.copytree(world.fresh, world.applied)
    _expect("validate", _answer(world.applied, "validate")["tasks"], files)
    _slowsched(world.applied, "apply", "--yes")
    _expect("no-change plan", _answer(world.applied, "plan")["counts"]["unchanged"], files)
    shutil.copytree(world.applied, world.versioned)
    _commit(world.versioned)
    _expect("no-change plan in git", _answer(world.versioned, "plan")["counts"]["unchanged"], files)
    shutil.copytree(world.applied / STATE, world.snapshot)
    _expect("wake", len(_answer(world.applied, *WAKE)["attempts"]), DUE_TOGETHER)
    _restore(world)
    return world


def _slowsched(folder: Path, *arguments: str) -> bytes:
    done = subprocess.run(
        [SLOWSCHED, *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise MeasureError(f"slowsched {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr.decode()}")
    return done.stdout


def _answer(folder: Path, *arguments: str) -> Any:
    return json.loads(_slowsched(folder, *arguments, "--format", "json"))


def _expect(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise MeasureError(f"{what}: {found} tasks, not {expected}")


def _commit(folder: Path) -> None:
    (folder / ".gitignore").write_text(f"{STATE}/\n.output\n", encoding="utf-8")
    author = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    for words in (("init", "--quiet"), ("add", "."), (*author, "commit", "--quiet", "--message", "all task files")):
        subprocess.run(["git", *words], cwd=folder, env=environment(), check=True)


def _remove_state(folder: Path) -> None:
    shutil.rmtree(folder / STATE, ignore_errors=True)


def _restore(world: World) -> None:
    """Put the applied repository's state back, on the disk and not only on its way there."""
    state = world.applied / STATE
    _remove_state(world.applied)
    shutil.copytree(world.snapshot, state)
    for path in state.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


# --- comparisons -----------------------------------------------------------------------------------


def compare_repository(world: World) -> tuple[list[Case], list[Comparison]]:
    """Compare what one does with a whole repository with the floors of each command."""
    python = sys.executable
    database = world.fresh / STATE / "floor.db"
    cases = [
        Case(name="load", argv=(python, str(FLOORS / "load_yaml.py"), "tasks"), cwd=world.applied),
        Case(name="validate", argv=(SLOWSCHED, "validate"), cwd=world.applied),
        Case(name="no-change plan", argv=(SLOWSCHED, "plan"), cwd=world.applied),
        Case(name="no-change plan in git", argv=(SLOWSCHED, "plan"), cwd=world.versioned),
        Case(name="first plan", argv=(SLOWSCHED, "plan"), cwd=world.fresh, prepare=lambda: _remove_state(world.fresh)),
        Case(
            name="load and store",
            argv=(python, str(FLOORS / "load_and_store.py"), "tasks", str(database)),
            cwd=world.fresh,
            prepare=lambda: _empty_state(world.fresh),
        ),
        Case(
            name="apply",
            argv=(SLOWSCHED, "apply", "--yes"),
            cwd=world.fresh,
            prepare=lambda: _remove_state(world.fresh),
        ),
    ]
    if has_octodns():
        argv = (OCTODNS, "--config-file", "octodns.yaml")
        cases.append(Case(name="octoDNS plan", argv=argv, cwd=world.zone))
    return cases, _repository_comparisons(world.files)


def _empty_state(folder: Path) -> None:
    _remove_state(folder)
    (folder / STATE).mkdir()


def _repository_comparisons(files: int) -> list[Comparison]:
    budgets: dict[tuple[str, str, Quantity], float] = {
        ("validate", "load", Quantity.WALL): VALIDATE_OF_LOAD,
        ("validate", "load", Quantity.PEAK): PEAK_OF_LOAD,
        ("no-change plan", "validate", Quantity.WALL): PLAN_OF_VALIDATE,
        ("no-change plan", "load", Quantity.PEAK): PEAK_OF_LOAD,
        ("no-change plan", "octoDNS plan", Quantity.WALL): PLAN_OF_OCTODNS,
    }
    pairs = [
        ("validate", "load"),
        ("no-change plan", "validate"),
        ("no-change plan", "load"),
        ("no-change plan in git", "no-change plan"),
        ("first plan", "load"),
        ("apply", "load and store"),
    ]
    if has_octodns():
        pairs.append(("no-change plan", "octoDNS plan"))
    return [
        Comparison(
            what=f"{files:,} files",
            case=case,
            floor=floor,
            quantity=quantity,
            budget=budgets.get((case, floor, quantity)) if files >= BUDGETED_FILES else None,
        )
        for case, floor in pairs
        for quantity in Quantity
    ]


def compare_wakes(worlds: list[World]) -> tuple[list[Case], list[Comparison]]:
    """Compare one wake with ten tasks due in the greatest table with the same in each smaller one."""

    def case(world: World) -> Case:
        return Case(
            name=_wake_name(world),
            argv=(SLOWSCHED, *WAKE),
            cwd=world.applied,
            prepare=lambda: _restore(world),
        )

    greatest = worlds[-1]
    comparisons = [
        Comparison(
            what=f"{DUE_TOGETHER} due",
            case=_wake_name(greatest),
            floor=_wake_name(world),
            quantity=quantity,
            budget=WAKE_OF_SMALL_TABLE if quantity is not Quantity.PEAK else None,
        )
        for world in worlds[:-1]
        for quantity in Quantity
    ]
    return [case(world) for world in worlds], comparisons


def _wake_name(world: World) -> str:
    return f"wake, {world.files:,} rows"


def compare_help(folder: Path) -> tuple[list[Case], list[Comparison]]:
    """Compare `slowsched --help` with a bare click program, both started by the same kind of console script."""
    folder.mkdir(parents=True)
    shutil.copy(FLOORS / "bare_click.py", folder)
    script = folder / "bare"
    own = Path(SLOWSCHED).read_text(encoding="utf-8")
    script.write_text(
        own.replace("from slowsched.cli.main import main", "from bare_click import main"), encoding="utf-8"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    cases = [
        Case(name="bare click --help", argv=(str(script), "--help"), cwd=folder),
        Case(name="slowsched --help", argv=(SLOWSCHED, "--help"), cwd=folder),
    ]
    comparisons = [
        Comparison(
            what="start-up",
            case="slowsched --help",
            floor="bare click --help",
            quantity=quantity,
            budget=HELP_OF_CLICK if quantity is Quantity.WALL else None,
        )
        for quantity in Quantity
    ]
    return cases, comparisons


def compare_import(folder: Path) -> tuple[list[Case], list[Comparison]]:
    """Compare all that the function on Lambda imports for a wake, from its zip, with boto3, which is there already.

    As on Lambda nothing of the zip was compiled before, and nothing that is compiled is kept; boto3 was.
    """
    folder.mkdir(parents=True)
    archive, function = folder / "function.zip", folder / "function"
    _slowsched(PROJECT, "package", "--out", str(archive))
    with zipfile.ZipFile(archive) as unpacked:
        unpacked.extractall(function)
        size = sum(entry.file_size for entry in unpacked.infolist())
    wake = f"import sys; sys.path.insert(0, {str(function)!r}); import boto3, worker.handler, worker.actions"
    cases = [
        Case(name="import boto3", argv=(sys.executable, "-B", "-c", "import boto3"), cwd=folder),
        Case(name="import the function", argv=(sys.executable, "-B", "-c", wake), cwd=folder),
    ]
    comparisons = [
        Comparison(
            what=f"zip of {archive.stat().st_size / 2**20:.2f} MiB, unpacked {size / 2**20:.2f}",
            case="import the function",
            floor="import boto3",
            quantity=quantity,
            budget=IMPORT_OF_BOTO3 if quantity is not Quantity.PEAK else None,
        )
        for quantity in Quantity
    ]
    return cases, comparisons
