"""The real sources of time and chance, which everything else is given as arguments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["chance", "standing_clock", "system_clock"]


def system_clock() -> datetime:
    """Return now, in UTC."""
    return datetime.now(UTC)


def standing_clock(moment: datetime) -> Callable[[], datetime]:
    """Return a clock that stands at `moment`."""
    return lambda: moment


def chance() -> float:
    """Return a float in [0, 1)."""
    from random import random  # noqa: PLC0415 - a plan needs none

    return random()  # noqa: S311 - it spreads retries, it guards nothing
