"""From a file to its bytes, and from bytes to text: what is no text is refused before any format is looked at.

Nothing here knows YAML or JSON. A file is read whole or not at all, and never more of it than `FILE_BYTES_MAX`.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from typing import TYPE_CHECKING

from slowsched.wording import problem

if TYPE_CHECKING:
    from pathlib import Path

    from slowsched.model import Problem

    Places = dict[tuple[str | int, ...], tuple[tuple[int, int], tuple[int, int]]]
    """Line and column of each value, by the way to it, and of its key (its own where it has none)."""

__all__ = [
    "DEPTH_MAX",
    "FILE_BYTES_MAX",
    "PROBLEMS_MAX",
    "TOO_DEEP",
    "TOO_MANY",
    "VALUES_MAX",
    "Places",
    "decode",
    "hidden_character",
    "line_and_column",
    "read_bytes",
    "without_mark",
]

FILE_BYTES_MAX = 1024 * 1024  # sixteen tasks of the largest size
DEPTH_MAX = 64  # of lists and mappings in each other: bounds every recursion over a value
VALUES_MAX = 32 * 1024  # in one document: the text of a task has room for no more
PROBLEMS_MAX = 100  # of one file: whoever has more has another kind of problem

TOO_DEEP = f"lists and mappings stand more than {DEPTH_MAX} deep in each other here"
TOO_MANY = f"this document has more than {VALUES_MAX} values"

_CHUNK = 64 * 1024
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # not to wait for the writer of a pipe
_OTHER_BOMS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
# Control characters but \t, \n and \r; halves of surrogate pairs, which are no characters.
_HIDDEN = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
_START = (1, 1)


def read_bytes(file: Path | str, path: str) -> bytes | Problem:
    """Read a whole regular file; `path` is its name in what is reported."""
    try:
        descriptor = os.open(file, _FLAGS)
    except FileNotFoundError:
        return problem(path, _START, (), "no-such-file", "there is no such file")
    except OSError as error:
        return _unreadable(path, error)
    try:
        return _read_all(descriptor, path)
    except IsADirectoryError:
        return problem(path, _START, (), "not-a-file", "this is a folder with the name of a file: rename it")
    except OSError as error:
        return _unreadable(path, error)
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, path: str) -> bytes | Problem:
    data = os.read(descriptor, _CHUNK)
    if not data and not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return problem(path, _START, (), "not-a-file", "this is no regular file (a pipe or a device)")
    while chunk := os.read(descriptor, _CHUNK):
        data += chunk
        if len(data) > FILE_BYTES_MAX:
            message = f"this file is larger than {FILE_BYTES_MAX // 1024} KB: split it, or keep large data elsewhere"
            return problem(path, _START, (), "file-too-large", message)
    return data


def _unreadable(path: str, error: OSError) -> Problem:
    return problem(path, _START, (), "unreadable", f"this file cannot be read: {error.strerror}")


def without_mark(data: bytes) -> bytes:
    """Return the bytes without the byte order mark of UTF-8, which some editors write."""
    return data.removeprefix(codecs.BOM_UTF8)


def decode(path: str, data: bytes) -> str | Problem:
    """Return the text of a file; only UTF-8 is text."""
    if b"\0" in data:
        return _not_text(path, data)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return _not_text(path, data)
        before = data[: error.start].decode()
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8: save the file as UTF-8"
        return problem(path, line_and_column(before, len(before)), (), "not-utf8", message)


def _not_text(path: str, data: bytes) -> Problem:
    for mark, name in _OTHER_BOMS:
        if data.startswith(mark):
            return problem(path, _START, (), "not-utf8", f"this file is {name}: save it as UTF-8")
    zeros = sorted((data[::2].count(0), data[1::2].count(0)))
    if zeros[0] == 0 and zeros[1] > len(data) // 4:
        return problem(path, _START, (), "not-utf8", "this file looks like UTF-16: save it as UTF-8")
    before = data[: data.index(0)].decode(errors="replace")
    message = "this is a binary file (it holds a NUL byte), not text"
    return problem(path, line_and_column(before, len(before)), (), "binary", message)


def line_and_column(text: str, index: int) -> tuple[int, int]:
    r"""Return where a character is, counted from 1; lines end with \n, \r\n or \r, as they do in YAML."""
    before = text[:index].replace("\r\n", " \n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def hidden_character(text: str) -> str | None:
    """Say that a text holds a character that must not be in a value, since it can hide text from a reviewer."""
    if text.isprintable():
        return None
    found = _HIDDEN.search(text)
    if found is None:
        return None
    code = ord(found[0])
    kind = "half of a surrogate pair" if code >= 0xD800 else "a control character"  # noqa: PLR2004 - Unicode's own
    return f"this holds U+{code:04X}, {kind}, which nobody can see: leave it out"
