"""Rows and the control row as flat items, the one shape that every store keeps; pure.

An item is a dict of text and whole numbers, the same in memory, in a table of SQLite and in DynamoDB.
What is absent is left out; a stored None (SQLite's NULL) counts as absent, and attributes that are not
named here (DynamoDB's `bucket`) are passed over. A nested value is JSON text: no Decimal, no map body to
decode. Moments are fixed-width text, so that text order is time order; `expires_at` is epoch seconds,
which is what DynamoDB's time to live reads.

Reading never raises for a row: what a newer version wrote, or what is damaged, is `Unreadable`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from slowsched import canonical
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
    Row,
    Source,
    State,
    Summary,
    Task,
    Unreadable,
)
from slowsched.timing import parse_stamp, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CONTROL_ATTRIBUTES",
    "CONTROL_FORMAT",
    "ROW_ATTRIBUTES",
    "ROW_FORMAT",
    "SUMMARY_ATTRIBUTES",
    "Item",
    "decode_control",
    "decode_moment",
    "decode_row",
    "decode_summary",
    "encode_control",
    "encode_row",
    "is_unicode",
]

Item: TypeAlias = "dict[str, str | int]"

ROW_FORMAT = 1  # raised when a version writes what the one before would misread
CONTROL_FORMAT = 1

SUMMARY_ATTRIBUTES = (
    "id",
    "owner",
    "state",
    "version",
    "digest",
    "policy_digest",
    "due",
    "wake_at",
    "expires_at",
    "format",
)
"""The attributes that `decode_summary` needs; a store that keeps them first reads the least."""

ROW_ATTRIBUTES = (
    *SUMMARY_ATTRIBUTES,
    "write_id",
    "generation",
    "attempt",
    "action",
    "requested_at",
    "deferred_since",
    "claim",
    "source",
    "history",
    "spec",
)

CONTROL_ATTRIBUTES = ("format", "version", "write_id", "paused", "not_before", "owners")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_STAMP_LENGTH = len("2030-01-01T00:00:00.000000Z")
_STATES: Mapping[object, State] = {state.value: state for state in State}

# What reading damaged text, JSON or numbers can raise.
_DAMAGE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


# --- a row -----------------------------------------------------------------------------------------


def encode_row(row: Row, write_id: str) -> Item:
    """Return a row as an item; `expires_at` is rounded up to a whole second.

    Raises:
        StoreError: the task or the owner holds text that is not valid Unicode.
    """
    item: Item = {
        "format": ROW_FORMAT,
        "id": row.id,
        "owner": row.owner,
        "state": row.state.value,
        "version": row.version,
        "write_id": write_id,
        "generation": row.generation,
        "attempt": row.attempt,
        "action": row.task.action,
        "due": stamp(row.task.due),
        "digest": row.digests.execution,
        "policy_digest": row.digests.policy,
        "source": _lossy(_present(path=row.source.path, line=row.source.line, commit=row.source.commit)),
        "history": _lossy([_entry_document(entry) for entry in row.history]),
        "spec": canonical.text(canonical.task_document(row.task)),
    }
    if row.claim is not None:
        item["claim"] = canonical.text(_present(token=row.claim.token, lease_end=stamp(row.claim.lease_end)))
    if row.expires_at is not None:
        item["expires_at"] = -((_EPOCH - row.expires_at) // _SECOND)
    for name in ("wake_at", "requested_at", "deferred_since"):
        moment: datetime | None = getattr(row, name)
        if moment is not None:
            item[name] = stamp(moment)
    _check_storable(item)
    return item


def decode_row(item: Mapping[str, Any]) -> Row | Unreadable:
    """Return the row that an item holds, or why it cannot be read."""
    try:
        _check_format(item, ROW_FORMAT)
        return _row(item)
    except _DAMAGE as error:
        return _unreadable(item, error)


def decode_summary(item: Mapping[str, Any]) -> Summary | Unreadable:
    """Return the summary of a row from its `SUMMARY_ATTRIBUTES`, or why it cannot be read."""
    try:
        _check_format(item, ROW_FORMAT)
        return Summary(
            id=_text(item, "id"),
            owner=_text(item, "owner"),
            state=_state(item),
            version=_count(item, "version"),
            digests=Digests(execution=_text(item, "digest"), policy=_text(item, "policy_digest")),
            due=decode_moment(item["due"]),
            wake_at=_optional_moment(item, "wake_at"),
            expires_at=_expires_at(item),
        )
    except _DAMAGE as error:
        return _unreadable(item, error)


def _row(item: Mapping[str, Any]) -> Row:
    claim = item.get("claim")
    return Row(
        task=_task(item),
        digests=Digests(execution=_text(item, "digest"), policy=_text(item, "policy_digest")),
        owner=_text(item, "owner"),
        source=_source(_parse(item["source"])),
        state=_state(item),
        version=_count(item, "version"),
        generation=_count(item, "generation"),
        wake_at=_optional_moment(item, "wake_at"),
        attempt=_count(item, "attempt"),
        claim=None if claim is None else _claim(_parse(claim)),
        history=tuple(_entry(entry) for entry in _parse(item["history"])),
        requested_at=_optional_moment(item, "requested_at"),
        deferred_since=_optional_moment(item, "deferred_since"),
        expires_at=_expires_at(item),
    )


def _task(item: Mapping[str, Any]) -> Task:
    """Read the spec, so strictly that whoever uses the task need not expect other types."""
    document = _parse(item["spec"])
    task = canonical.task_from_document(document)
    if _text(item, "id") != task.id:
        raise ValueError("its `id` is not the one in its `spec`")
    _text(document, "action")
    _count(document["retry"], "attempts")
    for name in ("description", "team", "timezone"):
        _optional_text(document, name)
    for name in task.labels:
        _text(task.labels, name)
    if type(task.protect) is not bool:
        raise ValueError("its `protect` is not true or false")
    return task


def _source(document: Mapping[str, Any]) -> Source:
    return Source(
        path=_text(document, "path"),
        line=_count(document, "line"),
        commit=_optional_text(document, "commit"),
    )


def _claim(document: Mapping[str, Any]) -> Claim:
    return Claim(token=_optional_text(document, "token"), lease_end=decode_moment(document["lease_end"]))


def _entry_document(entry: HistoryEntry) -> dict[str, Any]:
    return _present(
        generation=entry.generation,
        attempt=entry.attempt,
        started_at=stamp(entry.started_at),
        finished_at=None if entry.finished_at is None else stamp(entry.finished_at),
        late_seconds=entry.late_seconds,
        outcome=entry.outcome,
        message=entry.message,
    )


def _entry(document: Mapping[str, Any]) -> HistoryEntry:
    outcome = document.get("outcome")
    return HistoryEntry(
        generation=_count(document, "generation"),
        attempt=_count(document, "attempt"),
        started_at=decode_moment(document["started_at"]),
        finished_at=_optional_moment(document, "finished_at"),
        late_seconds=_seconds(document, "late_seconds"),
        outcome=None if outcome is None else HistoryOutcome(outcome),
        message=_optional_text(document, "message"),
    )


def _state(item: Mapping[str, Any]) -> State:
    state = _STATES.get(item["state"])
    if state is None:
        raise ValueError(f"its `state` is {item['state']!r}")
    return state


def _expires_at(item: Mapping[str, Any]) -> datetime | None:
    return None if item.get("expires_at") is None else _EPOCH + _count(item, "expires_at") * _SECOND


def _unreadable(item: Mapping[str, Any], error: Exception) -> Unreadable:
    key = item.get("id")
    if isinstance(key, bytes):  # text that is no Unicode, as a store hands it on
        key = key.decode(errors="replace")
    reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return Unreadable(id=str(key), reason=reason if isinstance(error, _NewerFormatError) else f"damaged: {reason}")


# --- the control row -------------------------------------------------------------------------------


def encode_control(control: Control, write_id: str) -> Item:
    """Return the control row as an item."""
    item: Item = {"format": CONTROL_FORMAT, "version": control.version, "write_id": write_id}
    if control.pause is not None:
        pause = control.pause
        item["paused"] = _lossy(_present(by=pause.by, at=stamp(pause.at), reason=pause.reason))
    if control.not_before is not None:
        item["not_before"] = stamp(control.not_before)
    item["owners"] = _lossy({name: _owner_document(owner) for name, owner in control.owners.items()})
    return item


def decode_control(item: Mapping[str, Any]) -> Control:
    """Return the control row that an item holds.

    Raises:
        StoreError: a newer version wrote it, or it is damaged; nothing may run beside what it says.
    """
    try:
        _check_format(item, CONTROL_FORMAT)
        paused = item.get("paused")
        return Control(
            version=_count(item, "version"),
            pause=None if paused is None else _pause(_parse(paused)),
            not_before=_optional_moment(item, "not_before"),
            owners={name: _owner(owner) for name, owner in _parse(item["owners"]).items()},
        )
    except _NewerFormatError as error:
        raise StoreError(f"the control row cannot be read: {error}", hint="upgrade slowsched here") from error
    except _DAMAGE as error:
        raise StoreError(f"the control row is damaged: {error}", hint="restore the store from a backup") from error


def _pause(document: Mapping[str, Any]) -> Pause:
    return Pause(by=_text(document, "by"), at=decode_moment(document["at"]), reason=_optional_text(document, "reason"))


def _owner_document(owner: OwnerControl) -> dict[str, Any]:
    lock = None if owner.lock is None else _lock_document(owner.lock)
    return _present(lock=lock, applied=owner.applied, applying=owner.applying)


def _owner(document: Mapping[str, Any]) -> OwnerControl:
    lock = document.get("lock")
    return OwnerControl(
        lock=None if lock is None else _lock(lock),
        applied=_optional_text(document, "applied"),
        applying=_optional_text(document, "applying"),
    )


def _lock_document(lock: Lock) -> dict[str, Any]:
    times = {"taken_at": stamp(lock.taken_at), "lease_end": stamp(lock.lease_end)}
    return _present(token=lock.token, holder=lock.holder, url=lock.url) | times


def _lock(document: Mapping[str, Any]) -> Lock:
    return Lock(
        token=_text(document, "token"),
        holder=_text(document, "holder"),
        url=_optional_text(document, "url"),
        taken_at=decode_moment(document["taken_at"]),
        lease_end=decode_moment(document["lease_end"]),
    )


# --- text, numbers and moments ---------------------------------------------------------------------


class _NewerFormatError(ValueError):
    """A newer version wrote it; not damage."""


def _check_format(item: Mapping[str, Any], known: int) -> None:
    found = _count(item, "format")
    if found > known:
        raise _NewerFormatError(f"a newer version of slowsched wrote it (format {found}; this one reads {known})")


def _present(**values: Any) -> dict[str, Any]:
    """Return the values that there are."""
    return {name: value for name, value in values.items() if value is not None}


def _lossy(value: Any) -> str:
    """Return the JSON text of what is for people to read; a byte that was no text becomes `?`.

    File names, messages of exceptions and what a person typed can hold lone surrogates. They are not
    worth losing an outcome for.
    """
    return canonical.text(value).encode(errors="replace").decode()


def _check_storable(item: Item) -> None:
    for name, value in item.items():
        if isinstance(value, str) and not is_unicode(value):
            raise StoreError(f"{item['id']!r} cannot be stored: its `{name}` is not valid Unicode")


def is_unicode(text: str) -> bool:
    """Say whether text can be stored at all: an argument of a command may hold bytes that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_number(literal: str) -> None:
    raise ValueError(f"{literal} is not JSON")


_parse = json.JSONDecoder(parse_constant=_no_number).decode


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document[name]
    if type(value) is not str:
        raise ValueError(f"its `{name}` is not text")
    return value


def _optional_text(document: Mapping[str, Any], name: str) -> str | None:
    return None if document.get(name) is None else _text(document, name)


def _count(document: Mapping[str, Any], name: str) -> int:
    value = document[name]
    if type(value) is not int or value < 0:
        raise ValueError(f"its `{name}` is not a count")
    return value


def _seconds(document: Mapping[str, Any], name: str) -> float:
    value = document[name]
    if type(value) not in {int, float}:
        raise ValueError(f"its `{name}` is not a number")
    return float(value)


def decode_moment(text: Any) -> datetime:
    """Read a moment as an item holds it.

    Raises:
        ValueError: it is not fixed-width text, as `timing.stamp` writes it.
    """
    if type(text) is not str or len(text) != _STAMP_LENGTH or text[-1] != "Z":
        raise ValueError(f"{text!r} is not a moment")
    return parse_stamp(text)


def _optional_moment(document: Mapping[str, Any], name: str) -> datetime | None:
    text = document.get(name)
    return None if text is None else decode_moment(text)
