"""Tables for tests, as terraform/module/table.tf makes them, and what a store's contract needs of one.

moto answers in this process and is for the shape of calls only: it takes reserved words, and its conditional writes
are no compare-and-set among threads. The calls of every store on it therefore go one at a time.
"""

from __future__ import annotations

from functools import cache
from threading import RLock
from typing import TYPE_CHECKING, Any

from emulators.fixtures import REGION, client, unique_name
from moto import mock_aws
from on_aws import account_on

from slowsched.aws import Account
from slowsched.store.dynamodb import CONTROL_ID, DynamoStore, bucket_of

if TYPE_CHECKING:
    import pytest

    from slowsched.store.base import Store
    from slowsched.store.codec import Item

_MOTOS_TURN = RLock()
MOTO = "https://dynamodb.eu-central-1.amazonaws.com"  # nothing gets there


def make_table(dynamodb: Any, name: str, *, buckets: int = 1, index: str | None = "S") -> None:
    """Make an empty table; of one with several buckets the control row exists from the start.

    `index` is the type of the moments in its index; None: it has none.
    """
    wake_at = [] if index is None else [{"AttributeName": "wake_at", "AttributeType": index}]
    agenda = {"IndexName": "agenda", "KeySchema": _schema("wake_at"), "Projection": {"ProjectionType": "KEYS_ONLY"}}
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "bucket", "AttributeType": "N"},
            {"AttributeName": "id", "AttributeType": "S"},
            *wake_at,
        ],
        KeySchema=_schema("id"),
        **({} if index is None else {"LocalSecondaryIndexes": [agenda]}),
    )
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )
    if buckets > 1:
        put(dynamodb, name, CONTROL_ID, {"buckets": buckets, "version": 0})


def _schema(sort_key: str) -> list[dict[str, str]]:
    return [{"AttributeName": "bucket", "KeyType": "HASH"}, {"AttributeName": sort_key, "KeyType": "RANGE"}]


def keys_of(task_id: str, bucket: int = 0) -> dict[str, Any]:
    """Return the keys of an item."""
    return {"bucket": {"N": str(bucket)}, "id": {"S": task_id}}


def typed(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item as DynamoDB takes it; a value that is a dict is one already."""
    return {
        name: value if isinstance(value, dict) else {"S": value} if isinstance(value, str) else {"N": str(value)}
        for name, value in item.items()
    }


def put(dynamodb: Any, table: str, key: str, item: dict[str, Any], *, buckets: int = 1) -> None:
    """Write an item without a condition."""
    bucket = 0 if key == CONTROL_ID else bucket_of(key, buckets)
    dynamodb.put_item(TableName=table, Item=typed({**item, "bucket": bucket, "id": key}))


def table_of(dynamodb: Any, *, buckets: int = 1) -> str:
    """Make a table of a name of its own, and return that."""
    name = unique_name("rows")
    make_table(dynamodb, name, buckets=buckets)
    return name


@cache
def raw_client(endpoint: str) -> Any:
    """Return one client of an emulator, for what a test does besides; making one takes as long as a test."""
    return client("dynamodb", endpoint)


@cache
def _shared_account(_endpoint: str) -> Account:
    return Account(region=REGION)


def shared_account(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return one account of an emulator for the whole session, with the environment that it was made in."""
    account_on(endpoint, monkeypatch)
    return _shared_account(endpoint)


class TableAdapter:
    """A table on an emulator; its stores share an account, and nothing else."""

    def __init__(self, endpoint: str, monkeypatch: pytest.MonkeyPatch, page_rows: int, *, buckets: int = 1) -> None:
        self._account = shared_account(endpoint, monkeypatch)
        self._page_rows = page_rows
        self._buckets = buckets
        self._opened: list[DynamoStore] = []
        self._dynamodb = raw_client(endpoint)
        self._table = table_of(self._dynamodb, buckets=buckets)

    def open(self) -> Store:
        self._opened.append(DynamoStore(self._account, self._table, page_rows=self._page_rows))
        return self._opened[-1]

    def plant(self, item: Item) -> None:
        put(self._dynamodb, self._table, str(item["id"]), item, buckets=self._buckets)

    def plant_control(self, item: Item) -> None:
        put(self._dynamodb, self._table, CONTROL_ID, item)

    def close(self) -> None:
        for store in self._opened:
            store.close()


def _wait_for_the_turn(**_: object) -> None:
    _MOTOS_TURN.acquire()


def _give_the_turn(**_: object) -> None:
    _MOTOS_TURN.release()


class MotoAdapter(TableAdapter):
    """A table on moto, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, page_rows: int) -> None:
        self._moto = mock_aws()
        self._moto.start()
        super().__init__(MOTO, monkeypatch, page_rows)

    def open(self) -> Store:
        events = self._account.client("dynamodb").meta.events
        events.register("before-call.dynamodb", _wait_for_the_turn, unique_id="wait")
        events.register("after-call.dynamodb", _give_the_turn, unique_id="give")
        return super().open()

    def close(self) -> None:
        super().close()
        self._moto.stop()
