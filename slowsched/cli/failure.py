"""What the program says and which status it ends with when something stops it; never a traceback but with -v."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import TYPE_CHECKING

import click

from slowsched.cli.output import complain
from slowsched.cli.status import Status
from slowsched.errors import ActionsError, ConfigError, LockedError, SlowschedError, StalePlanError, UnsafeError

if TYPE_CHECKING:
    from slowsched.cli.settings import Settings

__all__ = ["report", "status_of", "usage_text"]

BUG_HINT = "this is a defect of slowsched: run the same with -v, and report what it prints"


def report(error: BaseException, settings: Settings) -> Status:
    """Say on stderr what stopped the program, in one line with the way out, and return its status."""
    if isinstance(error, BrokenPipeError) or _is_broken_pipe(error):
        _forget_stdout()
        return Status.ERROR
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return _interrupted(error)
    if isinstance(error, ActionsError) and error.trace:
        click.echo(error.trace, err=True, nl=not error.trace.endswith("\n"))
    elif settings.verbose and not isinstance(error, SlowschedError | click.ClickException):
        traceback.print_exception(error)
    if isinstance(error, ConfigError):
        click.echo(f"slowsched: error: {error}", err=True)  # it has one line a problem
    else:
        complain(_text(error))
    return status_of(error)


def status_of(error: BaseException) -> Status:
    """Return the exit status that an error ends with."""
    match error:
        case UnsafeError():
            return Status.UNSAFE
        case LockedError():
            return Status.LOCKED
        case StalePlanError():
            return Status.STALE
        case _:
            return Status.ERROR


def _text(error: BaseException) -> str:
    match error:
        case SlowschedError():
            return str(error)
        case click.UsageError():
            return usage_text(error)
        case OSError() if error.strerror is not None:
            what = "output" if error.filename is None else os.fsdecode(error.filename)
            return f"{what}: {error.strerror.lower()}"
        case _:
            return f"{type(error).__name__}: {error}: {BUG_HINT}"


def usage_text(error: click.UsageError) -> str:
    """Return what was mistyped, and the way out: the nearest name, else the help of the command."""
    message = _plain(error.format_message())
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        return _no_such_option(error, error.ctx)
    if message.endswith(("?", "lists them")):
        return message
    return f"{message}: see `{error.ctx.command_path if error.ctx else 'slowsched'} --help`"


def _no_such_option(error: click.NoSuchOption, ctx: click.Context) -> str:
    from slowsched.cli.nearest import way_out

    known = [name for param in ctx.command.get_params(ctx) if isinstance(param, click.Option) for name in param.opts]
    hint = way_out(error.option_name, known, otherwise=f"see `{ctx.command_path} --help`")
    where = f"{ctx.info_name} has no option" if ctx.parent else "before the command there is no option"
    return f"{where} {error.option_name!r}: {hint}"


def _plain(message: str) -> str:
    """Return click's sentence as the middle of ours."""
    parts = message.strip().removesuffix(".").split(": ")
    return ": ".join(part[:1].lower() + part[1:] for part in parts)


def _interrupted(error: BaseException) -> Status:
    if isinstance(error, click.Abort) and error.__cause__ is None:
        click.echo(err=True)  # at a question, whose line click leaves unfinished
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt):
        click.echo("slowsched: interrupted", err=True)
        return Status.INTERRUPTED
    complain("the input ended before the question was answered")
    return Status.ERROR


def _is_broken_pipe(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _forget_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain on its way out."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # a stdout of a test has none
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
