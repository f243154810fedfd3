"""Lines in the columns of a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slowsched.render.layout import Ink, columns, crop, crop_pair, flow, pad, paint, sentence, table

_SEEN = st.text("ab é漢字🎄e\u0301 ", max_size=60)


@given(_SEEN, st.integers(min_value=1, max_value=80))
def test_crop_fits(text: str, width: int) -> None:
    """A cropped text fits, and is the start of the text with an ellipsis where it was cut."""
    cropped = crop(text, width)
    assert columns(cropped) <= width
    assert cropped == text or (cropped.endswith("…") and text.startswith(cropped[:-1]))


@given(_SEEN, _SEEN, _SEEN, st.integers(min_value=20, max_value=60))
def test_crop_pair_fits_and_differs(same: str, before: str, after: str, width: int) -> None:
    """Two cropped texts fit; texts that differ still differ."""
    one, other = crop_pair(same + before, same + after, width)
    assert max(columns(one), columns(other)) <= width
    assert (one == other) == (before == after)


def test_crop_pair() -> None:
    """What comes before the difference gives way, but no more of it than must."""
    assert [
        crop_pair("short", "text", 20),
        crop_pair("x" * 30 + "1", "x" * 30 + "2", 20),
        crop_pair("x" * 30 + "1" * 30, "x" * 30 + "2" * 30, 20),
        crop_pair("1" * 30, "2" * 30, 20),
        crop_pair("x" * 30, "x" * 31, 20),
    ] == [
        ("short", "text"),
        ("…" + "x" * 18 + "1", "…" + "x" * 18 + "2"),
        ("…" + "x" * 6 + "1" * 12 + "…", "…" + "x" * 6 + "2" * 12 + "…"),
        ("1" * 19 + "…", "2" * 19 + "…"),
        ("…" + "x" * 18, "…" + "x" * 19),
    ]


def test_flow_never_breaks_a_piece() -> None:
    """Pieces fill lines; one that is wider than the line has its own."""
    pieces = [(word, Ink.PLAIN) for word in ("one", "two", "three" * 10, "four", "five")]
    lines = [paint([line], color=False) for line in flow(pieces, 24, indent=2, hang=1)]
    assert lines == ["  one two\n", "   " + "three" * 10 + "\n", "   four five\n"]


def test_flow_has_a_least_width() -> None:
    """In a very narrow terminal lines are as wide as a word or two, rather than one letter."""
    assert paint(sentence("to be or not to be", 1, indent=4, hang=0), color=False) == "    to be or not to be\n"


def test_table() -> None:
    """Cells are aligned by the columns that they take; a cell beyond the widest moves its own row only."""
    rows = [tuple((cell, Ink.PLAIN) for cell in row) for row in [("a", "漢字", "x"), ("bbbbbbb", "b", "y")]]
    assert [paint(table(rows), color=False), paint(table(rows, 3), color=False), list(table([]))] == [
        "a        漢字  x\nbbbbbbb  b     y\n",
        "a    漢字  x\nbbbbbbb  b    y\n",
        [],
    ]


@pytest.mark.parametrize(("text", "padded"), [("a", "a   "), ("漢", "漢  "), ("abcde", "abcde")])
def test_pad(text: str, padded: str) -> None:
    """Blanks are counted in columns."""
    assert pad(text, 4) == padded


def test_paint() -> None:
    """Ink is one of the terminal's own colours; a span is made harmless whatever it holds."""
    line = (("ok ", Ink.GREEN), ("plain ", Ink.PLAIN), ("\x1b[0m\n[red]", Ink.BAD))
    assert [paint([line], color=True), paint([line], color=False), paint([], color=True)] == [
        "\x1b[32mok \x1b[0mplain \x1b[1;31m\\x1b[0m\\n[red]\x1b[0m\n",
        "ok plain \\x1b[0m\\n[red]\n",
        "",
    ]
