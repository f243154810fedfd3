"""One wake of the worker: agenda -> claim -> arm -> execute -> settle -> arm.

What becomes of a row is decided in `lifecycle`; here is the order of things, and the bounds: claim only
what can finish, arm before executing, settle each attempt on its own, walk again until nothing is left
that this wake looks after. docs/architecture.md says what each step is for.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from slowsched import lifecycle
from slowsched.arm import arm
from slowsched.errors import BackendError, StoreError
from slowsched.execute import Attempt
from slowsched.lifecycle import CLOCK_SKEW, LEASE_MARGIN, Step, Taken
from slowsched.model import AttemptReport, Conflict, Control, Outcome, OutcomeKind, Row, State, Unreadable, WakeReport
from slowsched.store.base import Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from slowsched.backend import Backend
    from slowsched.execute import Finished, Runner
    from slowsched.model import Pause

__all__ = ["WORKER_BUDGET", "WakeRequest", "idle_report", "wake"]

WORKER_BUDGET = timedelta(minutes=14)  # of Lambda's fifteen: one is left to settle, arm and report
START_SLACK = timedelta(seconds=30)  # a task as long as the budget may still start in a wake that just began
AGENDA_PAGE = 50  # rows looked at before the answers are written
CONFLICT_TRIES = 10  # of one row: each loser has seen another's write of that row go through
POLL_SECONDS = 1.0  # how soon a wake that waits notices that it is to stop, or what others wrote for this moment


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeRequest:
    """How long a wake may take, how many attempts it may begin, and who tells it to stop."""

    budget: timedelta = WORKER_BUDGET
    limit: int | None = None
    stop: Callable[[], bool] = lambda: False


def wake(backend: Backend, runner: Runner, request: WakeRequest | None = None) -> WakeReport:
    """Do all that is due now, and arm the timer for what comes next.

    Raises:
        StoreError: the backend did not answer at all; later failures are in the report's `errors`.
    """
    control = backend.store.control()
    idle = idle_report(backend, control)
    return _Wake(backend, runner, request or WakeRequest()).run() if idle is None else idle


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


class _Wake:
    """The state of one wake. `run` is the story; every other method is one step of it."""

    def __init__(self, backend: Backend, runner: Runner, request: WakeRequest) -> None:
        self._backend = backend
        self._runner = runner
        self._request = request
        self._began = backend.clock()
        self._end = self._began + request.budget
        self._near = backend.timer.near
        self._claimed: dict[str, Row] = {}  # by token
        self._started = 0
        self._seen: set[str] = set()  # rows that a standing clock has shown once already
        self._walked_until = self._began
        self._horizon = self._began + self._near  # up to here nobody but this wake looks after what becomes due
        self._walks = 0
        self._complete = False  # whether the last walk handled every due row that can be read
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
        claimed: list[Taken] = []
        self._complete = False
        if not self._may_claim():
            return claimed
        try:
            if self._may_go_on():
                self._go_through_agenda(claimed)
        except StoreError as error:
            self._complete = False
            self._stop_claiming(error)
        self._walks += 1
        self._started += len(claimed)
        return claimed

    def _may_go_on(self) -> bool:
        """Look whether somebody paused since this wake began; `wake` itself looked before the first walk."""
        if self._walks:
            control = self._backend.store.control()
            waits = _waits(control, self._backend.clock())
            self._paused, self._not_before = control.pause, control.not_before if waits else None
            self._stopped = waits or control.pause is not None
        return not self._stopped

    def _go_through_agenda(self, claimed: list[Taken]) -> None:
        now = self._backend.clock()
        free = self._runner.free
        if self._request.limit is not None:
            free = min(free, self._request.limit - self._started)
        self._complete = True
        agenda = self._agenda(now)
        while page := list(islice(agenda, AGENDA_PAGE)):
            claimed += self._take_page(page, now, free - len(claimed))
            if len(claimed) >= free:
                self._complete = self._complete and next(agenda, None) is None
                break
        self._walked_until = now
        self._horizon = max(self._horizon, now)

    def _agenda(self, until: datetime) -> Iterator[str]:
        """Yield what is due and not passed over already: unreadable, or shown once by a standing clock."""
        known = {*self._tally.unreadable, *self._seen}
        return (task_id for task_id in self._backend.store.agenda(until) if task_id not in known)

    def _take_page(self, page: list[str], now: datetime, free: int) -> list[Taken]:
        """Decide on the rows of a page and write the decisions; returns what was claimed."""
        rows = self._backend.store.get_many(page)
        taken: list[tuple[Row, Taken]] = []
        claims = 0
        for task_id in page:
            row = rows.get(task_id)
            if isinstance(row, Unreadable):
                self._tally.unreadable.append(task_id)
                continue
            step = None if row is None else self._decide(row, now)
            if row is None or step is None:
                continue
            if step.step is Step.CLAIM:
                if claims >= free or not self._can_finish(row, now):
                    self._complete = False
                    continue
                claims += 1
            taken.append((row, step))
        return self._write(taken, now)

    def _decide(self, row: Row, now: datetime) -> Taken | None:
        known = self._runner.knows(row.task.action)
        return lifecycle.take(row, now=now, token=self._backend.nonce(), known=known)

    def _write(self, taken: list[tuple[Row, Taken]], now: datetime) -> list[Taken]:
        """Write each decision on its own condition; a lost one is decided again as long as it is due."""
        writes = [Write(row=step.row, expect_version=row.version) for row, step in taken]
        claimed: list[Taken] = []
        for (row, step), answer in zip(taken, self._backend.store.put_many(writes), strict=True):
            won: Taken | None = step
            try:
                if isinstance(answer, StoreError):
                    raise answer
                if isinstance(answer, Conflict):
                    won = self._take_again(answer.found, now)
            except StoreError as error:
                self._complete = False
                self._tally.errors.append(f"{row.id}: {error}")
                continue
            if won is not None and self._note(won):
                claimed.append(won)
        return claimed

    def _take_again(self, found: Row | Unreadable | None, now: datetime) -> Taken | None:
        for _ in range(CONFLICT_TRIES):
            step = self._decide(found, now) if isinstance(found, Row) else None
            if step is None or not isinstance(found, Row):
                return None  # somebody else has it, or it is due no more
            answer = self._backend.store.put(step.row, found.version)
            if answer is None:
                return step
            found = answer.found
        return None

    def _note(self, taken: Taken) -> bool:
        """Remember what was written; says whether it was a claim."""
        task_id = taken.row.id
        if self._backend.standing:
            self._seen.add(task_id)
        match taken.step:
            case Step.MISS:
                self._tally.missed.append(task_id)
            case Step.DEFER:
                self._tally.deferred.append(task_id)
            case Step.REFUSE:
                self._tally.dead.append(task_id)
            case Step.CLAIM:
                return True
        return False

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
            attempt = Attempt.of_row(each.row, self._backend.environment, now + timeout)
            self._runner.start(each.token, each.row, attempt, timeout)

    def _settle(self, finished: list[Finished]) -> bool:
        """Write what attempts came to, each on its own; says whether any of their rows needs the worker again."""
        unfinished = False
        own = [each for each in finished if each.token in self._claimed]  # not of a wake that was cut off
        for row, each in [(self._claimed.pop(each.token), each) for each in own]:
            settled, message = self._record(row, each, self._hosted_until(row, each.outcome))
            unfinished = unfinished or (settled is not None and settled.wake_at is not None)
            if settled is not None and settled.state is State.DEAD:
                self._tally.dead.append(row.id)
            self._tally.attempts.append(
                AttemptReport(
                    id=row.id,
                    generation=row.generation,
                    attempt=row.attempt,
                    outcome=each.outcome.kind,
                    late_seconds=row.history[-1].late_seconds,
                    state=State.RUNNING if settled is None else settled.state,
                    message=message or each.outcome.message,
                )
            )
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

    def _record(self, row: Row, finished: Finished, hosted_until: datetime | None) -> tuple[Row | None, str | None]:
        """Write the outcome; returns the row as it stands then, and what is to be said of it."""
        found: Row | Unreadable | None = row
        try:
            for _ in range(CONFLICT_TRIES):
                if not isinstance(found, Row):
                    return None, "its row is gone or cannot be read: the outcome was not recorded"
                settled = lifecycle.settle(
                    found,
                    finished.token,
                    finished.outcome,
                    now=self._backend.clock(),
                    soonest=self._backend.soonest(),
                    jitter=self._backend.chance(),
                    hosted_until=hosted_until,
                )
                if settled is None:
                    return found, "superseded while it ran: the outcome was not recorded"
                answer = self._backend.store.put(settled, found.version)
                if answer is None:
                    return settled, None
                found = answer.found
        except StoreError as error:
            self._tally.errors.append(f"{row.id}: {error}")
        return None, "the outcome could not be recorded: it is attempted again after its lease"

    # --- stay, arm, report -------------------------------------------------------------------------

    def _goes_on(self) -> bool:
        """Say whether this wake will walk again by itself for what becomes due in the near future."""
        if self._ended or self._backend.standing or not self._may_claim():
            return False
        return self._backend.clock() + self._near < self._end

    def _next_moment(self) -> datetime | None:
        """Return when a row that no walk has seen needs the worker first."""
        try:
            return self._backend.store.next_wake(self._walked_until)
        except StoreError as error:
            self._stop_claiming(error)
            return None

    def _seconds_to_next(self) -> float | None:
        """Return how long to wait for an outcome before the next walk; None: until there is one."""
        if not self._goes_on():
            return None
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
        while (left := (moment - self._backend.clock()).total_seconds()) > 0 and not self._request.stop():
            self._backend.sleep(min(left, POLL_SECONDS))
        return not self._request.stop()

    def _unattended(self) -> datetime | None:
        """Return the first moment that this wake does not look after itself, for the timer.

        What it leaves behind of that gets the first moment that the timer can serve, or an earlier one beyond
        the horizon, for which the timer is set already where it is near.
        """
        now = self._backend.clock()
        goes_on = self._goes_on()
        if goes_on:
            self._horizon = max(self._horizon, now + self._near)
        first = self._backend.store.next_wake(self._horizon)
        leaves = not self._complete if goes_on else next(self._agenda(self._horizon), None) is not None
        if not leaves:
            return first
        soonest = self._not_before or self._backend.soonest()
        return soonest if first is None else min(first, soonest)

    def _arm(self) -> None:
        try:
            self._armed = arm(self._backend, self._unattended).moment or self._armed
            self._timer_error = None
        except BackendError as error:
            self._timer_error = str(error)

    def _stop_claiming(self, error: StoreError) -> None:
        self._stopped = True
        self._tally.errors.append(str(error))

    def _left(self) -> int:
        """Count the due rows that this wake did not get to."""
        if self._complete:
            return 0
        try:
            return sum(1 for _ in self._agenda(self._backend.clock()))
        except StoreError as error:
            self._stop_claiming(error)
            return 0

    def _minute(self) -> datetime | None:
        """Return what the timer is set to, as far as is known."""
        if self._armed is None and self._timer_error is None:
            with suppress(BackendError):
                return self._backend.timer.armed()
        return self._armed

    def _report(self) -> WakeReport:
        left = self._left()
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
        )
