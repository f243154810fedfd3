"""`slowsched arm`, `retry` and `run`: repair the timer, and say that a task is to be executed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from slowsched.cli.complete import row_ids
from slowsched.cli.frame import command, pass_settings
from slowsched.cli.output import complain, is_agreed, note
from slowsched.cli.status import Status
from slowsched.errors import TimerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from slowsched.backend import Backend
    from slowsched.cli.settings import Settings
    from slowsched.model import Row

__all__ = ["arm_command", "retry_command", "run_command", "timer_words"]


@command("arm", examples=[("after somebody edited the timer by hand", "slowsched arm --env production")])
@pass_settings
def arm_command(settings: Settings) -> Status:
    """Arm the timer for the next moment anything needs the worker; harmless at any time."""
    from slowsched.arm import arm
    from slowsched.cli.loading import open_environment

    with open_environment(settings) as backend:
        try:
            arm(backend)
        except TimerError as error:
            complain(str(error))
            return Status.IN_PART
        note(settings, timer_words(backend))
    return Status.DONE


@command(
    "retry",
    examples=[
        ("give a dead task fresh attempts, after its cause was mended", "slowsched retry 'some task id'"),
        ("which tasks there are to retry", "slowsched list --state dead --state missed"),
    ],
)
@click.argument("task_id", metavar="ID", shell_complete=row_ids)
@pass_settings
def retry_command(settings: Settings, task_id: str) -> Status:
    """Schedule the dead or missed task ID again, at once, with fresh attempts and no grace."""
    from slowsched.cli.loading import open_environment
    from slowsched.intervene import retry

    with open_environment(settings) as backend:
        return _scheduled(settings, backend, task_id, retry)


@command(
    "run",
    examples=[
        ("at once rather than on its date", "slowsched run 'some task id'"),
        ("without being asked", "slowsched run 'some task id' --yes"),
    ],
)
@click.argument("task_id", metavar="ID", shell_complete=row_ids)
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where no person is at a terminal.")
@pass_settings
def run_command(settings: Settings, task_id: str, yes: bool) -> Status:
    """Make the scheduled task ID due at once; the next wake of the worker executes it."""
    from slowsched.cli.loading import open_environment
    from slowsched.intervene import find, run_early
    from slowsched.render.words import moment_and_distance

    with open_environment(settings) as backend:
        row = find(backend.store, task_id, backend.owner)
        due = moment_and_distance(row.task.due, backend.clock())
        if not is_agreed(f"{task_id!r} is due {due}. Run it now?", yes=yes):
            note(settings, "Not run: nothing was changed.")
            return Status.ERROR
        return _scheduled(settings, backend, task_id, run_early)


def _scheduled(settings: Settings, backend: Backend, task_id: str, transition: Callable[[Backend, str], Row]) -> Status:
    """Make a task due at once, and say when it will be executed, by what."""
    from slowsched.render.words import command as to_type
    from slowsched.render.words import moment_and_distance

    try:
        row = transition(backend, task_id)
    except TimerError as error:
        complain(f"the task is scheduled, and {error}")
        return Status.IN_PART
    if row.wake_at is not None:
        when = moment_and_distance(row.wake_at, backend.clock())
        note(settings, f"{task_id!r} is scheduled for {when}: {to_type('worker', backend.environment)} executes it")
    return Status.DONE


def timer_words(backend: Backend) -> str:
    """Say what the timer is set to."""
    from slowsched.render.words import moment_and_distance

    armed = backend.timer.armed()
    return "The timer is not set." if armed is None else f"Timer: {moment_and_distance(armed, backend.clock())}."
