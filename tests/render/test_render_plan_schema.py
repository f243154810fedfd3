"""The published schema of a plan: every plan is valid by it, and it is not easily pleased."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from render_values import EVERY_CHANGE, NOW, OWNER, PLANS
from values import COMMIT, HOUR, a_declared, a_retry, a_row

from slowsched.model import LateChoice, Plan, Row, State, Summary, Unreadable
from slowsched.plan import PlanOptions, PlanSetting, compare, make_plan
from slowsched.render.shapes import json_text, plan_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slowsched.model import Declared

_SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "plan.schema.json").read_text(encoding="utf-8"))
_VALIDATOR = Draft202012Validator(_SCHEMA)
_IDS = st.sampled_from(["a", "b", "c", "d", "e"])


def _document(plan: Plan) -> Any:
    return json.loads(json_text(plan_shape(plan)))


def _errors(document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in _VALIDATOR.iter_errors(document)]


def test_the_schema_is_a_schema() -> None:
    """The schema itself is valid by the draft that it names."""
    Draft202012Validator.check_schema(_SCHEMA)
    assert _SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize("name", PLANS)
def test_plan_is_valid(name: str) -> None:
    """A plan of every kind is valid by the schema."""
    assert _errors(_document(PLANS[name])) == []


def _times() -> st.SearchStrategy[Any]:
    return st.integers(-100, 100).map(lambda hours: NOW + timedelta(hours=hours))


def _tasks() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"id": _IDS, "due": _times(), "payload": st.sampled_from([{"n": 1}, {"n": 2}, [], None, "x", 1.5])},
        optional={
            "grace": st.just(6 * HOUR),
            "team": st.just("pricing"),
            "labels": st.just({"a": "b"}),
            "timezone": st.just("Europe/Berlin"),
            "protect": st.just(True),
            "retry": st.just(a_retry(attempts=7)),
        },
    )


def _unique(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, max_size=5, unique_by=lambda item: item["id"])


@settings(max_examples=200, deadline=None)
@given(
    _unique(_tasks()),
    _unique(st.tuples(_tasks(), st.sampled_from(State)).map(lambda pair: pair[0] | {"state": pair[1]})),
    st.sampled_from([None, *LateChoice]),
    st.frozensets(_IDS),
    st.lists(st.just(Unreadable(id="e", reason="format 2")), max_size=1),
)
def test_any_plan_is_valid(
    tasks: list[dict[str, Any]],
    rows: list[dict[str, Any]],
    late: LateChoice | None,
    named: frozenset[str],
    unreadable: list[Unreadable],
) -> None:
    """Whatever is declared and whatever is live, the plan of it is valid by the schema."""
    declared = [a_declared(own_grace="grace" in task, **task) for task in tasks]
    live: dict[str, Row | Unreadable] = {row["id"]: a_row(owner=OWNER, **row) for row in rows}
    live |= {each.id: each for each in unreadable}
    options = PlanOptions(late=late, supersede=named, allow_protected=named)
    assert _errors(_document(_planned(declared, live, options))) == []


def _planned(declared: Sequence[Declared], live: dict[str, Row | Unreadable], options: PlanOptions) -> Plan:
    setting = PlanSetting(
        environment="production",
        owner=OWNER,
        commit=COMMIT,
        now=NOW,
        lead=timedelta(seconds=90),
        delivery=timedelta(seconds=30),
    )
    comparison = compare(declared, [_summary(row) for row in live.values()], OWNER)
    return make_plan(comparison, live, setting, options)


def _summary(row: Row | Unreadable) -> Summary | Unreadable:
    if isinstance(row, Unreadable):
        return row
    names = ("id", "owner", "state", "wake_at", "expires_at")
    return Summary(task_digest=row.digests.task, **{name: getattr(row, name) for name in names})


_EVERY = _document(PLANS["every-change"])
_KINDS = {change.kind.value: number for number, change in reversed(list(enumerate(EVERY_CHANGE)))}


@pytest.mark.parametrize("key", _EVERY)
def test_every_key_is_required_and_described(key: str) -> None:
    """No key of a plan may be absent, and none is unknown to the schema."""
    assert _errors({name: value for name, value in _EVERY.items() if name != key}) == [
        f"$: {key!r} is a required property"
    ]
    assert key in _SCHEMA["properties"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format_version",), "2.0"),
        (("environment",), ""),
        (("commit",), 7),
        (("now",), "2026-11-24 12:00:30"),
        (("now",), "2026-11-24T12:00:30+00:00"),
        (("digest",), "9f86"),
        (("valid_until",), "tomorrow"),
        (("counts", "create"), -1),
        (("counts", "done"), "3"),
        (("pending",), 1.5),
        (("timer", "after"), ""),
        (("refused",), [{"code": "Not Kebab", "message": "x"}]),
        (("refused",), [{"code": "protected"}]),
        (("problems",), [{"path": "tasks/a.yaml"}]),
        (("unreadable",), ["id"]),
        (("changes", 0, "id"), ""),
        (("changes", 0, "id"), "x" * 129),
        (("changes", 0, "kind"), "replace"),
        (("changes", 0, "due"), None),
        (("changes", 0, "line"), 0),
        (("changes", 0, "notes"), ["Runs Again"]),
        (("changes", 0, "notes"), ["soon", "soon"]),
        (("changes", 0, "fields"), [{"pointer": "payload", "before": 1, "after": 2}]),
        (("changes", 0, "fields"), [{"pointer": "$.payload"}]),
        (("changes", _KINDS["create"], "before"), _EVERY["changes"][_KINDS["create"]]["after"]),
        (("changes", _KINDS["create"], "after"), None),
        (("changes", _KINDS["create"], "after", "retry"), None),
        (("changes", _KINDS["create"], "after", "timeout"), "half a minute"),
        (("changes", _KINDS["create"], "after", "labels"), {"a": 1}),
        (("changes", _KINDS["update"], "before"), None),
        (("changes", _KINDS["delete"], "after"), _EVERY["changes"][_KINDS["create"]]["after"]),
        (("changes", _KINDS["forget"], "message"), "why"),
        (("changes", _KINDS["late"], "message"), None),
        (("changes", _KINDS["conflict"], "message"), None),
    ],
)
def test_a_planted_fault_fails(path: tuple[str | int, ...], value: Any) -> None:
    """A document with one wrong value is not valid."""
    document = deepcopy(_EVERY)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert _errors(document) != []


@pytest.mark.parametrize("kind", _KINDS)
def test_every_key_of_a_change_is_required(kind: str) -> None:
    """A change of any kind has all of its keys."""
    for key in _EVERY["changes"][_KINDS[kind]]:
        document = deepcopy(_EVERY)
        del document["changes"][_KINDS[kind]][key]
        assert _errors(document) != []
