"""Rows and the control row as flat items (slowsched/store/codec.py)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from values import COMMIT, DAY, DUE, MINUTE, a_claim, a_row, a_source, an_entry, at, summary_of

from slowsched.errors import StoreError
from slowsched.model import (
    Claim,
    Control,
    Digests,
    HistoryEntry,
    HistoryOutcome,
    Lock,
    OwnerControl,
    Pause,
    Retry,
    Row,
    Source,
    State,
    Summary,
    Task,
    Unreadable,
    Worker,
)
from slowsched.store.codec import (
    CONTROL_ATTRIBUTES,
    ROW_ATTRIBUTES,
    SUMMARY_ATTRIBUTES,
    decode_control,
    decode_row,
    decode_summary,
    encode_control,
    encode_row,
)

ROW = a_row(
    state=State.RUNNING,
    version=3,
    claim=a_claim(),
    history=(an_entry(late_seconds=1.5), an_entry(finished_at=DUE, outcome=HistoryOutcome.FAILED, message="no")),
    requested_at=DUE - DAY,
    deferred_since=DUE - MINUTE,
    expires_at=DUE + DAY,
)

SPEC = (
    '{"action":"APPLY_SALE","due":"2030-01-01T00:00:00Z","id":"some task id",'
    '"payload":{"itemID":"some item","newPrice":29.99,"salePercent":50},'
    '"retry":{"attempts":5,"backoff":"1m","max_backoff":"1h"},"timeout":"30s"}'
)

ITEM = {
    "format": 1,
    "id": "some task id",
    "owner": "acme/shop/local",
    "state": "running",
    "version": 3,
    "write_id": "w1",
    "generation": 1,
    "attempt": 1,
    "action": "APPLY_SALE",
    "due": "2030-01-01T00:00:00.000000Z",
    "digest": "6e4bb1d77d4f822b27fb70e6a3b3b70bb5d0a73eb920108b9ce1160115fa7cb3",
    "task_digest": "a353feed7fa311a10e75f0f123ed8ae28e77665f69a37bf42b177919bf570d54",
    "wake_at": "2030-01-01T00:01:00.000000Z",
    "expires_at": 1_893_542_400,
    "requested_at": "2029-12-31T00:00:00.000000Z",
    "deferred_since": "2029-12-31T23:59:00.000000Z",
    "claim": '{"lease_end":"2030-01-01T00:01:00.000000Z","token":"a token"}',
    "source": f'{{"commit":"{COMMIT}","line":1,"path":"tasks/sale.yaml"}}',
    "history": '[{"attempt":1,"generation":1,"late_seconds":1.5,"started_at":"2030-01-01T00:00:00.000000Z"},'
    '{"attempt":1,"finished_at":"2030-01-01T00:00:00.000000Z","generation":1,"late_seconds":0.0,'
    '"message":"no","outcome":"failed","started_at":"2030-01-01T00:00:00.000000Z"}]',
    "spec": SPEC,
}

BEYOND = "is outside of the years that the timer knows"
FIRST_MOMENT, LAST_MOMENT = "0999-12-31T23:59:59.999999Z", "3000-01-01T00:00:00.000000Z"


# --- the shape of an item --------------------------------------------------------------------------


def test_a_row_is_flat_text_and_whole_numbers() -> None:
    """This is what stands in a table, to the letter: changing it is a new format."""
    assert encode_row(ROW, "w1") == ITEM


def test_absent_values_are_left_out() -> None:
    """A finished row has no `wake_at` at all, which keeps it out of a sparse index."""
    bare = replace(a_row(state=State.MISSED), source=a_source(commit=None))
    absent = {"wake_at", "expires_at", "requested_at", "deferred_since", "claim"}
    item = encode_row(bare, "w1")
    assert set(ROW_ATTRIBUTES) - set(item) == absent
    assert decode_row(item | dict.fromkeys(absent)) == decode_row(item) == bare


def test_the_attributes_are_named_once() -> None:
    """The names that adapters build columns and projections from are those that the codec writes."""
    assert set(encode_row(ROW, "w1")) == set(ROW_ATTRIBUTES)
    assert set(encode_control(CONTROL, "w1")) == set(CONTROL_ATTRIBUTES)


def test_attributes_of_an_adapter_are_passed_over() -> None:
    """The bucket of a key, or whatever a store adds, is not the row's."""
    assert decode_row(ITEM | {"bucket": 0}) == ROW


