"""Which files are task files: folders, files, globs, what git ignores, links, and names that lead nowhere."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from repositories import CONFIG, a_repository

from slowsched.render.text_problems import problem_line
from slowsched.task_paths import list_task_files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAKE_IT = "make it, or correct `tasks` [no-such-file]"


def listed(root: Path, tasks: str = "[tasks]", paths: Sequence[str | Path] = ()) -> tuple[list[str], list[str]]:
    """Return the task files of a repository with these `tasks`, and the problems as lines."""
    config = a_repository(root, {"slowsched.yaml": f"{CONFIG}tasks: {tasks}\n"})
    files, problems = list_task_files(config, paths)
    return files, sorted(problem_line(problem) for problem in problems)


def touch(root: Path, *paths: str) -> None:
    """Make empty files."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


# --- folders, files and globs ----------------------------------------------------------------------


def test_folder(tmp_path: Path) -> None:
    """Every task file below a folder is listed, sorted, at any depth; hidden and other files are not."""
    touch(tmp_path, "tasks/b.yaml", "tasks/a.json", "tasks/deep/er/c.yml", "tasks/LOUD.YAML", "tasks/é and blank.yaml")
    touch(tmp_path, "tasks/.hidden.yaml", "tasks/.git/d.yaml", "tasks/README.md", "tasks/yaml", "other/e.yaml")
    assert listed(tmp_path) == (
        ["tasks/LOUD.YAML", "tasks/a.json", "tasks/b.yaml", "tasks/deep/er/c.yml", "tasks/é and blank.yaml"],
        [],
    )


def test_root_as_folder(tmp_path: Path) -> None:
    """Where the root itself is the folder of tasks, the settings and the schemas are none."""
    touch(tmp_path, "a.yaml", "sub/b.json")
    assert listed(tmp_path, "[.]") == (["a.yaml", "sub/b.json"], [])


def test_several(tmp_path: Path) -> None:
    """A file that several patterns select is listed once; a file may be a pattern itself."""
    touch(tmp_path, "tasks/a.yaml", "tasks/sub/b.yaml", "one.yaml")
    assert listed(tmp_path, "[tasks/sub, ./tasks/, one.yaml, tasks/sub/b.yaml]") == (
        ["one.yaml", "tasks/a.yaml", "tasks/sub/b.yaml"],
        [],
    )


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("tasks/*.yaml", ["tasks/a.yaml"]),
        ("tasks/*", ["tasks/2030/b.yaml", "tasks/2030/live/c.yaml", "tasks/2031/live/d.json", "tasks/a.yaml"]),
        ("tasks/**", ["tasks/2030/b.yaml", "tasks/2030/live/c.yaml", "tasks/2031/live/d.json", "tasks/a.yaml"]),
        ("tasks/**/*.yaml", ["tasks/2030/b.yaml", "tasks/2030/live/c.yaml", "tasks/a.yaml"]),
        ("tasks/**/**/*.json", ["tasks/2031/live/d.json"]),
        ("tasks/203?/**/live", ["tasks/2030/live/c.yaml", "tasks/2031/live/d.json"]),
        ("tasks/*/live/*", ["tasks/2030/live/c.yaml", "tasks/2031/live/d.json"]),
        ("**/live/**/c.yaml", ["tasks/2030/live/c.yaml"]),
        ("tasks/[ab].yaml", ["tasks/a.yaml"]),
        ("t*/a.yaml", ["tasks/a.yaml"]),
    ],
)
def test_glob(tmp_path: Path, pattern: str, files: list[str]) -> None:
    """A glob selects files, and everything below the folders that it matches."""
    touch(tmp_path, "tasks/a.yaml", "tasks/2030/b.yaml", "tasks/2030/live/c.yaml", "tasks/2031/live/d.json")
    assert listed(tmp_path, f"['{pattern}']") == (files, [])


def test_globs_side_by_side(tmp_path: Path) -> None:
    """Several globs select what each of them does."""
    touch(tmp_path, "tasks/a.yaml", "tasks/b.yaml", "tasks/c.yaml", "more/d.yaml")
    assert listed(tmp_path, "[tasks/a*, tasks/b*, more]") == (["more/d.yaml", "tasks/a.yaml", "tasks/b.yaml"], [])


