"""A bounded fuzzing by coverage of every target, the same every time; `make fuzz` does it for longer."""

from __future__ import annotations

import os
import platform
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from fuzz.campaign import MEGABYTES_MAX, SHARES, campaign

if TYPE_CHECKING:
    from pathlib import Path

# For these there are builds of atheris; elsewhere it wants a compiler of its own, and test_oracles.py must do.
BUILT_HERE = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 15)

RUNS = {"yaml": 1500, "json": 4000, "edit": 200, "config": 400, "row": 1500, "use": 200, "control": 3000, "plan": 4000}


def fuzzer() -> None:
    """Leave the test out where there is no fuzzer; fail it where one could be."""
    if find_spec("atheris") is None:
        if os.environ.get("CI") and BUILT_HERE:
            pytest.fail("atheris is not installed: pip install -e '.[dev]'")
        pytest.skip("left out: atheris is not installed, and is not built for this machine")


@pytest.mark.parametrize("target", SHARES)
def test_nothing_is_found(target: str, tmp_path: Path) -> None:
    """So many executions from a fixed seed: no input that an oracle refuses, none that hangs, memory bounded."""
    fuzzer()
    came = campaign(target, tmp_path, f"-runs={RUNS[target]}", "-seed=1")
    assert came.crash == ""
    assert (came.executions >= RUNS[target], came.megabytes <= MEGABYTES_MAX) == (True, True)
