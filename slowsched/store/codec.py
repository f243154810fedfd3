"""Rows and the control row as flat items, the one shape that every store keeps; pure.

An item is a dict of text and whole numbers, the same in memory, in a table of SQLite and in DynamoDB.
What is absent is left out; a stored None (SQLite's NULL) counts as absent, and attributes that are not
named here (DynamoDB's `bucket`) are passed over. A nested value is JSON text: no Decimal, no map body to
decode. Moments are fixed-width text, so that text order is time order; `expires_at` is epoch seconds,
which is what DynamoDB's time to live reads.

Reading never raises for a row: what a newer version wrote, or what is damaged, is `Unreadable`.
"""

from __future__ import annotations

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
    Worker,
)
from slowsched.store.attributes import (
    NewerFormatError,
    check_format,
    decode_moment,
    is_unicode,
    lossy,
    present,
    read_count,
    read_list,
    read_moment,
    read_object,
    read_optional_moment,
    read_optional_text,
    read_seconds,
    read_text,
    read_texts,
)
from slowsched.timing import DUE_MAX, DUE_MIN, stamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "CONTROL_ATTRIBUTES",
    "CONTROL_FORMAT",
    "ROW_ATTRIBUTES",
    "ROW_FORMAT",
    "SUMMARY_ATTRIBUTES",
    "Item",
    "decode_control",
    "decode_row",
    "decode_summary",
    "encode_control",
    "encode_row",
]

Item: TypeAlias = "dict[str, str | int]"

ROW_FORMAT = 1  # raised when a version writes what the one before would misread
CONTROL_FORMAT = 1

SUMMARY_ATTRIBUTES = (
    "id",
    "owner",
    "state",
    "task_digest",
    "wake_at",
    "expires_at",
    "format",
)
"""The attributes whose values `decode_summary` takes, in this order; a store that keeps them first reads the least."""

ROW_ATTRIBUTES = (
    *SUMMARY_ATTRIBUTES,
    "version",
    "write_id",
    "digest",
    "generation",
    "attempt",
    "action",
    "due",
    "requested_at",
    "deferred_since",
    "claim",
    "source",
    "history",
    "spec",
)

