"""Tasks that live in a table and in no file yet -> the documents that declare them, each checked before it is written.

A document of one of our own rows must mean exactly what the row holds: an apply after the import has nothing to do.
What cannot be said in a file here is told, and never said otherwise. Nothing here writes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slowsched import canonical
from slowsched.errors import ProblemsError
from slowsched.model import Declared, Row, State, Unreadable
from slowsched.repository import rules_of
from slowsched.task_file import Defaults, declare
from slowsched.timing import duration_text, resolve_local
from slowsched.work_tree import free_path, new_task_folder, slug
from slowsched.yaml_reader import locate, read
from slowsched.zones import PackagedZones

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from slowsched.backend import Backend
    from slowsched.config import Config
    from slowsched.model import Task
    from slowsched.work_tree import Reading

__all__ = ["Adopted", "Wanted", "adopted", "of_own_rows"]

_UNKNOWN_ACTION = "unknown-action"  # its schema may be written afterwards


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A task to be declared: its document, None where it has none, with the reason.

    `digest` is the one that the task must have; None where nothing holds it yet.
    """

    id: str
    document: Mapping[str, Any] | None
    digest: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What becomes of a wanted task: a new file, or none with the reason.

    `declared_at` is the place where a file declares it already; `remark` is what is to be done beside.
    """

    id: str
    path: Path | None = None
    text: str = ""
    reason: str | None = None
    declared_at: str | None = None
    remark: str | None = None


def of_own_rows(backend: Backend, config: Config) -> list[Wanted]:
    """Return what this owner's rows ask for, earliest due first; what was deleted or forgotten asks for nothing."""
    own = [
        row.id
        for row in backend.store.rows()
        if not isinstance(row, Unreadable)
        and row.owner == backend.owner
        and row.state is not State.DELETED
        and row.expires_at is None
    ]
    found = backend.store.get_many(own)
    rows = sorted((row for row in found.values() if isinstance(row, Row)), key=lambda row: (row.task.due, row.id))
    unreadable = [
        Wanted(id=row.id, document=None, reason=f"this version cannot read its row: {row.reason}")
        for row in found.values()
        if isinstance(row, Unreadable)
    ]
    return [_of_row(row, config, backend.environment) for row in rows] + unreadable


def _of_row(row: Row, config: Config, environment: str) -> Wanted:
    return Wanted(id=row.id, document=_document(row.task, config.defaults, environment), digest=row.digests.task)


def _document(task: Task, defaults: Defaults, environment: str) -> dict[str, Any]:
    """Return a task as a file would say it: what is a default is left out."""
    document = canonical.task_document(task)
    document["due"] = _local_due(task) or document["due"]
    document["environments"] = [environment]
    document.pop("sensitive", None)  # the schema of the action says it
    if task.retry == defaults.retry:
        del document["retry"]
    if task.timeout == defaults.timeout:
        del document["timeout"]
    if task.grace is not None and task.grace == defaults.grace:
        del document["grace"]
    return document


def _local_due(task: Task) -> str | None:
    """Return the due as the author's zone has it; None where there is none, or where it would not be clear there."""
    zone = None if task.timezone is None else PackagedZones().get(task.timezone)
    if zone is None:
        return None
    local = task.due.astimezone(zone).replace(tzinfo=None)
    return local.isoformat() if resolve_local(local, zone) == task.due else None


def adopted(
    config: Config,
    wanted: Iterable[Wanted],
    reading: Reading,
    text_of: Callable[[Mapping[str, Any], Path], str],
) -> list[Adopted]:
    """Decide on each wanted task; `text_of` writes a document as the text of a file.

    Raises:
        ProblemsError: a file has a problem, so that nobody can tell which ids are taken.
    """
    if any(problem.severity == "error" for problem in reading.problems):
        raise ProblemsError(reading.problems)
    places = {entry.id: entry.document.place for entry in reading.entries}
    folder = new_task_folder(config)
    taken = {path.name.lower() for path in folder.iterdir()} if folder.is_dir() else set()
    check = _Check(config)
    found = []
    for each in wanted:
        place = places.get(unicodedata.normalize("NFC", each.id))
        if place is not None:
            found.append(Adopted(id=each.id, declared_at=f"{place.path}:{place.line}"))
        elif each.document is None:
            found.append(Adopted(id=each.id, reason=each.reason))
        else:
            path = free_path(folder, slug(each.id), taken)
            found.append(check.decided(each, path, text_of(each.document, path)))
    return found


class _Check:
    """Holds the text of a new file against the rules of the repository, and against what it must mean."""

    def __init__(self, config: Config) -> None:
        self._root = config.root
        self._rules = rules_of(config, [])
        self._default_grace = config.defaults.grace

    def decided(self, wanted: Wanted, path: Path, text: str) -> Adopted:
        documents, problems = read(path.name, text.encode("utf-8", "surrogatepass"))
        declared = declare(documents[0], self._rules, locate) if documents else problems
        if isinstance(declared, Declared):
            if wanted.digest not in {None, canonical.task_digest(declared.task)}:
                return Adopted(id=wanted.id, reason=self._differs(declared.task))
            return Adopted(id=wanted.id, path=path, text=text)
        others = [problem for problem in declared if problem.code != _UNKNOWN_ACTION]
        if others:
            return Adopted(id=wanted.id, reason=f"{others[0].pointer}: {others[0].message}")
        return Adopted(id=wanted.id, path=path, text=text, remark=declared[0].message)

    def _differs(self, task: Task) -> str:
        if self._default_grace is not None and task.grace == self._default_grace:
            grace = duration_text(self._default_grace)
            return f"its row has no grace, and a file would get the default of slowsched.yaml ({grace})"
        return "a file that says the same cannot be written"
