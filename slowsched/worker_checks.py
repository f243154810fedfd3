"""What doctor checks of the worker on AWS: the function, and what it last said of itself. Pure.

`aws_inspection` looks, the values come in here.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from slowsched.aws_inspection import Function
from slowsched.checks import named
from slowsched.diagnosis import Unknown, cannot_tell, error, fine, warning
from slowsched.render.words import counted, span
from slowsched.store.codec import ROW_FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from slowsched.aws_inspection import Deployment, Expected, Seen
    from slowsched.checks import Live
    from slowsched.diagnosis import Finding
    from slowsched.model import Control, Row, Worker

__all__ = ["END_SLACK", "TIMEOUT_MIN", "check_function", "check_worker"]

HANDLER = "worker.handler.handler"
END_SLACK = timedelta(minutes=1)  # of the function's time, to settle, arm and report
TIMEOUT_MIN = timedelta(minutes=3) + END_SLACK  # a worker stays for what is too near for the timer
PYTHON_MIN = (3, 11)

_TERRAFORM = "apply terraform/ again"
_DEPLOY = "build the package of this version (`slowsched package`) and apply terraform/ with it"
_PYTHON = re.compile(r"python(\d+)\.(\d+)")
_WELL = {"Active", "Inactive", ""}  # Inactive: idle for weeks, and made active by its next event


def check_function(seen: Seen) -> Iterator[Finding]:
    """Yield what is to be said of the function that the timer starts."""
    found = seen.deployment
    if found is None:
        return
    if found.function_arn is None and isinstance(found.timer, Unknown):
        yield cannot_tell("function", "function", found.timer)
        return
    if found.function_arn is None:
        words = "it is not known: the timer starts no function"
        yield error("function", "function", words, "see the finding about the timer's target")
        return
    name = f"function {found.function_arn.rpartition(':')[2]}"
    if found.function is None:
        yield error("function", name, "it does not exist: nothing executes a task", _TERRAFORM)
    elif isinstance(found.function, Unknown):
        yield cannot_tell("function", name, found.function)
    else:
        yield from _function(name, found.function, seen.expected)


def _function(name: str, function: Function, expected: Expected) -> Iterator[Finding]:
    yield _state(name, function)
    yield _handler(name, function)
    yield _runtime(name, function)
    yield _timeout(name, function)
    yield _variables(name, function, expected)


def _state(name: str, function: Function) -> Finding:
    if function.state not in _WELL:
        words = f"its state is {function.state}" + (f": {function.reason}" if function.reason else "")
        out = "wait until it is Active" if function.state == "Pending" else _TERRAFORM
        return error("function", name, words, out)
    if function.update == "Failed":
        reason = f": {function.update_reason}" if function.update_reason else ""
        return error("function", name, f"its last update failed{reason}", _TERRAFORM)
    if function.update == "InProgress":
        return warning("function", name, "it is being updated", "look again in a minute")
    return fine("function", name, "it is there, and ready")


def _handler(name: str, function: Function) -> Finding:
    if function.handler == HANDLER:
        return fine("function-handler", name, f"its handler is {HANDLER}")
    words = f"its handler is {function.handler}, and should be {HANDLER}"
    return error("function-handler", name, words, f"the timer starts another function, or {_TERRAFORM}")


def _runtime(name: str, function: Function) -> Finding:
    match = _PYTHON.fullmatch(function.runtime)
    if match is not None and (int(match[1]), int(match[2])) >= PYTHON_MIN:
        return fine("function-runtime", name, f"it runs on {function.runtime}")
    least = ".".join(map(str, PYTHON_MIN))
    words = f"it runs on {function.runtime or 'an unknown runtime'}, and needs Python {least} or newer"
    return warning("function-runtime", name, words, "set `runtime` of the Terraform module")


def _timeout(name: str, function: Function) -> Finding:
    if function.timeout >= TIMEOUT_MIN:
        return fine("function-timeout", name, f"it may take {span(function.timeout)}")
    words = f"it may take {span(function.timeout)}, and needs {span(TIMEOUT_MIN)}: it cannot stay for a near task"
    return error("function-timeout", name, words, f"{_TERRAFORM}, which sets 15 minutes")


def _variables(name: str, function: Function, expected: Expected) -> Finding:
    if function.variables is None:
        unknown = Unknown(
            what="Lambda does not show its variables", way_out="let these credentials use its KMS key", refused=True
        )
        return cannot_tell("function-environment", name, unknown)
    wrong = [
        f"{key} is {function.variables.get(key, 'absent')}, and should be {value}"
        for key, value in _wanted(expected).items()
        if function.variables.get(key) != value
    ]
    if not wrong:
        return fine("function-environment", name, "its variables name this table and timer")
    out = f"correct slowsched.yaml (`terraform output` says what is right), or {_TERRAFORM}"
    return error("function-environment", name, "; ".join(wrong), out)


def _wanted(expected: Expected) -> dict[str, str]:
    timer = expected.timer
    wanted = {
        "SLOWSCHED_TABLE": expected.table,
        "SLOWSCHED_TIMER_KIND": timer.kind,
        "SLOWSCHED_TIMER_NAME": timer.name,
        "SLOWSCHED_TIMER_GROUP": timer.group,
        "SLOWSCHED_TIMER_ROLE_ARN": timer.role_arn,
    }
    return {key: value for key, value in wanted.items() if value is not None}


# --- what the worker said --------------------------------------------------------------------------


def check_worker(seen: Seen, live: Live) -> Iterator[Finding]:
    """Yield what is to be said of the worker's version, and of the tasks that it will be given."""
    if isinstance(live.control, Unknown):
        return  # the finding about the store says so
    yield from _said(live.control, seen.expected.slowsched)
    if isinstance(live.tasks, Unknown):
        yield cannot_tell("worker-actions", "tasks", live.tasks)
    elif live.tasks is not None:
        if live.control.worker is not None:
            yield _actions(live.control.worker, live.tasks)
        yield from _timeouts(seen.deployment, live.tasks)


