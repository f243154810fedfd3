"""The store on DynamoDB beyond the contract of stores: what it asks for, what it makes of odd answers, its errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from aws.calls import sent_by
from aws.tables import keys_of, make_table, put, raw_client, shared_account, table_of
from botocore.exceptions import ClientError
from emulators.fixtures import unique_name
from on_aws import account_on
from values import DAY, DUE, HOUR, MINUTE, a_row, a_source, at, put_all, summary_of

from slowsched.errors import StoreError
from slowsched.model import Conflict, Control, State, Unreadable
from slowsched.store.base import Write
from slowsched.store.codec import ROW_ATTRIBUTES, encode_row
from slowsched.store.dynamodb import BUCKETS_MAX, CONTROL_ID, KEYS_A_CALL, DynamoStore, bucket_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXPRESSIONS = ("KeyConditionExpression", "ProjectionExpression", "ConditionExpression")
RESERVED = ["owner", "state", "format", "action", "source", "bucket"]
WORDS_OF_EXPRESSIONS = {"AND", "OR", "attribute_not_exists"}


class Table:
    """An empty table on DynamoDB Local, with a client beside the stores."""

    def __init__(self, endpoint: str, monkeypatch: pytest.MonkeyPatch, *, buckets: int = 1) -> None:
        self._account = shared_account(endpoint, monkeypatch)
        self._buckets = buckets
        self.raw = raw_client(endpoint)
        self.name = table_of(self.raw, buckets=buckets)

    def store(self, **settings: Any) -> DynamoStore:
        """Return another store on the table."""
        return DynamoStore(self._account, self.name, **settings)

    def sent(self) -> list[tuple[str, dict[str, Any]]]:
        """Return a list that grows by every call of the stores."""
        return sent_by(self._account.client("dynamodb"))

    def after(self, operation: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Let every answer to an operation be changed before the store sees it."""
        events = self._account.client("dynamodb").meta.events
        events.register(f"after-call.dynamodb.{operation}", lambda *, parsed, **_: change(parsed) and None)

    def plant(self, key: str, **attributes: Any) -> None:
        """Change attributes of a row without a condition."""
        found = self.raw.get_item(TableName=self.name, Key={"bucket": {"N": "0"}, "id": {"S": key}}).get("Item", {})
        put(self.raw, self.name, key, {**found, **attributes}, buckets=self._buckets)

    def buckets(self) -> dict[str, str]:
        """Return the bucket of every item, by its id."""
        return {item["id"]["S"]: item["bucket"]["N"] for item in self.raw.scan(TableName=self.name)["Items"]}

    def close(self) -> None:
        """Let go of the clients, and with them of what was registered there."""
        self._account.close()


@pytest.fixture
def make(dynamodb_local_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Table]]:
    """Return a way to make a table."""
    made: list[Table] = []

    def one(**settings: Any) -> Table:
        made.append(Table(dynamodb_local_endpoint, monkeypatch, **settings))
        return made[-1]

    yield one
    for table in made:
        table.close()


@pytest.fixture
def table(make: Callable[..., Table]) -> Table:
    """Return a table of one bucket."""
    return make()


def do_everything(store: DynamoStore) -> None:
    """Send every kind of call that the store makes."""
    put_all(store, *(a_row(id=f"task {number}") for number in range(3)))
    assert store.put(a_row(id="task 1", version=2, state=State.RUNNING), 1) is None
    assert store.put(a_row(id="task 1", version=2), 1) is not None
    assert store.put_control(Control(version=1), 0) is None
    assert store.put_control(Control(version=2, not_before=DUE), 1) is None
    assert len(list(store.rows())) == len(store.get_many(["task 0", "task 1", "task 2"])) == 3
    assert (len(list(store.agenda(DUE))), store.next_wake(), store.next_wake(DUE)) == (2, DUE, DUE + MINUTE)
    assert (store.get("none"), store.control()) == (None, Control(version=2, not_before=DUE))


