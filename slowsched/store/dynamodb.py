"""A store in a DynamoDB table: one item a row, one conditional write a transition, a local index as the agenda.

Keys are `bucket` (a hash of the id, modulo the number of buckets of the table) and `id`; the index `agenda` has
`wake_at` instead (docs/decisions/0001). The control row is an item of the same table, of an id that no task has.
Every name in an expression is an alias: `state`, `owner` and hundreds more are reserved words.
"""

from __future__ import annotations

import heapq
import re
import unicodedata
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain
from operator import itemgetter
from threading import Lock
from typing import TYPE_CHECKING, Any

from slowsched.aws import PARALLEL_CALLS, aws_errors
from slowsched.errors import StoreError
from slowsched.store.base import new_write_id
from slowsched.store.codec import SUMMARY_ATTRIBUTES
from slowsched.store.items import ItemStore, Refused
from slowsched.timing import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from slowsched.aws import Account
    from slowsched.store.codec import Item

__all__ = ["AGENDA_INDEX", "BUCKETS_MAX", "CONTROL_ID", "KEYS_A_CALL", "DynamoStore", "bucket_of"]

AGENDA_INDEX = "agenda"
CONTROL_ID = " control"  # no task's id begins with a blank
BUCKETS_MAX = 64  # each is a query more of every wake; terraform/module holds the same
KEYS_A_CALL = 100  # what BatchGetItem takes

# Ids that a wake is given, and pays for, at a time: two read units of the index where as many are due.
_AGENDA_PAGE = 100

# An alias of every attribute that stands in an expression.
_AGENDA_NAMES = {"#bucket": "bucket", "#wake_at": "wake_at"}
_SUMMARY_ALIASES = {f"#{name}": name for name in SUMMARY_ATTRIBUTES}
_SUMMARY_NAMES = {**_SUMMARY_ALIASES, "#bucket": "bucket"}

_IS_NEW = {"ConditionExpression": "attribute_not_exists(#id)", "ExpressionAttributeNames": {"#id": "id"}}

# Terraform may have made the control row, with the number of buckets and version 0; that number is never changed.
_SAME_BUCKETS = "(attribute_not_exists(#buckets) OR #buckets = :buckets)"
_CONTROL_NAMES = {"#version": "version", "#buckets": "buckets"}
_CONTROL_IS_NEW_NAMES = {"#id": "id", **_CONTROL_NAMES}

_TOO_LARGE = re.compile(r"item size", re.IGNORECASE)
_OTHER_TABLE = re.compile(r"^(?!invalid table).*(key|schema|index)", re.IGNORECASE)


def bucket_of(task_id: str, buckets: int) -> int:
    """Return the bucket of a row: the same for every writing of the same text."""
    return zlib.crc32(unicodedata.normalize("NFC", task_id).encode()) % buckets


