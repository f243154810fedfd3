"""A task that was read is worth its canonical text: written, read again, stored and planned, it stays the same."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from fuzz.rules import RULES

from slowsched import canonical, lifecycle
from slowsched.decision import Allowance, decide
from slowsched.lifecycle import Applier
from slowsched.model import Declared, Task
from slowsched.store.codec import decode_row, encode_row
from slowsched.task_file import declare
from slowsched.timing import DUE_MAX, DUE_MIN
from slowsched.yaml_reader import locate, read

if TYPE_CHECKING:
    from slowsched.model import Row

__all__ = ["check_task"]

SOON = timedelta(hours=1)


def check_task(declared: Declared) -> None:
    """Hold a declared task against itself, by every way that it goes from here."""
    task = declared.task
    written = canonical.text(canonical.task_document(task))
    assert canonical.text(json.loads(written)) == written
    assert canonical.task_from_document(json.loads(written)) == task
    assert DUE_MIN <= task.due <= DUE_MAX
    assert len(written.encode()) <= canonical.SPEC_BYTES_MAX
    _check_file(task, written)
    _check_row(declared)


def _check_file(task: Task, written: str) -> None:
    """Read the canonical text as a task file: the same task, the same digests."""
    document = json.loads(written)
    document.pop("sensitive", None)  # of the schema, not of the file
    text = canonical.text(document).encode()
    assert _declared("a.json", text) == [task]
    assert _declared("a.yaml", text) in ([], [task])


def _declared(path: str, data: bytes) -> list[Task]:
    documents, _ = read(path, data)
    tasks = []
    for document in documents:
        found = declare(document, RULES, locate)
        assert isinstance(found, Declared)
        assert canonical.digests(found.task) == canonical.digests(found.task)
        tasks.append(found.task)
    return tasks


def _check_row(declared: Declared) -> None:
    """Store the task's row, read it back, and plan the file over it: there is nothing to do."""
    now = declared.task.due - SOON
    by = Applier(owner="acme/shop/local", commit=None, now=now, soonest=now)
    row = lifecycle.create(declared, by)
    stored = decode_row(encode_row(row, "w"))
    assert stored == row
    assert decide(declared, _row(stored), by, Allowance()) is None


def _row(found: object) -> Row:
    assert isinstance(found, lifecycle.Row)
    return found
