"""The values of a task as aligned lines: names, and values before and after.

Bounded in every direction: a line by the width, a block by `FIELDS_MAX`. The JSON document has all.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from slowsched import canonical
from slowsched.render.harmless import harmless
from slowsched.render.layout import Ink, columns, crop, crop_pair, pad
from slowsched.sensitive import MASK, shown_document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from slowsched.model import Field, Task
    from slowsched.render.layout import Line

__all__ = ["FIELDS_MAX", "field_lines", "field_values", "task_values", "value_lines"]

_T = TypeVar("_T")

FIELDS_MAX = 40  # of one task on a screen: more is read in a file
_DEPTH_MAX = 6  # deeper values stand on one line, as JSON
_NAME_SHARE = 3  # a name takes at most a third of the line
_VALUE_COLUMNS_MIN = 20
_ARROW = " -> "
_NONE = "(none)"

# Texts of a form that the task schema fixes stand bare; all other texts in quotes, so that "5" is not 5.
_BARE = ("$.due", "$.action", "$.timezone", "$.grace", "$.timeout", "$.retry.", "$.team")
# What a task is without being told; a created task shows what differs from it.
_OBVIOUS = {"$.retry.attempts": 5, "$.retry.backoff": "1m", "$.retry.max_backoff": "1h", "$.timeout": "30s"}
# The title, the line that says when it fires, and the masks themselves.
_TOLD_ELSEWHERE = ("$.id", "$.due", "$.sensitive")


def _value_text(pointer: str, value: Any) -> str:
    """Write one value as a reader finds it in the file: JSON, but for the texts that need no quotes."""
    if isinstance(value, str) and pointer.startswith(_BARE):
        return harmless(value)
    return harmless(json.dumps(value, ensure_ascii=False))


def task_values(task: Task, places: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield what a task says, name and value, the payload value by value; the obvious is left out.

    What is sensitive is masked: by the task itself, and at `places`.
    """
    document = shown_document(task, places)
    hidden = {*task.sensitive, *places}
    ordered = {"action": None, "payload": None} | document
    for pointer, value in _leaves((), ordered):
        if pointer not in _TOLD_ELSEWHERE and not (pointer in _OBVIOUS and _OBVIOUS[pointer] == value):
            yield _name(pointer), MASK if pointer in hidden else _value_text(pointer, value)


def _leaves(path: tuple[str, ...], value: Any) -> Iterator[tuple[str, Any]]:
    """Go down into mappings; a list, an empty mapping and what lies too deep is one value."""
    if isinstance(value, dict) and value and len(path) < _DEPTH_MAX:
        for key, inner in value.items():
            yield from _leaves((*path, key), inner)
    else:
        yield canonical.pointer(path), value


def value_lines(values: Iterable[tuple[str, str]], width: int, indent: int) -> Iterator[Line]:
    """Align names and values, one line each."""
    shown, rest = _bounded(values)
    names = _aligned([name for name, _ in shown], width)
    for name, (_, value) in zip(names, shown, strict=True):
        room = _room(width, indent, name)
        yield (" " * indent, Ink.PLAIN), (f"{name}  ", Ink.FAINT), (crop(value, room), Ink.PLAIN)
    yield from _more(rest, indent)


def field_lines(fields: Iterable[Field], width: int, indent: int) -> Iterator[Line]:
    """Align names and values before -> after, on one line each where both fit, else on two."""
    shown, rest = _bounded(fields)
    texts = [field_values(field) for field in shown]
    names = _aligned([name for name, _, _ in texts], width)
    pairs = [(before, after) for _, before, after in texts]
    room = _room(width, indent, names[0]) if names else 0
    widest = max((columns(before) for before, after in pairs if _fits(before, after, room)), default=0)
    for name, (before, after) in zip(names, pairs, strict=True):
        start: Line = ((" " * indent, Ink.PLAIN), (f"{name}  ", Ink.FAINT))
        if _fits(before, after, room):
            aligned = pad(before, widest) if widest + len(_ARROW) + columns(after) <= room else before
            yield (*start, (aligned, Ink.RED), (_ARROW, Ink.FAINT), (after, Ink.GREEN))
        else:
            arrow = _ARROW.lstrip().rjust(indent + columns(name) + 2)
            old, new = crop_pair(before, after, room)
            yield (*start, (old, Ink.RED))
            yield (arrow, Ink.FAINT), (new, Ink.GREEN)
    yield from _more(rest, indent)


def field_values(field: Field) -> tuple[str, str, str]:
    """Write a field as its name, the value before and the value after."""
    before, after = (_NONE if value is None else _side_text(field, value) for value in (field.before, field.after))
    # Two masks look alike: that what they hide differs must be said.
    return _name(field.pointer), before, f"{after}, changed" if field.sensitive and before == after else after


def _side_text(field: Field, value: Any) -> str:
    return MASK if field.sensitive and value == MASK else _value_text(field.pointer, value)


def _fits(before: str, after: str, room: int) -> bool:
    return columns(before) + len(_ARROW) + columns(after) <= room


def _bounded(each: Iterable[_T]) -> tuple[Sequence[_T], int]:
    """Return the first `FIELDS_MAX`, and how many more there are."""
    rest = iter(each)
    shown = list(islice(rest, FIELDS_MAX))
    return shown, sum(1 for _ in rest)


def _name(pointer: str) -> str:
    """Return a pointer without its root."""
    return harmless(pointer.removeprefix("$."))


def _aligned(names: Sequence[str], width: int) -> list[str]:
    """Return names that are all of one width."""
    widest = min(max(map(columns, names), default=0), width // _NAME_SHARE)
    return [pad(crop(name, widest), widest) for name in names]


def _room(width: int, indent: int, name: str) -> int:
    """Return how many columns are left for the value beside a name."""
    return max(width - indent - columns(name) - 2, _VALUE_COLUMNS_MIN)


def _more(rest: int, indent: int) -> Iterator[Line]:
    if rest:
        yield ((" " * indent + f"... and {rest} more: --format json shows all", Ink.FAINT),)
