"""Rows and control rows of a newer version, in a table that this one shares: shown, counted, and left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from command_line import AHEAD, PAST
from values import a_row

from slowsched.model import Control
from slowsched.store.codec import CONTROL_FORMAT, ROW_FORMAT, encode_control, encode_row
from slowsched.timing import parse_stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from command_line import Ran

REASON = f"a newer version of slowsched wrote it (format {ROW_FORMAT + 1}; this one reads {ROW_FORMAT})"
DAY_BEFORE = "2189-12-31T00:00:00Z"


def _plant(shop: Path, table: str, item: dict[str, Any]) -> None:
    names, marks = ", ".join(item), ", ".join("?" * len(item))
    with closing(sqlite3.connect(shop / ".slowsched/local.db")) as file, file:
        file.execute(f"REPLACE INTO {table} ({names}) VALUES ({marks})", tuple(item.values()))  # noqa: S608 - ours


def _rows(shop: Path) -> dict[str, dict[str, Any]]:
    with closing(sqlite3.connect(shop / ".slowsched/local.db")) as file:
        file.row_factory = sqlite3.Row
        return {row["id"]: dict(row) for row in file.execute("SELECT * FROM task_rows")}


@pytest.fixture(name="newer")
def _newer(run: Callable[..., Ran], declare: Callable[..., Path], shop: Path) -> dict[str, dict[str, Any]]:
    """A table with a task of ours that is due, and three newer rows: due, ahead, and with a file of ours."""
    declare("ours", due=DAY_BEFORE)
    declare("both", due=AHEAD)
    assert run("apply").status == 0
    for task_id, due in (("newer due", PAST), ("newer ahead", AHEAD), ("both", AHEAD)):
        item = encode_row(a_row(id=task_id, due=parse_stamp(due), version=9), "w")
        _plant(shop, "task_rows", item | {"format": ROW_FORMAT + 1, "spec": '{"of": "another kind"}'})
    return {name: row for name, row in _rows(shop).items() if name != "ours"}


def test_plan_and_apply_leave_newer_rows_alone(
    run: Callable[..., Ran], declare: Callable[..., Path], shop: Path, newer: dict[str, dict[str, Any]]
) -> None:
    """They are told; a file of ours with such a row blocks itself, and all other changes are made."""
    declare("new")
    told = [{"id": name, "reason": REASON} for name in ("newer ahead", "newer due")]  # `both` is a conflict
    plan = run("plan", "--format", "json")
    assert (plan.status, plan.document["unreadable"]) == (1, told)
    assert [(each["id"], each["kind"]) for each in plan.document["changes"]] == [
        ("both", "conflict"),
        ("new", "create"),
    ]
    apply = run("apply", "--format", "json")
    assert (apply.status, {each["id"]: each["result"] for each in apply.document["results"]}) == (
        6,
        {"both": "conflict", "new": "applied"},
    )
    assert {name: row for name, row in _rows(shop).items() if name in newer} == newer


def test_worker_executes_the_others(run: Callable[..., Ran], shop: Path, newer: dict[str, dict[str, Any]]) -> None:
    """A newer row that is due is passed over and named; what is due beside it runs, and the timer is armed."""
    wake = run("worker", "--fakenow", DAY_BEFORE, "--format", "json").document
    assert ([each["id"] for each in wake["attempts"]], wake["unreadable"]) == (["ours"], ["newer due"])
    assert {name: row for name, row in _rows(shop).items() if name in newer} == newer


@pytest.mark.parametrize("words", [("retry",), ("run", "--yes"), ("show",)], ids=lambda words: words[0])
def test_a_person_is_told_of_a_newer_row(
    run: Callable[..., Ran], shop: Path, newer: dict[str, dict[str, Any]], words: tuple[str, ...]
) -> None:
    """Whoever asks for one is told that it needs a newer slowsched, and it stays as it is."""
    ran = run(*words, "newer due")
    assert (ran.status, "a newer version of slowsched wrote it" in ran.stderr) == (1, True)
    assert {name: row for name, row in _rows(shop).items() if name in newer} == newer


@pytest.mark.usefixtures("newer")
def test_list_and_doctor_count_newer_rows(run: Callable[..., Ran]) -> None:
    """The list has what can be read and a word on the rest; doctor finds fault with it."""
    listed = run("list", "--format", "json")
    assert (listed.status, [row["id"] for row in listed.document["rows"]]) == (0, ["ours"])
    assert "3 of the rows cannot be read by this version: upgrade slowsched" in listed.stderr
    findings = {each["code"]: each["message"] for each in run("doctor", "--format", "json").document["findings"]}
    assert findings["unreadable"].startswith("3 rows left alone, because this version cannot read them: ")


@pytest.mark.parametrize(
    "words", [("apply",), ("worker", "--fakenow", DAY_BEFORE), ("pause",), ("resume",), ("unlock", "--yes")]
)
def test_a_newer_control_row_stops_every_command_that_writes(
    run: Callable[..., Ran], declare: Callable[..., Path], shop: Path, words: tuple[str, ...]
) -> None:
    """What it says decides whether anything may run: nothing does, and what to do is said."""
    declare("ours", due=DAY_BEFORE)
    assert run("apply").status == 0
    item = encode_control(Control(version=9), "w") | {"format": CONTROL_FORMAT + 1}
    _plant(shop, "control", {"id": "control"} | item)
    before = _rows(shop)
    ran = run(*words)
    assert (ran.status, "upgrade slowsched here" in ran.stderr, _rows(shop)) == (1, True, before)
