"""The examples in the documents: each is what it is said to be."""

from __future__ import annotations

import json
import re
import shutil
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from documents import PROJECT, blocks, codes, rows, section
from values import a_row

from slowsched.action_loader import load_actions
from slowsched.config import load_config
from slowsched.execute import Attempt, run_attempt
from slowsched.model import Outcome, OutcomeKind
from slowsched.repository import Scan
from slowsched.yaml_reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from slowsched.model import Declared, Problem

TASK_FILES = "docs/task-files.md"
README = "README.md"
SETTINGS = next(block for block in blocks(TASK_FILES, "yaml") if block.startswith("version:"))
TASKS = [
    *((path, "yaml", block) for path in (README, TASK_FILES) for block in blocks(path, "yaml") if "\naction:" in block),
    *((TASK_FILES, "json", block) for block in blocks(TASK_FILES, "json") if '"action"' in block),
]
SCHEMA = next(block for block in blocks(TASK_FILES, "json") if '"$schema"' in block)
(ACTIONS,) = blocks(TASK_FILES, "python")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository with the settings, the schema and the action of the documents."""
    (tmp_path / "slowsched.yaml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "tasks").mkdir()
    schemas = tmp_path / "schemas" / "actions"
    schemas.mkdir(parents=True)
    shutil.copy(PROJECT / "schemas" / "actions" / "APPLY_SALE.schema.json", schemas)
    (schemas / "PUBLISH_FILM.schema.json").write_text(SCHEMA, encoding="utf-8")
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "actions.py").write_text(ACTIONS, encoding="utf-8")
    return tmp_path


def _scanned(root: Path, name: str, text: str) -> tuple[list[Declared], list[Problem]]:
    (root / "tasks" / name).write_text(text, encoding="utf-8")
    scan = Scan(load_config(root))
    return list(scan), list(scan.problems)


@pytest.mark.parametrize(("path", "ending", "text"), TASKS)
def test_a_task_file_in_a_document_is_valid(root: Path, path: str, ending: str, text: str) -> None:
    """Each task file that a document shows declares one task, without a problem."""
    declared, problems = _scanned(root, f"example.{ending}", text)
    assert (path, len(declared), problems) == (path, 1, [])


def test_there_are_task_files_in_the_documents() -> None:
    """The README shows a task file, and the reference one of each kind."""
    assert [(path, ending) for path, ending, _ in TASKS] == [
        (README, "yaml"),
        (TASK_FILES, "yaml"),
        (TASK_FILES, "json"),
    ]


REFUSED = [
    (codes(written)[0], codes(code)[0]) for written, code in rows(section(TASK_FILES, "What the reader refuses"))
]


@pytest.mark.parametrize(("written", "code"), REFUSED)
def test_what_the_reader_refuses(written: str, code: str) -> None:
    """A value of the table gets its code, whatever else may be said of it."""
    documents, problems = read("example.yaml", f"value: {written}\n".encode())
    assert (documents, code in {found.code for found in problems}) == ([], True)


TIMES = [row for row in rows(section(TASK_FILES, "Time")) if "T" in row[0] or "refused" in row[1]]


@pytest.mark.parametrize(("written", "said"), TIMES)
def test_a_time_is_what_the_table_says(root: Path, written: str, said: str) -> None:
    """A due of the table is the moment that it names, or is refused with its code."""
    due, *zone = codes(written)
    text = "\n".join([f"due: {due}", *zone, "id: a", "action: PUBLISH_FILM", "payload: {film: a, countries: [de]}"])
    declared, problems = _scanned(root, "example.yaml", text)
    if "refused" in said:
        assert ([each.code for each in problems], declared) == (codes(said), [])
    else:
        assert ([f"{each.task.due:%FT%TZ}" for each in declared], problems) == (["2030-11-29T08:00:00Z"], [])


@pytest.mark.parametrize("text", codes(section(TASK_FILES, "Durations")))
def test_a_duration_in_the_documents_is_one(root: Path, text: str) -> None:
    """What the section on durations shows is taken, and its unit is known."""
    if text in {"s", "m", "h", "d"}:
        text = f"1{text}"
    settings = f"version: 1\nowner: acme/shop\ndefaults: {{grace: {text}}}\n"
    (root / "slowsched.yaml").write_text(settings, encoding="utf-8")
    assert load_config(root).defaults.grace is not None


@pytest.fixture
def imports() -> Iterator[None]:
    """Forget afterwards what a test imported, and from where."""
    path, loaded = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - loaded.keys():
        del sys.modules[name]
    sys.modules.update(loaded)


def _attempt(payload: dict[str, Any]) -> Attempt:
    row = a_row(action="PUBLISH_FILM", payload=payload, attempt=1)
    return Attempt.of_row(row, row.task.due)


@pytest.mark.usefixtures("imports")
def test_the_action_in_the_documents_is_idempotent(root: Path) -> None:
    """The module loads; its action does its work once for a key, and fails for good where it says so."""
    function = load_actions(root / "worker" / "actions.py", root).get("PUBLISH_FILM")
    assert function is not None
    payload = {"film": "Momo", "countries": ["de"]}
    lost = {**payload, "film": "withdrawn for ever"}
    outcomes = [run_attempt(function, each, _attempt(each), timedelta(seconds=5)) for each in (payload, payload, lost)]
    assert outcomes == [
        Outcome(kind=OutcomeKind.SUCCEEDED, message='{"changed":true,"film":"Momo"}'),
        Outcome(kind=OutcomeKind.SUCCEEDED, message='{"changed":false,"film":"Momo"}'),
        Outcome(
            kind=OutcomeKind.FAILED,
            message="PermanentError: 'withdrawn for ever' has no licence: nobody need try again",
            retryable=False,
        ),
    ]


def test_the_attributes_of_an_attempt_are_named() -> None:
    """The section on actions names everything that an attempt has."""
    told = set(codes(section(TASK_FILES, "An action and its schema")))
    assert set(Attempt.__dataclass_fields__) - told == set()


def test_the_schema_in_the_documents_holds_its_payloads(root: Path) -> None:
    """The payload schema of the documents takes the payload of its action, and names a mistyped key."""
    task = {
        "id": "a",
        "due": "2030-01-01T00:00:00Z",
        "action": "PUBLISH_FILM",
        "payload": {"film": "a", "countries": ["de"]},
    }
    assert _scanned(root, "good.json", json.dumps(task))[1] == []
    task["payload"] = {"film": "a", "country": ["de"]}
    problems = _scanned(root, "good.json", json.dumps(task))[1]
    assert sorted(each.code for each in problems) == ["missing-key", "unknown-key"]


def test_the_settings_in_the_documents_are_the_defaults_but_for_grace(root: Path) -> None:
    """What slowsched.yaml of the documents states is what holds when it is left out; only grace has no default."""
    stated = load_config(root)
    kept = re.sub(r"(?s)\ntasks:.*?(?=\nenvironments:)", "", SETTINGS)
    (root / "slowsched.yaml").write_text(kept, encoding="utf-8")
    left_out = load_config(root)
    assert left_out.defaults.grace is None
    assert (stated.tasks, stated.schemas, stated.actions) == (left_out.tasks, left_out.schemas, left_out.actions)
    assert (stated.defaults.retry, stated.defaults.timeout) == (left_out.defaults.retry, left_out.defaults.timeout)
    assert (stated.max_deletes, stated.max_delete_percent) == (left_out.max_deletes, left_out.max_delete_percent)
    assert stated.environments == left_out.environments
