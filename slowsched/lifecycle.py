"""Every transition of a row, and nothing else; the table is docs/state-machine.md.

Pure functions from a row (and what happened) to the row it becomes. Each raises `version` by one, so
that the result is written on the condition of the version it was made from. Whether a transition is
wanted is decided elsewhere: by `plan` for what git asks for, by `wake` for what time asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from slowsched import canonical
from slowsched.errors import UsageError
from slowsched.model import (
    Claim,
    HistoryEntry,
    HistoryOutcome,
    LateChoice,
    OutcomeKind,
    Row,
    Source,
    State,
)
from slowsched.timing import backoff_delay, ceil_minute

if TYPE_CHECKING:
    from datetime import datetime

    from slowsched.model import Declared, Outcome

__all__ = [
    "CLOCK_SKEW",
    "DEFER_EVERY",
    "DEFER_MAX",
    "HISTORY_MAX",
    "LEASE_MARGIN",
    "RETENTION",
    "Applier",
    "Step",
    "Taken",
    "create",
    "delete",
    "draw_out",
    "edit",
    "edit_policy",
    "forget",
    "grace_is_over",
    "not_before",
    "retry",
    "run_early",
    "settle",
    "take",
    "was_settled",
]

CLOCK_SKEW = timedelta(seconds=10)  # by how much two clocks may differ
LEASE_MARGIN = timedelta(seconds=60)  # lease beyond the timeout: several skews, and time to settle
DEFER_EVERY = timedelta(minutes=15)  # how often a worker looks whether it has learned an unknown action
DEFER_MAX = timedelta(hours=24)  # a deployment that is a day behind needs a person
HISTORY_MAX = 20  # entries kept: four generations of five attempts; bounds the size of a row
RETENTION = timedelta(days=400)  # of deleted and forgotten rows: a yearly task's last time stays visible


# --- what git asks for -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """Who writes rows for a commit, and when: `soonest` is the first moment the timer can serve."""

    owner: str
    commit: str | None
    now: datetime
    soonest: datetime


def create(declared: Declared, by: Applier, tombstone: Row | None = None, late: LateChoice | None = None) -> Row:
    """Make the row of a new task; it goes on where a tombstone ended, and waits for its last lease."""
    fresh = Row(
        task=declared.task,
        digests=canonical.digests(declared.task),
        owner=by.owner,
        source=_source(declared, by),
        state=State.SCHEDULED,
        version=0,
        generation=0,
    )
    if tombstone is not None:
        fresh = replace(
            fresh,
            version=tombstone.version,
            generation=tombstone.generation,
            claim=tombstone.claim,
            history=tombstone.history,
        )
    return _schedule(fresh, declared, by, late)


def edit(row: Row, declared: Declared, by: Applier, late: LateChoice | None = None) -> Row:
    """Make a new generation of a row whose execution was edited; a running attempt is superseded."""
    return _schedule(_supersede(row, by.now), declared, by, late)


def _schedule(row: Row, declared: Declared, by: Applier, late: LateChoice | None) -> Row:
    scheduled = replace(
        row,
        task=declared.task,
        digests=row.digests if row.task is declared.task else canonical.digests(declared.task),
        source=_source(declared, by),
        state=State.SCHEDULED,
        generation=row.generation + 1,
        attempt=0,
        claim=_held(row, by.now),
        wake_at=_not_before_lease(row, max(declared.task.due, by.soonest)),
        requested_at=by.now if late is LateChoice.RUN else None,
        deferred_since=None,
        expires_at=None,
    )
    if late is LateChoice.SKIP:
        message = "late when applied, skipped on request"
        missed = _end(scheduled, State.MISSED, by.now, HistoryOutcome.MISSED, message)
        scheduled = replace(missed, claim=scheduled.claim)  # a superseded attempt may execute still
    return _written_over(row, scheduled)


def edit_policy(row: Row, declared: Declared, by: Applier) -> Row:
    """Replace all of a task but its execution; a forgotten row whose file is back is kept again."""
    edited = replace(
        row,
        task=declared.task,
        digests=canonical.digests(declared.task),
        source=_source(declared, by),
        expires_at=None,
    )
    return _written_over(row, edited)


def delete(row: Row, by: Applier) -> Row:
    """Turn a row into a tombstone that keeps generation, history and an unfinished lease."""
    superseded = _supersede(row, by.now)
    tombstone = replace(
        _stop(superseded, State.DELETED),
        claim=_held(superseded, by.now),
        expires_at=by.now + RETENTION,
    )
    return _written_over(row, tombstone)


def forget(row: Row, by: Applier) -> Row:
    """Keep a finished row for the retention, now that its file has left git."""
    return _written_over(row, replace(row, expires_at=by.now + RETENTION))


def not_before(row: Row, before: Row | None, soonest: datetime) -> Row:
    """Put off a wake that a change newly sets, where so much time passed since the plan that it is too near now."""
    if row.wake_at is None or (before is not None and before.wake_at == row.wake_at):
        return row
    return replace(row, wake_at=max(row.wake_at, soonest))


def grace_is_over(row: Row, now: datetime) -> bool:
    """Say whether the first attempt would start later than the task's grace allows."""
    grace = row.task.grace
    if grace is None or row.attempt > 0 or row.requested_at is not None:
        return False
    return now > row.task.due + grace


