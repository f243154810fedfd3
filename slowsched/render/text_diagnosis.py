"""What doctor found, for a terminal: one line a finding, what to do about it below."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from slowsched.diagnosis import Verdict
from slowsched.render.harmless import harmless
from slowsched.render.layout import Ink, flow, paint, sentence
from slowsched.render.words import clock_moment, counted, moment_and_distance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slowsched.diagnosis import Diagnosis, Finding, Fix
    from slowsched.render.layout import Line

__all__ = ["diagnosis_text"]

_INK = {Verdict.OK: Ink.GREEN, Verdict.WARNING: Ink.YELLOW, Verdict.ERROR: Ink.BAD}
_PIECE = re.compile(r"[^ `]*`[^`]*`[^ `]*|[^ ]+")  # a word, or a command in one piece
_HANG = max(map(len, Verdict)) + 2


def diagnosis_text(diagnosis: Diagnosis, *, width: int, color: bool, quiet: bool = False) -> str:
    """Write every finding, or with `quiet` what is wrong alone, and a summary."""
    return paint(_lines(diagnosis, width, quiet=quiet), color=color)


def _lines(diagnosis: Diagnosis, width: int, *, quiet: bool) -> Iterator[Line]:
    if not quiet:
        yield from sentence(f"{diagnosis.environment} at {clock_moment(diagnosis.now)}", width, Ink.STRONG)
        yield ()
    if diagnosis.fix is not None:
        yield from _fix(diagnosis, diagnosis.fix, width)
    for finding in diagnosis.findings:
        if not quiet or finding.severity is not Verdict.OK:
            yield from _finding(finding, width)
    if not quiet:
        yield ()
        yield from _summary(diagnosis, width)


def _finding(finding: Finding, width: int) -> Iterator[Line]:
    head = (f"{finding.severity:{_HANG - 1}}", _INK[finding.severity])
    words = [(word, Ink.PLAIN) for word in harmless(f"{finding.subject}: {finding.message}").split(" ")]
    yield from flow([head, *words], width, hang=_HANG)
    if finding.way_out is not None:
        pieces = [("->", Ink.STRONG), *((piece, Ink.PLAIN) for piece in _PIECE.findall(harmless(finding.way_out)))]
        yield from flow(pieces, width, indent=_HANG, hang=3)


def _fix(diagnosis: Diagnosis, fix: Fix, width: int) -> Iterator[Line]:
    if fix.error is not None:
        yield from sentence(f"The timer could not be armed: {fix.error}", width, Ink.BAD)
    elif fix.armed is None:
        yield from sentence("The timer was left as it is: there is nothing to set it for.", width)
    else:
        yield from sentence(f"The timer was armed for {moment_and_distance(fix.armed, diagnosis.now)}.", width)
    yield ()


def _summary(diagnosis: Diagnosis, width: int) -> Iterator[Line]:
    counts = Counter(finding.severity for finding in diagnosis.findings)
    told = [counted(counts[verdict], verdict.value) for verdict in (Verdict.ERROR, Verdict.WARNING) if counts[verdict]]
    words = f"Healthy: {', '.join(told)}." if diagnosis.healthy and told else f"{', '.join(told) or 'Healthy'}."
    yield from sentence(words, width, Ink.STRONG if diagnosis.healthy else Ink.BAD)
