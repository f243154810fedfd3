"""What the team's actions require, installed by pip for the machine that the function runs on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slowsched.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["MACHINES", "Target", "install"]

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}  # Lambda's words -> those of Linux
# Amazon Linux 2023, on which Lambda's runtimes from python3.12 on stand, has glibc 2.34: wheels for these run on it.
_PLATFORMS = ("manylinux2014", "manylinux_2_28", "manylinux_2_34")

# What pip writes beside the files of a distribution, different each time or of no use in the function.
_NOTES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The machine of the function: `arm64` or `x86_64`, and its Python (`3.13`)."""

    architecture: str
    python: str


def install(requirements: Path, target: Target, folder: Path) -> dict[str, Path]:
    """Install what a file of requirements names into a folder; returns the files for the zip: path -> file.

    Raises:
        UsageError: pip is not there, or cannot install it.
    """
    done = subprocess.run(  # noqa: S603 - our own words, and the team's file
        [*_pip(), *_words(target), "--target", str(folder), "--requirement", requirements.name],
        cwd=requirements.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")] or [done.stderr.strip()]
        raise UsageError(
            f"pip cannot install worker/{requirements.name} for {target.architecture} and Python {target.python}: "
            f"{said[0].removeprefix('ERROR: ')}",
            hint="every requirement needs a wheel for that machine",
        )
    return dict(_files(folder))


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip", "install"]


def _words(target: Target) -> list[str]:
    machine = MACHINES[target.architecture]
    platforms = [word for name in _PLATFORMS for word in ("--platform", f"{name}_{machine}")]
    version = ["--implementation", "cp", "--python-version", target.python]
    return ["--quiet", "--disable-pip-version-check", "--no-compile", "--only-binary=:all:", *platforms, *version]


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield what is to be in the zip; programs are not, they name the Python of this machine."""
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        noted = path.parts[0].endswith(".dist-info") and path.name in _NOTES
        if file.is_file() and not noted and path.parts[0] != "bin" and file.suffix != ".pyc":
            yield path.as_posix(), file
