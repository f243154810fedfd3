"""Sensitive values: masked by place, and taken out of what actions say."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import quote

import pytest
from core.planning import planned
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol.fakes import NOW
from test_json_schema import compiled
from values import a_declared, a_row, a_task

from slowsched import canonical
from slowsched.config import own_schema
from slowsched.decision import Allowance, decide
from slowsched.execute import Attempt, run_attempt
from slowsched.lifecycle import Applier
from slowsched.model import Document, Field, HistoryEntry, HistoryOutcome, Outcome, OutcomeKind, Place
from slowsched.plan import LateChoice
from slowsched.render.markdown import plan_markdown
from slowsched.render.shapes import json_text, list_shape, plan_file_shape, plan_shape, row_shape
from slowsched.render.text_plan import plan_text
from slowsched.render.text_rows import row_text
from slowsched.sensitive import MASK, message_mask, shown_digests, shown_document, without_values
from slowsched.store.codec import decode_row, encode_row
from slowsched.task_file import Rules, declare
from slowsched.three_way import merge
from slowsched.yaml_reader import locate
from slowsched.zones import PackagedZones

TOKEN = ("$.payload.token",)


def fields_of(before, after, sensitive_before=(), sensitive_after=()):
    """Return what a plan says of an edited payload."""
    row = a_row(payload=before, sensitive=sensitive_before)
    by = Applier(owner=row.owner, commit=None, now=NOW, soonest=NOW)
    change = decide(a_declared(payload=after, sensitive=sensitive_after), row, by, Allowance())
    return tuple(each for each in change.fields if each.pointer != "$.sensitive")


# --- by place --------------------------------------------------------------------------------------


def test_what_is_masked_is_exactly_what_is_marked():
    """Places in lists and under odd keys are found; what is beside them stays."""
    payload = {"token": "x", "items": [{"pin": 1, "n": 2}, {"pin": 3}], "odd key": None, "0": [0], "all": {"a": 1}}
    places = ("$.payload.token", "$.payload.items[1].pin", "$.payload['odd key']", "$.payload['0']", "$.payload.all")
    assert without_values(payload, places) == {
        "token": MASK,
        "items": [{"pin": 1, "n": 2}, {"pin": MASK}],
        "odd key": MASK,
        "0": MASK,
        "all": MASK,
    }
    assert without_values("all of it", ["$.payload"]) == MASK


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ({"token": "x"}, {"token": "y"}, Field(pointer=TOKEN[0], before=MASK, after=MASK, sensitive=True)),
        ({"token": "x"}, {}, Field(pointer=TOKEN[0], before=MASK, after=None, sensitive=True)),
        ({}, {"token": None}, Field(pointer=TOKEN[0], before=None, after=MASK, sensitive=True)),
        ({"token": {"a": 1}}, {"token": {"a": 2}}, Field(pointer=TOKEN[0], before=MASK, after=MASK, sensitive=True)),
        ({"n": 1}, {"n": 2}, Field(pointer="$.payload.n", before=1, after=2)),
    ],
)
@pytest.mark.parametrize("marked", [(TOKEN, TOKEN), ((), TOKEN), (TOKEN, ())], ids=["both", "file", "row"])
def test_a_change_is_masked_on_both_sides(before, after, field, marked):
    """Whichever side marks a value, neither shows it; that it changed is said."""
    assert fields_of(before, after, *marked) == (field,)


def test_a_list_that_holds_sensitive_values_is_masked_in_it():
    """A list is compared as a whole, and shown with its sensitive values masked."""
    marked = ("$.payload.all[0].token",)
    assert fields_of({"all": [{"token": "x", "n": 1}]}, {"all": [{"token": "y", "n": 1}]}, (), marked) == (
        Field(
            pointer="$.payload.all",
            before=[{"token": MASK, "n": 1}],
            after=[{"token": MASK, "n": 1}],
            sensitive=True,
        ),
    )


def test_marking_a_field_is_an_edit_of_the_policy_alone():
    """The task's digest differs, the execution's does not; without marks both are as before there were any."""
    plain, marked = a_task(payload={"token": "x"}), a_task(payload={"token": "x"}, sensitive=TOKEN)
    assert canonical.digests(plain).execution == canonical.digests(marked).execution
    assert canonical.digests(plain).task != canonical.digests(marked).task
    assert "sensitive" not in canonical.task_document(plain)


def test_marks_travel_with_the_row():
    """A row that was written is read back with its marks."""
    row = a_row(payload={"token": "x"}, sensitive=TOKEN)
    assert decode_row(encode_row(row, "w")) == row
    damaged = encode_row(row, "w")
    damaged["spec"] = str(damaged["spec"]).replace('"sensitive":["$.payload.token"]', '"sensitive":[1]')
    assert "damaged" in decode_row(damaged).reason


def test_shown_digests_tell_nothing_of_the_value():
    """They are equal whatever is hidden, and differ where anything else does."""
    one, two, other = (
        shown_digests(a_task(payload=payload, sensitive=TOKEN))
        for payload in ({"token": "x", "n": 1}, {"token": "y", "n": 1}, {"token": "x", "n": 2})
    )
    assert one == two
    assert one != other
    assert shown_digests(a_task()) == canonical.digests(a_task())


def test_a_row_shows_digests_that_tell_nothing():
    """Two rows that differ in a sensitive value alone have the digests of their own, and show equal ones."""
    one, two = (a_row(payload={"token": token}, sensitive=TOKEN) for token in ("x", "y"))
    assert one.digests != two.digests
    assert row_shape(one) == row_shape(two)
    assert row_text(one, now=NOW, width=80, color=False) == row_text(two, now=NOW, width=80, color=False)


@pytest.mark.parametrize("marked", [((), TOKEN), (TOKEN, ())], ids=["file", "row"])
def test_the_tasks_of_a_change_are_masked_by_the_marks_of_both(marked):
    """A value that was applied before its field was marked is masked with the file's value."""
    row = a_row(payload={"token": "x"}, sensitive=marked[0])
    (change,) = plan_shape(_plan([a_declared(payload={"token": "y"}, sensitive=marked[1])], [row]))["changes"]
    assert [change[side]["payload"] for side in ("before", "after")] == [{"token": MASK}] * 2


