"""The files and rows of the plans that are kept in `tests/golden/`: every kind of change, and a sensitive payload.

They are never changed: an older version has made a plan of them, and a newer one is asked to apply it.
"""

from __future__ import annotations

from typing import Any

from planning import EDITED_DUE, NOW, PASSED, PRICE_EDIT, planned, setting
from values import HOUR, a_declared, a_place, a_row

from slowsched.model import Declared, Plan, Row, State

__all__ = ["plan_of_every_kind", "plan_of_secrets"]


def _file(name: str, **overrides: Any) -> Declared:
    return a_declared(id=name, place=a_place(path=f"tasks/{name}.yaml", line=3), **overrides)


FILES = [
    _file("created"),
    _file("edited", due=EDITED_DUE, **PRICE_EDIT),
    _file("policy", team="pricing", grace=HOUR, labels={"campaign": "black-friday"}),
    _file("runs again", due=EDITED_DUE),
    _file("late", due=NOW - HOUR),
    _file("running", **PRICE_EDIT),
    _file("restored"),
    _file("Grüße \U0001f600"),
    _file("unchanged"),
    _file("done"),
]
ROWS: list[Row] = [
    a_row(id="edited"),
    a_row(id="policy"),
    a_row(id="runs again", state=State.SUCCEEDED, version=3),
    a_row(id="running", state=State.RUNNING, version=2),
    a_row(id="restored", state=State.SUCCEEDED, version=4, expires_at=PASSED),
    a_row(id="deleted", protect=False),
    a_row(id="forgotten", state=State.MISSED, version=2),
    a_row(id="unchanged"),
    a_row(id="done", state=State.SUCCEEDED, version=3),
]


def plan_of_every_kind() -> Plan:
    """Return a plan with every kind of change."""
    return planned(FILES, ROWS, where=setting())


def plan_of_secrets() -> Plan:
    """Return a plan that creates a task with a sensitive value, and one that edits such a value."""
    secret = {"payload": {"token": "hunter22"}, "sensitive": ("$.payload.token",)}
    edited = {"payload": {"token": "hunter23"}, "sensitive": ("$.payload.token",)}
    return planned([_file("created", **secret), _file("edited", **edited)], [a_row(id="edited", **secret)])
