"""Problems as annotations of a GitHub workflow: one command a line on stdout.

The escaping is that of the runner's own toolkit (`@actions/core`): without it a message could end its
line and begin a command of its own.
"""

# Not `from __future__ import annotations`, as elsewhere: the function below has that name.
from collections.abc import Iterable

from slowsched.model import Problem
from slowsched.render.harmless import harmless
from slowsched.render.text_problems import problem_line

__all__ = ["annotations"]

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def annotations(problems: Iterable[Problem]) -> str:
    """Write `::error file=...,line=...,col=...,title=code::path:line:column: $.pointer: message` for each."""
    return "".join(_annotation(problem) + "\n" for problem in problems)


def _annotation(problem: Problem) -> str:
    properties = {"file": problem.path, "line": problem.line, "col": problem.column, "title": problem.code}
    written = ",".join(f"{name}={_escaped(str(value), _PROPERTY)}" for name, value in properties.items())
    return f"::{problem.severity.value} {written}::{_escaped(problem_line(problem), _DATA)}"


def _escaped(text: str, table: dict[int, str]) -> str:
    """Escape for the runner first, so that line ends stay line ends, and the rest for who reads the log."""
    return harmless(text.translate(table))
