"""Which commits may allow something, asked of real repositories (slowsched/commit_trailers.py)."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from slowsched.commit_trailers import trailers_since
from slowsched.model import Base

if TYPE_CHECKING:
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


def say(folder: Path, *trailers: str, body: str = "") -> str:
    """Commit with these trailers, and return the commit."""
    text = "\n\n".join(["a subject", *([body] if body else []), *(["\n".join(trailers)] if trailers else [])])
    run(folder, "commit", "--quiet", "--allow-empty", "--message", text)
    return run(folder, "rev-parse", "HEAD")


def merge(folder: Path, branch: str, message: str = "merge it") -> str:
    """Merge a branch with a commit of its own, and return the commit."""
    run(folder, "merge", "--quiet", "--no-ff", "--message", message, branch)
    return run(folder, "rev-parse", "HEAD")


def found(folder: Path, commit: str | None, applied: str | None = None, base: Base | None = None) -> list[str]:
    """Return the values of what the commits say."""
    return [each.value for each in trailers_since(folder, commit, applied, base)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a repository whose first commit says `first`, on main."""
    folder = tmp_path / "repository"
    folder.mkdir()
    run(folder, "init", "--quiet", "--initial-branch", "main")
    say(folder, "Slowsched-Supersede: first")
    return folder


@pytest.fixture
def first(root: Path) -> str:
    """Return the first commit."""
    return run(root, "rev-parse", "HEAD")


def on_branch(folder: Path, *trailers: str) -> str:
    """Commit once on a branch that leaves main here, and once on main; return the branch's commit."""
    run(folder, "switch", "--quiet", "--create", "branch")
    commit = say(folder, *trailers)
    run(folder, "switch", "--quiet", "main")
    say(folder, "Slowsched-Supersede: main")
    return commit


def test_outside_of_git_nobody_says_anything(tmp_path):
    """Without a commit, without a repository, and of a commit that git does not know."""
    assert found(tmp_path, None) == []
    assert found(tmp_path, UNKNOWN) == []
    assert found(tmp_path, "--output=x") == []


def test_the_first_apply_hears_its_own_commit_only(root, first):
    """What stands in the history before anything was applied was said of nothing."""
    commit = say(root, "Slowsched-Supersede: second")
    assert [found(root, each) for each in (first, commit)] == [["first"], ["second"]]


def test_everything_since_the_last_apply_is_heard_once(root, first):
    """Newest first; once it is applied, and after a rollback, nothing of it is left."""
    say(root, "Slowsched-Supersede: second")
    last = say(root, "Slowsched-Supersede: third", "Slowsched-Supersede: fourth")
    assert found(root, last, first) == ["third", "fourth", "second"]
    assert found(root, last, last) == []
    assert found(root, first, last) == []


def test_a_merge_brings_in_what_its_branch_says(root, first):
    """The merge's own words, the branch's, and main's that were not applied yet."""
    on_branch(root, "Slowsched-Supersede: branch")
    before = run(root, "rev-parse", "HEAD")
    commit = merge(root, "branch", "merge it\n\nSlowsched-Supersede: merge")
    assert found(root, commit, before) == ["merge", "branch"]
    assert found(root, commit) == ["merge", "branch"]
    assert sorted(found(root, commit, first)) == ["branch", "main", "merge"]


def test_a_squash_says_what_stands_in_its_message(root, first):
    """The branch's commits are not in it; their messages are, strung together."""
    on_branch(root, "Slowsched-Supersede: branch")
    run(root, "merge", "--quiet", "--squash", "branch")
    commit = say(root, "Slowsched-Supersede: squashed", body="* a subject")
    assert found(root, commit, first) == ["squashed", "main"]


def test_a_branch_says_what_its_merge_will_carry(root, first):
    """Its own commits, and what the base has that was not applied; not what was applied."""
    branch = on_branch(root, "Slowsched-Supersede: branch")
    tip = run(root, "rev-parse", "main")
    base = Base(ref="main", tip=tip, merge_base=first)
    assert found(root, branch, None, base) == ["branch"]
    assert found(root, branch, tip, base) == ["branch"]
    assert sorted(found(root, branch, first, base)) == ["branch", "main"]


def test_the_merge_ref_of_a_pull_request(root):
    """A forge checks out what the merge would be: it says what the branch says."""
    on_branch(root, "Slowsched-Supersede: branch")
    tip = run(root, "rev-parse", "main")
    run(root, "switch", "--quiet", "--detach", "main")
    commit = merge(root, "branch")
    assert found(root, commit, tip, Base(ref="main", tip=tip, merge_base=tip)) == ["branch"]


def test_what_is_reverted_says_nothing_any_more(root, first):
    """Neither does the commit that reverts it, nor its own revert bring it back."""
    wrong = say(root, "Slowsched-Supersede: wrong")
    revert = say(root, body=f"This reverts commit {wrong}.")
    assert found(root, revert, first) == []
    again = say(root, body=f"This reverts commit {revert}.")
    assert found(root, again, first) == []
    assert found(root, say(root, "Slowsched-Supersede: again"), first) == ["again"]


def test_a_reverted_merge_takes_its_branch_along(root, first):
    """What main said beside it stays said."""
    on_branch(root, "Slowsched-Supersede: branch")
    wrong = merge(root, "branch", "merge it\n\nSlowsched-Supersede: merge")
    commit = say(root, body=f"This reverts commit {wrong}, reversing\nchanges made to {first}.")
    assert found(root, commit, first) == ["main"]


def test_a_revert_of_what_nobody_knows_is_no_revert(root, first):
    """A rebase gives commits new names: the line then finds nothing."""
    commit = say(root, "Slowsched-Supersede: a", body=f"This reverts commit {UNKNOWN}.")
    assert found(root, commit, first) == ["a"]


def test_a_shallow_clone_hears_the_commit_itself_only(root, first, tmp_path):
    """Fewer words, never old ones that were applied already."""
    say(root, "Slowsched-Supersede: second")
    say(root, "Slowsched-Supersede: third")
    commit = say(root, "Slowsched-Supersede: fourth")
    clone = tmp_path / "clone"
    run(tmp_path, "clone", "--quiet", "--depth", "2", f"file://{root}", str(clone))
    assert found(clone, commit, first) == ["fourth"]
    assert found(root, commit, UNKNOWN) == ["fourth"]


def test_a_message_that_says_nothing_of_ours(root, first):
    """It is not even read."""
    assert found(root, say(root, "Signed-off-by: somebody"), first) == []


def test_a_person_s_settings_of_git_change_nothing(root, first):
    """Neither signatures, nor notes, nor another encoding, nor patches get into what is read."""
    for name, value in (
        ("log.showSignature", "true"),
        ("i18n.logOutputEncoding", "ISO-8859-1"),
        ("log.diffMerges", "on"),
    ):
        run(root, "config", name, value)
    commit = say(root, "Slowsched-Supersede: ä 🙂")
    run(root, "notes", "add", "--message", "Slowsched-Supersede: note", commit)
    assert found(root, commit, first) == ["ä 🙂"]
