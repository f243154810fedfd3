"""The points of a process at which it can be killed: before and after whatever leaves it.

What is wrapped is the lowest level that the adapters stand on: the statements of sqlite3 and the requests of botocore,
those of the timer included. An action of a test says `reach` itself. Nothing here knows slowsched.
"""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import threading
from typing import Any

__all__ = ["begin", "count_requests", "count_statements", "reach", "reached"]

_LOCK = threading.RLock()
_STATE: dict[str, Any] = {"reached": [], "kill_at": None, "tell": lambda _reached: None}


def begin(kill_at: list[Any] | None, tell: Any) -> None:
    """Count from here; at the point of this name and number `tell` the points so far, and die by SIGKILL."""
    _STATE.update(reached=[], kill_at=kill_at, tell=tell)


def reach(name: str) -> None:
    """Say that this process is at a point, and be killed if it is the one."""
    with _LOCK:
        reached = _STATE["reached"]
        reached.append(name)
        if [name, reached.count(name)] == _STATE["kill_at"]:
            _STATE["tell"](reached)
            os.kill(os.getpid(), signal.SIGKILL)


def reached() -> list[str]:
    """Return the points so far."""
    with _LOCK:
        return list(_STATE["reached"])


class _Connection(sqlite3.Connection):
    """A connection whose statements are points: what is written is in force after COMMIT, and not before."""

    def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
        name = " ".join(statement.split()[:2])
        reach(f"before {name}")
        cursor = super().execute(statement, parameters)
        if name == "COMMIT":
            reach(f"after {name}")
        return cursor


def count_statements() -> None:
    """Make every statement a point; to be called before slowsched is imported."""
    sqlite3.connect = functools.partial(sqlite3.connect, factory=_Connection)  # type: ignore[assignment]


def count_requests() -> None:
    """Make every request to AWS a point, when it is sent and when its answer has come."""
    from botocore.httpsession import URLLib3Session  # noqa: PLC0415 - not every process needs it

    send = URLLib3Session.send

    def counted(self: Any, request: Any) -> Any:
        target = request.headers.get("X-Amz-Target", b"request")
        name = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        reach(f"before {name}")
        answer = send(self, request)
        reach(f"after {name}")
        return answer

    URLLib3Session.send = counted
