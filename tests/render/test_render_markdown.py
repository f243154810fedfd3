"""A plan as a comment: read as GitHub would read it, by another library's parser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from render_values import NASTY, PLANS, a_change, a_create, a_plan, a_problem
from values import a_declared, a_place, a_row, a_source

from slowsched.model import ChangeKind, Field, Refusal, Unreadable
from slowsched.render.harmless import harmless
from slowsched.render.markdown import COMMENT_MAX, plan_markdown

if TYPE_CHECKING:
    from collections.abc import Callable

    from slowsched.model import Plan

_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
_TAGS = {
    *("h3", "p", "strong", "br", "blockquote", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"),
    *("code", "pre", "details", "summary"),
}
_LIVE = re.compile(r"[@#]|GH-\d|://|www\.|:[a-z]+:", re.IGNORECASE)


class _Page(HTMLParser):
    """What a reader of the comment sees, and what GitHub would make live."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self.prose = ""
        self.block = ""
        self._open: list[str] = []
        self.feed(_MARKDOWN.render(plan_markdown(plan)))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert attrs in ([], [("class", "language-diff")])
        self.tags.add(tag)
        if tag != "br":
            self._open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self._open:
            self.cells[-1] += data
        if "pre" in self._open:
            self.block += data
        elif "code" not in self._open:
            self.prose += data


@pytest.mark.parametrize("name", PLANS)
def test_markdown(name: str, as_expected: Callable[[str, str], None]) -> None:
    """Every plan is the comment that was read and approved."""
    as_expected(f"plan-{name}.md", plan_markdown(PLANS[name]))


@pytest.mark.parametrize("name", PLANS)
def test_markdown_is_well_formed(name: str) -> None:
    """The tags are our own and nest; a change has a row of four cells; the digest is at the end, not folded."""
    page = _Page(PLANS[name])
    assert page.tags <= _TAGS
    assert len(page.cells) == 4 * len(PLANS[name].changes)
    assert page.prose.rstrip().endswith("Digest")
    assert _LIVE.findall(page.prose) == []


_NASTY_TEXT = st.lists(
    st.sampled_from([*"ab1 .-+=|`~*_<>[]()!&#@:/\\\n\r\x1b\u202e$", "www.", "```", "GH-1", "://"]), max_size=30
).map("".join)


@settings(deadline=None)
@given(_NASTY_TEXT, _NASTY_TEXT, _NASTY_TEXT)
def test_nothing_in_a_plan_is_markup(task_id: str, text: str, path: str) -> None:
    """Whatever ids, paths, messages and values hold, they are text: in their cells, whole and dead."""
    update = a_change(
        ChangeKind.LATE,
        declared=a_declared(id=task_id, place=a_place(path=path)),
        message=text,
        fields=(Field(pointer=f"$.{text}", before=text, after=task_id),),
    )
    plan = a_plan(
        update,
        a_create(a_declared(id=task_id, payload={text: text}, description=text)),
        a_change(ChangeKind.DELETE, before=a_row(id=task_id, source=a_source(path=path))),
        environment=text,
        owner=text,
        commit=text,
        valid_until=a_declared().task.due,
        refused=(Refusal(code=text, message=text),),
        problems=(a_problem(path=path, message=text),),
        unreadable=(Unreadable(id=task_id, reason=text),),
    )
    page = _Page(plan)
    assert page.tags <= _TAGS
    assert _LIVE.findall(page.prose) == []
    assert [page.cells[1::4], page.cells[3::4]] == [
        [_seen(task_id)] * 3,
        [_seen(f"{path}:1"), "tasks/sale.yaml:1", _seen(f"{path}:1")],
    ]
    assert f"@@ create {harmless(task_id)} @@ tasks/sale.yaml:1" in page.block


def _seen(text: str) -> str:
    return harmless(text)


@pytest.mark.parametrize("count", [50, 300, 5000])
def test_a_comment_is_never_too_long(count: int) -> None:
    """What does not fit is counted: first the values give way, then changes."""
    payload = {f"key {number}": NASTY for number in range(20)}
    changes = [a_create(a_declared(id=f"{number} {NASTY}", payload=payload)) for number in range(count)]
    text = plan_markdown(a_plan(*changes))
    rows = text.count("| <code>&#43;</code> create |")
    assert len(text) <= COMMENT_MAX
    assert len(text) > COMMENT_MAX // 2
    assert (rows == count) or f"\nand {count - rows} more changes: <code>slowsched plan --env production</code>" in text
    shown = re.search(r"Values before and after(?: of the first (\d+) changes)?</summary>", text)
    assert shown is None or int(shown[1] or count) == text.count("\n@@ create ")


def test_lists_are_bounded() -> None:
    """A thousand refusals, problems or unreadable rows are as many as fit, and a count."""
    refused = tuple(Refusal(code="protected", message=f"{number} {'x' * 500}") for number in range(1000))
    unreadable = tuple(Unreadable(id=f"row {number}", reason="y" * 500) for number in range(1000))
    problems = tuple(a_problem(line=number) for number in range(1, 1001))
    text = plan_markdown(a_plan(refused=refused, unreadable=unreadable, problems=problems))
    assert len(text) <= COMMENT_MAX // 2
    assert len(re.findall(r"^> - and \d+ more$", text, re.MULTILINE)) == 3


def test_the_values_of_one_change_are_bounded() -> None:
    """A payload of a thousand values does not push out the other changes."""
    changes = [
        a_create(a_declared(id=f"task {number}", payload={f"key{index}": index for index in range(1000)}))
        for number in range(2)
    ]
    assert plan_markdown(a_plan(*changes)).count("\n  ...\n") == 2
