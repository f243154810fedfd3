"""A document of a YAML text, made to say something else: only the bytes of what differs change.

Comments, quotes, order and blanks of all that stays the same are kept; pure: text in, text out. The result is
held against what was asked for by the strict reader, and where it is anything else there is none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from yaml._yaml import CParser
from yaml.events import (
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from slowsched.yaml_edit import holds, is_same
from slowsched.yaml_reader import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Event = Any  # of yaml.events: their stubs say that any attribute may be None

__all__ = ["with_document"]

_ONE_LINE = 2**31  # a width that no value reaches


def with_document(text: str, index: int, value: Any) -> str | None:
    """Return the text with another value of the document at this index (from 0); None where that cannot be done.

    `text` is one that the strict reader takes.
    """
    values = [document.value for document in read("edited.yaml", text.encode())[0]]
    root = _root(text, index)
    edits = list(_Difference(text).of(root, values[index], value))
    edited = text
    for edit in sorted(edits, key=lambda each: (each.start, each.end), reverse=True):
        edited = edited[: edit.start] + edit.text + edited[edit.end :]
    values[index] = value
    return edited if holds(edited, values) else None


@dataclass(slots=True, kw_only=True)
class _Node:
    """A value and where its text begins and ends; `children` by key or index, with where each key stands.

    A block collection ends where its last value does.
    """

    start: int
    end: int
    flow: bool = False
    children: dict[str | int, tuple[_Node, int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """The text that stands in the place of another."""

    start: int
    end: int
    text: str


def _root(text: str, index: int) -> _Node:
    next_event: Callable[[], Event] = CParser(text.encode()).get_event
    while type(event := next_event()) is not StreamEndEvent:
        if type(event) is DocumentStartEvent:
            if index == 0:
                return _node(next_event, next_event())
            index -= 1
    raise ValueError("there is no such document")


def _node(next_event: Callable[[], Event], event: Event) -> _Node:
    node = _Node(start=_start(event), end=_end(event))
    if type(event) is MappingStartEvent:
        node.flow = bool(event.flow_style)
        while type(key := next_event()) is not MappingEndEvent:
            _add(node, _node(next_event, next_event()), key)
        node.end = _end(key) if node.flow else node.end
    elif type(event) is SequenceStartEvent:
        node.flow = bool(event.flow_style)
        while type(item := next_event()) is not SequenceEndEvent:
            child = _node(next_event, item)
            node.children[len(node.children)] = child, child.start, child.start
            node.end = child.end
        node.end = _end(item) if node.flow else node.end
    return node


def _add(node: _Node, child: _Node, key: Event) -> None:
    if type(key) is not ScalarEvent:
        raise TypeError("the strict reader takes no such key")
    node.children[key.value] = child, _start(key), _end(key)
    node.end = max(child.end, _end(key))


def _start(event: Event) -> int:
    index: int = event.start_mark.index
    return index


def _end(event: Event) -> int:
    index: int = event.end_mark.index
    return index


class _Difference:
    """Finds the edits that turn one value of a text into another."""

    def __init__(self, text: str) -> None:
        self._text = text

    def of(self, node: _Node, old: Any, new: Any, key_end: int | None = None) -> Iterator[_Edit]:
        """Yield the edits of a node; `key_end` is where its key ends in a block mapping."""
        if is_same(old, new):
            return
        if isinstance(old, dict) and isinstance(new, dict) and self._goes_key_by_key(node, old, new):
            yield from self._of_mapping(node, old, new)
        elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            for index, (child, _, _) in node.children.items():
                yield from self.of(child, old[int(index)], new[int(index)])
        else:
            yield self._replaced(node, new, key_end)

    def _goes_key_by_key(self, node: _Node, old: dict[str, Any], new: dict[str, Any]) -> bool:
        if old.keys() == new.keys():
            return True
        return bool(old and new) and not node.flow and all(map(self._begins_line, node.children.values()))

    def _begins_line(self, child: tuple[_Node, int, int]) -> bool:
        start = child[1]
        return not self._text[self._text.rfind("\n", 0, start) + 1 : start].strip(" ")

    def _of_mapping(self, node: _Node, old: dict[str, Any], new: dict[str, Any]) -> Iterator[_Edit]:
        for key, (child, key_start, key_end) in node.children.items():
            if key in new:
                yield from self.of(child, old[str(key)], new[str(key)], None if node.flow else key_end)
            else:
                start = self._text.rfind("\n", 0, key_start) + 1
                yield _Edit(start=start, end=self._next_line(max(child.end, key_end)), text="")
        added = [key for key in new if key not in old]
        if added:
            yield self._added(node, {key: new[key] for key in added})

    def _added(self, node: _Node, entries: dict[str, Any]) -> _Edit:
        """Put new keys behind the last one, as deep as the first stands."""
        at = self._next_line(node.end)
        first = next(iter(node.children.values()))[1]
        indent = " " * (first - self._text.rfind("\n", 0, first) - 1)
        lines = "".join(f"{indent}{_written(key)}: {_written(value)}\n" for key, value in entries.items())
        ended = self._text[:at].endswith("\n")
        return _Edit(start=at, end=at, text=lines if ended else f"\n{lines}")

    def _next_line(self, end: int) -> int:
        """Return where the line after a value begins; a block scalar ends there already."""
        if self._text[end - 1] == "\n":
            return end
        found = self._text.find("\n", end)
        return len(self._text) if found < 0 else found + 1

    def _replaced(self, node: _Node, new: Any, key_end: int | None) -> _Edit:
        text = _written(new)
        if node.end > node.start and self._text[node.end - 1] == "\n":
            text += "\n"
        colon = 0 if key_end is None else self._text.find(":", key_end) + 1
        if not colon:  # an item, a value in a flow collection, or a key behind `?` that has none
            return _Edit(start=node.start, end=node.end, text=text)
        if node.start == node.end:  # nothing stands there, and where is for libyaml to choose
            return _Edit(start=colon, end=colon, text=f" {text}")
        if self._text[colon : node.start].strip():  # a comment: it stays
            return _Edit(start=node.start, end=node.end, text=text)
        return _Edit(start=colon, end=node.end, text=f" {text}")


def _written(value: Any) -> str:
    """Write a value on one line, fit for every place: in the plainest form that means it."""
    plain = [value] if isinstance(value, str) else []
    dumped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=_ONE_LINE, sort_keys=False)
    forms = [*plain, dumped.removesuffix("\n").removesuffix("\n...")]
    return next((text for text in forms if _means(text, value)), _escaped(value))


def _means(text: str, value: Any) -> bool:
    return "\n" not in text and text != "" and holds(f"[{text}]\n", [[value]]) and holds(f"a: {text}\n", [{"a": value}])


def _escaped(value: Any) -> str:
    """Write a value as JSON that YAML reads alike: what is not printable in the escapes of YAML."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - Unicode's own