def _source(declared: Declared, by: Applier) -> Source:
    return Source(path=declared.place.path, line=declared.place.line, commit=by.commit)


def _supersede(row: Row, now: datetime) -> Row:
    """Take the row from its worker: nobody can settle it, its lease goes on."""
    if row.state is not State.RUNNING or row.claim is None:
        return row
    ended = _close(row, now, HistoryOutcome.SUPERSEDED, None)
    return replace(ended, claim=replace(row.claim, token=None))


def _held(row: Row, now: datetime) -> Claim | None:
    """Return the superseded claim whose lease still runs, if any."""
    return row.claim if row.claim is not None and row.claim.lease_end > now else None


def _not_before_lease(row: Row, moment: datetime) -> datetime:
    return moment if row.claim is None else max(moment, row.claim.lease_end)


# --- what time asks for ----------------------------------------------------------------------------


class Step(StrEnum):
    """What a worker does with a due row."""

    CLAIM = "claim"
    MISS = "miss"
    REFUSE = "refuse"
    DEFER = "defer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a worker does with a due row, the row to write for it, and the token of a claim."""

    step: Step
    row: Row
    token: str


def take(row: Row, *, now: datetime, token: str, known: bool) -> Taken | None:
    """Decide what a worker does with a row at `now`; None when the row needs nothing yet.

    `token` is the claim's if it comes to one; `known` says whether the worker has the task's action.
    """
    if row.wake_at is None or row.wake_at > now:
        return None
    expired = _close(row, now, HistoryOutcome.LEASE_EXPIRED, None)
    if row.attempt >= row.task.retry.attempts:
        step, taken = Step.REFUSE, _stop(expired, State.DEAD)
    elif row.state is State.SCHEDULED and grace_is_over(row, now):
        step, taken = Step.MISS, _end(row, State.MISSED, now, HistoryOutcome.MISSED, "later than its grace")
    elif not known:
        step, taken = _defer(expired, now)
    else:
        planned = row.wake_at if row.attempt or row.requested_at else row.task.due
        step, taken = Step.CLAIM, _claim(expired, now, planned, token)
    return Taken(step=step, row=_written_over(row, taken), token=token)


def _claim(row: Row, now: datetime, planned: datetime, token: str) -> Row:
    entry = HistoryEntry(
        generation=row.generation,
        attempt=row.attempt + 1,
        started_at=now,
        late_seconds=max((now - planned).total_seconds(), 0.0),
    )
    lease_end = now + row.task.timeout + LEASE_MARGIN
    return replace(
        row,
        state=State.RUNNING,
        attempt=row.attempt + 1,
        claim=Claim(token=token, lease_end=lease_end),
        wake_at=lease_end,
        deferred_since=None,
        history=_keep((*row.history, entry)),
    )


def _defer(row: Row, now: datetime) -> tuple[Step, Row]:
    since = row.deferred_since or now
    if now - since >= DEFER_MAX:
        message = f"no worker has known the action {row.task.action} for 24 hours"
        return Step.REFUSE, _end(row, State.DEAD, now, HistoryOutcome.UNKNOWN_ACTION, message)
    waiting = replace(row, state=State.SCHEDULED, claim=None, wake_at=now + DEFER_EVERY, deferred_since=since)
    return Step.DEFER, waiting


