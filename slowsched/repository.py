"""The tasks of a repository: its files, read and checked one after the other, with every problem of them.

Nothing of a file is kept but what it declares, so that ten thousand files need no more memory than their
tasks. What is wrong is a problem with its place, never an exception.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slowsched.config import own_schema
from slowsched.json_schema import CompiledSchema, read_schema
from slowsched.model import Declared, Place, Problem
from slowsched.source_text import read_bytes
from slowsched.task_file import Rules, Schema, Violation, declare, declared_id, duplicate_id, is_for
from slowsched.task_paths import list_task_files
from slowsched.wording import problem
from slowsched.yaml_reader import locate, read
from slowsched.zones import PackagedZones

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from slowsched.config import Config
    from slowsched.model import Document

__all__ = ["ActionSchemas", "Scan", "rules_of"]

_SUFFIX = ".schema.json"


def rules_of(config: Config, problems: list[Problem]) -> Rules:
    """Return what the tasks of a repository are held against; `problems` gets what is wrong with its schemas."""
    return Rules(
        task_schema=own_schema("task"),
        actions=ActionSchemas(config, problems),
        environments=config.environments.keys(),
        zones=PackagedZones(),
        defaults=config.defaults,
        schemas=config.schemas,
    )


class Scan:
    """One reading of the task files: iterate it for what they declare for an environment (None: for all).

    `paths` limits it to files and folders. While it is iterated, and complete afterwards: `files` and `tasks`
    are counts, `problems` is sorted. `on_file` is told how many files are done, and of how many.
    """

    def __init__(
        self,
        config: Config,
        environment: str | None = None,
        paths: Sequence[str | Path] = (),
        on_file: Callable[[int, int], None] | None = None,
    ) -> None:
        self.files = 0
        self.tasks = 0
        self._config = config
        self._environment = environment
        self._paths = paths
        self._on_file = on_file
        self._problems: list[Problem] = []
        self._ids: dict[str, Place] = {}
        self._rules = rules_of(config, self._problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every problem found so far, by file and place."""
        return tuple(sorted(self._problems, key=_by_place))

    def __iter__(self) -> Iterator[Declared]:
        """Read the files, which can be done once, and yield what they declare.

        Raises:
            GitError: git cannot say which files it ignores.
        """
        paths, problems = list_task_files(self._config, self._paths)
        self._problems.extend(problems)
        for path in paths:
            self.files += 1
            for declared in self._file(path):
                self.tasks += 1
                yield declared
            if self._on_file is not None:
                self._on_file(self.files, len(paths))

    def _file(self, path: str) -> list[Declared]:
        data = read_bytes(f"{self._config.root}/{path}", path)
        if isinstance(data, Problem):
            self._problems.append(data)
            return []
        documents, problems = read(path, data)
        self._problems.extend(problems)
        return [declared for document in documents if (declared := self._declared(document)) is not None]

    def _declared(self, document: Document) -> Declared | None:
        found = declare(document, self._rules, locate)
        if not isinstance(found, Declared):
            self._problems.extend(found)
        task_id = found.task.id if isinstance(found, Declared) else declared_id(document)
        if task_id is not None:
            first = self._ids.setdefault(task_id, document.place)
            if first is not document.place:
                self._problems.append(duplicate_id(document, task_id, first, locate))
                return None
        return found if isinstance(found, Declared) and is_for(document, self._environment) else None


class ActionSchemas(Mapping[str, Schema]):
    """The payload schemas of a repository, by action: read and compiled when first asked for.

    A schema that is broken is one problem, of its own file; it then refuses nothing, so that its tasks are
    not blamed for it.
    """

    def __init__(self, config: Config, problems: list[Problem]) -> None:
        self._root = config.root
        self._folder = f"{config.schemas}/actions"
        self._problems = problems
        self._compiled: dict[str, Schema] = {}
        self._names: frozenset[str] | None = None

    def __getitem__(self, action: str) -> Schema:
        compiled = self._compiled.get(action)
        if compiled is None:
            if action not in self._known():
                raise KeyError(action)
            compiled = self._compiled[action] = self._read(f"{self._folder}/{action}{_SUFFIX}")
        return compiled

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._known()))

    def __len__(self) -> int:
        return len(self._known())

    def _known(self) -> frozenset[str]:
        """Return the actions that exist: what a task names is looked up here, and never becomes a path unseen."""
        if self._names is None:
            try:
                files = os.listdir(self._root / self._folder)  # noqa: PTH208 - names only
            except OSError:
                files = []
            self._names = frozenset(
                name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX) and name.isprintable()
            )
        return self._names

    def _read(self, path: str) -> Schema:
        file = self._root / path
        if not Path(os.path.realpath(file)).is_relative_to(self._root):
            self._problems.append(problem(path, (1, 1), (), "outside-root", "this link leads out of the repository"))
            return _AnyValue()
        data = read_bytes(file, path)
        compiled = [data] if isinstance(data, Problem) else read_schema(path, data)
        if isinstance(compiled, CompiledSchema):
            return compiled
        self._problems.extend(compiled)
        return _AnyValue()


class _AnyValue:
    """Stands in for a schema that is broken: it refuses nothing."""

    def is_valid(self, _value: Any) -> bool:
        return True

    def explain(self, _value: Any) -> list[Violation]:
        return []

    def sensitive(self, _value: Any) -> tuple[()]:
        return ()


def _by_place(found: Problem) -> tuple[str, int, int, str, str]:
    return found.path, found.line, found.column, found.code, found.message
