"""The files that travel with slowsched: schemas, the starter repository of `init`, workflows, Lambda's handler.

There is one source of each. In the source tree they are the project's own files; a wheel has them under
`slowsched/data` (pyproject.toml, force-include).
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["handler_path", "schema_text", "starter_text", "workflow_text"]

_PACKAGE = Path(__file__).parent
_DATA = _PACKAGE / "data"
_SOURCE = _PACKAGE.parent


def schema_text(name: str) -> str:
    """Return the text of a schema of slowsched's own: `task`, `config` or `plan`."""
    return _text(_DATA / "schemas" / f"{name}.schema.json", _SOURCE / "schemas" / f"{name}.schema.json")


def starter_text(path: str) -> str:
    """Return the text of a file of the starter repository, by its path in it."""
    return _text(_DATA / "starter" / path, _SOURCE / path)


def workflow_text(name: str) -> str:
    """Return the text of a workflow of this repository that others may take over: `plan` or `apply`."""
    return _text(_DATA / "workflows" / f"{name}.yml", _SOURCE / ".github" / "workflows" / f"{name}.yml")


def handler_path() -> Path:
    """Return the file of the function on Lambda, for a repository that has none of its own."""
    return _place(_DATA / "worker" / "handler.py", _SOURCE / "worker" / "handler.py")


def _text(packaged: Path, source: Path) -> str:
    return _place(packaged, source).read_text(encoding="utf-8")


def _place(packaged: Path, source: Path) -> Path:
    return packaged if packaged.exists() else source
