"""Appliers of two owners, workers and persons race on one store, in three processes of six threads each.

On a SQLite file, on a table of DynamoDB Local, and on such a table with a fifth of all answers to writes lost. The
races last as long as SLOWSCHED_RACE_SECONDS says; each check is shown to fail where a rule is broken.
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest
from aws.tables import raw_client, table_of
from emulators.fault_proxy import fault_proxy
from kills.launcher import environment
from on_aws import account_on, variables
from races.course import come_to_rest, locks_in, race, rows_in
from races.judge import wrong_in
from races.racing import Spec

from slowsched.aws import CALL_TRIES
from slowsched.store.dynamodb import CONTROL_ID

if TYPE_CHECKING:
    from pathlib import Path

    from emulators.fault_proxy import Request

SECONDS = float(os.environ.get("SLOWSCHED_RACE_SECONDS", "2"))
SECONDS_BROKEN = 1.0
RACES_BROKEN = 4  # at most, until a fault is noticed that shows where one of few writes is hit
SEED = int(os.environ.get("SLOWSCHED_RACE_SEED", "1"))
LOST_SHARE = 0.2  # of the answers to writes
FOR_GOOD = 10**9

NO_VERSION_IN_SQLITE = ("store.sqlite", "WHERE id = ? AND version = ?", "WHERE id = ? AND ? >= 0")
NO_VERSION_IN_DYNAMODB = (
    "store.dynamodb",
    '"ConditionExpression": "#version = :version"',
    '"ConditionExpression": "#version >= :version OR #version < :version"',
)
NO_WRITE_ID = ("store.items", 'refused.found.get("write_id") == item["write_id"]', "False")


def judged(spec: Spec, environment: dict[str, str], *, lossy: bool = False) -> tuple[Counter[str], list[str]]:
    """Race, come to rest, and return what was noted how often, and what is wrong."""
    notes = race(spec, environment)
    raced, locked = rows_in(spec), locks_in(spec)
    rest, wrong = come_to_rest(spec)
    applied = (f"apply: {result}" for note in notes if "results" in note for result in note["results"].values())
    return Counter([*(note["what"] for note in notes), *applied]), [
        *locked,
        *wrong,
        *wrong_in(notes, rest, raced, rows_in(spec), lossy=lossy),
    ]


def on_sqlite(folder: Path, *faults: tuple[str, str, str], seconds: float = SECONDS) -> tuple[Counter[str], list[str]]:
    """Race on a file."""
    spec = Spec(file=str(folder / "local.db"), seconds=seconds, seed=SEED, faults=faults)
    return judged(spec, environment(folder))


class Table:
    """A table on DynamoDB Local, which the racers reach through a proxy that loses answers, or directly."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self._endpoint = endpoint
        self._folder = folder
        self.lost = 0

    def race(
        self, *faults: tuple[str, str, str], lose: bool = False, seconds: float = SECONDS
    ) -> tuple[Counter[str], list[str]]:
        """Race on a new table."""
        table = table_of(raw_client(self._endpoint))
        spec = Spec(file=str(self._folder / "local.db"), table=table, seconds=seconds, seed=SEED, faults=faults)
        around = environment(self._folder)
        if not lose:
            return judged(spec, around | variables(self._endpoint))
        losing = _Losing()
        with fault_proxy(self._endpoint) as proxy:
            proxy.lose_answers(FOR_GOOD, matching=losing)
            found = judged(spec, around | variables(proxy.url), lossy=True)
        self.lost = sum(losing.lost.values())
        return found


class _Losing:
    """Says which answers are lost: a share of those to writes; of a row's write be it all, and then nobody is told.

    Not all of a write of the control row: a lock that was taken, and of which its holder is not told, is held.
    """

    def __init__(self) -> None:
        self._random = Random(SEED)  # noqa: S311 - which answers are lost, no secrets
        self.lost: Counter[str] = Counter()

    def __call__(self, request: Request) -> bool:
        """Say whether the answer to this request is lost."""
        if request.operation != "PutItem" or self._random.random() >= LOST_SHARE:
            return False
        item = request.document["Item"]
        write_id = item["write_id"]["S"]
        if item["id"]["S"] == CONTROL_ID and self.lost[write_id] == CALL_TRIES - 1:
            return False
        self.lost[write_id] += 1
        return True


@pytest.fixture
def table(dynamodb_local_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Return a table to race on; this process looks at it directly."""
    account_on(dynamodb_local_endpoint, monkeypatch)
    return Table(dynamodb_local_endpoint, tmp_path)


def was_a_race(noted: Counter[str]) -> bool:
    """Say whether so much happened that the race can show anything."""
    return min(noted["run"], noted["outcome"], noted["apply: applied"]) > 0


def test_a_race_on_one_sqlite_file(tmp_path: Path) -> None:
    """Each execution is made and recorded once, no edit that was acknowledged is lost, nothing goes back."""
    noted, wrong = on_sqlite(tmp_path)
    assert (wrong, was_a_race(noted)) == ([], True), noted


def test_a_race_on_one_table(table: Table) -> None:
    """The same on DynamoDB Local, where nobody waits for anybody."""
    noted, wrong = table.race()
    assert (wrong, was_a_race(noted)) == ([], True), noted


def test_a_race_in_which_answers_are_lost_after_the_server_has_acted(table: Table) -> None:
    """Nothing is lost, nothing runs again after its success was recorded, and no edit is told to be what it is not."""
    noted, wrong = table.race(lose=True)
    assert (wrong, was_a_race(noted), table.lost > 0) == ([], True, True), noted


def test_without_the_condition_on_the_version_the_race_on_sqlite_goes_wrong(tmp_path: Path) -> None:
    """The checks can fail: writes over what was written since are noticed."""
    _, wrong = on_sqlite(tmp_path, NO_VERSION_IN_SQLITE, seconds=SECONDS_BROKEN)
    assert wrong != []


def test_without_the_condition_on_the_version_the_race_on_a_table_goes_wrong(table: Table) -> None:
    """The same on DynamoDB Local."""
    _, wrong = table.race(NO_VERSION_IN_DYNAMODB, seconds=SECONDS_BROKEN)
    assert wrong != []


def test_without_the_write_id_lost_answers_are_noticed(table: Table) -> None:
    """An apply that takes its own write for another's tells of a conflict that is none."""
    assert any(table.race(NO_WRITE_ID, lose=True)[1] for _ in range(RACES_BROKEN))
