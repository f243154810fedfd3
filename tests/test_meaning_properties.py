"""One meaning, one text, one digest: however a value is written in a file, and never for two that differ."""

from __future__ import annotations

import json
import os
import unicodedata
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slowsched import canonical
from slowsched.config import own_schema
from slowsched.json_schema import CompiledSchema, compile_schema
from slowsched.model import Declared, Task
from slowsched.task_file import Rules, declare
from slowsched.yaml_reader import locate, read
from slowsched.zones import PackagedZones

# The same examples in every run, unless more are asked for: PROPERTY_EXAMPLES=10000 pytest ...
ASKED = os.environ.get("PROPERTY_EXAMPLES")
thoroughly = settings(deadline=None, derandomize=ASKED is None, max_examples=int(ASKED or 200))

ANYTHING = compile_schema(True)
assert isinstance(ANYTHING, CompiledSchema)
RULES = Rules(task_schema=own_schema("task"), actions={"A": ANYTHING}, environments={"local"}, zones=PackagedZones())

texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=6)
numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False).map(
    lambda value: canonical.number(repr(value))
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.sampled_from(["1", "true", "null", "\u00e9", "e\u0301", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def task_of(payload: str, **more: Any) -> Task:
    """Return the task of a JSON file with this text as the value `v` of its payload."""
    rest = json.dumps({"id": "x", "due": "2030-01-01T00:00:00Z", "action": "A"} | more)
    documents, problems = read("a.json", f'{rest[:-1]}, "payload": {{"v": {payload}}}}}'.encode())
    assert problems == []
    found = declare(documents[0], RULES, locate)
    assert isinstance(found, Declared)
    return found.task


def spelled(value: Any, draw: Any) -> str:
    """Write a value as JSON in one of the many ways: order of keys, blanks, escapes, forms of a number."""
    blank = draw(st.sampled_from(["", " ", "\n", "\t "]))
    if isinstance(value, dict):
        pairs = draw(st.permutations(list(value.items())))
        inside = f"{blank},".join(f"{spelled(key, draw)}:{blank}{spelled(each, draw)}" for key, each in pairs)
        return f"{{{blank}{inside}}}"
    if isinstance(value, list):
        return f"[{f',{blank}'.join(spelled(each, draw) for each in value)}{blank}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=draw(st.booleans()))
    if type(value) is int and 0 < abs(value) < 2**53:
        return draw(st.sampled_from([f"{value}", f"{value}.0", f"{value}0e-1", f"{value}.00E+0"]))
    return json.dumps(value)


def meaning(value: Any) -> Any:
    """Return a value so that Python's equality is equality of meaning: true is not 1, and order of keys is nothing."""
    if isinstance(value, dict):
        return frozenset((key, meaning(each)) for key, each in value.items())
    if isinstance(value, list):
        return tuple(meaning(each) for each in value)
    return type(value).__name__, value


@thoroughly
@given(values, st.data())
def test_one_meaning_is_one_text(value: Any, data: st.DataObject) -> None:
    """Two spellings of a payload are one task, with one canonical text and the same digests."""
    one, other = (task_of(spelled(value, data.draw)) for _ in range(2))
    assert canonical.text(one.payload) == canonical.text(other.payload) == canonical.text({"v": value})
    assert canonical.digests(one) == canonical.digests(other)


@thoroughly
@given(values, values)
def test_two_meanings_are_two_digests(one: Any, other: Any) -> None:
    """Payloads have one digest exactly if they mean the same; an accent composed or apart is not the same text."""
    digests = [canonical.digests(task_of(canonical.text(value))) for value in (one, other)]
    assert (digests[0] == digests[1]) == (meaning(one) == meaning(other))


@thoroughly
@given(values, st.data())
def test_the_smallest_difference_is_another_digest(value: Any, data: st.DataObject) -> None:
    """One leaf that is replaced by what looks like it changes the digest of the execution."""
    alike = [None, False, True, 0, 1, "0", "1", "", "true", "null", [], {}, [None], {"": None}, 2**53, 2**53 + 1, 0.1]
    one, other = data.draw(st.sampled_from(alike)), data.draw(st.sampled_from(alike))
    assume(meaning(one) != meaning(other))
    texts_of = [canonical.text({"rest": value, "here": each}) for each in (one, other)]
    assert len({canonical.digests(task_of(text)).execution for text in texts_of}) == 2


@thoroughly
@given(st.text("ae\u0301\u00e9\u1e69s\u0323\u0307\uac00\u1100\u1161 x", min_size=1, max_size=8))
def test_an_id_is_one_however_its_accents_are_written(task_id: str) -> None:
    """Composed and decomposed it is the same id, in its normal form; a payload keeps what was written."""
    assume(task_id == task_id.strip())
    forms = {form: unicodedata.normalize(form, task_id) for form in ("NFC", "NFD")}
    tasks = [task_of(json.dumps(written), id=written) for written in forms.values()]
    assert [task.id for task in tasks] == [forms["NFC"]] * 2
    assert [task.payload["v"] for task in tasks] == list(forms.values())


@thoroughly
@given(values, texts, st.permutations(["id", "due", "action", "payload", "labels", "retry", "timeout", "team"]))
def test_the_order_of_keys_in_a_file_is_nothing(payload: Any, team: str, order: list[str]) -> None:
    """A task whose keys stand in another order is the same task, to its text."""
    document = {
        "id": "x",
        "due": "2030-01-01T00:00:00Z",
        "action": "A",
        "payload": {"v": payload},
        "labels": {"b": "1", "a": "2"},
        "retry": {"max_backoff": "2h", "attempts": 2},
        "timeout": "60s",
        "team": team or "x",
    }
    found = []
    for keys in (list(document), order):
        text = json.dumps({key: document[key] for key in keys})
        declared = declare(read("a.json", text.encode())[0][0], RULES, locate)
        assert isinstance(declared, Declared)
        found.append(canonical.text(canonical.task_document(declared.task)))
    assert found[0] == found[1]
