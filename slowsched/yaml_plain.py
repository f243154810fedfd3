"""What a plain (unquoted) scalar of YAML means, where every reader agrees about it; else why it is refused.

YAML 1.1 (PyYAML, most tools) and YAML 1.2 read some texts differently, and people do too: `012`, `12:30`,
`no`, `1e5`. Such a text is refused, and quoting it is the way out. A date stays the text that it is.
"""

from __future__ import annotations

import re

from slowsched.canonical import number
from slowsched.wording import short, shown

__all__ = ["SUSPECT", "RefusedError", "plain_value"]

SUSPECT = frozenset(["", *"0123456789+-.~<=nNtTfFyYoO"])
"""The first characters (or none) of every text that is more than a string, for a quick look."""

_VALUES = {"": None, "~": None, "null": None, "true": True, "false": False}
_SPELLED_OTHERWISE = {
    spelling: word for word in ("null", "true", "false") for spelling in (word.capitalize(), word.upper())
}
_SWITCHES = {
    spelling: meaning
    for word, meaning in (("yes", "true"), ("no", "false"), ("on", "true"), ("off", "false"))
    for spelling in (word, word.capitalize(), word.upper())
}
_WORDS = frozenset([*_VALUES, *_SPELLED_OTHERWISE, *_SWITCHES, "<<", "="])
_NUMBER_BEGINS = frozenset("0123456789+-.")
_NUMBER_ENDS = frozenset("0123456789._abcdefABCDEFnN")  # .inf, .nan and 0xff included
# What some reader takes for a number, or a person for a time of day ...
_NUMBER_SOMEWHERE = re.compile(
    r"""[-+]?(?: [0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?  # decimal, octal 012, 1_000, 5., 1e5
               | \.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?              # .5
               | 0o[0-7]+ | 0x[0-9a-fA-F_]+ | 0b[01_]+           # other bases
               | [0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?     # base 60: 12:30, 1:30:00
               | \.(?:inf|Inf|INF) )
       | \.(?:nan|NaN|NAN)""",
    re.VERBOSE,
)
# ... and what all of them read as the same one: JSON, YAML 1.1 and YAML 1.2.
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][+-][0-9]+)?)?")


class RefusedError(ValueError):
    """A text that must not stand unquoted; `code` is the problem's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def plain_value(text: str) -> str | int | float | bool | None:
    """Return what a plain scalar means.

    Raises:
        RefusedError: readers disagree about it, or a number is not kept exactly.
    """
    if text in _WORDS:
        return _word(text)
    if text[0] not in _NUMBER_BEGINS or text[-1] not in _NUMBER_ENDS:
        return text
    if _NUMBER.fullmatch(text):
        try:
            return number(text)
        except ValueError as error:
            raise RefusedError("inexact-number", str(error)) from None
    if _NUMBER_SOMEWHERE.fullmatch(text):
        raise _ambiguous(text, "write a plain decimal number")
    return text


def _word(text: str) -> bool | None:
    if text in _VALUES:
        return _VALUES[text]
    if text in _SPELLED_OTHERWISE:
        message = f"{text} is spelled {_SPELLED_OTHERWISE[text]} in YAML 1.2: write that, or quote it"
        raise RefusedError("ambiguous-value", message)
    if text in _SWITCHES:
        raise _ambiguous(text, f"write {_SWITCHES[text]}")
    if text == "<<":
        raise RefusedError("merge-key", "merge keys are not read: write the keys out, or quote it for the text '<<'")
    raise RefusedError("ambiguous-value", "= is read differently by readers of YAML: quote it")


def _ambiguous(text: str, way_out: str) -> RefusedError:
    message = f"{short(text)} is read differently by readers of YAML: quote it for the text {shown(text)}, or {way_out}"
    return RefusedError("ambiguous-value", message)
