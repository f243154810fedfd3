"""`slowsched validate`: every problem of every task file."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import click

from slowsched.cli.frame import command, format_option, pass_settings
from slowsched.cli.output import emit, use_color
from slowsched.cli.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slowsched.cli.settings import Settings
    from slowsched.model import Problem

__all__ = ["problems_in", "problems_status", "validate_command"]


@command(
    "validate",
    examples=[
        ("every task file of the repository", "slowsched validate"),
        ("one folder, as JSON", "slowsched validate tasks/2027 --format json"),
        ("annotations on the lines of a pull request", "slowsched validate --format github"),
    ],
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path())
@format_option("text", "json", "github")
@pass_settings
def validate_command(settings: Settings, paths: Sequence[str], form: str) -> Status:
    """Report every problem of every task file, or of the files and folders at PATH.

    Each line says where: path:line:column. Nothing is written, and the team's code is not imported.
    """
    from slowsched.cli.loading import read_config, scanning

    config = read_config()
    if settings.named_environment is not None:
        config.environment(settings.named_environment)
    with scanning(settings, config, environment=None, paths=paths) as scan:
        deque(scan, maxlen=0)
    emit(problems_in(form, scan.files, scan.tasks, scan.problems, color=use_color(settings)))
    return problems_status(scan.problems)


def problems_in(form: str, files: int, tasks: int, problems: Sequence[Problem], *, color: bool) -> str:
    """Write problems in the form that was asked for."""
    match form:
        case "json":
            from slowsched.render.shapes import json_text, validate_shape

            return json_text(validate_shape(files, tasks, problems))
        case "github":
            from slowsched.render.github import annotations

            return annotations(problems)
        case _:
            from slowsched.render.text_problems import problems_text

            return problems_text(files, tasks, problems, color=color)


def problems_status(problems: Sequence[Problem]) -> Status:
    """Return how a command ends that found these; a warning alone is no error."""
    return Status.ERROR if any(problem.severity == "error" for problem in problems) else Status.DONE
