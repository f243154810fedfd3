"""Every cell of the table of transitions, docs/state-machine.md, that time asks for (slowsched/lifecycle.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from values import DAY, DUE, HOUR, MINUTE, a_claim, a_retry, a_row, an_entry

from slowsched.lifecycle import DEFER_EVERY, DEFER_MAX, LEASE_MARGIN, Step, Taken, settle, take, was_settled
from slowsched.model import Claim, HistoryEntry, HistoryOutcome, Outcome, OutcomeKind, State

SECOND = timedelta(seconds=1)
MICRO = timedelta(microseconds=1)
TIMEOUT = timedelta(seconds=30)
LEASE = TIMEOUT + LEASE_MARGIN

FAILED = an_entry(finished_at=DUE + SECOND, outcome=HistoryOutcome.FAILED, message="no")
LEASE_END = DUE + LEASE
RUNNING = a_row(state=State.RUNNING, version=4, claim=a_claim(lease_end=LEASE_END))
OPEN = RUNNING.history[-1]

STATES_AT_REST = [State.SUCCEEDED, State.DEAD, State.MISSED, State.DELETED]


def _take(row, now, *, known=True):
    return take(row, now=now, token="mine", known=known)


def _claimed(row, now, *, late, history=()):
    """Return what a claim at `now` comes to."""
    entry = HistoryEntry(generation=row.generation, attempt=row.attempt + 1, started_at=now, late_seconds=late)
    running = replace(
        row,
        state=State.RUNNING,
        version=row.version + 1,
        attempt=row.attempt + 1,
        claim=Claim(token="mine", lease_end=now + LEASE),
        wake_at=now + LEASE,
        deferred_since=None,
        history=(*history, entry),
    )
    return Taken(step=Step.CLAIM, row=running, token="mine")


def _ended(row, now, state, outcome, *, message, late):
    """Return the row that ends at `now` without an attempt."""
    entry = HistoryEntry(
        generation=row.generation,
        attempt=row.attempt,
        started_at=now,
        finished_at=now,
        late_seconds=late,
        outcome=outcome,
        message=message,
    )
    return replace(
        row,
        state=state,
        version=row.version + 1,
        claim=None,
        wake_at=None,
        deferred_since=None,
        history=(entry,),
    )


# --- claim -----------------------------------------------------------------------------------------


def test_scheduled__claim_at_due__running_first_attempt():
    """At its due a task is claimed: the lease is its timeout and a margin."""
    row = a_row()
    assert _take(row, DUE) == _claimed(row, DUE, late=0.0)


def test_scheduled__claim_later__lateness_counts_from_due():
    """How late an attempt begins is counted from the due, not from when the timer could serve it."""
    row = a_row(wake_at=DUE + MINUTE)
    assert _take(row, DUE + 90.5 * SECOND) == _claimed(row, DUE + 90.5 * SECOND, late=90.5)


def test_scheduled__claim_of_a_retry__running_next_attempt():
    """A retry is late against its own moment; what failed before stays in the history."""
    row = a_row(attempt=1, history=(FAILED,), wake_at=DUE + MINUTE)
    now = DUE + MINUTE + SECOND
    assert _take(row, now) == _claimed(row, now, late=1.0, history=(FAILED,))


def test_scheduled__claim_of_a_run_before_due__not_early_but_asked_for():
    """A task that a person runs before its due is late against what was asked for."""
    row = a_row(requested_at=DUE - DAY, wake_at=DUE - DAY)
    assert _take(row, DUE - DAY + 2 * SECOND) == _claimed(row, DUE - DAY + 2 * SECOND, late=2.0)


def test_scheduled_after_a_superseding_edit__claim__the_old_lease_is_replaced():
    """At the end of the old lease the new generation gets its own claim."""
    row = a_row(claim=Claim(token=None, lease_end=LEASE_END), wake_at=LEASE_END)
    assert _take(row, LEASE_END) == _claimed(row, LEASE_END, late=90.0)


def test_running_lease_over__claim__running_next_attempt():
    """An attempt whose lease ended without an outcome is closed as such, and the next begins."""
    expired = replace(OPEN, finished_at=LEASE_END, outcome=HistoryOutcome.LEASE_EXPIRED)
    assert _take(RUNNING, LEASE_END) == _claimed(RUNNING, LEASE_END, late=0.0, history=(expired,))


def test_running_timed_out_lease_over__claim__its_outcome_stands():
    """An attempt that timed out keeps that outcome when its lease ends."""
    timed_out = replace(OPEN, finished_at=DUE + TIMEOUT, outcome=HistoryOutcome.TIMED_OUT)
    row = replace(RUNNING, history=(timed_out,))
    assert _take(row, LEASE_END + SECOND) == _claimed(row, LEASE_END + SECOND, late=1.0, history=(timed_out,))


def test_scheduled__before_its_wake__not_taken():
    """A microsecond before its moment a task is left alone, known or not."""
    assert [_take(a_row(grace=MINUTE), DUE - MICRO, known=known) for known in (True, False)] == [None, None]


def test_running__before_the_lease_ends__not_taken():
    """Nobody claims a task while another's lease lasts."""
    assert _take(RUNNING, LEASE_END - MICRO) is None


