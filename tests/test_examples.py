"""Acceptance by example: what a file of `tests/examples` is told, to the letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from repositories import EXAMPLES, PROJECT, a_repository, report

from slowsched.config import load_config
from slowsched.repository import Scan

if TYPE_CHECKING:
    from pathlib import Path

INVALID = sorted(path for path in (EXAMPLES / "invalid").iterdir() if path.suffix != ".txt")
VALID = sorted(path for path in (EXAMPLES / "valid").rglob("*") if path.is_file())


@pytest.mark.parametrize("example", INVALID, ids=lambda path: path.name)
def test_invalid_example(example: Path, tmp_path: Path) -> None:
    """Each defect is reported at its place, in the words that stand beside the example."""
    config = a_repository(tmp_path, {f"tasks/{example.name}": example.read_bytes()})
    expected = example.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert report(Scan(config)) == expected


@pytest.mark.parametrize("example", VALID, ids=lambda path: path.name)
def test_valid_example(example: Path, tmp_path: Path) -> None:
    """A valid example has no problem, and declares at least one task."""
    config = a_repository(tmp_path, {f"tasks/{example.name}": example.read_bytes()})
    scan = Scan(config)
    assert (report(scan), scan.tasks > 0) == ([], True)


def test_own_tasks() -> None:
    """The examples of this repository itself are in order, and still ahead for some years."""
    scan = Scan(load_config(PROJECT))
    assert [declared.task.id for declared in scan if declared.task.due.year < 2030] == []
    assert (scan.problems, scan.tasks >= 5) == ((), True)
