"""`slowsched doctor`: what is wrong with an environment, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from slowsched import __version__
from slowsched.cli.frame import command, format_option, pass_settings
from slowsched.cli.output import emit, text_style
from slowsched.cli.status import Status
from slowsched.diagnosis import Verdict

if TYPE_CHECKING:
    from slowsched.aws import Account
    from slowsched.aws_inspection import Seen
    from slowsched.backend import Backend
    from slowsched.cli.settings import Settings
    from slowsched.config import Environment
    from slowsched.diagnosis import Diagnosis

__all__ = ["doctor_command", "doctor_status"]


@command(
    "doctor",
    examples=[
        ("is production well?", "slowsched doctor --env production"),
        ("the timer is wrong: set it", "slowsched doctor --env production --fix"),
        (
            "what a person must look at, for a script",
            "slowsched doctor --format json | jq -r '.findings[] | select(.severity == \"error\").message'",
        ),
    ],
)
@click.option("--fix", "fixes", is_flag=True, help="Arm the timer first; nothing else is changed, ever.")
@click.option("--strict", is_flag=True, help="End with 1 for a warning, too.")
@format_option("text", "json")
@pass_settings
def doctor_command(settings: Settings, *, fixes: bool, strict: bool, form: str) -> Status:
    """Look at the store, the timer, the worker and what is due, and say what is wrong and what to do.

    On aws also at credentials, account, clock, table, heartbeat, function and permissions. A check that
    these credentials may not make is a warning. Status 1: there is an error; 6: --fix could not arm.
    """
    from slowsched import doctor
    from slowsched.cli.loading import open_environment, read_config
    from slowsched.wiring import open_account

    config = read_config()
    environment = config.environment(settings.environment)
    account = open_account(environment) if environment.backend == "aws" else None
    with open_environment(settings, config, account=account) as backend:
        fix = doctor.fix(backend) if fixes else None
        seen = None if account is None else _look(account, backend, environment)
        diagnosis = doctor.examine(backend, seen=seen, fixed=fix)
    _show(diagnosis, settings, form)
    return doctor_status(diagnosis, strict=strict)


def _look(account: Account, backend: Backend, environment: Environment) -> Seen:
    from slowsched.aws_inspection import Expected, inspect

    if environment.table is None or environment.timer is None:
        raise TypeError(f"the schema of the settings let {environment.name!r} through without table or timer")
    expected = Expected(
        slowsched=__version__,
        table=environment.table,
        timer=environment.timer,
        account=environment.expected_account,
    )
    return inspect(account, backend, expected)


def _show(diagnosis: Diagnosis, settings: Settings, form: str) -> None:
    if form == "json":
        from slowsched.render.shapes import diagnosis_shape, json_text

        emit(json_text(diagnosis_shape(diagnosis)))
    else:
        from slowsched.render.text_diagnosis import diagnosis_text

        emit(diagnosis_text(diagnosis, quiet=settings.quiet, **text_style(settings)))


def doctor_status(diagnosis: Diagnosis, *, strict: bool = False) -> Status:
    """Return the status of a diagnosis; a warning counts only where it is asked for."""
    if not diagnosis.healthy or (strict and diagnosis.has(Verdict.WARNING)):
        return Status.ERROR
    failed = diagnosis.fix is not None and diagnosis.fix.error is not None
    return Status.IN_PART if failed else Status.DONE
