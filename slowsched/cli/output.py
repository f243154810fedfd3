"""Where text goes: data to stdout, everything else to stderr; colour and width as the streams allow."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, TypedDict

import click

from slowsched.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slowsched.cli.settings import Settings

__all__ = ["at_terminal", "complain", "emit", "is_agreed", "note", "reserved_stdout", "text_style", "use_color", "warn"]

_STDOUT, _STDERR = 1, 2
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
    return TextStyle(
        width=_terminal_width() if target.isatty() else TEXT_WIDTH_PIPED, color=use_color(settings, target)
    )


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size().columns


def at_terminal() -> bool:
    """Say whether a person is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


@contextmanager
def reserved_stdout() -> Iterator[TextIO]:
    """Keep stdout for the command's own document, which is written to the stream that this gives.

    Whatever else is printed meanwhile, by any thread or child, goes to stderr.
    """
    stdout = sys.stdout
    stdout.flush()
    sys.stdout = sys.stderr
    try:
        if _descriptor(stdout) == _STDOUT:
            with _diverted(stdout.encoding) as kept:
                yield kept
        else:
            yield stdout
    finally:
        sys.stdout = stdout


@contextmanager
def _diverted(encoding: str) -> Iterator[TextIO]:
    """Let the descriptor of stdout write where stderr does; gives a stream to where it wrote before."""
    with os.fdopen(os.dup(_STDOUT), "w", encoding=encoding) as kept:
        os.dup2(_STDERR, _STDOUT)
        try:
            yield kept
        finally:
            os.dup2(kept.fileno(), _STDOUT)


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):  # a stream in memory has none
        return None
