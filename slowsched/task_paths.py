"""Which files are task files: the folders, files and globs of the config, or what a person names.

Only names are looked at, no content. What would be left out in silence although somebody meant it is a
problem: a folder that is not there or that git ignores, a link that leads out, a folder named like a file.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from slowsched import git
from slowsched.config import CONFIG_NAME, Config, place_in_config
from slowsched.wording import problem, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from slowsched.model import Problem

__all__ = ["list_task_files", "task_roots"]

_ENDINGS = (".yaml", ".yml", ".json")
_WILD = frozenset("*?[")


def list_task_files(config: Config, paths: Sequence[str | Path] = ()) -> tuple[list[str], list[Problem]]:
    """Return the task files of the config, or those at `paths`, sorted and relative to the root.

    Raises:
        GitError: git cannot say what it ignores.
    """
    problems: list[Problem] = []
    configured = [_Selection.of(pattern, index) for index, pattern in enumerate(config.tasks)]
    selections = list(_named(config, configured, paths, problems)) if paths else configured
    present = []
    for selection in selections:
        if os.path.lexists(config.root / selection.start):
            present.append(selection)
        else:
            problems.append(_missing(config, selection))
    folders = [selection.start or "." for selection in present if (config.root / selection.start).is_dir()]
    walk = _Walk(config, git.ignored(config.root, folders), problems)
    for start in sorted({selection.start for selection in present}):
        walk.begin(start)
    walk.follow_links()
    return _taken(config, walk.files, present, problems), problems


def task_roots(config: Config) -> list[str]:
    """Return the files and folders below which all task files of the config are, relative to the root."""
    return sorted({_Selection.of(pattern, index).start or "." for index, pattern in enumerate(config.tasks)})


def _taken(config: Config, files: set[str], selections: list[_Selection], problems: list[Problem]) -> list[str]:
    """Return which of the files are selected; a glob that selects none is a problem."""
    if not any(selection.globs for selection in selections):
        return sorted(files)
    taken: set[str] = set()
    for selection in selections:
        found = {path for path in files if selection.takes(path)}
        if selection.globs and not found:
            problems.append(_missing(config, selection))
        taken |= found
    return sorted(taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    """A file, all files below a folder, or those of them that match a glob.

    `index` is its place among the `tasks` of the config, None for what is named by a person.
    """

    written: str
    start: str
    globs: tuple[str, ...] = ()
    index: int | None = None

    @classmethod
    def of(cls, pattern: str, index: int) -> _Selection:
        """Split a pattern of the config into the folder to start in and what is to match below it."""
        parts = Path(os.path.normpath(pattern)).parts
        wild = next((number for number, part in enumerate(parts) if _WILD & {*part}), len(parts))
        return cls(written=pattern, start="/".join(parts[:wild]), globs=parts[wild:], index=index)

    def takes(self, path: str) -> bool:
        """Say whether a file is selected; a glob that matches a folder takes everything below it."""
        if self.start and path != self.start and not path.startswith(f"{self.start}/"):
            return False
        return not self.globs or _matches(self.globs, path[len(self.start) :].strip("/").split("/"))


def _matches(globs: tuple[str, ...], parts: list[str]) -> bool:
    """Match the parts of a path, or of a folder above it; `**` stands for any number of parts."""
    at = {0}  # how many globs may be used up, all possibilities side by side
    for part in parts:
        at = {
            index if globs[index] == "**" else index + 1
            for index in _with_skipped(globs, at)
            if index < len(globs) and (globs[index] == "**" or fnmatchcase(part, globs[index]))
        }
        if len(globs) in at:
            return True
    return len(globs) in _with_skipped(globs, at)


def _with_skipped(globs: tuple[str, ...], at: set[int]) -> Iterator[int]:
    """Yield these positions, and those after a `**` that stands for nothing."""
    for index in at:
        yield index
        for skipped in range(index, len(globs)):
            if globs[skipped] != "**":
                break
            yield skipped + 1


def _named(
    config: Config, configured: list[_Selection], paths: Sequence[str | Path], problems: list[Problem]
) -> Iterator[_Selection]:
    """Yield what a person names; a folder above those of the config stands for what the config has in it."""
    for path in paths:
        written = str(path)
        last = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link at the end of the path
        place = Path(os.path.realpath(last.parent)) / last.name
        if not Path(os.path.realpath(place)).is_relative_to(config.root):
            message = f"this is outside of the folder of {CONFIG_NAME} ({config.root})"
            problems.append(problem(written, (1, 1), (), "outside-root", message))
            continue
        start = "" if place == config.root else place.relative_to(config.root).as_posix()
        within = [selection for selection in configured if _is_below(selection.start, start)]
        if within:
            yield from within
        else:
            yield _Selection(written=written, start=start)


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _is_task_name(name: str) -> bool:
    return name.lower().endswith(_ENDINGS)


def _missing(config: Config, selection: _Selection) -> Problem:
    if selection.index is None:
        return problem(selection.written, (1, 1), (), "no-such-file", "there is no such file or folder")
    place = place_in_config(config, "tasks", selection.index)
    what = "no file matches" if selection.globs else "there is no file or folder"
    message = f"{what} {shown(selection.written)}: make it, or correct `tasks`"
    return problem(CONFIG_NAME, place, ("tasks", selection.index), "no-such-file", message)


class _Walk:
    """A walk over folders for the names of task files; each folder is read once, whatever leads to it."""

    def __init__(self, config: Config, ignored: frozenset[str], problems: list[Problem]) -> None:
        self.files: set[str] = set()
        self._root = str(config.root)
        self._ignored = ignored
        self._problems = problems
        self._others = {CONFIG_NAME, config.schemas}  # where the root itself is a folder of tasks
        self._seen: set[str] = set()
        self._links: list[str] = []

    def begin(self, start: str) -> None:
        """Take a file, or everything below a folder."""
        full = self._full(start)
        above = [start, *map(str, Path(start).parents)]
        if not os.path.isdir(full):  # noqa: PTH112 - this module lives in strings, for speed
            if not _is_task_name(start):
                message = "this is no task file, whose name ends in .yaml, .yml or .json"
                self._report(start, "not-a-task-file", message)
            self._link(start)
        elif any(path in self._ignored for path in above):
            self._report(start or ".", "ignored", "git ignores this folder, so no task in it is ever reviewed: move it")
        else:
            self._tree(start, os.path.realpath(full))

    def follow_links(self) -> None:
        """Take what the links lead to that were met on the way."""
        while self._links:
            links, self._links = sorted(self._links), []
            for path in links:
                self._link(path)

    def _tree(self, top: str, real_top: str) -> None:
        folders = [(top, real_top)]
        while folders:
            path, real = folders.pop()
            if real in self._seen:
                continue
            self._seen.add(real)
            try:
                with os.scandir(real) as entries:
                    folders.extend(self._folders(path, entries))
            except OSError as error:
                self._report(path, "unreadable", f"this folder cannot be read: {error.strerror}")

    def _folders(self, folder: str, entries: Iterator[os.DirEntry[str]]) -> Iterator[tuple[str, str]]:
        """Sort the entries of a folder into files and links, and yield the folders among them."""
        prefix = f"{folder}/" if folder else ""
        for entry in entries:
            name = entry.name
            path = prefix + name
            if name[0] == "." or path in self._ignored or path in self._others:
                continue
            if entry.is_symlink():
                self._links.append(path)
            elif entry.is_dir():
                if _is_task_name(name):
                    self._report(path, "not-a-file", "this is a folder with the name of a file: rename it")
                else:
                    yield path, entry.path
            elif _is_task_name(name):
                self._add(path)

    def _add(self, path: str) -> None:
        if path.isprintable():
            self.files.add(path)
        else:
            self._report(repr(path)[1:-1], "name-not-printable", "rename this file: its name cannot be shown as it is")

    def _link(self, path: str) -> None:
        """Take what a path leads to, wherever in the root that is."""
        full = self._full(path)
        try:
            is_folder = stat.S_ISDIR(os.stat(full).st_mode)  # noqa: PTH116 - as above
        except OSError as error:
            self._report(path, "unreadable", f"this link cannot be followed: {error.strerror}")
            return
        real = os.path.realpath(full)
        if not is_folder and not _is_task_name(path):
            return
        if not Path(real).is_relative_to(self._root):
            self._report(path, "outside-root", f"this link leads out of the folder of {CONFIG_NAME}")
        elif not is_folder:
            self._add(path)
        elif _is_task_name(path):
            self._report(path, "not-a-file", "this is a folder with the name of a file: rename it")
        elif real in self._seen or Path(full).parent.is_relative_to(real):
            self._report(path, "link-loop", "this link leads to a folder whose files are read already: remove it")
        else:
            self._tree(path, real)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _report(self, path: str, code: str, message: str) -> None:
        self._problems.append(problem(path, (1, 1), (), code, message))