CONTROL_ATTRIBUTES = ("format", "version", "write_id", "paused", "not_before", "owners", "worker")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
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
        "task_digest": row.digests.task,
        "source": lossy(present(path=row.source.path, line=row.source.line, commit=row.source.commit)),
        "history": lossy([_entry_document(entry) for entry in row.history]),
        "spec": canonical.text(canonical.task_document(row.task)),
    }
    if row.claim is not None:
        item["claim"] = canonical.text(present(token=row.claim.token, lease_end=stamp(row.claim.lease_end)))
    if row.expires_at is not None:
        item["expires_at"] = -((_EPOCH - row.expires_at) // _SECOND)
    for name in ("wake_at", "requested_at", "deferred_since"):
        moment: datetime | None = getattr(row, name)
        if moment is not None:
            item[name] = stamp(moment)
    _check_storable(item)
    return item


def _check_storable(item: Item) -> None:
    for name, value in item.items():
        if isinstance(value, str) and not is_unicode(value):
            raise StoreError(f"{item['id']!r} cannot be stored: its `{name}` is not valid Unicode")


def decode_row(item: Mapping[str, Any]) -> Row | Unreadable:
    """Return the row that an item holds, or why it cannot be read."""
    try:
        check_format(item, ROW_FORMAT)
        return _row(item)
    except _DAMAGE as error:
        return _unreadable(item, error)


def decode_summary(values: Sequence[Any]) -> Summary | Unreadable:
    """Return the summary of a row from the values of its `SUMMARY_ATTRIBUTES` (None: absent), or why it cannot be read.

    A plan does this for every row: what is as usual is looked at once, all else by the careful way.
    """
    task_id, owner, state, task_digest, wake_at, expires_at, found_format = values
    texts = type(task_id) is type(owner) is type(state) is type(task_digest) is str
    if not (
        texts and state in _STATES and expires_at is None and type(found_format) is int and found_format == ROW_FORMAT
    ):
        item = {name: value for name, value in zip(SUMMARY_ATTRIBUTES, values, strict=True) if value is not None}
        return _careful_summary(item)
    try:
        wake = None if wake_at is None else decode_moment(wake_at)
    except ValueError as error:
        return _unreadable({"id": task_id}, error)
    return Summary(task_id, owner, _STATES[state], task_digest, wake, None)


def _careful_summary(item: Mapping[str, Any]) -> Summary | Unreadable:
    try:
        check_format(item, ROW_FORMAT)
        return Summary(
            id=read_text(item, "id"),
            owner=read_text(item, "owner"),
            state=_state(item),
            task_digest=read_text(item, "task_digest"),
            wake_at=read_optional_moment(item, "wake_at"),
            expires_at=_expires_at(item),
        )
    except _DAMAGE as error:
        return _unreadable(item, error)


def _row(item: Mapping[str, Any]) -> Row:
    return Row(
        task=_task(item),
        digests=Digests(execution=read_text(item, "digest"), task=read_text(item, "task_digest")),
        owner=read_text(item, "owner"),
        source=_source(read_object(item, "source")),
        state=_state(item),
        version=read_count(item, "version"),
        generation=read_count(item, "generation"),
        wake_at=read_optional_moment(item, "wake_at"),
        attempt=read_count(item, "attempt"),
        claim=None if item.get("claim") is None else _claim(read_object(item, "claim")),
        history=tuple(_entry(entry) for entry in read_list(item, "history")),
        requested_at=read_optional_moment(item, "requested_at"),
        deferred_since=read_optional_moment(item, "deferred_since"),
        expires_at=_expires_at(item),
    )


def _task(item: Mapping[str, Any]) -> Task:
    """Read the spec, so strictly that whoever uses the task need not expect other types."""
    document = read_object(item, "spec")
    task = canonical.task_from_document(document)
    if not is_unicode(canonical.text(document)):  # JSON may write halves of surrogate pairs, which have no digest
        raise ValueError("its `spec` is not valid Unicode")
    if read_text(item, "id") != task.id:
        raise ValueError("its `id` is not the one in its `spec`")
    read_text(document, "action")
    read_count(document["retry"], "attempts")
    for name in ("description", "team", "timezone"):
        read_optional_text(document, name)
    if type(task.labels) is not dict:
        raise ValueError("its `labels` is not an object")
    for name in task.labels:
        read_text(task.labels, name)
    read_texts(document, "sensitive")
    if type(task.protect) is not bool:
        raise ValueError("its `protect` is not true or false")
    if not DUE_MIN <= task.due <= DUE_MAX:  # no sum of it with a grace may leave the range of dates
        raise ValueError(f"its `due` ({document['due']}) is outside of the years that the timer knows")
    return task


def _source(document: Mapping[str, Any]) -> Source:
    return Source(
        path=read_text(document, "path"),
        line=read_count(document, "line"),
        commit=read_optional_text(document, "commit"),
    )


def _claim(document: Mapping[str, Any]) -> Claim:
    return Claim(token=read_optional_text(document, "token"), lease_end=read_moment(document, "lease_end"))


def _entry_document(entry: HistoryEntry) -> dict[str, Any]:
    return present(
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
        generation=read_count(document, "generation"),
        attempt=read_count(document, "attempt"),
        started_at=read_moment(document, "started_at"),
        finished_at=read_optional_moment(document, "finished_at"),
        late_seconds=read_seconds(document, "late_seconds"),
        outcome=None if outcome is None else HistoryOutcome(outcome),
        message=read_optional_text(document, "message"),
    )


def _state(item: Mapping[str, Any]) -> State:
    state = _STATES.get(item["state"])
    if state is None:
        raise ValueError(f"its `state` is {item['state']!r}")
    return state


def _expires_at(item: Mapping[str, Any]) -> datetime | None:
    return None if item.get("expires_at") is None else _EPOCH + read_count(item, "expires_at") * _SECOND


def _unreadable(item: Mapping[str, Any], error: Exception) -> Unreadable:
    key = item.get("id")
    if isinstance(key, bytes):  # text that is no Unicode, as a store hands it on
        key = key.decode(errors="replace")
    reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return Unreadable(id=str(key), reason=reason if isinstance(error, NewerFormatError) else f"damaged: {reason}")


# --- the control row -------------------------------------------------------------------------------


def encode_control(control: Control, write_id: str) -> Item:
    """Return the control row as an item."""
    item: Item = {"format": CONTROL_FORMAT, "version": control.version, "write_id": write_id}
    if control.pause is not None:
        pause = control.pause
        item["paused"] = lossy(present(by=pause.by, at=stamp(pause.at), reason=pause.reason))
    if control.not_before is not None:
        item["not_before"] = stamp(control.not_before)
    item["owners"] = lossy({name: _owner_document(owner) for name, owner in control.owners.items()})
    if control.worker is not None:
        item["worker"] = lossy(_worker_document(control.worker))
    return item


def decode_control(item: Mapping[str, Any]) -> Control:
    """Return the control row that an item holds.

    Raises:
        StoreError: a newer version wrote it, or it is damaged; nothing may run beside what it says.
    """
    try:
        check_format(item, CONTROL_FORMAT)
        return Control(
            version=read_count(item, "version"),
            pause=None if item.get("paused") is None else _pause(read_object(item, "paused")),
            not_before=read_optional_moment(item, "not_before"),
            owners={name: _owner(owner) for name, owner in read_object(item, "owners").items()},
            worker=None if item.get("worker") is None else _worker(read_object(item, "worker")),
        )
    except NewerFormatError as error:
        raise StoreError(f"the control row cannot be read: {error}", hint="upgrade slowsched here") from error
    except _DAMAGE as error:
        raise StoreError(f"the control row is damaged: {error}", hint="restore the store from a backup") from error


def _pause(document: Mapping[str, Any]) -> Pause:
    return Pause(
        by=read_text(document, "by"), at=read_moment(document, "at"), reason=read_optional_text(document, "reason")
    )


def _worker_document(worker: Worker) -> dict[str, Any]:
    return {"slowsched": worker.slowsched, "row_format": worker.row_format, "actions": list(worker.actions)}


def _worker(document: Mapping[str, Any]) -> Worker:
    return Worker(
        slowsched=read_text(document, "slowsched"),
        row_format=read_count(document, "row_format"),
        actions=read_texts(document, "actions"),
    )


def _owner_document(owner: OwnerControl) -> dict[str, Any]:
    lock = None if owner.lock is None else _lock_document(owner.lock)
    return present(lock=lock, applied=owner.applied, applying=owner.applying)


def _owner(document: Mapping[str, Any]) -> OwnerControl:
    lock = document.get("lock")
    return OwnerControl(
        lock=None if lock is None else _lock(lock),
        applied=read_optional_text(document, "applied"),
        applying=read_optional_text(document, "applying"),
    )


def _lock_document(lock: Lock) -> dict[str, Any]:
    times = {"taken_at": stamp(lock.taken_at), "lease_end": stamp(lock.lease_end)}
    return present(token=lock.token, holder=lock.holder, url=lock.url) | times


def _lock(document: Mapping[str, Any]) -> Lock:
    return Lock(
        token=read_text(document, "token"),
        holder=read_text(document, "holder"),
        url=read_optional_text(document, "url"),
        taken_at=read_moment(document, "taken_at"),
        lease_end=read_moment(document, "lease_end"),
    )
