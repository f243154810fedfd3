"""The quick way through a small and plain YAML file, which most task files are; it decides nothing by itself.

libyaml composes its nodes in C, which is a fifth quicker than its events, but hides anchors and recurses as
deep as the text goes. So only a text that is short and cannot hold anchors, aliases or tags comes here, and
whenever anything is out of the ordinary the answer is None: then `yaml_reader` reads the file its own way and
says what is wrong. A property test holds that the two never differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yaml._yaml import CParser
from yaml.error import YAMLError
from yaml.nodes import MappingNode, ScalarNode

from slowsched.model import Document, Place
from slowsched.source_text import DEPTH_MAX, hidden_character
from slowsched.yaml_plain import SUSPECT, RefusedError, plain_value

if TYPE_CHECKING:
    Node = Any  # of yaml.nodes: their stubs say that any attribute may be None

__all__ = ["read_quickly"]

_BYTES_MAX = 2048  # bounds the recursion in C, at two bytes a level, to what the smallest stacks have room for
_KEYS_MAX = 1024


def read_quickly(path: str, text: str, data: bytes) -> list[Document] | None:
    """Return the documents of a plain and small YAML file that is in order, None for every other file."""
    if len(data) > _BYTES_MAX or b"&" in data or b"*" in data or b"!" in data:
        return None
    composer = _Composer(data)
    documents: list[Document] = []
    try:
        while composer.check_node():
            node: Node = composer.get_node()
            mark = node.start_mark
            place = Place(path=path, line=mark.line + 1, column=mark.column + 1)
            value = _mapping(node, 1)
            documents.append(Document(place=place, value=value, text=text, index=len(documents)))
    except (YAMLError, RefusedError, _NotInOrder):
        return None
    return documents or None


class _NotInOrder(Exception):  # noqa: N818 - not an error of anybody
    """Something that `yaml_reader` has to look at."""


class _Composer(CParser):
    """libyaml's composer without any resolving: the style of a scalar says what it may mean."""

    def resolve(self, _kind: Any, _value: Any, _implicit: Any) -> None:
        """Give every node the same tag: none."""

    def descend_resolver(self, _parent: Any, _index: Any) -> None:
        """Keep no path."""

    def ascend_resolver(self) -> None:
        """Keep no path."""


_plain_keys: set[str] = set()  # files use the same few keys again and again


def _mapping(node: Node, depth: int) -> dict[str, Any]:
    if type(node) is not MappingNode or depth > DEPTH_MAX:
        raise _NotInOrder
    value: dict[str, Any] = {}
    for of_key, of_value in node.value:
        if type(of_key) is not ScalarNode:
            raise _NotInOrder
        key = of_key.value
        if key in value or (key not in _plain_keys and not _is_text_key(of_key)):
            raise _NotInOrder
        if type(of_value) is not ScalarNode:
            value[key] = _collection(of_value, depth + 1)
        elif not of_value.style:  # plain
            text = of_value.value
            value[key] = plain_value(text) if text[:1] in SUSPECT else text
        else:
            value[key] = _quoted(of_value)
    return value


def _collection(node: Node, depth: int) -> Any:
    if type(node) is MappingNode:
        return _mapping(node, depth)
    if depth > DEPTH_MAX:
        raise _NotInOrder
    return [_scalar(item) if type(item) is ScalarNode else _collection(item, depth + 1) for item in node.value]


def _scalar(node: Node) -> Any:
    return _quoted(node) if node.style else plain_value(node.value)


def _quoted(node: Node) -> str:
    text: str = node.value
    if node.style == '"' and hidden_character(text) is not None:
        raise _NotInOrder
    return text


def _is_text_key(node: Node) -> bool:
    """Say whether a key is a text in order, and remember it where it stands unquoted (as long as there is room)."""
    if not isinstance(_scalar(node), str):
        return False
    if not node.style and len(_plain_keys) < _KEYS_MAX:  # what is text in quotes may be another value without
        _plain_keys.add(node.value)
    return True
