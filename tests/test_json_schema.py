"""Schemas: compiled once, decided by one engine, explained by the other, never fetched."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from repositories import EXAMPLES, PROJECT

from slowsched.json_schema import CompiledSchema, compile_schema, read_schema
from slowsched.resources import schema_text, starter_text
from slowsched.task_file import Violation
from slowsched.yaml_reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator


def compiled(schema: Any) -> CompiledSchema:
    """Return a schema that is in order, compiled."""
    found = compile_schema(schema)
    assert isinstance(found, CompiledSchema), found
    return found


def told(schema: Any, value: Any) -> list[tuple[tuple[Any, ...], str, str]]:
    """Return way, code and message of every violation."""
    schema = compiled(schema)
    assert not schema.is_valid(value)
    return [(violation.way, violation.code, violation.message) for violation in schema.explain(value)]


NO_FORM = "fits none of the forms that the schema has for it"


# --- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "string"}, 5, "must be text, and is the number 5: quote it"),
        ({"type": "string"}, True, "must be text, and is true: quote it"),
        ({"type": "string"}, None, "must be text, and is null"),
        ({"type": ["string", "null"]}, [], "must be text or null, and is a list"),
        ({"type": "integer"}, "12", "must be a whole number, and is text: write it without quotes"),
        ({"type": "integer"}, 1.5, "must be a whole number, and is the number 1.5"),
        ({"type": "number"}, "1.5", "must be a number, and is text: write it without quotes"),
        ({"type": "number"}, "one", "must be a number, and is text"),
        ({"type": "object"}, "x", "must be a mapping, and is text"),
        ({"type": "array"}, {}, "must be a list, and is a mapping"),
        ({"type": "boolean"}, "yes", "must be true or false, and is text"),
        (
            {"enum": ["red", "green", 1]},
            "gren",
            "must be one of 'red', 'green', 1, and is 'gren': did you mean 'green'?",
        ),
        ({"enum": [1, None]}, 2, "must be one of 1, null, and is 2"),
        ({"enum": ["x" * 50] * 9}, "y", "must be one of the values of its schema, and is 'y'"),
        ({"const": 1}, 2, "must be 1, and is 2"),
        ({"const": {"a": 1}}, [1], "must be this mapping, and is this list"),
        ({"pattern": "^a+$"}, "b", "'b' does not match the pattern ^a+$"),
        ({"minimum": 1}, 0, "must be at least 1, and is 0"),
        ({"maximum": 1}, 2, "must be at most 1, and is 2"),
        ({"exclusiveMinimum": 1}, 1, "must be more than 1, and is 1"),
        ({"exclusiveMaximum": 1}, 1, "must be less than 1, and is 1"),
        ({"multipleOf": 5}, 7, "must be a multiple of 5, and is 7"),
        ({"minLength": 1}, "", "must not be empty"),
        ({"minLength": 3}, "x", "must have at least 3 characters, and has 1"),
        ({"maxLength": 1}, "xy", "must have at most 1 characters, and has 2"),
        ({"minItems": 1}, [], "must not be empty"),
        ({"maxItems": 1}, [1, 2], "must have at most 1 items, and has 2"),
        ({"minProperties": 1}, {}, "must not be empty"),
        ({"maxProperties": 1}, {"a": 1, "b": 2}, "must have at most 1 keys, and has 2"),
        ({"uniqueItems": True}, [1, 1], "holds the same item twice"),
        (False, 1, "must not be here"),
        ({"not": {"type": "null"}}, None, "None should not be valid under {'type': 'null'}"),
        ({"not": {"const": "x" * 300}}, "x" * 300, "breaks 'not' of its schema"),
        (
            {"oneOf": [{"minimum": 1}, {"maximum": 9}]},
            5,
            "fits more than one of the forms of which exactly one must fit",
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            5,
            f"{NO_FORM} (must be text, and is the number 5: quote it; or must be null, and is the number 5)",
        ),
        (
            {"oneOf": [{"const": number} for number in range(4)]},
            5,
            f"{NO_FORM} (must be 0, and is 5; or must be 1, and is 5; or must be 2, and is 5; ...)",
        ),
    ],
)
def test_message(schema: Any, value: Any, message: str) -> None:
    """What is wrong with a value is said in plain words, at the value."""
    assert told({"properties": {"a": schema}}, {"a": value}) == [(("a",), "schema", message)]


def test_long_value() -> None:
    """A long value is cut in a message."""
    ((_, _, message),) = told({"pattern": "^a+$"}, "b" * 10_000)
    assert message == f"'{'b' * 60}...' does not match the pattern ^a+$"


def test_unknown_keys() -> None:
    """Each unknown key is a violation at that key, with the nearest known one."""
    schema = {
        "properties": {"payload": {}, "a": {"properties": {}, "additionalProperties": False}},
        "patternProperties": {"^x-": {"type": "string"}},
        "additionalProperties": False,
    }
    assert told(schema, {"paylod": 1, "a": {"b": 2}, "x-y": 3, "x-z": "fine", "zzz": 4}) == [
        (("a", "b"), "unknown-key", "unknown key 'b'"),
        (("x-y",), "schema", "must be text, and is the number 3: quote it"),
        (("paylod",), "unknown-key", "unknown key 'paylod': did you mean 'payload'?"),
        (("zzz",), "unknown-key", "unknown key 'zzz'"),
    ]


def test_unevaluated_keys() -> None:
    """The keys that no part of a combined schema knows are told one by one too."""
    schema = {"allOf": [{"properties": {"a": {}}}], "properties": {"name": {}}, "unevaluatedProperties": False}
    assert told({"items": schema}, [{"a": 1}, {"nam": 1, "a": 1, "zzz": 2}]) == [
        ((1, "nam"), "unknown-key", "unknown key 'nam': did you mean 'name'?"),
        ((1, "zzz"), "unknown-key", "unknown key 'zzz'"),
    ]


def test_further_keys_with_a_schema() -> None:
    """Where further keys have a schema of their own, it is held against each."""
    assert told({"properties": {"a": {}}, "additionalProperties": {"type": "null"}}, {"a": 1, "b": None, "c": 1}) == [
        (("c",), "schema", "must be null, and is the number 1")
    ]


def test_keys_themselves() -> None:
    """A key that is not as keys must be is told at the key's value."""
    assert told({"propertyNames": {"maxLength": 2}}, {"ab": 1, "abc": 1}) == [
        (("abc",), "schema", "the key 'abc': must have at most 2 characters, and has 3")
    ]


