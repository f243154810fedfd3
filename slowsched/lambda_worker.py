"""The worker as a function on AWS Lambda: an event comes in, one wake is done, logs and metrics go out.

An event is a reason to wake and nothing else: what it says is never trusted, only named in the log. What is due
is asked of the table. Nothing here decides on a row.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from aws_lambda_powertools.logging import Logger

from slowsched import __version__
from slowsched.action_loader import load_actions
from slowsched.aws import Account
from slowsched.aws_backend import aws_backend
from slowsched.errors import ActionsError, BackendError, ConfigError, SlowschedError
from slowsched.execute import Runner
from slowsched.lambda_metrics import put_metrics
from slowsched.model import OutcomeKind, Worker
from slowsched.render.shapes import wake_shape
from slowsched.store.codec import ROW_FORMAT
from slowsched.timer.settings import TimerSettings
from slowsched.wake import WORKER_BUDGET, WakeRequest, wake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from slowsched.backend import Backend
    from slowsched.execute import Registry
    from slowsched.reports import WakeReport

__all__ = ["Context", "LambdaWorker", "event_kind"]

END_SLACK = timedelta(seconds=60)  # of the function's time, to settle, arm and report when the budget is over
BUDGET_MIN = timedelta(minutes=3)  # below it a worker cannot look after what is too near for the timer
ATTEMPTS_ANSWERED = 100  # an answer has 6 MB at most; nobody reads that of a timer

_SOURCES = {"aws.events": "rule", "slowsched.schedule": "schedule", "slowsched.heartbeat": "heartbeat"}


class Context(Protocol):
    """What is used of the context that Lambda hands to a function."""

    aws_request_id: str
    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int:
        """Return how long this invocation may still take."""


def event_kind(event: object) -> str:
    """Return what woke the worker, as far as the event says: `rule`, `schedule`, `heartbeat` or `other`."""
    source = event.get("source") if isinstance(event, dict) else None
    return _SOURCES.get(source, "other") if isinstance(source, str) else "other"


class LambdaWorker:
    """A process of the function: the actions and the backend are kept from one invocation to the next.

    `actions` is the file of the team's actions, in a folder beside slowsched. `end_process` ends this process.
    """

    def __init__(self, actions: Path, environ: Mapping[str, str], *, end_process: Callable[[], object]) -> None:
        self._actions = actions
        self._environ = environ
        self._end_process = end_process
        self._registry: Registry | None = None
        self._backend: Backend | None = None
        # Its name is the parent of the loggers that actions are given: their lines get its form.
        self._logger = Logger(service="slowsched", utc=True, use_rfc3339=True, serialize_stacktrace=False)

    def handle(self, event: object, context: Context) -> dict[str, Any]:
        """Do one wake, and return what it did (the shape of `worker --format json`).

        An error fails the invocation, so that an alarm sees it and Lambda tries again: one wake more does no
        harm. A failed attempt is none; it stands in its row, and the row says when it is tried again.

        An attempt that is past its timeout may still run in a thread, which cannot be stopped. Once this had
        answered, Lambda would freeze the process and thaw it with the thread at the next event, hours later,
        beside another attempt of the same task. So the process ends before it answers, after every other
        attempt was settled and the timer armed. Lambda reports that as a failed invocation as well.

        Raises:
            SlowschedError: the actions do not import, the settings are wrong, the store did not answer, or a
                write failed on the way.
        """
        self._logger.append_keys(request_id=context.aws_request_id, woken_by=event_kind(event))
        try:
            report, overrun = self._wake(context)
            put_metrics(report, table=self._environ["SLOWSCHED_TABLE"])
            self._log(report)
            if overrun:
                self._logger.error("an attempt does not stop after its timeout: the process ends with it")
                self._end_process()
            _check(report)
        except SlowschedError as error:
            self._log_error(error)
            raise
        except Exception:
            self._logger.exception("the wake broke off: an error of slowsched itself")
            raise
        return _answer(report)

    def _wake(self, context: Context) -> tuple[WakeReport, bool]:
        """Do one wake; also says whether this process still hosts an attempt that was given up."""
        if self._registry is None:
            self._registry = load_actions(self._actions, self._actions.parent.parent)
        if self._backend is None:
            self._backend = _backend(self._environ, context.invoked_function_arn)
        announce = Worker(slowsched=__version__, row_format=ROW_FORMAT, actions=self._registry.names())
        runner = Runner(self._registry)
        report = wake(self._backend, runner, WakeRequest(budget=self._budget(context), announce=announce))
        return report, runner.overrun

    def _budget(self, context: Context) -> timedelta:
        left = timedelta(milliseconds=context.get_remaining_time_in_millis())
        budget = min(WORKER_BUDGET, left - END_SLACK)
        if budget < BUDGET_MIN:
            self._logger.warning("the function has too little time: set its timeout to 900 seconds", seconds_left=left)
        return budget

    # --- the log -----------------------------------------------------------------------------------

    def _log(self, report: WakeReport) -> None:
        """Write a line for each attempt and for each error, and one for the wake."""
        shape = wake_shape(report)
        for attempt, kind in zip(shape.pop("attempts"), (each.outcome for each in report.attempts), strict=True):
            write = self._logger.info if kind is OutcomeKind.SUCCEEDED else self._logger.warning
            write(f"attempt {kind.value}", task_id=attempt.pop("id"), **_renamed(attempt))
        for error in shape.pop("errors"):
            self._logger.error(error)
        self._logger.info("wake", attempts=len(report.attempts), **shape)

    def _log_error(self, error: SlowschedError) -> None:
        more = {"exception": error.trace} if isinstance(error, ActionsError) and error.trace else {}
        self._logger.error(error.message, extra={"error": type(error).__name__, "hint": error.hint, **more})


def _renamed(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of an attempt for a log line, which has a message of its own."""
    return {"said" if key == "message" else key: value for key, value in attempt.items()}


