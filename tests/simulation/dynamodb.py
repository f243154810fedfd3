"""A table of DynamoDB as its client shows it to the production store: conditions, the index, pages, stale reads.

Compare-and-set on one item is atomic. A read that is not strongly consistent sees the table as it was up to
`LAG_SECONDS` ago. The expressions are those that `slowsched.store.dynamodb` writes, and no others.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sortedcontainers import SortedList

from simulation.network import ConditionFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulation.hub import Hub, Process
    from simulation.network import Wire

LAG_SECONDS = 3.0
INDEX = "agenda"
KEYS = ("bucket", "id")
LAST_ID = "\U0010ffff"  # above every id
CONTROL = " control"  # the id of the control row, which is no task's

Item = dict[str, dict[str, str]]
Key = tuple[str, str]  # bucket and id


class Table:
    """The items, and what each was before: for reads of the past, and for whoever watches."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.items: dict[Key, Item] = {}
        self.writes = 0
        self.agenda: dict[str, SortedList] = {}  # of each bucket: the moment and the id of what waits
        self._was: dict[Key, list[tuple[Any, Item | None]]] = {}
        self.watch: Callable[[Item | None, Item | None, Process | None], object] = lambda *_: None

    def set(self, key: Key, item: Item | None, process: Process | None) -> None:
        """Put an item, or take one away; who watches is told."""
        before = self.items.get(key)
        self.writes += 1
        self._keep_agenda(key, before, item)
        self._was.setdefault(key, []).append((self._hub.now, item))
        if item is None:
            self.items.pop(key, None)
        else:
            self.items[key] = item
        self.watch(before, item, process)

    def _keep_agenda(self, key: Key, before: Item | None, item: Item | None) -> None:
        agenda = self.agenda.setdefault(key[0], SortedList())
        if before is not None and "wake_at" in before:
            agenda.remove((before["wake_at"]["S"], key[1]))
        if item is not None and "wake_at" in item:
            agenda.add((item["wake_at"]["S"], key[1]))

    def first(self) -> Item | None:
        """Return the row that needs the worker first."""
        firsts = [(*agenda[0], bucket) for bucket, agenda in self.agenda.items() if agenda]
        return self.items[(min(firsts)[2], min(firsts)[1])] if firsts else None

    def due(self, until: str) -> bool:
        """Say whether a row needs the worker by a moment."""
        return any(agenda and agenda[0][0] <= until for agenda in self.agenda.values())

    def past(self, seconds: float) -> dict[Key, Item]:
        """Return the items as they were a while ago."""
        moment = self._hub.now - timedelta(seconds=seconds)
        found: dict[Key, Item] = {}
        for key, versions in self._was.items():
            item = next((item for since, item in reversed(versions) if since <= moment), None)
            if item is not None:
                found[key] = item
        return found


