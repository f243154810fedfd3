"""What every command shares: the global options, the options of many, and the look of `--help`.

It is imported by `slowsched --help`, so it imports click and nothing else that costs time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from slowsched.cli.settings import DEFAULT_ENVIRONMENT, ENVIRONMENT_VARIABLE, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from slowsched.cli.status import Status

__all__ = [
    "Command",
    "GlobalOption",
    "command",
    "format_option",
    "global_options",
    "pass_settings",
    "write_options",
]


class GlobalOption(click.Option):
    """An option that is taken before and after the command, and listed apart from the command's own."""


def global_options() -> list[click.Parameter]:
    """Return fresh global options; each writes what it was given into the context's `Settings`."""
    return [
        GlobalOption(
            ["--env", "environment_option"],
            metavar="NAME",
            expose_value=False,
            callback=_keep,
            shell_complete=_complete_environment,
            help=f"The environment to work on.  [default: ${ENVIRONMENT_VARIABLE}, else {DEFAULT_ENVIRONMENT}]",
        ),
        GlobalOption(
            ["-C", "start_directory"],
            metavar="DIR",
            type=click.Path(exists=True, file_okay=False),
            is_eager=True,
            expose_value=False,
            callback=_change_directory,
            help="Work as if started in DIR.",
        ),
        GlobalOption(
            ["--color"],
            type=click.Choice(["auto", "always", "never"]),
            expose_value=False,
            callback=_keep,
            help="Colour the text.  [default: auto, at a terminal and without $NO_COLOR]",
        ),
        GlobalOption(
            ["-q", "--quiet"], is_flag=True, expose_value=False, callback=_keep, help="Say only what matters."
        ),
        GlobalOption(
            ["-v", "--verbose"], is_flag=True, expose_value=False, callback=_keep, help="Say more, tracebacks too."
        ),
    ]


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value and param.name is not None:
        setattr(ctx.ensure_object(Settings), param.name, value)


def _change_directory(_ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        os.chdir(value)


def _complete_environment(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    from slowsched.cli.complete import environments

    return environments(ctx, param, incomplete)


class Command(click.Command):
    """A command with the global options and examples in its help."""

    def __init__(self, name: str | None, *, examples: Sequence[tuple[str, str]], **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.examples = tuple(examples)
        self.params.extend(global_options())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the command's own options; the global ones in a word, they stand in `slowsched --help`."""
        write_options(self, ctx, formatter, of_all=False)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the examples: what for, then the line to type."""
        with formatter.section("Examples"):
            for purpose, line in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}# {purpose}\n")
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")
        names = ", ".join(param.opts[0] for param in self.params if isinstance(param, GlobalOption))
        formatter.write_paragraph()
        formatter.write_text(f"Also {names}: see `slowsched --help`.")


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter, *, of_all: bool) -> None:
    """List the options of a command: the global ones (`of_all`), or its own."""
    of_any = [param for param in command.get_params(ctx) if isinstance(param, click.Option)]
    options = [param for param in of_any if isinstance(param, GlobalOption) is of_all]
    records = [record for param in options if (record := param.get_help_record(ctx)) is not None]
    if records:
        with formatter.section("Global options" if of_all else "Options"):
            formatter.write_dl(records)


def command(name: str, *, examples: Sequence[tuple[str, str]]) -> Callable[[Callable[..., Status]], Command]:
    """Make a command of a function that returns its exit status; examples are (purpose, line to type)."""
    return click.command(name, cls=Command, examples=examples)


def format_option(*forms: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--format`, whose first choice is the default, as the parameter `form`."""
    return click.option(
        "--format", "form", type=click.Choice(forms), default=forms[0], help=f"How to write it.  [default: {forms[0]}]"
    )


pass_settings = click.make_pass_decorator(Settings, ensure=True)
