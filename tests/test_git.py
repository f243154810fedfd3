"""What git says about a repository, asked of real ones."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from slowsched import git
from slowsched.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNKNOWN = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of whoever runs the tests out, and what is above the folder of the test."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.com")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


def run(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it says."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=True, text=True)
    return done.stdout.strip()


def write(folder: Path, *paths: str) -> None:
    """Write files, each with its path as its text."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)


def committed(folder: Path, *paths: str) -> str:
    """Write and commit files, and return the commit."""
    write(folder, *paths)
    run(folder, "add", "--force", "--", *paths)
    run(folder, "commit", "--quiet", "--message", "one more")
    return run(folder, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the folder of a new repository without a commit."""
    folder = tmp_path / "repository"
    folder.mkdir()
    run(folder, "init", "--quiet")
    return folder


# --- the commit ------------------------------------------------------------------------------------


def test_commit(root: Path) -> None:
    """The commit is the one that is checked out, asked in any folder of the work tree; before the first, none."""
    assert git.commit(root) is None
    first = committed(root, "sub/a")
    assert (git.commit(root), git.commit(root / "sub")) == (first, first)


def test_dirty(root: Path) -> None:
    """Changed, staged, deleted and unknown files under the root make it dirty; ignored and other ones do not."""
    committed(root, "shop/a", "shop/b", "other/c", ".gitignore")
    (root / ".gitignore").write_text("*.db\n")
    write(root, "other/c", "shop/local.db")
    (root / "other/c").write_text("changed")
    shop = root / "shop"
    states = [git.is_dirty(shop)]
    write(root, "shop/new")
    states.append(git.is_dirty(shop))
    (shop / "new").unlink()
    (shop / "a").write_text("changed")
    states.append(git.is_dirty(shop))
    run(root, "add", "shop/a")
    states.append(git.is_dirty(shop))
    run(root, "checkout", "--quiet", "HEAD", "--", "shop/a")
    (shop / "b").unlink()
    states.append(git.is_dirty(shop))
    assert (states, git.is_dirty(root)) == ([False, True, True, True, True], True)


def test_ancestor(root: Path) -> None:
    """A commit comes after itself and those before it, and not after those beside it."""
    first = committed(root, "a")
    second = committed(root, "b")
    run(root, "checkout", "--quiet", "-b", "beside", first)
    beside = committed(root, "c")
    pairs = [(first, first), (first, second), (second, first), (second, beside), (first[:10], second)]
    assert [git.is_ancestor(root, *pair) for pair in pairs] == [True, True, False, False, True]


@pytest.mark.parametrize("name", [UNKNOWN, "no-such-branch", "--help", ""])
def test_unknown_commit(root: Path, name: str) -> None:
    """A commit that git does not know is an error that says how to get it."""
    known = committed(root, "a")
    for pair in ((name, known), (known, name)):
        with pytest.raises(GitError, match="fetch-depth: 0"):
            git.is_ancestor(root, *pair)


def test_shallow_clone(root: Path, tmp_path: Path) -> None:
    """A clone that is too shallow says so instead of no; what it can see it answers."""
    first = committed(root, "a")
    second = committed(root, "b")
    run(root, "branch", "beside", first)
    run(tmp_path, "clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{root}", "shallow")
    shallow = tmp_path / "shallow"
    assert git.is_ancestor(shallow, second, second)
    with pytest.raises(GitError, match=r"too shallow.*fetch-depth: 0"):
        git.is_ancestor(shallow, first, second)


# --- what is ignored -------------------------------------------------------------------------------


def test_ignored(root: Path) -> None:
    """Files and folders that git ignores are named, committed ones and those beside ignored ones are not."""
    committed(root, ".gitignore", "tasks/kept.bak.yaml", "tasks/kept/a.yaml")
    (root / ".gitignore").write_text("*.bak.yaml\n/tasks/drafts/\n")
    write(root, "tasks/a.yaml", "tasks/a.bak.yaml", "tasks/drafts/b.yaml", "other/d.bak.yaml")
    write(root, "tasks/new\nline.bak.yaml", "tasks/é.bak.yaml")
    write(root, "tasks/kept/b.bak.yaml", "tasks/new/a.yaml", "tasks/new/b.bak.yaml")
    assert git.ignored(root, ["tasks"]) == {
        "tasks/a.bak.yaml",
        "tasks/drafts",
        "tasks/kept/b.bak.yaml",
        "tasks/new/b.bak.yaml",
        "tasks/new\nline.bak.yaml",
        "tasks/é.bak.yaml",
    }
    assert git.ignored(root, ["tasks/drafts"]) == {"tasks/drafts"}
    assert (git.ignored(root, []), git.ignored(root, ["nowhere"])) == (frozenset(), frozenset())


def test_ignored_of_odd_names(root: Path) -> None:
    """The name of a folder is a name, and no pattern."""
    (root / ".gitignore").write_text("*.bak\n")
    write(root, "t*/a.bak", "tasks/b.bak", ":(glob)/c.bak", "-z/d.bak")
    assert {path for path in git.ignored(root, ["t*", ":(glob)", "-z"]) if path.endswith(".bak")} == {
        "t*/a.bak",
        ":(glob)/c.bak",
        "-z/d.bak",
    }


@pytest.mark.parametrize("pattern", ["/outer/", "/outer/root/", "*"])
def test_root_that_is_ignored(root: Path, pattern: str) -> None:
    """A root that an outer repository ignores is outside of git: its rules are not about the root's files."""
    committed(root, "a")
    (root / ".gitignore").write_text(f"{pattern}\n")
    inner = root / "outer/root"
    write(inner, "tasks/a.yaml", "tasks/b.yaml")
    assert (git.ignored(inner, ["tasks"]), git.commit(inner), git.is_dirty(inner)) == (frozenset(), None, False)


def test_rules_below_the_repository(root: Path) -> None:
    """Rules of an outer repository about files below the root do count."""
    (root / ".gitignore").write_text("*.bak.yaml\n")
    write(root, "inner/tasks/a.bak.yaml", "inner/tasks/b.yaml")
    assert "tasks/a.bak.yaml" in git.ignored(root / "inner", ["tasks"])


# --- without git -----------------------------------------------------------------------------------


def test_outside_of_git(tmp_path: Path) -> None:
    """Outside of a repository there is no commit, nothing is dirty or ignored, and no order of commits."""
    assert (git.commit(tmp_path), git.is_dirty(tmp_path), git.ignored(tmp_path, ["."])) == (None, False, frozenset())
    with pytest.raises(GitError, match="there is no git here"):
        git.is_ancestor(tmp_path, UNKNOWN, UNKNOWN)


def test_no_git_program(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a git program it is as outside of a repository."""
    committed(root, "a", ".gitignore")
    monkeypatch.setenv("PATH", str(root))
    assert (git.commit(root), git.is_dirty(root), git.ignored(root, ["."])) == (None, False, frozenset())
    with pytest.raises(GitError, match="there is no git here"):
        git.is_ancestor(root, UNKNOWN, UNKNOWN)


def test_repository_that_git_refuses(root: Path) -> None:
    """Where git refuses to look at a repository, its words are the error; it is not taken for none."""
    committed(root, "a")
    (root / ".git/config").write_text("[broken\n")
    for ask in (git.commit, git.is_dirty, lambda folder: git.ignored(folder, ["."])):
        with pytest.raises(GitError, match="bad config line 1"):
            ask(root)


def stand_in(folder: Path, script: str) -> None:
    """Put a program by the name of git into a folder."""
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)


@pytest.mark.parametrize(
    ("failing", "ask"),
    [
        ("status", git.is_dirty),
        ("merge-base", lambda root: git.is_ancestor(root, UNKNOWN, UNKNOWN)),
        ("ls-files", lambda root: git.ignored(root, ["."])),
    ],
)
def test_git_that_fails(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, ask: Callable[[Path], object]
) -> None:
    """A question that git fails over is an error that says which, and in git's words why."""
    stand_in(tmp_path, f'case "$*" in *{failing}*) echo "no luck" >&2; exit 128;; *check-ignore*) exit 1;; esac')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(GitError, match=f"git {failing} failed: no luck"):
        ask(root)


def test_environment(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git is asked about the root, without locks, prompts and pagers, whatever the environment (of a hook) says."""
    first = committed(root, "a")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert git.commit(root) == first
    stand_in(tmp_path, f"env > {tmp_path}/environment; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    git.commit(root)
    seen = dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().splitlines() if "=" in line)
    names = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_OPTIONAL_LOCKS", "GIT_TERMINAL_PROMPT", "GIT_PAGER")
    assert [seen.get(name) for name in names] == [None, None, "0", "0", "cat"]
