"""Edits of a YAML text by the places of what is edited: every other byte stays, comments as well.

Pure: text in, text out. An edit is checked by reading the result with the strict reader: it holds exactly what
was asked for, and every other document as it was; else there is no result (docs/decisions/0018-editor.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError
from yaml.events import DocumentStartEvent, StreamEndEvent

from slowsched.yaml_reader import read

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["holds", "is_same", "spans", "without_documents"]

_MODELINE = "# yaml-language-server:"


def without_documents(text: str, indexes: Collection[int]) -> str | None:
    """Return a YAML text without some of its documents; None where that cannot be done by cutting them out.

    What stands above the first document, its comments, goes with it but for the line that tells editors the
    schema. All of the others stay byte for byte.
    """
    parts = spans(text)
    values = [document.value for document in read("edited.yaml", text.encode())[0]]
    if len(parts) != len(values):
        return None
    kept = [text[start:end] for index, (start, end) in enumerate(parts) if index not in indexes]
    head = "" if 0 not in indexes else "".join(line for line in _head(text, parts) if line.startswith(_MODELINE))
    edited = head + "".join(kept)
    expected = [value for index, value in enumerate(values) if index not in indexes]
    return edited if holds(edited, expected) else None


def holds(text: str, values: Sequence[Any]) -> bool:
    """Say whether a text is read without a problem as exactly these values."""
    documents, problems = read("edited.yaml", text.encode("utf-8", "surrogatepass"))
    found = [document.value for document in documents]
    return not problems and len(found) == len(values) and all(map(is_same, found, values))


def spans(text: str) -> list[tuple[int, int]]:
    """Return where each document begins and ends: from its `---` (the first: from the top) to the next one's."""
    starts: list[int] = []
    parser = CParser(text.encode())
    try:
        while type(event := parser.get_event()) is not StreamEndEvent:
            if type(event) is DocumentStartEvent:
                mark: Any = event.start_mark
                starts.append(mark.index)
    except MarkedYAMLError:
        return []
    starts[:1] = [0] if starts else []
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def _head(text: str, parts: Sequence[tuple[int, int]]) -> list[str]:
    """Return the lines of the comments at the top of a text."""
    lines = []
    for line in text[: parts[0][1]].splitlines(keepends=True):
        if line.strip() and not line.startswith("#"):
            break
        lines.append(line)
    return lines


def is_same(one: Any, other: Any) -> bool:
    """Compare two JSON values without taking 1 for true or 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)
