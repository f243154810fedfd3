"""From a document to the task that it declares (what it is told when it declares none: tests/examples)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from repositories import PROJECT
from values import a_declared, a_place, a_retry, at

from slowsched import canonical
from slowsched.config import own_schema
from slowsched.json_schema import CompiledSchema, compile_schema
from slowsched.model import Declared, Document, Place, Problem
from slowsched.task_file import (
    DEFAULTS,
    Defaults,
    Rules,
    Violation,
    declare,
    declared_id,
    duplicate_id,
    is_for,
    read_defaults,
)
from slowsched.yaml_reader import locate, read
from slowsched.zones import PackagedZones

ANYTHING = compile_schema(True)
assert isinstance(ANYTHING, CompiledSchema)
RULES = Rules(
    task_schema=own_schema("task"),
    actions={"APPLY_SALE": ANYTHING},
    environments={"local", "production"},
    zones=PackagedZones(),
)

TASK = {
    "id": "some task id",
    "due": "2030-01-01T00:00:00Z",
    "action": "APPLY_SALE",
    "payload": {"itemID": "some item", "newPrice": 29.99, "salePercent": 50},
}


def a_document(text: str | None = None, **keys: Any) -> Document:
    """Return the document of a task file: this text, or the usual task with other keys (None: without it)."""
    value = {key: given for key, given in (TASK | keys).items() if given is not None}
    documents, problems = read("tasks/sale.yaml", (text or canonical.text(value)).encode())
    assert problems == []
    return documents[0]


def declared(rules: Rules = RULES, **keys: Any) -> Declared:
    """Return what the usual task with other keys declares."""
    found = declare(a_document(**keys), rules, locate)
    assert isinstance(found, Declared), found
    return found


def codes(text: str | None = None, **keys: Any) -> list[tuple[str, str]]:
    """Return pointer and code of every problem of a document."""
    found = declare(a_document(text, **keys), RULES, locate)
    assert isinstance(found, list), found
    return [(problem.pointer, problem.code) for problem in found]


# --- tasks -----------------------------------------------------------------------------------------


def test_seed_example() -> None:
    """The JSON of the original's own example is a task, with the defaults filled in."""
    text = (PROJECT / "tests/examples/valid/seed.json").read_bytes()
    (document,), _ = read("tasks/sale.json", text)
    assert declare(document, RULES, locate) == a_declared(
        due=at("2020-12-31T00:00:00Z"), place=a_place(path="tasks/sale.json")
    )


def test_everything() -> None:
    """All that a task may say is taken over; its own grace is marked as such."""
    assert declared(
        id="everything",
        due="2030-12-31T12:00:30.5+01:00",
        timezone="Europe/Berlin",
        description="Why",
        team="pricing",
        labels={"campaign": "winter"},
        environments=["production"],
        grace="6h",
        retry={"attempts": 3, "backoff": "10s", "max_backoff": "2m"},
        timeout="14m",
        protect=True,
    ) == a_declared(
        id="everything",
        due=datetime(2030, 12, 31, 11, 0, 30, 500_000, tzinfo=UTC),
        timezone="Europe/Berlin",
        description="Why",
        team="pricing",
        labels={"campaign": "winter"},
        grace=timedelta(hours=6),
        retry=a_retry(attempts=3, backoff=timedelta(seconds=10), max_backoff=timedelta(minutes=2)),
        timeout=timedelta(minutes=14),
        protect=True,
        place=a_place(),
        own_grace=True,
    )


def test_defaults() -> None:
    """What a task does not say has the default of the rules, a retry key by key; a default grace is not its own."""
    retry = a_retry(attempts=9, backoff=timedelta(seconds=5))
    defaults = Defaults(retry=retry, timeout=timedelta(minutes=2), grace=timedelta(days=2))
    rules = Rules(
        task_schema=RULES.task_schema,
        actions=RULES.actions,
        environments=RULES.environments,
        zones=RULES.zones,
        defaults=defaults,
    )
    assert declared(rules, retry={"max_backoff": "9m"}) == a_declared(
        retry=a_retry(attempts=9, backoff=timedelta(seconds=5), max_backoff=timedelta(minutes=9)),
        timeout=timedelta(minutes=2),
        grace=timedelta(days=2),
        own_grace=False,
    )