def test_missing_keys() -> None:
    """Each missing key is a violation of what should hold it, told once."""
    schema = {"properties": {"a": {"required": ["x", "y"]}}, "required": ["a", "b"]}
    assert told(schema, {"a": {}}) == [
        (("a",), "missing-key", "the key 'x' is missing"),
        (("a",), "missing-key", "the key 'y' is missing"),
        ((), "missing-key", "the key 'b' is missing"),
    ]


def test_nearest_form() -> None:
    """Of several forms the one that fits best is explained."""
    forms = [
        {"properties": {"kind": {"const": "rule"}}, "required": ["kind", "name"]},
        {"properties": {"kind": {"const": "schedule"}, "group": {"type": "string"}}, "required": ["kind"]},
    ]
    assert told({"anyOf": forms}, {"kind": "schedule", "group": 5}) == [
        (("group",), "schema", "must be text, and is the number 5: quote it")
    ]


def test_violations_are_bounded() -> None:
    """The first hundred violations are enough."""
    assert len(told({"items": {"type": "null"}}, [1] * 1000)) == 100


# --- two engines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"properties": {"a": {"$ref": "#"}}, "required": ["a"], "patternProperties": {r"\p{L}": {}}}, {"é": 1}),
        ({"patternProperties": {r"^\p{Lu}$": {"type": "null"}}}, {"É": 1}),
        ({"contains": {"const": 1}, "maxContains": 1}, [1, 1]),
        ({"pattern": "^(a|a?)+(?=c)$"}, "a" * 60),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$anchor": "here", "$dynamicRef": "#here", "type": "null"}}}, 1),
    ],
)
def test_always_a_word(schema: Any, value: Any) -> None:
    """Whatever the second engine makes of a schema, a value that is refused is explained, soon."""
    assert told(schema, value) != []


def test_own_words_of_the_first() -> None:
    """Where the second engine fails, the first one's words stand."""
    schema = {"patternProperties": {r"^\p{Lu}$": {}}, "unevaluatedProperties": False}  # no pattern of Python's
    message = "Unevaluated properties are not allowed ('é' was unexpected)"
    assert told({"items": schema}, [{"É": 1}, {"é": 1}]) == [((1,), "schema", message)]


@pytest.mark.parametrize("kind", ["task", "config", "APPLY_SALE"])
def test_examples_agree(kind: str) -> None:
    """Over every document of every example both engines decide alike."""
    text = starter_text("schemas/actions/APPLY_SALE.schema.json") if kind == "APPLY_SALE" else schema_text(kind)
    (document,), _ = read("a.json", text.encode())
    ours, theirs = compiled(document.value), Draft202012Validator(document.value)
    checked = 0
    for value in example_values():
        assert ours.is_valid(value) == theirs.is_valid(value)
        assert ours.is_valid(value) or ours.explain(value)
        checked += 1
    assert checked > 60


def example_values() -> Iterator[Any]:
    """Yield the documents of all examples, and their payloads."""
    files = [*EXAMPLES.rglob("*"), *(PROJECT / "tasks").rglob("*"), PROJECT / "slowsched.yaml"]
    for path in files:
        if path.is_file() and path.suffix != ".txt":
            for document in read(path.name, path.read_bytes())[0]:
                yield document.value
                if isinstance(document.value, dict) and "payload" in document.value:
                    yield document.value["payload"]


