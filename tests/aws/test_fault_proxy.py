"""The proxy does to a request what it was told, and botocore meets it on the real protocol."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from emulators.fault_proxy import fault_proxy
from emulators.fixtures import client, unique_name

TABLE = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture
def proxy(ministack_endpoint):
    """Return a proxy before MiniStack."""
    with fault_proxy(ministack_endpoint) as proxy:
        yield proxy


@pytest.fixture
def table(ministack_endpoint):
    """Return the name of a new table."""
    name = unique_name("table")
    client("dynamodb", ministack_endpoint).create_table(TableName=name, **TABLE)
    return name


def _put(dynamodb, table, key):
    dynamodb.put_item(TableName=table, Item={"id": {"S": key}})


def _keys(endpoint, table):
    found = client("dynamodb", endpoint).scan(TableName=table)["Items"]
    return sorted(item["id"]["S"] for item in found)


def test_what_is_not_told_otherwise_is_passed_on(proxy, table, ministack_endpoint):
    """Requests reach the endpoint, their answers the client, and both are the same as without the proxy."""
    through = client("dynamodb", proxy.url)
    _put(through, table, "a")

    direct = client("dynamodb", ministack_endpoint).scan(TableName=table)
    assert through.scan(TableName=table)["Items"] == direct["Items"] == [{"id": {"S": "a"}}]
    assert [(each.operation, each.document["TableName"]) for each in proxy.requests()] == [
        ("PutItem", table),
        ("Scan", table),
    ]


def test_an_answer_is_lost_after_the_server_has_acted(proxy, table, ministack_endpoint):
    """The client sees a closed connection, and the write is there."""
    proxy.lose_answers(1, matching="PutItem")

    with pytest.raises(ConnectionClosedError):
        _put(client("dynamodb", proxy.url), table, "a")
    _put(client("dynamodb", proxy.url), table, "b")

    assert _keys(ministack_endpoint, table) == ["a", "b"]


@pytest.mark.parametrize(
    ("order", "raised"),
    [
        ("lose_requests", ConnectionClosedError),
        ("throttle", ClientError),
        ("fail", ClientError),
    ],
)
def test_a_request_that_is_not_passed_on_changes_nothing(order, raised, proxy, table, ministack_endpoint):
    """The client sees an error, and the server has seen nothing; the next request is fine."""
    getattr(proxy, order)(1, matching=lambda request: request.document.get("Item", {}).get("id") == {"S": "a"})

    _put(client("dynamodb", proxy.url), table, "b")
    with pytest.raises(raised):
        _put(client("dynamodb", proxy.url), table, "a")

    assert _keys(ministack_endpoint, table) == ["b"]
    _put(client("dynamodb", proxy.url), table, "a")
    assert _keys(ministack_endpoint, table) == ["a", "b"]


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("dynamodb", lambda found: found.list_tables(), "ProvisionedThroughputExceededException"),
        ("events", lambda found: found.list_rules(), "ThrottlingException"),
        ("scheduler", lambda found: found.get_schedule(Name="wake"), "ThrottlingException"),
    ],
)
def test_an_error_has_the_code_that_was_ordered(service, call, code, proxy):
    """Botocore reads the code in the protocol of each service."""
    proxy.throttle(code=code)

    with pytest.raises(ClientError) as error:
        call(client(service, proxy.url))

    assert error.value.response["Error"]["Code"] == code


def test_botocore_sends_again_what_was_throttled(proxy, ministack_endpoint):
    """A client that tries again gets through, and every try is noted."""
    proxy.throttle(2, matching="ListTables")

    answer = client("dynamodb", proxy.url, attempts=3).list_tables()

    assert (answer["ResponseMetadata"]["RetryAttempts"], len(proxy.requests("ListTables"))) == (2, 3)
    assert answer["TableNames"] == client("dynamodb", ministack_endpoint).list_tables()["TableNames"]


def test_a_silent_server_never_answers(proxy):
    """The client waits until its own limit, and the end of the proxy ends the wait of everybody else."""
    proxy.stay_silent(1, matching="ListTables")
    hasty = client("dynamodb", proxy.url, read_timeout=0.5)

    with pytest.raises(ReadTimeoutError):
        hasty.list_tables()


def test_a_slow_server_answers_late(proxy):
    """A request is held back as long as told, then passed on."""
    proxy.delay(0.5, matching="ListTables")
    began = time.monotonic()
    client("dynamodb", proxy.url).list_tables()

    assert time.monotonic() - began >= 0.5


def test_orders_can_be_taken_back(proxy):
    """What was ordered and has not happened is forgotten on demand; so are the requests."""
    proxy.fail(100)
    proxy.be_fine()
    client("dynamodb", proxy.url).list_tables()
    proxy.forget_requests()

    assert proxy.requests() == []


def test_orders_are_counted_over_many_threads(proxy):
    """Of a hundred requests at once just so many fail as were ordered."""
    proxy.fail(37, matching="ListTables")
    dynamodb = client("dynamodb", proxy.url)

    def failed(_: int) -> int:
        try:
            dynamodb.list_tables()
        except ClientError:
            return 1
        return 0

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(failed, range(100))) == 37
    assert len(proxy.requests("ListTables")) == 100
