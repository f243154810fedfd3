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
    from collections.abc import Sequence
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


def tasks_at(root: Path, commit: str, environment: str) -> tuple[Declared, ...]:
    """Return what a commit declares for an environment; nothing where it has no settings yet.

    What has a problem there is left out: nobody can mend a commit.

    Raises:
        GitError: git does not have the commit, or its settings cannot be read.
    """
    commit = git.resolve(root, commit)
    try:
        with git.files_of(root, commit, _wanted) as folder:
            if not (folder / CONFIG_NAME).exists():
                return ()
            return tuple(Scan(load_config(folder), environment))
    except ConfigError as error:
        raise GitError(
            f"the settings of commit {commit[:12]} cannot be read: {error}", hint="compare with another commit"
        ) from error


def _wanted(folder: Path) -> Sequence[str]:
    """Return what is read of a commit: its settings, then what they name."""
    if not (folder / CONFIG_NAME).exists():
        return [CONFIG_NAME]
    config = load_config(folder)
    return [CONFIG_NAME, config.schemas, *task_roots(config)]
