"""A repository of task files in a temporary folder, and the `slowsched` of this environment as real processes in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slowsched.sqlite_file import SqliteFile
from slowsched.store.sqlite import SqliteStore
from slowsched.timer.sqlite import SqliteTimer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from slowsched.model import Row

PROJECT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent  # where this environment has its console scripts
SLOWSCHED = str(SCRIPTS / "slowsched")
LONGEST_SECONDS = 120  # that any process here may take on a busy machine

_FOREIGN = ("SLOWSCHED_", "GITHUB_", "NO_COLOR")
_MEASURING = "COVERAGE_"  # a killed process leaves half a file of coverage behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a process ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document of stdout."""
        return json.loads(self.stdout)


def environment(root: Path, *, measured: bool = True) -> dict[str, str]:
    """Return this process's variables without those that would change what slowsched does in `root`."""
    foreign = _FOREIGN if measured else (*_FOREIGN, _MEASURING)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"GIT_CEILING_DIRECTORIES": str(root.parent)}


@dataclass(frozen=True, slots=True)
class Shop:
    """A repository whose root is `root`, outside of git."""

    root: Path

    def write(self, path: str, text: str) -> None:
        """Write a file of the repository."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def take_from_project(self, *paths: str) -> None:
        """Copy files or folders of the project to the same place."""
        for path in paths:
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if (PROJECT / path).is_dir():
                shutil.copytree(PROJECT / path, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(PROJECT / path, place)

    def run(self, *words: str) -> Ran:
        """Run slowsched to its end."""
        done = subprocess.run(
            [SLOWSCHED, *words],
            cwd=self.root,
            env=environment(self.root),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
        return Ran(status=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def document(self, *words: str, status: int = 0) -> Any:
        """Run slowsched, see that it ends as expected, and return its JSON document."""
        ran = self.run(*words, "--format", "json")
        assert (ran.status, ran.stderr) == (status, "")
        return ran.document

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start slowsched as a process of its own session, its words thrown away."""
        return subprocess.Popen(
            [SLOWSCHED, *words],
            cwd=self.root,
            env=environment(self.root, measured=False),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def database(self) -> Path:
        """The file of the local backend."""
        return self.root / ".slowsched" / "local.db"

    def rows(self) -> Mapping[str, Row]:
        """Return every row as the file holds it now; one that cannot be read fails the test."""
        with SqliteStore(SqliteFile(self.database)) as store:
            rows = store.get_many([summary.id for summary in store.rows()])
        for row in rows.values():
            assert hasattr(row, "state"), row
        return rows  # type: ignore[return-value]

    def armed(self) -> datetime | None:
        """Return the minute that the timer is set to."""
        file = SqliteFile(self.database)
        try:
            return SqliteTimer(file).armed()
        finally:
            file.close()