@pytest.mark.parametrize("state", STATES_AT_REST)
def test_succeeded_dead_missed_deleted__claim__never(state):
    """What needs nothing more is not taken, ten years later either."""
    assert _take(a_row(state=state), DUE + 3653 * DAY) is None


# --- attempts used up ------------------------------------------------------------------------------


def test_scheduled_attempts_used_up__claim__refused_and_dead():
    """A policy edit may leave a waiting task without attempts: it is dead, not run."""
    row = a_row(attempt=2, history=(FAILED,), retry=a_retry(attempts=2))
    dead = replace(row, state=State.DEAD, version=2, wake_at=None)
    assert _take(row, DUE) == Taken(step=Step.REFUSE, row=dead, token="mine")


def test_running_lease_over_attempts_used_up__claim__refused_and_dead():
    """A payload that kills the process is bounded: the last lease ends in dead."""
    row = a_row(state=State.RUNNING, attempt=5, claim=a_claim(lease_end=LEASE_END))
    expired = replace(row.history[-1], finished_at=LEASE_END, outcome=HistoryOutcome.LEASE_EXPIRED)
    dead = replace(row, state=State.DEAD, version=2, claim=None, wake_at=None, history=(expired,))
    assert _take(row, LEASE_END) == Taken(step=Step.REFUSE, row=dead, token="mine")


def test_attempts_used_up__unknown_action__refused_and_dead():
    """An unknown action does not keep alive what has no attempts left."""
    row = a_row(attempt=5, history=(FAILED,), deferred_since=DUE - HOUR)
    dead = replace(row, state=State.DEAD, version=2, wake_at=None, deferred_since=None)
    assert _take(row, DUE, known=False) == Taken(step=Step.REFUSE, row=dead, token="mine")


# --- missed ----------------------------------------------------------------------------------------


def test_scheduled_first_attempt__later_than_grace__missed():
    """A first attempt that would begin later than due and grace is not made."""
    row, now = a_row(grace=HOUR), DUE + HOUR + MICRO
    missed = _ended(row, now, State.MISSED, HistoryOutcome.MISSED, message="later than its grace", late=3600.000001)
    assert _take(row, now) == Taken(step=Step.MISS, row=missed, token="mine")


def test_scheduled_first_attempt__at_the_end_of_its_grace__claimed():
    """At due plus grace to the microsecond it still runs."""
    row = a_row(grace=HOUR)
    assert _take(row, DUE + HOUR) == _claimed(row, DUE + HOUR, late=3600.0)


def test_scheduled_first_attempt__without_grace__claimed_however_late():
    """Without a grace a task runs ten years late rather than never."""
    row, now = a_row(), DUE + 3653 * DAY
    assert _take(row, now) == _claimed(row, now, late=3653 * 86_400.0)


def test_scheduled_further_attempt__later_than_grace__claimed():
    """Grace is for the first attempt: a retry is not cut off by it."""
    row, now = a_row(grace=MINUTE, attempt=1, history=(FAILED,), wake_at=DUE + HOUR), DUE + DAY
    assert _take(row, now) == _claimed(row, now, late=23 * 3600.0, history=(FAILED,))


def test_scheduled_on_request__later_than_grace__claimed():
    """Grace does not count against a person's word."""
    row = a_row(grace=MINUTE, requested_at=DUE + DAY, wake_at=DUE + DAY)
    assert _take(row, DUE + DAY) == _claimed(row, DUE + DAY, late=0.0)


def test_running_first_attempt_lease_over__later_than_grace__claimed():
    """The attempt that crashed was made in time: its retry is not missed."""
    row = replace(RUNNING, task=replace(RUNNING.task, grace=MINUTE))
    expired = replace(OPEN, finished_at=DUE + DAY, outcome=HistoryOutcome.LEASE_EXPIRED)
    late = (DUE + DAY - LEASE_END).total_seconds()
    assert _take(row, DUE + DAY) == _claimed(row, DUE + DAY, late=late, history=(expired,))


def test_scheduled_unknown_action__later_than_grace__missed():
    """A task that nobody knew in time is missed, not deferred on."""
    row, now = a_row(grace=HOUR, deferred_since=DUE), DUE + 2 * HOUR
    missed = _ended(row, now, State.MISSED, HistoryOutcome.MISSED, message="later than its grace", late=7200.0)
    assert _take(row, now, known=False) == Taken(step=Step.MISS, row=missed, token="mine")


