"""Carry out a plan: lock, check, plan, write, always arm, record the commit, report.

Convergent: whatever stops it half-way, running it again finishes the work. What is refused (unsafe,
locked, stale) writes nothing, the timer included.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from slowsched.arm import arm
from slowsched.control import ApplyLock, Holder
from slowsched.errors import BackendError, LockedError, LockLostError, ProblemsError, StoreError
from slowsched.lifecycle import not_before
from slowsched.live_plan import out_of_order, read_plan
from slowsched.model import Change, ChangeKind, Conflict, Plan, Refusal, Row
from slowsched.plan import PlanOptions
from slowsched.reports import ApplyReport, ApplyResult, ApplyStatus, Result
from slowsched.store.base import Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from slowsched.backend import Backend
    from slowsched.model import Declared, OwnerControl, Trailer

__all__ = ["ApplyRequest", "apply"]

# Writes between two looks at the lock and the stop signal: at eight at once and 15 s a call they take
# under a minute, far less than half of the lock's lease.
WRITES_A_BATCH = 25

# What is written first may be due before the last write of a long apply, so it does not wait for the end.
ARM_EVERY = timedelta(seconds=5)


def never() -> bool:
    """Say that nobody asks to stop."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRequest:
    """What an apply is asked to do, and by whom.

    `expect` is the digest of the plan that was approved. `is_ancestor(old, new)` answers from git
    whether commit `old` is `new` or came before it; `trailers(applied)` what the commits allow that come
    after the one applied last. `difference` says how a plan is another than the approved one. `stop` is
    asked between writes; `on_plan` is shown the plan before the first write; `on_progress` is told how many
    changes of how many are done.
    """

    commit: str | None = None
    options: PlanOptions = field(default_factory=PlanOptions)
    expect: str | None = None
    allow_rollback: bool = False
    lock_timeout: timedelta = timedelta(0)
    holder: Holder = field(default_factory=lambda: Holder(name="unknown"))
    is_ancestor: Callable[[str, str], bool] = lambda _old, _new: True
    trailers: Callable[[str | None], Sequence[Trailer]] = lambda _applied: ()
    difference: Callable[[Plan], Sequence[str]] = lambda _plan: ()
    stop: Callable[[], bool] = never
    on_plan: Callable[[Plan], None] = lambda _plan: None
    on_progress: Callable[[int, int], None] = lambda _done, _all: None


