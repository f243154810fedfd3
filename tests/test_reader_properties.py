"""What holds of the reader, of schemas and of times for every input, tried on generated ones."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from other_yaml import Timeless, read_alike, same

from slowsched import canonical
from slowsched.config import own_schema
from slowsched.json_schema import CompiledSchema, compile_schema
from slowsched.model import Declared, Place
from slowsched.task_file import Rules, declare
from slowsched.timing import DUE_MAX, DUE_MIN, Ambiguous, Gap, resolve_local
from slowsched.yaml_plain import RefusedError, plain_value
from slowsched.yaml_reader import locate, read
from slowsched.zones import PackagedZones

# The same examples in every run, unless more are asked for: PROPERTY_EXAMPLES=10000 pytest ...
ASKED = os.environ.get("PROPERTY_EXAMPLES")
thoroughly = settings(deadline=None, derandomize=ASKED is None, max_examples=int(ASKED or 200))

COMMENT = f"# {'the file is too long to be read quickly' * 60}\n"

# --- what is generated -----------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)

# Texts made of what YAML is made of: most of them are no YAML, many of the others are odd.
yaml_pieces = st.sampled_from(
    [
        *"ab01:.-?[]{},'\"#|>&*!%~=_+@\\\n \t",
        ": ",
        "- ",
        "? ",
        "\n  ",
        "\n- ",
        "\na: ",
        "\n---\n",
        "<<",
        "null",
        "no",
        "é",
        "\u2028",
    ]
)
yaml_texts = st.lists(yaml_pieces, max_size=25).map("".join)
plain_texts = st.one_of(
    st.text("0123456789+-._:eExob~", min_size=1, max_size=8),
    st.sampled_from(
        ["yes", "No", "ON", "off", "y", "N", "true", "True", "null", "NULL", "~", ".inf", "-.INF", ".NaN", "=", "<<"]
    ),
)


# --- the reader ------------------------------------------------------------------------------------


@thoroughly
@given(data=st.one_of(st.binary(max_size=80), yaml_texts.map(str.encode)), path=st.sampled_from(["a.yaml", "a.json"]))
def test_either_documents_or_problems(data: bytes, path: str) -> None:
    """Any bytes are documents or problems, never both, never neither, and each place is in the file."""
    documents, problems = read(path, data)
    assert bool(documents) != bool(problems)
    lines = data.decode(errors="replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    places = [found.place for found in documents] + [
        Place(path=path, line=found.line, column=found.column) for found in problems
    ]
    assert [place for place in places if not 1 <= place.line <= len(lines)] == []
    assert [place for place in places if not 1 <= place.column <= len(lines[place.line - 1]) + 1] == []


@thoroughly
@given(yaml_texts)
def test_quick_way(text: str) -> None:
    """The quick way through a small file gives what reading it event by event gives, places included."""
    quick, slow = read("a.yaml", text.encode()), read("a.yaml", (COMMENT + text).encode())
    assume("%" not in text)  # no directive may follow a comment that is no document
    assert [found.code for found in quick[1]] == [found.code for found in slow[1]]
    assert json.dumps([found.value for found in quick[0]]) == json.dumps([found.value for found in slow[0]])
    assert [(found.place.line + 1, found.place.column) for found in quick[0]] == [
        (found.place.line, found.place.column) for found in slow[0]
    ]


@thoroughly
@given(yaml_texts)
def test_other_reader(text: str) -> None:
    """What is read without a problem, PyYAML reads alike."""
    documents, _ = read("a.yaml", text.encode())
    assume(documents)
    assert read_alike(text, [found.value for found in documents])


@thoroughly
@given(plain_texts)
def test_plain_scalar(text: str) -> None:
    """A plain scalar that is not refused is the same for PyYAML (YAML 1.1) and for JSON, where it is JSON."""
    try:
        ours = plain_value(text)
    except RefusedError:
        return
    loader = Timeless("")
    theirs = loader.construct_object(yaml.ScalarNode(loader.resolve(yaml.ScalarNode, text, (True, False)), text))
    assert same(ours, theirs)
    if not isinstance(ours, str) and text != "~":
        assert same(ours, json.loads(text))


@thoroughly
@given(values)
def test_round_trip(value: Any) -> None:
    """A value that is written as JSON is read back the same; by the reader of YAML too, unless it is refused."""
    for written in (canonical.text(value), json.dumps(value, indent=1)):
        documents, problems = read("a.json", written.encode())
        assert ([same(found.value, value) for found in documents], problems) == ([True], [])
        assert [found.value for found in read("a.yaml", written.encode())[0] if not same(found.value, value)] == []


def ways(value: Any, way: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    """Return every way into a value, and what is there."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(way, value)] + [found for part, inner in inside for found in ways(inner, (*way, part))]