def _check(report: WakeReport) -> None:
    """Raise when something was left undone that another wake may mend."""
    if report.timer_error is not None:
        raise BackendError(f"the timer could not be armed: {report.timer_error}", hint="Lambda tries again")
    if report.errors:
        raise BackendError(f"{len(report.errors)} calls of the backend failed", hint="the lines before name them")


def _answer(report: WakeReport) -> dict[str, Any]:
    shape = wake_shape(report)
    return {**shape, "attempts": shape["attempts"][:ATTEMPTS_ANSWERED]}


# --- settings --------------------------------------------------------------------------------------


def _backend(environ: Mapping[str, str], function_arn: str) -> Backend:
    """Put the backend together that the function's variables describe; docs/cli.md lists them."""
    table = _variable(environ, "SLOWSCHED_TABLE")
    # A worker serves every environment of its table, and takes a task's own from its row.
    return aws_backend(Account(), table=table, timer=_timer(environ, function_arn), environment=table, owner=table)


def _timer(environ: Mapping[str, str], function_arn: str) -> TimerSettings:
    kind = _variable(environ, "SLOWSCHED_TIMER_KIND")
    name = _variable(environ, "SLOWSCHED_TIMER_NAME")
    if kind == "rule":
        return TimerSettings(kind=kind, name=name)
    if kind != "schedule":
        raise ConfigError(f"SLOWSCHED_TIMER_KIND is {kind!r}", hint="set it to rule or schedule")
    return TimerSettings(
        kind=kind,
        name=name,
        group=_variable(environ, "SLOWSCHED_TIMER_GROUP"),
        target_arn=function_arn,
        role_arn=_variable(environ, "SLOWSCHED_TIMER_ROLE_ARN"),
    )


def _variable(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name)
    if not value:
        raise ConfigError(f"the function has no variable {name}", hint="deploy it with the Terraform module")
    return value
