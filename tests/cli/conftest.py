"""A folder to work in, and the command line in it: in this process for most, as a real process for the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from command_line import AHEAD, Ran, make_shop

from slowsched.cli.main import program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FOREIGN_VARIABLES = (
    *("SLOWSCHED_ENV", "SLOWSCHED_CATALOGUE", "NO_COLOR", "FORCE_COLOR"),
    *("GITHUB_ACTOR", "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_SERVER_URL", "GITHUB_SHA"),
)


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Start every test in an empty folder of its own, untouched by the machine's variables."""
    for name in _FOREIGN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder that commands run in."""
    return tmp_path / "shop"


@pytest.fixture
def run() -> Callable[..., Ran]:
    """Return a function that runs a command line in this process."""

    def run_words(*words: str, stdin: str | None = None) -> Ran:
        result = CliRunner().invoke(program, list(words), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(status=result.exit_code, stdout=result.stdout, stderr=result.stderr)

    return run_words


@pytest.fixture
def repository(folder: Path, run: Callable[..., Ran]) -> Path:
    """Return the folder with what `init` writes in it."""
    assert run("init", "--owner", "acme/shop").status == 0
    return folder


@pytest.fixture
def shop(folder: Path) -> Path:
    """Return the folder with a config and an action NOTE, which does what its payload says, and no tasks."""
    make_shop(folder)
    return folder


@pytest.fixture
def declare(shop: Path) -> Callable[..., Path]:
    """Return a function that writes the file of a task, due far ahead unless told otherwise."""

    def write(task_id: str, **fields: Any) -> Path:
        document = {"id": task_id, "due": AHEAD, "action": "NOTE", "payload": {}} | fields
        path = shop / "tasks" / f"{task_id}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    return write
