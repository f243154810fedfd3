"""A plan as a comment of a pull request: what a reviewer must see first, the rest folded, never too long.

What this change does stands in the open, what stops it and its deletes first, then the soonest; what others have
done is folded. What does not fit is counted, and the full plan is an artifact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched.model import ChangeKind
from slowsched.render.base_words import (
    attribution_title,
    attribution_words,
    behind_lists,
    behind_words,
    by_attribution,
    speculative_words,
)
from slowsched.render.markdown_change import change_row, change_values
from slowsched.render.markdown_text import alert, code, fitting, folded, prose
from slowsched.render.plan_words import (
    COUNTED,
    first_due,
    needed_words,
    problems_words,
    standing,
    timer_words,
    together_words,
    trailer_words,
    until_words,
)
from slowsched.render.words import clock_moment, command, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from slowsched.model import Attribution, Change, Plan

__all__ = ["COMMENT_MAX", "plan_markdown"]

COMMENT_MAX = 65_000  # GitHub refuses a comment of more than 65,536 characters
ROWS_OPEN = 50  # rows that nobody has to unfold
_FRAME_MAX = 2_000  # characters for the headings of tables, what folds them, and the words on what is left out
_HEADING = "| | Task | When | File |\n|---|---|---|---|\n"
_FIRST = {ChangeKind.LATE: 0, ChangeKind.CONFLICT: 0, ChangeKind.DELETE: 1}
_LAST = 2
_HEX = frozenset("0123456789abcdef")


def plan_markdown(plan: Plan) -> str:
    """Write a plan in GitHub's Markdown, in at most `COMMENT_MAX` characters.

    Where it does not all fit the values give way first, then changes; what is left out is counted.
    """
    head, end = "".join(_head(plan)), "".join(_end(plan))
    groups = [(attribution, _in_order(changes)) for attribution, changes in by_attribution(plan)]
    ordered = [change for _, changes in groups for change in changes]
    room = COMMENT_MAX - _FRAME_MAX - len(head) - len(end)
    rows = fitting([change_row(change, plan.now) for change in ordered], room)
    values = fitting([change_values(change) for change in ordered[: len(rows)]], room - sum(map(len, rows)))
    return head + "".join(_tables(groups, rows, plan)) + _values(values, len(ordered)) + end


def _in_order(changes: Sequence[Change]) -> Sequence[Change]:
    """Return changes with those that stop or delete something first; else they stay in the order of their due."""
    return sorted(changes, key=lambda change: _FIRST.get(change.kind, _LAST))


# --- the changes -----------------------------------------------------------------------------------


def _tables(
    groups: Sequence[tuple[Attribution | None, Sequence[Change]]], rows: Sequence[str], plan: Plan
) -> Iterator[str]:
    """Yield a table for each group, the first one open, and how many changes have found no room."""
    left = list(rows)
    for index, (attribution, changes) in enumerate(groups):
        shown, left = left[: len(changes)], left[len(changes) :]
        title = "" if attribution is None else prose(attribution_title(attribution, plan, len(changes)))
        if shown and index == 0:
            yield f"**{title}**\n\n" if title else ""
            yield from _table(shown)
        elif shown:
            yield folded(title, f"{_HEADING}{''.join(shown)}")
    rest = len(plan.changes) - len(rows)
    if rest:
        yield f"and {counted(rest, 'more change')}: the full plan is the artifact of this run, or "
        yield f"{code(command('plan', plan.environment))}.\n\n"


def _table(rows: Sequence[str]) -> Iterator[str]:
    """Yield a table, what is too long for one glance folded."""
    yield f"{_HEADING}{''.join(rows[:ROWS_OPEN])}\n"
    if len(rows) > ROWS_OPEN:
        more = rows[ROWS_OPEN:]
        yield folded(counted(len(more), "more change"), f"{_HEADING}{''.join(more)}")


def _values(values: Sequence[str], changes: int) -> str:
    """Fold the values of the changes into one block that GitHub colours as a diff."""
    block = "".join(values)
    if not block:
        return ""
    rest = f" of the first {len(values)} changes" if len(values) < changes else ""
    # Each line begins with a sign of ours, so that none of them closes the fence.
    return folded(f"Values before and after{rest}", f"```diff\n{block}```\n")


# --- the whole plan --------------------------------------------------------------------------------


def _head(plan: Plan) -> Iterator[str]:
    """Yield the title, what stands against the plan, and the counts."""
    yield f"### slowsched plan: {prose(plan.environment)}\n\n"
    words = speculative_words(plan)
    if words is not None:
        yield f"**{prose(words)}**\n\n"
    refused = [f"{prose(each.message)} ({code(each.code)})" for each in plan.refused]
    yield from alert("CAUTION", "**Refused: apply would write nothing.**", refused)
    words = needed_words(plan)
    if words is not None:
        yield from alert("TIP", f"{words}", [code(line) for line in plan.needed])
    said = [f"{prose(where)}: {code(line)}{prose(why)}" for where, line, why in map(trailer_words, plan.trailers)]
    yield from alert("NOTE", "**What commit messages allow**", said)
    problems = [
        f"{code(f'{each.path}:{each.line}:{each.column}')} {prose(f'{each.pointer}: {each.message}')} "
        f"({code(each.code)})"
        for each in plan.problems
    ]
    yield from alert("CAUTION", f"**{problems_words(plan)}**", problems)
    counts = ", ".join(f"{plan.counts[kind]} {words}" for kind, words in COUNTED.items() if plan.counts[kind])
    if not plan.problems:
        yield f"**{counts or 'No changes'}**; {standing(plan)}.\n\n"
    words = attribution_words(plan)
    if words is not None:
        yield f"{prose(words)}\n\n"
    words = behind_words(plan)
    if words is not None:
        lacking = [f"{word}: {code(task_id)}" for word, ids in behind_lists(plan) for task_id in ids]
        yield from alert("NOTE", f"**{prose(words)}**", lacking)


def _end(plan: Plan) -> Iterator[str]:
    """Yield the timer, what could not be read, until when the plan holds, and its digest."""
    unreadable = [f"{code(each.id)}: {prose(each.reason)}" for each in plan.unreadable]
    yield from alert("WARNING", "**Rows of a newer version, or damaged, are left alone.**", unreadable)
    if not plan.problems:
        yield f"Timer: {prose(timer_words(plan))}.\n"
    yield from (f"{prose(words)}\n" for words in together_words(plan))
    due = first_due(plan)
    if due is not None:
        yield f"This plan is out of date from {prose(until_words(due))}, when {code(due.id)} becomes due.\n"
    yield f"\nOwner {code(plan.owner)}, commit {_commit(plan.commit)}, planned at {prose(clock_moment(plan.now))}.\n"
    yield f"Digest {code(plan.digest)}\n"


def _commit(commit: str | None) -> str:
    """Write a commit so that GitHub links it."""
    if commit is None:
        return "none"
    return commit if commit and _HEX.issuperset(commit) else code(commit)
