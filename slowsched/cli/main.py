"""The entry point: the table of the commands, and what becomes of a result, an error or a signal.

The table is all that `slowsched --help` reads; a command's module is imported when it runs.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from slowsched import __version__
from slowsched.cli.frame import global_options, write_options
from slowsched.cli.settings import Settings
from slowsched.cli.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

__all__ = ["COMMANDS", "Program", "main", "program"]

PROGRAM = "slowsched"
COMPLETE_VARIABLE = "_SLOWSCHED_COMPLETE"

COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "From a file to its outcome": {
        "validate": ("validate", "Report every problem of every task file."),
        "plan": ("plan", "Show what apply would do."),
        "apply": ("apply", "Bring the rows in line with the task files, and arm the timer."),
        "worker": ("worker", "Run what is due: once, at a given time, or for ever."),
    },
    "Look": {
        "list": ("rows", "List the rows: state, due, next wake, attempts."),
        "show": ("rows", "Show one row: its task, its source, every attempt."),
        "drift": ("drift", "Show what was changed in the table since the last apply."),
        "doctor": ("doctor", "Find what keeps tasks from running, and say what to do."),
    },
    "Intervene": {
        "arm": ("intervene", "Arm the timer for the next moment anything needs the worker."),
        "retry": ("intervene", "Give a dead or missed task fresh attempts."),
        "run": ("intervene", "Run a scheduled task before it is due."),
        "pause": ("pause", "Let no worker start anything until resume."),
        "resume": ("pause", "End a pause, and arm the timer."),
        "unlock": ("pause", "Remove the apply lock of a holder that is gone."),
    },
    "Write": {
        "init": ("init", "Make a repository that works: config, example task, schemas, action."),
        "new": ("new", "Write a task file, from options or by asking."),
        "serve": ("serve", "Offer the task files as the REST API of the original's editor."),
        "import": ("import_tasks", "Write task files for what a table holds."),
        "tidy": ("tidy", "Remove the files of tasks that are done for long."),
        "package": ("package", "Pack the worker for AWS Lambda."),
        "schema": ("schema", "Print the JSON Schema of task, config, plan or an action's payload."),
        "completion": ("completion", "Print the script that completes commands, ids and names in your shell."),
    },
}
"""Family -> command -> (module in `slowsched.cli`, its one line of help)."""

_MODULES = {name: entry for family in COMMANDS.values() for name, entry in family.items()}


class Program(click.Group):
    """The group of all commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of use."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command of this name; None when there is none."""
        if cmd_name not in _MODULES:
            return None
        command = getattr(import_module(f"slowsched.cli.{_MODULES[cmd_name][0]}"), f"{cmd_name}_command")
        assert isinstance(command, click.Command)  # noqa: S101 - the table and the modules are one program
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one."""
        if args[0] not in _MODULES and not ctx.resilient_parsing:
            from slowsched.cli.nearest import way_out

            hint = way_out(args[0], _MODULES, otherwise=f"`{PROGRAM} --help` lists them")
            raise click.UsageError(f"there is no command {args[0]!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by family, then the options, from the table alone."""
        width = max(map(len, _MODULES))
        for family, commands in COMMANDS.items():
            with formatter.section(family):
                formatter.write_dl([(f"{name:{width}}", text) for name, (_, text) in commands.items()])
        write_options(self, ctx, formatter, of_all=True)
        write_options(self, ctx, formatter, of_all=False)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the names of commands from the table alone, and options."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=text) for name, (_, text) in _MODULES.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def main(  # type: ignore[override]  # one way to run it, for the console script and for tests
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run one command line, and end the process with its status."""
        words = list(sys.argv[1:] if args is None else args)
        if words[:1] == ["help"]:
            words = [*words[1:], "--help"]
        sys.exit(self._run(words or ["--help"], prog_name or PROGRAM, extra))

    def _run(self, words: list[str], prog_name: str, extra: dict[str, Any]) -> Status:
        settings = extra.setdefault("obj", Settings())
        extra |= {"complete_var": COMPLETE_VARIABLE, "standalone_mode": False}
        start = os.getcwd()  # noqa: PTH109 - pathlib would be a fifth of the time of --help
        try:
            status = Status(super().main(words, prog_name, **extra) or 0)
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place where every error ends
            from slowsched.cli.failure import report

            return report(error, settings)
        else:
            return status
        finally:
            os.chdir(start)


@click.group(
    PROGRAM,
    cls=Program,
    params=global_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"`{PROGRAM} COMMAND --help` has the options of a command, and examples.",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def program() -> None:
    """Dated tasks in git: reviewed in a pull request, run once on their date, never forgotten.

    Start in an empty folder with `slowsched init`.
    """


def main() -> NoReturn:
    """Run the command line of this process."""
    program.main()
