"""Whole outputs are compared with the files in `expected`, which a person has read.

SLOWSCHED_WRITE_EXPECTED=1 pytest tests/render      writes them anew: read the diff before it is committed
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_FOLDER = Path(__file__).parent / "expected"


@pytest.fixture
def as_expected() -> Callable[[str, str], None]:
    """Compare a text with the file of this name."""

    def compare(name: str, actual: str) -> None:
        path = _FOLDER / name
        if os.environ.get("SLOWSCHED_WRITE_EXPECTED"):
            path.write_text(actual, encoding="utf-8", newline="")
        with path.open(encoding="utf-8", newline="") as file:
            assert actual == file.read()

    return compare
