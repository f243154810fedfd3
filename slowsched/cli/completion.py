"""`slowsched completion SHELL`: the script that a shell sources to complete commands, ids and names."""

from __future__ import annotations

import click

from slowsched.cli.frame import command
from slowsched.cli.output import emit
from slowsched.cli.status import Status

__all__ = ["completion_command"]


@command(
    "completion",
    examples=[
        ("bash, for this and every later shell", "slowsched completion bash >> ~/.bashrc && exec bash"),
        ("zsh", "slowsched completion zsh >> ~/.zshrc && exec zsh"),
        ("fish", "slowsched completion fish > ~/.config/fish/completions/slowsched.fish"),
    ],
)
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> Status:
    """Print the script that completes commands, options, ids, environments and actions in SHELL: bash, zsh or fish."""
    from click.shell_completion import get_completion_class

    from slowsched.cli.main import COMPLETE_VARIABLE, PROGRAM, program

    completer = get_completion_class(shell)
    assert completer is not None  # noqa: S101 - the choices are click's own three
    template = completer(program, {}, PROGRAM, COMPLETE_VARIABLE)
    emit(template.source_template % template.source_vars())
    return Status.DONE
