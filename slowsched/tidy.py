"""Which tasks are done for so long that their files may go, and the removal of those files.

A file goes only when its task has succeeded, as the file says it, in every environment that it is for; the rows
stay, and an apply forgets them (docs/state-machine.md). Nothing here asks a person, and git is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slowsched.canonical import digests
from slowsched.errors import ProblemsError, UsageError
from slowsched.model import HistoryOutcome, Row, State
from slowsched.source_text import decode, read_bytes
from slowsched.task_file import is_for
from slowsched.work_tree import replace_file
from slowsched.yaml_edit import without_documents
from slowsched.yaml_reader import is_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from slowsched.config import Config
    from slowsched.store.base import Store
    from slowsched.work_tree import Entry, Reading

    Done = Mapping[str, tuple[str, datetime]]

__all__ = ["Tidied", "choose", "read_done", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What tidy finds: entries whose documents go, and entries that are done as long but stay, with the reason."""

    going: tuple[Entry, ...]
    staying: tuple[tuple[Entry, str], ...] = ()


def read_done(store: Store, owner: str, ids: Iterable[str]) -> dict[str, tuple[str, datetime]]:
    """Return the digest and the end of every success that is the last word on its task."""
    found = store.get_many(sorted(set(ids)))
    done = {}
    for task_id, row in found.items():
        ended = _ended(row) if isinstance(row, Row) and row.owner == owner else None
        if ended is not None and isinstance(row, Row):
            done[task_id] = (row.digests.execution, ended)
    return done


def _ended(row: Row) -> datetime | None:
    if row.state is not State.SUCCEEDED:
        return None
    ends = [
        entry.finished_at
        for entry in row.history
        if entry.generation == row.generation and entry.outcome is HistoryOutcome.SUCCEEDED and entry.finished_at
    ]
    return ends[-1] if ends else None


def choose(
    reading: Reading,
    done: Mapping[str, Done],
    unasked: Mapping[str, str],
    *,
    now: datetime,
    older_than: timedelta,
) -> Tidied:
    """Choose the entries that go: done in every environment that each is for, as their files say it, for long enough.

    `done` has, of each environment that was asked, the digest and the end of each success; `unasked` why
    another that counts was not.

    Raises:
        ProblemsError: a file has a problem, so that nobody can tell what it declares.
    """
    if any(problem.severity == "error" for problem in reading.problems):
        raise ProblemsError(reading.problems)
    going, staying = [], []
    for entry in reading.entries:
        if not _is_done(entry, done, now - older_than):
            continue
        reason = _reason(entry, unasked)
        if reason is None:
            going.append(entry)
        else:
            staying.append((entry, reason))
    return Tidied(going=tuple(going), staying=tuple(staying))


def _is_done(entry: Entry, done: Mapping[str, Done], before: datetime) -> bool:
    asked = [environment for environment in done if is_for(entry.document, environment)]
    if not asked or entry.declared is None:
        return False
    execution = digests(entry.declared.task).execution
    for environment in asked:
        digest, ended = done[environment].get(entry.id, (None, None))
        if digest != execution or ended is None or ended > before:
            return False
    return True


def _reason(entry: Entry, unasked: Mapping[str, str]) -> str | None:
    """Return why the file of a done task stays all the same."""
    if entry.declared is not None and entry.declared.task.protect:
        return "protected: take `protect` out of its file first"
    for environment, why in sorted(unasked.items()):
        if is_for(entry.document, environment):
            return f"it is for {environment} as well, which does not answer ({why})"
    return None


def remove(config: Config, going: Sequence[Entry], reading: Reading) -> list[str]:
    """Take the documents of these entries out of their files, and return the files that are gone or changed.

    Raises:
        UsageError: a file cannot be edited so, or was changed meanwhile; the files before it are done.
        OSError: the disk refuses.
    """
    by_path: dict[str, list[Entry]] = {}
    for entry in going:
        by_path.setdefault(entry.path, []).append(entry)
    for path, entries in sorted(by_path.items()):
        data = read_bytes(config.root / path, path)
        text = decode(path, data) if isinstance(data, bytes) else ""
        if not isinstance(data, bytes) or text != _with_mark(data, entries[0].document.text):
            raise UsageError(f"{path} was changed meanwhile", hint="nothing was written to it: try again")
        replace_file(config.root, path, data, _left(path, data, entries, len(reading.of_file(path))))
    return sorted(by_path)


def _with_mark(data: bytes, text: str) -> str:
    return f"\ufeff{text}" if data.startswith(b"\xef\xbb\xbf") else text


def _left(path: str, data: bytes, entries: Sequence[Entry], count: int) -> bytes | None:
    """Return what is left of a file, None when that is nothing."""
    if is_json(path) or len(entries) == count:
        return None
    text = entries[0].document.text
    edited = without_documents(text, {entry.document.index for entry in entries})
    if edited is None:
        raise UsageError(f"{path} has documents that cannot be taken apart", hint="remove the task by hand")
    return edited.encode() if not data.startswith(b"\xef\xbb\xbf") else b"\xef\xbb\xbf" + edited.encode()
