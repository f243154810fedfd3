"""Single attributes of items, written and read so strictly that no reader trips over them later; pure.

Each `read_...` raises a ValueError that names the attribute, or a KeyError when there is none, and
never returns another type than it says. `codec` makes rows of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slowsched import canonical
from slowsched.timing import parse_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = [
    "NewerFormatError",
    "check_format",
    "decode_moment",
    "is_unicode",
    "lossy",
    "present",
    "read_count",
    "read_list",
    "read_moment",
    "read_object",
    "read_optional_moment",
    "read_optional_text",
    "read_seconds",
    "read_text",
    "read_texts",
]

_STAMP_LENGTH = len("2030-01-01T00:00:00.000000Z")
_BETWEEN_DIGITS = slice(
    4, 20, 3
)  # what stands between the digits of a stamp: `fromisoformat` takes other forms as well
# No clock and no due is out of them, a hundred years added; beyond, sums and time zones leave the range of dates.
_FIRST_YEAR, _END_OF_YEARS = "1000", "3000"


class NewerFormatError(ValueError):
    """A newer version of slowsched wrote it, which is no damage."""


def check_format(item: Mapping[str, Any], known: int) -> None:
    """Refuse an item of a format above the one that is known here."""
    found = read_count(item, "format")
    if found > known:
        raise NewerFormatError(f"a newer version of slowsched wrote it (format {found}; this one reads {known})")


def present(**values: Any) -> dict[str, Any]:
    """Return the values that there are."""
    return {name: value for name, value in values.items() if value is not None}


def lossy(value: Any) -> str:
    """Return the JSON text of what is for people to read; a byte that was no text becomes `?`.

    File names, messages of exceptions and what a person typed can hold lone surrogates. They are not
    worth losing an outcome for.
    """
    return canonical.text(value).encode(errors="replace").decode()


def is_unicode(text: str) -> bool:
    """Say whether text can be stored at all: an argument of a command may hold bytes that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_number(literal: str) -> None:
    raise ValueError(f"{literal} is not JSON")


def _float(literal: str) -> float:
    value = float(literal)
    if value in (float("inf"), float("-inf")):  # `1e999` is JSON, but no number that could be written again
        raise ValueError(f"a number of it ({literal[:12]}) is beyond the range of a float")
    return value


_parse = json.JSONDecoder(parse_constant=_no_number, parse_float=_float).decode


def read_object(item: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an attribute of JSON text that holds an object."""
    value = _parse(read_text(item, name))
    if type(value) is not dict:
        raise ValueError(f"its `{name}` is not an object")
    return value


def read_list(item: Mapping[str, Any], name: str) -> list[Any]:
    """Return an attribute of JSON text that holds a list."""
    value = _parse(read_text(item, name))
    if type(value) is not list:
        raise ValueError(f"its `{name}` is not a list")
    return value


def read_text(document: Mapping[str, Any], name: str) -> str:
    """Return a text."""
    value = document[name]
    if type(value) is not str:
        raise ValueError(f"its `{name}` is not text")
    return value


def read_optional_text(document: Mapping[str, Any], name: str) -> str | None:
    """Return a text, None when it is absent."""
    return None if document.get(name) is None else read_text(document, name)


def read_texts(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of texts, an empty one when it is absent."""
    value = document.get(name, [])
    if type(value) is not list or not all(type(each) is str for each in value):
        raise ValueError(f"its `{name}` is not a list of text")
    return tuple(value)


def read_count(document: Mapping[str, Any], name: str) -> int:
    """Return a whole number from 0."""
    value = document[name]
    if type(value) is not int or value < 0:
        raise ValueError(f"its `{name}` is not a count")
    return value


def read_seconds(document: Mapping[str, Any], name: str) -> float:
    """Return a number of seconds."""
    value = document[name]
    if type(value) not in {int, float}:
        raise ValueError(f"its `{name}` is not a number")
    return float(value)


def decode_moment(text: Any) -> datetime:
    """Read a moment as an item holds it.

    Raises:
        ValueError: it is not fixed-width text, as `timing.stamp` writes it, or far outside of all that is planned.
    """
    if type(text) is not str or len(text) != _STAMP_LENGTH or text[-1] != "Z" or text[_BETWEEN_DIGITS] != "--T::.":
        raise ValueError(f"{text!r} is not a moment")
    if not _FIRST_YEAR <= text < _END_OF_YEARS:
        raise ValueError(f"{text!r} is outside of the years {_FIRST_YEAR} to {_END_OF_YEARS}")
    return parse_stamp(text)


def read_moment(document: Mapping[str, Any], name: str) -> datetime:
    """Return a moment."""
    return decode_moment(document[name])


def read_optional_moment(document: Mapping[str, Any], name: str) -> datetime | None:
    """Return a moment, None when it is absent."""
    text = document.get(name)
    return None if text is None else decode_moment(text)