# --- defer -----------------------------------------------------------------------------------------


def test_scheduled__unknown_action__deferred_uncounted():
    """A worker that does not know the action leaves the task for a later one, without an attempt."""
    row = a_row()
    deferred = replace(row, version=2, wake_at=DUE + DEFER_EVERY, deferred_since=DUE)
    assert _take(row, DUE, known=False) == Taken(step=Step.DEFER, row=deferred, token="mine")


def test_scheduled_deferred__unknown_action_still__deferred_since_the_first_time():
    """The day that a deployment has begins with the first defer."""
    row, now = a_row(deferred_since=DUE), DUE + DEFER_MAX - MICRO
    deferred = replace(row, version=2, wake_at=now + DEFER_EVERY)
    assert _take(row, now, known=False) == Taken(step=Step.DEFER, row=deferred, token="mine")


def test_scheduled_deferred__unknown_action_for_24_hours__dead():
    """After a day a person must act, and the history says why."""
    row, now = a_row(deferred_since=DUE), DUE + DEFER_MAX
    message = "no worker has known the action APPLY_SALE for 24 hours"
    dead = _ended(row, now, State.DEAD, HistoryOutcome.UNKNOWN_ACTION, message=message, late=86_400.0)
    assert _take(row, now, known=False) == Taken(step=Step.REFUSE, row=dead, token="mine")


def test_scheduled_deferred__action_known_again__claimed():
    """A worker that knows the action runs it: late since its due, the day begins anew."""
    row, now = a_row(deferred_since=DUE, wake_at=DUE + DEFER_EVERY), DUE + DEFER_EVERY
    assert _take(row, now) == _claimed(row, now, late=900.0)


def test_running_lease_over__unknown_action__scheduled_and_deferred():
    """A worker that does not know the action takes nothing over: it closes the attempt, and waits."""
    expired = replace(OPEN, finished_at=LEASE_END, outcome=HistoryOutcome.LEASE_EXPIRED)
    deferred = replace(
        RUNNING,
        state=State.SCHEDULED,
        version=5,
        claim=None,
        wake_at=LEASE_END + DEFER_EVERY,
        deferred_since=LEASE_END,
        history=(expired,),
    )
    assert _take(RUNNING, LEASE_END, known=False) == Taken(step=Step.DEFER, row=deferred, token="mine")


# --- settle ----------------------------------------------------------------------------------------

NOW = DUE + 20 * SECOND
OK = Outcome(kind=OutcomeKind.SUCCEEDED, message="done")
ERROR = Outcome(kind=OutcomeKind.FAILED, message="no")
FATAL = Outcome(kind=OutcomeKind.FAILED, message="never", retryable=False)
TIMED_OUT = Outcome(kind=OutcomeKind.TIMED_OUT, message="too long")


def _settle(row, outcome, *, by="a token", now=NOW, lead=timedelta(0), jitter=0.0):
    return settle(row, by, outcome, now=now, soonest=now + lead, jitter=jitter)


def _closed(outcome, message, row=RUNNING, now=NOW):
    return (*row.history[:-1], replace(row.history[-1], finished_at=now, outcome=outcome, message=message))


def test_running__settle_ok__succeeded():
    """A success is recorded, and the row needs nothing more."""
    assert _settle(RUNNING, OK) == replace(
        RUNNING,
        state=State.SUCCEEDED,
        version=5,
        claim=None,
        wake_at=None,
        history=_closed(HistoryOutcome.SUCCEEDED, "done"),
    )


def test_running__settle_ok_after_the_lease__succeeded():
    """As long as nobody else has claimed it, a late outcome is the outcome."""
    now = LEASE_END + HOUR
    assert _settle(RUNNING, OK, now=now) == replace(
        RUNNING,
        state=State.SUCCEEDED,
        version=5,
        claim=None,
        wake_at=None,
        history=_closed(HistoryOutcome.SUCCEEDED, "done", now=now),
    )


@pytest.mark.parametrize(
    ("jitter", "lead", "wake_at"),
    [
        (0.0, timedelta(0), DUE + MINUTE),
        (0.99, timedelta(0), DUE + 2 * MINUTE),
        (0.0, 2 * MINUTE, NOW + 2 * MINUTE),
    ],
    ids=["up to a whole minute", "with jitter", "not before soonest"],
)
def test_running__settle_error_attempts_left__scheduled_after_its_backoff(jitter, lead, wake_at):
    """A failed attempt rests, up to a whole minute, and not less than the timer needs."""
    assert _settle(RUNNING, ERROR, jitter=jitter, lead=lead) == replace(
        RUNNING,
        state=State.SCHEDULED,
        version=5,
        claim=None,
        wake_at=wake_at,
        history=_closed(HistoryOutcome.FAILED, "no"),
    )