def test_text_order_of_moments_is_time_order() -> None:
    """An index on text serves as one on time, fractions of a second included."""
    moments = [at(f"2030-01-01T00:00:0{seconds}Z") for seconds in ("0", "0.000001", "0.5", "1")]
    stamps = [encode_row(a_row(wake_at=moment), "w")["wake_at"] for moment in moments]
    assert stamps == sorted(stamps)


@pytest.mark.parametrize(
    ("expires_at", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2030-01-01T00:00:00Z", 1_893_456_000),
        ("2030-01-01T00:00:00.000001Z", 1_893_456_001),
        ("2030-01-01T00:00:00.999999Z", 1_893_456_001),
    ],
)
def test_a_row_expires_at_a_whole_second_rounded_up(expires_at: str, seconds: int) -> None:
    """Time to live knows seconds only; a row never expires early."""
    item = encode_row(a_row(state=State.DELETED, expires_at=at(expires_at)), "w")
    assert item["expires_at"] == seconds
    assert decode_row(item).expires_at == datetime.fromtimestamp(seconds, UTC)


def summary_in(item: dict[str, Any]) -> Summary | Unreadable:
    """Return the summary that a store reads of an item."""
    return decode_summary([item.get(name) for name in SUMMARY_ATTRIBUTES])


def test_a_summary_needs_its_attributes_only() -> None:
    """A plan reads seven short values of a row, and neither its text nor its history."""
    assert summary_in(ITEM) == Summary(
        id="some task id",
        owner="acme/shop/local",
        state=State.RUNNING,
        task_digest=ITEM["task_digest"],
        wake_at=DUE + MINUTE,
        expires_at=DUE + DAY,
    )


# --- what cannot be read ---------------------------------------------------------------------------