# --- what it asks for ------------------------------------------------------------------------------


def test_every_name_in_an_expression_is_an_alias(table: Table) -> None:
    """DynamoDB Local, which knows the reserved words, takes all of them, and no name stands there as it is."""
    sent = table.sent()
    do_everything(table.store())
    found = {call[name] for _, call in sent for name in EXPRESSIONS if name in call}
    words = {word for text in found for word in re.findall(r"[#:]?\w+", text) if word[0] not in "#:"}
    assert (len(found), words) == (8, WORDS_OF_EXPRESSIONS)


def test_reserved_words_are_refused_without_an_alias(table: Table) -> None:
    """What the test above relies on: names of ours are reserved, and this emulator minds."""
    refused = []
    for name in (*ROW_ATTRIBUTES, "bucket", "buckets"):
        try:
            table.raw.put_item(
                TableName=table.name,
                Item={"bucket": {"N": "0"}, "id": {"S": name}},
                ConditionExpression=f"attribute_not_exists({name})",
            )
        except ClientError as error:
            refused.append((name, error.response["Error"]["Code"]))
    assert refused == [(name, "ValidationException") for name in RESERVED]


def test_every_read_is_consistent_and_every_call_tells_its_cost(table: Table) -> None:
    """The arm protocol stands on strongly consistent reads; what they cost is counted."""
    sent = table.sent()
    do_everything(table.store())
    reads = [
        call.get("ConsistentRead", call.get("RequestItems", {}).get(table.name, {}).get("ConsistentRead"))
        for name, call in sent
        if name != "PutItem"
    ]
    assert (set(reads), {call["ReturnConsumedCapacity"] for _, call in sent}) == ({True}, {"TOTAL"})
    assert {name for name, _ in sent} == {"BatchGetItem", "GetItem", "PutItem", "Query"}