def test_running__settle_error_of_a_later_attempt__rests_longer():
    """The rest doubles with each attempt: after the fourth it is eight minutes, of which half is sure."""
    row = a_row(state=State.RUNNING, attempt=4)
    assert _settle(row, ERROR) == replace(
        row,
        state=State.SCHEDULED,
        version=2,
        claim=None,
        wake_at=DUE + 5 * MINUTE,
        history=_closed(HistoryOutcome.FAILED, "no", row),
    )


@pytest.mark.parametrize(("attempt", "outcome"), [(5, ERROR), (1, FATAL)], ids=["none left", "not retryable"])
def test_running__settle_error_none_left_or_not_retryable__dead(attempt, outcome):
    """A person must act."""
    row = a_row(state=State.RUNNING, attempt=attempt)
    assert _settle(row, outcome) == replace(
        row,
        state=State.DEAD,
        version=2,
        claim=None,
        wake_at=None,
        history=_closed(HistoryOutcome.FAILED, outcome.message, row),
    )


@pytest.mark.parametrize("attempt", [1, 5])
def test_running__settle_timed_out__stays_running_until_the_lease_ends(attempt):
    """What ran past its timeout may still execute: nothing starts before its lease ends, attempts left or not."""
    row = a_row(state=State.RUNNING, attempt=attempt, claim=a_claim(lease_end=LEASE_END))
    assert _settle(row, TIMED_OUT) == replace(
        row, version=2, history=_closed(HistoryOutcome.TIMED_OUT, "too long", row)
    )


@pytest.mark.parametrize(
    ("hosted_until", "lease_end"),
    [(None, LEASE_END), (LEASE_END - SECOND, LEASE_END), (LEASE_END + HOUR, LEASE_END + HOUR)],
    ids=["unsaid", "shorter", "longer"],
)
def test_running__settle_timed_out_and_hosted_on__lease_drawn_out(hosted_until, lease_end):
    """A process that must live on with the hung attempt draws out its lease, and never shortens it."""
    settled = settle(RUNNING, "a token", TIMED_OUT, now=NOW, soonest=NOW, jitter=0.0, hosted_until=hosted_until)
    assert settled == replace(
        RUNNING,
        version=5,
        claim=Claim(token="a token", lease_end=lease_end),
        wake_at=lease_end,
        history=_closed(HistoryOutcome.TIMED_OUT, "too long"),
    )


@pytest.mark.parametrize("outcome", [OK, ERROR, FATAL, TIMED_OUT])
def test_running__settle_another_token__unchanged(outcome):
    """An outcome that comes after another worker's claim is not recorded."""
    assert _settle(RUNNING, outcome, by="another token") is None


@pytest.mark.parametrize("state", [State.SCHEDULED, *STATES_AT_REST])
def test_scheduled_succeeded_dead_missed_deleted__settle__unchanged(state):
    """An outcome is recorded on a running row only, whatever claim is left on it."""
    assert _settle(a_row(state=state, claim=a_claim()), OK) is None


def test_superseded__settle__unchanged():
    """A superseded claim is nobody's: its outcome cannot be recorded."""
    rows = (a_row(claim=a_claim(token=None)), replace(RUNNING, claim=a_claim(token=None)), replace(RUNNING, claim=None))
    assert [_settle(row, OK) for row in rows] == [None, None, None]


@pytest.mark.parametrize(
    ("row", "was"),
    [
        (_settle(RUNNING, OK), True),
        (
            replace(_settle(RUNNING, OK), history=(*_closed(HistoryOutcome.SUCCEEDED, "done"), an_entry(attempt=9))),
            True,
        ),
        (_settle(RUNNING, ERROR), False),
        (RUNNING, False),
        (replace(RUNNING, history=_closed(HistoryOutcome.SUPERSEDED, None)), False),
        (replace(RUNNING, history=()), False),
    ],
)
def test_what_was_settled_is_known_by_its_history(row, was):
    """The outcome of this very attempt stands there, whatever else came to the row since."""
    assert was_settled(row, RUNNING, OK) is was


@pytest.mark.parametrize("changed", [{"generation": 9}, {"attempt": 9}, {"started_at": NOW + HOUR}])
def test_what_was_settled_is_known_from_other_attempts(changed):
    """Attempts are counted anew in each generation, and after a person's `retry`."""
    settled = _settle(RUNNING, OK)
    other = replace(settled, history=(replace(settled.history[-1], **changed),))
    assert was_settled(other, RUNNING, OK) is False
