"""What git says about the repository: the commit, its ancestry, what is not committed, what is ignored.

git is asked only where a `.git` is found upwards; outside of a work tree, without a git program, and for a
root that its repository ignores, there is no commit, nothing is dirty and nothing is ignored. Nothing here
writes into the repository: git is kept from locks, prompts, pagers and hooks.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from slowsched.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

__all__ = [
    "commit",
    "compared",
    "files_of",
    "ignored",
    "is_ancestor",
    "is_dirty",
    "merge_base",
    "merged_by",
    "messages",
    "parents",
    "resolve",
]

_SECONDS_MAX = 60  # git on a network drive may be slow; for ever is a fault
_YES, _NO = 0, 1  # exit statuses of what git is asked; above them it failed
_WHOLE_HISTORY = "check out the whole history (with actions/checkout: `fetch-depth: 0`)"

# A hook runs with these set; they would lead git away from the root that it is asked about.
_MISLEADING = frozenset(
    [
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    ]
)
_QUIET = {
    "GIT_NO_LAZY_FETCH": "1",  # a partial clone is asked as it is
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_OPTIONS = ("--no-pager", "-c", "core.fsmonitor=false")


def commit(root: Path) -> str | None:
    """Return the commit that is checked out, None where there is none (or no git)."""
    if not _is_work_tree(root):
        return None
    status, output, _ = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return output.strip() if status == _YES else None


def is_dirty(root: Path) -> bool:
    """Say whether files under the root differ from the commit, those that git does not know yet included.

    Raises:
        GitError: git cannot answer.
    """
    return _is_work_tree(root) and bool(
        _ask(root, "status", "--porcelain", "-z", "--untracked-files=normal", "--", ".")
    )


def is_ancestor(root: Path, ancestor: str, commit: str) -> bool:
    """Say whether `commit` is `ancestor` or comes after it.

    Raises:
        GitError: git does not know one of them, the clone is too shallow to say, or there is no git.
    """
    if not _is_work_tree(root):
        raise GitError("there is no git here that could say which commit came first", hint="run it in the work tree")
    for name in (ancestor, commit):
        if not _is_known(root, name):
            raise GitError(f"git does not know the commit {name}", hint=_WHOLE_HISTORY)
    status, _, complaint = _git(root, "merge-base", "--is-ancestor", ancestor, commit)
    if status not in (_YES, _NO):
        raise _failed("merge-base", complaint)
    if status == _NO and _ask(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise GitError(f"this clone is too shallow to say whether {commit} follows {ancestor}", hint=_WHOLE_HISTORY)
    return status == _YES


def resolve(root: Path, name: str) -> str:
    """Return the commit that a name stands for: a branch, a tag, a commit.

    Raises:
        GitError: git knows no such commit, or there is no git.
    """
    if not _is_work_tree(root):
        raise GitError(f"there is no git here that could know {name!r}", hint="run it in the work tree")
    status, output, _ = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if status != _YES:
        raise GitError(f"git knows no commit {name!r}", hint=f"fetch it (git fetch origin), or {_WHOLE_HISTORY}")
    return output.strip()


def merge_base(root: Path, one: str, other: str) -> str:
    """Return the commit at which two commits part: the last that both contain.

    Raises:
        GitError: they have none in common, or the clone is too shallow to say.
    """
    status, output, complaint = _git(root, "merge-base", one, other)
    if status not in (_YES, _NO):
        raise _failed("merge-base", complaint)
    found = output.strip()
    # Where history is cut off, a better one may lie behind the cut; but nothing is better than one of the two.
    if found not in {one, other} and _ask(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise GitError(f"this clone is too shallow to say where {one} and {other} part", hint=_WHOLE_HISTORY)
    if status == _NO:
        raise GitError(f"{one} and {other} have no commit in common", hint="name a base that this branch came from")
    return found


def messages(root: Path, commits: Sequence[str], without: Sequence[str], grep: Sequence[str]) -> list[tuple[str, str]]:
    """Return name and message of what these commits contain and `without` do not, newest first.

    Only messages with a line that matches one of the expressions; a commit comes before those that it follows. In a
    clone too shallow to say what `without` contain, these are the commits themselves and nothing before them; where
    git knows none of the commits there are none.

    Raises:
        GitError: git cannot answer.
    """
    known = [each for each in commits if _is_known(root, each)]
    if not known:
        return []
    is_shallow = _ask(root, "rev-parse", "--is-shallow-repository").strip() == "true"
    if is_shallow or not all(_is_known(root, each) for each in without):
        which = ["--no-walk=unsorted", *known]
    else:
        which = ["--topo-order", *known, "--not", *without]
    look = ["-z", "--format=%H%n%B", "--encoding=UTF-8", "--no-show-signature", "--no-notes", "--no-patch"]
    patterns = [f"--grep={each}" for each in grep]
    listed = _ask(root, "log", *look, "--extended-regexp", "--regexp-ignore-case", *patterns, *which, "--")
    return [(each[:end], each[end + 1 :]) for each in listed.split("\0") if (end := each.find("\n")) > 0]


def merged_by(root: Path, commit: str) -> frozenset[str]:
    """Return what a commit has brought in: itself, and of a merge everything that its first parent did not have.

    Raises:
        GitError: git cannot answer.
    """
    if not _is_known(root, commit):
        return frozenset()
    first = parents(root, commit)[:1]
    return frozenset(_ask(root, "rev-list", commit, "--not", *first, "--").split())


def parents(root: Path, commit: str) -> list[str]:
    """Return the commits that a commit follows, the one that a merge was made on first.

    None of one that git does not know.

    Raises:
        GitError: git cannot answer.
    """
    return _ask(root, "rev-parse", f"{commit}^@").split() if _is_known(root, commit) else []


def _is_known(root: Path, commit: str) -> bool:
    return not commit.startswith("-") and _git(root, "cat-file", "-e", f"{commit}^{{commit}}")[0] == _YES


def compared(root: Path, commit: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the files that stand in the work tree as a commit has them, and those that do not, from the root.

    Files that git does not know are in neither. In a work tree with links, or with files that git was told not to
    look at, none count as the same: what they lead to, or hold, is not known.

    Raises:
        GitError: git cannot answer.
    """
    ways = ("--no-renames", "--no-ext-diff", "--ignore-submodules=all", "--relative")
    different = frozenset(_ask(root, "diff", "--name-only", "-z", *ways, commit, "--", ".").split("\0")) - {""}
    entries = [each.partition("\t") for each in _ask(root, "ls-files", "-z", "-s", "-v", "--", ".").split("\0") if each]
    if any(not about.startswith("H 100") for about, _, _ in entries):
        return frozenset(), different
    return frozenset(path for _, _, path in entries) - different, different


