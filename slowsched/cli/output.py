"""Where text goes: data to stdout, everything else to stderr; colour and width as the streams allow."""

from __future__ import annotations

import io
import os
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, TypedDict

import click

from slowsched.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slowsched.cli.frame import Settings

__all__ = ["at_terminal", "complain", "emit", "is_agreed", "note", "reserved_stdout", "text_style", "use_color", "warn"]

TEXT_WIDTH_PIPED = 100  # of text that goes into a file or a log


def emit(text: str, stream: TextIO | None = None) -> None:
    """Write data to stdout (or another stream), with a line end at its end; an odd character never stops it."""
    stream = stream or sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    stream.write(text if text.endswith("\n") or not text else f"{text}\n")
    stream.flush()


def note(settings: Settings, text: str) -> None:
    """Write words for people to stderr, unless they asked for quiet."""
    if not settings.quiet:
        click.echo(text, err=True)


def warn(text: str) -> None:
    """Write a warning to stderr."""
    click.echo(f"slowsched: warning: {' '.join(text.split())}", err=True)


def complain(text: str) -> None:
    """Write an error to stderr, on one line."""
    click.echo(f"slowsched: error: {' '.join(text.split())}", err=True)


def is_agreed(question: str, *, yes: bool) -> bool:
    """Ask the person at the terminal, unless the answer was given before (`yes`).

    Raises:
        UsageError: nobody is there to ask.
    """
    if yes:
        return True
    if not at_terminal():
        raise UsageError("this asks first, and nobody is at a terminal", hint="say --yes if it is meant")
    return click.confirm(question, err=True)


def use_color(settings: Settings, stream: TextIO | None = None) -> bool:
    """Say whether text on this stream (stdout unless another is given) is coloured."""
    if settings.color != "auto":
        return settings.color == "always"
    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class TextStyle(TypedDict):
    """What a renderer of text takes."""

    width: int
    color: bool


def text_style(settings: Settings, stream: TextIO | None = None) -> TextStyle:
    """Return the width of the terminal, and whether to use colour, for text on this stream (stdout by default)."""
    target = stream or sys.stdout
    columns = shutil.get_terminal_size().columns if target.isatty() else TEXT_WIDTH_PIPED
    return TextStyle(width=columns, color=use_color(settings, target))


def at_terminal() -> bool:
    """Say whether a person is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def reserved_stdout() -> Iterator[None]:
    """Keep stdout for the command's own document: whatever else is printed, by any thread or child, goes to stderr."""
    stdout = sys.stdout
    stdout.flush()
    saved = _divert(1, 2) if _has_descriptor(stdout, 1) else None
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = stdout
        if saved is not None:
            os.dup2(saved, 1)
            os.close(saved)


def _has_descriptor(stream: TextIO, descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor
    except (OSError, ValueError, AttributeError):  # a stream in memory has none
        return False


def _divert(descriptor: int, to: int) -> int:
    """Make a descriptor write where another does; returns a copy of what it was."""
    saved = os.dup(descriptor)
    os.dup2(to, descriptor)
    return saved
