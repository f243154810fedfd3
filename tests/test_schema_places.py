"""Where a schema marks a payload as sensitive: through every keyword that leads to a value."""

from __future__ import annotations

from typing import Any

import pytest
from test_json_schema import compiled, told

from slowsched.schema_places import SensitivePlaces

MARK = {"x-sensitive": True}
AT_A = {"properties": {"a": MARK}}


def places(schema: Any, value: Any) -> set[tuple[str | int, ...]]:
    """Return the ways to what is sensitive."""
    return set(compiled(schema).sensitive(value))


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({}, {"a": 1}, set()),
        (True, {"a": 1}, set()),
        (MARK, {"a": 1}, {()}),
        ({"x-sensitive": False, **AT_A}, {"a": 1, "b": 2}, {("a",)}),
        ({"x-sensitive": "yes"}, 1, {()}),
        (AT_A, {"b": 1}, set()),
        (AT_A, [1], set()),
        ({"properties": {"x-sensitive": {"type": "string"}}}, {"x-sensitive": "a"}, set()),
        ({"properties": {"a": MARK | AT_A}}, {"a": {"a": 1}}, {("a",)}),
        ({"allOf": [{"properties": {"a": AT_A}}, AT_A]}, {"a": {"a": 1}}, {("a",)}),
        ({"patternProperties": {"^s_": MARK}}, {"s_1": 1, "s_2": 2, "t": 3}, {("s_1",), ("s_2",)}),
        ({"properties": {"b": {}}, "additionalProperties": MARK}, {"a": 1, "b": 2}, {("a",)}),
        ({"properties": {"b": {}}, "unevaluatedProperties": MARK}, {"a": 1, "b": 2}, {("a",)}),
        ({"patternProperties": {"^b": {}}, "additionalProperties": MARK}, {"a": 1, "b": 2}, {("a",)}),
        ({"items": AT_A}, [{"a": 1}, {"b": 1}, {"a": 2}], {(0, "a"), (2, "a")}),
        ({"prefixItems": [{}, MARK]}, [1, 2, 3], {(1,)}),
        ({"prefixItems": [{}], "items": MARK}, [1, 2, 3], {(1,), (2,)}),
        ({"contains": MARK}, [1, 2], {(0,), (1,)}),
        ({"unevaluatedItems": MARK}, [1], {(0,)}),
        ({"allOf": [AT_A]}, {"a": 1}, {("a",)}),
        ({"anyOf": [{"required": ["b"], **AT_A}, {}]}, {"a": 1}, {("a",)}),
        ({"oneOf": [{"type": "null"}, AT_A]}, {"a": 1}, {("a",)}),
        ({"if": {"required": ["b"]}, "then": AT_A}, {"a": 1}, {("a",)}),
        ({"if": {"required": ["b"]}, "else": AT_A}, {"a": 1}, {("a",)}),
        ({"not": {"required": ["b"], **AT_A}}, {"a": 1}, {("a",)}),
        ({"dependentSchemas": {"b": AT_A}}, {"a": 1}, {("a",)}),
        ({"$ref": "#/$defs/s", "$defs": {"s": AT_A}}, {"a": 1}, {("a",)}),
        ({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": AT_A}}, {"a": 1}, {("a",)}),
        ({"$ref": "#/$defs/all/allOf/1", "$defs": {"all": {"allOf": [{}, AT_A]}}}, {"a": 1}, {("a",)}),
        ({"$ref": "#s", "$defs": {"s": {"$anchor": "s", **AT_A}}}, {"a": 1}, {("a",)}),
        ({"$dynamicRef": "#s", "$defs": {"s": {"$dynamicAnchor": "s", **AT_A}}}, {"a": 1}, {("a",)}),
        (
            {"$id": "https://x.test/", "$ref": "s.json", "$defs": {"s": {"$id": "https://x.test/s.json", **AT_A}}},
            {"a": 1},
            {("a",)},
        ),
        (
            {
                "$ref": "s.json#/$defs/t",
                "$defs": {"s": {"$id": "s.json", "$defs": {"t": AT_A}}, "t": {}},
            },
            {"a": 1},
            {("a",)},
        ),
        (
            {"$ref": "s.json", "$defs": {"s": {"$id": "s.json", "$ref": "#/$defs/t", "$defs": {"t": AT_A}}}},
            {"a": 1},
            {("a",)},
        ),
        (
            {"properties": {"next": {"$ref": "#"}, "token": MARK}},
            {"token": 1, "next": {"token": 2, "next": {"token": 3}}},
            {("token",), ("next", "token"), ("next", "next", "token")},
        ),
        ({"$ref": "#/$defs/r", "$defs": {"r": {"allOf": [{"$ref": "#/$defs/r"}, AT_A]}}}, {"a": 1}, {("a",)}),
    ],
)
def test_places(schema, value, expected):
    """What a keyword leads to is sensitive where it is marked, and nothing below it is named again."""
    assert places(schema, value) == expected


@pytest.mark.parametrize(
    "reference",
    ["nowhere.json", "#gone", "#/$defs/gone", "#/$defs/list/9", "#/$defs/list/x", "#/$defs/s/x-sensitive/a"],
)
def test_a_reference_that_cannot_be_followed_hides_all(reference):
    """In doubt a value is sensitive: the compiler refuses such a schema, and this does not rely on it."""
    schema = {"$ref": reference, "$defs": {"s": MARK, "list": [{}]}}
    assert SensitivePlaces(schema, lambda *_: False).of({"a": 1}) == {()}


# --- problems --------------------------------------------------------------------------------------

HIDDEN = "this value breaks the schema of its action, and is not shown: it is sensitive"
HOLDS = "this value breaks the schema of its action, and is not shown: it holds what is sensitive"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer"},
        {"enum": ["hunter3", "x"]},
        {"const": "hunter3"},
        {"pattern": "^a+$"},
        {"maxLength": 2},
        {"not": {"const": "hunter2"}},
        {"anyOf": [{"const": 1}, {"pattern": "^b"}]},
        {"oneOf": [{}, {}]},
    ],
)
def test_a_problem_quotes_no_sensitive_value(schema):
    """Whatever a sensitive value breaks, neither it nor what it should be is told."""
    assert told({"properties": {"a": MARK | schema}}, {"a": "hunter2"}) == [(("a",), "schema", HIDDEN)]


def test_a_problem_below_a_sensitive_place_is_told_there():
    """Not even the keys within what is sensitive are named."""
    schema = {"properties": {"a": MARK | {"additionalProperties": False}}}
    assert told(schema, {"a": {"hunter2": 1}}) == [(("a",), "schema", HIDDEN)]


def test_a_problem_of_what_holds_a_sensitive_value_does_not_quote_it():
    """A message about the whole that would show the value is replaced; one that names keys stays."""
    assert told({"not": {"required": ["a"]}, **AT_A}, {"a": "hunter2"}) == [((), "schema", HOLDS)]
    schema = {"additionalProperties": False, "required": ["b"], **AT_A}
    assert sorted(told(schema, {"a": "hunter2", "c": 1})) == [
        ((), "missing-key", "the key 'b' is missing"),
        (("c",), "unknown-key", "unknown key 'c'"),
    ]