def test_what_was_used_is_counted(dynamodb_local_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A put of a new row costs a unit for itself and one for its place in the index; a read one, of nothing, too."""
    name = table_of(raw_client(dynamodb_local_endpoint))
    account = account_on(dynamodb_local_endpoint, monkeypatch)
    with DynamoStore(account, name) as store:
        store.control()
        store.put(a_row(payload={}), 0)
        store.get("some task id")
        usage = account.usage
    assert (usage.requests, usage.read_units, usage.write_units) == (3, 2.0, 2.0)


# --- pages -----------------------------------------------------------------------------------------


def test_a_walk_over_big_rows_is_paged_by_their_size(table: Table) -> None:
    """A page holds 1 MB, whatever of it is asked for; nothing is left out."""
    rows = [a_row(id=f"task {number:02}", payload="x" * 60_000) for number in range(40)]
    store = table.store()
    put_all(store, *rows)
    sent = table.sent()
    assert sorted(store.rows(), key=lambda row: row.id) == [summary_of(row) for row in rows]
    assert [name for name, _ in sent] == ["Query"] * 3


def test_an_empty_page_may_have_a_next_one(table: Table) -> None:
    """Only the absence of a place to go on from ends a walk."""
    empty = iter([True, False, True, False])

    def begin_with_nothing(answer: dict[str, Any]) -> None:
        if answer["Items"] and next(empty):
            answer["LastEvaluatedKey"] = keys_of("!") | (
                {} if "owner" in answer["Items"][0] else {"wake_at": {"S": " "}}
            )
            answer["Items"] = []

    store = table.store()
    put_all(store, a_row())
    table.after("Query", begin_with_nothing)
    assert (list(store.rows()), list(store.agenda(DUE))) == ([summary_of(a_row())], ["some task id"])
    assert list(empty) == []


def test_the_agenda_is_read_as_far_as_it_is_taken(table: Table) -> None:
    """A wake that takes the first of many rows pays for one page."""
    store = table.store(page_rows=2)
    put_all(store, *(a_row(id=f"task {number}", wake_at=DUE + number * MINUTE) for number in range(9)))
    sent = table.sent()
    walk = store.agenda(DUE + HOUR)
    assert [next(walk), next(walk)] == ["task 0", "task 1"]
    assert [name for name, _ in sent] == ["Query"]


def test_many_rows_are_read_a_hundred_keys_at_a_time(table: Table) -> None:
    """However many are asked for, no call has more keys than it may, and no row is missing."""
    rows = {f"task {number}": a_row(id=f"task {number}") for number in range(2 * KEYS_A_CALL + 50)}
    store = table.store()
    put_all(store, *rows.values())
    sent = table.sent()
    assert store.get_many([*rows, "none"]) == rows
    keys = [len(call["RequestItems"][table.name]["Keys"]) for name, call in sent if name == "BatchGetItem"]
    assert sorted(keys) == [51, 100, 100]


@pytest.mark.parametrize(
    ("kept", "calls"),
    [
        (4, ["BatchGetItem", "BatchGetItem", "BatchGetItem"]),
        (9, ["BatchGetItem", "BatchGetItem"]),
        (0, ["BatchGetItem", *["GetItem"] * 10]),
    ],
)
def test_keys_that_were_not_processed_are_asked_for_again(table: Table, kept: int, calls: list[str]) -> None:
    """While each answer brings something; what brings nothing is read one by one, where the client is patient."""

    def process_some(answer: dict[str, Any]) -> None:
        items = answer["Responses"][table.name]
        answer["Responses"] = {table.name: items[:kept]}
        left = [{name: item[name] for name in ("bucket", "id")} for item in items[kept:]]
        answer["UnprocessedKeys"] = {table.name: {"Keys": left, "ConsistentRead": True}} if left else {}

    rows = {f"task {number}": a_row(id=f"task {number}") for number in range(10)}
    store = table.store()
    put_all(store, *rows.values())
    table.after("BatchGetItem", process_some)
    sent = table.sent()
    assert store.get_many(list(rows)) == rows
    assert [name for name, _ in sent] == calls


# --- buckets ---------------------------------------------------------------------------------------


def test_a_bucket_follows_from_the_id_alone() -> None:
    """Tables outlive versions of slowsched: these numbers never change; both writings of a letter are one text."""
    assert [bucket_of(task_id, 64) for task_id in ("some task id", "", "日本語", "\u00e9", "e\u0301")] == [
        *(61, 0, 37),
        *(62, 62),
    ]
    assert {bucket_of(f"task {number}", 1) for number in range(100)} == {0}


def test_rows_are_spread_over_the_buckets_and_found_again(make: Callable[..., Table]) -> None:
    """The agenda is one over all buckets, and so is the earliest wake."""
    table = make(buckets=4)
    rows = {f"task {number:02}": a_row(id=f"task {number:02}", wake_at=DUE + number * MINUTE) for number in range(40)}
    put_all(table.store(), *rows.values())
    store = table.store(page_rows=2)
    assert table.buckets() == {key: str(bucket_of(key, 4)) for key in rows} | {CONTROL_ID: "0"}
    assert set(table.buckets().values()) == {"0", "1", "2", "3"}
    assert (list(store.agenda(DUE + HOUR)), store.get_many(list(rows))) == (list(rows), rows)
    assert [store.next_wake(DUE + number * MINUTE) for number in range(39)] == [
        DUE + (number + 1) * MINUTE for number in range(39)
    ]


def test_the_number_of_buckets_is_read_once_with_the_control_row(make: Callable[..., Table]) -> None:
    """A wake begins with the control row, so the number costs nothing more."""
    table = make(buckets=2)
    store, sent = table.store(), table.sent()
    store.control()
    store.get("a")
    store.control()
    assert [call["Key"] for _, call in sent] == [
        keys_of(CONTROL_ID),
        keys_of("a", bucket_of("a", 2)),
        keys_of(CONTROL_ID),
    ]


def test_writing_the_control_row_keeps_the_number_of_buckets(make: Callable[..., Table]) -> None:
    """Terraform made it with version 0 and nothing but that number, which is as if nobody had written it."""
    table = make(buckets=3)
    store = table.store()
    assert (store.control(), store.put_control(Control(version=2), 1)) == (Control(), Control())
    assert (store.put_control(Control(version=1), 0), store.put_control(Control(version=2), 1)) == (None, None)
    found = table.raw.get_item(TableName=table.name, Key=keys_of(CONTROL_ID))["Item"]
    assert (found["version"], found["buckets"]) == ({"N": "2"}, {"N": "3"})
    assert table.store().control() == Control(version=2)


@pytest.mark.parametrize("buckets", [0, -1, BUCKETS_MAX + 1, "many", {"N": "1.5"}, {"BOOL": True}, {"NULL": True}])
def test_a_number_of_buckets_that_is_none_is_an_error(table: Table, buckets: object) -> None:
    """No row is looked for, or written, in a bucket that was guessed."""
    table.plant(CONTROL_ID, buckets=buckets, version=0)
    for ask in (lambda store: store.get("a"), lambda store: store.control(), lambda store: store.next_wake()):
        with pytest.raises(StoreError, match=r"says that it has .* buckets: `buckets` of its item ' control' is"):
            ask(table.store())
    assert [type(answer) for answer in table.store().put_many([Write(row=a_row(), expect_version=0)])] == [StoreError]


def test_a_number_of_buckets_that_changes_is_an_error_and_is_not_written_over(table: Table) -> None:
    """Rows that this process wrote would not be found by others."""
    store = table.store()
    store.put_control(Control(version=1), 0)
    table.plant(CONTROL_ID, buckets=2)
    with pytest.raises(StoreError, match="another number of buckets meanwhile: it had 1: run it again"):
        store.put_control(Control(version=2), 1)
    assert table.store().control() == Control(version=1)


# --- what is found ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [{"BOOL": True}, {"NULL": True}, {"B": b"x"}, {"L": []}, {"M": {}}, {"SS": ["a"]}, {"N": "1.5"}],
    ids=str,
)
@pytest.mark.parametrize("name", ["state", "version", "expires_at", "spec", "format"])
def test_a_value_that_slowsched_never_writes_is_damage(table: Table, name: str, value: dict[str, Any]) -> None:
    """Whatever somebody put there by hand, the row is told and nothing raises."""
    store = table.store()
    put_all(store, a_row(id="fine"), a_row(id="odd"))
    table.plant("odd", **{name: value})
    found = store.get_many(["fine", "odd"])
    assert (found["fine"], type(found["odd"])) == (a_row(id="fine"), Unreadable)
    assert {row.id for row in store.rows()} == {"fine", "odd"}
    assert isinstance(store.put(a_row(id="odd", version=8), 7), Conflict)


def test_the_place_of_the_control_row_is_no_task(table: Table) -> None:
    """Nobody finds it by its id as a row, or writes over it."""
    store = table.store()
    store.put_control(Control(version=1), 0)
    assert (store.get(CONTROL_ID), store.get_many([CONTROL_ID, "a", "b"]), list(store.rows())) == (None, {}, [])
    with pytest.raises(StoreError, match="no task can be called ' control'"):
        store.put(a_row(id=CONTROL_ID, version=2), 1)
    assert store.control() == Control(version=1)


def test_what_stands_in_place_of_a_write_is_in_the_answer(table: Table) -> None:
    """A lost race costs no read: the failure brings the row."""
    store = table.store()
    put_all(store, a_row(version=3))
    sent = table.sent()
    assert store.put(a_row(version=2), 1) == Conflict(found=a_row(version=3))
    assert [name for name, _ in sent] == ["PutItem"]


def test_what_stands_in_place_of_a_write_is_read_where_the_answer_has_none(table: Table) -> None:
    """Not everything that speaks DynamoDB returns the row; a write that finds itself that way has won, too."""
    store = table.store(write_ids=iter(["w1", "w2", "w2"]).__next__)
    put_all(store, a_row(version=1))
    table.after("PutItem", lambda answer: answer.pop("Item", None))
    assert store.put(a_row(version=2), 1) is None
    assert store.put(a_row(version=2), 1) is None
    assert store.get("some task id") == a_row(version=2)


# --- errors ----------------------------------------------------------------------------------------


def error_of(call: Callable[[], object]) -> str:
    """Return what a call that fails tells people."""
    with pytest.raises(StoreError) as caught:
        call()
    return str(caught.value)


def test_a_row_above_the_limit_is_named(table: Table) -> None:
    """One that is too large costs nobody else's write anything."""
    store = table.store()
    large = a_row(id="large", source=a_source(path="x" * 410_000))
    *answers, refused = store.put_many(
        [Write(row=row, expect_version=0) for row in (a_row(id="a"), a_row(id="b"), large)]
    )
    assert answers == [None, None]
    assert str(refused) == (
        f"cannot write 'large' into the table {table.name!r}: it is larger than the 400 KB that DynamoDB takes: "
        "make its payload smaller: a reference, not the data"
    )


def test_a_table_that_does_not_exist_is_named(table: Table) -> None:
    """Reading and writing both say so, and where to look."""
    table.raw.delete_table(TableName=table.name)
    store = table.store()
    for told in (
        error_of(store.control),
        error_of(lambda: store.put(a_row(), 0)),
        error_of(lambda: list(store.rows())),
    ):
        assert re.match(rf"cannot read the table {table.name!r}: it does not exist .*terraform/", told)


@pytest.mark.parametrize("shape", ["other keys", "no index"])
def test_a_table_that_is_not_made_for_slowsched_is_told(table: Table, shape: str) -> None:
    """Another team's table, or one made by hand, is recognised before anything is written."""
    name = unique_name("other")
    if shape == "other keys":
        keys = {"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}]}
        table.raw.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            **keys,
        )
    else:
        make_table(table.raw, name, index=None)
    store = DynamoStore(table._account, name)  # noqa: SLF001 - the account of this file's own fixture
    told = [error_of(lambda: list(store.agenda(DUE))), error_of(store.next_wake)]
    expected = (
        rf"cannot read the table {name!r}: the table is not made for slowsched \(.*\): make it with terraform/: keys"
    )
    assert [re.match(expected, each) is not None for each in told] == [True, True]


def test_another_index_of_the_same_name_is_told(table: Table) -> None:
    """An index whose moments are numbers cannot be the agenda."""
    name = unique_name("other")
    make_table(table.raw, name, index="N")
    with pytest.raises(StoreError, match="the table is not made for slowsched"):
        DynamoStore(table._account, name).next_wake()  # noqa: SLF001 - the account of this file's own fixture


def test_a_name_that_no_table_can_have_is_told_as_it_was_answered(table: Table) -> None:
    """Making a table does not help there."""
    told = error_of(DynamoStore(table._account, "no/table").control)  # noqa: SLF001 - as above
    assert told.startswith(
        "cannot read the table 'no/table': AWS answers ValidationException: Invalid table/index name"
    )


def test_a_row_that_expired_is_a_row_until_it_is_gone(table: Table) -> None:
    """Time to live takes days; until then the tombstone counts, and its time is epoch seconds for DynamoDB."""
    gone = a_row(state=State.DELETED, expires_at=at("2020-01-01T00:00:00Z"))
    store = table.store()
    put_all(store, gone)
    assert (store.get(gone.id), list(store.rows())) == (gone, [summary_of(gone)])
    item = table.raw.get_item(TableName=table.name, Key=keys_of(gone.id))["Item"]
    assert item["expires_at"] == {"N": "1577836800"}
    assert encode_row(gone, "w")["expires_at"] == 1577836800
    assert list(store.agenda(DUE + 1000 * DAY)) == []
