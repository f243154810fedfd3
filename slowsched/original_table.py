"""Reads the table of inovex/cloudwatch-scheduler: its items -> documents of task files.

Its tasks are the Go struct `{ID string; Due time.Time; Action string; Payload map[string]interface{}}`, written by
guregu/dynamo: a text, a time as RFC 3339 with up to nine digits, a text, a map. The table is only read.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from slowsched import canonical
from slowsched.adopt import Wanted
from slowsched.aws import aws_errors
from slowsched.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slowsched.aws import Account

__all__ = ["of_original_table", "wanted_of_item"]

_NANOSECONDS = re.compile(r"(.*\.\d{6})\d+(.*)")


def of_original_table(account: Account, table: str) -> list[Wanted]:
    """Return what the items of a table ask for, by due and id.

    Raises:
        StoreError: the table cannot be read.
    """
    items: list[dict[str, Any]] = []
    with aws_errors(StoreError, f"read the table {table!r}"):
        for page in account.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            items.extend(page["Items"])
    wanted = [wanted_of_item(item) for item in items]
    return sorted(wanted, key=lambda each: (str((each.document or {}).get("due")), each.id))


def wanted_of_item(item: Mapping[str, Any]) -> Wanted:
    """Return what one item asks for, or why no file can say it."""
    task_id = str(next(iter(item.get("ID", {}).values()), "an item without ID"))
    try:
        document = {
            "id": _text(item, "ID"),
            "due": _due(_text(item, "Due")),
            "action": _text(item, "Action"),
            "payload": _payload(item.get("Payload", {"M": {}})),
        }
    except ValueError as error:
        return Wanted(id=task_id, document=None, reason=str(error))
    others = sorted(item.keys() - {"ID", "Due", "Action", "Payload"})
    if others:
        return Wanted(id=task_id, document=None, reason=f"it has attributes that no task has: {', '.join(others)}")
    return Wanted(id=task_id, document=document)


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if value is None or "S" not in value:
        raise ValueError(f"its {name} is {'missing' if value is None else 'no text'}")
    return str(value["S"])


def _due(text: str) -> str:
    """Return a time with at most microseconds: what is finer is rounded up, never to an earlier moment."""
    found = _NANOSECONDS.fullmatch(text)
    if found is None:
        return text
    try:
        moment = datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00"))
    except ValueError:
        return text
    digits = text[len(found[1]) : len(text) - len(found[2])]
    if digits.strip("0"):
        moment += datetime.resolution
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _payload(value: Mapping[str, Any]) -> Any:
    if value.get("NULL"):  # a nil map of Go
        return {}
    return _json(value)


def _json(value: Mapping[str, Any]) -> Any:
    """Return an attribute value as JSON.

    Raises:
        ValueError: JSON has no such value, or not so many digits.
    """
    ((kind, held),) = value.items()
    match kind:
        case "S" | "BOOL":
            return held
        case "N":
            return canonical.number(held)
        case "NULL":
            return None
        case "L":
            return [_json(each) for each in held]
        case "M":
            return {name: _json(each) for name, each in held.items()}
        case _:
            raise ValueError(f"its Payload holds a value of DynamoDB's type {kind}, which JSON does not have")
