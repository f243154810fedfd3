"""A repository with a history: real git in a folder of the test's own, and the command line in this process."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cli.command_line import Ran
from click.testing import CliRunner

from slowsched.canonical import digests
from slowsched.cli.main import program
from slowsched.config import load_config
from slowsched.model import Row
from slowsched.wiring import open_backend

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "version: 1\nowner: acme/shop\nenvironments:\n  local: {backend: local, path: .slowsched/local.db}\n"
SCHEMA = "schemas/actions/NOTE.schema.json"

Labels = dict[str, tuple[str, str | None]]


def task(task_id: str, price: int = 1, *more: str) -> str:
    """Return a task file, its values apart from each other so that git can merge them; `more` are further lines."""
    # An edit has another length: of one in the same instant, and as long, git may not notice on every file system.
    priced = f"  price: {price} # {'.' * price}"
    lines = [f"id: {task_id}", "due: 2190-01-01T00:00:00Z", "action: NOTE", "payload:", priced, *more]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class History:
    """A git repository whose slowsched root is `root`, in `top` or in a folder below it."""

    top: Path
    below: str = "."

    @property
    def root(self) -> Path:
        """The folder with the config."""
        return self.top / self.below

    @classmethod
    def begin(cls, top: Path, below: str = ".", **tasks: str) -> History:
        """Make a repository whose main has these tasks, and apply it."""
        top.mkdir()
        made = cls(top, below)
        made.git("init", "--quiet", "-b", "main")
        made.write("slowsched.yaml", CONFIG)
        made.write(".gitignore", ".slowsched/\n")
        made.write(SCHEMA, '{"type": "object"}')
        made.commit(**tasks)
        made.apply()
        return made

    def git(self, *words: str) -> str:
        """Run git at the top, and return what it says."""
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
        ran = subprocess.run(["git", *who, *words], cwd=self.top, capture_output=True, text=True, check=True)
        return ran.stdout.strip()

    def write(self, path: str, text: str | None) -> None:
        """Write a file below the root, or take it away."""
        file = self.root / path
        if text is None:
            file.unlink()
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def commit(self, **tasks: str | None) -> str:
        """Write task files by the names of their ids, commit all that is there, and return the commit."""
        for name, text in tasks.items():
            self.write(f"tasks/{name}.yaml", text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "tasks")
        return self.git("rev-parse", "HEAD")

    def on(self, branch: str, *start: str) -> None:
        """Go to a branch; with a start, begin it there."""
        self.git("checkout", "--quiet", *(["-b"] if start else []), branch, *start)

    def run(self, *words: str) -> Ran:
        """Run a command line at the root."""
        result = CliRunner().invoke(program, [*words, "-C", str(self.root)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(status=result.exit_code, stdout=result.stdout, stderr=result.stderr)

    def apply(self, *words: str) -> None:
        """Apply what is checked out."""
        ran = self.run("apply", "--yes", *words)
        assert ran.status == 0, ran

    def plan(self, *words: str, base: str = "main") -> Any:
        """Return the plan as JSON, compared with a base."""
        ran = self.run("plan", "--base", base, *words, "--format", "json")
        assert ran.stderr == "", ran
        return ran.document

    def labels(self, base: str = "main") -> Labels:
        """Return kind and attribution of each change, by id."""
        return labels_of(self.plan(base=base))

    def edit_by_hand(self, task_id: str, **fields: Any) -> None:
        """Change the task of a row behind slowsched's back."""
        with open_backend(load_config(self.root), "local") as backend:
            row = backend.store.get(task_id)
            assert isinstance(row, Row)
            edited = replace(row.task, **fields)
            changed = replace(row, task=edited, digests=digests(edited), version=row.version + 1)
            assert backend.store.put(changed, row.version) is None


def labels_of(document: Any) -> Labels:
    """Return kind and attribution of each change of a plan, by id."""
    return {each["id"]: (each["kind"], each.get("attribution")) for each in document["changes"]}
