"""This team's actions: what a task does when its moment has come. Copy the shape of `apply_sale` for yours.

An action is called at least once, and may be called again after a crash or a time-out: it makes its effect
and the record of `attempt.idempotency_key` one step, and does nothing when it finds the key recorded.
An exception is a failed attempt, which is retried; `PermanentError` is for what no retry can mend. What an
action returns (JSON, up to 1 KB) becomes the outcome's message. The payload has already passed the action's
schema, schemas/actions/APPLY_SALE.schema.json.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from slowsched import Attempt, PermanentError, action

if TYPE_CHECKING:
    from collections.abc import Iterator

CATALOGUE_VARIABLE = "SLOWSCHED_CATALOGUE"


class Sale(TypedDict):
    """The payload of APPLY_SALE."""

    itemID: str
    newPrice: float
    salePercent: float


@action("APPLY_SALE")
def apply_sale(payload: Sale, attempt: Attempt) -> dict[str, Any]:
    """Write the item's new price and sale percent into the catalogue.

    Returns the item, its price, and whether this attempt changed it.

    Raises:
        PermanentError: the catalogue says that the item is discontinued.
        ValueError: the catalogue is no JSON object; somebody may mend it, so the attempt is retried.
    """
    path = catalogue_path()
    with _locked(path):
        catalogue = _read(path)
        changed = attempt.idempotency_key not in catalogue["applied"]
        if changed:
            _put_on_sale(catalogue, payload)
            catalogue["applied"][attempt.idempotency_key] = payload["itemID"]
            _replace(path, catalogue)
    attempt.logger.info("%s: price %s, changed: %s", payload["itemID"], payload["newPrice"], changed)
    return {"item": payload["itemID"], "price": payload["newPrice"], "changed": changed}


def _put_on_sale(catalogue: dict[str, Any], sale: Sale) -> None:
    item = catalogue["items"].setdefault(sale["itemID"], {})
    if item.get("discontinued"):
        raise PermanentError(f"{sale['itemID']!r} is discontinued: a price would put it back on sale")
    item |= {"price": sale["newPrice"], "salePercent": sale["salePercent"]}


def catalogue_path() -> Path:
    """Return where the catalogue is: $SLOWSCHED_CATALOGUE, else beside the local store."""
    named = os.environ.get(CATALOGUE_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[1] / ".slowsched" / "catalogue.json"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep every other thread and process out; the system lets go of the lock when a holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"items": {}, "applied": {}}
    try:
        catalogue = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(catalogue, dict):
        raise ValueError(f"{path} holds no JSON object")  # noqa: TRY004 - the value of a file, not of an argument
    return {"items": {}, "applied": {}} | catalogue


def _replace(path: Path, catalogue: dict[str, Any]) -> None:
    """Put a whole new file in the old one's place, so that no reader and no crash ever sees half of it."""
    text = json.dumps(catalogue, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