def test_quick_start() -> None:
    """A process that refuses nothing does not import jsonschema."""
    code = (
        "import sys; from slowsched.json_schema import compile_schema; s = compile_schema({'type': 'null'})\n"
        "assert s.is_valid(None) and 'jsonschema' not in sys.modules\n"
        "assert s.explain(1) and 'jsonschema' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- schemas that are none -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"type": "strin"}', (1, 10, "$.type", "bad-schema")),
        ('{"properties": {"a": 5}}', (1, 22, "$.properties.a", "bad-schema")),
        ('{"properties": {"a": {"pattern": "("}}}', (1, 34, "$.properties.a.pattern", "bad-schema")),
        ('{"patternProperties": {"(": {}}}', (1, 29, "$.patternProperties['(']", "bad-schema")),
        ("[1]", (1, 1, "$", "bad-schema")),
        ('{"$schema": "http://json-schema.org/draft-07/schema#"}', (1, 13, "$['$schema']", "bad-schema")),
        ('{"$schema": 5}', (1, 13, "$['$schema']", "bad-schema")),
        ('{"a": 1,\n "a": 2}', (2, 2, "$.a", "duplicate-key")),
        ("{", (1, 2, "$", "syntax")),
        ("type: string", (1, 1, "$", "syntax")),
        ('{"$ref": "#/$defs/a"}', (1, 10, "$['$ref']", "bad-schema")),
        ('{"items": [1, {"$ref": "other.json"}]}', (1, 11, "$.items", "bad-schema")),
        ('{"allOf": [{}, {"$ref": "other.json"}]}', (1, 25, "$.allOf[1]['$ref']", "bad-schema")),
        ('{"not": {"$dynamicRef": "https://example.com/a.json"}}', (1, 25, "$.not['$dynamicRef']", "bad-schema")),
        ('{"items": {"$ref": "#"}, "$ref": "#/a"}', (1, 34, "$['$ref']", "bad-schema")),
        ('{"$defs": {"a": {}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/x/$defs/a"}', (1, 58, "$['$ref']", "bad-schema")),
        ('{"$id": "https://example.com/a/b", "allOf": [{"$ref": "c"}]}', (1, 55, "$.allOf[0]['$ref']", "bad-schema")),
        ('{"$ref": "file:///etc/passwd"}', (1, 10, "$['$ref']", "bad-schema")),
    ],
)
def test_broken_schema(text: str, expected: tuple[int, int, str, str]) -> None:
    """What is no schema is a problem of its file, at its place."""
    found = read_schema("schemas/actions/A.schema.json", text.encode())
    assert isinstance(found, list)
    assert [(problem.line, problem.column, problem.pointer, problem.code) for problem in found] == [expected]


def test_words_about_a_reference() -> None:
    """A reference that leads nowhere, or out of the file, is named, with what to do."""
    for reference, what in (("#/$defs/a", "names nothing in this file"), ("b.json", "leads out of this file")):
        assert compile_schema({"items": {"$ref": reference}}) == Violation(
            way=("items", "$ref"),
            code="bad-schema",
            message=f"'{reference}' {what}: put what it stands for under $defs, and refer to it as #/$defs/...",
        )


@pytest.mark.parametrize("schema", [True, {}, {"$schema": "https://json-schema.org/draft/2020-12/schema#"}])
def test_smallest_schemas(schema: Any) -> None:
    """True, nothing, and the draft alone are schemas that refuse nothing."""
    assert compiled(schema).is_valid({"a": 1})


def test_references_in_the_same_file() -> None:
    """A reference may lead to anything in the same file, by path, anchor or id; and into itself."""
    schema = {
        "$id": "https://example.com/root",
        "properties": {
            "path": {"$ref": "#/$defs/a"},
            "anchor": {"$ref": "#here"},
            "id": {"$ref": "inner"},
            "itself": {"$ref": "#"},
        },
        "$defs": {
            "a": {"type": "null"},
            "b": {"$anchor": "here", "type": "null"},
            "c": {"$id": "inner", "type": "null"},
        },
    }
    assert told(schema, {"path": 1, "anchor": 1, "id": 1, "itself": {"path": 1}}) == [
        ((*way,), "schema", "must be null, and is the number 1")
        for way in (["path"], ["anchor"], ["id"], ["itself", "path"])
    ]


def test_nothing_is_fetched() -> None:
    """A reference to a server that would answer is refused, and the server is never asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/a.json"
        found = [
            compile_schema({"$ref": url}),
            compile_schema({"$schema": url}),
            compile_schema({"$id": url, "$ref": "b"}),
        ]
        server.shutdown()
    assert ([getattr(violation, "code", violation) for violation in found], asked) == (["bad-schema"] * 3, [])
