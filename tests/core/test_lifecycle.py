"""What holds of every row, whatever happens to it in whatever order (slowsched/lifecycle.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from values import COMMIT, DAY, DUE, HOUR, MINUTE, OWNER, a_claim, a_declared, a_retry, a_row, an_entry

from slowsched import lifecycle
from slowsched.decision import Allowance, decide
from slowsched.errors import UsageError
from slowsched.lifecycle import CLOCK_SKEW, HISTORY_MAX, LEASE_MARGIN, Applier, Step, grace_is_over
from slowsched.model import HistoryOutcome, LateChoice, Outcome, OutcomeKind, State
from slowsched.timing import soonest

SECOND = timedelta(seconds=1)
LEAD = timedelta(seconds=90)
TASK_ID = "some task id"
MOSTLY = st.sampled_from([True, True, True, False])


def test_the_lease_outlasts_the_timeout_by_several_skews():
    """Two clocks that differ by the stated skew, one fast and one slow, still leave room to settle."""
    assert LEASE_MARGIN >= 4 * CLOCK_SKEW


def test_the_bounds_are_those_that_are_documented():
    """How long things are kept, put off and waited for."""
    bounds = (lifecycle.RETENTION, lifecycle.DEFER_EVERY, lifecycle.DEFER_MAX, LEASE_MARGIN, CLOCK_SKEW, HISTORY_MAX)
    assert bounds == (400 * DAY, 15 * MINUTE, DAY, MINUTE, 10 * SECOND, 20)


@pytest.mark.parametrize(
    ("grace", "overrides", "late", "over"),
    [
        (None, {}, 3653 * DAY, False),
        (HOUR, {}, HOUR, False),
        (HOUR, {}, HOUR + timedelta(microseconds=1), True),
        (timedelta(0), {}, timedelta(0), False),
        (HOUR, {"attempt": 1}, DAY, False),
        (HOUR, {"requested_at": DUE}, DAY, False),
    ],
)
def test_grace_is_over(grace, overrides, late, over):
    """Grace is over after due plus grace, for a first attempt that nobody asked for."""
    assert grace_is_over(a_row(grace=grace, **overrides), DUE + late) is over


@pytest.mark.parametrize(
    ("row", "before", "wake_at"),
    [
        (a_row(), None, DUE + HOUR),
        (a_row(wake_at=DUE + DAY), None, DUE + DAY),
        (a_row(wake_at=DUE + HOUR), a_row(wake_at=DUE + 2 * HOUR), DUE + HOUR),
        (a_row(), a_row(wake_at=DUE + DAY), DUE + HOUR),
        (a_row(), a_row(), DUE),
        (a_row(state=State.MISSED), a_row(), None),
        (a_row(state=State.DELETED), a_row(), None),
    ],
    ids=["new", "new, ahead", "at soonest", "earlier", "unchanged", "missed", "deleted"],
)
def test_not_before(row, before, wake_at):
    """A change that is written long after its plan sets no wake too near; a wake that it leaves stays."""
    assert lifecycle.not_before(row, before, DUE + HOUR) == replace(row, wake_at=wake_at)


def test_history_is_bounded_when_an_attempt_begins():
    """The oldest entries go; the attempt that begins is the last."""
    old = tuple(an_entry(attempt=n, outcome=HistoryOutcome.FAILED) for n in range(HISTORY_MAX))
    taken = lifecycle.take(a_row(history=old), now=DUE, token="mine", known=True)
    assert taken is not None
    assert taken.row.history == (*old[1:], an_entry(attempt=1))


def test_history_is_bounded_when_a_task_is_missed():
    """An end without an attempt is an entry like the others."""
    old = tuple(an_entry(attempt=n, outcome=HistoryOutcome.FAILED) for n in range(HISTORY_MAX))
    taken = lifecycle.take(a_row(history=old, grace=HOUR), now=DUE + DAY, token="mine", known=True)
    assert taken is not None
    entry = an_entry(
        attempt=0,
        started_at=DUE + DAY,
        finished_at=DUE + DAY,
        late_seconds=86_400.0,
        outcome=HistoryOutcome.MISSED,
        message="later than its grace",
    )
    assert taken.row.history == (*old[1:], entry)


def test_an_attempt_before_due_is_not_late():
    """What a person runs a day before its due began in time, and so did what a worker gave up."""
    early = a_row(requested_at=DUE - DAY, wake_at=DUE - DAY)
    unknown = replace(early, deferred_since=DUE - 2 * DAY)
    taken = [
        lifecycle.take(early, now=DUE - DAY, token="mine", known=True),
        lifecycle.take(unknown, now=DUE - DAY, token="mine", known=False),
    ]
    assert [each and each.row.history[-1].late_seconds for each in taken] == [0.0, 0.0]


def test_a_lease_that_is_over_is_forgotten_when_a_person_intervenes():
    """The claim of a superseded attempt leaves the row once its lease has ended."""
    over = a_claim(token=None, lease_end=DUE)
    rows = [
        lifecycle.run_early(a_row(claim=over), now=DUE, soonest=DUE),
        lifecycle.retry(a_row(state=State.MISSED, claim=over), now=DUE, soonest=DUE),
    ]
    assert [(each.claim, each.wake_at) for each in rows] == [(None, DUE), (None, DUE)]


def test_only_an_open_attempt_is_closed():
    """The last entry of the history alone can be open: an earlier one is never touched."""
    failed = an_entry(finished_at=DUE, outcome=HistoryOutcome.FAILED, message="no")
    row = a_row(state=State.RUNNING, attempt=2, history=(failed, an_entry(attempt=2)), wake_at=DUE, claim=a_claim())
    taken = lifecycle.take(row, now=DUE, token="mine", known=True)
    assert taken is not None
    expired = an_entry(attempt=2, finished_at=DUE, outcome=HistoryOutcome.LEASE_EXPIRED)
    assert taken.row.history == (failed, expired, an_entry(attempt=3, started_at=DUE))


class AnyOrder(RuleBasedStateMachine):
    """One task, a few workers and a repository that changes its mind, with a clock that only goes on.

    An attempt is thought to execute from its claim until its worker settles it, or until its lease ends.
    """

    def __init__(self):
        super().__init__()
        self.now = DUE - HOUR
        self.row = None
        self.executing = {}  # token -> lease end
        self.unsettled = {}  # token -> generation
        self.succeeded = set()  # generations with a recorded success
        self.highest = (0, 0)  # version, generation
        self.tokens = 0

    def _write(self, row):
        """Write a row as a store would, once its version is the next one."""
        version, generation = self.highest
        assert (row.version, row.generation >= generation) == (version + 1, True)
        self.highest = (row.version, row.generation)
        self.row = row

    def _by(self):
        return Applier(owner=OWNER, commit=COMMIT, now=self.now, soonest=soonest(self.now, LEAD))

    @rule(seconds=st.sampled_from([20, 700, 90_000]))
    def time_passes(self, seconds):
        """The clock goes on."""
        self.now += seconds * SECOND

    @precondition(lambda self: self.row is not None and self.row.wake_at is not None)
    @rule(seconds=st.sampled_from([0, 20, 90]), known=MOSTLY)
    def time_comes(self, seconds, known):
        """The clock goes on to the next wake, and a worker wakes."""
        self.now = max(self.now, self.row.wake_at) + seconds * SECOND
        self.wake(known)

    @rule(
        ahead=st.sampled_from([-DAY, -MINUTE, MINUTE, HOUR]),
        attempts=st.integers(min_value=1, max_value=3),
        grace=st.sampled_from([None, MINUTE, DAY]),
        late=st.sampled_from([*LateChoice, None]),
        supersede=MOSTLY,
        same=st.booleans(),
    )
    def apply(self, *, ahead, attempts, grace, late, supersede, same):
        """A plan for a file that is new, edited, or the same again, is carried out."""
        due = self.row.task.due if same and self.row is not None else self.now + ahead
        declared = a_declared(
            due=due,
            retry=a_retry(attempts=attempts),
            timeout=10 * MINUTE,  # so that a lease is longer than the timer's lead, and the two can meet
            grace=grace,
            own_grace=grace is not None,
        )
        self._carry_out(declared, late, supersede=supersede)

    @precondition(lambda self: self.row is not None)
    @rule(supersede=MOSTLY)
    def remove(self, supersede):
        """A plan for a file that is gone is carried out."""
        self._carry_out(None, None, supersede=supersede)

    def _carry_out(self, declared, late, *, supersede):
        allowance = Allowance(late=late, supersede=frozenset({TASK_ID}) if supersede else frozenset())
        change = decide(declared, self.row, self._by(), allowance)
        if change is not None and change.result is not None:
            self._write(change.result)

    @precondition(lambda self: self.row is not None)
    @rule(known=MOSTLY)
    def wake(self, known):
        """A worker wakes."""
        self.tokens += 1
        token = f"token {self.tokens}"
        taken = lifecycle.take(self.row, now=self.now, token=token, known=known)
        if taken is None:
            return
        if taken.step is Step.CLAIM:
            self._check_claim(taken.row)
            self.executing[token] = taken.row.claim.lease_end
            self.unsettled[token] = taken.row.generation
        self._write(taken.row)

    def _check_claim(self, row):
        """No two at once, none before due but on request, none after its success, none too many."""
        at_once = [token for token, lease_end in self.executing.items() if lease_end > self.now]
        early = self.now < row.task.due and row.requested_at is None
        again = row.generation in self.succeeded
        beyond = row.attempt > row.task.retry.attempts
        assert (at_once, early, again, beyond) == ([], False, False, False)

    @precondition(lambda self: self.unsettled)
    @rule(kind=st.sampled_from(OutcomeKind), retryable=st.booleans(), jitter=st.sampled_from([0.0, 0.99]))
    def settle(self, kind, retryable, jitter):
        """The oldest attempt comes to its outcome; one that timed out may execute on, until its lease ends."""
        token = next(iter(self.unsettled))
        generation = self.unsettled.pop(token)
        outcome = Outcome(kind=kind, retryable=retryable)
        settled = lifecycle.settle(
            self.row, token, outcome, now=self.now, soonest=soonest(self.now, LEAD), jitter=jitter
        )
        if kind is not OutcomeKind.TIMED_OUT:
            del self.executing[token]
        if settled is not None:
            assert settled.generation == generation
            if kind is OutcomeKind.SUCCEEDED:
                self.succeeded.add(generation)
            self._write(settled)

    @precondition(lambda self: self.row is not None)
    @rule(transition=st.sampled_from([lifecycle.retry, lifecycle.run_early]))
    def intervene(self, transition):
        """A person retries, or runs early, what allows it."""
        try:
            row = transition(self.row, now=self.now, soonest=soonest(self.now, LEAD))
        except UsageError:
            return
        self._write(row)

    @invariant()
    def wakes_exactly_in_states_that_need_the_worker(self):
        """A scheduled or running row has a wake; no other has."""
        needs = self.row is not None and self.row.state in {State.SCHEDULED, State.RUNNING}
        assert (self.row is not None and self.row.wake_at is not None) == needs

    @invariant()
    def only_a_running_row_has_an_open_attempt(self):
        """Every attempt that is over has its outcome in the history."""
        is_open = [entry for entry in (self.row.history if self.row else ()) if entry.outcome is None]
        assert len(is_open) <= 1
        assert not is_open or self.row.state is State.RUNNING

    @invariant()
    def the_history_is_bounded(self):
        """The size of a row has a bound."""
        assert self.row is None or len(self.row.history) <= HISTORY_MAX

    @invariant()
    def a_wake_is_never_before_a_lease_ends(self):
        """While a lease lasts, nothing else may start."""
        if self.row is not None and self.row.claim is not None and self.row.wake_at is not None:
            assert self.row.wake_at >= self.row.claim.lease_end

    @invariant()
    def only_what_left_git_expires(self):
        """A row that needs the worker never expires; a tombstone always does."""
        if self.row is not None:
            expires = self.row.expires_at is not None
            allowed = {State.DELETED: {True}, State.SCHEDULED: {False}, State.RUNNING: {False}, State.DEAD: {False}}
            assert expires in allowed.get(self.row.state, {True, False})


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=300, stateful_step_count=40)
