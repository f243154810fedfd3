r"""Text from a file, made harmless: what cannot be seen is shown escaped.

An id, a payload or a message may hold control characters, ANSI escapes, bidirectional overrides and
characters without width. Shown raw they move the cursor, reorder what a reviewer reads, or make two
different ids look alike. Printable text is left as it is, whatever its script.
"""

from __future__ import annotations

import re

__all__ = ["harmless", "harmless_json"]

# Categories Cc, Cf, Cs, Zl and Zp of Unicode, and the rest of Default_Ignorable_Code_Point: all that a
# terminal obeys or swallows instead of showing it.
_UNSEEN = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\xad\\u034f\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2"
    "\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164"
    "\\ud800-\\udfff\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb\\U000110bd\\U000110cd"
    "\\U00013430-\\U0001345f\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BYTE = 0x100
_BMP = 0x10000


def harmless(text: str) -> str:
    r"""Return `text` with all that cannot be seen written as `\n`, `\x1b`, `\u202e`; twice is once."""
    return _UNSEEN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code < _BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _BMP else f"\\U{code:08x}"


def harmless_json(text: str) -> str:
    """Return JSON text that means the same and holds nothing unseen but the line ends between its values.

    Outside of its strings JSON is ASCII, so that every other character may become an escape.
    """
    return _UNSEEN.sub(_escape_json, text)


def _escape_json(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\n":
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
