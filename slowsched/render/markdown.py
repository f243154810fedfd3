"""A plan as a comment of a pull request: what a reviewer must see first, the values folded, never too long.

What comes from a file is text and nothing else: it closes no fence and no cell, opens no tag and mentions
nobody. Identifiers stand in `<code>`, where GitHub looks for neither mentions nor references; so does a
sentence that holds what could be one.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from slowsched.model import ChangeKind
from slowsched.render.harmless import harmless
from slowsched.render.layout import ELLIPSIS, crop_pair
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
from slowsched.render.text_change import KIND_SIGN, when
from slowsched.render.values import FIELDS_MAX, field_values, task_values
from slowsched.render.words import clock_moment, command, counted, note_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from slowsched.model import Change, Plan

__all__ = ["COMMENT_MAX", "plan_markdown"]

COMMENT_MAX = 65_000  # GitHub refuses a comment of more than 65,536 characters
_FRAME_MAX = 1_000  # of it for the table's heading, the folding, and the words on what is left out
_LIST_MAX = 10_000  # of it for a list of refusals, or of problems, or of unreadable rows
_TEXT_MAX = 300  # of one text, before it is escaped
_VALUE_MAX = 400  # of one value

# All that Markdown or HTML reads as more than text; some of it at the start of a line only.
_SPECIAL = re.compile(r"[!#$&*<>@\[\\\]_`|~]|:(?=//)|www(?=\.)|\A[-+=]|\A\d(?=\d*[.)])")
# What GitHub makes a mention, a reference, a link or an emoji of, even where it was escaped.
_REFERENCE = re.compile(r"[@#]|GH-\d|://|www\.|:(?:[a-z+-][\w+-]*|100|1234):", re.IGNORECASE)


def plan_markdown(plan: Plan) -> str:
    """Write a plan in GitHub's Markdown, in at most `COMMENT_MAX` characters.

    Where it does not all fit the values give way first, then changes; what is left out is counted.
    """
    head, end = "".join(_head(plan)), "".join(_end(plan))
    room = COMMENT_MAX - _FRAME_MAX - len(head) - len(end)
    rows = _fitting([_row(change, plan) for change in plan.changes], room)
    values = _fitting([_values(change) for change in plan.changes[: len(rows)]], room - sum(map(len, rows)))
    return head + _table(rows, plan) + _folded(values, plan) + end


def _fitting(parts: Sequence[str], room: int) -> Sequence[str]:
    """Return as many of the first parts as fit."""
    for index, part in enumerate(parts):
        room -= len(part)
        if room < 0:
            return parts[:index]
    return parts


# --- the whole plan --------------------------------------------------------------------------------


def _head(plan: Plan) -> Iterator[str]:
    """Yield the title, what stands against the plan, and the counts."""
    yield f"### slowsched plan: {_text(plan.environment)}\n\n"
    refused = [f"{_text(each.message)} ({_code(each.code)})" for each in plan.refused]
    yield from _alert("CAUTION", "**Refused: apply would write nothing.**", refused)
    words = needed_words(plan)
    if words is not None:
        yield from _alert("TIP", f"{words}", [_code(line) for line in plan.needed])
    said = [f"{_text(where)}: {_code(line)}{_text(why)}" for where, line, why in map(trailer_words, plan.trailers)]
    yield from _alert("NOTE", "**What commit messages allow**", said)
    problems = [
        f"{_code(f'{each.path}:{each.line}:{each.column}')} {_text(f'{each.pointer}: {each.message}')} "
        f"({_code(each.code)})"
        for each in plan.problems
    ]
    yield from _alert("CAUTION", f"**{problems_words(plan)}**", problems)
    counts = ", ".join(f"{plan.counts[kind]} {words}" for kind, words in COUNTED.items() if plan.counts[kind])
    if not plan.problems:
        yield f"**{counts or 'No changes'}**; {standing(plan)}.\n\n"


def _end(plan: Plan) -> Iterator[str]:
    """Yield the timer, what could not be read, until when the plan holds, and its digest."""
    unreadable = [f"{_code(each.id)}: {_text(each.reason)}" for each in plan.unreadable]
    yield from _alert("WARNING", "**Rows of a newer version, or damaged, are left alone.**", unreadable)
    if not plan.problems:
        yield f"Timer: {_text(timer_words(plan))}.\n"
    yield from (f"{_text(words)}\n" for words in together_words(plan))
    due = first_due(plan)
    if due is not None:
        yield f"This plan is out of date from {_text(until_words(due))}, when {_code(due.id)} becomes due.\n"
    commit = "none" if plan.commit is None else plan.commit
    yield f"\nOwner {_code(plan.owner)}, commit {_text(commit)}, planned at {_text(clock_moment(plan.now))}.\n"
    yield f"Digest {_code(plan.digest)}\n"


def _alert(kind: str, title: str, items: Sequence[str]) -> Iterator[str]:
    """Yield a list that stands out, as much of it as there is room for."""
    if items:
        shown = _fitting([f"> - {item}\n" for item in items], _LIST_MAX)
        rest = f"> - and {len(items) - len(shown)} more\n" if len(shown) < len(items) else ""
        yield f"> [!{kind}]\n> {title}\n{''.join(shown)}{rest}\n"


def _table(rows: Sequence[str], plan: Plan) -> str:
    rest = len(plan.changes) - len(rows)
    if not plan.changes:
        return ""
    more = f"\nand {counted(rest, 'more change')}: {_code(command('plan', plan.environment))} shows all.\n"
    return "| | Task | When | File |\n|---|---|---|---|\n" + "".join(rows) + (more if rest else "") + "\n"


def _folded(values: Sequence[str], plan: Plan) -> str:
    """Fold the values of the changes into one block that GitHub colours as a diff."""
    block = "".join(values)
    if not block:
        return ""
    left = len(plan.changes) - len(values)
    rest = f" of the first {len(values)} changes" if left else ""
    # Each line begins with a sign of ours, so that none of them closes the fence.
    return f"<details><summary>Values before and after{rest}</summary>\n\n```diff\n{block}```\n\n</details>\n\n"


# --- one change ------------------------------------------------------------------------------------


def _row(change: Change, plan: Plan) -> str:
    """Write a change as a row of the table, with all that must not be folded."""
    told = [*when(change, plan.now), *note_words(change, plan.now)]
    if change.message is not None:
        told.append(change.message)
    cells = (
        f"{_code(KIND_SIGN[change.kind])} {change.kind}",
        _code(change.id),
        "<br>".join(map(_text, told)),
        _code(f"{change.place.path}:{change.place.line}"),
    )
    return f"| {' | '.join(cells)} |\n"


def _values(change: Change) -> str:
    """Write the values of a change as lines of a diff; nothing where it changes none."""
    lines = list(islice(_diff(change), 2 * FIELDS_MAX + 1))
    if len(lines) > 2 * FIELDS_MAX:
        lines[-1] = "  ..."
    if not lines:
        return ""
    title = f"@@ {change.kind} {harmless(change.id)} @@ {harmless(change.place.path)}:{change.place.line}"
    return "".join(f"{line}\n" for line in (title, *lines))


def _diff(change: Change) -> Iterator[str]:
    """Yield lines that begin with `-` or `+`."""
    if change.kind is ChangeKind.CREATE and change.declared is not None:
        yield from (f"+ {name}: {_short(value, _VALUE_MAX)}" for name, value in task_values(change.declared.task))
    elif change.kind is ChangeKind.DELETE and change.before is not None:
        yield from (f"- {name}: {_short(value, _VALUE_MAX)}" for name, value in task_values(change.before.task))
    for field in change.fields:
        name, before, after = field_values(field)
        old, new = crop_pair(before, after, _VALUE_MAX)
        if field.before is not None:
            yield f"- {name}: {old}"
        if field.after is not None:
            yield f"+ {name}: {new}"


# --- text from files -------------------------------------------------------------------------------


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + ELLIPSIS


def _code(text: str) -> str:
    return f"<code>{_escaped(text)}</code>"


def _text(text: str) -> str:
    """Write a sentence as prose, or as code where GitHub could find a mention or a reference in it."""
    return _code(text) if _REFERENCE.search(text) else _escaped(text)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(_entity, _short(harmless(text), _TEXT_MAX))


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[0][0])};{match[0][1:]}"
