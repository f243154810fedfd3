"""Reports and rows that the renderers are tried on: one of every kind, and some that are meant badly."""

from __future__ import annotations

from typing import Any

from render_values import BLACK_FRIDAY, CONFLICT, DIGEST, FORGET, LATE, NASTY, NOW, OWNER, SOON
from values import COMMIT, DAY, HOUR, a_claim, a_row, a_source, an_entry, at

from slowsched.diagnosis import Diagnosis, Finding, Fix, error, fine, warning
from slowsched.model import ChangeKind, HistoryOutcome, OutcomeKind, Pause, Refusal, State
from slowsched.reports import ApplyReport, ApplyResult, ApplyStatus, AttemptReport, Result, WakeReport


def an_apply(*results: ApplyResult, **overrides: Any) -> ApplyReport:
    """Return the report of an apply to production."""
    fields = {
        "environment": "production",
        "owner": OWNER,
        "commit": COMMIT,
        "digest": DIGEST,
        "status": ApplyStatus.APPLIED if results else ApplyStatus.NOTHING,
        "results": results,
    }
    return ApplyReport(**(fields | overrides))


def a_result(
    task_id: str, kind: ChangeKind, result: Result = Result.APPLIED, message: str | None = None
) -> ApplyResult:
    """Return what became of one change."""
    return ApplyResult(id=task_id, kind=kind, result=result, message=message)


_STOPPED = "stopped by a signal: run it again to finish"
APPLIES = {
    "applied": an_apply(
        a_result("easter", ChangeKind.DELETE), a_result("black-friday-apply", ChangeKind.CREATE), armed=SOON
    ),
    "nothing": an_apply(armed=SOON),
    "nothing-armed": an_apply(),
    "partial": an_apply(
        a_result("singles day", ChangeKind.LATE, Result.LATE, LATE.message),
        a_result("cyber monday", ChangeKind.CONFLICT, Result.CONFLICT, CONFLICT.message),
        a_result("black-friday-apply", ChangeKind.CREATE),
        a_result("x" * 60, ChangeKind.UPDATE, Result.FAILED, "the disk is full"),
        armed=SOON,
        status=ApplyStatus.PARTIAL,
    ),
    "interrupted": an_apply(
        a_result("easter", ChangeKind.DELETE),
        *(a_result(f"task {number}", ChangeKind.CREATE, Result.SKIPPED, _STOPPED) for number in range(3)),
        status=ApplyStatus.PARTIAL,
        interrupted=True,
        timer_error="the file is locked",
    ),
    "timer-only": an_apply(status=ApplyStatus.PARTIAL, timer_error="the file is locked"),
    "refused": an_apply(
        status=ApplyStatus.REFUSED, refused=(Refusal(code="rollback", message="say --allow-rollback"),)
    ),
    "locked": an_apply(
        status=ApplyStatus.LOCKED, refused=(Refusal(code="locked", message="Ada holds it until 12:10 UTC"),)
    ),
    "lock-lost": an_apply(
        a_result("easter", ChangeKind.DELETE),
        a_result("task 1", ChangeKind.CREATE, Result.SKIPPED, "the apply lock was lost"),
        status=ApplyStatus.LOCKED,
        interrupted=True,
        armed=SOON,
    ),
    "stale": an_apply(status=ApplyStatus.STALE, refused=(Refusal(code="stale", message="look at the plan again"),)),
}


def an_attempt(task_id: str, **overrides: Any) -> AttemptReport:
    """Return a first attempt that succeeded on time."""
    fields = {
        "id": task_id,
        "generation": 1,
        "attempt": 1,
        "outcome": OutcomeKind.SUCCEEDED,
        "late_seconds": 0.25,
        "state": State.SUCCEEDED,
    }
    return AttemptReport(**(fields | overrides))


def a_wake(**overrides: Any) -> WakeReport:
    """Return the report of a wake of production."""
    return WakeReport(**({"environment": "production", "now": NOW} | overrides))


