"""Lines of inked spans, laid out in the columns of a terminal and painted into one string.

`rich` knows how wide a character is and how an ink is spelled in ANSI. It is imported when the first text
is not ASCII or the first span is coloured, and not before: its import costs more than a small plan.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from slowsched.render.harmless import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "ELLIPSIS",
    "Ink",
    "Line",
    "Span",
    "columns",
    "crop",
    "crop_pair",
    "flow",
    "pad",
    "paint",
    "sentence",
    "table",
]

ELLIPSIS = "…"
_TEXT_COLUMNS_MIN = 20  # a narrower terminal breaks lines by itself


class Ink(StrEnum):
    """How a span is coloured, in the 16 colours that follow the reader's theme; the value is rich's."""

    PLAIN = "none"
    STRONG = "bold"
    FAINT = "dim"
    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    MAGENTA = "magenta"
    BAD = "bold red"


Span = tuple[str, Ink]
Line = tuple[Span, ...]


def columns(text: str) -> int:
    """Return how many columns a terminal needs for `text`."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - see the module's docstring

    return cell_len(text)


def pad(text: str, width: int) -> str:
    """Return `text` with blanks up to `width` columns."""
    return text + " " * (width - columns(text))


def crop(text: str, width: int) -> str:
    """Return `text` in at most `width` columns, with an ellipsis where it was cut."""
    if columns(text) <= width:
        return text
    kept = text[: width - 1]
    while columns(kept) >= width:
        kept = kept[:-1]
    return kept + ELLIPSIS


def crop_pair(before: str, after: str, width: int) -> tuple[str, str]:
    """Crop two texts so that their first difference stays in sight."""
    if columns(before) <= width and columns(after) <= width:
        return before, after
    shorter = min(len(before), len(after))
    same = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    start = max(same - width // 3, 0)
    while start and max(columns(before[start - 1 :]), columns(after[start - 1 :])) < width:
        start -= 1  # the ends fit, with room to spare
    if start:
        before, after = (ELLIPSIS + text[start:] for text in (before, after))
    return crop(before, width), crop(after, width)


def flow(pieces: Iterable[Span], width: int, *, indent: int = 0, hang: int = 0) -> Iterator[Line]:
    """Fill lines with pieces, a blank between them; a piece is never broken.

    Lines start `indent` columns in, all but the first `hang` more.
    """
    room = max(width, indent + hang + _TEXT_COLUMNS_MIN)
    line: list[Span] = [(" " * indent, Ink.PLAIN)]
    used = indent
    for text, ink in pieces:
        needed = columns(text)
        if len(line) > 1 and used + 1 + needed > room:
            yield tuple(line)
            used = indent + hang
            line = [(" " * used, Ink.PLAIN)]
        if len(line) > 1:
            line.append((" ", ink if line[-1][1] is ink else Ink.PLAIN))
            used += 1
        line.append((text, ink))
        used += needed
    yield tuple(line)


def sentence(
    text: str, width: int, ink: Ink = Ink.PLAIN, *, indent: int = 0, hang: int = 2, command: str | None = None
) -> Iterator[Line]:
    """Fill lines with the words of a text, made harmless first so that it is measured as it is painted.

    A command to type stands unbroken at its end.
    """
    words = [*harmless(text).split(" "), *([] if command is None else [harmless(command)])]
    return flow(((word, ink) for word in words), width, indent=indent, hang=hang)


def table(rows: Sequence[Line], widest: int | None = None) -> Iterator[Line]:
    """Align rows of equally many cells in columns as wide as their widest cell, or as `widest`.

    A wider cell moves the rest of its own row; the last cell of a row stands as it is.
    """
    sizes = [max(map(columns, cells)) for cells in zip(*([text for text, _ in row] for row in rows), strict=True)]
    widths = [size if widest is None else min(size, widest) for size in sizes]
    for row in rows:
        *cells, last = row
        yield (*((pad(text, width) + "  ", ink) for (text, ink), width in zip(cells, widths, strict=False)), last)


def paint(lines: Iterable[Line], *, color: bool) -> str:
    """Return the lines as one string; every span is made harmless here, whatever it holds."""
    brush = _brush if color else _no_brush
    return "".join(_painted(line, brush) + "\n" for line in lines)


def _painted(line: Line, brush: Callable[[Ink], Callable[[str], str]]) -> str:
    runs = groupby(line, key=itemgetter(1))
    text = "".join(brush(ink)(harmless("".join(span for span, _ in run))) for ink, run in runs)
    return text.rstrip(" ")


def _no_brush(_ink: Ink) -> Callable[[str], str]:
    return str


@cache
def _brush(ink: Ink) -> Callable[[str], str]:
    """Return what writes a text in an ink."""
    if ink is Ink.PLAIN:
        return str
    from rich.color import ColorSystem  # noqa: PLC0415 - see the module's docstring
    from rich.style import Style  # noqa: PLC0415

    style = Style.parse(ink.value)
    return lambda text: style.render(text, color_system=ColorSystem.STANDARD)
