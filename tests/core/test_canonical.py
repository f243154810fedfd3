"""One text and one digest for one meaning (slowsched/canonical.py)."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import HOUR, MINUTE, a_retry, a_task, at

from slowsched.canonical import (
    _encoder,
    digest,
    digests,
    number,
    pointer,
    task_document,
    task_from_document,
    text,
)
from slowsched.model import Digests

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)

FULL = a_task(
    due=at("2030-01-01T12:00:30.25Z"),
    retry=a_retry(attempts=3, backoff=timedelta(seconds=90), max_backoff=2 * HOUR),
    timeout=MINUTE,
    grace=6 * HOUR,
    description="the sale of the year",
    team="pricing",
    labels={"campaign": "black-friday"},
    timezone="Europe/Berlin",
    protect=True,
)

FULL_DOCUMENT = {
    "id": "some task id",
    "due": "2030-01-01T12:00:30.250000Z",
    "action": "APPLY_SALE",
    "payload": {"itemID": "some item", "newPrice": 29.99, "salePercent": 50},
    "retry": {"attempts": 3, "backoff": "90s", "max_backoff": "2h"},
    "timeout": "1m",
    "grace": "6h",
    "description": "the sale of the year",
    "team": "pricing",
    "labels": {"campaign": "black-friday"},
    "timezone": "Europe/Berlin",
    "protect": True,
}


# --- text and digest -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": [True, None, "x"], "B": {}}, '{"B":{},"a":[true,null,"x"],"b":1}'),
        ({"é": "ü", "z": "\u2028"}, '{"z":"\u2028","é":"ü"}'),
        ('quote " backslash \\ newline \n', '"quote \\" backslash \\\\ newline \\n"'),
        (29.99, "29.99"),
        (50, "50"),
        (1e22, "1e+22"),
        (-0.5, "-0.5"),
    ],
)
def test_text(value, written):
    """Keys are sorted by code point, nothing is padded, and only what JSON must escape is escaped."""
    assert text(value) == written


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": float("-inf")}])
def test_text_refuses_what_is_no_json(value):
    """What no other JSON reader takes is never written."""
    with pytest.raises(ValueError, match="Out of range float values"):
        text(value)


@given(json_values)
def test_text_comes_back(value):
    """The text means the value that it was written from, and is a fixed point."""
    assert (json.loads(text(value)), text(json.loads(text(value)))) == (value, text(value))


@given(json_values)
def test_text_is_what_the_standard_library_writes(value):
    """However it is written, it is JSON with sorted keys and nothing to spare."""
    assert text(value) == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@pytest.mark.parametrize("write", [text, _encoder.encode], ids=["with an accelerator", "without"])
def test_text_is_the_same_without_an_accelerator(write):
    """Python may come without the fast encoder: what is written, and what is refused, is the same."""
    assert write({"b": [1, {"ü": None, "a": "é"}], "B": {}}) == '{"B":{},"b":[1,{"a":"é","ü":null}]}'
    with pytest.raises(ValueError, match="Out of range float values"):
        write([float("nan")])
    with pytest.raises(TypeError, match="Object of type timedelta is not JSON serializable"):
        write(HOUR)
    with pytest.raises(TypeError, match="keys must be str"):
        write({("a", "b"): 1})


def test_text_of_many_values_is_one():
    """However many pieces it is made of, nothing stands between them."""
    assert text(list(range(250_000))) == f"[{','.join(map(str, range(250_000)))}]"


@given(st.dictionaries(st.text(), json_values))
def test_text_forgets_the_order_of_keys(value):
    """Two mappings that differ in the order of their keys have one text."""
    assert text(dict(reversed(value.items()))) == text(value)


def test_digest_is_pinned():
    """The format of the text and the digest over it are kept: every stored row depends on them."""
    assert digest({"b": [1, 2.5, "ü"], "a": None}) == "3ca4eda1ebfd02e4296104981a1e65d4e87e99084ac993fafbc515a8f6a8ad84"


def test_digests_are_pinned():
    """An accidental change of what a digest covers would plan an update of every task of every table."""
    assert digests(FULL) == Digests(
        execution="9a854f83f1e5d5df1cf46555d9eea18ad8c76e3d30509a1b5cbf465f23ceb8f3",
        task="800ff1a3a7336fdc8f28193938dccd5d030f5a0cddd6f76f936905934a5cc70a",
    )


def test_digests_of_a_minimal_task_are_pinned():
    """A later optional key is appended where a task has it: the digest of a task without it stays."""
    assert digests(a_task()) == Digests(
        execution="6e4bb1d77d4f822b27fb70e6a3b3b70bb5d0a73eb920108b9ce1160115fa7cb3",
        task="a353feed7fa311a10e75f0f123ed8ae28e77665f69a37bf42b177919bf570d54",
    )


@pytest.mark.parametrize(
    "overrides",
    [
        {"due": at("2030-01-01T12:00:30.250001Z")},
        {"action": "SEND_MAIL"},
        {"payload": {"itemID": "some item", "newPrice": 29.98, "salePercent": 50}},
        {"payload": {"itemID": "some item", "newPrice": 29.99, "salePercent": True}},
        {"payload": {"itemID": "some item", "newPrice": 29.99, "salePercent": "50"}},
        {"payload": {"itemID": "some item", "newPrice": 29.99, "salePercent": None}},
        {"payload": {"itemID": "some item", "newPrice": 29.99}},
    ],
)
def test_digests__execution_differs(overrides):
    """Due, action and payload decide the execution, with their types."""
    before, after = digests(FULL), digests(_changed(overrides))
    assert (before.execution == after.execution, before.task == after.task) == (False, False)


@pytest.mark.parametrize(
    "overrides",
    [
        {"retry": a_retry(attempts=4)},
        {"timeout": HOUR},
        {"grace": None},
        {"description": None},
        {"team": "sales"},
        {"labels": {}},
        {"timezone": None},
        {"protect": False},
    ],
)
def test_digests__policy_differs(overrides):
    """All the rest is policy; the execution stays."""
    before, after = digests(FULL), digests(_changed(overrides))
    assert (before.execution == after.execution, before.task == after.task) == (True, False)


def test_digests_tell_one_key_from_another():
    """Values are digested by position: the same value under two keys is two policies."""
    names = ("description", "team", "timezone")
    durations = [a_task(timeout=HOUR), a_task(grace=HOUR), *(a_task(retry=each) for each in _retries_of_an_hour())]
    policies = {digests(each).task for each in (*(a_task(**{name: "x"}) for name in names), *durations)}
    assert len(policies) == len(names) + len(durations)


def _retries_of_an_hour():
    return a_retry(backoff=HOUR), a_retry(max_backoff=2 * HOUR), a_retry(attempts=1)


def test_digests_forget_the_id():
    """A task whose id changes executes the same: that is how a rename is seen."""
    assert digests(_changed({"id": "another"})) == digests(FULL)


def _changed(overrides):
    fields = {name: getattr(FULL, name) for name in FULL.__dataclass_fields__}
    return a_task(**(fields | overrides))


# --- a task as a document --------------------------------------------------------------------------


def test_task_document_has_the_words_of_a_task_file():
    """A task is written as its author might have."""
    assert task_document(FULL) == FULL_DOCUMENT


def test_task_document_leaves_out_what_is_absent():
    """No key for what the file does not say."""
    assert list(task_document(a_task())) == ["id", "due", "action", "payload", "retry", "timeout"]


@pytest.mark.parametrize(
    "task",
    [
        FULL,
        a_task(),
        a_task(payload={}),
        a_task(payload={"n": None, "l": [1, {"a": 2.5}]}),
        a_task(sensitive=("$.payload.itemID", "$.payload.newPrice")),
    ],
)
def test_task_comes_back_from_its_text(task):
    """What the store keeps is read back as the same task."""
    assert task_from_document(json.loads(text(task_document(task)))) == task


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({}, KeyError),
        (FULL_DOCUMENT | {"due": "soon"}, ValueError),
        (FULL_DOCUMENT | {"due": 5}, TypeError),
        (FULL_DOCUMENT | {"timeout": "long"}, ValueError),
        (FULL_DOCUMENT | {"retry": None}, TypeError),
    ],
)
def test_task_from_document_refuses_what_is_none(document, error):
    """A damaged document is an error that the store can name, never half a task."""
    with pytest.raises(error):
        task_from_document(document)


# --- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("-0.0", 0),
        ("0e5", 0),
        ("50", 50),
        ("-7", -7),
        ("1.0", 1),
        ("1e3", 1000),
        ("1.5e1", 15),
        ("29.99", 29.99),
        ("0.1000000000000000", 0.1),
        ("9007199254740991.0", 9007199254740991),
        ("9007199254740992.0", 9007199254740992.0),
        ("9007199254740993", 9007199254740993),
        ("1e22", 1e22),
        ("-9007199254740993", -9007199254740993),
        ("9" * 300, int("9" * 300)),
        ("2.2250738585072014e-308", 2.2250738585072014e-308),
        ("5e-324", 5e-324),
    ],
)
def test_number(literal, value):
    """A number is read as what its canonical text means; an integral one is an integer."""
    assert (number(literal), type(number(literal))) == (value, type(value))


@pytest.mark.parametrize(
    ("literal", "message"),
    [
        ("1e400", "this number is beyond the range of a float: quote it"),
        ("-1e400", "this number is beyond the range of a float: quote it"),
        ("9" * 301, "this number has too many digits: quote it"),
        (
            "0.12345678901234567890",
            "this number has more digits than a float keeps (it would become 0.12345678901234568): quote it",
        ),
        (
            "9007199254740993.0",
            "this number has more digits than a float keeps (it would become 9007199254740992.0): quote it",
        ),
        ("1e-400", "this number has more digits than a float keeps (it would become 0.0): quote it"),
        ("1.2345e-320", "this number has more digits than a float keeps (it would become 1.2347e-320): quote it"),
        ("1e-99999999999999999999", "this number has more digits than a float keeps (it would become 0.0): quote it"),
    ],
)
def test_number_refuses_what_would_become_another(literal, message):
    """No digit is lost in silence: what a float does not keep is refused, with what it would have become."""
    with pytest.raises(ValueError, match=r".") as caught:
        number(literal)
    assert str(caught.value) == message


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20))
def test_a_number_that_is_accepted_means_the_same(value):
    """Whatever is not refused is written again as exactly the number that stood there."""
    literal = str(value)
    try:
        read = number(literal)
    except ValueError:
        return
    assert Decimal(text(read)) == Decimal(literal)


@given(st.integers(min_value=-(10**14), max_value=10**14), st.integers(min_value=-20, max_value=20))
def test_every_number_of_ordinary_length_is_accepted(digits, exponent):
    """Fourteen digits and an exponent are never refused, a price least of all."""
    literal = f"{digits}e{exponent}"
    assert Decimal(text(number(literal))) == Decimal(literal)


@given(json_values)
def test_numbers_are_stable(value):
    """Text that is read with these numbers is written as the same text again."""
    read = json.loads(text(value), parse_float=number, parse_int=number)
    again = json.loads(text(read), parse_float=number, parse_int=number)
    assert text(again) == text(read)


# --- pointer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "written"),
    [
        ((), "$"),
        (("payload", "newPrice"), "$.payload.newPrice"),
        (("a", "b-c_1", 0), "$.a.b-c_1[0]"),
        (("odd key",), "$['odd key']"),
        (("it's",), '$["it\'s"]'),
        (("1a",), "$['1a']"),
        (("",), "$['']"),
        (("a\n",), "$['a\\n']"),
        (("a.b", 12, "c"), "$['a.b'][12].c"),
    ],
)
def test_pointer(parts, written):
    """A plain key follows a dot, any other is quoted, an index stands in brackets."""
    assert pointer(parts) == written
