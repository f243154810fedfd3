"""One text and one digest for one meaning: canonical JSON, numbers, and a task as a document.

The store keeps a task as this text (decision 0002): no Decimal, no drift of floats, and equal tasks are
equal bytes. Numbers follow RFC 8785 in that an integral number is an integer (`1.0` is `1`).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from slowsched.model import Digests, Retry, Task
from slowsched.timing import duration_text, parse_duration, parse_stamp, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "SPEC_BYTES_MAX",
    "digest",
    "digests",
    "number",
    "pointer",
    "task_digest",
    "task_document",
    "task_from_document",
    "text",
]

SPEC_BYTES_MAX = 64 * 1024  # of a task's canonical text; an item of DynamoDB holds 400 KB, history included

_HASHER = sha256()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_INTEGRAL_MAX = 2**53  # beyond it a float no longer names one integer
_INTEGER_DIGITS_MAX = 300  # what JSON readers elsewhere still take
_DIGITS_EXACT = 15  # every decimal of so many digits survives the way through a float ...
_NORMAL_MIN = 2.2250738585072014e-308  # ... but for those so small that a float has fewer digits, or none, for them

_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _accelerated(make: Callable[..., Callable[[Any, int], tuple[str, ...]]]) -> Callable[[Any], str]:
    """Make once what `_encoder.encode` makes anew at every call: a third of the time of a small value."""
    write = make(None, _encoder.default, encode_basestring, None, ":", ",", True, False, False)
    return lambda value: "".join(write(value, 0))


_make_encoder = getattr(json.encoder, "c_make_encoder", None)  # None where json has no accelerator
text: Callable[[Any], str] = _encoder.encode if _make_encoder is None else _accelerated(_make_encoder)
"""Write a JSON value as its one canonical text: keys sorted by code point, no blanks, no escapes but JSON's own."""


def number(literal: str) -> int | float:
    """Read a JSON number so that its canonical text means the same number.

    Raises:
        ValueError: it is beyond the range of a float, or has more digits than a float keeps.
    """
    if literal.lstrip("-").isdigit():
        if len(literal) > _INTEGER_DIGITS_MAX:
            raise ValueError("this number has too many digits: quote it")
        return int(literal)
    value = float(literal)
    if value in (float("inf"), float("-inf")):
        raise ValueError("this number is beyond the range of a float: quote it")
    if (len(literal) > _DIGITS_EXACT or abs(value) < _NORMAL_MIN) and not _is_exact(literal, value):
        raise ValueError(f"this number has more digits than a float keeps (it would become {value!r}): quote it")
    return int(value) if value.is_integer() and abs(value) < _INTEGRAL_MAX else value


def _is_exact(literal: str, value: float) -> bool:
    try:
        return Decimal(literal) == Decimal(repr(value))
    except InvalidOperation:  # an exponent beyond what even Decimal holds
        return False


def digest(value: Any) -> str:
    """Return the SHA-256, in hex, of a JSON value's canonical text."""
    hasher = _HASHER.copy()  # a new one would look up its algorithm each time
    hasher.update(text(value).encode())
    return hasher.hexdigest()


def digests(task: Task) -> Digests:
    """Return the digests of a task: of what decides the execution, and of the whole task."""
    return Digests(execution=digest(_execution(task)), task=task_digest(task))


def task_digest(task: Task) -> str:
    """Return the digest of a whole task but its id: the one that a plan compares for every task.

    Over values by position, without their names: a plan without changes does little else, and this is
    a third of the time. A later optional key is appended, with its name, where a task has it; so the
    digests of all others stay as they are.
    """
    retry = task.retry
    return digest(
        [
            *_execution(task),
            task.description,
            task.team,
            task.labels,
            task.timezone,
            task.protect,
            duration_text(task.timeout),
            None if task.grace is None else duration_text(task.grace),
            retry.attempts,
            duration_text(retry.backoff),
            duration_text(retry.max_backoff),
            *(("sensitive", task.sensitive) if task.sensitive else ()),
        ]
    )


def _execution(task: Task) -> list[Any]:
    # The due as a number: text of it would take as long as all the rest of the digest but the encoding.
    return [(task.due - _EPOCH) // _MICROSECOND, task.action, task.payload]


def task_document(task: Task) -> dict[str, Any]:
    """Return a task as a JSON value in the terms of a task file; what is absent is left out."""
    document = {"id": task.id, "due": rfc3339(task.due), "action": task.action, "payload": task.payload}
    return document | _policy_document(task)


def _policy_document(task: Task) -> dict[str, Any]:
    document: dict[str, Any] = {
        "retry": {
            "attempts": task.retry.attempts,
            "backoff": duration_text(task.retry.backoff),
            "max_backoff": duration_text(task.retry.max_backoff),
        },
        "timeout": duration_text(task.timeout),
    }
    if task.grace is not None:
        document["grace"] = duration_text(task.grace)
    if task.description is not None:
        document["description"] = task.description
    if task.team is not None:
        document["team"] = task.team
    if task.labels:
        document["labels"] = dict(task.labels)
    if task.timezone is not None:
        document["timezone"] = task.timezone
    if task.protect:
        document["protect"] = True
    if task.sensitive:
        document["sensitive"] = list(task.sensitive)
    return document


def task_from_document(document: Mapping[str, Any]) -> Task:
    """Read back what `task_document` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is not such a document.
    """
    retry = document["retry"]
    grace = document.get("grace")
    return Task(
        id=document["id"],
        due=parse_stamp(document["due"]),
        action=document["action"],
        payload=document["payload"],
        retry=Retry(
            attempts=retry["attempts"],
            backoff=parse_duration(retry["backoff"]),
            max_backoff=parse_duration(retry["max_backoff"]),
        ),
        timeout=parse_duration(document["timeout"]),
        grace=None if grace is None else parse_duration(grace),
        description=document.get("description"),
        team=document.get("team"),
        labels=document.get("labels", {}),
        timezone=document.get("timezone"),
        protect=document.get("protect", False),
        sensitive=tuple(document.get("sensitive", ())),
    )


def pointer(parts: Sequence[str | int]) -> str:
    """Write a path into a JSON value as `$.payload.items[0]['odd key']`."""
    written = "$"
    for part in parts:
        if isinstance(part, int):
            written += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            written += f".{part}"
        else:
            written += f"[{part!r}]"
    return written
