"""What the editor does with the task files of a work tree: list, find, save, delete, each by the id of a task.

A document is saved only when it has no problem, the edited file is read as asked for, and every other document of
it is as it was. One change at a time, and none over a change of somebody else. Nothing here knows HTTP.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from slowsched.errors import ProblemsError, UsageError
from slowsched.model import Declared, Problem
from slowsched.repository import rules_of
from slowsched.source_text import read_bytes, without_mark
from slowsched.task_file import declare
from slowsched.wording import shown
from slowsched.work_tree import create_file, free_path, new_task_folder, read_work_tree, replace_file, slug
from slowsched.yaml_change import with_document
from slowsched.yaml_edit import holds, without_documents
from slowsched.yaml_reader import is_json, locate, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from slowsched.config import Config
    from slowsched.model import Document
    from slowsched.work_tree import Entry, Reading

__all__ = ["Editor", "Saved"]

_REQUEST = "request.json"  # how a request's body is named in problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A task as it now stands in its file, relative to the root; `created` says that it is new."""

    document: Mapping[str, Any]
    path: str
    created: bool


class Editor:
    """The task files of a repository; several threads may share it. `text_of` writes a new file's document.

    Raises, in every method:
        UsageError: a file was changed meanwhile, or cannot be edited so; nothing was written.
        OSError: the disk refuses.
        GitError: git cannot say which files it ignores.
    """

    def __init__(self, config: Config, text_of: Callable[[Mapping[str, Any], Path], str]) -> None:
        self._config = config
        self._text_of = text_of
        self._lock = Lock()

    def tasks(self) -> tuple[list[Any], tuple[Problem, ...]]:
        """Return the documents of all tasks in the order of their files, and every problem of the files."""
        reading = read_work_tree(self._config)
        return [entry.document.value for entry in reading.entries], reading.problems

    def task(self, task_id: str) -> Mapping[str, Any] | None:
        """Return the document of a task, None when no file declares it."""
        entry = _only(read_work_tree(self._config), task_id)
        return None if entry is None else entry.document.value

    def save(self, body: bytes) -> Saved:
        """Write the task that a JSON text declares: over the one with its id, else into a new file.

        Raises:
            ProblemsError: the text, or a file that may hold the same id, has problems; nothing was written.
        """
        document, task_id = self._checked(body)
        with self._lock:
            reading = read_work_tree(self._config)
            entry = _only(reading, task_id)
            if entry is None:
                _check_all_read(reading)
                return Saved(document=document.value, path=self._create(document, task_id), created=True)
            text = entry.document.text
            edited = _json_text(document) if is_json(entry.path) else _changed(entry, document)
            if edited != text:
                self._write(entry, edited)
            return Saved(document=document.value, path=entry.path, created=False)

    def delete(self, task_id: str) -> str | None:
        """Take a task out of its file, with the file where it is alone; return the file, None without such a task."""
        with self._lock:
            reading = read_work_tree(self._config)
            entry = _only(reading, task_id)
            if entry is None:
                return None
            documents, _ = read(entry.path, entry.document.text.encode())
            if len(documents) == 1:
                self._write(entry, None)
                return entry.path
            edited = without_documents(entry.document.text, {entry.document.index})
            if edited is None:
                raise UsageError(f"{entry.path} has documents that cannot be taken apart", hint="edit it by hand")
            self._write(entry, edited)
            return entry.path

    def _checked(self, body: bytes) -> tuple[Document, str]:
        documents, problems = read(_REQUEST, body)
        if problems:
            raise ProblemsError(problems)
        of_schemas: list[Problem] = []
        declared = declare(documents[0], rules_of(self._config, of_schemas), locate)
        if not isinstance(declared, Declared):
            raise ProblemsError([*of_schemas, *declared])
        if of_schemas:
            raise ProblemsError(of_schemas)
        return documents[0], declared.task.id

    def _create(self, document: Document, task_id: str) -> str:
        root = self._config.root
        path = free_path(new_task_folder(self._config), slug(task_id))
        text = self._text_of(document.value, path)
        if not holds(text, [document.value]):
            raise UsageError(f"the task {shown(task_id)} cannot be written as YAML", hint="write its file by hand")
        create_file(root, path, text.encode())
        return path.relative_to(root).as_posix()

    def _write(self, entry: Entry, text: str | None) -> None:
        """Write the file of an entry, which still is as it was read."""
        data = read_bytes(self._config.root / entry.path, entry.path)
        if not isinstance(data, bytes) or without_mark(data) != entry.document.text.encode():
            raise UsageError(f"{entry.path} was changed meanwhile", hint="nothing was written to it: try again")
        mark = data[: len(data) - len(without_mark(data))]
        replace_file(self._config.root, entry.path, data, None if text is None else mark + text.encode())


def _only(reading: Reading, task_id: str) -> Entry | None:
    """Return the entry of an id; with two of them nobody can tell which is meant."""
    found = reading.find(unicodedata.normalize("NFC", task_id))
    if len(found) > 1:
        places = " and ".join(f"{entry.path}:{entry.document.place.line}" for entry in found)
        raise UsageError(f"the id {shown(task_id)} is declared at {places}", hint="remove all but one by hand")
    return found[0] if found else None


def _check_all_read(reading: Reading) -> None:
    """A file that cannot be read may hold the very id that is new."""
    read_files = {entry.path for entry in reading.entries}
    unread = [problem for problem in reading.problems if problem.path not in read_files]
    if unread:
        raise ProblemsError(unread)


def _changed(entry: Entry, document: Document) -> str:
    edited = with_document(entry.document.text, entry.document.index, document.value)
    if edited is None:
        place = entry.document.place
        raise UsageError(f"{place.path}:{place.line} cannot be edited without loss", hint="edit the file by hand")
    return edited


def _json_text(document: Document) -> str:
    return json.dumps(document.value, indent=2, ensure_ascii=False) + "\n"
