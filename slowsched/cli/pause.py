"""`slowsched pause`, `resume` and `unlock`: what a person does to the control row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from slowsched.cli.frame import command, pass_settings
from slowsched.cli.intervene import timer_words
from slowsched.cli.output import complain, is_agreed, note
from slowsched.cli.status import Status
from slowsched.errors import TimerError

if TYPE_CHECKING:
    from datetime import datetime

    from slowsched.cli.settings import Settings
    from slowsched.model import Lock

__all__ = ["pause_command", "resume_command", "unlock_command"]


@command(
    "pause",
    examples=[
        ("before a migration", "slowsched pause --env production --reason 'the shop moves, until 9:00'"),
        ("and after it", "slowsched resume --env production"),
    ],
)
@click.option("--reason", metavar="R", help="Why, for those who find it paused.")
@pass_settings
def pause_command(settings: Settings, reason: str | None) -> Status:
    """Let no worker start anything until `resume`, for every owner of the table; what runs goes on."""
    from slowsched.cli.loading import open_environment, person
    from slowsched.control import pause
    from slowsched.render.words import command as to_type

    with open_environment(settings) as backend:
        pause(backend, by=person(), reason=reason)
        note(settings, f"Paused: nothing is started before {to_type('resume', backend.environment)}")
    return Status.DONE


@command("resume", examples=[("go on", "slowsched resume --env production")])
@pass_settings
def resume_command(settings: Settings) -> Status:
    """End a pause and arm the timer; what became due meanwhile is executed, or missed by its grace."""
    from slowsched.cli.loading import open_environment
    from slowsched.control import resume

    with open_environment(settings) as backend:
        try:
            resume(backend)
        except TimerError as error:
            complain(f"it is resumed, and {error}")
            return Status.IN_PART
        note(settings, f"Resumed. {timer_words(backend)}")
    return Status.DONE


@command(
    "unlock",
    examples=[
        ("see whose lock it is, and be asked", "slowsched unlock --env production"),
        ("without being asked", "slowsched unlock --env production --yes"),
    ],
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where no person is at a terminal.")
@pass_settings
def unlock_command(settings: Settings, yes: bool) -> Status:
    """Remove the apply lock of a holder that is gone; it would end by itself after ten minutes.

    An apply that still runs and finds its lock gone stops, with status 4.
    """
    from slowsched.cli.loading import open_environment
    from slowsched.control import unlock

    with open_environment(settings) as backend:
        lock = backend.store.control().of(backend.owner).lock
        if lock is None:
            note(settings, "There is no apply lock.")
            return Status.DONE
        note(settings, _lock_words(lock, backend.clock()))
        if not is_agreed("Remove it?", yes=yes):
            note(settings, "The lock was left as it is.")
            return Status.ERROR
        unlock(backend)
        note(settings, "Removed.")
    return Status.DONE


def _lock_words(lock: Lock, now: datetime) -> str:
    from slowsched.render.words import moment_and_distance

    where = "" if lock.url is None else f" ({lock.url})"
    since, until = moment_and_distance(lock.taken_at, now), moment_and_distance(lock.lease_end, now)
    return f"{lock.holder}{where} holds the apply lock since {since}, until {until}"
