"""What the commits say that an apply brings in: their trailers, read out of git's objects.

Only what is contained in the commit that is applied counts, and only once: what was applied before is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched import git
from slowsched.trailers import read_message, reverted_by

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from slowsched.model import Base, Trailer

__all__ = ["trailers_since"]

_LINES = ("^slowsched-[a-z0-9-]+[ \t]*:", "^This reverts commit [0-9a-f]{7,64}")


def trailers_since(
    root: Path, commit: str | None, applied: str | None, base: Base | None = None
) -> tuple[Trailer, ...]:
    """Return the trailers of the commits in `commit` that are not in the one applied last, newest first.

    Where nothing was applied yet: of `commit` and, if it merges, of what it brings in. With a `base`: of the
    branch and of what its base has that was not applied. A commit that another one of them reverts says nothing.

    Raises:
        GitError: git cannot answer.
    """
    if commit is None or (commit == applied and base is None):  # nothing new: git need not be asked
        return ()
    said = git.messages(root, *_range(root, commit, applied, base), _LINES)
    reverted = {each for _, message in said for named in reverted_by(message) for each in git.merged_by(root, named)}
    return tuple(trailer for name, message in said if name not in reverted for trailer in read_message(name, message))


def _range(root: Path, commit: str, applied: str | None, base: Base | None) -> tuple[Sequence[str], Sequence[str]]:
    """Return the commits to look in, and those whose content is left out."""
    if applied is not None:
        return [commit] if base is None else [commit, base.tip], [applied]
    if base is not None:
        return [commit], [base.tip]
    return [commit], git.parents(root, commit)[:1]
