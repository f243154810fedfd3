"""The capacity that a wake consumes, as benchmarks/wake_capacity.py measures it, on small tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from emulators.fixtures import requires

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "wake_capacity.py"


def test_a_wake_reads_the_same_whatever_the_table_holds() -> None:
    """Nine read units with one task due, of ten that it may; the program ends with 1 where that is broken."""
    requires("java", "dynamodb-local")
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), "--rows", "20", "600"], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert [line.split() for line in ran.stdout.splitlines()[1:3]] == [["20", "9", "5", "11"], ["600", "9", "5", "11"]]
