"""Strict YAML and JSON with places: bytes -> documents, or every problem of the file.

libyaml's events become values directly, so that nothing turns silently into something else: what readers of
YAML understand differently, tags, anchors, aliases and double keys are refused with the way out
(docs/decisions/0003-strict-yaml-reader.md). A file with any problem gives no documents: none is half-read.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from slowsched.model import Document, Place, Problem
from slowsched.source_text import (
    DEPTH_MAX,
    PROBLEMS_MAX,
    TOO_DEEP,
    TOO_MANY,
    VALUES_MAX,
    decode,
    hidden_character,
    line_and_column,
    without_mark,
)
from slowsched.wording import problem, short, shown
from slowsched.yaml_plain import SUSPECT, RefusedError, plain_value
from slowsched.yaml_quick import read_quickly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from slowsched.source_text import Places

    Event = Any  # of yaml.events: their stubs say that any attribute may be None

__all__ = ["is_json", "locate", "read"]

_LINE_SEPARATORS = "\x85\u2028\u2029"


def is_json(path: str) -> bool:
    """Say whether a file is read as JSON, by its name; everything else is YAML."""
    return path.lower().endswith(".json")


def read(path: str, data: bytes) -> tuple[list[Document], list[Problem]]:
    """Read the bytes of a file: its documents in their order, or every problem of it.

    `path` is relative to the root.
    """
    data = without_mark(data)
    text = decode(path, data)
    if isinstance(text, Problem):
        return [], [text]
    if is_json(path):
        from slowsched.json_reader import read_json  # noqa: PLC0415 - most repositories have YAML only

        return read_json(path, text)
    if not text.isascii() and (problems := _line_separators(path, text)):
        return [], problems
    documents = read_quickly(path, text, data)
    if documents is not None:
        return documents, []
    reader = _Reader(path, text, data)
    reader.read()
    return ([], reader.problems) if reader.problems else (reader.documents, [])


def _line_separators(path: str, text: str) -> list[Problem]:
    problems = []
    for character in _LINE_SEPARATORS:
        index = text.find(character)
        if index >= 0:
            code = f"{ord(character):04x}"
            message = f'U+{code.upper()} ends a line for some readers of YAML only: write "\\u{code}" in quotes'
            problems.append(problem(path, line_and_column(text, index), (), "control-character", message))
    return problems


def locate(document: Document, parts: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
    """Return line and column of a value in a document, or of its key; of what holds it, when it is not there."""
    places = _places(document.text, document.index, json=is_json(document.place.path))
    way = tuple(parts)
    while way and way not in places:
        way, key = way[:-1], False
    if way not in places:
        return document.place.line, document.place.column
    of_value, of_key = places[way]
    return _within(document.text, of_key if key else of_value)


def _within(text: str, place: tuple[int, int]) -> tuple[int, int]:
    """Return a place in the text: for libyaml a last line without an end is followed by one more line."""
    return min(place, line_and_column(text, len(text)))


@lru_cache(maxsize=1)
def _places(text: str, index: int, *, json: bool) -> Places:
    if json:
        from slowsched.json_reader import json_places  # noqa: PLC0415 - as above

        return json_places(text)
    return _yaml_places(text, index)


class _StopReading(Exception):  # noqa: N818 - not an error of anybody
    """Enough was found: the rest of the file is not read."""


class _Reader:
    """One reading of a YAML file, event by event."""

    def __init__(self, path: str, text: str, data: bytes) -> None:
        self.documents: list[Document] = []
        self.problems: list[Problem] = []
        self._path = path
        self._text = text
        self._next_event: Callable[[], Event] = CParser(data).get_event
        self._way: list[str | int] = []
        self._room = VALUES_MAX

    def read(self) -> None:
        """Fill `documents` and `problems`."""
        try:
            while type(event := self._next_event()) is not StreamEndEvent:
                if type(event) is DocumentStartEvent:
                    self._document(self._next_event())
        except _StopReading:
            return
        except ReaderError as error:
            character = chr(error.character)
            place = line_and_column(self._text, self._text.index(character))
            message = hidden_character(character) or str(error)
            self.problems.append(problem(self._path, place, (), "control-character", message))
        except MarkedYAMLError as error:
            self.problems.append(_syntax_problem(self._path, self._text, error))
        if not self.documents and not self.problems:
            self.problems.append(problem(self._path, (1, 1), (), "empty-file", "there is no document in this file"))

    def _document(self, event: Event) -> None:
        self._room = VALUES_MAX
        if type(event) is ScalarEvent and not event.value and not event.style:
            self._report(event, "empty-document", "there is nothing in this document")
        mark = event.start_mark
        place = Place(path=self._path, line=mark.line + 1, column=mark.column + 1)
        value = self._node(event)
        self.documents.append(Document(place=place, value=value, text=self._text, index=len(self.documents)))

    def _node(self, event: Event, *part: str | int) -> Any:
        """Read the value that starts here; `part` is its key or index, none at the root."""
        self._room -= 1
        if self._room < 0:
            self._stop(event, "too-many-values", TOO_MANY)
        if type(event) is AliasEvent:
            self._report(event, "alias", "aliases are not read: write the value out", *part)
            return None
        self._refuse_marks(event, *part)
        if type(event) is ScalarEvent:
            return self._scalar(event, *part)
        if len(self._way) + len(part) >= DEPTH_MAX:
            self._stop(event, "too-deep", TOO_DEEP)
        self._way.extend(part)
        value = self._mapping() if type(event) is MappingStartEvent else self._sequence()
        if part:
            self._way.pop()
        return value

    def _mapping(self) -> dict[str, Any]:
        value: dict[str, Any] = {}
        while type(event := self._next_event()) is not MappingEndEvent:
            if type(event) is ScalarEvent:
                key = event.value
                self._check_key(event)
                if key in value:
                    self._report_double(event, key)
            else:
                key = "?"
                self._report(event, "key-not-text", "a key is text, not a list, a mapping or an alias", key)
                self._node(event, key)
            value[key] = self._node(self._next_event(), key)
        return value

    def _sequence(self) -> list[Any]:
        value: list[Any] = []
        while type(event := self._next_event()) is not SequenceEndEvent:
            value.append(self._node(event, len(value)))
        return value

    def _scalar(self, event: Event, *part: str | int) -> Any:
        text = event.value
        if not event.style:  # plain
            if text[:1] in SUSPECT:
                try:
                    return plain_value(text)
                except RefusedError as refused:
                    self._report(event, refused.code, str(refused), *part)
        elif event.style == '"':  # escapes exist here only
            hidden = hidden_character(text)
            if hidden is not None:
                self._report(event, "control-character", hidden, *part)
        return text

    def _check_key(self, event: Event) -> None:
        self._refuse_marks(event, event.value)
        if not isinstance(self._scalar(event, event.value), str):
            said = f"{short(event.value)} is none: quote it" if event.value else "there is none before this colon"
            self._report(event, "key-not-text", f"a key is text, and {said}", event.value)

    def _report_double(self, event: Event, key: str) -> None:
        (_, (line, _)) = _places(self._text, len(self.documents), json=False)[*self._way, key]
        self._report(event, "duplicate-key", f"the key {shown(key)} stands in line {line} already", key)

    def _refuse_marks(self, event: Event, *part: str | int) -> None:
        """Refuse the tag and the anchor of a node."""
        if event.anchor is not None:
            self._report(event, "anchor", f"anchors are not read: leave &{short(event.anchor)} out", *part)
        if event.tag is not None:
            tag = short(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self._report(event, "tag", f"tags are not read: leave {tag} out, or quote the value", *part)

    def _report(self, event: Event, code: str, message: str, *part: str | int) -> None:
        if len(self.problems) >= PROBLEMS_MAX:
            raise _StopReading
        place = _within(self._text, (event.start_mark.line + 1, event.start_mark.column + 1))
        self.problems.append(problem(self._path, place, (*self._way, *part), code, message))

    def _stop(self, event: Event, code: str, message: str) -> NoReturn:
        self._way.clear()
        self._report(event, code, message)
        raise _StopReading


def _yaml_places(text: str, index: int) -> Places:
    """Return where each value of a document, and the key before it, starts; of a broken text, as far as it goes."""
    walk = _PlaceWalk(CParser(text.encode()).get_event)
    with suppress(MarkedYAMLError, ReaderError, _StopReading):
        while type(event := walk.next_event()) is not StreamEndEvent:
            if type(event) is DocumentStartEvent:
                if index == 0:
                    walk.visit(walk.next_event(), ())
                    break
                index -= 1
    return walk.places


class _PlaceWalk:
    """A walk over the events of a document that notes where each value starts; of a double key the first counts."""

    def __init__(self, next_event: Callable[[], Event]) -> None:
        self.places: Places = {}
        self.next_event = next_event
        self._room = VALUES_MAX + 1  # the root is none of its values

    def visit(self, event: Event, way: tuple[str | int, ...], key_place: tuple[int, int] | None = None) -> None:
        """Note this node and everything in it, as deep and as many as a document may have."""
        self._room -= 1
        if len(way) > DEPTH_MAX or self._room < 0:
            raise _StopReading
        place = event.start_mark.line + 1, event.start_mark.column + 1
        self.places.setdefault(way, (place, key_place or place))
        if type(event) is MappingStartEvent:
            while type(key := self.next_event()) is not MappingEndEvent:
                self._entry(key, way)
        elif type(event) is SequenceStartEvent:
            index = 0
            while type(item := self.next_event()) is not SequenceEndEvent:
                self.visit(item, (*way, index))
                index += 1

    def _entry(self, key: Event, way: tuple[str | int, ...]) -> None:
        name = key.value if type(key) is ScalarEvent else "?"
        if type(key) is not ScalarEvent:
            self.visit(key, (*way, name))
        mark = key.start_mark
        self.visit(self.next_event(), (*way, name), (mark.line + 1, mark.column + 1))


_SYNTAX = {
    "mapping values are not allowed in this context": "a colon is not allowed here: quote a text that holds ': '",
    "could not find expected ':'": "no colon follows this key: indent or quote what belongs to the line above",
    "found unexpected end of stream": "this quote is never closed",
    "did not find expected key": "this does not fit the mapping that began in line {line}: look at indents and quotes",
    "did not find expected '-' indicator": "this does not fit the list that began in line {line}: look at the indents",
    "did not find expected ',' or ']'": "a comma or ] is missing in the list that began in line {line}",
    "did not find expected ',' or '}'": "a comma or }} is missing in the mapping that began in line {line}",
    "did not find expected node content": "a value is missing before this",
    "found unknown escape character": "no such escape exists: write \\\\ for a backslash, or use single quotes",
    "found invalid Unicode character escape code": "this escape is no character: write the character itself",
    "did not find expected <document start>": "a new document begins with a line of three dashes: ---",
}
_AT_ITS_BEGINNING = ("could not find expected ':'", "found unexpected end of stream")


def _syntax_problem(path: str, text: str, error: MarkedYAMLError) -> Problem:
    """Say what libyaml found in words that name the way out."""
    found: Any = error.problem_mark
    begun: Any = error.context_mark or found
    mark = begun if error.problem in _AT_ITS_BEGINNING else found
    index = min(mark.index, len(text))
    if error.problem in _SYNTAX:
        message = _SYNTAX[error.problem].format(line=begun.line + 1)
    elif error.problem == "found character that cannot start any token":
        first = text[index]
        message = "a tab cannot indent: use blanks" if first == "\t" else f"{first} cannot begin a plain text: quote it"
    else:
        message = f"this is not YAML: {error.problem}"
    return problem(path, line_and_column(text, index), (), "syntax", message)
