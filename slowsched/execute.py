"""The registry of actions, and the execution of attempts: run one, return an Outcome, never raise.

A time-out holds: an attempt that is past its deadline is given up, whatever its thread still does. A
thread cannot be killed, so a process that hosts such an attempt must end before the attempt's lease
does (`Runner.overrun`).
"""

from __future__ import annotations

import copy
import inspect
import logging
import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from slowsched import canonical
from slowsched.errors import PermanentError, UsageError
from slowsched.model import Outcome, OutcomeKind
from slowsched.sensitive import message_mask
from slowsched.timing import rfc3339

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime, timedelta

    from slowsched.model import Row

    Action: TypeAlias = Callable[[Any, "Attempt"], object]

__all__ = ["MESSAGE_BYTES_MAX", "Attempt", "Finished", "Registry", "Runner", "action", "filling", "run_attempt"]

MESSAGE_BYTES_MAX = 1024  # of what an attempt leaves behind; a row keeps twenty of them
CANCEL_SECONDS = 1.0  # that a coroutine has to end by itself once its time is over
PARALLEL = 16  # attempts at once: enough to hide waiting for others, few enough for a small function


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What an action is told about the attempt it makes.

    `idempotency_key` is the same in every attempt of one execution and different in any other: an
    action that has seen it succeed should do nothing. `deadline` is when the attempt is given up.
    """

    task_id: str
    environment: str
    number: int
    idempotency_key: str
    due: datetime
    deadline: datetime
    logger: logging.LoggerAdapter[logging.Logger] = field(repr=False, compare=False)

    @classmethod
    def of_row(cls, row: Row, deadline: datetime) -> Attempt:
        """Make the attempt that a claimed row is about to have; its environment is the last part of the row's owner."""
        environment = row.owner.rpartition("/")[2]
        key = f"{environment}/{row.id}@{rfc3339(row.task.due)}#{row.generation}"
        context = {"task_id": row.id, "attempt": row.attempt, "idempotency_key": key}
        return cls(
            task_id=row.id,
            environment=environment,
            number=row.attempt,
            idempotency_key=key,
            due=row.task.due,
            deadline=deadline,
            logger=logging.LoggerAdapter(logging.getLogger(f"slowsched.action.{row.task.action}"), context),
        )


# --- the registry ----------------------------------------------------------------------------------


class Registry:
    """The actions that this worker knows, by name."""

    def __init__(self) -> None:
        self._actions: dict[str, Action] = {}

    def add(self, name: str, function: Action) -> None:
        """Register an action.

        Raises:
            UsageError: another function has that name already.
        """
        if name in self._actions and self._actions[name] is not function:
            raise UsageError(f"two functions are registered as action {name!r}", hint="an action has one function")
        self._actions[name] = function

    def get(self, name: str) -> Action | None:
        """Return the function of an action, None when it is unknown."""
        return self._actions.get(name)

    def names(self) -> tuple[str, ...]:
        """Return the names, sorted."""
        return tuple(sorted(self._actions))

    def __contains__(self, name: str) -> bool:
        return name in self._actions

    def __len__(self) -> int:
        return len(self._actions)


class _Filling(threading.local):
    """The registry that `@action` fills at this moment in this thread."""

    registry: Registry | None = None


_filling = _Filling()