@pytest.mark.parametrize(
    ("mine", "began", "other", "expected"),
    [
        ({"a": 1}, {}, {"b": 2}, ["a", "b"]),
        ({"a": 1, "b": 1}, {"a": 1}, {"a": 1, "c": 1}, ["a", "b", "c"]),
        ({"n": 1}, {"a": 1}, {"a": 1, "b": 1}, ["b"]),
    ],
)
def test_marks_of_two_edits_are_merged_one_by_one(mine, began, other, expected):
    """What either side has added stays masked, and what one has removed leaves no mark: as after the real merge."""

    def declared(payload):
        marks = tuple(f"$.payload.{key}" for key in sorted(payload) if key != "n")
        return a_declared(id="one", payload=payload, sensitive=marks)

    (merged,) = merge([declared(mine)], [declared(began)], [declared(other)]).declared
    assert merged.task.sensitive == tuple(f"$.payload.{key}" for key in expected)


# --- in what actions say ---------------------------------------------------------------------------

TEXT = 'pa"ss\\wörd & more\nnext line'


def attempt_of(payload, act, sensitive=TOKEN):
    """Run one attempt of a function with a payload whose token is sensitive."""
    row = a_row(payload=payload, sensitive=sensitive, action="PUBLISH")
    return run_attempt(
        act, payload, Attempt.of_row(row, NOW), timedelta(seconds=30), message_mask(row.task) if sensitive else None
    )


@pytest.mark.parametrize("said", [str, repr, json.dumps, ascii, quote, lambda text: f"at {text.splitlines()[1]}"])
def test_a_result_and_an_exception_do_not_quote_a_sensitive_value(said, caplog):
    """Neither message nor log has the value, in whatever quotes; the rest of the sentence stays."""

    def fail(payload, _attempt):
        try:
            {}[payload["token"]]
        except KeyError as error:
            raise RuntimeError(f"refused {said(payload['token'])} today") from error

    failed = attempt_of({"token": TEXT}, fail)
    assert failed.message.startswith("RuntimeError: refused")
    assert failed.message.endswith("today")
    succeeded = attempt_of({"token": TEXT}, lambda payload, _: {"sent": said(payload["token"])})
    for text in (failed.message, succeeded.message, caplog.text):
        assert MASK in text
        assert not any(form in text for form in (TEXT, "wörd", "w\\xf6rd", "next line"))
    assert "Traceback" in caplog.text


def test_numbers_are_taken_out_and_short_values_are_not():
    """A number of four digits is masked; what is shorter would take words apart, and is not promised."""
    outcome = attempt_of({"token": [4711, "no", True, None, 12.5]}, lambda *_: "not 4711, no, true, 12.5")
    assert outcome == Outcome(kind=OutcomeKind.SUCCEEDED, message="not (sensitive), no, true, (sensitive)")
    assert attempt_of({"token": "no"}, lambda *_: "nobody").message == "nobody"


def test_the_longest_value_is_taken_out_first():
    """A value that is part of another leaves nothing of it."""
    assert attempt_of({"token": ["abcd", "abcdefgh"]}, lambda *_: "abcdefgh abcd").message == f"{MASK} {MASK}"


def test_a_task_without_marks_logs_its_exception_as_it_is(caplog):
    """What is not marked is the team's own to read."""

    def fail(payload, _attempt):
        raise RuntimeError(payload["token"])

    assert attempt_of({"token": "hunter2"}, fail, ()).message == "RuntimeError: hunter2"
    assert "hunter2" in caplog.text
    assert caplog.records[-1].exc_info is not None


