"""A task as the text of a file, in the order and the dress that a person would give it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slowsched.yaml_reader import read

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEYS", "json_text", "yaml_text"]

KEYS = (
    *("id", "due", "timezone", "action", "payload"),
    *("description", "team", "labels", "environments", "grace", "retry", "timeout", "protect"),
)
"""The keys of a task file: what decides the execution first."""

_UNQUOTED = {"due", "grace", "timeout"}  # PyYAML would quote what it takes for a date of its own
_WIDTH = 100


def yaml_text(document: Mapping[str, Any], schema: str | None) -> str:
    """Write a task as YAML; `schema` is the path from the file to the schema that editors read."""
    comment = "" if schema is None else f"# yaml-language-server: $schema={schema}\n"
    return comment + "".join(_entry(key, document[key]) for key in KEYS if key in document)


def json_text(document: Mapping[str, Any]) -> str:
    """Write a task as JSON."""
    ordered = {key: document[key] for key in KEYS if key in document}
    return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"


def _entry(key: str, value: Any) -> str:
    """Write one key in the plainest form that the strict reader reads back as the same value."""
    import yaml

    plain = f"{key}: {value}\n" if key in _UNQUOTED else yaml.safe_dump({key: value}, **_STYLE)
    documents, problems = read("task.yaml", plain.encode("utf-8", "surrogatepass"))
    if not problems and len(documents) == 1 and documents[0].value == {key: value}:
        return str(plain)
    return f"{key}: {json.dumps(value, ensure_ascii=False)}\n"


_STYLE: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": _WIDTH}