class _RefusedError(Exception):
    """The plan may not be applied: ends in a report, with nothing written."""

    def __init__(self, status: ApplyStatus, refusals: tuple[Refusal, ...], digest: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.refusals = refusals
        self.digest = digest


def apply(backend: Backend, declared: Sequence[Declared], request: ApplyRequest) -> ApplyReport:
    """Carry out what the declared tasks ask for, and arm the timer.

    A refusal is a report with its status; what was late, in conflict or failed is named in `results`.

    Raises:
        UsageError, GitError: the request does not fit; nothing was written.
        ProblemsError: a task's id belongs to another owner; nothing was written.
        StoreError, TimerError: the backend did not answer before the first write.
    """
    lock = ApplyLock(backend, request.holder)
    try:
        before = _take(lock, request)
        try:
            _guard_order(before, request)
            options = replace(request.options, trailers=tuple(request.trailers(before.applied)))
            plan = read_plan(backend, declared, commit=request.commit, options=options)
            request.on_plan(plan)
            _guard_plan(plan, request)
            return _carry_out(backend, lock, plan, request)
        finally:
            _release(lock)
    except _RefusedError as refused:
        return ApplyReport(
            environment=backend.environment,
            owner=backend.owner,
            commit=request.commit,
            digest=refused.digest,
            status=refused.status,
            armed=backend.timer.armed(),
            refused=refused.refusals,
        )


# --- what stands before the first write ------------------------------------------------------------


def _take(lock: ApplyLock, request: ApplyRequest) -> OwnerControl:
    try:
        return lock.take(request.lock_timeout, request.stop)
    except LockedError as error:
        raise _RefusedError(ApplyStatus.LOCKED, (Refusal(code="locked", message=str(error)),)) from error


def _release(lock: ApplyLock) -> None:
    with suppress(BackendError):  # a backend gone silent: the lease ends by itself, the report must not be lost
        lock.release()


def _guard_order(before: OwnerControl, request: ApplyRequest) -> None:
    if request.commit is None or request.allow_rollback:
        return
    refusal = out_of_order(before, request.commit, request.is_ancestor)
    if refusal is not None:
        raise _RefusedError(ApplyStatus.REFUSED, (refusal,))


def _guard_plan(plan: Plan, request: ApplyRequest) -> None:
    if plan.problems:
        raise ProblemsError(plan.problems)
    if request.expect is not None and request.expect != plan.digest:
        message = f"the plan is {plan.digest[:12]} now, not {request.expect[:12]}: look at the plan again"
        refusals = [Refusal(code="stale", message=each) for each in (message, *request.difference(plan))]
        raise _RefusedError(ApplyStatus.STALE, tuple(refusals), plan.digest)
    if plan.refused:
        raise _RefusedError(ApplyStatus.REFUSED, plan.refused, plan.digest)


# --- the writes ------------------------------------------------------------------------------------


def _carry_out(backend: Backend, lock: ApplyLock, plan: Plan, request: ApplyRequest) -> ApplyReport:
    writing = _Writing(backend, lock, plan, request)
    timer_error: str | None = None
    armed: datetime | None = None
    try:
        writing.run()
    finally:
        try:
            armed = arm(backend, mine=writing.unarmed).moment or backend.timer.armed()
        except BackendError as error:
            timer_error = str(error)
    if writing.complete:
        try:
            lock.applied(request.commit)
        except LockLostError as error:
            writing.lock_lost, writing.stopped = True, str(error)
        except BackendError as error:
            writing.stopped = str(error)
    return ApplyReport(
        environment=plan.environment,
        owner=plan.owner,
        commit=plan.commit,
        digest=plan.digest,
        status=_status(writing, timer_error),
        results=writing.results(),
        armed=armed,
        timer_error=timer_error,
        interrupted=writing.stopped is not None,
    )


def _status(writing: _Writing, timer_error: str | None) -> ApplyStatus:
    if writing.lock_lost:
        return ApplyStatus.LOCKED
    results = {each.result for each in writing.results()}
    if results - {Result.APPLIED} or timer_error is not None or writing.stopped is not None:
        return ApplyStatus.PARTIAL
    return ApplyStatus.APPLIED if results else ApplyStatus.NOTHING


class _Writing:
    """The writes of one plan, in batches, and what became of each.

    `stopped` says why it ended before its last write: a signal, a lost lock, a backend gone silent.
    """

    def __init__(self, backend: Backend, lock: ApplyLock, plan: Plan, request: ApplyRequest) -> None:
        self._backend = backend
        self._lock = lock
        self._plan = plan
        self._request = request
        self._done: dict[str, ApplyResult] = {}
        self._armed_at = backend.clock()
        self.unarmed: datetime | None = None  # the earliest moment that was written since the timer was set
        self.stopped: str | None = None
        self.lock_lost = False

    @property
    def complete(self) -> bool:
        """Whether every write was made, so that the commit may be recorded as applied."""
        failed = any(each.result in {Result.FAILED, Result.SKIPPED} for each in self.results())
        return self.stopped is None and not failed

    def run(self) -> None:
        """Write what the plan changes, earliest effect first, each on the version that the plan saw."""
        changes = sorted((each for each in self._plan.changes if each.result is not None), key=_effect)
        try:
            if changes:
                self._lock.applying(self._request.commit)
            for batch in _batches(changes):
                if self._request.stop():
                    self.stopped = "stopped by a signal: run it again to finish"
                    return
                self._lock.ensure()
                self._arm_meanwhile()
                self._write(batch)
                self._request.on_progress(len(self._done), len(changes))
        except LockLostError as error:
            self.lock_lost, self.stopped = True, str(error)
        except BackendError as error:
            self.stopped = str(error)

    def _arm_meanwhile(self) -> None:
        now = self._backend.clock()
        if now - self._armed_at >= ARM_EVERY:
            self._armed_at = now
            with suppress(BackendError):  # the arming at the end tells of it
                arm(self._backend, mine=self.unarmed)
                self.unarmed = None

    def _write(self, batch: Sequence[Change]) -> None:
        soonest = self._backend.soonest()
        writes = [
            Write(row=not_before(each.result, each.before, soonest), expect_version=_version(each))
            for each in batch
            if each.result is not None
        ]
        moments = [_newly_set(write.row, change.before) for write, change in zip(writes, batch, strict=True)]
        self.unarmed = min((each for each in (*moments, self.unarmed) if each is not None), default=None)
        answers = self._backend.store.put_many(writes)
        for change, answer in zip(batch, answers, strict=True):
            self._done[change.id] = _result(change, answer)
        errors = [answer for answer in answers if isinstance(answer, StoreError)]
        if len(errors) == len(batch):
            raise errors[0]  # not one of them got through: so would the next batch

    def results(self) -> tuple[ApplyResult, ...]:
        """Return one line a change, in the order of the plan."""
        return tuple(self._done.get(change.id) or self._not_written(change) for change in self._plan.changes)

    def _not_written(self, change: Change) -> ApplyResult:
        match change.kind:
            case ChangeKind.LATE | ChangeKind.CONFLICT:
                result, message = Result(change.kind.value), change.message
            case _:
                result, message = Result.SKIPPED, self.stopped
        return ApplyResult(id=change.id, kind=change.kind, result=result, message=message)


def _batches(changes: Sequence[Change]) -> Iterator[tuple[Change, ...]]:
    rest = iter(changes)
    while batch := tuple(islice(rest, WRITES_A_BATCH)):
        yield batch


def _effect(change: Change) -> tuple[datetime, str]:
    """Return when a change first matters: the earlier of the row's wake before and after it."""
    rows = (change.before, change.result)
    wakes = [row.wake_at for row in rows if row is not None and row.wake_at is not None]
    return min(wakes, default=change.due), change.id


def _newly_set(row: Row, before: Row | None) -> datetime | None:
    """Return the wake that a write sets, None where it leaves it as it was."""
    return None if before is not None and before.wake_at == row.wake_at else row.wake_at


def _version(change: Change) -> int:
    return 0 if change.before is None else change.before.version


def _result(change: Change, answer: Conflict | StoreError | None) -> ApplyResult:
    match answer:
        case None:
            result, message = Result.APPLIED, None
        case Conflict(found=Row(state=state)):
            result, message = Result.CONFLICT, f"the row changed since the plan (it is {state}): run it again"
        case Conflict():
            result, message = Result.CONFLICT, "the row changed since the plan: run it again"
        case _:
            result, message = Result.FAILED, str(answer)
    return ApplyResult(id=change.id, kind=change.kind, result=result, message=message)
