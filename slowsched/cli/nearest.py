"""The way out of a mistyped name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["way_out"]


def way_out(word: str, known: Iterable[str], *, otherwise: str) -> str:
    """Return the known name that was most likely meant as a question, else `otherwise`."""
    from slowsched.wording import nearest

    name = nearest(word, known)
    return otherwise if name is None else f"did you mean {name!r}?"
