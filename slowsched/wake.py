"""One wake of the worker: agenda -> claim -> arm -> execute -> settle -> arm.

What becomes of a row is decided in `lifecycle`, and written in `agenda_walk` and `settling`; here is the order of
things, and the bounds: claim only what can finish, arm before executing, settle each attempt on its own, walk
again until nothing is left that this wake looks after. docs/architecture.md says what each step is for.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from slowsched.agenda_walk import Agenda, Walk
from slowsched.arm import Look, arm
from slowsched.control import announce
from slowsched.errors import BackendError, StoreError
from slowsched.execute import Attempt
from slowsched.lifecycle import CLOCK_SKEW, LEASE_MARGIN, Step
from slowsched.model import OutcomeKind
from slowsched.reports import WakeReport
from slowsched.settling import settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from slowsched.agenda_walk import Walked
    from slowsched.backend import Backend
    from slowsched.execute import Finished, Runner
    from slowsched.lifecycle import Taken
    from slowsched.model import Control, Outcome, Pause, Row, Worker
    from slowsched.reports import AttemptReport

__all__ = ["WORKER_BUDGET", "WakeRequest", "idle_report", "wake"]

WORKER_BUDGET = timedelta(minutes=14)  # of Lambda's fifteen: one is left to settle, arm and report
START_SLACK = timedelta(seconds=30)  # a task as long as the budget may still start in a wake that just began
WAKE_COMES = timedelta(minutes=1)  # a minute that has begun fires within it, and is then delivered
POLL_SECONDS = 1.0  # how soon a wake that waits notices that it is to stop, or what others wrote for this moment


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeRequest:
    """How long a wake may take, how many attempts it may begin, and who tells it to stop.

    `announce` is what the worker says of itself in the control row, where nobody can look at it otherwise.
    """

    budget: timedelta = WORKER_BUDGET
    limit: int | None = None
    stop: Callable[[], bool] = lambda: False
    announce: Worker | None = None


def wake(backend: Backend, runner: Runner, request: WakeRequest | None = None) -> WakeReport:
    """Do all that is due now, and arm the timer for what comes next.

    Raises:
        StoreError: the backend did not answer at all; later failures are in the report's `errors`.
    """
    request = request or WakeRequest()
    control = backend.store.control()
    if request.announce is not None:
        announce(backend.store, control, request.announce)
    resumed = _stays_for(backend, control)
    if resumed is not None:
        _sleep_until(backend, resumed, request.stop)
        control = backend.store.control()
    idle = idle_report(backend, control)
    return _Wake(backend, runner, request, control).run() if idle is None else idle


def idle_report(backend: Backend, control: Control) -> WakeReport | None:
    """Return the report of a wake that may do nothing; None when it may go on."""
    now = backend.clock()
    if control.pause is None and not _waits(control, now):
        return None
    return WakeReport(
        environment=backend.environment,
        now=now,
        armed=backend.timer.armed(),
        paused=control.pause,
        not_before=control.not_before if _waits(control, now) else None,
    )


def _stays_for(backend: Backend, control: Control) -> datetime | None:
    """Return the first moment after a resume when it is so near that this wake is the one for it.

    By a clock that is behind, the wake of that minute comes before it, and none comes after.
    """
    now = backend.clock()
    if backend.standing or control.pause is not None or not _waits(control, now):
        return None
    moment = control.not_before
    return moment if moment is not None and moment - now <= backend.timer.near else None


def _sleep_until(backend: Backend, moment: datetime, stop: Callable[[], bool]) -> None:
    """Wait for a moment, or until somebody says `stop`."""
    while (left := (moment - backend.clock()).total_seconds()) > 0 and not stop():
        backend.sleep(min(left, POLL_SECONDS))


def _waits(control: Control, now: datetime) -> bool:
    """Say whether it was resumed so lately that the timer may not be in force yet."""
    return control.not_before is not None and now < control.not_before


@dataclass(slots=True)
class _Tally:
    """What the report will say."""

    attempts: list[AttemptReport] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    deferred: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    conflicts: int = 0
    arm_rounds: int = 0

    def add(self, walked: Walked) -> None:
        """Add what a walk came to."""
        self.missed += walked.ids(Step.MISS)
        self.deferred += walked.ids(Step.DEFER)
        self.dead += walked.ids(Step.REFUSE)
        self.unreadable += walked.unreadable
        self.errors += walked.errors
        self.conflicts += walked.conflicts


@dataclass(frozen=True, slots=True)
class _Next:
    """When a row that no walk has seen needs the worker first; None: none does."""

    moment: datetime | None


class _Wake:
    """The state of one wake. `run` is the story; every other method is one step of it."""

    def __init__(self, backend: Backend, runner: Runner, request: WakeRequest, control: Control) -> None:
        self._backend = backend
        self._runner = runner
        self._request = request
        self._agenda = Agenda(backend, runner.knows)
        self._began = backend.clock()
        self._end = self._began + request.budget
        self._near = backend.timer.near
        self._claimed: dict[str, Row] = {}  # by token
        self._started = 0
        self._walked_until = self._began
        self._horizon = self._began + self._near  # up to here nobody but this wake looks after what becomes due
        self._control = control  # as it was read last
        self._walks = 0
        self._complete = False  # whether the last walk handled every due row that can be read
        self._next: _Next | None = None  # what was found out since the last write of a row
        self._left_for: datetime | None = None  # when somebody else is to serve what is due and was left behind
        self._polled = False  # whether a second was given to what was started last, without asking the store
        self._stopped = False  # the store fell silent, or somebody paused: claim nothing more
        self._paused: Pause | None = None
        self._not_before: datetime | None = None
        self._ended = False
        self._armed: datetime | None = None
        self._timer_error: str | None = None
        self._tally = _Tally()

    def run(self) -> WakeReport:
        """Walk, claim, arm, execute and settle until nothing is left to look after; then arm and report."""
        try:
            while True:
                claimed = self._walk()
                if claimed:
                    self._arm()
                    self._execute(claimed)
                elif self._leaves_anew():
                    self._arm()  # somebody else has to serve it, while this wake goes on
                if self._runner.busy:
                    unfinished = self._settle(self._runner.wait(self._seconds_to_next()))
                    if unfinished and self._runner.busy:
                        self._arm()  # what comes back must not wait for what still runs
                elif not self._stay():
                    break
        finally:
            self._ended = True
            self._arm()
        return self._report()

    # --- claim -------------------------------------------------------------------------------------

    def _may_claim(self) -> bool:
        """Say whether one more attempt may begin in this wake."""
        limit = self._request.limit
        within = limit is None or self._started < limit
        return within and not self._stopped and not self._request.stop() and self._runner.free > 0

    def _can_finish(self, row: Row, now: datetime) -> bool:
        """Say whether an attempt that starts now ends within the budget."""
        fresh = self._started == 0 and now <= self._began + START_SLACK
        return now + row.task.timeout <= self._end + (START_SLACK if fresh else timedelta(0))

    def _walk(self) -> list[Taken]:
        """Go through what is due, earliest first, and return what was claimed."""
        self._next = None
        may_claim = self._may_claim()
        if may_claim and self._complete and self._nothing_due():
            return []
        self._complete, self._next = False, None
        if self._stopped or not may_claim or not self._may_go_on():
            return []
        now = self._backend.clock()
        places = self._runner.free
        if self._request.limit is not None:
            places = min(places, self._request.limit - self._started)
        walked = self._agenda.walk(Walk(now=now, places=places, can_finish=self._can_finish))
        self._tally.add(walked)
        self._complete = walked.complete
        if walked.failure is None:
            self._walked_until = now
            self._horizon = max(self._horizon, now)
        else:
            self._stop_claiming(walked.failure)
        self._walks += 1
        self._started += len(walked.claimed)
        return walked.claimed

    def _nothing_due(self) -> bool:
        """Say whether nothing became due since the last walk, which handled all that was: one read in place of two.

        With a lead nobody writes a row for a moment that has passed; without one anybody may.
        """
        if not self._backend.timer.lead:
            return False
        now = self._backend.clock()
        moment = self._next_moment()
        if self._stopped or (moment is not None and moment <= now):
            return False
        self._walked_until = now
        self._horizon = max(self._horizon, now)
        return True

    def _may_go_on(self) -> bool:
        """Look whether somebody paused since this wake began; `wake` itself looked before the first walk."""
        if self._walks:
            try:
                control = self._backend.store.control()
            except StoreError as error:
                self._stop_claiming(error)
                return False
            self._control = control
            waits = _waits(control, self._backend.clock())
            self._paused, self._not_before = control.pause, control.not_before if waits else None
            self._stopped = waits or control.pause is not None
        return not self._stopped

    # --- execute, settle ---------------------------------------------------------------------------

    def _execute(self, claimed: list[Taken]) -> None:
        for each in claimed:
            now = self._backend.clock()
            # Calls that took long since the claim shorten the attempt: two of one task never overlap.
            lease_end = now if each.row.claim is None else each.row.claim.lease_end
            timeout = min(each.row.task.timeout, lease_end - CLOCK_SKEW - now)
            if timeout < timedelta(0):
                self._tally.errors.append(f"{each.row.id}: the claim took too long: attempted again after its lease")
                continue
            self._claimed[each.token] = each.row
            self._runner.start(each.token, each.row, Attempt.of_row(each.row, now + timeout), timeout)
            self._polled = False

    def _settle(self, finished: list[Finished]) -> bool:
        """Write what attempts came to, each on its own; says whether any of their rows needs the worker again."""
        unfinished = False
        self._next = None
        own = [each for each in finished if each.token in self._claimed]  # not of a wake that was cut off
        for row, each in [(self._claimed.pop(each.token), each) for each in own]:
            settled = settle(self._backend, row, each, self._hosted_until(row, each.outcome))
            unfinished = unfinished or settled.needs_worker
            self._tally.conflicts += settled.conflicts
            self._tally.attempts.append(settled.report(row, each))
            if settled.dead:
                self._tally.dead.append(row.id)
            if settled.error is not None:
                self._tally.errors.append(settled.error)
        return unfinished

    def _hosted_until(self, row: Row, outcome: Outcome) -> datetime | None:
        """Return how long this process may go on hosting an attempt that was given up; None if it hosts none.

        It ends once what runs beside it has ended: the lease is drawn out to that, and nothing that would
        take longer is claimed any more.
        """
        if outcome.kind is not OutcomeKind.TIMED_OUT or not self._runner.overrun:
            return None
        leases = [each.claim.lease_end for each in (row, *self._claimed.values()) if each.claim is not None]
        self._end = min(self._end, max(leases) - LEASE_MARGIN / 2)
        return max(leases)

    # --- stay, arm, report -------------------------------------------------------------------------

    def _goes_on(self) -> bool:
        """Say whether this wake will walk again by itself for what becomes due in the near future."""
        if self._ended or self._backend.standing or not self._may_claim():
            return False
        return self._backend.clock() + self._near < self._end

    def _next_moment(self) -> datetime | None:
        """Return when a row that no walk has seen needs the worker first; one read between two walks."""
        if self._next is None:
            try:
                self._next = _Next(moment=self._backend.store.next_wake(self._walked_until))
            except StoreError as error:
                self._stop_claiming(error)
                return None
        return self._next.moment

    def _seconds_to_next(self) -> float | None:
        """Return how long to wait for an outcome before the next walk; None: until there is one."""
        if not self._goes_on():
            return None
        if self._backend.timer.lead and not self._polled:
            self._polled = True  # most actions are over in a second, and a look at the store has its price
            return POLL_SECONDS
        waits = [] if self._backend.timer.lead else [POLL_SECONDS]  # without a lead anybody may write for this moment
        moment = self._next_moment()
        if moment is not None:
            waits.append(max((moment - self._backend.clock()).total_seconds(), 0.0))
        return min(waits, default=None)

    def _stay(self) -> bool:
        """Wait for the next moment that is too near for the timer; says whether to walk again."""
        moment = self._next_moment() if self._near and self._goes_on() else None
        if moment is None or moment > self._backend.clock() + self._near:
            return False
        _sleep_until(self._backend, moment, self._request.stop)
        return not self._request.stop()

    def _leaves_anew(self) -> bool:
        """Say whether a wake that goes on left something that is due, and has not asked the timer for it."""
        return not self._complete and self._left_for is None and self._goes_on()

    def _unattended(self) -> datetime | None:
        """Return the first moment that this wake does not look after itself, for the timer.

        What it leaves behind of that gets the first moment that the timer can serve, and keeps it until its wake
        should have come: a new one each time would postpone it for as long as this wake goes on. An earlier moment
        beyond the horizon, for which the timer is set already where it is near, goes first.
        """
        now = self._backend.clock()
        goes_on = self._goes_on()
        if goes_on:
            self._horizon = max(self._horizon, now + self._near)
        store, leaves = self._backend.store, goes_on and not self._complete
        first = store.next_wake(self._horizon if goes_on else None)
        if not goes_on and first is not None and first <= self._horizon:
            leaves = next(self._agenda.due(self._horizon), None) is not None
            first = store.next_wake(self._horizon)
        if not leaves:
            self._left_for = None
            return first
        if self._left_for is None or now >= self._left_for + WAKE_COMES + self._backend.timer.delivery:
            self._left_for = self._not_before or self._backend.soonest()
        return self._left_for if first is None else min(first, self._left_for)

    def _arm(self) -> None:
        try:
            armed = arm(self._backend, self._unattended, seen=Look(control=self._control, wake_at=self._seen()))
        except BackendError as error:
            self._timer_error = str(error)
        else:
            self._armed = armed.moment or self._armed
            self._timer_error = None
            self._tally.arm_rounds += armed.rounds

    def _seen(self) -> datetime | None:
        """Return the same as `_unattended`, from the last look at the store where that was enough to tell."""
        known = None if self._goes_on() or not self._complete else self._next
        if known is None or (known.moment is not None and known.moment <= self._horizon):
            return self._unattended()
        return known.moment

    def _stop_claiming(self, error: StoreError) -> None:
        self._stopped = True
        self._tally.errors.append(str(error))

    def _left(self) -> tuple[int, timedelta | None]:
        """Count the due rows that this wake did not get to, and say for how long the first of them has been due."""
        if self._complete:
            return 0, None
        now = self._backend.clock()
        try:
            left = sum(1 for _ in self._agenda.due(now))
            oldest = self._backend.store.next_wake() if left else None
        except StoreError as error:
            self._stop_claiming(error)
            return 0, None
        return left, None if oldest is None or oldest > now else now - oldest

    def _minute(self) -> datetime | None:
        """Return what the timer is set to, as far as is known."""
        if self._armed is None and self._timer_error is None:
            with suppress(BackendError):
                return self._backend.timer.armed()
        return self._armed

    def _report(self) -> WakeReport:
        left, oldest_overdue = self._left()  # before the errors: it may add one
        return WakeReport(
            environment=self._backend.environment,
            now=self._began,
            attempts=tuple(self._tally.attempts),
            missed=tuple(self._tally.missed),
            dead=tuple(self._tally.dead),
            deferred=tuple(self._tally.deferred),
            unreadable=tuple(self._tally.unreadable),
            left=left,
            armed=self._minute(),
            timer_error=self._timer_error,
            paused=self._paused,
            not_before=self._not_before,
            errors=tuple(self._tally.errors),
            interrupted=self._request.stop(),
            oldest_overdue=oldest_overdue,
            conflicts=self._tally.conflicts,
            arm_rounds=self._tally.arm_rounds,
        )
