"""Progress of long work, at a terminal only: it goes to stderr and is gone when the work is done."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from slowsched.cli.settings import Settings

    Tell = Callable[[int, int], None]

__all__ = ["progress"]

PATIENCE_SECONDS = 1.0  # shorter work is over before a bar is read, and before rich is imported


@contextmanager
def progress(settings: Settings, label: str) -> Iterator[Tell | None]:
    """Give a function to tell how much of how much is done, None where nobody watches."""
    if settings.quiet or not sys.stderr.isatty():
        yield None
        return
    with ExitStack() as stack:
        yield _Bar(label, stack).tell


class _Bar:
    """A bar that appears once the work turns out to be long."""

    def __init__(self, label: str, stack: ExitStack) -> None:
        self._label = label
        self._stack = stack
        self._shown_from = time.monotonic() + PATIENCE_SECONDS
        self._show: Tell | None = None

    def tell(self, done: int, of: int) -> None:
        if self._show is None and time.monotonic() >= self._shown_from:
            self._show = self._opened()
        if self._show is not None:
            self._show(done, of)

    def _opened(self) -> Tell:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        shown = self._stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
        task = shown.add_task(self._label, total=None)
        return lambda done, of: shown.update(task, completed=done, total=of)
