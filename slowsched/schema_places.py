"""Where in a payload a schema marks values as sensitive (`"x-sensitive": true`): places, by schema and value. Pure.

In doubt a value is sensitive: every branch of a choice counts, whichever fits; so does a reference that cannot be
followed. A mask too many costs a look into the file, one too few shows a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Way = tuple[str | int, ...]
    Matches = Callable[[str, str], bool]

__all__ = ["KEYWORD", "SensitivePlaces"]

KEYWORD = "x-sensitive"

_SAME_VALUE_LISTS = ("allOf", "anyOf", "oneOf")
_SAME_VALUE = ("if", "then", "else", "not")
_EVERY_ITEM = ("contains", "unevaluatedItems")


class SensitivePlaces:
    """The marks of one schema; `matches` decides whether a key matches a pattern, as for the schema's own engine."""

    def __init__(self, schema: Any, matches: Matches) -> None:
        self._schema = schema
        self._matches = matches
        self._marked = any(KEYWORD in each for each in _mappings(schema))

    def of(self, value: Any) -> frozenset[Way]:
        """Return the ways to what is sensitive in a value; what lies below one of them is not named by itself."""
        found: set[Way] = set()
        if self._marked:
            self._walk(self._schema, value, (), found, set())
        return frozenset(way for way in found if not any(way[:length] in found for length in range(len(way))))

    def _walk(self, schema: Any, value: Any, way: Way, found: set[Way], seen: set[tuple[int, Way]]) -> None:
        if not isinstance(schema, dict) or (id(schema), way) in seen:
            return
        seen.add((id(schema), way))
        if schema.get(KEYWORD, False) is not False:
            found.add(way)
            return
        for inner in self._same_value(schema):
            if inner is None:
                found.add(way)
            self._walk(inner, value, way, found, seen)
        parts = self._keys(schema, value) if isinstance(value, dict) else _items(schema, value)
        for part, inner in parts:
            self._walk(inner, value[part], (*way, part), found, seen)

    def _same_value(self, schema: dict[str, Any]) -> Iterator[Any]:
        """Yield the schemas that hold for the same value; None for one that is not found."""
        for name in _SAME_VALUE_LISTS:
            yield from schema.get(name, ())
        for name in _SAME_VALUE:
            if name in schema:
                yield schema[name]
        yield from schema.get("dependentSchemas", {}).values()
        for name in ("$ref", "$dynamicRef"):
            if isinstance(schema.get(name), str):
                yield from self._referred(schema[name])

    def _referred(self, reference: str) -> list[Any]:
        """Return all that a reference may mean; a schema's base is not kept, so that it may be more than one."""
        from urllib.parse import unquote  # noqa: PLC0415 - for schemas with marks and references only

        file, _, fragment = reference.partition("#")
        fragment = unquote(fragment)
        roots = [self._schema]
        if file:
            name = file.rpartition("/")[2]
            named = (each for each in _mappings(self._schema) if isinstance(each.get("$id"), str))
            roots = [each for each in named if each["$id"].rstrip("#").rpartition("/")[2] == name]
        elif fragment.startswith("/"):  # from the root, or from a part of it with an `$id` of its own
            roots += [each for each in _mappings(self._schema) if "$id" in each and each is not self._schema]
        if not fragment:
            return roots or [None]
        if fragment.startswith("/"):
            targets = [_at(root, fragment) for root in roots]
            return [each for each in targets if each is not None] or [None]
        anchored = _mappings(self._schema)
        return [each for each in anchored if fragment in (each.get("$anchor"), each.get("$dynamicAnchor"))] or [None]

    def _keys(self, schema: dict[str, Any], value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for key in value:
            named = [known[key]] if key in known else []
            named += [inner for pattern, inner in patterns.items() if self._matches(pattern, key)]
            if not named:
                named = [schema[name] for name in ("additionalProperties", "unevaluatedProperties") if name in schema]
            yield from ((key, inner) for inner in named)


def _items(schema: dict[str, Any], value: Any) -> Iterator[tuple[int, Any]]:
    if not isinstance(value, list):
        return
    first = schema.get("prefixItems", [])
    for index in range(len(value)):
        if index < len(first):
            yield index, first[index]
        elif "items" in schema:
            yield index, schema["items"]
        yield from ((index, schema[name]) for name in _EVERY_ITEM if name in schema)


def _mappings(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping in a schema, itself included; a reader has bounded the depth."""
    if isinstance(schema, dict):
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _mappings(inner)


def _at(root: Any, fragment: str) -> Any:
    """Return what a JSON pointer leads to, None when there is nothing."""
    for part in fragment.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(root, dict):
            root = root.get(name)
        elif isinstance(root, list) and name.isdecimal() and int(name) < len(root):
            root = root[int(name)]
        else:
            return None
    return root