@contextmanager
def files_of(
    root: Path, commit: str, choose: Callable[[Path], Sequence[str]], without: Collection[str] = ()
) -> Iterator[Path]:
    """Give a folder with files of a commit as they were at `root`, out of git's objects; the work tree is not touched.

    `choose` is asked, with the folder, which paths below the root are wanted, until it names no more; each is a
    file or everything below a folder. What the commit does not have is left out, and so are the paths in `without`.

    Raises:
        GitError: git cannot give them.
    """
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - a plain plan needs none, and it takes its time

    with TemporaryDirectory(prefix="slowsched-") as folder:
        files = Path(folder, "files")
        files.mkdir()
        below = _ask(root, "rev-parse", "--show-prefix").rstrip("\n").rstrip("/")
        there = {
            "GIT_DIR": _ask(root, "rev-parse", "--absolute-git-dir").rstrip("\n"),
            "GIT_INDEX_FILE": f"{folder}/index",
            "GIT_WORK_TREE": str(files),
        }
        if not below or _git(root, "cat-file", "-e", f"{commit}:{below}")[0] == _YES:
            _ask(files, "read-tree", f"{commit}:{below}", more=there)
            taken: set[str] = set()
            while paths := sorted({*choose(files)} - taken):
                taken.update(paths)
                listed = _ask(files, "ls-files", "-z", "--cached", "--", *map(_literal, paths), more=there)
                chosen = [path for path in listed.split("\0") if path and path not in without]
                _ask(files, "checkout-index", "-z", "--stdin", "--force", more=there, given="\0".join(chosen))
        yield files


def _literal(path: str) -> str:
    return f":(literal){path}"


def ignored(root: Path, folders: Sequence[str]) -> frozenset[str]:
    """Return the files and folders below these folders that git ignores, relative to the root.

    Of a folder that is ignored as a whole nothing inside is named. What is committed is not ignored.

    Raises:
        GitError: git cannot answer.
    """
    if not folders or not _has_git(root):
        return frozenset()
    # Much quicker than check-ignore, which compares every path with every entry of the index.
    options = ("-z", "--others", "--ignored", "--exclude-standard", "--directory")
    status, output, complaint = _git(root, "ls-files", *options, "--", *(f":(literal){folder}" for folder in folders))
    if (status != _YES or output) and not _is_work_tree(root):
        return frozenset()  # the root is ignored as a whole: the rules are not about its files
    if status != _YES:
        raise _failed("ls-files", complaint)
    return frozenset(path.rstrip("/") for path in output.split("\0") if path)


def _has_git(root: Path) -> bool:
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def _is_work_tree(root: Path) -> bool:
    if not _has_git(root):
        return False
    status, _, complaint = _git(root, "check-ignore", "--quiet", ".")
    if status in (_YES, _NO, None):
        return status == _NO
    raise _failed("check-ignore", complaint)


def _ask(root: Path, *arguments: str, more: Mapping[str, str] | None = None, given: str | None = None) -> str:
    status, output, complaint = _git(root, *arguments, more=more, given=given)
    if status != _YES:
        raise _failed(arguments[0], complaint)
    return output


def _failed(what: str, complaint: str) -> GitError:
    return GitError(f"git {what} failed", hint=complaint.strip() or "run it by hand to see why")


def _git(
    root: Path, *arguments: str, more: Mapping[str, str] | None = None, given: str | None = None
) -> tuple[int | None, str, str]:
    """Run git and return its status (None without a git program), what it says and what it complains about.

    `more` are variables of its own, `given` is what it reads from its standard input.
    """
    import subprocess  # noqa: PLC0415 - outside of a repository it is not needed

    environment = (
        {name: value for name, value in os.environ.items() if name not in _MISLEADING} | _QUIET | dict(more or {})
    )
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and fixed arguments
            ["git", *_OPTIONS, *arguments],  # noqa: S607 - git is where the person's PATH has it
            cwd=root,
            env=environment,
            input=os.fsencode(given or ""),
            capture_output=True,
            timeout=_SECONDS_MAX,
            check=False,
        )
    except FileNotFoundError:
        return None, "", ""
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {arguments[0]} did not end within {_SECONDS_MAX} seconds") from error
    return done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr)
