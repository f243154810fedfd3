"""The known name that a mistyped one most likely meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]

_CUTOFF = 0.6  # below it a suggestion is a guess
_NAMES_MAX = 20_000  # above it a search takes longer than a person waits for a suggestion


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name nearest to `word`, whatever the case of its letters; None when none is near."""
    from difflib import get_close_matches

    names: dict[str, str] = {}
    for name in sorted(known)[:_NAMES_MAX]:
        names.setdefault(name.casefold(), name)
    found = get_close_matches(word.casefold(), names, n=1, cutoff=_CUTOFF)
    return names[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str) -> str:
    """Return the way out of an unknown name: the nearest one, else `otherwise`."""
    name = nearest(word, known)
    return otherwise if name is None else f"did you mean {name!r}?"
