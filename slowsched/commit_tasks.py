"""The tasks that a commit declares, read out of git's objects as its own settings and schemas have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched import git
from slowsched.config import CONFIG_NAME, load_config
from slowsched.errors import ConfigError, GitError
from slowsched.model import Base
from slowsched.repository import Scan
from slowsched.task_paths import task_roots

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from slowsched.model import Declared

__all__ = ["find_base", "tasks_at"]


def find_base(root: Path, ref: str) -> Base:
    """Return what a branch is compared with: the commit of a name, and the commit at which HEAD and it part.

    Raises:
        GitError: git cannot say.
    """
    tip, head = git.resolve(root, ref), git.resolve(root, "HEAD")
    return Base(ref=ref, tip=tip, merge_base=git.merge_base(root, head, tip))


def tasks_at(root: Path, commit: str, environment: str, here: Sequence[Declared] | None = None) -> tuple[Declared, ...]:
    """Return what a commit declares for an environment; nothing where it has no settings yet.

    What has a problem there is left out: nobody can mend a commit. With `here`, what the files of the work tree
    declare, files that are the same there are not read again.

    Raises:
        GitError: git does not have the commit, or its settings cannot be read.
    """
    commit = git.resolve(root, commit)
    same = frozenset[str]() if here is None else _same(root, commit)
    try:
        with git.files_of(root, commit, _wanted, without=same) as folder:
            if not (folder / CONFIG_NAME).exists():
                return ()
            read = Scan(load_config(folder), environment)
            return _by_place([*read, *(each for each in here or () if each.place.path in same)])
    except ConfigError as error:
        raise GitError(
            f"the settings of commit {commit[:12]} cannot be read: {error}", hint="compare with another commit"
        ) from error


def _same(root: Path, commit: str) -> frozenset[str]:
    """Return the task files that mean the same in the work tree and in a commit: none where the rules differ."""
    same, different = git.compared(root, commit)
    config = load_config(root)
    rules = f"{config.schemas}/"
    files = (each.relative_to(root).as_posix() for each in (root / config.schemas).rglob("*") if each.is_file())
    if CONFIG_NAME not in same or any(each.startswith(rules) for each in different) or not same.issuperset(files):
        return frozenset()
    return frozenset(each for each in same if each != CONFIG_NAME and not each.startswith(rules))


def _by_place(declared: Iterable[Declared]) -> tuple[Declared, ...]:
    """Sort by file and line; of two tasks with one id the first counts, as in one reading."""
    first: dict[str, Declared] = {}
    for each in sorted(declared, key=lambda each: (each.place.path, each.place.line)):
        first.setdefault(each.task.id, each)
    return tuple(first.values())


def _wanted(folder: Path) -> Sequence[str]:
    """Return what is read of a commit: its settings, then what they name."""
    if not (folder / CONFIG_NAME).exists():
        return [CONFIG_NAME]
    config = load_config(folder)
    return [CONFIG_NAME, config.schemas, *task_roots(config)]
