"""The store on DynamoDB where the network, or DynamoDB, does not do its part: on the real protocol, through a proxy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from aws.tables import raw_client, table_of
from emulators.fault_proxy import fault_proxy
from emulators.processes import free_port
from on_aws import account_on, variables
from values import DUE, a_row, put_all

from slowsched.aws import CALL_SECONDS, CALL_TRIES, PARALLEL_CALLS, Account
from slowsched.errors import StoreError
from slowsched.model import Conflict, Control, OwnerControl
from slowsched.store.base import Write
from slowsched.store.dynamodb import DynamoStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emulators.fault_proxy import FaultProxy, Request

RESTS = 7.0  # seconds between four tries, at most: botocore rests up to 1, 2 and 4 of them
SHORT = 0.3  # what one try may take here
SLOW_MACHINE = 10.0
FOR_GOOD = 10_000


@pytest.fixture
def proxy(dynamodb_local_endpoint: str) -> Iterator[FaultProxy]:
    """Return a proxy before DynamoDB Local."""
    with fault_proxy(dynamodb_local_endpoint) as proxy:
        yield proxy


@pytest.fixture
def store(proxy: FaultProxy, dynamodb_local_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoStore]:
    """Return a store on a table of its own that reaches it through the proxy, and knows how many buckets there are."""
    account_on(proxy.url, monkeypatch)
    with DynamoStore(Account(call_seconds=SHORT * 10), table_of(raw_client(dynamodb_local_endpoint))) as store:
        assert store.control() == Control()
        proxy.forget_requests()
        yield store


@pytest.fixture
def hasty(proxy: FaultProxy, store: DynamoStore) -> Iterator[DynamoStore]:
    """Return a store on the same table whose tries are short, for those that are never answered."""
    with DynamoStore(Account(call_seconds=SHORT), store._table) as hasty:  # noqa: SLF001 - of this file's own fixture
        assert hasty.control() == Control()
        proxy.forget_requests()
        yield hasty


def creates(count: int) -> list[Write]:
    """Return so many writes of new rows."""
    return [Write(row=a_row(id=f"task {number:02}"), expect_version=0) for number in range(count)]


def error_of(call: Callable[[], object]) -> str:
    """Return what a call that fails tells people."""
    with pytest.raises(StoreError) as caught:
        call()
    return str(caught.value)


# --- lost answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", range(1, CALL_TRIES))
def test_a_put_whose_answer_is_lost_has_won(store: DynamoStore, proxy: FaultProxy, lost: int) -> None:
    """However often it is sent, it finds itself in the table: a create and an update alike."""
    for version in (1, 2):
        proxy.lose_answers(lost, matching="PutItem")
        assert store.put(a_row(version=version), version - 1) is None
    assert store.get("some task id") == a_row(version=2)
    assert len(proxy.requests("PutItem")) == 2 * (lost + 1)


def test_each_of_many_puts_whose_answers_are_lost_has_won(store: DynamoStore, proxy: FaultProxy) -> None:
    """Each knows itself by its own id, beside one that really lost."""
    put_all(store, a_row(id="taken", version=5))
    proxy.forget_requests()
    sent: set[str] = set()

    def first_of_its_row(request: Request) -> bool:  # whatever comes first: nobody loses all of its tries
        task_id = request.document["Item"]["id"]["S"] if request.operation == "PutItem" else ""
        new = bool(task_id) and task_id not in sent
        sent.add(task_id)
        return new

    proxy.lose_answers(21, matching=first_of_its_row)
    writes = [*creates(20), Write(row=a_row(id="taken", version=1), expect_version=0)]
    assert store.put_many(writes) == [None] * 20 + [Conflict(found=a_row(id="taken", version=5))]
    assert {row.version for row in store.get_many([write.row.id for write in writes[:20]]).values()} == {1}
    assert len(proxy.requests("PutItem")) == 42


def test_a_control_row_whose_answer_is_lost_has_won(store: DynamoStore, proxy: FaultProxy) -> None:
    """A lock is not refused to the very process that just took it."""
    first = Control(version=1, owners={"acme/shop/local": OwnerControl(applied="c1")})
    proxy.lose_answers(1, matching="PutItem")
    assert store.put_control(first, 0) is None
    proxy.lose_answers(2, matching="PutItem")
    assert (store.put_control(Control(version=2), 1), store.control()) == (None, Control(version=2))


def test_a_put_whose_answer_is_lost_before_somebody_else_writes_is_a_conflict(
    store: DynamoStore, proxy: FaultProxy, dynamodb_local_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had won and was seen, and whoever came after it is not undone: the writer reads again."""
    theirs = a_row(version=2, attempt=1)
    account_on(dynamodb_local_endpoint, monkeypatch)
    other = DynamoStore(Account(), store._table)  # noqa: SLF001 - of this file's own fixture
    proxy.lose_answers(1, matching="PutItem")
    theirs_came = []

    def meddle(request: Request) -> bool:  # asked of the second sending, the first being the one whose answer is lost
        if request.operation == "PutItem" and not theirs_came:
            theirs_came.append(other.put(theirs, 1))
        return False

    proxy.delay(0, matching=meddle)
    assert store.put(a_row(version=1), 0) == Conflict(found=theirs)
    assert (theirs_came, store.get("some task id")) == ([None], theirs)
    other.close()