class DynamoStore(ItemStore):
    """A store in the table of an account; several threads may share it.

    `page_rows`: what a page of a walk holds, for tests; else what DynamoDB puts into 1 MB, and of the agenda
    what a wake is likely to need.
    """

    def __init__(
        self,
        account: Account,
        table: str,
        *,
        page_rows: int | None = None,
        write_ids: Callable[[], str] = new_write_id,
    ) -> None:
        super().__init__(write_ids=write_ids)
        self._account = account
        self._table = table
        self._page: dict[str, int] = {} if page_rows is None else {"Limit": page_rows}
        self._agenda_page = {"Limit": _AGENDA_PAGE} | self._page
        self._buckets: int | None = None  # not known yet
        self._lock = Lock()
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Let go of the threads and of the account's connections; others that share the account open them again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)
        self._account.close()

    # --- reading -----------------------------------------------------------------------------------

    def _read_rows(self, task_ids: Sequence[str]) -> Iterable[Item]:
        keys = [self._key(task_id) for task_id in task_ids if task_id != CONTROL_ID]
        if len(keys) <= 1:
            return [item for item in map(self._get, keys) if item is not None]
        pages = [keys[start : start + KEYS_A_CALL] for start in range(0, len(keys), KEYS_A_CALL)]
        if len(pages) == 1:
            return self._get_page(pages[0])
        return chain.from_iterable(self._threads().map(self._get_page, pages))

    def _get(self, key: Mapping[str, Any]) -> Item | None:
        with self._errors("read"):
            answer = self._client().get_item(
                TableName=self._table, Key=key, ConsistentRead=True, ReturnConsumedCapacity="TOTAL"
            )
        found = answer.get("Item")
        return _item(found) if found else None

    def _get_page(self, keys: list[dict[str, Any]]) -> list[Item]:
        """Return the items of up to `KEYS_A_CALL` keys.

        What an answer leaves out, for its size or because the table is throttled, is asked for again; an asking
        that brings nothing more goes on one by one, where the client waits between its tries and then gives up.
        """
        items: list[Item] = []
        while keys:
            with self._errors("read"):
                answer = self._client().batch_get_item(
                    RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}}, ReturnConsumedCapacity="TOTAL"
                )
            items += map(_item, answer["Responses"].get(self._table, ()))
            left = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if len(left) == len(keys):
                return items + [item for item in map(self._get, left) if item is not None]
            keys = left
        return items

    def _read_summaries(self) -> Iterator[Sequence[Any]]:
        """Yield the values of every row's summary; the control row is none."""
        for bucket in range(self._bucket_count()):
            found = self._query_pages(
                KeyConditionExpression="#bucket = :bucket",
                ExpressionAttributeNames=_SUMMARY_NAMES,
                ExpressionAttributeValues={":bucket": _number(bucket)},
                ProjectionExpression=", ".join(_SUMMARY_ALIASES),
                **self._page,
            )
            for item in found:
                values = [_value(item[name]) if name in item else None for name in SUMMARY_ATTRIBUTES]
                if values[0] != CONTROL_ID:
                    yield values

    def agenda(self, until: datetime) -> Iterator[str]:
        """Yield the ids that are due by `until`, page by page of each bucket; an index has no order within a moment."""
        bound = stamp(until)
        walks = [self._due(bucket, bound) for bucket in range(self._bucket_count())]
        return (task_id for _, task_id in heapq.merge(*walks, key=itemgetter(0)))

    def _due(self, bucket: int, until: str) -> Iterator[tuple[str, str]]:
        """Yield `wake_at` and id of what is due in a bucket."""
        found = self._query_pages(
            IndexName=AGENDA_INDEX,
            KeyConditionExpression="#bucket = :bucket AND #wake_at <= :until",
            ExpressionAttributeNames=_AGENDA_NAMES,
            ExpressionAttributeValues={":bucket": _number(bucket), ":until": {"S": until}},
            **self._agenda_page,
        )
        return ((item["wake_at"]["S"], item["id"]["S"]) for item in found)

    def _read_wake(self, after: str) -> str | None:
        found = (self._first_wake(bucket, after) for bucket in range(self._bucket_count()))
        return min((wake_at for wake_at in found if wake_at is not None), default=None)

    def _first_wake(self, bucket: int, after: str) -> str | None:
        """Return the least `wake_at` of a bucket above `after`; a key is never empty, so neither may a bound be."""
        answer = self._query_page(
            IndexName=AGENDA_INDEX,
            KeyConditionExpression="#bucket = :bucket AND #wake_at > :after",
            ExpressionAttributeNames=_AGENDA_NAMES,
            ExpressionAttributeValues={":bucket": _number(bucket), ":after": {"S": after or " "}},
            Limit=1,
        )
        return next((item["wake_at"]["S"] for item in answer["Items"]), None)

    def _query_pages(self, **question: Any) -> Iterator[dict[str, Any]]:
        """Yield what a query finds, page by page; one that is empty may have a next one."""
        start: dict[str, Any] = {}
        while True:
            answer = self._query_page(**question, **start)
            yield from answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _query_page(self, **question: Any) -> Any:
        with self._errors("read"):
            return self._client().query(
                TableName=self._table, ConsistentRead=True, ReturnConsumedCapacity="TOTAL", **question
            )

    # --- writing -----------------------------------------------------------------------------------

    def _write_row(self, item: Item, expect_version: int) -> Refused | None:
        task_id = str(item["id"])
        if task_id == CONTROL_ID:
            raise StoreError(f"no task can be called {task_id!r}", hint="the table keeps its control row there")
        condition = _has_version(expect_version) if expect_version else _IS_NEW
        return self._put(f"{task_id!r}", {**_typed(item), **self._key(task_id)}, condition)

    def _write_rows(self, writes: Sequence[tuple[Item, int]]) -> list[Refused | StoreError | None]:
        batch = _Batch(self._write_row)
        if len(writes) <= 1:
            return [batch.write(*write) for write in writes]
        return list(self._threads().map(batch.write, *zip(*writes, strict=True)))

    def _put(self, what: str, item: dict[str, Any], condition: Mapping[str, Any]) -> Refused | None:
        """Put an item on its condition; what stands in its place is in the refusal, else it is read."""
        with self._errors(f"write {what} into"):
            client = self._client()
            try:
                client.put_item(
                    TableName=self._table,
                    Item=item,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    ReturnConsumedCapacity="TOTAL",
                    **condition,
                )
            except client.exceptions.ConditionalCheckFailedException as error:
                found = error.response.get("Item")
                return Refused(found=_item(found) if found else self._get({name: item[name] for name in _KEYS}))
        return None

    # --- the control row ---------------------------------------------------------------------------

    def _read_control(self) -> Item | None:
        item = self._get(_CONTROL_KEY)
        if self._buckets is None:
            self._buckets = self._buckets_in(item)
        return _unless_new(item)

    def _write_control(self, item: Item, expect_version: int) -> Refused | None:
        buckets = self._bucket_count()
        wanted = {**_typed(item), **_CONTROL_KEY, "buckets": _number(buckets)}
        refused = self._put("the control row", wanted, _control_condition(expect_version, buckets))
        if refused is None:
            return None
        if refused.found is not None and self._buckets_in(refused.found) != buckets:
            raise StoreError(
                f"the table {self._table!r} was given another number of buckets meanwhile: it had {buckets}",
                hint="run it again; a table that has rows must keep its number",
            )
        return Refused(found=_unless_new(refused.found))

    def _buckets_in(self, control: Item | None) -> int:
        """Return the number of buckets that the control row tells."""
        found = 1 if control is None else control.get("buckets", 1)
        if not isinstance(found, int) or not 1 <= found <= BUCKETS_MAX:
            raise StoreError(
                f"the table {self._table!r} says that it has {found!r} buckets",
                hint=f"`buckets` of its item {CONTROL_ID!r} is a whole number from 1 to {BUCKETS_MAX}: set it to the "
                "one that the table was made with",
            )
        return found

    def _bucket_count(self) -> int:
        """Return how many buckets the table has, which never changes: read once."""
        if self._buckets is None:
            self._read_control()
        return self._buckets or 1

    # --- calling -----------------------------------------------------------------------------------

    def _key(self, task_id: str) -> dict[str, Any]:
        return {"bucket": _number(bucket_of(task_id, self._bucket_count())), "id": {"S": task_id}}

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(PARALLEL_CALLS, thread_name_prefix="slowsched-dynamodb")
            return self._pool

    def _client(self) -> Any:
        return self._account.client("dynamodb")

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        with aws_errors(StoreError, f"{doing} the table {self._table!r}"):
            try:
                yield
            except Exception as error:
                refused = _refused_as_invalid(error)
                if refused is None:
                    raise
                what, hint = refused
                raise StoreError(f"cannot {doing} the table {self._table!r}: {what}", hint=hint) from error


