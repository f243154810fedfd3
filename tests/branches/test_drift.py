"""`slowsched drift` on real repositories: rows and timer against what the commit applied last asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from branches.history import CONFIG, SCHEMA, History, labels_of, task
from jsonschema import Draft202012Validator
from repositories import PROJECT
from values import DUE, a_row, at, put_all

from slowsched.config import load_config
from slowsched.model import OwnerControl, Row, State
from slowsched.wiring import open_backend

if TYPE_CHECKING:
    from pathlib import Path

_SCHEMA = json.loads((PROJECT / "schemas/plan.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Return a repository whose main has the tasks a and b, applied."""
    return History.begin(tmp_path / "shop", a=task("a"), b=task("b"))


def _drift(history: History, status: int) -> Any:
    """Return the drift as JSON, valid by the published schema, and see its status."""
    ran = history.run("drift", "--format", "json")
    assert (ran.status, ran.stderr) == (status, "")
    Draft202012Validator(_SCHEMA).validate(ran.document)
    return ran.document


def test_none(history: History) -> None:
    """Right after an apply there is none, whatever is checked out or not committed since."""
    applied = history.git("rev-parse", "HEAD")
    history.commit(new=task("new"))
    history.write("tasks/a.yaml", "no task at all")
    document = _drift(history, 0)
    assert (document["drift"], document["changes"]) == (
        {"found": False, "applied": applied, "applying": None, "timer": None},
        [],
    )
    assert "No drift in the table" in history.run("drift").stdout


def test_every_kind(history: History) -> None:
    """An edited row, a lost one and one that no commit asked for are each told with what apply would put back."""
    history.edit_by_hand("a", payload={"price": 99})
    with open_backend(load_config(history.root), "local") as backend:
        put_all(backend.store, a_row(id="stray", owner="acme/shop/local", due=at("2190-01-01T00:00:00Z")))
        lost = backend.store.get("b")
        assert isinstance(lost, Row)
        gone = replace(lost, version=lost.version + 1, state=State.DELETED, wake_at=None, expires_at=DUE)
        assert backend.store.put(gone, lost.version) is None
    history.commit(b=None)
    document = _drift(history, 2)
    assert labels_of(document) == {"a": ("update", None), "b": ("create", None), "stray": ("delete", None)}
    told = history.run("drift").stdout
    assert ["payload.price  99 -> 1" in told, "Put it back: slowsched apply" in told] == [True, True], told
    markdown = history.run("drift", "--format", "markdown")
    assert (markdown.status, markdown.stdout.startswith("### slowsched drift: local\n")) == (2, True)


def test_timer(history: History) -> None:
    """A timer that somebody set too late is drift, though every row is right."""
    with open_backend(load_config(history.root), "local") as backend:
        backend.timer.arm(at("2190-01-02T00:00:00Z"))
    document = _drift(history, 2)
    assert (document["changes"], document["drift"]["timer"].startswith("it is set too late")) == ([], True)
    told = history.run("drift").stdout
    assert "Set the timer: slowsched arm" in told
    assert history.run("arm").status == 0
    assert _drift(history, 0)["drift"]["found"] is False


def test_nothing_applied(tmp_path: Path) -> None:
    """Before the first apply there is nothing that could have drifted."""
    history = History(tmp_path / "shop")
    history.top.mkdir()
    history.git("init", "--quiet")
    history.write("slowsched.yaml", CONFIG)
    history.write(SCHEMA, "{}")
    assert _drift(history, 0)["drift"] == {"found": False, "applied": None, "applying": None, "timer": None}
    assert "No drift: nothing has been applied yet." in history.run("drift").stdout


def test_applied_outside_of_git(tmp_path: Path) -> None:
    """Rows without a commit cannot be compared, and are not called drift."""
    history = History(tmp_path / "shop")
    history.write("slowsched.yaml", CONFIG)
    history.write(SCHEMA, "{}")
    history.write("tasks/a.yaml", task("a"))
    history.apply()
    ran = history.run("drift")
    assert (ran.status, ran.stdout, "were applied outside of git" in ran.stderr) == (1, "", True)


def test_commit_that_git_does_not_have(history: History, tmp_path: Path) -> None:
    """In a clone without the commit applied last it cannot be told."""
    history.commit(new=task("new"))
    history.git("clone", "--quiet", "--depth=1", f"file://{history.top}", f"{tmp_path}/clone")
    clone = History(tmp_path / "clone")
    (history.root / ".slowsched").rename(clone.root / ".slowsched")
    ran = clone.run("drift")
    assert (ran.status, ran.stdout, "fetch-depth: 0" in ran.stderr) == (1, "", True)


def test_a_stopped_apply(history: History) -> None:
    """What a stopped apply has written is no drift; what somebody changed beside it is."""
    with open_backend(load_config(history.root), "local") as backend:
        before = backend.store.control()
    history.commit(a=task("a", 2), b=None, new=task("new"))
    history.apply("--allow-deletes", "1")
    coming = history.git("rev-parse", "HEAD")
    with open_backend(load_config(history.root), "local") as backend:
        control = backend.store.control()
        mine: OwnerControl = replace(before.of(backend.owner), applying=coming)
        stopped = replace(control, version=control.version + 1, owners={backend.owner: mine})
        assert backend.store.put_control(stopped, control.version) is None
    none = _drift(history, 0)
    history.edit_by_hand("a", timeout=timedelta(seconds=7))
    assert (none["drift"]["applying"], labels_of(_drift(history, 2))) == (coming, {"a": ("update", None)})
    assert "or its apply was stopped" in history.run("drift").stdout
