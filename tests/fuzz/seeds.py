"""The inputs that fuzzing begins with: hostile ones by hand, what was once found, and the examples of task files."""

from __future__ import annotations

from pathlib import Path

__all__ = ["CORPUS", "seeds"]

CORPUS = Path(__file__).parent / "corpus"
EXAMPLES = Path(__file__).parent.parent / "examples"

_FOLDERS = {"edit": "yaml", "use": "row"}  # targets that begin with the inputs of another
_READ_EXAMPLES = {"yaml", "json", "edit", "config"}


def seeds(target: str) -> dict[str, bytes]:
    """Return the inputs of a target by name."""
    paths = [path for path in sorted((CORPUS / _FOLDERS.get(target, target)).iterdir()) if path.is_file()]
    if target in _READ_EXAMPLES:
        paths += [path for path in sorted(EXAMPLES.rglob("*")) if path.is_file() and path.suffix != ".txt"]
    return {path.name: path.read_bytes() for path in paths}
