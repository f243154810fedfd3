"""What a wake with one task due reads and writes on DynamoDB, in the units that it reports, by size of the table.

    python benchmarks/wake_capacity.py                  1,000, 10,000 and 100,000 rows
    python benchmarks/wake_capacity.py --rows 100 500

It starts DynamoDB Local (`make emulators`), fills a table of each size, and lets the worker wake twice: once with
nothing due, when it says in the control row what it is, and then with one task due, which is counted. It ends with 1
when that wake reads more than `READ_UNITS_MAX`, or not the same at every size. The timer costs no units: it is one in
memory with the manners of EventBridge.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slowsched.aws import Account
from slowsched.backend import Backend
from slowsched.canonical import digests
from slowsched.execute import Registry, Runner
from slowsched.model import Retry, Row, Source, State, Task, Worker
from slowsched.store.codec import ROW_FORMAT, encode_row
from slowsched.store.dynamodb import AGENDA_INDEX, DynamoStore, bucket_of
from slowsched.timer.eventbridge import EventBridgeTimer
from slowsched.timer.memory import MemoryTimer
from slowsched.wake import WakeRequest, wake

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

READ_UNITS_MAX = 10.0
ROWS = (1_000, 10_000, 100_000)
# What inovex/cloudwatch-scheduler reads for the same: it scans its table, whatever is due.
OF_THE_ORIGINAL = {1_000: 13, 10_000: 127, 100_000: 1_285}

TESTS = Path(__file__).resolve().parent.parent / "tests"
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
APART = 10 * MINUTE  # more than a wake stays for
ROWS_A_CALL = 25  # what BatchWriteItem takes
CALLS_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to DynamoDB, and what it consumed."""

    name: str
    units: float

    @property
    def reads(self) -> bool:
        """Whether its units are read units."""
        return not self.name.startswith("PutItem")


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description="Measure the capacity that one wake consumes.")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, metavar="N", help="sizes of the tables")
    sizes = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="slowsched-bench-") as folder, _dynamodb(Path(folder)) as endpoint:
        _use(endpoint)
        calls = {size: _wake_of(size) for size in sizes}
    _print(calls)
    reads = {_units(each, reads=True) for each in calls.values()}
    return 0 if len(reads) == 1 and max(reads) <= READ_UNITS_MAX else 1


def _dynamodb(folder: Path) -> Any:
    sys.path.insert(0, str(TESTS))
    return importlib.import_module("emulators.dynamodb_local").dynamodb_local(folder, heap="-Xmx512m")


def _use(endpoint: str) -> None:
    """Let this process see the emulator in place of AWS, and nothing of this machine's own configuration."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


# --- the table -------------------------------------------------------------------------------------


def _make_table(dynamodb: Any, name: str) -> None:
    """Make a table as terraform/module/table.tf does."""
    bucket = {"AttributeName": "bucket", "KeyType": "HASH"}
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind}
            for attribute, kind in (("bucket", "N"), ("id", "S"), ("wake_at", "S"))
        ],
        KeySchema=[bucket, {"AttributeName": "id", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[
            {
                "IndexName": AGENDA_INDEX,
                "KeySchema": [bucket, {"AttributeName": "wake_at", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )


def _row(number: int) -> Row:
    """Return the row of a sale, `APART` from the next; the first is due."""
    task = Task(
        id=f"end of sale {number:06}",
        due=NOW + number * APART,
        action="APPLY_SALE",
        payload={"itemID": f"item {number:06}", "newPrice": 29.99, "salePercent": 50},
        retry=Retry(attempts=5, backoff=MINUTE, max_backoff=timedelta(hours=1)),
        timeout=timedelta(seconds=30),
        description="The price that was agreed on with purchasing, after the campaign",
        team="pricing",
    )
    return Row(
        task=task,
        digests=digests(task),
        owner="acme/shop/production",
        source=Source(path=f"tasks/2030/{number:06}.yaml", line=1, commit="0" * 40),
        state=State.SCHEDULED,
        wake_at=task.due,
        version=1,
        generation=1,
    )


def _requests(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        item = encode_row(_row(number), "0" * 16)
        typed: dict[str, Any] = {
            name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in item.items()
        }
        bucket = {"bucket": {"N": str(bucket_of(str(item["id"]), 1))}}
        yield {"PutRequest": {"Item": typed | bucket}}


def _fill(dynamodb: Any, table: str, count: int) -> None:
    def write(requests: Sequence[dict[str, Any]]) -> None:
        left = {table: list(requests)}
        while left:
            left = dynamodb.batch_write_item(RequestItems=left)["UnprocessedItems"]

    every = list(_requests(count))
    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        list(pool.map(write, (every[start : start + ROWS_A_CALL] for start in range(0, count, ROWS_A_CALL))))


# --- the wake --------------------------------------------------------------------------------------


def _wake_of(size: int) -> list[Call]:
    """Return the calls of a wake with one task due, in a table of so many rows."""
    print(f"filling a table of {size:,} rows", file=sys.stderr)
    account, table = Account(), f"rows-{size}"
    dynamodb = account.client("dynamodb")
    _make_table(dynamodb, table)
    _fill(dynamodb, table, size)
    backend = _backend(account, table)
    _wake(replace(backend, clock=lambda: NOW - APART))
    calls = _seen(dynamodb)
    _wake(_backend(account, table))
    return list(calls)


def _seen(dynamodb: Any) -> list[Call]:
    """Return a list that grows by every call of the client."""
    calls: list[Call] = []

    def ask(*, model: Any, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["asked"] = f"{model.name}{' of the agenda' if 'IndexName' in params else ''}"

    def note(*, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        consumed = parsed["ConsumedCapacity"]
        units = sum(each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else [consumed]))
        calls.append(Call(name=context["asked"], units=units))

    dynamodb.meta.events.register("provide-client-params.dynamodb", ask)
    dynamodb.meta.events.register("after-call.dynamodb", note)
    return calls


def _backend(account: Account, table: str) -> Backend:
    manners = {name: getattr(EventBridgeTimer, name) for name in ("lead", "propagation", "delivery")}
    tokens = iter(f"token {number}" for number in range(1_000_000))
    return Backend(
        environment="production",
        owner="acme/shop/production",
        store=DynamoStore(account, table),
        timer=MemoryTimer(**manners),
        clock=lambda: NOW,
        sleep=time.sleep,
        chance=lambda: 0.0,
        nonce=lambda: next(tokens),
    )


def _wake(backend: Backend) -> None:
    registry = Registry()
    registry.add("APPLY_SALE", lambda _payload, _attempt: None)
    worker = Worker(slowsched="0", row_format=ROW_FORMAT, actions=registry.names())
    wake(backend, Runner(registry), WakeRequest(announce=worker))


# --- the result ------------------------------------------------------------------------------------


def _units(calls: Sequence[Call], *, reads: bool) -> float:
    return sum(call.units for call in calls if call.reads is reads)


def _print(calls: dict[int, list[Call]]) -> None:
    print(f"{'rows':>9}  {'read units':>10}  {'write units':>11}  {'calls':>5}  the original reads")
    for size, each in calls.items():
        original = OF_THE_ORIGINAL.get(size, "")
        read, written = _units(each, reads=True), _units(each, reads=False)
        print(f"{size:>9,}  {read:>10g}  {written:>11g}  {len(each):>5}  {original:>18}")
    print("\nthe calls of the last, in order:")
    for call in list(calls.values())[-1]:
        print(f"{call.units:>9g}  {call.name}")


if __name__ == "__main__":
    sys.exit(main())
