"""What an apply or a wake did, in the words of a terminal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slowsched.model import OutcomeKind, State
from slowsched.render.harmless import harmless
from slowsched.render.layout import Ink, columns, paint, sentence, table
from slowsched.render.text_change import kind_span
from slowsched.render.words import (
    clock_moment,
    command,
    counted,
    lateness,
    moment,
    moment_and_distance,
    owner_words,
)
from slowsched.reports import ApplyStatus, Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from slowsched.render.layout import Line
    from slowsched.reports import ApplyReport, ApplyResult, AttemptReport, WakeReport

__all__ = ["apply_text", "wake_text"]

_RESULT_INK = {
    Result.APPLIED: Ink.GREEN,
    Result.LATE: Ink.MAGENTA,
    Result.CONFLICT: Ink.MAGENTA,
    Result.FAILED: Ink.BAD,
    Result.SKIPPED: Ink.FAINT,
}
_OUTCOME_INK = {OutcomeKind.SUCCEEDED: Ink.GREEN, OutcomeKind.FAILED: Ink.RED, OutcomeKind.TIMED_OUT: Ink.RED}
_NOT_APPLIED = {
    Result.LATE: "late",
    Result.CONFLICT: "in conflict",
    Result.FAILED: "failed",
    Result.SKIPPED: "skipped",
}
_AFTER = {
    State.SCHEDULED: "tried again",
    State.DEAD: "dead",
    State.RUNNING: "held until its lease ends",
}
_WRITES_NOTHING = {ApplyStatus.REFUSED, ApplyStatus.LOCKED, ApplyStatus.STALE}
_INDENT = 4
_CELL_SHARE = 3  # a column takes at most a third of the line: one long id does not push all others aside


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One line of a report: cells that are aligned, details beside them, a message below."""

    cells: Line
    details: str = ""
    message: str | None = None


