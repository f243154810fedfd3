"""The plan of a branch against git itself: what it says of the merge is what a plan of the merge says."""

from __future__ import annotations

from pathlib import Path
from subprocess import CalledProcessError
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from branches.history import SCHEMA, History, task
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slowsched import git
from slowsched.commit_tasks import tasks_at
from slowsched.config import load_config
from slowsched.repository import Scan

if TYPE_CHECKING:
    from slowsched.model import Declared

_FILES = st.fixed_dictionaries({}, optional=dict.fromkeys("abc", st.tuples(st.integers(1, 2), st.integers(1, 2))))


def _texts(files: dict[str, tuple[int, int]]) -> dict[str, str | None]:
    """Return the text of every task, None of those that are not there; the two values stand far apart."""
    gap = ["" for _ in range(4)]
    return {
        name: None if name not in files else task(name, files[name][0], *gap, f"description: {'I' * files[name][1]}")
        for name in "abc"
    }


def _commit(history: History, files: dict[str, tuple[int, int]]) -> None:
    there = {path.stem for path in (history.root / "tasks").glob("*.yaml")}
    history.commit(**{name: text for name, text in _texts(files).items() if text is not None or name in there})


@settings(max_examples=6, deadline=None)
@given(_FILES, _FILES, _FILES)
def test_the_plan_of_a_branch_is_the_plan_of_its_merge(base: Any, branch: Any, main: Any) -> None:
    """Where git merges without a conflict, both plans have the same digest."""
    # Without renames: for git a file whose id was changed is the same file, and takes over what main did to it. And
    # without an edit against a delete: for git 2.39, told of no renames, that is no conflict.
    for mine, other in ((branch, main), (main, branch)):
        assume(all(name in mine or other.get(name, value) == value for name, value in base.items()))
    with TemporaryDirectory() as folder:
        history = History.begin(Path(folder, "shop"), kept=task("kept"))
        _commit(history, base)
        history.apply()
        history.on("work", "main")
        _commit(history, branch)
        history.on("main")
        _commit(history, main)
        history.on("work")
        told = history.plan()
        history.on("merge", "main")
        merged = True
        try:
            history.git("merge", "--quiet", "--no-edit", "-X", "no-renames", "work")
        except CalledProcessError:
            merged = False
        if merged:
            after = history.run("plan", "--format", "json").document
            assert (told["digest"], told["counts"]) == (after["digest"], after["counts"])


def test_a_commit_is_read_the_same_with_and_without_the_work_tree(tmp_path: Path) -> None:
    """What the work tree has as well is not read again, and makes no difference; nor do other settings, or links."""
    history = History.begin(tmp_path / "shop", a=task("a"), b=task("b"), c=task("c"))
    began = history.git("rev-parse", "HEAD")
    history.commit(b=task("b", 2), c=None, d=task("d"))
    ways = {
        "clean": lambda: None,
        "dirty": lambda: history.write("tasks/a.yaml", task("a", 7)),
        "untracked": lambda: history.write("tasks/c.yaml", task("c", 7)),
        "ignored by git's index": lambda: history.git("update-index", "--assume-unchanged", "tasks/a.yaml"),
        "link": lambda: ((history.root / "tasks/link.yaml").symlink_to("a.yaml"), history.git("add", "--all")),
        "new schema": lambda: history.write("schemas/actions/NEW.schema.json", "{}"),
        "other schema": lambda: history.write(SCHEMA, '{"required": ["none"]}'),
    }
    for name, way in ways.items():
        way()
        here = [*tasks_at(history.root, "HEAD", "local")] if name == "clean" else _here(history)
        assert tasks_at(history.root, began, "local", here) == tasks_at(history.root, began, "local"), name


def _here(history: History) -> list[Declared]:
    return [*Scan(load_config(history.root), "local")]


def test_compared(tmp_path: Path) -> None:
    """Files are the same, different, or not known to git; a link makes all of them unknown."""
    history = History.begin(tmp_path / "shop", a=task("a"), b=task("b"), c=task("c"))
    began = history.git("rev-parse", "HEAD")
    history.commit(b=task("b", 2), c=None)
    history.write("tasks/new.yaml", "")
    own = frozenset({"slowsched.yaml", ".gitignore", SCHEMA, "tasks/a.yaml"})
    different = frozenset({"tasks/b.yaml", "tasks/c.yaml"})
    assert git.compared(history.root, began) == (own, different)
    (history.root / "link").symlink_to("tasks")
    history.git("add", "link")
    assert git.compared(history.root, began) == (frozenset(), different | {"link"})
