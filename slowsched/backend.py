"""What a use case works with: the store, the timer, and the sources of time and chance beside them.

Nothing here names a concrete class: `wiring` puts a backend together, tests and simulations another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from slowsched.timing import soonest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

    from slowsched.store.base import Store
    from slowsched.timer.base import Timer

__all__ = ["Backend"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The store and timer of an environment, for one owner (`acme/shop/production`).

    `clock` returns now in UTC, `sleep` takes seconds, `chance` returns a float in [0, 1), `nonce` a
    fresh text for a token. `standing` says that the clock stands still (`--fakenow`): nothing waits.
    """

    environment: str
    owner: str
    store: Store
    timer: Timer
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    chance: Callable[[], float]
    nonce: Callable[[], str]
    standing: bool = False

    def soonest(self) -> datetime:
        """Return the first moment that the timer can serve from now on."""
        return soonest(self.clock(), self.timer.lead)

    def close(self) -> None:
        """Let go of the store and the timer."""
        try:
            self.store.close()
        finally:
            self.timer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