def changed_spec(**changes: Any) -> dict[str, Any]:
    """Return the item with some of its spec replaced."""
    return ITEM | {"spec": json.dumps(json.loads(SPEC) | changes)}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (ITEM | {"format": 2}, "a newer version of slowsched wrote it (format 2; this one reads 1)"),
        ({"format": 2, "id": "some task id"}, "a newer version of slowsched wrote it (format 2; this one reads 1)"),
        ({"id": "some task id"}, "damaged: it has no 'format'"),
        (ITEM | {"format": "1"}, "damaged: its `format` is not a count"),
        (ITEM | {"owner": 5}, "damaged: its `owner` is not text"),
        (ITEM | {"owner": b"\xff"}, "damaged: its `owner` is not text"),
        (ITEM | {"state": "frozen"}, "damaged: its `state` is 'frozen'"),
        (ITEM | {"state": 5}, "damaged: its `state` is 5"),
        (ITEM | {"wake_at": "2030-01-01T00:00:00"}, "damaged: '2030-01-01T00:00:00' is not a moment"),
        (ITEM | {"wake_at": "2030-01-01T00:00:00.000000+"}, "damaged: '2030-01-01T00:00:00.000000+' is not a moment"),
        (ITEM | {"wake_at": 5}, "damaged: 5 is not a moment"),
        (ITEM | {"expires_at": "5"}, "damaged: its `expires_at` is not a count"),
        (ITEM | {"expires_at": 10**30}, "damaged: Python int too large to convert to C int"),
    ],
)
def test_rows_and_summaries_say_what_they_cannot_read(item: dict[str, Any], reason: str) -> None:
    """A newer format is told from damage, and neither raises."""
    unreadable = Unreadable(id="some task id", reason=reason)
    assert (summary_in(item), decode_row(item)) == (unreadable, unreadable)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({name: ITEM[name] for name in SUMMARY_ATTRIBUTES}, "it has no 'spec'"),
        (ITEM | {"version": True}, "its `version` is not a count"),
        (ITEM | {"version": -1}, "its `version` is not a count"),
        (ITEM | {"spec": "{"}, "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (ITEM | {"spec": "[]"}, "its `spec` is not an object"),
        (ITEM | {"spec": 7}, "its `spec` is not text"),
        (ITEM | {"spec": SPEC.replace("29.99", "NaN")}, "NaN is not JSON"),
        (ITEM | {"id": "another"}, "its `id` is not the one in its `spec`"),
        (changed_spec(action=["x"]), "its `action` is not text"),
        (changed_spec(retry={"attempts": "5", "backoff": "1m", "max_backoff": "1h"}), "its `attempts` is not a count"),
        (changed_spec(description=5), "its `description` is not text"),
        (changed_spec(labels={"campaign": 5}), "its `campaign` is not text"),
        (changed_spec(protect=1), "its `protect` is not true or false"),
        (ITEM | {"history": "{}"}, "its `history` is not a list"),
        (ITEM | {"history": ITEM["history"].replace("failed", "exploded")}, "'exploded' is not a valid HistoryOutcome"),
        (ITEM | {"history": ITEM["history"].replace("1.5", '"1.5"')}, "its `late_seconds` is not a number"),
        (ITEM | {"claim": "null"}, "its `claim` is not an object"),
        (ITEM | {"source": '{"path":5,"line":1}'}, "its `path` is not text"),
        (ITEM | {"spec": SPEC.replace("some item", "\\ud800")}, "its `spec` is not valid Unicode"),
        (changed_spec(labels=[]), "its `labels` is not an object"),
        (changed_spec(sensitive="$.payload"), "its `sensitive` is not a list of text"),
        (changed_spec(due="2200-01-01T00:00:00Z"), f"its `due` (2200-01-01T00:00:00Z) {BEYOND}"),
        (changed_spec(due="1969-12-31T23:59:59Z"), f"its `due` (1969-12-31T23:59:59Z) {BEYOND}"),
        (ITEM | {"spec": SPEC.replace("29.99", "1e999")}, "a number of it (1e999) is beyond the range of a float"),
        (
            ITEM | {"history": ITEM["history"].replace("1.5", "-1e999")},
            "a number of it (-1e999) is beyond the range of a float",
        ),
        (ITEM | {"wake_at": LAST_MOMENT}, f"'{LAST_MOMENT}' is outside of the years 1000 to 3000"),
        (ITEM | {"wake_at": FIRST_MOMENT}, f"'{FIRST_MOMENT}' is outside of the years 1000 to 3000"),
        (ITEM | {"wake_at": "2030-W01-1T00:00:00.000000Z"}, "'2030-W01-1T00:00:00.000000Z' is not a moment"),
        (ITEM | {"wake_at": "2030-01-01 00:00:00.000000Z"}, "'2030-01-01 00:00:00.000000Z' is not a moment"),
        (ITEM | {"wake_at": "2030-01-01T000000.00000000Z"}, "'2030-01-01T000000.00000000Z' is not a moment"),
    ],
)
def test_rows_say_which_part_they_cannot_read(item: dict[str, Any], reason: str) -> None:
    """What is nested is checked as strictly as what is flat, so that no reader trips over it later."""
    assert decode_row(item) == Unreadable(id=item["id"], reason=f"damaged: {reason}")


@pytest.mark.parametrize(
    "changes",
    [{"history": "[1]"}, {"spec": '{"retry": []}'}, {"spec": "[" * 100_000}, {"spec": "1" * 5_000}],
    ids=["no object", "no retry", "depth", "digits"],
)
def test_what_python_itself_refuses_is_damaged(changes: dict[str, Any]) -> None:
    """A wrong type, a depth that exhausts the stack and a number without end are answers too."""
    decoded = decode_row(ITEM | changes)
    assert isinstance(decoded, Unreadable)
    assert decoded.reason.startswith("damaged: ")


def test_an_id_that_is_no_text_is_shown_as_well_as_can_be() -> None:
    """Bytes come with a replacement for what is no Unicode, an absent id as None."""
    shown = [summary_in(item).id for item in (ITEM | {"id": b"caf\xe9"}, {"format": 1})]
    assert shown == ["caf\ufffd", "None"]


# The first text that hypothesis makes costs it a second, and the machine may be busy: neither is a failure.
steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

values = st.none() | st.booleans() | st.integers(-1, 2**63) | st.text() | st.binary() | st.just("[]") | st.just("{}")


@steady
@given(changes=st.dictionaries(st.sampled_from(ROW_ATTRIBUTES), values))
def test_reading_never_raises(changes: dict[str, Any]) -> None:
    """Whatever stands in an item, it is a row, a summary or unreadable."""
    item = ITEM | changes
    assert isinstance(decode_row(item), Row | Unreadable)
    assert isinstance(summary_in(item), Summary | Unreadable)


