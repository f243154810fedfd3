"""The shop's catalogue, as the sample action changes it: a JSON file here, a table of DynamoDB on AWS.

Either way the change and the record of the idempotency key are one step. A key that is recorded changes nothing
again, however many sales of the same item came in between.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slowsched import PermanentError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_VARIABLE = "SLOWSCHED_CATALOGUE"
TABLE_VARIABLE = "SLOWSCHED_CATALOGUE_TABLE"


def put_on_sale(item: str, *, price: float, percent: float, key: str) -> bool:
    """Write an item's price and sale percent, unless the key is recorded already; says whether it was written.

    Raises:
        PermanentError: the catalogue says that the item is discontinued.
    """
    table = os.environ.get(TABLE_VARIABLE)
    if table:
        return _put_in_table(table, item, price, percent, key)
    return _put_in_file(catalogue_path(), item, price, percent, key)


def _discontinued(item: str) -> PermanentError:
    return PermanentError(f"{item!r} is discontinued: a price would put it back on sale")


# --- on AWS: a table with the key `pk` -------------------------------------------------------------


def _put_in_table(table: str, item: str, price: float, percent: float, key: str) -> bool:
    """Record the key and change the item in one transaction: both, or neither."""
    record = {"Item": {"pk": {"S": f"applied#{key}"}, "item": {"S": item}}}
    change = {
        "Key": {"pk": {"S": f"item#{item}"}},
        "UpdateExpression": "SET #price = :price, #percent = :percent",
        "ConditionExpression": "attribute_not_exists(#gone) OR #gone = :no",
        "ExpressionAttributeNames": {"#price": "price", "#percent": "salePercent", "#gone": "discontinued"},
        "ExpressionAttributeValues": {
            ":price": {"N": f"{price}"},
            ":percent": {"N": f"{percent}"},
            ":no": {"BOOL": False},
        },
    }
    client = dynamodb()
    try:
        client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "ConditionExpression": "attribute_not_exists(pk)", **record}},
                {"Update": {"TableName": table, **change}},
            ]
        )
    except client.exceptions.TransactionCanceledException as error:
        recorded, gone = (each["Code"] == "ConditionalCheckFailed" for each in error.response["CancellationReasons"])
        if recorded:
            return False
        if gone:
            raise _discontinued(item) from None
        raise  # another transaction was at it: the attempt is retried
    return True


@cache
def dynamodb() -> Any:
    """Return the client, made once; it gives up well before the attempt's timeout."""
    from boto3.session import Session  # noqa: PLC0415 - not needed on a laptop
    from botocore.config import Config  # noqa: PLC0415 - the same

    retries = {"mode": "standard", "total_max_attempts": 3}
    return Session().client("dynamodb", config=Config(connect_timeout=3, read_timeout=5, retries=retries))


# --- here: a file ----------------------------------------------------------------------------------


def catalogue_path() -> Path:
    """Return where the file is: $SLOWSCHED_CATALOGUE, else beside the local store."""
    named = os.environ.get(FILE_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[1] / ".slowsched" / "catalogue.json"


def _put_in_file(path: Path, item: str, price: float, percent: float, key: str) -> bool:
    """Change the file while nobody else does.

    Raises:
        ValueError: it is no JSON object; somebody may mend it, so the attempt is retried.
    """
    with _locked(path):
        catalogue = _read(path)
        if key in catalogue["applied"]:
            return False
        entry = catalogue["items"].setdefault(item, {})
        if entry.get("discontinued"):
            raise _discontinued(item)
        entry |= {"price": price, "salePercent": percent}
        catalogue["applied"][key] = item
        _replace(path, catalogue)
        return True


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