# --- throttling, errors of the server --------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["throttle", "fail", "lose_requests"])
def test_trouble_that_passes_is_not_noticed(store: DynamoStore, proxy: FaultProxy, trouble: str) -> None:
    """The client sends again, reads and writes alike."""
    getattr(proxy, trouble)(CALL_TRIES - 1)
    assert store.put(a_row(), 0) is None
    getattr(proxy, trouble)(CALL_TRIES - 1)
    assert store.get("some task id") == a_row()
    assert len(proxy.requests()) == 2 * CALL_TRIES


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("throttle", "AWS throttles the calls, again and again"),
        ("fail", "AWS has a failure of its own, again and again"),
        ("lose_requests", "AWS "),
    ],
)
def test_trouble_that_lasts_is_told_with_the_way_out(
    store: DynamoStore, proxy: FaultProxy, trouble: str, message: str
) -> None:
    """After as many tries as a call has, not for ever."""
    getattr(proxy, trouble)(FOR_GOOD)
    told = error_of(lambda: store.get("some task id"))
    assert told.startswith(f"cannot read the table {store._table!r}: {message}")  # noqa: SLF001 - this file's own
    assert ", and run it again" in told or "run it again" in told
    assert len(proxy.requests()) == CALL_TRIES


def test_one_of_many_writes_that_fails_does_not_stop_the_others(store: DynamoStore, proxy: FaultProxy) -> None:
    """An answer is about one row, be it that the row's own calls are throttled for good."""
    proxy.throttle(FOR_GOOD, matching=lambda request: request.document.get("Item", {}).get("id") == {"S": "task 03"})
    answers = store.put_many(creates(30))
    failed = [number for number, answer in enumerate(answers) if answer is not None]
    assert (failed, type(answers[3])) == ([3], StoreError)
    assert len(list(store.rows())) == 29


# --- silence ---------------------------------------------------------------------------------------


def test_a_backend_that_is_silent_is_given_up(hasty: DynamoStore, proxy: FaultProxy) -> None:
    """After four times what a try may take, and the rests between; nothing of it grows with what was asked."""
    proxy.stay_silent(FOR_GOOD)
    began = time.monotonic()
    told = error_of(lambda: hasty.put(a_row(), 0))
    took = time.monotonic() - began
    assert told.startswith("cannot write 'some task id' into the table")
    assert len(proxy.requests()) == CALL_TRIES
    assert CALL_TRIES * SHORT <= took <= CALL_TRIES * SHORT + RESTS + SLOW_MACHINE


def test_what_a_call_may_take_is_within_what_the_port_promises() -> None:
    """A call within 60 seconds, and a command that needs three of them to end within 90."""
    longest = CALL_TRIES * CALL_SECONDS + RESTS
    assert (longest <= 60, 3 * longest <= 90) == (True, True)


def test_the_rest_of_a_batch_is_not_sent_where_nobody_answers(hasty: DynamoStore, proxy: FaultProxy) -> None:
    """As many as go side by side wait for an answer; what is behind them fails with them, at once."""
    proxy.stay_silent(FOR_GOOD, matching="PutItem")
    began = time.monotonic()
    answers = hasty.put_many(creates(200))
    took = time.monotonic() - began
    assert {type(answer) for answer in answers} == {StoreError}
    sent = {request.document["Item"]["id"]["S"] for request in proxy.requests("PutItem")}
    assert len(sent) <= PARALLEL_CALLS
    assert took <= CALL_TRIES * SHORT + RESTS + SLOW_MACHINE
    proxy.be_fine()
    assert hasty.put_many(creates(20)) == [None] * 20


def test_nobody_at_the_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address, or no network: every write of a batch says so, and none waits for the others."""
    account_on(f"http://127.0.0.1:{free_port()}", monkeypatch)
    with DynamoStore(Account(), "rows") as store:
        told = error_of(lambda: store.next_wake(DUE))
        answers = store.put_many(creates(100))
    assert told.startswith("cannot read the table 'rows': AWS cannot be reached (")
    assert {type(answer) for answer in answers} == {StoreError}


def test_no_credentials_are_told_for_each_write(dynamodb_local_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are missing for all of a batch; nothing is sent."""
    account = account_on(dynamodb_local_endpoint, monkeypatch)
    for name in variables(dynamodb_local_endpoint):
        if name.startswith(("AWS_ACCESS", "AWS_SECRET")):
            monkeypatch.delenv(name)
    with DynamoStore(account, "rows") as store:
        answers = store.put_many(creates(3))
    assert [str(answer).partition(":")[0] for answer in answers] == ["cannot read the table 'rows'"] * 3
    assert account.usage.requests == 0
