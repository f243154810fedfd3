"""Edits of YAML texts: only what differs changes, and the strict reader reads what was asked for."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slowsched.yaml_change import with_document
from slowsched.yaml_edit import holds
from slowsched.yaml_reader import read

TEXT = """\
# yaml-language-server: $schema=x
# before
id: "some id"   # quoted
due: 2030-01-01T00:00:00Z
action:   APPLY_SALE # two blanks

# about the payload
payload:  # what it gets
  itemID: coat
  # the price
  newPrice: 29.99   # euros
  salePercent: 50
environments: [a, b] # both
labels:
  a: b
description: |
  two
  lines

# the end
"""
VALUE = {
    "id": "some id",
    "due": "2030-01-01T00:00:00Z",
    "action": "APPLY_SALE",
    "payload": {"itemID": "coat", "newPrice": 29.99, "salePercent": 50},
    "environments": ["a", "b"],
    "labels": {"a": "b"},
    "description": "two\nlines\n",
}


def changed(**values):
    return {key: value for key, value in (VALUE | values).items() if value is not None}


@pytest.mark.parametrize(
    ("value", "replaced"),
    [
        (changed(), []),
        (changed(due="2031-01-01T00:00:00Z"), [("2030", "2031")]),
        (
            changed(payload={"itemID": "x: y", "newPrice": 19, "salePercent": 50}),
            [("coat", "'x: y'"), ("29.99", "19")],
        ),
        (changed(payload={"itemID": "coat", "salePercent": 50}), [("  newPrice: 29.99   # euros\n", "")]),
        (
            changed(payload=VALUE["payload"] | {"more": [1, "b"]}),
            [("salePercent: 50\n", "salePercent: 50\n  more: [1, b]\n")],
        ),
        (changed(payload={}), [("itemID: coat\n  # the price\n  newPrice: 29.99   # euros\n  salePercent: 50", "{}")]),
        (changed(environments=["a", "c"]), [("b] # both", "c] # both")]),
        (changed(environments=["a"]), [("[a, b]", "[a]")]),
        (changed(labels=None), [("labels:\n  a: b\n", "")]),
        (changed(labels={}), [("labels:\n  a: b\n", "labels: {}\n")]),
        (changed(description=None), [("description: |\n  two\n  lines\n\n", "")]),
        (changed(description="one"), [("description: |\n  two\n  lines\n\n", "description: one\n")]),
        (changed(grace="6h"), [("  lines\n\n", "  lines\n\ngrace: 6h\n")]),
        (changed(id="é→😀\u2028"), [('"some id"', '"é→😀\\u2028"')]),
    ],
)
def test_only_what_differs_changes(value, replaced):
    """Each change replaces its own text, and no other byte."""
    expected = TEXT
    for old, new in replaced:
        assert expected.count(old) == 1
        expected = expected.replace(old, new)
    assert with_document(TEXT, 0, value) == expected


@pytest.mark.parametrize(
    ("text", "value", "edited"),
    [
        ("a:\n", {"a": 1}, "a: 1\n"),
        ("a:   # why\n", {"a": "x"}, "a: x   # why\n"),
        ("a: 1", {"a": 1, "b": 2}, "a: 1\nb: 2\n"),
        ("{a: 1}\n", {"a": 1, "b": 2}, "{a: 1, b: 2}\n"),
        ("{a: 1, # one\n b: 2}\n", {"a": 3, "b": 2}, "{a: 3, # one\n b: 2}\n"),
        ("a:\n- 1\n- 2 # two\n", {"a": [3, 2]}, "a:\n- 3\n- 2 # two\n"),
        ("a:\n- 1\n- 2\n", {"a": [3]}, "a: [3]\n"),
        ("a:\n- b: 1\n  c: 2\n", {"a": [{"b": 1}]}, "a:\n- {b: 1}\n"),
        ('"a b": 1\n', {"a b": "012"}, "\"a b\": '012'\n"),
        ("a: >-\n  x\nb: 1\n", {"a": "y", "b": 1}, "a: y\nb: 1\n"),
        ("a: 1\n...\n", {"a": 2, "b": 3}, "a: 2\nb: 3\n...\n"),
        ("a: true\n", {"a": 1}, "a: 1\n"),
        ("? a\n: 1\n", {"a": 2}, "? a\n: 2\n"),
        ("? a\n", {"a": 2}, None),
    ],
)
def test_every_style_is_edited(text, value, edited):
    """Values in every style of YAML are found and replaced; where that cannot be done, nothing is."""
    assert with_document(text, 0, value) == edited


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.sampled_from([0.5, 29.99, -1.25]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
    st.sampled_from(["no", "012", "12:30", "2030-01-01", "a: b", "# x", "- y", "'", '"', "\\", "a\nb\n", "---", "..."]),
)
KEYS = st.one_of(st.sampled_from(["a", "b", "c d"]), st.text(st.characters(categories=["L", "N", "P"]), max_size=4))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
FIRST = "# first\nid: one # kept\nlist: [1,   2]\n"
LAST = "---\n# last\nid: three\ntext: >+\n  folded\n\n"


@settings(max_examples=150, deadline=None)
@given(
    old=st.dictionaries(KEYS, VALUES, min_size=1, max_size=4),
    new=st.dictionaries(KEYS, VALUES, min_size=1, max_size=4),
    block=st.booleans(),
)
def test_any_value_becomes_any_other(old, new, block):
    """Whatever is asked for is read back exactly, and the other documents stay byte for byte."""
    middle = yaml.safe_dump(old, default_flow_style=not block, allow_unicode=True)
    before = f"---  # second\n{middle}"
    text = FIRST + before + LAST
    if not holds(text, [{"id": "one", "list": [1, 2]}, old, {"id": "three", "text": "folded\n\n"}]):
        return  # PyYAML writes what the strict reader refuses
    edited = with_document(text, 1, new)
    assert edited is not None
    assert edited.startswith(f"{FIRST}---  # second\n")
    assert edited.endswith(LAST)
    assert json.dumps(read("a.yaml", edited.encode())[0][1].value, sort_keys=True) == json.dumps(new, sort_keys=True)