def settle(
    row: Row,
    token: str,
    outcome: Outcome,
    *,
    now: datetime,
    soonest: datetime,
    jitter: float,
    hosted_until: datetime | None = None,
) -> Row | None:
    """Record the outcome of the attempt that `token` claimed; None when the row is no longer its own.

    `jitter` in [0, 1) spreads retries (`timing.backoff_delay`). `hosted_until` draws out the lease of an
    attempt that was given up and may still execute in a process that has others to finish.
    """
    if row.state is not State.RUNNING or row.claim is None or row.claim.token != token:
        return None
    closed = _close(row, now, HistoryOutcome(outcome.kind.value), outcome.message)
    match outcome.kind:
        case OutcomeKind.SUCCEEDED:
            settled = _stop(closed, State.SUCCEEDED)
        case OutcomeKind.TIMED_OUT:
            lease_end = max(row.claim.lease_end, hosted_until or row.claim.lease_end)
            # It may still be executing: nothing else starts before the lease ends.
            settled = replace(closed, claim=replace(row.claim, lease_end=lease_end), wake_at=lease_end)
        case OutcomeKind.FAILED if outcome.retryable and row.attempt < row.task.retry.attempts:
            rested = ceil_minute(now + backoff_delay(row.task.retry, row.attempt, jitter))
            settled = replace(closed, state=State.SCHEDULED, claim=None, wake_at=max(rested, soonest))
        case OutcomeKind.FAILED:
            settled = _stop(closed, State.DEAD)
        case _:
            assert_never(outcome.kind)
    return _written_over(row, settled)


def draw_out(row: Row, lease_end: datetime, hosted_until: datetime) -> Row | None:
    """Draw out the lease of a superseded attempt that was given up and may still execute; None where none is kept.

    `lease_end` is that of the attempt; what took its place waits for it, and begins no sooner now.
    """
    if row.claim is None or row.claim.token is not None or row.claim.lease_end != lease_end:
        return None
    wake_at = None if row.wake_at is None else max(row.wake_at, hosted_until)
    drawn = replace(row, claim=Claim(token=None, lease_end=max(lease_end, hosted_until)), wake_at=wake_at)
    return _written_over(row, drawn)


def was_settled(row: Row, claimed: Row, outcome: Outcome) -> bool:
    """Say whether a row has this outcome already, of the attempt for which `claimed` was written.

    Only the holder of its token writes an outcome of an attempt, so that it is the holder's own.
    """
    opened, kind = claimed.history[-1], HistoryOutcome(outcome.kind.value)
    attempt = (opened.generation, opened.attempt, opened.started_at, kind)  # a number comes again after a retry
    return any(attempt == (each.generation, each.attempt, each.started_at, each.outcome) for each in row.history)


def _stop(row: Row, state: State) -> Row:
    return replace(row, state=state, claim=None, wake_at=None, deferred_since=None)


def _end(row: Row, state: State, now: datetime, outcome: HistoryOutcome, message: str) -> Row:
    """End a row without an attempt, with an entry that says why."""
    entry = HistoryEntry(
        generation=row.generation,
        attempt=row.attempt,
        started_at=now,
        finished_at=now,
        late_seconds=max((now - row.task.due).total_seconds(), 0.0),
        outcome=outcome,
        message=message,
    )
    return replace(_stop(row, state), history=_keep((*row.history, entry)))


def _close(row: Row, now: datetime, outcome: HistoryOutcome, message: str | None) -> Row:
    """Give the attempt that is still open its outcome; a row without an open attempt stays as it is."""
    if not row.history or row.history[-1].outcome is not None:
        return row
    entry = replace(row.history[-1], finished_at=now, outcome=outcome, message=message)
    return replace(row, history=(*row.history[:-1], entry))


def _written_over(before: Row, after: Row) -> Row:
    """Count the write: every transition ends here, once."""
    return replace(after, version=before.version + 1)


def _keep(history: tuple[HistoryEntry, ...]) -> tuple[HistoryEntry, ...]:
    return history[-HISTORY_MAX:]


# --- what a person asks for ------------------------------------------------------------------------


def retry(row: Row, *, now: datetime, soonest: datetime) -> Row:
    """Schedule a dead or missed task again, at once and with all its attempts; grace does not apply.

    Raises:
        UsageError: the task is neither dead nor missed, or its file has left git.
    """
    if row.state not in {State.DEAD, State.MISSED}:
        raise UsageError(f"task {row.id!r} is {row.state}", hint="only a dead or missed task can be retried")
    if row.expires_at is not None:
        raise UsageError(f"the file of task {row.id!r} has left git", hint="bring it back and apply, then retry")
    return _request(replace(row, state=State.SCHEDULED, attempt=0), now, soonest)


def run_early(row: Row, *, now: datetime, soonest: datetime) -> Row:
    """Make a scheduled task due at once; grace does not apply.

    Raises:
        UsageError: the task is not scheduled.
    """
    if row.state is not State.SCHEDULED:
        raise UsageError(f"task {row.id!r} is {row.state}", hint="only a scheduled task can be run early")
    return _request(row, now, soonest)


def _request(row: Row, now: datetime, soonest: datetime) -> Row:
    requested = replace(
        row,
        claim=_held(row, now),
        wake_at=_not_before_lease(row, soonest),
        requested_at=now,
        deferred_since=None,
    )
    return _written_over(row, requested)
