"""The sample action on a table of DynamoDB: a key is applied once, and never undoes what came after it."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from emulators.fixtures import client, unique_name
from on_aws import account_on
from values import DUE

from slowsched import Attempt, PermanentError
from worker import actions, catalogue

SALE = {"itemID": "some item", "newPrice": 29.99, "salePercent": 50}
ITEM = {"pk": {"S": "item#some item"}, "price": {"N": "29.99"}, "salePercent": {"N": "50"}}


def sell(key, **payload):
    """Make one attempt of a sale; returns whether it changed anything."""
    logger = logging.LoggerAdapter(logging.getLogger("test"))
    attempt = Attempt(
        task_id="some task",
        environment="production",
        number=1,
        idempotency_key=key,
        due=DUE,
        deadline=DUE,
        logger=logger,
    )
    return actions.apply_sale(SALE | payload, attempt)["changed"]


class Shelf:
    """A catalogue table, and looks into it."""

    def __init__(self, endpoint):
        self.name = unique_name("catalogue")
        self._dynamodb = client("dynamodb", endpoint)
        self._dynamodb.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )

    def put(self, item):
        self._dynamodb.put_item(TableName=self.name, Item=item)

    def items(self):
        """Return every item by its key."""
        found = self._dynamodb.scan(TableName=self.name, ConsistentRead=True)["Items"]
        return {each["pk"]["S"]: each for each in found}


@pytest.fixture(name="shelf", params=["dynamodb_local_endpoint", "ministack_endpoint"])
def _shelf(request, monkeypatch):
    """Return a catalogue on each emulator; the action's client is made anew."""
    endpoint = request.getfixturevalue(request.param)
    shelf = Shelf(endpoint)
    account_on(endpoint, monkeypatch, SLOWSCHED_CATALOGUE_TABLE=shelf.name)
    catalogue.dynamodb.cache_clear()
    yield shelf
    catalogue.dynamodb.cache_clear()


def test_price_and_key_are_written_in_one_step(shelf):
    """A sale makes the item where there is none, and records its key."""
    assert sell("a")
    assert shelf.items() == {
        "item#some item": ITEM,
        "applied#a": {"pk": {"S": "applied#a"}, "item": {"S": "some item"}},
    }


def test_a_replay_of_an_older_key_does_not_undo_a_newer_sale(shelf):
    """Sale a, then sale b of the same item, then a again, late: b stands."""
    assert sell("a")
    assert sell("b", newPrice=10, salePercent=80.5)
    before = shelf.items()
    assert not sell("a")
    assert shelf.items() == before
    assert before["item#some item"] == ITEM | {"price": {"N": "10"}, "salePercent": {"N": "80.5"}}


def test_what_else_is_known_of_the_item_stays(shelf):
    """Only price and percent change."""
    shelf.put({"pk": {"S": "item#some item"}, "colour": {"S": "blué"}, "discontinued": {"BOOL": False}})
    assert sell("a")
    assert shelf.items()["item#some item"] == ITEM | {"colour": {"S": "blué"}, "discontinued": {"BOOL": False}}


def test_a_discontinued_item_is_not_put_on_sale(shelf):
    """No retry can mend that; neither price nor key is written."""
    gone = {"pk": {"S": "item#some item"}, "discontinued": {"BOOL": True}}
    shelf.put(gone)
    with pytest.raises(PermanentError, match="'some item' is discontinued"):
        sell("a")
    assert shelf.items() == {"item#some item": gone}


def test_a_key_that_is_recorded_is_done_though_the_item_is_discontinued_since(shelf):
    """The sale succeeded; that it would not any more is no failure of it."""
    assert sell("a")
    shelf.put({"pk": {"S": "item#some item"}, "discontinued": {"BOOL": True}})
    assert not sell("a")


def test_one_key_at_once_is_applied_once(shelf):
    """Of several attempts of one key at once one changes the item; the rest find it done, or are tried again."""

    def try_to_sell(_):
        try:
            return sell("a")
        except catalogue.dynamodb().exceptions.TransactionCanceledException:
            return None

    with ThreadPoolExecutor(8) as pool:
        changed = list(pool.map(try_to_sell, range(24)))
    assert changed.count(True) == 1
    assert (sell("a"), shelf.items()["item#some item"]) == (False, ITEM)
