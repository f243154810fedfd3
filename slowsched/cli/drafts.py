"""Tasks that are no files yet, held against the same rules as those that are."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slowsched.cli.loading import action_schemas
from slowsched.cli.task_text import json_text, yaml_text
from slowsched.model import Declared, Place
from slowsched.repository import Scan, rules_of
from slowsched.task_file import declare, duplicate_id
from slowsched.task_paths import list_task_files
from slowsched.yaml_reader import is_json, locate, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slowsched.config import Config
    from slowsched.model import Problem

    Document = dict[str, Any]

__all__ = ["Drafts"]

_DRAFT_PATH = Path("draft.yaml")


class Drafts:
    """The drafts of one repository."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._of_schemas: list[Problem] = []
        self._rules = rules_of(config, self._of_schemas)
        self._ids: dict[str, Place] | None = None

    def problems(self, document: Document, path: Path = _DRAFT_PATH) -> list[Problem]:
        """Return every problem that the document would have as this file."""
        shown = path.as_posix()
        documents, problems = read(shown, self.text(document, path).encode("utf-8", "surrogatepass"))
        if problems:
            return problems
        found = declare(documents[0], self._rules, locate)
        problems = [] if isinstance(found, Declared) else found
        task_id = unicodedata.normalize("NFC", str(document.get("id", "")))
        taken = self._taken().get(task_id)
        if taken is not None:
            problems.append(duplicate_id(documents[0], task_id, taken, locate))
        return sorted([*self._of_schemas, *problems], key=lambda each: (each.path, each.line, each.column))

    def text(self, document: Document, path: Path) -> str:
        """Return the document as the text of this file."""
        return json_text(document) if is_json(path.name) else yaml_text(document, self._editor_schema(path))

    def action_schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what the schemas of all actions say; of one that is broken, nothing."""
        return {name: _object(file) for name, file in action_schemas(self._config).items()}

    def is_task_file(self, path: Path) -> bool:
        """Say whether this file, which exists, is among the task files of the config."""
        inside = Path(os.path.realpath(path))
        if not inside.is_relative_to(self._config.root):
            return False
        return inside.relative_to(self._config.root).as_posix() in list_task_files(self._config)[0]

    def _taken(self) -> Mapping[str, Place]:
        if self._ids is None:
            self._ids = {declared.task.id: declared.place for declared in Scan(self._config)}
        return self._ids

    def _editor_schema(self, path: Path) -> str | None:
        """Return the way from the file to the schema for editors, None in a repository without it."""
        schema = self._config.root / self._config.schemas / "task.schema.json"
        return Path(os.path.relpath(schema, path.parent)).as_posix() if schema.exists() else None


def _object(file: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
