"""PyYAML as the other reader of YAML, and when two readers mean the same."""

from __future__ import annotations

from typing import Any, ClassVar

import yaml

__all__ = ["Timeless", "read_alike", "same"]


class Timeless(yaml.CSafeLoader):
    """PyYAML's loader, but a date stays the text that it is."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, form) for tag, form in forms if tag != "tag:yaml.org,2002:timestamp"]
        for first, forms in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def same(ours: Any, theirs: Any) -> bool:
    """Say whether two values are the same, true not being 1 (but 1.0 being 1)."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(value, theirs[key]) for key, value in ours.items())
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs) and isinstance(ours, bool) == isinstance(theirs, bool)


def read_alike(text: str, values: list[Any]) -> bool:
    """Say whether PyYAML reads a text as exactly these values."""
    theirs = list(yaml.load_all(text, Timeless))
    return len(theirs) == len(values) and all(map(same, values, theirs))
