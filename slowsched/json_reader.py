"""Strict JSON with places: one document a file, no key twice, no number that is not kept.

Python's `json` decides what is JSON. The text is walked token by token only when something may be wrong with
its values, or when a place is asked for.
"""

from __future__ import annotations

import json
import re
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from slowsched.canonical import number
from slowsched.model import Document, Place
from slowsched.source_text import (
    DEPTH_MAX,
    PROBLEMS_MAX,
    TOO_DEEP,
    TOO_MANY,
    VALUES_MAX,
    hidden_character,
    line_and_column,
)
from slowsched.wording import problem, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slowsched.model import Problem
    from slowsched.source_text import Places

    Way = tuple[str | int, ...]
    Finding = tuple[int, Way, str, str]
    """Index in the text, way to the value, code and message."""

__all__ = ["json_places", "read_json"]

_LEXEME = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s,:{}\[\]"]+')
_SUSPECT = re.compile(r"\\u|[\x7f-\x9f]")  # a string may hold a hidden character
_NO_NUMBERS = frozenset(["NaN", "Infinity", "-Infinity"])
_WORDS = frozenset(["true", "false", "null"])


def read_json(path: str, text: str) -> tuple[list[Document], list[Problem]]:
    """Read the text of a JSON file: its one document, or every problem of it."""
    suspicion = _Suspicion()
    value = None
    try:
        value = json.loads(
            text,
            object_pairs_hook=suspicion.pairs,
            parse_int=suspicion.number,
            parse_float=suspicion.number,
            parse_constant=suspicion.constant,
        )
    except json.JSONDecodeError as error:
        return [], [_syntax_problem(path, text, error)]
    except RecursionError:
        suspicion.found = True
    if suspicion.found or _is_large(text) or _SUSPECT.search(text):
        findings = islice(_Walk(text).findings(), PROBLEMS_MAX)
        problems = [
            problem(path, line_and_column(text, index), way, code, message) for index, way, code, message in findings
        ]
        if problems:
            return [], problems
    line, column = line_and_column(text, len(text) - len(text.lstrip()))
    return [Document(place=Place(path=path, line=line, column=column), value=value, text=text)], []


def _is_large(text: str) -> bool:
    """Say whether a text can be deeper, or hold more values, than a document may."""
    return len(text) > VALUES_MAX or text.count("[") + text.count("{") > DEPTH_MAX


class _Suspicion:
    """What `json.loads` calls; `found` says that the text must be looked at more closely."""

    def __init__(self) -> None:
        self.found = False

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        self.found |= len(value) != len(pairs)
        return value

    def number(self, literal: str) -> int | float:
        try:
            return number(literal)
        except ValueError:
            self.found = True
            return 0

    def constant(self, _literal: str) -> None:
        self.found = True


def _syntax_problem(path: str, text: str, error: json.JSONDecodeError) -> Problem:
    if not text.strip():
        return problem(path, (1, 1), (), "empty-file", "this file is empty")
    message = f"this is not JSON: {error.msg[:1].lower()}{error.msg[1:]}"
    if error.msg == "Extra data":
        message = "this is not JSON: something follows the document (only YAML has several in one file)"
    return problem(path, line_and_column(text, error.pos), (), "syntax", message)


def json_places(text: str) -> Places:
    """Return where each value, and the key before it, starts in a text that is JSON."""
    walk = _Walk(text)
    deque(walk.findings(), maxlen=0)
    return {
        way: (line_and_column(text, value), line_and_column(text, key)) for way, (value, key) in walk.starts.items()
    }


class _Walk:
    """One walk over the tokens of a text that is JSON.

    `starts` has the index of each value and of the key before it (its own where it has none); of a double
    key the first counts.
    """

    def __init__(self, text: str) -> None:
        self.starts: dict[Way, tuple[int, int]] = {}
        self._text = text
        self._way: list[str | int] = []
        self._key_start: int | None = None
        self._expects_key = False

    def findings(self) -> Iterator[Finding]:
        """Yield what must not be in a document."""
        for match in _LEXEME.finditer(self._text):
            lexeme, index = match[0], match.start()
            if lexeme == ":":
                self._expects_key = False
            elif lexeme == ",":
                self._next()
            elif lexeme in {"]", "}"}:
                self._way.pop()
            elif self._expects_key:
                yield from self._key(lexeme, index)
            else:
                yield from self._value(lexeme, index)
                if len(self.starts) > VALUES_MAX:
                    yield index, (), "too-many-values", TOO_MANY
                    return
                if len(self._way) > DEPTH_MAX:
                    yield index, (), "too-deep", TOO_DEEP
                    return

    def _next(self) -> None:
        last = self._way[-1]
        self._expects_key = isinstance(last, str)
        if isinstance(last, int):
            self._way[-1] = last + 1

    def _key(self, lexeme: str, index: int) -> Iterator[Finding]:
        key = json.loads(lexeme)
        self._key_start, self._way[-1] = index, key
        way = tuple(self._way)
        if way in self.starts:
            line, _ = line_and_column(self._text, self.starts[way][1])
            yield index, way, "duplicate-key", f"the key {shown(key)} stands in line {line} already"
        yield from _hidden(key, index, way)

    def _value(self, lexeme: str, index: int) -> Iterator[Finding]:
        way = tuple(self._way)
        self.starts.setdefault(way, (index, index if self._key_start is None else self._key_start))
        self._key_start = None
        self._expects_key = lexeme == "{"
        if lexeme in {"{", "["}:
            self._way.append("" if self._expects_key else 0)
        elif lexeme.startswith('"'):
            yield from _hidden(json.loads(lexeme), index, way)
        elif lexeme in _NO_NUMBERS:
            yield index, way, "syntax", f"{lexeme} is no number of JSON: quote it"
        elif lexeme not in _WORDS:
            yield from _inexact(lexeme, index, way)


def _hidden(text: str, index: int, way: Way) -> Iterator[Finding]:
    message = hidden_character(text)
    if message is not None:
        yield index, way, "control-character", message


def _inexact(literal: str, index: int, way: Way) -> Iterator[Finding]:
    try:
        number(literal)
    except ValueError as error:
        yield index, way, "inexact-number", str(error)
