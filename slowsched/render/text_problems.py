"""Problems of task files, one line each, in the form that editors and people click on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched.model import Severity
from slowsched.render.layout import Ink, paint
from slowsched.render.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from slowsched.model import Problem
    from slowsched.render.layout import Line

__all__ = ["problem_line", "problem_lines", "problems_text"]


def problems_text(files: int, tasks: int, problems: Sequence[Problem], *, color: bool) -> str:
    """Write every problem on its own line, whatever the width, and a summary."""
    return paint(_lines(files, tasks, problems), color=color)


def _lines(files: int, tasks: int, problems: Sequence[Problem]) -> Iterator[Line]:
    read = f"{counted(files, 'file')}, {counted(tasks, 'task')}"
    if not problems:
        yield ((f"{read}: no problems.", Ink.PLAIN),)
        return
    yield from problem_lines(problems)
    yield ()
    faulty = len({problem.path for problem in problems})
    yield (
        (f"{counted(len(problems), 'problem')} in {counted(faulty, 'file')}", Ink.BAD),
        (f" ({read} read).", Ink.PLAIN),
    )


def problem_lines(problems: Iterable[Problem]) -> Iterator[Line]:
    """Write `path:line:column: $.pointer: message [code]` for each."""
    return (_line(problem) for problem in problems)


def _line(problem: Problem) -> Line:
    warning = "warning: " if problem.severity is Severity.WARNING else ""
    return (
        (f"{problem.path}:{problem.line}:{problem.column}: ", Ink.STRONG),
        (warning, Ink.YELLOW),
        (f"{problem.pointer}: {problem.message} ", Ink.PLAIN),
        (f"[{problem.code}]", Ink.FAINT),
    )


def problem_line(problem: Problem) -> str:
    """Write one problem without colour; what its text holds is not made harmless yet."""
    return "".join(text for text, _ in _line(problem))