class _Batch:
    """The writes of one call: where one finds nobody that answers, those that were not sent yet fail with it.

    Each would wait as long as the first, which is no matter of the row.
    """

    def __init__(self, write: Callable[[Item, int], Refused | None]) -> None:
        self._write = write
        self._silent: StoreError | None = None

    def write(self, item: Item, expect_version: int) -> Refused | StoreError | None:
        """Do one of the writes."""
        if self._silent is not None:
            return self._silent
        try:
            return self._write(item, expect_version)
        except StoreError as error:
            if error.__cause__ is not None and _answer(error.__cause__) is None:
                self._silent = error
            return error


# --- conditions ------------------------------------------------------------------------------------


def _has_version(version: int) -> dict[str, Any]:
    return {
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": _number(version)},
    }


def _control_condition(version: int, buckets: int) -> dict[str, Any]:
    """Return the condition of a write of the control row; version 0 is also what Terraform has made."""
    expected = "#version = :version" if version else "(attribute_not_exists(#id) OR #version = :version)"
    return {
        "ConditionExpression": f"{expected} AND {_SAME_BUCKETS}",
        "ExpressionAttributeNames": _CONTROL_NAMES if version else _CONTROL_IS_NEW_NAMES,
        "ExpressionAttributeValues": {":version": _number(version), ":buckets": _number(buckets)},
    }


def _unless_new(control: Item | None) -> Item | None:
    """Return the control row, None where nobody has written it since Terraform made it."""
    return None if control is None or control.get("version") == 0 else control


# --- what DynamoDB says ----------------------------------------------------------------------------


def _answer(error: BaseException) -> dict[str, Any] | None:
    """Return the answer that an exception of botocore holds; None where no answer came."""
    answer = getattr(error, "response", None)
    return answer if isinstance(answer, dict) else None


def _refused_as_invalid(error: Exception) -> tuple[str, str] | None:
    """Return what is wrong, and the way out, where DynamoDB calls a question invalid for a reason known here."""
    found = (_answer(error) or {}).get("Error", {})
    message = " ".join(str(found.get("Message", "")).split())
    if found.get("Code") != "ValidationException":
        return None
    if _TOO_LARGE.search(message):
        return "it is larger than the 400 KB that DynamoDB takes", "make its payload smaller: a reference, not the data"
    if _OTHER_TABLE.search(message):
        return (
            f"the table is not made for slowsched ({message})",
            "make it with terraform/: keys `bucket` (number) and `id` (text), local secondary index `agenda`",
        )
    return None


# --- values ----------------------------------------------------------------------------------------


def _number(value: int) -> dict[str, str]:
    return {"N": str(value)}


def _typed(item: Item) -> dict[str, Any]:
    """Return an item as DynamoDB takes it."""
    return {name: {"S": value} if isinstance(value, str) else _number(value) for name, value in item.items()}


def _item(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item as `codec` takes it."""
    return {name: _value(typed) for name, typed in found.items()}


def _value(typed: Mapping[str, Any]) -> Any:
    """Return a text or a whole number; of anything else, which slowsched never wrote, bytes that `codec` refuses."""
    if "S" in typed:
        return typed["S"]
    with suppress(KeyError, ValueError):
        return int(typed["N"])
    return repr(dict(typed)).encode()


_KEYS = ("bucket", "id")
_CONTROL_KEY = {"bucket": _number(0), "id": {"S": CONTROL_ID}}
