"""Items as a damaged table or another version might hold them: read, or unreadable, and never a stone in the way.

An input is lines over a sound item: `name=text` puts a text, `name#5` a number, `name-` takes the attribute away.
So what stands in a nested JSON text is in the input as it is, for the fuzzer to change.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from values import DAY, DUE, HOUR, MINUTE, a_claim, a_declared, a_row, an_entry

from slowsched import lifecycle
from slowsched.decision import Allowance, decide
from slowsched.errors import StoreError, UsageError
from slowsched.lifecycle import Applier
from slowsched.model import (
    Control,
    HistoryOutcome,
    Lock,
    Outcome,
    OutcomeKind,
    OwnerControl,
    Pause,
    Row,
    State,
    Summary,
    Unreadable,
    Worker,
)
from slowsched.render.shapes import json_text, row_shape
from slowsched.store.codec import (
    CONTROL_ATTRIBUTES,
    ROW_ATTRIBUTES,
    SUMMARY_ATTRIBUTES,
    Item,
    decode_control,
    decode_row,
    decode_summary,
    encode_control,
    encode_row,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["check_control", "check_row", "check_use"]

MOMENTS = ("wake_at", "requested_at", "deferred_since")  # whose order as text is what an agenda stands on
LINE = re.compile(r"(\w+)([=#-])(.*)", re.DOTALL)

ROW_ITEM = encode_row(
    a_row(
        state=State.RUNNING,
        version=3,
        grace=HOUR,
        team="pricing",
        labels={"campaign": "black-friday"},
        protect=True,
        claim=a_claim(),
        history=(an_entry(late_seconds=1.5, finished_at=DUE, outcome=HistoryOutcome.FAILED, message="no"), an_entry()),
        requested_at=DUE - DAY,
        deferred_since=DUE - MINUTE,
        expires_at=DUE + DAY,
    ),
    "w1",
)
CONTROL_ITEM = encode_control(
    Control(
        version=2,
        pause=Pause(by="somebody", at=DUE, reason="stock-taking"),
        not_before=DUE,
        owners={
            "acme/shop/local": OwnerControl(
                applied="0" * 40,
                lock=Lock(token="t", holder="run 1", url="https://ci.example/1", taken_at=DUE, lease_end=DUE + HOUR),
            )
        },
        worker=Worker(slowsched="0.1.0", row_format=1, actions=("APPLY_SALE",)),
    ),
    "w1",
)
NOW = datetime(2030, 6, 1, tzinfo=UTC)
OUTCOMES = [Outcome(kind=kind) for kind in OutcomeKind]


def _item(data: bytes, sound: Item, names: Sequence[str]) -> dict[str, Any]:
    """Return the item that an input stands for."""
    item: dict[str, Any] = dict(sound)
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        match = LINE.fullmatch(line)
        if match is None or match[1] not in names:
            continue
        name, kind, value = match.groups()
        if kind == "-":
            item.pop(name, None)
        elif kind == "=":
            item[name] = value
        else:
            with suppress(ValueError):
                item[name] = int(value[:4000] or "0")
    return item


def check_row(data: bytes) -> None:
    """A row is read, or unreadable; what is read has the types that it says, and can be written again and shown."""
    item = _item(data, ROW_ITEM, ROW_ATTRIBUTES)
    summary = decode_summary([item.get(name) for name in SUMMARY_ATTRIBUTES])
    assert isinstance(summary, Summary | Unreadable)
    row = decode_row(item)
    if isinstance(row, Unreadable):
        assert row.reason
        return
    assert isinstance(summary, Summary)
    assert (summary.id, summary.state, summary.wake_at) == (row.id, row.state, row.wake_at)
    assert list(_wrong_types(row)) == []
    with suppress(StoreError):  # it holds text that is no Unicode, and says so
        _check_stored(row)
        written = encode_row(row, "w2")
        assert [name for name in MOMENTS if item.get(name) != written.get(name)] == []


def check_use(data: bytes) -> None:
    """Whatever is done with a row that was read goes through: it is no stone in the way of others."""
    row = decode_row(_item(data, ROW_ITEM, ROW_ATTRIBUTES))
    if isinstance(row, Unreadable):
        return
    json_text(row_shape(row))
    with suppress(StoreError):  # as above
        for used in _uses(row):
            encode_row(used, "w2")


def _check_stored(row: Row) -> None:
    """Write a row that was read, and read it again: nothing is lost but what no text can hold."""
    stored = decode_row(encode_row(row, "w2"))
    assert isinstance(stored, Row)
    assert encode_row(stored, "w2") == encode_row(row, "w2")


def _uses(row: Row) -> Iterator[Row]:
    """Yield what the worker, apply and a person make of a row: nothing of it may fail because of what the row holds."""
    by = Applier(owner=row.owner, commit=None, now=NOW, soonest=NOW + MINUTE)
    for known in (True, False):
        taken = lifecycle.take(row, now=NOW, token="t", known=known)
        if taken is not None:
            yield taken.row
            yield from _settled(taken.row, "t")
    if row.claim is not None and row.claim.token is not None:
        yield from _settled(row, row.claim.token)
    yield lifecycle.delete(row, by)
    yield lifecycle.forget(row, by)
    for declared in (None, a_declared(id=row.id), a_declared(id=row.id, due=NOW + DAY)):
        for named in (frozenset[str](), frozenset({row.id})):
            change = decide(declared, row, by, Allowance(supersede=named))
            if change is not None and change.result is not None:
                yield lifecycle.not_before(change.result, row, by.soonest)
    for asked in (lifecycle.retry, lifecycle.run_early):
        with suppress(UsageError):
            yield asked(row, now=NOW, soonest=NOW + MINUTE)


def _settled(row: Row, token: str) -> Iterator[Row]:
    for outcome in OUTCOMES:
        for jitter in (0.0, 0.999):
            settled = lifecycle.settle(row, token, outcome, now=NOW, soonest=NOW + MINUTE, jitter=jitter)
            if settled is not None:
                yield settled


def check_control(data: bytes) -> None:
    """The control row is read, or its store says that it cannot be; what is read can be written again."""
    try:
        control = decode_control(_item(data, CONTROL_ITEM, CONTROL_ATTRIBUTES))
    except StoreError:
        return
    assert list(_wrong_types(control)) == []
    written = encode_control(control, "w2")
    assert encode_control(decode_control(written), "w2") == written


# --- types -----------------------------------------------------------------------------------------

_TYPES = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": float,
    "datetime": datetime,
    "timedelta": timedelta,
    "None": type(None),
}


def _wrong_types(value: Any, way: str = "") -> Iterator[str]:
    """Yield where a value of the model is of another type than its class says."""
    if not is_dataclass(value):
        return
    for each in fields(value):
        found = getattr(value, each.name)
        if not _is_of(str(each.type), found):
            yield f"{way}.{each.name}: {found!r}"
        inner = found.values() if isinstance(found, dict) else found if isinstance(found, tuple) else (found,)
        for one in inner:
            yield from _wrong_types(one, f"{way}.{each.name}")


def _is_of(said: str, found: Any) -> bool:
    """Say whether a value is of the type that an annotation names; of other classes `fields` tells more."""
    if said == "Mapping[str, str]":
        return type(found) is dict and all(type(text) is str for pair in found.items() for text in pair)
    if said == "tuple[str, ...]":
        return type(found) is tuple and all(type(text) is str for text in found)
    names = said.split(" | ")
    return not all(name in _TYPES for name in names) or type(found) in {_TYPES[name] for name in names}