@thoroughly
@given(values, st.sampled_from([None, 1, "\t"]))
def test_places(value: Any, indent: int | str | None) -> None:
    """At the place of a value of a JSON file stands that value, and at the place of its key the key."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    documents, problems = read("a.json", text.encode())
    assume(not problems)
    lines = text.split("\n")
    for way, inner in ways(documents[0].value):
        line, column = locate(documents[0], way)
        first = "{" if isinstance(inner, dict) else "[" if isinstance(inner, list) else ""
        rest = lines[line - 1][column - 1 :]
        assert rest.startswith(first)
        if not first:
            found, _ = json.JSONDecoder(strict=False).raw_decode(rest)
            assert same(found, inner)
        if way and isinstance(way[-1], str):
            line, column = locate(documents[0], way, key=True)
            assert json.JSONDecoder().raw_decode(lines[line - 1][column - 1 :])[0] == way[-1]


# --- schemas ---------------------------------------------------------------------------------------

small_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.5, "", "a", "ab", "b1", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
leaf_schemas = st.one_of(
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"]),
            "minimum": st.integers(-2, 2),
            "maximum": st.integers(-2, 2),
            "exclusiveMinimum": st.integers(-2, 2),
            "exclusiveMaximum": st.integers(-2, 2),
            "multipleOf": st.integers(1, 3),
            "minLength": st.integers(0, 2),
            "maxLength": st.integers(0, 2),
            "pattern": st.sampled_from(["^a", "b$", "^[a-z]+$", "é"]),
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "uniqueItems": st.booleans(),
            "minProperties": st.integers(0, 2),
            "required": st.lists(st.sampled_from("abc"), unique=True, max_size=2),
            "enum": st.lists(small_values, min_size=1, max_size=3),
            "const": small_values,
        },
    ),
)


def _larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "[bc]"]), inner, max_size=2),
            "additionalProperties": inner,
            "unevaluatedProperties": inner,
            "propertyNames": inner,
            "items": inner,
            "prefixItems": several,
            "contains": inner,
            "anyOf": several,
            "oneOf": several,
            "allOf": several,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "dependentRequired": st.dictionaries(st.sampled_from("ab"), st.just(["c"]), max_size=1),
        },
    )


schemas = st.recursive(leaf_schemas, _larger, max_leaves=6)


@thoroughly
@given(schemas, small_values)
def test_engines_agree(schema: Any, value: Any) -> None:
    """Both engines decide alike, and what is refused is explained, at places that the value has."""
    compiled = compile_schema(schema)
    assert isinstance(compiled, CompiledSchema)
    decision = compiled.is_valid(value)
    assert decision == Draft202012Validator(schema).is_valid(value)
    if not decision:
        violations = compiled.explain(value)
        known = {way for way, _ in ways(value)}
        assert violations != []
        assert [violation for violation in violations if violation.way not in known] == []


@thoroughly
@given(
    st.recursive(
        values, lambda inner: st.fixed_dictionaries({}, optional={"$ref": inner, "type": inner, "items": inner})
    )
)
def test_any_value_as_schema(schema: Any) -> None:
    """Any value is a schema, or is said not to be one; nothing is raised."""
    compiled = compile_schema(schema)
    assert isinstance(compiled, CompiledSchema) or compiled.code == "bad-schema"


# --- task files ------------------------------------------------------------------------------------

ZONES = PackagedZones()
ANYTHING = compile_schema(True)
assert isinstance(ANYTHING, CompiledSchema)
RULES = Rules(task_schema=own_schema("task"), actions={"A": ANYTHING}, environments={"local"}, zones=ZONES)
KEYS = ["id", "due", "timezone", "action", "payload", "labels", "environments", "grace", "retry", "timeout", "protect"]

likely = st.sampled_from(
    ["2030-03-31T02:30:00", "2030-01-01T00:00:00Z", "Europe/Berlin", "A", {}, ["local"], "6h", {"backoff": "1h"}, True]
)


@thoroughly
@given(st.dictionaries(st.sampled_from(KEYS) | texts, likely | values, max_size=8) | values)
def test_any_document(value: Any) -> None:
    """Any document is a task or has problems, each at a place of the file; and a task is worth its canonical text."""
    documents, _ = read("a.json", canonical.text(value).encode())
    assume(documents)
    found = declare(documents[0], RULES, locate)
    if isinstance(found, Declared):
        written = canonical.task_document(found.task)
        assert canonical.task_document(canonical.task_from_document(json.loads(canonical.text(written)))) == written
    else:
        assert found != []
        assert [problem for problem in found if problem.line != 1] == []


@thoroughly
@given(st.datetimes(DUE_MIN.replace(tzinfo=None), DUE_MAX.replace(tzinfo=None)), st.sampled_from(sorted(ZONES.names())))
def test_any_local_time(local: datetime, name: str) -> None:
    """A local time is one moment, or in a gap, or twice; then both candidates are moments of that zone."""
    zone = ZONES.get(name)
    assert zone is not None
    found = resolve_local(local, zone)
    if isinstance(found, Gap | Ambiguous):
        assert found.earlier.astimezone(UTC) < found.later.astimezone(UTC)
        return
    assert found.astimezone(zone).replace(tzinfo=None, fold=0) == local


@thoroughly
@given(
    st.datetimes(DUE_MIN.replace(tzinfo=None), DUE_MAX.replace(tzinfo=None)), st.integers(-23 * 60 - 59, 23 * 60 + 59)
)
def test_any_offset(moment: datetime, minutes: int) -> None:
    """A due with any offset is the moment that Python reads in it."""
    offset = timedelta(minutes=minutes)
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{moment.isoformat()}{sign}{hours:02}:{rest:02}"
    expected = moment.replace(tzinfo=UTC) - offset
    assume(DUE_MIN <= expected <= DUE_MAX)
    document = read("a.json", canonical.text({"id": "x", "due": text, "action": "A", "payload": {}}).encode())[0][0]
    found = declare(document, RULES, locate)
    assert isinstance(found, Declared)
    assert found.task.due == expected
