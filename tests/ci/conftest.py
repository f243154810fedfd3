"""A repository in a clone, its runner, and the stand-in of GitHub."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from ci.github_stand_in import StandIn, stand_in
from ci.runner import SLOWSCHED, Runner, installed
from repositories import APPLY_SALE, PROJECT, task_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = "version: 1\nowner: acme/shop\n"
PULL_REQUEST = {"pull_request": {"number": 7, "head": {"sha": "0123456789abcdef0123456789abcdef01234567"}}}


@dataclass(frozen=True, slots=True)
class Clone:
    """A work tree in which main is known as origin/main."""

    root: Path

    def git(self, *words: str) -> str:
        """Run git."""
        who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
        ran = subprocess.run(["git", *who, *words], cwd=self.root, capture_output=True, text=True, check=True)
        return ran.stdout.strip()

    def write(self, path: str, text: str | None) -> None:
        """Write a file, or take it away."""
        file = self.root / path
        if text is None:
            file.unlink()
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def commit(self, **files: str | None) -> None:
        """Write task files by the names of their ids, and commit."""
        for name, text in files.items():
            self.write(f"tasks/{name}.yaml", text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "tasks")


@pytest.fixture
def github() -> Iterator[StandIn]:
    """Give the stand-in of GitHub."""
    with stand_in() as made:
        yield made


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Make a repository whose main has one task, applied to the local environment, and a branch off it."""
    made = Clone(tmp_path / "workspace")
    made.root.mkdir()
    made.git("init", "--quiet", "-b", "main")
    made.write("slowsched.yaml", CONFIG)
    made.write(".gitignore", ".slowsched/\n")
    made.write(APPLY_SALE, (PROJECT / APPLY_SALE).read_text(encoding="utf-8"))
    made.commit(coat=task_text("coat", due="2190-01-01T00:00:00Z"))
    made.git("update-ref", "refs/remotes/origin/main", "main")
    subprocess.run([SLOWSCHED, "-C", made.root, "apply", "--yes"], check=True, capture_output=True)
    made.git("checkout", "--quiet", "-b", "branch")
    return made


@pytest.fixture
def pull_request(clone: Clone, github: StandIn, tmp_path: Path) -> Runner:
    """Make a runner for pull request 7."""
    return _runner(clone, github, tmp_path, PULL_REQUEST, {"GITHUB_BASE_REF": "main"})


@pytest.fixture
def push(clone: Clone, github: StandIn, tmp_path: Path) -> Runner:
    """Make a runner for a push to main."""
    return _runner(clone, github, tmp_path, {}, {})


def _runner(clone: Clone, github: StandIn, tmp_path: Path, event: dict, more: dict) -> Runner:
    temp = tmp_path / "temp"
    temp.mkdir(exist_ok=True)
    installed(temp)
    return Runner(workspace=clone.root, temp=temp, api_url=github.url, event=event, more=more)
