"""Where the rows and the timer of a killed process are: a SQLite file, or a table and a rule of emulators.

A ground keeps what it holds, and is made the same again for the next kill, on a table and a rule of their own: what
a killed process had on its way must not arrive in the next one's.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any, Protocol

from emulators.fixtures import REGION, client, unique_name
from on_aws import make_rule, variables

from slowsched.aws import Account
from slowsched.aws_backend import aws_backend
from slowsched.config import load_config
from slowsched.model import Row
from slowsched.timer.settings import TimerSettings
from slowsched.wiring import open_backend

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from slowsched.backend import Backend
    from slowsched.model import OwnerControl

OWNER = "acme/shop"
CONFIG = {"version": 1, "owner": OWNER}


class Ground(Protocol):
    """Rows and a timer, for one repository."""

    name: str
    environment: str
    variables: dict[str, str]

    def prepare(self, root: Path) -> None:
        """Write the config of a repository, with nothing in the store."""

    def keep(self) -> None:
        """Keep what there is now."""

    def restore(self) -> None:
        """Make it again what was kept."""

    def backend(self) -> Backend:
        """Return a backend to look with; its caller closes it."""


def rows_of(ground: Ground) -> dict[str, Row]:
    """Return every row by id; one that cannot be read fails."""
    with ground.backend() as backend:
        rows = backend.store.get_many([summary.id for summary in backend.store.rows()])
    assert all(isinstance(row, Row) for row in rows.values()), rows
    return dict(sorted(rows.items()))  # type: ignore[arg-type]


def timer_of(ground: Ground) -> tuple[datetime | None, datetime | None]:
    """Return what the timer is set to, and the earliest wake."""
    with ground.backend() as backend:
        return backend.timer.armed(), backend.store.next_wake()


def control_of(ground: Ground) -> OwnerControl:
    """Return what the control row says of the owner."""
    with ground.backend() as backend:
        return backend.store.control().of(backend.owner)


class SqliteGround:
    """The file of the local backend."""

    name = "SQLite"
    environment = "local"

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self._root: Path

    def prepare(self, root: Path) -> None:
        self._root = root
        (root / "slowsched.yaml").write_text(json.dumps(CONFIG), encoding="utf-8")

    def keep(self) -> None:
        shutil.rmtree(self._root / "kept", ignore_errors=True)
        shutil.copytree(self._root / ".slowsched", self._root / "kept")

    def restore(self) -> None:
        shutil.rmtree(self._root / ".slowsched")
        shutil.copytree(self._root / "kept", self._root / ".slowsched")

    def backend(self) -> Backend:
        return open_backend(load_config(self._root), self.environment)


class DynamoGround:
    """A table of DynamoDB Local, and a rule of MiniStack; `variables` must be those of this process as well."""

    name = "DynamoDB Local"
    environment = "production"

    def __init__(self, dynamodb: str, events: str) -> None:
        from aws.tables import make_table  # noqa: PLC0415 - it brings moto

        self._make_table = make_table
        self.variables = variables(dynamodb, AWS_ENDPOINT_URL_EVENTBRIDGE=events)
        self._account = Account(region=REGION)
        self._dynamodb, self._events = client("dynamodb", dynamodb), client("events", events)
        self._root: Path
        self._table, self._rule = "", ""
        self._kept: list[dict[str, Any]] = []
        self._expression = ""

    def prepare(self, root: Path) -> None:
        self._root = root
        self._make_anew()

    def keep(self) -> None:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
        self._kept = [item for page in pages for item in page["Items"]]
        self._expression = self._events.describe_rule(Name=self._rule)["ScheduleExpression"]

    def restore(self) -> None:
        self._dynamodb.delete_table(TableName=self._table)
        self._events.delete_rule(Name=self._rule)
        self._make_anew()
        self._events.put_rule(Name=self._rule, ScheduleExpression=self._expression, State="ENABLED")
        for at in range(0, len(self._kept), 25):
            puts = [{"PutRequest": {"Item": item}} for item in self._kept[at : at + 25]]
            answer = self._dynamodb.batch_write_item(RequestItems={self._table: puts})
            assert answer["UnprocessedItems"] == {}

    def backend(self) -> Backend:
        return aws_backend(
            self._account,
            table=self._table,
            timer=self._timer,
            environment=self.environment,
            owner=f"{OWNER}/{self.environment}",
        )

    @property
    def _timer(self) -> TimerSettings:
        return TimerSettings(kind="rule", name=self._rule)

    def _make_anew(self) -> None:
        self._table, self._rule = unique_name("rows"), unique_name("wake")
        self._make_table(self._dynamodb, self._table)
        make_rule(self._events, self._rule)
        timer = {"kind": "rule", "name": self._rule}
        settings = {"backend": "aws", "region": REGION, "table": self._table, "timer": timer}
        config = CONFIG | {"environments": {self.environment: settings}}
        (self._root / "slowsched.yaml").write_text(json.dumps(config), encoding="utf-8")
