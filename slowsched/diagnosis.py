"""What doctor finds: frozen values, rendered by `render`; each check has a code of its own, and one finding or more."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Diagnosis", "Finding", "Fix", "Unknown", "Verdict", "cannot_tell", "error", "fine", "warning"]


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: `code` names the check, `subject` what was looked at, `way_out` what to do."""

    code: str
    severity: Verdict
    subject: str
    message: str
    way_out: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What re-arming came to: the minute that was written, None when there was nothing to write."""

    armed: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings of an environment, in the order of the checks; `fix` only where one was asked for."""

    environment: str
    now: datetime
    findings: tuple[Finding, ...]
    fix: Fix | None = None

    def has(self, verdict: Verdict) -> bool:
        """Say whether any finding is of this verdict."""
        return any(finding.severity is verdict for finding in self.findings)

    @property
    def healthy(self) -> bool:
        """No finding is an error."""
        return not self.has(Verdict.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Something that could not be looked at, and why; `refused`: for want of a permission alone."""

    what: str
    way_out: str
    refused: bool = False


def fine(check: str, subject: str, message: str) -> Finding:
    """Return the finding of a check that found nothing wrong."""
    return Finding(code=check, severity=Verdict.OK, subject=subject, message=message)


def warning(check: str, subject: str, message: str, way_out: str) -> Finding:
    """Return what should be looked at, though every task still runs."""
    return Finding(code=check, severity=Verdict.WARNING, subject=subject, message=message, way_out=way_out)


def error(check: str, subject: str, message: str, way_out: str) -> Finding:
    """Return what keeps a task from running, or needs a person."""
    return Finding(code=check, severity=Verdict.ERROR, subject=subject, message=message, way_out=way_out)


def cannot_tell(check: str, subject: str, unknown: Unknown) -> Finding:
    """Return the finding of a check that could not look: a warning where a permission alone was missing."""
    if unknown.refused:
        words = unknown.what if unknown.what.startswith("cannot ") else f"cannot tell: {unknown.what}"
        return warning(check, subject, words, unknown.way_out)
    return error(check, subject, unknown.what, unknown.way_out)