def _said(control: Control, here: str) -> Iterator[Finding]:
    worker = control.worker
    if worker is None:
        words = "it has said nothing yet: no wake has run since it was deployed"
        out = "wait for the heartbeat, at most 15 minutes; if it still has not, its log says why"
        yield warning("worker-version", "worker", words, out)
        return
    both = f"it runs slowsched {worker.slowsched}, and this is {here}"
    if worker.row_format < ROW_FORMAT:
        words = f"{both}: it cannot read the rows that this version writes"
        yield error("worker-version", "worker", words, _DEPLOY)
    elif worker.row_format > ROW_FORMAT:
        words = f"{both}: this version cannot read the rows that it writes"
        yield error("worker-version", "worker", words, f"install slowsched {worker.slowsched} here")
    elif worker.slowsched != here:
        yield warning("worker-version", "worker", f"{both}; they read each other's rows", _DEPLOY)
    else:
        yield fine("worker-version", "worker", f"it runs slowsched {worker.slowsched}, as this is")


def _actions(worker: Worker, tasks: Sequence[Row]) -> Finding:
    lacking = [row for row in tasks if row.task.action not in worker.actions]
    if not lacking:
        return fine(
            "worker-actions", "worker", f"it knows the actions of what comes next: {counted(len(tasks), 'task')}"
        )
    actions = ", ".join(sorted({row.task.action for row in lacking}))
    ids = [row.id for row in sorted(lacking, key=lambda row: (row.task.due, row.id))]
    words = f"it does not know {actions}, which is asked for by {counted(len(ids), 'task')}: {named(ids)}"
    return error(
        "worker-actions", "worker", words, "add it to the actions, build the package, and apply terraform/ with it"
    )


def _timeouts(found: Deployment | None, tasks: Sequence[Row]) -> Iterator[Finding]:
    """Look for tasks that may take longer than the function: a worker claims only what can finish."""
    if found is None or not isinstance(found.function, Function):
        return
    most = found.function.timeout - END_SLACK
    ids = [row.id for row in tasks if row.task.timeout > most]
    if ids:
        words = f"{counted(len(ids), 'task')} with a timeout beyond what the function has time for: {named(ids)}"
        yield error("task-timeout", "tasks", words, "give the function 15 minutes, or the tasks a shorter timeout")