@pytest.mark.parametrize(
    ("due", "timezone", "moment"),
    [
        ("2030-01-01T00:00:00Z", None, "2030-01-01T00:00:00Z"),
        ("2030-01-01t12:00:30z", None, "2030-01-01T12:00:30Z"),
        ("2030-01-01T12:00:00+02:00", None, "2030-01-01T10:00:00Z"),
        ("2030-01-01T00:00:00-00:00", None, "2030-01-01T00:00:00Z"),
        ("2030-01-01T00:00:00.000001+05:30", None, "2029-12-31T18:30:00.000001Z"),
        ("2030-01-01T00:00:00.12Z", None, "2030-01-01T00:00:00.120000Z"),
        ("2030-07-01T12:00:00", "Europe/Berlin", "2030-07-01T10:00:00Z"),
        ("2030-01-01T12:00:00", "America/New_York", "2030-01-01T17:00:00Z"),
        ("2030-07-01T12:00:00", "UTC", "2030-07-01T12:00:00Z"),
        ("2030-07-01T12:00:00Z", "Europe/Berlin", "2030-07-01T12:00:00Z"),
        ("2030-07-01T12:00:00+02:00", "Europe/Berlin", "2030-07-01T10:00:00Z"),
        ("2150-07-01T12:00:00", "Europe/Berlin", "2150-07-01T10:00:00Z"),
        ("2028-02-29T00:00:00Z", None, "2028-02-29T00:00:00Z"),
        ("1970-01-01T00:00:00Z", None, "1970-01-01T00:00:00Z"),
        ("2199-12-31T23:59:59.999999Z", None, "2199-12-31T23:59:59.999999Z"),
        ("2200-01-01T00:30:00+01:00", None, "2199-12-31T23:30:00Z"),
    ],
)
def test_due(due: str, timezone: str | None, moment: str) -> None:
    """A due is the moment that its offset or its zone says, to the microsecond, in UTC."""
    found = declared(due=due, timezone=timezone).task.due
    assert (found, found.tzinfo) == (at(moment), UTC)


def test_id_is_normalised() -> None:
    """Two ways to write one id are one id."""
    assert declared(id="cafe\u0301").task.id == declared(id="caf\u00e9").task.id == "caf\u00e9"


def test_environments() -> None:
    """A task is for the environments that it names, and for all when it names none."""
    some, every = a_document(environments=["production"]), a_document()
    asked = ("production", "local", None)
    assert [is_for(some, name) for name in asked] == [True, False, True]
    assert [is_for(every, name) for name in asked] == [True, True, True]


# --- problems --------------------------------------------------------------------------------------