class Client:
    """The client of one process; what it sends goes over its wire."""

    exceptions = SimpleNamespace(ConditionalCheckFailedException=ConditionFailedError)

    def __init__(self, table: Table, wire: Wire, process: Process) -> None:
        self._table = table
        self._wire = wire
        self._process = process

    def close(self) -> None:
        """Let go of nothing."""

    def get_item(self, *, Key: Item, ConsistentRead: bool = False, **_: Any) -> dict[str, Any]:  # noqa: N803
        def read() -> dict[str, Any]:
            found = self._seen(ConsistentRead).get(_key(Key))
            return {} if found is None else {"Item": self._shown(found)}

        return self._wire.call("dynamodb", f"GetItem {_named(Key)}", read)

    def batch_get_item(self, *, RequestItems: Mapping[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        [(name, asked)] = RequestItems.items()
        keys, chance = asked["Keys"], self._process.chance
        left_out = [key for key in keys if len(keys) > 1 and chance.random() < 0.02]

        def read() -> dict[str, Any]:
            seen = self._seen(asked.get("ConsistentRead", False))
            found = [seen.get(_key(key)) for key in keys if key not in left_out]
            answer: dict[str, Any] = {"Responses": {name: [self._shown(each) for each in found if each is not None]}}
            if left_out:
                answer["UnprocessedKeys"] = {name: {"Keys": left_out}}
            return answer

        return self._wire.call("dynamodb", f"BatchGetItem of {len(keys)}", read)

    def query(self, *, ConsistentRead: bool = False, **asked: Any) -> dict[str, Any]:  # noqa: N803
        def read() -> dict[str, Any]:
            seen = self._seen(ConsistentRead)
            if ConsistentRead and asked.get("IndexName") == INDEX:
                return _page(self._waiting(asked), asked, self._shown)
            return _page(list(seen.values()), asked, self._shown)

        return self._wire.call("dynamodb", f"Query {asked.get('IndexName', 'table')}", read)

    def put_item(self, *, Item: Item, ConditionExpression: str, **condition: Any) -> dict[str, Any]:  # noqa: N803
        key, holds = _key(Item), _condition(ConditionExpression)
        names = condition["ExpressionAttributeNames"]
        values = condition.get("ExpressionAttributeValues", {})
        wanted = self._written(Item)

        def write() -> dict[str, Any]:
            found = self._table.items.get(key)
            if not holds(found or {}, names, values):
                raise ConditionFailedError(None if found is None else self._shown(found))
            self._table.set(key, wanted, self._process)
            return {}

        state = Item["state"]["S"] if "state" in Item else ""
        return self._wire.call("dynamodb", f"PutItem {_named(Item)} {state}", write, write=True)

    def _waiting(self, asked: Mapping[str, Any]) -> list[Item]:
        """Return what a page of the agenda can hold, from where the page before has ended; one more, if there is."""
        values, bucket = asked["ExpressionAttributeValues"], asked["ExpressionAttributeValues"][":bucket"]["N"]
        start = asked.get("ExclusiveStartKey")
        least = (values[":after"]["S"], LAST_ID) if ":after" in values else ("", "")
        if start is not None:
            least = _order(start)
        found = self._table.agenda.get(bucket, SortedList()).irange(least, inclusive=(False, True))
        return [self._table.items[(bucket, task_id)] for _, task_id in islice(found, asked.get("Limit", 10**9) + 1)]

    def _seen(self, consistent: bool) -> dict[Key, Item]:
        if consistent:
            return self._table.items
        return self._table.past(self._process.chance.uniform(0.0, LAG_SECONDS))

    def _written(self, item: Item) -> Item:
        """Return an item in the format of this process."""
        return item if self._process.row_format == 1 or _key(item)[1] == CONTROL else {**item, "format": {"N": "2"}}

    def _shown(self, item: Item) -> Item:
        """Return an item as this process reads it: a process of the newer format takes it for its own."""
        if self._process.row_format == 1 or item.get("format") != {"N": "2"}:
            return item
        return {**item, "format": {"N": "1"}}


def _key(item: Mapping[str, Any]) -> Key:
    return item["bucket"]["N"], item["id"]["S"]


def _named(item: Mapping[str, Any]) -> str:
    return item["id"]["S"].strip()


def _page(items: list[Item], asked: Mapping[str, Any], shown: Callable[[Item], Item]) -> dict[str, Any]:
    """Answer a query: one page in the order of the index, or of the ids."""
    indexed = asked.get("IndexName") == INDEX
    holds = _condition(asked["KeyConditionExpression"])
    names, values = asked["ExpressionAttributeNames"], asked["ExpressionAttributeValues"]
    found = [each for each in items if (not indexed or "wake_at" in each) and holds(each, names, values)]
    found.sort(key=_order)
    start = asked.get("ExclusiveStartKey")
    if start is not None:
        after = _order(start)
        found = [each for each in found if _order(each) > after]
    limit = asked.get("Limit", len(found))
    page = [{name: each[name] for name in (*KEYS, "wake_at")} if indexed else shown(each) for each in found[:limit]]
    if len(found) < limit or not page:
        return {"Items": page}
    # As DynamoDB does: a page that ends with the last item may still name a next one.
    return {
        "Items": page,
        "LastEvaluatedKey": {name: page[-1][name] for name in (*KEYS, "wake_at") if name in page[-1]},
    }


def _order(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["wake_at"]["S"] if "wake_at" in item else "", item["id"]["S"]


_TERMS = (
    (re.compile(r"attribute_not_exists\((#\w+)\)"), r"(names['\1'] not in item)"),
    (re.compile(r"attribute_exists\((#\w+)\)"), r"(names['\1'] in item)"),
    (re.compile(r"(#\w+) (<=|>|=) (:\w+)"), r"compared(item.get(names['\1']), '\2', values['\3'])"),
    (re.compile(r"\bAND\b"), "and"),
    (re.compile(r"\bOR\b"), "or"),
)


@lru_cache
def _condition(expression: str) -> Callable[[Mapping[str, Any], Mapping[str, str], Mapping[str, Any]], bool]:
    """Return an expression as a function of item, names and values."""
    source = expression
    for pattern, replacement in _TERMS:
        source = pattern.sub(replacement, source)
    code = compile(source, expression, "eval")

    def holds(item: Mapping[str, Any], names: Mapping[str, str], values: Mapping[str, Any]) -> bool:
        given = {"item": item, "names": names, "values": values, "compared": _compared}
        return bool(eval(code, {"__builtins__": {}}, given))  # noqa: S307 - the store's own expressions

    return holds


def _compared(found: Mapping[str, str] | None, operator: str, value: Mapping[str, str]) -> bool:
    if found is None:
        return False
    if operator == "=":
        return found == value
    return found["S"] <= value["S"] if operator == "<=" else found["S"] > value["S"]
