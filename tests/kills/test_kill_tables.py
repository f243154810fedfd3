"""`kill -9` at every point of an apply of a hundred changes and of a wake: the next run finishes, nothing is lost.

All points on SQLite, where the many kills of an apply that leave the very same are followed by one run; a spread of
points on DynamoDB Local. SLOWSCHED_KILLS=all takes all, each with its run, as `python tests/kill_table.py` does.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from kills.grounds import DynamoGround, SqliteGround
from kills.scenes import SCENES
from kills.tables import line_of
from on_aws import account_on

if TYPE_CHECKING:
    from pathlib import Path

    from kills.tables import Line

ALL = os.environ.get("SLOWSCHED_KILLS") == "all"
SPREAD = dict.fromkeys(SCENES, 1) if ALL else {"apply": 57, "worker": 22}

# What is killed, how the fault is noticed, and the fault: a module, a text in it, and what stands in its place.
FAULTS = {
    "a claim is written as if it had succeeded": (
        "worker",
        "a success is recorded of what never ran",
        "agenda_walk",
        "row=step.row, expect_version=row.version) for",
        "row=replace(step.row, state=row.state.SUCCEEDED, claim=None, wake_at=None), expect_version=row.version) for",
    ),
    "a claim has no end": (
        "worker",
        "lost",
        "lifecycle",
        "wake_at=lease_end,\n        deferred_since=None,",
        "wake_at=None,\n        deferred_since=None,",
    ),
    "what succeeded wakes again": (
        "worker",
        "again",
        "lifecycle",
        "settled = _stop(closed, State.SUCCEEDED)",
        "settled = replace(closed, state=State.SUCCEEDED, claim=None)",
    ),
    "what is being applied is taken for applied": (
        "apply",
        "it did not finish",
        "apply",
        "in self._plan.changes if each.result is not None), key",
        "in self._plan.changes if not self._backend.store.control().of(self._backend.owner).applying), key",
    ),
    "the lock of the dead is never over": (
        "apply",
        "it did not finish",
        "control",
        "if mine.lock is not None and others and mine.lock.lease_end + CLOCK_SKEW > now:",
        "if mine.lock is not None and others:",
    ),
}


def harmful(line: Line) -> list[object]:
    """Return the kills by which something was lost or ran again, each with its point."""
    return [each for each in line.verdicts if each.lost or each.again]


@pytest.mark.parametrize("command", SCENES)
def test_a_kill_at_any_point_on_sqlite_loses_nothing(command: str, tmp_path: Path) -> None:
    """Before and after every statement that takes effect, and before and after every action."""
    line = line_of(tmp_path / command, command, SqliteGround(), once_a_state=not ALL)
    assert harmful(line) == []
    points = Counter(each.point for each in line.verdicts)
    if command == "apply":
        assert points["before INSERT INTO"] + points["before UPDATE task_rows"] == 101, "the changes, and the timer"
    else:
        assert points["before the action"] == points["after the action"] == 10
    assert min(points["before COMMIT"], points["after COMMIT"]) >= 9


@pytest.mark.parametrize("command", SCENES)
def test_a_kill_on_dynamodb_local_loses_nothing(
    command: str, dynamodb_local_endpoint: str, ministack_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a request is sent, and when its answer has come; the timer is a rule on MiniStack."""
    ground = DynamoGround(dynamodb_local_endpoint, ministack_endpoint)
    account_on(dynamodb_local_endpoint, monkeypatch, **ground.variables)
    line = line_of(tmp_path / command, command, ground, every=SPREAD[command], first=SPREAD[command] // 2)
    assert harmful(line) == []
    assert len(line.verdicts) >= 4


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(fault: str, tmp_path: Path) -> None:
    """The tables can fail: with each fault planted, tasks are lost or run again, or the next run cannot finish."""
    command, noticed, module, text, replacement = FAULTS[fault]
    planted = module, text, replacement
    try:
        line = line_of(tmp_path / "planted", command, SqliteGround(), every=29, first=14, faults=(planted,))
    except AssertionError as error:
        assert noticed in str(error)  # noqa: PT017 - it may also have come to its end
    else:
        assert noticed in {name for each in line.verdicts for name in ("lost", "again") if getattr(each, name)}
