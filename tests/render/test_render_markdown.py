"""A plan as a comment: read as GitHub would read it, by another library's parser."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from render_values import NASTY, PLANS, a_change, a_create, a_plan, a_problem
from values import a_declared, a_place, a_row, a_source, at

from slowsched.model import Attribution, Base, Behind, BehindKind, ChangeKind, Field, Refusal, Trailer, Unreadable
from slowsched.render.harmless import harmless
from slowsched.render.markdown import COMMENT_MAX, ROWS_OPEN, plan_markdown

if TYPE_CHECKING:
    from collections.abc import Callable

    from slowsched.model import Plan

_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
_TAGS = {
    *("h3", "p", "strong", "br", "blockquote", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"),
    *("code", "pre", "details", "summary"),
}
GITHUB_MAX = 65_536
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
        base=Base(ref=text, tip=text, merge_base=text),
        behind=(Behind(id=task_id, kind=BehindKind.ADDED),),
        speculative=True,
        trailers=(Trailer(name="Slowsched-Late", value=text, commit="1" * 40, message=text),),
        needed=(f"Slowsched-Late: {task_id}",),
    )
    plan = replace(plan, changes=[replace(each, attribution=Attribution.THIS_CHANGE) for each in plan.changes])
    page = _Page(plan)
    assert page.tags <= _TAGS
    assert _LIVE.findall(page.prose) == []
    assert [page.cells[1::4], page.cells[3::4]] == [
        [_seen(task_id)] * 3,
        [_seen(f"{path}:1"), _seen(f"{path}:1"), "tasks/sale.yaml:1"],
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
    assert (rows == count) or f"\nand {count - rows} more changes: the full plan is the artifact" in text
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


def test_all_lists_at_once_leave_room() -> None:
    """Six lists without an end, and 5,000 changes: still one comment, and every list counts what it leaves out."""
    text = "y" * 500
    number = range(1000)
    plan = a_plan(
        *(a_create(a_declared(id=f"task {each}"), attribution=Attribution.DRIFT) for each in range(5000)),
        refused=tuple(Refusal(code="protected", message=text) for _ in number),
        unreadable=tuple(Unreadable(id=f"row {each}", reason=text) for each in number),
        base=Base(ref="main", tip="1" * 40, merge_base="1" * 40),
        behind=tuple(Behind(id=f"{each} {text}", kind=BehindKind.CHANGED) for each in number),
        trailers=tuple(Trailer(name="Slowsched-Late", value=text, commit="1" * 40) for _ in number),
        needed=tuple(f"Slowsched-Late: {each} {text}" for each in number),
    )
    page, markdown = _Page(plan), plan_markdown(plan)
    assert len(markdown) <= COMMENT_MAX
    assert len(re.findall(r"^> - and \d+ more$", markdown, re.MULTILINE)) == 5
    assert len(page.cells) > 4 * ROWS_OPEN


# --- compared with a base --------------------------------------------------------------------------


def test_what_this_change_does_stands_first_and_open() -> None:
    """What others have done is folded, each group by itself, although it is due sooner; its cells are counted too."""
    changes = [
        a_create(a_declared(id=f"{each.value} {number}", due=at(f"2027-01-0{number}T00:00:00Z")), attribution=each)
        for number in range(1, 4)
        for each in Attribution
    ]
    base = Base(ref="origin/ma*in*", tip="1" * 40, merge_base="2" * 40)
    plan = a_plan(*changes, base=base, speculative=True)
    page = _Page(plan)
    assert page.cells[1::4] == [f"{each.value} {number}" for each in Attribution for number in range(1, 4)]
    text = plan_markdown(plan)
    assert text.index("**By this change (3)**") < text.index("this-change 1") < text.index("<details>")
    assert "<details><summary>Already on origin/ma&#42;in&#42;, not applied yet (3)</summary>\n\n| |" in text
    assert "**Speculative: compared with origin/ma&#42;in&#42;, not with the rows.**\n" in text
    assert page.tags <= _TAGS


def test_what_stops_the_plan_and_deletes_stand_before_what_is_due_sooner() -> None:
    """Late and in conflict, then deletes, then the rest, each by its due."""
    late = a_change(ChangeKind.LATE, declared=a_declared(id="late", due=at("2027-05-01T00:00:00Z")))
    gone = a_change(ChangeKind.DELETE, before=a_row(id="gone", due=at("2028-01-01T00:00:00Z")))
    soon = a_create(a_declared(id="soon", due=at("2027-01-01T00:00:00Z")))
    assert _Page(a_plan(soon, late, gone)).cells[1::4] == ["late", "gone", "soon"]


@pytest.mark.parametrize("count", [ROWS_OPEN, ROWS_OPEN + 1])
def test_a_long_table_is_folded(count: int) -> None:
    """So many rows are open, the rest takes a click."""
    text = plan_markdown(a_plan(*(a_create(a_declared(id=f"task {number}")) for number in range(count))))
    assert ("<details><summary>1 more change</summary>" in text) == (count > ROWS_OPEN)


@pytest.mark.parametrize(
    "text",
    ["see 9fceb02d0ae598e95dc970b74767f19372d61af8", "9fceb02", "GH-12", "acme/shop#3", "a@b.example", "@acme/team"],
)
def test_what_github_would_link_is_code(text: str) -> None:
    """A commit, an issue, an address and a team in a message are not made live."""
    page = _Page(a_plan(a_change(ChangeKind.LATE, declared=a_declared(), message=text)))
    assert text in page.cells[2]
    assert text not in page.prose


def test_five_thousand_changes_with_values() -> None:
    """The size of a real large plan, whatever is in it, is under GitHub's limit in characters and in UTF-16 units."""
    long = "Preis für alle Länder 🎉 " * 20
    changes = [
        a_change(ChangeKind.DELETE, before=a_row(id=f"{number} {long}"[:128], description=long))
        for number in range(5000)
    ]
    text = plan_markdown(a_plan(*changes))
    assert len(text) <= COMMENT_MAX
    assert len(text.encode("utf-16-le")) // 2 < GITHUB_MAX
    assert re.search(r"\nand \d+ more changes: the full plan is the artifact of this run", text)
