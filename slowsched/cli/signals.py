"""SIGINT and SIGTERM as a wish to stop: the first is heard between two steps, the second ends the process at once."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["StopFlag", "stop_on_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ENDED_BY_SIGNAL = 128  # how shells count it


class StopFlag:
    """Whether somebody asked this process to stop: call it to ask.

    `on_signal` is told of every signal, from within its handler, whether it is the first or a later one.
    """

    def __init__(self, doing: str, on_signal: Callable[[bool], None] = lambda _first: None) -> None:
        self._said = f"slowsched: stopping: {doing}; a second signal ends it at once\n".encode()
        self._on_signal = on_signal
        self._set = False

    def __call__(self) -> bool:
        """Say whether to stop."""
        return self._set

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Remember the first signal; at the second end the process without another word."""
        first, self._set = not self._set, True
        self._on_signal(first)
        if not first:
            os._exit(_ENDED_BY_SIGNAL + number)
        os.write(2, self._said)  # what print would do is not safe within a signal


@contextmanager
def stop_on_signals(flag: StopFlag) -> Iterator[StopFlag]:
    """Turn SIGINT and SIGTERM into a flag for the length of a block."""
    before = {number: signal.signal(number, flag.handle) for number in _SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
