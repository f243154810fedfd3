"""A problem stands at a place inside its file, and is told on one line that hides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched.render.text_problems import problems_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slowsched.model import Problem

__all__ = ["check_problems", "in_file"]


def in_file(line: int, column: int, lines: Sequence[str]) -> bool:
    """Say whether a place is inside a file of these lines, its very end included."""
    return 1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1]) + 1


def check_problems(problems: Sequence[Problem], lines: Sequence[str]) -> None:
    """Hold each problem against the file that it is about."""
    assert [each for each in problems if not in_file(each.line, each.column, lines)] == []
    if problems:
        text = problems_text(1, 0, problems, color=False)
        told = text.split("\n")[: len(problems)]
        assert [line for line in told if not line.startswith(problems[0].path) or not line.isprintable()] == []
