"""What must hold of every input, whatever its bytes: one function for each part that reads what others wrote.

A function takes bytes, and raises AssertionError, or whatever the part under test raised that it must not raise.
`fuzz.py` feeds them by coverage, `test_corpus.py` without it. No input may leave anything behind.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fuzz.items import check_control, check_row, check_use
from fuzz.places import check_problems, in_file
from fuzz.rules import RULES
from fuzz.settings import check_config
from fuzz.tasks import check_task
from other_yaml import read_alike, same
from values import COMMIT, DUE, OWNER, a_declared, a_row

from slowsched.errors import UsageError
from slowsched.model import Change, ChangeKind, Declared, Document, Plan, Problem
from slowsched.plan_file import differences, read_plan_file
from slowsched.source_text import decode, without_mark
from slowsched.task_file import declare, is_for
from slowsched.yaml_change import with_document
from slowsched.yaml_edit import holds, without_documents
from slowsched.yaml_reader import locate, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["TARGETS"]

BEYOND_QUICK = 2049  # blank lines before a text that make it too long for the quick reader, and change nothing else
EDITS: tuple[Any, ...] = (None, "no", {"a": [1, {"b": "x: y"}]}, [], "", 1.5, "\u2028 # \t'\"")


# --- files -----------------------------------------------------------------------------------------


def yaml_file(data: bytes) -> None:
    """A YAML file is documents or problems, read alike by both ways through it and by PyYAML; each is a task or not."""
    documents = _read("tasks/a.yaml", data)
    _check_both_ways(data, documents)
    _declare(documents)
    if documents and not without_mark(data).startswith(b"\xef\xbb\xbf"):
        assert read_alike(documents[0].text, [each.value for each in documents])


def json_file(data: bytes) -> None:
    """A JSON file is one document or problems; read as YAML it is the same, or refused."""
    documents = _read("tasks/a.json", data)
    assert len(documents) <= 1
    for document in documents:
        assert same(document.value, json.loads(document.text, object_pairs_hook=_each_once))
    _declare(documents)
    others, _ = read("tasks/a.yaml", data)
    if documents and others:
        assert [same(each.value, documents[0].value) for each in others] == [True]


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    assert len(value) == len(pairs)
    return value


def _read(path: str, data: bytes) -> list[Document]:
    documents, problems = read(path, data)
    assert bool(documents) != bool(problems)
    lines = _lines(data)
    check_problems(problems, lines)
    assert all(in_file(each.place.line, each.place.column, lines) for each in documents)
    return documents


def _lines(data: bytes) -> list[str]:
    text = without_mark(data).decode(errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _check_both_ways(data: bytes, documents: list[Document]) -> None:
    """Read a text again behind so many blank lines that only the way event by event is open."""
    text = without_mark(data)
    if isinstance(decode("tasks/a.yaml", text), Problem) or text.startswith(b"\xef\xbb\xbf"):
        return  # no text, which is no matter of YAML; a second mark means something at the very beginning only
    _, problems = read("tasks/a.yaml", data)
    slowly, found = read("tasks/a.yaml", b"\n" * BEYOND_QUICK + text)
    assert _said(found, BEYOND_QUICK) == _said(problems, 0)
    assert [(json.dumps(each.value), each.place.line - BEYOND_QUICK, each.place.column) for each in slowly] == [
        (json.dumps(each.value), each.place.line, each.place.column) for each in documents
    ]


def _said(problems: Sequence[Problem], lines: int) -> list[tuple[Any, ...]]:
    """Return problems without what names a line in words; what concerns the whole file stands at its beginning."""
    whole = {"empty-file"}
    return [
        (each.code, each.pointer, each.line - (0 if each.code in whole else lines), each.column) for each in problems
    ]


def _declare(documents: list[Document]) -> None:
    for document in documents:
        found = declare(document, RULES, locate)
        if isinstance(found, Declared):
            is_for(document, "production")
            check_task(found)
        else:
            assert found != []
            check_problems(found, _lines(document.text.encode()))


def edits(data: bytes) -> None:
    """A YAML text can be changed so that it says exactly what was asked for, or it is said that it cannot."""
    documents, _ = read("tasks/a.yaml", data)
    if not documents:
        return
    text, values = documents[0].text, [each.value for each in documents]
    for index, value in enumerate(values[:3]):
        rest = values[:index] + values[index + 1 :]
        left = without_documents(text, [index])
        assert left is None or holds(left, rest)
        for new in (*EDITS, *_variants(value)):
            edited = with_document(text, index, new)
            assert edited is None or holds(edited, [*values[:index], new, *values[index + 1 :]])


def _variants(value: Any) -> list[Any]:
    """Return a mapping without each of its keys, with each of them changed, and with one more."""
    if not isinstance(value, dict):
        return [[value, value]]
    keys = list(value)[:4]
    without = [{key: kept for key, kept in value.items() if key != gone} for gone in keys]
    return [*without, *(value | {key: "other: one"} for key in keys), value | {"one more": {"x": [1]}}]


def _change(task_id: str, kind: ChangeKind, notes: tuple[str, ...] = ()) -> Change:
    declared, row = a_declared(id=task_id, payload={"n": 1}), a_row(id=task_id)
    return Change(
        id=task_id, kind=kind, action="ANY", due=DUE, place=declared.place, notes=notes, before=row, declared=declared
    )


PLAN = Plan(
    environment="local",
    owner=OWNER,
    commit=COMMIT,
    now=DUE,
    digest="d" * 64,
    changes=(_change("a", ChangeKind.CREATE), _change("b", ChangeKind.UPDATE, ("runs-again",))),
    counts={"create": 1, "update": 1},
)


def plan_file(data: bytes) -> None:
    """The file of a plan is read, or refused with a word on what to do; what differs is told line by line."""
    try:
        filed = read_plan_file("plan.json", data)
    except UsageError:
        return
    assert all(isinstance(line, str) for line in differences(filed, PLAN))


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "yaml": yaml_file,
    "json": json_file,
    "edit": edits,
    "config": check_config,
    "row": check_row,
    "use": check_use,
    "control": check_control,
    "plan": plan_file,
}
