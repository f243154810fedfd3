"""The files of `tests/golden/`: what released versions have written, and that none of them was changed since."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

__all__ = ["GOLDEN", "golden", "sums"]

GOLDEN = Path(__file__).parent / "golden"


def golden(pattern: str) -> dict[str, Any]:
    """Return the files of these names, by name."""
    return {path.name: json.loads(path.read_bytes()) for path in sorted(GOLDEN.glob(pattern))}


def sums() -> str:
    """Return what SHA256SUMS should say of the files that are there."""
    paths = sorted(GOLDEN.glob("*.json"))
    return "".join(f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in paths)