def test_nothing_there(tmp_path: Path) -> None:
    """What is not there, or selects nothing, is a problem of the settings; an empty folder is none."""
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "tasks/a.yaml", "notes.txt")
    assert listed(tmp_path, "[tasks, empty, gone, gone/*.yaml, 'tasks/*.yml', notes.txt]") == (
        ["tasks/a.yaml"],
        [
            "notes.txt:1:1: $: this is no task file, whose name ends in .yaml, .yml or .json [not-a-task-file]",
            f"slowsched.yaml:9:23: $.tasks[2]: there is no file or folder 'gone': {MAKE_IT}",
            f"slowsched.yaml:9:29: $.tasks[3]: no file matches 'gone/*.yaml': {MAKE_IT}",
            f"slowsched.yaml:9:42: $.tasks[4]: no file matches 'tasks/*.yml': {MAKE_IT}",
        ],
    )


def test_default_folder_that_is_not_there(tmp_path: Path) -> None:
    """The folder `tasks` is missed although nobody wrote its name."""
    files, problems = list_task_files(a_repository(tmp_path))
    assert (files, [problem_line(problem) for problem in problems]) == (
        [],
        [f"slowsched.yaml:1:1: $.tasks[0]: there is no file or folder 'tasks': {MAKE_IT}"],
    )


# --- what is no task file --------------------------------------------------------------------------


def test_odd_entries(tmp_path: Path) -> None:
    """Folders named like files, names that cannot be shown, and folders that cannot be read are problems."""
    touch(tmp_path, "tasks/x.yaml/a.yaml", "tasks/new\nline.yaml", "tasks/\x1b[31m.yaml", "tasks/fine.yaml")
    (tmp_path / os.fsdecode(b"tasks/\xff.yaml")).touch()
    assert listed(tmp_path) == (
        ["tasks/fine.yaml"],
        [
            "tasks/\\udcff.yaml:1:1: $: rename this file: its name cannot be shown as it is [name-not-printable]",
            "tasks/\\x1b[31m.yaml:1:1: $: rename this file: its name cannot be shown as it is [name-not-printable]",
            "tasks/new\\nline.yaml:1:1: $: rename this file: its name cannot be shown as it is [name-not-printable]",
            "tasks/x.yaml:1:1: $: this is a folder with the name of a file: rename it [not-a-file]",
        ],
    )


def test_folder_that_goes_away(tmp_path: Path) -> None:
    """A folder that cannot be read is a problem."""
    deep = "/".join(["d" * 200] * 30)  # longer than a path may be
    folder = tmp_path / "tasks"
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for name in deep.split("/"):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    files, problems = listed(tmp_path)
    assert (files, len(problems)) == ([], 1)
    assert problems[0].endswith("this folder cannot be read: File name too long [unreadable]")


# --- links -----------------------------------------------------------------------------------------


def test_links(tmp_path: Path) -> None:
    """A link to a file or a folder in the root is followed, whatever it is called there."""
    touch(tmp_path, "tasks/a.yaml", "shared/b.yaml", "shared/deep/c.yaml", "shared/template")
    (tmp_path / "tasks/linked").symlink_to("../shared")
    (tmp_path / "tasks/d.yaml").symlink_to("../shared/template")
    (tmp_path / "tasks/readme").symlink_to("../shared/template")
    assert listed(tmp_path) == (
        ["tasks/a.yaml", "tasks/d.yaml", "tasks/linked/b.yaml", "tasks/linked/deep/c.yaml"],
        [],
    )


def test_links_that_are_refused(tmp_path: Path) -> None:
    """A link out of the root, round in a circle, to nothing, or to what is read anyway, is a problem."""
    root = tmp_path / "root"
    touch(tmp_path, "outside/a.yaml", "outside/notes")
    touch(root, "tasks/a.yaml", "tasks/sub/b.yaml", "shared/c.yaml")
    for name, target in {
        "tasks/out": "../../outside",
        "tasks/out.yaml": "../../outside/a.yaml",
        "tasks/not-a-task": "../../outside/notes",
        "tasks/up": "..",
        "tasks/here": ".",
        "tasks/sub/again": "../sub",
        "tasks/loop": "loop",
        "tasks/gone.yaml": "nowhere",
        "tasks/folder.yaml": "../shared",
        "tasks/one": "../shared",
        "tasks/two": "../shared",
        "shared/back": "../tasks",
    }.items():
        (root / name).symlink_to(target)
    out = "this link leads out of the folder of slowsched.yaml [outside-root]"
    loop = "this link leads to a folder whose files are read already: remove it [link-loop]"
    assert listed(root) == (
        ["tasks/a.yaml", "tasks/one/c.yaml", "tasks/sub/b.yaml"],
        [
            "tasks/folder.yaml:1:1: $: this is a folder with the name of a file: rename it [not-a-file]",
            "tasks/gone.yaml:1:1: $: this link cannot be followed: No such file or directory [unreadable]",
            f"tasks/here:1:1: $: {loop}",
            "tasks/loop:1:1: $: this link cannot be followed: Too many levels of symbolic links [unreadable]",
            f"tasks/one/back:1:1: $: {loop}",
            f"tasks/out.yaml:1:1: $: {out}",
            f"tasks/out:1:1: $: {out}",
            f"tasks/sub/again:1:1: $: {loop}",
            f"tasks/two:1:1: $: {loop}",
            f"tasks/up:1:1: $: {loop}",
        ],
    )