class filling:  # noqa: N801 - used as a verb: `with filling(registry): import ...`
    """Within this block `@action` registers functions in `registry`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._before: Registry | None = None

    def __enter__(self) -> Registry:
        self._before, _filling.registry = _filling.registry, self._registry
        return self._registry

    def __exit__(self, *_: object) -> None:
        _filling.registry = self._before


def action(name: str) -> Callable[[Action], Action]:
    """Declare the function that executes an action: `@action("APPLY_SALE")`.

    The function takes the payload and an `Attempt`, and may be `async`. What it returns, if JSON and
    cut at 1 KB, becomes the outcome's message. An exception is a failed attempt and is retried;
    `PermanentError` is not. Outside of a worker the function stays what it is, to be called by tests.
    """

    def register(function: Action) -> Action:
        if _filling.registry is not None:
            _filling.registry.add(name, function)
        return function

    return register


# --- one attempt -----------------------------------------------------------------------------------


class _OverrunError(Exception):
    """A coroutine was cancelled because its time was over."""


def run_attempt(
    function: Action,
    payload: Any,
    attempt: Attempt,
    timeout: timedelta,
    mask: Callable[[str], str] | None = None,
) -> Outcome:
    """Execute one attempt and return its outcome, whatever the action does.

    A plain function is not stopped at its time-out (see `Runner`); a coroutine is cancelled. `mask` takes out of
    what the action says, and of its traceback, what is sensitive (decision 0016).
    """
    try:
        # A copy: what an action does to its payload must not find its way into the row.
        result = function(copy.deepcopy(payload), attempt)
        if inspect.isawaitable(result):
            result = _run_async(result, timeout)
    except _OverrunError:
        return Outcome(kind=OutcomeKind.TIMED_OUT, message=timeout_message(timeout))
    except BaseException as error:
        if mask is None:
            attempt.logger.warning("attempt %d of %s failed", attempt.number, attempt.task_id, exc_info=True)
        else:
            _log_masked(attempt, error, mask)
        message = _cut(f"{type(error).__name__}: {_said(error)}", mask)
        return Outcome(kind=OutcomeKind.FAILED, message=message, retryable=not isinstance(error, PermanentError))
    return Outcome(kind=OutcomeKind.SUCCEEDED, message=_result_message(result, mask))


def _log_masked(attempt: Attempt, error: BaseException, mask: Callable[[str], str]) -> None:
    import traceback  # noqa: PLC0415 - the log writes it otherwise

    # As text: whoever formats the exception itself would write its message, and those of its causes, in full.
    lines = mask("".join(traceback.format_exception(error)))
    attempt.logger.warning("attempt %d of %s failed\n%s", attempt.number, attempt.task_id, lines.rstrip())


def _run_async(result: Awaitable[object], timeout: timedelta) -> object:
    import asyncio  # noqa: PLC0415 - a third of the worker's start-up, for teams that have async actions

    async def bounded() -> object:
        try:
            async with asyncio.timeout(timeout.total_seconds()) as scope:
                return await result
        except TimeoutError:
            if scope.expired():
                raise _OverrunError from None
            raise

    return asyncio.run(bounded())


def timeout_message(timeout: timedelta) -> str:
    """Say that an attempt was given up."""
    return f"given up after its timeout of {timeout.total_seconds():g} s"


def _result_message(result: object, mask: Callable[[str], str] | None) -> str | None:
    if result is None or isinstance(result, str):
        return None if result is None else _cut(result, mask)
    try:
        return _cut(canonical.text(result), mask)
    except Exception:  # noqa: BLE001 - not JSON, or worse: the outcome counts, not what it left
        return None


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception of the team's own whose text cannot be had
        return "(its text cannot be had)"


def _cut(message: str, mask: Callable[[str], str] | None) -> str:
    data = (message if mask is None else mask(message)).encode("utf-8", "replace")
    return data[:MESSAGE_BYTES_MAX].decode("utf-8", "ignore")


# --- several attempts ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An attempt that has its outcome, by the token of its claim."""

    token: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    thread: threading.Thread
    timeout: timedelta
    give_up_at: float


class Runner:
    """Executes attempts side by side, each in a thread of its own, at most `parallel` at once."""

    def __init__(self, registry: Registry, *, parallel: int = PARALLEL) -> None:
        self._registry = registry
        self._parallel = parallel
        self._running: dict[str, _Running] = {}
        self._given_up: list[threading.Thread] = []
        self._finished: queue.SimpleQueue[Finished] = queue.SimpleQueue()

    def knows(self, name: str) -> bool:
        """Say whether there is a function for an action."""
        return name in self._registry

    @property
    def busy(self) -> int:
        """How many attempts have no outcome yet."""
        return len(self._running)

    @property
    def free(self) -> int:
        """How many more attempts may start now; one that was given up still takes its place."""
        return self._parallel - len(self._running) - sum(1 for each in self._given_up if each.is_alive())

    @property
    def overrun(self) -> bool:
        """Whether this process still hosts an attempt that was given up."""
        return any(each.is_alive() for each in self._given_up)

    def start(self, token: str, row: Row, attempt: Attempt, timeout: timedelta) -> None:
        """Begin the attempt of a claimed row whose action is known; it is given up after `timeout`."""
        function = self._registry.get(row.task.action)
        if function is None:
            raise UsageError(f"there is no function for action {row.task.action!r}")

        def execute() -> None:
            mask = message_mask(row.task) if row.task.sensitive else None
            outcome = run_attempt(function, row.task.payload, attempt, timeout, mask)
            self._finished.put(Finished(token=token, outcome=outcome))

        thread = threading.Thread(target=execute, name=f"attempt {attempt.idempotency_key}", daemon=True)
        patience = CANCEL_SECONDS if inspect.iscoroutinefunction(function) else 0.0
        give_up_at = time.monotonic() + timeout.total_seconds() + patience
        self._running[token] = _Running(thread=thread, timeout=timeout, give_up_at=give_up_at)
        thread.start()

    def wait(self, seconds: float | None = None) -> list[Finished]:
        """Wait until an attempt has its outcome, or `seconds` are over; returns all that have one."""
        if not self._running:
            return []
        first_end = min(each.give_up_at for each in self._running.values())
        patience = max(first_end - time.monotonic(), 0.0)
        if seconds is not None:
            patience = min(patience, max(seconds, 0.0))
        done: list[Finished] = []
        try:
            done.append(self._finished.get(timeout=patience))
            while True:
                done.append(self._finished.get_nowait())
        except queue.Empty:
            pass
        # An attempt that was given up may still report: its time-out has been recorded, and stands.
        mine = [each for each in done if self._running.pop(each.token, None) is not None]
        return mine + self._give_up()

    def _give_up(self) -> list[Finished]:
        now = time.monotonic()
        late = [token for token, each in self._running.items() if each.give_up_at <= now]
        finished: list[Finished] = []
        for token in late:
            running = self._running.pop(token)
            self._given_up.append(running.thread)
            outcome = Outcome(kind=OutcomeKind.TIMED_OUT, message=timeout_message(running.timeout))
            finished.append(Finished(token=token, outcome=outcome))
        return finished
