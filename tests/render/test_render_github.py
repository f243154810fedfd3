"""Annotations of a workflow: nothing in a message ends its line or begins another command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from render_values import PROBLEMS, a_problem

from slowsched.render.github import annotations

if TYPE_CHECKING:
    from collections.abc import Callable

_UNESCAPED = {"%25": "%", "%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","}


def test_annotations(as_expected: Callable[[str, str], None]) -> None:
    """One command a problem, with its place as properties and in its text."""
    as_expected("annotations.txt", annotations(PROBLEMS))


def test_no_problems() -> None:
    """Without a problem there is nothing to say."""
    assert annotations([]) == ""


@given(st.text("ab%\r\n:,25A"), st.text("ab%\r\n:,25A"))
def test_annotation_is_one_line_and_reads_back(path: str, message: str) -> None:
    """What the runner reads is what was meant, in as many lines as there are problems."""
    text = annotations([a_problem(path=path, message=message)] * 2)
    first, second, rest = text.split("\n")
    assert (first, rest) == (second, "")
    properties, data = first.removeprefix("::error file=").split("::", 1)
    assert _read(properties.split(",")[0]) == path
    assert _read(data) == f"{path}:3:6: $.due: {message} [due-in-dst-gap]"


def _read(escaped: str) -> str:
    for written, meant in reversed(_UNESCAPED.items()):
        escaped = escaped.replace(written, meant)
    return escaped
