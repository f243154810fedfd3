"""How problems are worded: a value shown short, the name that was meant, a problem at its place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slowsched.canonical import pointer, text
from slowsched.model import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Parts = Sequence[str | int]
    """The way to a value in a document: keys and indexes."""

__all__ = ["Parts", "did_you_mean", "nearest", "problem", "short", "shown"]

_SHOWN_MAX = 60  # characters of a value in a message, or of a key in a pointer
_NAME_MAX = 200  # a longer word is no mistyped name, and comparing it takes long
_NAMES_MAX = 1000
_CUTOFF = 0.6  # below it a suggestion is a guess


def short(words: str) -> str:
    """Cut a text where it gets long for a message."""
    return words if len(words) <= _SHOWN_MAX else f"{words[:_SHOWN_MAX]}..."


def shown(value: Any) -> str:
    """Write a value for a message: text in quotes, everything cut where it gets long."""
    if isinstance(value, str):
        return repr(short(value))
    if isinstance(value, dict | list) and value:
        return "this mapping" if isinstance(value, dict) else "this list"
    return short(text(value))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that a mistyped one most likely meant, None when none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - needed by mistakes only

    if len(word) > _NAME_MAX:
        return None
    names: dict[str, str] = {}
    for name in sorted(known)[:_NAMES_MAX]:
        names.setdefault(name.casefold(), name)
    found = get_close_matches(word.casefold(), names, n=1, cutoff=_CUTOFF)
    return names[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """Return the end of a message about an unknown name: the nearest one, else `otherwise`."""
    name = nearest(word, known)
    if name is not None:
        return f": did you mean {name!r}?"
    return f": {otherwise}" if otherwise else ""


def problem(path: str, place: tuple[int, int], parts: Parts, code: str, message: str) -> Problem:
    """Return a problem at a line and column, about the value at `parts`."""
    way = [part if isinstance(part, int) else short(part) for part in parts]
    line, column = place
    return Problem(path=path, line=line, column=column, pointer=pointer(way), code=code, message=message)