def _entries(entries: Sequence[_Entry], width: int) -> Iterator[Line]:
    """Align entries, each with its message below, and end with a blank line.

    Details that do not fit beside a long id go below it. A message that many in a row have in common is
    told once, below the last of them.
    """
    lines = table([(*entry.cells, (entry.details, Ink.PLAIN)) for entry in entries], width // _CELL_SHARE)
    for entry, line, following in zip(entries, lines, (*entries[1:], None), strict=False):
        fits = sum(columns(text) for text, _ in line) <= width
        yield line if fits else line[:-1]
        if entry.details and not fits:
            yield from sentence(entry.details, width, indent=_INDENT)
        if entry.message is not None and (following is None or following.message != entry.message):
            yield from sentence(entry.message, width, indent=_INDENT, hang=0)
    if entries:
        yield ()


def _timer(armed: datetime | None, error: str | None, environment: str, now: datetime, width: int) -> Iterator[Line]:
    if error is not None:
        text = f"Timer: could not be armed ({error}). To try again:"
        yield from sentence(text, width, Ink.BAD, command=command("arm", environment))
    elif armed is None:
        yield from sentence("Timer: not set, and nothing to set it for.", width)
    else:
        yield from sentence(f"Timer: armed for {moment_and_distance(armed, now)}.", width)


# --- apply -----------------------------------------------------------------------------------------


def apply_text(report: ApplyReport, *, now: datetime, width: int, color: bool) -> str:
    """Write what became of every change, the timer, and what to do about what was not applied."""
    return paint(_apply_lines(report, now, width), color=color)


def _apply_lines(report: ApplyReport, now: datetime, width: int) -> Iterator[Line]:
    yield from _entries([_result(each) for each in report.results], width)
    for refusal in report.refused:
        yield from sentence(f"Refused: {refusal.message} [{refusal.code}]", width, Ink.BAD)
    yield from sentence(_apply_words(report), width, _apply_ink(report))
    if report.interrupted:
        yield from sentence("It was stopped before its last write.", width, Ink.BAD)
    # What was refused wrote nothing, the timer included.
    if report.results or report.status not in _WRITES_NOTHING:
        yield from _timer(report.armed, report.timer_error, report.environment, now, width)
    yield from _apply_advice(report, width)


def _result(result: ApplyResult) -> _Entry:
    outcome = (result.result.value, _RESULT_INK[result.result])
    return _Entry(
        cells=(kind_span(result.kind), outcome, (harmless(result.id), Ink.STRONG)),
        message=result.message,
    )


def _apply_words(report: ApplyReport) -> str:
    whose = owner_words(report.environment, report.owner, report.commit)
    counts = Counter(result.result for result in report.results)
    applied = f"{counts[Result.APPLIED]} of {counted(len(report.results), 'change')}"
    others = ", ".join(f"{counts[result]} {words}" for result, words in _NOT_APPLIED.items() if counts[result])
    partly = f"applied {applied} to {whose}{f': {others}' if others else ''}."
    match report.status:
        case ApplyStatus.LOCKED if report.results:
            text = f"the apply lock was lost; {partly}"
        case ApplyStatus.LOCKED | ApplyStatus.STALE | ApplyStatus.REFUSED:
            text = f"nothing was written to {whose}."
        case _ if report.results:
            text = partly
        case _:
            text = f"nothing to apply to {whose}."
    return text[0].upper() + text[1:]


def _apply_ink(report: ApplyReport) -> Ink:
    return Ink.STRONG if report.status in {ApplyStatus.APPLIED, ApplyStatus.NOTHING} else Ink.BAD


def _apply_advice(report: ApplyReport, width: int) -> Iterator[Line]:
    results = {result.result for result in report.results}
    if results & {Result.LATE, Result.CONFLICT}:
        yield from sentence("Late tasks and conflicts are left out until what their lines say is done.", width)
    if results & {Result.FAILED, Result.SKIPPED} or report.interrupted:
        again = command("apply", report.environment)
        yield from sentence("To finish what is left, run it again:", width, command=again)
    if report.status is ApplyStatus.STALE:
        yield from sentence("To see the plan as it is now:", width, command=command("plan", report.environment))


# --- the worker ------------------------------------------------------------------------------------


def wake_text(report: WakeReport, *, width: int, color: bool) -> str:
    """Write what a wake did: every attempt, what was missed, died or was put off, and the next wake."""
    return paint(_wake_lines(report, width), color=color)


def _wake_lines(report: WakeReport, width: int) -> Iterator[Line]:
    yield from sentence(f"Wake of {report.environment} at {clock_moment(report.now)}", width, Ink.STRONG)
    yield ()
    if report.paused is not None or report.not_before is not None:
        resume = None if report.paused is None else command("resume", report.environment)
        yield from sentence(_held_back(report), width, Ink.YELLOW, command=resume)
    yield from _entries([*map(_attempt, report.attempts), *_others(report)], width)
    for error in report.errors:
        yield from sentence(f"The backend failed on the way: {error}", width, Ink.BAD)
    if report.interrupted:
        yield from sentence("It was stopped before its end.", width, Ink.BAD)
    yield from sentence(_wake_words(report), width)
    if report.dead:
        retry = command("retry ID", report.environment)
        yield from sentence("A person must act on what is dead: edit the task, or try it again:", width, command=retry)
    yield from _timer(report.armed, report.timer_error, report.environment, report.now, width)


def _held_back(report: WakeReport) -> str:
    """Say why a wake claimed nothing."""
    if report.paused is None:
        return f"Resumed a moment ago: nothing is claimed before {moment(report.not_before or report.now)}."
    pause = report.paused
    reason = "" if pause.reason is None else f" ({pause.reason})"
    return f"Paused by {pause.by} since {clock_moment(pause.at)}{reason}: nothing is claimed. To go on:"


def _attempt(attempt: AttemptReport) -> _Entry:
    numbers = f"attempt {attempt.attempt}, {lateness(attempt.late_seconds)}"
    generation = "" if attempt.generation == 1 else f"generation {attempt.generation}, "
    after = "" if attempt.state is State.SUCCEEDED else f"; {_AFTER.get(attempt.state, attempt.state.value)}"
    outcome = (attempt.outcome.value.replace("-", " "), _OUTCOME_INK[attempt.outcome])
    return _Entry(
        cells=(outcome, (harmless(attempt.id), Ink.STRONG)),
        details=f"{generation}{numbers}{after}",
        message=attempt.message,
    )


def _others(report: WakeReport) -> Iterator[_Entry]:
    """Yield what came to no attempt; a task that died of its last attempt has its line already."""
    tried = {attempt.id for attempt in report.attempts}
    for word, ink, ids, why in (
        ("missed", Ink.MAGENTA, report.missed, "later than its grace, not run"),
        ("dead", Ink.BAD, [each for each in report.dead if each not in tried], "not tried again"),
        ("deferred", Ink.YELLOW, report.deferred, "the worker does not know its action yet"),
        ("unreadable", Ink.YELLOW, report.unreadable, "left alone: upgrade slowsched"),
        ("would run", Ink.PLAIN, report.would_run, "not run: this is a rehearsal"),
    ):
        for each in ids:
            yield _Entry(cells=((word, ink), (harmless(each), Ink.STRONG)), details=why)


def _wake_words(report: WakeReport) -> str:
    outcomes = Counter(attempt.outcome.value.replace("-", " ") for attempt in report.attempts)
    outcomes.update(
        {"missed": len(report.missed), "dead": len(report.dead), "deferred": len(report.deferred), "left": report.left}
    )
    counts = ", ".join(f"{count} {word}" for word, count in outcomes.items() if count)
    return f"{counts}." if counts else "Nothing was run."
