"""A plan in the words of a terminal."""

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
from slowsched.render.layout import Ink, flow, paint, sentence
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
from slowsched.render.text_change import KIND_INK, block, one_line
from slowsched.render.text_problems import problem_lines
from slowsched.render.words import command, counted, owner_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slowsched.model import Plan
    from slowsched.render.layout import Line, Span

__all__ = ["BEHIND_MAX", "BLOCKS_MAX", "change_lines", "plan_text", "rest_lines", "summary_lines"]

BLOCKS_MAX = 200  # changes shown in full: more is not read on a screen, and the JSON document has all
BEHIND_MAX = 20  # ids of a kind that are named where a branch is behind
_BLANK: Line = ()


def plan_text(plan: Plan, *, width: int, color: bool, applying: bool = False) -> str:
    """Write a plan for a person: what happens to which task and when, and (unless `applying`) what to do next."""
    return paint(_lines(plan, width, applying=applying), color=color)


def _lines(plan: Plan, width: int, *, applying: bool) -> Iterator[Line]:
    yield from _header(plan, width)
    speculative = speculative_words(plan)
    if speculative is not None:
        yield from sentence(speculative, width, Ink.BAD)
    yield _BLANK
    if plan.problems:
        yield from problem_lines(plan.problems)
        yield _BLANK
        yield from sentence(problems_words(plan), width, Ink.BAD)
    elif plan.changes:
        yield from change_lines(plan, width)
        yield from summary_lines(plan, width)
        yield from sentence(f"Timer: {timer_words(plan)}.", width)
        yield from _validity(plan, width)
    else:
        yield from sentence(f"No changes. {standing(plan)}.", width)
        yield from sentence(f"Timer: {timer_words(plan)}.", width)
    yield from _behind(plan, width)
    yield from rest_lines(plan, width)
    yield from _trailers(plan, width)
    if not applying:
        yield from _next(plan, width)


def _header(plan: Plan, width: int) -> Iterator[Line]:
    # Without a change nothing is coloured, so that the plan which CI makes most often imports no rich.
    ink = Ink.STRONG if plan.changes or plan.problems else Ink.PLAIN
    return sentence(f"Plan for {owner_words(plan.environment, plan.owner, plan.commit)}", width, ink)


def change_lines(plan: Plan, width: int) -> Iterator[Line]:
    """Write the changes, those of a branch under a title that says whose they are; the first of them in full."""
    room = BLOCKS_MAX
    for attribution, changes in by_attribution(plan):
        if attribution is not None:
            yield from sentence(f"{attribution_title(attribution, plan, len(changes))}:", width, Ink.STRONG)
            yield _BLANK
        for change in changes[:room]:
            yield from block(change, plan.now, width)
            yield _BLANK
        rest = changes[room:]
        room -= min(room, len(changes))
        if rest:
            more = counted(len(rest), "more change")
            yield ((f"{more}, one line each (--format json shows all of them):", Ink.STRONG),)
            yield from map(one_line, rest)
            yield _BLANK


def summary_lines(plan: Plan, width: int) -> Iterator[Line]:
    """Write how many changes there are of each kind, and whose they are."""
    yield from flow(_summary(plan), width, hang=6)
    words = attribution_words(plan)
    if words is not None:
        yield from sentence(words, width)


def _behind(plan: Plan, width: int) -> Iterator[Line]:
    """Write what the branch lacks: no change of the plan, so it stands apart from them."""
    words = behind_words(plan)
    if words is None:
        return
    yield _BLANK
    yield from sentence(f"{words}:", width, Ink.STRONG if plan.changes else Ink.PLAIN)
    for word, ids in behind_lists(plan):
        more = f", and {len(ids) - BEHIND_MAX} more" if len(ids) > BEHIND_MAX else ""
        yield from sentence(f"{word}: {', '.join(ids[:BEHIND_MAX])}{more}", width, indent=2)


def _summary(plan: Plan) -> Iterator[Span]:
    yield "Plan:", Ink.STRONG
    for kind, words in COUNTED.items():
        count = plan.counts[kind.value]
        end = ";" if kind is ChangeKind.CONFLICT else ","
        yield f"{count} {words}{end}", KIND_INK[kind] if count else Ink.PLAIN
    yield f"{standing(plan)}.", Ink.PLAIN


def _validity(plan: Plan, width: int) -> Iterator[Line]:
    for words in together_words(plan):
        yield from sentence(words, width)
    due = first_due(plan)
    if due is not None:
        words = f"This plan is out of date from {until_words(due)}, when {due.id} becomes due."
        yield from sentence(words, width)


def rest_lines(plan: Plan, width: int) -> Iterator[Line]:
    """Write what is left alone, and what refuses the plan."""
    yield from _unreadable(plan, width)
    yield from _refused(plan, width)


def _unreadable(plan: Plan, width: int) -> Iterator[Line]:
    if plan.unreadable:
        yield _BLANK
        count = counted(len(plan.unreadable), "row")
        yield from sentence(f"{count} of a newer version, or damaged, left alone (upgrade slowsched):", width)
        for each in plan.unreadable[:BLOCKS_MAX]:
            yield from sentence(f"{each.id}: {each.reason}", width, indent=2)
        if len(plan.unreadable) > BLOCKS_MAX:
            yield from sentence(f"... and {len(plan.unreadable) - BLOCKS_MAX} more", width, indent=2)


def _refused(plan: Plan, width: int) -> Iterator[Line]:
    if plan.refused:
        yield _BLANK
        for refusal in plan.refused:
            yield from sentence(f"Refused: {refusal.message} [{refusal.code}]", width, Ink.BAD)


def _trailers(plan: Plan, width: int) -> Iterator[Line]:
    """Say what commits allow, and on a branch what could be said to allow the rest."""
    if plan.trailers:
        yield _BLANK
        for trailer in plan.trailers[:BLOCKS_MAX]:
            where, said, why = trailer_words(trailer)
            yield from sentence(f"{where}: {said}{why}", width, Ink.YELLOW if trailer.message else Ink.PLAIN)
        if len(plan.trailers) > BLOCKS_MAX:
            yield from sentence(f"... and {len(plan.trailers) - BLOCKS_MAX} more", width)
    words = needed_words(plan)
    if words is not None:
        yield _BLANK
        yield from sentence(f"{words}:", width)
        for line in plan.needed[:BLOCKS_MAX]:
            yield from sentence(line, width, indent=4)
        if len(plan.needed) > BLOCKS_MAX:
            yield from sentence(f"... and {len(plan.needed) - BLOCKS_MAX} more", width, indent=4)


def _next(plan: Plan, width: int) -> Iterator[Line]:
    """Say what to run next; the digest is for those who approve one plan and apply no other."""
    if plan.problems or not plan.changes:
        return
    yield _BLANK
    if plan.refused:
        yield from sentence("Apply would write nothing, because the plan is refused as a whole.", width)
        return
    blocked = plan.counts["late"] + plan.counts["conflict"]
    if blocked == len(plan.changes):
        yield from sentence("Nothing can be applied before that is resolved.", width)
        return
    yield from sentence("Next:", width, command=command("apply", plan.environment))
    if blocked:
        yield from sentence(f"It would leave out {counted(blocked, 'change')}, marked with an exclamation mark.", width)
    yield from sentence(f"Digest: {plan.digest}", width, Ink.FAINT)
