"""A click program that has as many commands as slowsched, and does nothing: the floor of `slowsched --help`."""

from __future__ import annotations

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option("1.0.0")
def main() -> None:
    """Do nothing, in as many ways as slowsched does something."""


@main.command("validate")
def validate_command() -> None:
    """Report every problem of every task file."""


@main.command("plan")
def plan_command() -> None:
    """Show what apply would do."""


@main.command("apply")
def apply_command() -> None:
    """Bring the rows in line with the task files, and arm the timer."""


@main.command("worker")
def worker_command() -> None:
    """Run what is due: once, at a given time, or for ever."""


@main.command("list")
def list_command() -> None:
    """List the rows: state, due, next wake, attempts."""


@main.command("show")
def show_command() -> None:
    """Show one row: its task, its source, every attempt."""


@main.command("arm")
def arm_command() -> None:
    """Arm the timer for the next moment anything needs the worker."""


@main.command("retry")
def retry_command() -> None:
    """Give a dead or missed task fresh attempts."""


@main.command("run")
def run_command() -> None:
    """Run a scheduled task before it is due."""


@main.command("pause")
def pause_command() -> None:
    """Let no worker start anything until resume."""


@main.command("resume")
def resume_command() -> None:
    """End a pause, and arm the timer."""


@main.command("unlock")
def unlock_command() -> None:
    """Remove the apply lock of a holder that is gone."""


@main.command("init")
def init_command() -> None:
    """Make a repository that works: config, example task, schemas, action."""


@main.command("new")
def new_command() -> None:
    """Write a task file, from options or by asking."""


@main.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of task, config, plan or an action's payload."""


@main.command("completion")
def completion_command() -> None:
    """Print the script that completes commands, ids and names in your shell."""
