"""A task as the text of a file, in the order and the dress that a person would give it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEYS", "json_text", "yaml_text"]

KEYS = (
    *("id", "due", "timezone", "action", "payload"),
    *("description", "team", "labels", "environments", "grace", "retry", "timeout", "protect"),
)
"""The keys of a task file: what decides the execution first."""

_WIDTH = 100


def yaml_text(document: Mapping[str, Any], schema: str | None) -> str:
    """Write a task as YAML; `schema` is the path from the file to the schema that editors read."""
    comment = [] if schema is None else [f"# yaml-language-server: $schema={schema}\n"]
    return "".join(comment + [_entry(key, document[key]) for key in KEYS if key in document])


def json_text(document: Mapping[str, Any]) -> str:
    """Write a task as JSON."""
    ordered = {key: document[key] for key in KEYS if key in document}
    return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"


def _entry(key: str, value: Any) -> str:
    import yaml

    if key in {"due", "grace", "timeout"}:
        return f"{key}: {value}\n"  # of digits and a few letters: PyYAML would quote what it takes for its own date
    text: str = yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text