def test_many_links(tmp_path: Path) -> None:
    """Links of links of links end soon: each folder is read once."""
    for number in range(20):
        (tmp_path / f"chain/{number}").mkdir(parents=True)
        for name in ("left", "right"):
            (tmp_path / f"chain/{number}/{name}").symlink_to(f"../{number + 1}")
    touch(tmp_path, "chain/20/a.yaml")
    (tmp_path / "tasks").symlink_to("chain/0")
    files, problems = listed(tmp_path)
    assert (files, len(problems)) == (["tasks" + "/left" * 20 + "/a.yaml"], 20)


# --- git -------------------------------------------------------------------------------------------


def test_ignored(tmp_path: Path) -> None:
    """What git ignores is skipped; a folder of tasks that it ignores as a whole is a problem."""
    touch(tmp_path, "tasks/a.yaml", "tasks/b.bak.yaml", "tasks/drafts/c.yaml", "local/d.yaml")
    (tmp_path / ".gitignore").write_text("*.bak.yaml\ndrafts/\n/local/\n")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    ignored = "git ignores this folder, so no task in it is ever reviewed: move it [ignored]"
    assert listed(tmp_path, "[tasks, local]") == (["tasks/a.yaml"], [f"local:1:1: $: {ignored}"])
    assert listed(tmp_path, paths=[tmp_path / "tasks/drafts"]) == ([], [f"tasks/drafts:1:1: $: {ignored}"])
    assert listed(tmp_path, paths=[tmp_path / "tasks/b.bak.yaml"]) == (["tasks/b.bak.yaml"], [])


# --- what a person names ---------------------------------------------------------------------------


def test_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and folders are named from the current folder; a folder above the tasks stands for these."""
    touch(tmp_path, "tasks/2030/a.yaml", "tasks/2031/b.yaml", "drafts/c.yaml", "other.yaml")
    monkeypatch.chdir(tmp_path / "tasks")
    every = ["tasks/2030/a.yaml", "tasks/2031/b.yaml"]
    assert listed(tmp_path, paths=["2030"]) == (["tasks/2030/a.yaml"], [])
    assert listed(tmp_path, paths=["2031/b.yaml", "2030/a.yaml", "2030"]) == (every, [])
    assert listed(tmp_path, paths=["."]) == (every, [])
    assert listed(tmp_path, paths=[".."]) == (every, [])
    assert listed(tmp_path, paths=["../drafts", tmp_path / "other.yaml"]) == (["drafts/c.yaml", "other.yaml"], [])


def test_named_through_a_link(tmp_path: Path) -> None:
    """A path through a link from outside is the path in the root; a link in the root stays the link."""
    root = tmp_path / "root"
    touch(root, "tasks/a.yaml")
    (tmp_path / "link").symlink_to("root")
    (root / "tasks/b.yaml").symlink_to("a.yaml")
    paths = [tmp_path / "link/tasks/a.yaml", tmp_path / "link/tasks/b.yaml"]
    assert listed(root, paths=paths) == (["tasks/a.yaml", "tasks/b.yaml"], [])


def test_named_and_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is outside, not there, or of no task file is a problem of that name."""
    root = tmp_path / "root"
    touch(root, "tasks/a.yaml", "notes.txt")
    touch(tmp_path, "outside.yaml")
    (root / "tasks/out.yaml").symlink_to("../../outside.yaml")
    root.joinpath("slowsched.yaml").touch()
    monkeypatch.chdir(root)
    names = ["../outside.yaml", "gone.yaml", "gone", "notes.txt", "tasks/out.yaml", "tasks/a.yaml"]
    outside = f"this is outside of the folder of slowsched.yaml ({root}) [outside-root]"
    assert listed(root, paths=names) == (
        ["tasks/a.yaml"],
        [
            f"../outside.yaml:1:1: $: {outside}",
            "gone.yaml:1:1: $: there is no such file or folder [no-such-file]",
            "gone:1:1: $: there is no such file or folder [no-such-file]",
            "notes.txt:1:1: $: this is no task file, whose name ends in .yaml, .yml or .json [not-a-task-file]",
            f"tasks/out.yaml:1:1: $: {outside}",
        ],
    )
