"""How problems are worded: a value shown short, the name that was meant, a problem at its place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slowsched.canonical import pointer, text
from slowsched.model import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Parts = Sequence[str | int]
    """The way to a value in a document: keys and indexes."""

__all__ = ["Parts", "did_you_mean", "nearest", "problem", "shown"]

_SHOWN_MAX = 60  # characters of a value in a message
_KEY_MAX = 100  # characters of a key in a pointer
_NAME_MAX = 200  # a longer word is no mistyped name, and comparing it takes long
_NAMES_MAX = 1000
_CUTOFF = 0.6  # below it a suggestion is a guess


def shown(value: Any) -> str:
    """Write a value for a message: text in quotes, everything cut where it gets long."""
    if isinstance(value, str):
        return repr(value) if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]!r}..."
    if isinstance(value, dict | list) and value:
        return "this mapping" if isinstance(value, dict) else "this list"
    written = text(value)
    return written if len(written) <= _SHOWN_MAX else f"{written[:_SHOWN_MAX]}..."


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
    short = [part if isinstance(part, int) or len(part) <= _KEY_MAX else part[:_KEY_MAX] + "..." for part in parts]
    line, column = place
    return Problem(path=path, line=line, column=column, pointer=pointer(short), code=code, message=message)
