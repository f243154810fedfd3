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
    forms = _forms(key, value)
    return next((text for text in forms if _means(text, {key: value})), forms[-1])


def _forms(key: str, value: Any) -> list[str]:
    """Return the ways to write one key, the plainest first, the safest last."""
    import yaml

    bare = [f"{key}: {value}\n"] if key in _UNQUOTED else []
    dumped = [yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=wide, width=_WIDTH) for wide in (True, False)]
    return [*bare, *dumped, f"{key}: {json.dumps(value)}\n"]


def _means(text: str, meant: Mapping[str, Any]) -> bool:
    documents, problems = read("task.yaml", text.encode("utf-8", "surrogatepass"))
    return not problems and [document.value for document in documents] == [meant]