def test_a_history_from_before_the_mark_is_masked_when_it_is_shown():
    """What an earlier attempt left in the row is shown without the values that are sensitive now."""
    entry = HistoryEntry(
        generation=1, attempt=1, started_at=NOW, finished_at=NOW, outcome=HistoryOutcome.FAILED, message="no hunter2"
    )
    row = a_row(payload={"token": "hunter2"}, sensitive=TOKEN, history=(entry,))
    assert row_shape(row)["history"][0]["message"] == f"no {MASK}"
    assert "hunter2" not in row_text(row, now=NOW, width=80, color=False)


# --- everywhere ------------------------------------------------------------------------------------

_SECRETS = st.text(st.sampled_from('QWXZ7#é "\\|`'), min_size=6, max_size=20).filter(
    lambda text: len(text.strip()) >= 6
)
_PLAIN = st.none() | st.booleans() | st.integers(0, 99) | st.text("abc", max_size=5)


def _marked(children):
    """Return pairs of a schema and a value that keeps to it, of which some parts are marked."""
    objects = st.dictionaries(st.text("abc-", min_size=1, max_size=4), children, max_size=4)
    return st.one_of(
        objects.map(
            lambda found: (
                {"properties": {key: schema for key, (schema, _) in found.items()}},
                {key: value for key, (_, value) in found.items()},
            )
        ),
        st.lists(children, max_size=3).map(
            lambda found: ({"prefixItems": [schema for schema, _ in found] or [{}]}, [value for _, value in found])
        ),
        children.map(lambda found: ({"anyOf": [{"type": "null"}, found[0]]}, found[1])),
        children.map(lambda found: ({"allOf": [{}, {"$ref": "#/$defs/none"}, found[0]]}, found[1])),
    )


_SECRET_LEAF = _SECRETS.map(lambda text: ({"x-sensitive": True}, text)) | st.dictionaries(
    st.just("in"), _SECRETS, min_size=1
).map(lambda value: ({"additionalProperties": {"x-sensitive": True}}, value))
_PAYLOADS = st.recursive(_SECRET_LEAF | _PLAIN.map(lambda value: ({}, value)), _marked, max_leaves=12)


def _secrets_in(value):
    if isinstance(value, str):
        return {value} if len(value) >= 6 else set()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(_secrets_in, inner))


def _declared(schema, payload):
    """Return the task that a file with this payload declares, as its schema marks it."""
    document = {"id": "a task", "due": "2030-01-01T00:00:00Z", "action": "A", "payload": payload}
    rules = Rules(
        task_schema=own_schema("task"),
        actions={"A": compiled({"$defs": {"none": {}}} | schema)},
        environments=("local",),
        zones=PackagedZones(),
    )
    return declare(Document(place=Place(path="a.json"), value=document, text=json.dumps(document)), rules, locate)


@settings(deadline=None)
@given(_PAYLOADS)
def test_no_output_shows_a_sensitive_value(drawn):
    """Random schemas and payloads, before and after: no text that is sensitive is in any output."""
    schema, inner = drawn
    schema = {"properties": {"data": schema}}
    payload, changed = {"data": inner}, {"data": _reversed(inner)}
    before, after = _declared(schema, payload), _declared(schema, changed)
    secrets = _secrets_in(payload) | _secrets_in(changed)
    told = message_mask(before.task)(" and ".join(sorted(_secrets_in(payload))))
    entry = HistoryEntry(generation=1, attempt=1, started_at=NOW, message=told)
    task = {name: getattr(before.task, name) for name in ("id", "action", "payload", "sensitive", "due")}
    row = a_row(**task, history=(entry,))
    outputs = [json_text(row_shape(row)), json_text(list_shape([row])), row_text(row, now=NOW, width=80, color=False)]
    for declared, rows in (([after], [row]), ([], [row]), ([after], [])):
        plan = _plan(declared, rows)
        outputs += [json_text(plan_shape(plan)), json_text(plan_file_shape(plan)), plan_markdown(plan)]
        outputs += [plan_text(plan, width=width, color=False) for width in (80, 2000)]
    for secret in secrets:
        forms = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
        assert [form for form in forms for output in outputs if form in output] == []


def _reversed(value):
    """Return a value of the same shape whose texts are others."""
    if isinstance(value, str):
        return value[::-1]
    if isinstance(value, dict):
        return {key: _reversed(inner) for key, inner in value.items()}
    return [_reversed(inner) for inner in value] if isinstance(value, list) else value


def _plan(declared, rows):
    return planned(declared, rows, late=LateChoice.RUN)


def test_a_document_to_be_shown_has_its_marks():
    """Scripts are told which values they do not see."""
    task = a_task(payload={"token": "x", "n": 1}, sensitive=TOKEN)
    shown = shown_document(task)
    assert (shown["payload"], shown["sensitive"]) == ({"token": MASK, "n": 1}, list(TOKEN))
