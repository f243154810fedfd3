"""The task files of a work tree for those who write them: which document declares which id, and safe writing.

A file is replaced or made as a whole (a temporary file beside it, then one rename), only where nobody has
changed it meanwhile, and never outside of the root. An id is never a path: of a new file it gives the name, by
letters and digits alone. What an edited text must be is decided by the caller.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slowsched.errors import UsageError
from slowsched.model import Declared, Problem
from slowsched.repository import rules_of
from slowsched.source_text import read_bytes
from slowsched.task_file import declare, declared_id, duplicate_id
from slowsched.task_paths import list_task_files
from slowsched.wording import shown
from slowsched.yaml_reader import locate, read

if TYPE_CHECKING:
    from slowsched.config import Config
    from slowsched.model import Document, Place

__all__ = ["Entry", "Reading", "create_file", "free_path", "new_task_folder", "read_work_tree", "replace_file", "slug"]

_SLUG_MAX = 60
_TAKEN_NAMES_MAX = 10_000  # files of one slug: whoever has more does not name files by ids
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d")  # no names of files on Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One document of a task file that states an id; `declared` is None where it has a problem."""

    id: str
    document: Document
    declared: Declared | None

    @property
    def path(self) -> str:
        """The file, relative to the root."""
        return self.document.place.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What all task files say: entries in the order of files, and every problem of them."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]

    def find(self, task_id: str) -> list[Entry]:
        """Return the entries of an id: none, one, or those that contradict each other."""
        return [entry for entry in self.entries if entry.id == task_id]

    def of_file(self, path: str) -> list[Entry]:
        """Return the entries of one file."""
        return [entry for entry in self.entries if entry.path == path]


def read_work_tree(config: Config) -> Reading:
    """Read all task files of a repository, and keep their documents.

    Raises:
        GitError: git cannot say which files it ignores.
    """
    paths, problems = list_task_files(config)
    rules = rules_of(config, problems)
    entries: list[Entry] = []
    ids: dict[str, Place] = {}
    for path in paths:
        data = read_bytes(config.root / path, path)
        documents, found = ([], [data]) if isinstance(data, Problem) else read(path, data)
        problems.extend(found)
        for document in documents:
            result = declare(document, rules, locate)
            declared = result if isinstance(result, Declared) else None
            problems.extend([] if isinstance(result, Declared) else result)
            task_id = declared.task.id if declared else declared_id(document)
            if task_id is None:
                continue
            first = ids.setdefault(task_id, document.place)
            if first is not document.place:
                problems.append(duplicate_id(document, task_id, first, locate))
            entries.append(Entry(id=task_id, document=document, declared=declared))
    by_place = sorted(problems, key=lambda each: (each.path, each.line, each.column, each.code, each.message))
    return Reading(entries=tuple(entries), problems=tuple(by_place))


def slug(task_id: str) -> str:
    """Return the name of a file for an id: its letters and digits, the rest as dashes; never empty, never a path."""
    name = re.sub(r"[^\w]+", "-", task_id.lower()).strip("-")[:_SLUG_MAX].strip("-") or "task"
    return f"task-{name}" if _RESERVED.fullmatch(name) else name


def new_task_folder(config: Config) -> Path:
    """Return the folder that new task files go to: the first of the config's `tasks`."""
    folder = config.root / config.tasks[0].partition("*")[0]
    return folder if not folder.suffix else folder.parent


def free_path(folder: Path, name: str, taken: set[str] | None = None) -> Path:
    """Return a path in a folder that no file has, `name.yaml` or the first `name-2.yaml`, and note it as taken.

    Compared without upper and lower case, which some file systems do not tell apart.
    """
    if taken is None:
        taken = {path.name.lower() for path in folder.iterdir()} if folder.is_dir() else set()
    for number in range(1, _TAKEN_NAMES_MAX):
        path = folder / (f"{name}.yaml" if number == 1 else f"{name}-{number}.yaml")
        if path.name.lower() not in taken:
            taken.add(path.name.lower())
            return path
    raise UsageError(f"{folder} has {_TAKEN_NAMES_MAX} files named {name}", hint="move some of them into folders")


def create_file(root: Path, path: Path, data: bytes) -> None:
    """Make a new file, whole or not at all, and the folders above it.

    Raises:
        UsageError: there is a file of that name, or it would be outside of the root.
        OSError: the disk refuses.
    """
    _check_inside(root, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _check_inside(root, path)
    written = _beside(path, data)
    try:
        os.link(written, path)  # unlike a rename, it fails where there is one
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="nothing was written: try again") from None
    finally:
        written.unlink()


def replace_file(root: Path, path: str, old: bytes, new: bytes | None) -> None:
    """Replace a file that still holds `old`, through the link where it is one; None removes it.

    Raises:
        UsageError: somebody has changed it meanwhile, or it is outside of the root.
        OSError: the disk refuses.
    """
    file = Path(os.path.realpath(root / path))
    _check_inside(root, file)
    written = None if new is None else _beside(file, new)
    try:
        if read_bytes(file, path) != old:
            raise UsageError(f"{path} was changed meanwhile", hint="nothing was written to it: try again")
        if written is None:
            (root / path).unlink()
        else:
            written.chmod(file.stat().st_mode & 0o7777)
            written.replace(file)
    finally:
        if written is not None:
            with suppress(FileNotFoundError):
                written.unlink()


def _check_inside(root: Path, path: Path) -> None:
    if not Path(os.path.realpath(path)).is_relative_to(root):
        raise UsageError(f"{shown(str(path))} is outside of {root}", hint="nothing was written")


def _beside(path: Path, data: bytes) -> Path:
    """Write a temporary file in the same folder, with a name that no reading of tasks takes."""
    descriptor, name = tempfile.mkstemp(prefix=".slowsched-", suffix=".tmp", dir=path.parent)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    written = Path(name)
    umask = os.umask(0)
    os.umask(umask)
    written.chmod(0o666 & ~umask)
    return written