def test_problem() -> None:
    """A problem says where it is: file, line, column and pointer."""
    text = "id: x\ndue: 2030-01-01T12:00:00\naction: APPLY_SALE\npayload: {}\n"
    message = (
        "2030-01-01T12:00:00 is another moment in every place: "
        "write 2030-01-01T12:00:00Z, or the offset, or say `timezone: Europe/Berlin`"
    )
    assert declare(a_document(text), RULES, locate) == [
        Problem(path="tasks/sale.yaml", line=2, column=6, pointer="$.due", code="due-without-offset", message=message)
    ]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"due": "2030-03-31T02:30:00", "timezone": "Europe/Berlin"}, [("$.due", "due-in-dst-gap")]),
        ({"due": "2030-10-27T02:30:00", "timezone": "Europe/Berlin"}, [("$.due", "due-ambiguous")]),
        ({"due": "2030-06-01T02:30:00+01:00", "timezone": "Europe/Berlin"}, [("$.due", "due-offset-not-of-zone")]),
        ({"due": "1960-06-01T02:30:00+09:00", "timezone": "Europe/Berlin"}, [("$.due", "due-out-of-range")]),
        ({"due": "1960-06-01T02:30:00", "timezone": "Europe/Berlin"}, [("$.due", "due-out-of-range")]),
        ({"due": "2030-06-01T02:30:00", "timezone": "Nowhere"}, [("$.timezone", "unknown-timezone")]),
        ({"due": "2030-06-01T02:30:00", "timezone": 5}, [("$.timezone", "schema")]),
        ({"due": "2030-02-30T00:00:00Z"}, [("$.due", "due-not-a-time")]),
        ({"due": "2030-01-01"}, [("$.due", "due-not-a-time")]),
        ({"due": "2030-01-01 00:00:00Z"}, [("$.due", "due-not-a-time")]),
        ({"due": "\u0662030-01-01T00:00:00Z"}, [("$.due", "due-not-a-time")]),
        ({"due": 5}, [("$.due", "schema")]),
        ({"due": "2030-01-01T00:00:00", "timezone": None}, [("$.due", "due-without-offset")]),
        ({"due": None}, [("$", "missing-key")]),
        ({"id": "a\u200bb"}, [("$.id", "id-not-printable")]),
        ({"id": " a"}, [("$.id", "id-not-printable")]),
        ({"id": "\u0958" * 128}, [("$.id", "schema")]),
        ({"id": "x" * 129}, [("$.id", "schema")]),
        ({"id": 5}, [("$.id", "schema")]),
        ({"action": 5}, [("$.action", "schema")]),
        ({"action": "NOTHING"}, [("$.action", "unknown-action")]),
        ({"action": "not a name"}, [("$.action", "unknown-action")]),
        ({"payload": None}, [("$", "missing-key")]),
        ({"payload": [1]}, [("$.payload", "schema")]),
        ({"environments": "local"}, [("$.environments", "schema")]),
        (
            {"environments": ["local", 5, "moon"]},
            [("$.environments[2]", "unknown-environment"), ("$.environments[1]", "schema")],
        ),
        ({"grace": 5}, [("$.grace", "schema")]),
        ({"grace": "x" * 200}, [("$.grace", "bad-duration")]),
        ({"timeout": "15m"}, [("$.timeout", "timeout-too-long")]),
        ({"timeout": "0m"}, [("$.timeout", "bad-duration")]),
        ({"timeout": "soon"}, [("$.timeout", "bad-duration")]),
        ({"retry": 5}, [("$.retry", "schema")]),
        ({"retry": {"backoff": "x"}}, [("$.retry.backoff", "bad-duration")]),
        ({"retry": {"max_backoff": "x"}}, [("$.retry.max_backoff", "bad-duration")]),
        ({"retry": {"backoff": "61m"}}, [("$.retry", "bad-duration")]),
        ({"retry": {"max_backoff": "59s"}}, [("$.retry", "bad-duration")]),
    ],
)
def test_problem_codes(keys: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """One defect is one problem, with its own code where there is one."""
    assert codes(**keys) == expected


def test_payload() -> None:
    """The schema of the action has its say about the payload, at the place of the payload's own values."""
    price = compile_schema({"properties": {"newPrice": {"maximum": 20}, "itemID": {}}, "additionalProperties": False})
    assert isinstance(price, CompiledSchema)
    rules = Rules(
        task_schema=RULES.task_schema,
        actions={"APPLY_SALE": price},
        environments=RULES.environments,
        zones=RULES.zones,
    )
    text = "id: x\ndue: 2030-01-01T12:00:00Z\naction: APPLY_SALE\npayload:\n  newPrice: 30\n  itemId: y\n"
    found = declare(a_document(text), rules, locate)
    assert isinstance(found, list)
    assert sorted((problem.line, problem.column, problem.pointer, problem.code) for problem in found) == [
        (5, 13, "$.payload.newPrice", "schema"),
        (6, 3, "$.payload.itemId", "unknown-key"),
    ]


@pytest.mark.parametrize("text", ["[]", "text", "5", "null"])
def test_no_mapping(text: str) -> None:
    """A document that is no mapping is one problem."""
    assert codes(text) == [("$", "schema")]


def test_offset_with_seconds() -> None:
    """Where a zone's offset had seconds, a candidate to paste is written in UTC."""
    found = declare(a_document(due="1972-01-07T00:30:00", timezone="Africa/Monrovia"), RULES, locate)
    assert isinstance(found, list)
    message = (
        "1972-01-07T00:30:00 does not exist in Africa/Monrovia, where the clocks jump over it: "
        "write 1972-01-07T00:30:00Z or 1972-01-07T01:14:30+00:00"
    )
    assert [problem.message for problem in found] == [message]


def test_candidates_can_be_pasted() -> None:
    """What is offered instead of a time in a gap, or twice there, or with a wrong offset, is in order."""
    offered = []
    for due in ("2030-03-31T02:30:00", "2030-10-27T02:30:00", "2030-06-01T02:30:00-05:00"):
        found = declare(a_document(due=due, timezone="Europe/Berlin"), RULES, locate)
        assert isinstance(found, list)
        offered += re.findall(r"2030-\S+", found[0].message.partition(" write ")[2])
    assert [declared(due=due, timezone="Europe/Berlin").task.due for due in offered] == [
        at("2030-03-31T00:30:00Z"),
        at("2030-03-31T01:30:00Z"),
        at("2030-10-27T00:30:00Z"),
        at("2030-10-27T01:30:00Z"),
        at("2030-06-01T07:30:00Z"),
    ]


def test_too_large() -> None:
    """A task above 64 KB of canonical text is refused, one of exactly that size is not."""
    room = canonical.SPEC_BYTES_MAX - len(canonical.text(canonical.task_document(declared(payload={"a": ""}).task)))
    assert declared(payload={"a": "x" * room}).task.payload == {"a": "x" * room}
    assert codes(payload={"a": "é" * (room // 2 + 1)}) == [("$", "spec-too-large")]


def test_large_file_of_small_tasks() -> None:
    """The size of its file is no fault of a task."""
    text = f"# {'x' * 100_000}\n" + canonical.text(TASK)
    assert isinstance(declare(a_document(text), RULES, locate), Declared)


# --- ids, defaults of the config -------------------------------------------------------------------


def test_declared_id() -> None:
    """The id of a document with problems is known as far as it states one."""
    texts = ['{"id": "cafe\u0301"}', '{"id": 5}', "{}", "[]"]
    assert [declared_id(a_document(text)) for text in texts] == ["caf\u00e9", None, None, None]


def test_duplicate_id() -> None:
    """The second task of an id names where the first one is."""
    first = Place(path="tasks/first.yaml", line=7)
    assert duplicate_id(a_document("due: x\nid: y\n"), "y", first, locate) == Problem(
        path="tasks/sale.yaml",
        line=2,
        column=5,
        pointer="$.id",
        code="duplicate-id",
        message="the id 'y' is declared at tasks/first.yaml:7 already",
    )


def test_read_defaults() -> None:
    """The config's defaults are checked as a task's own words are."""
    found: list[Violation] = []
    assert read_defaults({}, found) == DEFAULTS
    assert read_defaults({"timeout": "2m", "grace": "2d", "retry": {"attempts": 2}}, found) == Defaults(
        retry=a_retry(attempts=2), timeout=timedelta(minutes=2), grace=timedelta(days=2)
    )
    assert found == []
    read_defaults({"timeout": "1h", "grace": "x", "retry": {"backoff": "2h"}}, found, "defaults")
    assert [(violation.way, violation.code) for violation in found] == [
        (("defaults", "retry"), "bad-duration"),
        (("defaults", "timeout"), "timeout-too-long"),
        (("defaults", "grace"), "bad-duration"),
    ]