WAKES = {
    "busy": a_wake(
        attempts=(
            an_attempt("black-friday-apply", message='{"price": 29.99}'),
            an_attempt(
                "easter",
                generation=2,
                attempt=3,
                outcome=OutcomeKind.FAILED,
                late_seconds=185.5,
                state=State.SCHEDULED,
                message="ConnectionError: no route to host",
            ),
            an_attempt("x" * 60, outcome=OutcomeKind.TIMED_OUT, late_seconds=12, state=State.RUNNING),
            an_attempt("broken", attempt=5, outcome=OutcomeKind.FAILED, state=State.DEAD, message="KeyError: 'itemID'"),
            an_attempt("taken away", outcome=OutcomeKind.FAILED, state=State.DELETED),
        ),
        missed=("advent",),
        dead=("broken", "crashed too often"),
        deferred=("new action",),
        unreadable=("from the future",),
        left=2,
        armed=SOON,
        errors=("the store did not answer",),
        interrupted=True,
    ),
    "idle": a_wake(armed=SOON),
    "rehearsal": a_wake(would_run=("black-friday-apply", "easter"), left=2, armed=SOON),
    "paused": a_wake(environment="local", paused=Pause(by="Ada", at=NOW - DAY, reason="price list is wrong"), left=1),
    "paused-without-reason": a_wake(paused=Pause(by="Ada", at=NOW - DAY), timer_error="the file is locked"),
    "not-before": a_wake(not_before=SOON, armed=SOON),
}

# --- rows ------------------------------------------------------------------------------------------

_HISTORY = (
    an_entry(
        started_at=at("2027-11-26T00:00:12Z"),
        finished_at=at("2027-11-26T00:00:12.400000Z"),
        late_seconds=12.0,
        outcome=HistoryOutcome.TIMED_OUT,
    ),
    an_entry(
        attempt=2,
        started_at=at("2027-11-26T00:02:00Z"),
        finished_at=at("2027-11-26T00:02:30Z"),
        outcome=HistoryOutcome.FAILED,
        message="ConnectionError: no route to host, after three tries over all of the addresses that the name has",
    ),
    an_entry(attempt=3, started_at=at("2027-11-26T00:05:00Z"), late_seconds=0.5),
)
ROWS = {
    "scheduled": a_row(owner=OWNER, task=BLACK_FRIDAY.task),
    "retried": a_row(owner=OWNER, task=BLACK_FRIDAY.task, attempt=2, wake_at=SOON, history=_HISTORY[:2]),
    "deferred": a_row(owner=OWNER, id="deferred", wake_at=SOON, deferred_since=NOW - HOUR),
    "requested": a_row(owner=OWNER, id="requested", wake_at=SOON, requested_at=NOW),
    "running": a_row(
        owner=OWNER,
        task=BLACK_FRIDAY.task,
        state=State.RUNNING,
        attempt=3,
        history=_HISTORY,
        claim=a_claim(lease_end=at("2027-11-26T00:06:30Z")),
    ),
    "succeeded": a_row(owner="acme/shop/local", id="succeeded", due=at("2026-06-01T08:00:30Z"), state=State.SUCCEEDED),
    "dead": a_row(owner="acme/shop/local", id="it's dead", due=at("2026-06-01T08:00:00Z"), state=State.DEAD, attempt=5),
    "missed": a_row(owner=OWNER, id="missed", due=at("2026-06-01T08:00:00Z"), state=State.MISSED),
    "forgotten": a_row(owner=OWNER, task=FORGET.before.task, state=State.SUCCEEDED, expires_at=NOW + 400 * DAY),
    "deleted": a_row(owner=OWNER, id="deleted", due=at("2026-12-01T08:00:00Z"), state=State.DELETED),
    "nasty": a_row(
        owner=OWNER,
        id=NASTY,
        payload={NASTY: NASTY},
        description=NASTY,
        state=State.DEAD,
        source=a_source(path=NASTY, commit=None),
        history=(an_entry(message=NASTY, outcome=HistoryOutcome.FAILED),),
    ),
    "wide": a_row(owner=OWNER, id="公開する 映画", state=State.RUNNING),
}


def a_diagnosis(*findings: Finding, **overrides: Any) -> Diagnosis:
    """Return what doctor found in production."""
    return Diagnosis(**({"environment": "production", "now": NOW, "findings": findings} | overrides))


_WELL = fine("table", "table slowsched", "it is there, and active")
DIAGNOSES = {
    "well": a_diagnosis(_WELL),
    "warned": a_diagnosis(
        _WELL,
        warning("table-ttl", "table slowsched", "its time to live is off", "apply terraform/ again"),
        fix=Fix(armed=SOON),
    ),
    "ill": a_diagnosis(
        _WELL,
        error(
            "timer-moment",
            "timer",
            "it is set too late, to 2030-01-01 00:00 UTC, and the worker is needed 2029-11-24 12:00 UTC",
            "`slowsched doctor --fix --env production` sets it, unless somebody else has edited it meanwhile",
        ),
        error("dead", "dead tasks", f"1 task used up every attempt, and needs a person: {NASTY!r}", NASTY),
        warning("table-ttl", "table slowsched", "its time to live is off", "apply terraform/ again"),
        fix=Fix(error="the rule does not exist"),
    ),
    "left": a_diagnosis(_WELL, fix=Fix()),
}
