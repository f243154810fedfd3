"""Text from files can do nothing to a terminal, and stays what it is otherwise."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slowsched.render.harmless import harmless, harmless_json

_ANY_TEXT = st.text(st.characters(exclude_categories=()))
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_WITHOUT_WIDTH = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u3164\ufe0f\uffa0\U000e0100"


def test_everything_unseen_is_escaped() -> None:
    """Every control, format, surrogate and separator character of Unicode becomes visible ASCII."""
    unseen = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in _UNSEEN]
    raw = [character for character in [*unseen, *_WITHOUT_WIDTH] if not harmless(character).isascii()]
    assert raw == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("gro\u200bss\u202e\x9b", "gro\\u200bss\\u202e\\x9b"),
        ("\U000e0041\ud800", "\\U000e0041\\ud800"),
        ("Größe 漢字 🎄 e\u0301 C:\\x", "Größe 漢字 🎄 e\u0301 C:\\x"),
    ],
)
def test_harmless(text: str, shown: str) -> None:
    """Escapes read as in Python; what can be seen is left as it is."""
    assert harmless(text) == shown


@given(_ANY_TEXT)
def test_harmless_twice_is_once(text: str) -> None:
    """What is harmless stays as it is."""
    assert harmless(harmless(text)) == harmless(text)


@given(st.dictionaries(_ANY_TEXT, _ANY_TEXT | st.integers() | st.lists(st.booleans())))
def test_harmless_json_means_the_same(value: dict[str, object]) -> None:
    """JSON is escaped so that its readers do not notice, and its line ends stay."""
    text = harmless_json(json.dumps(value, ensure_ascii=False, indent=2))
    # A reader joins two surrogates that stood alone: what JSON itself cannot tell apart.
    assert json.loads(text) == json.loads(json.dumps(value))
    assert {each for each in text if unicodedata.category(each) in _UNSEEN} <= {"\n"}