# --- round trips -----------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
optional_text = st.none() | text
moments = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
seconds = st.integers(0, 36_500 * 86_400).map(lambda number: timedelta(seconds=number))
counts = st.integers(0, 2**53)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)

tasks = st.builds(
    Task,
    id=text,
    due=moments,
    action=text,
    payload=json_values,
    retry=st.builds(Retry, attempts=counts, backoff=seconds, max_backoff=seconds),
    timeout=seconds,
    grace=st.none() | seconds,
    description=optional_text,
    team=optional_text,
    labels=st.dictionaries(text, text, max_size=3),
    timezone=optional_text,
    protect=st.booleans(),
)
entries = st.builds(
    HistoryEntry,
    generation=counts,
    attempt=counts,
    started_at=moments,
    finished_at=st.none() | moments,
    late_seconds=st.floats(-1e12, 1e12),
    outcome=st.none() | st.sampled_from(HistoryOutcome),
    message=optional_text,
)
rows = st.builds(
    Row,
    task=tasks,
    digests=st.builds(Digests, execution=text, task=text),
    owner=text,
    source=st.builds(Source, path=text, line=counts, commit=optional_text),
    state=st.sampled_from(State),
    version=counts,
    generation=counts,
    wake_at=st.none() | moments,
    attempt=counts,
    claim=st.none() | st.builds(Claim, token=optional_text, lease_end=moments),
    history=st.lists(entries, max_size=3).map(tuple),
    requested_at=st.none() | moments,
    deferred_since=st.none() | moments,
    expires_at=st.none() | moments.map(lambda moment: moment.replace(microsecond=0)),
)


@steady
@given(row=rows)
def test_any_row_comes_back_as_it_was(row: Row) -> None:
    """Through an item of text and whole numbers, and through its summary."""
    item = encode_row(row, "w1")
    assert {type(value) for value in item.values()} == {int, str}
    assert decode_row(item) == row
    assert summary_in(item) == summary_of(row)


locks = st.builds(Lock, token=text, holder=text, url=optional_text, taken_at=moments, lease_end=moments)
controls = st.builds(
    Control,
    version=counts,
    pause=st.none() | st.builds(Pause, by=text, at=moments, reason=optional_text),
    not_before=st.none() | moments,
    owners=st.dictionaries(
        text,
        st.builds(OwnerControl, lock=st.none() | locks, applied=optional_text, applying=optional_text),
        max_size=3,
    ),
)


@steady
@given(control=controls)
def test_any_control_row_comes_back_as_it_was(control: Control) -> None:
    """Pause, locks and commits of every owner."""
    assert decode_control(encode_control(control, "w1")) == control


# --- the control row -------------------------------------------------------------------------------

CONTROL = Control(
    version=2,
    pause=Pause(by="somebody", at=DUE),
    not_before=DUE,
    owners={"acme/shop/local": OwnerControl(applied=COMMIT)},
    worker=Worker(slowsched="0.1.0", row_format=1, actions=("APPLY_SALE", "NOTE")),
)


def test_the_control_row_is_flat_text_and_whole_numbers() -> None:
    """This is what stands in a table, to the letter: changing it is a new format."""
    assert encode_control(CONTROL, "w1") == {
        "format": 1,
        "version": 2,
        "write_id": "w1",
        "paused": '{"at":"2030-01-01T00:00:00.000000Z","by":"somebody"}',
        "not_before": "2030-01-01T00:00:00.000000Z",
        "owners": f'{{"acme/shop/local":{{"applied":"{COMMIT}"}}}}',
        "worker": '{"actions":["APPLY_SALE","NOTE"],"row_format":1,"slowsched":"0.1.0"}',
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "the control row cannot be read: a newer version .* upgrade slowsched here"),
        ({"version": None}, "the control row is damaged: its `version` is not a count"),
        ({"paused": "{}"}, "the control row is damaged: 'by'"),
        ({"owners": "[]"}, "the control row is damaged: its `owners` is not an object"),
        ({"worker": '{"actions":"NOTE","row_format":1,"slowsched":"1"}'}, "its `actions` is not a list of text"),
    ],
)
def test_a_control_row_that_cannot_be_read_raises(changes: dict[str, Any], message: str) -> None:
    """What it says decides whether anything may run: it is not guessed."""
    with pytest.raises(StoreError, match=message):
        decode_control(encode_control(CONTROL, "w1") | changes)
