"""The one control row of a table: the apply lock and the order of commits of each owner, and pause.

Every change is a compare-and-set in a short loop. The lock is a lease: its holder renews it, and sends
no write that the lease might not outlast.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from slowsched.arm import Armed, arm
from slowsched.errors import LockedError, LockLostError, StoreError, UsageError
from slowsched.lifecycle import CLOCK_SKEW
from slowsched.model import Control, Lock, OwnerControl, Pause
from slowsched.timing import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from slowsched.backend import Backend
    from slowsched.model import Worker
    from slowsched.store.base import Store

__all__ = ["LOCK_LEASE", "ApplyLock", "Holder", "announce", "pause", "resume", "unlock"]

LOCK_LEASE = timedelta(minutes=10)
LOCK_POLL_SECONDS = 2.0
UPDATE_TRIES = 20  # of one compare-and-set loop; each loser has seen another's write go through


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who applies, for the person who finds the lock taken: a name, and where to look (a CI run)."""

    name: str
    url: str | None = None


def _update(store: Store, change: Callable[[Control], Control]) -> Control:
    """Write `change(control)` until it is written; `change` may raise to give up."""
    control = store.control()
    for _ in range(UPDATE_TRIES):
        wanted = replace(change(control), version=control.version + 1)
        found = store.put_control(wanted, control.version)
        if found is None:
            return wanted
        control = found
    raise StoreError(
        f"the control row was changed {UPDATE_TRIES} times while it was written",
        hint="many applies run at once: try again",
    )


def _with_owner(control: Control, owner: str, mine: OwnerControl) -> Control:
    return replace(control, owners={**control.owners, owner: mine})


class ApplyLock:
    """The apply lock of the backend's owner, held by this process from `take` to `release`."""

    def __init__(self, backend: Backend, holder: Holder) -> None:
        self._backend = backend
        self._holder = holder
        self._token = backend.nonce()
        self._lease_end = backend.clock()

    def take(self, wait: timedelta = timedelta(0), stop: Callable[[], bool] = lambda: False) -> OwnerControl:
        """Take the lock, waiting for it as long as `wait` and nobody says `stop`; returns what was applied last.

        Raises:
            LockedError: somebody else holds it.
        """
        give_up = self._backend.clock() + wait
        while True:
            try:
                control = _update(self._backend.store, self._taken)
            except LockedError:
                left = (give_up - self._backend.clock()).total_seconds()
                if left <= 0 or stop():
                    raise
                self._backend.sleep(min(LOCK_POLL_SECONDS, left))
            else:
                return control.of(self._backend.owner)

    def _taken(self, control: Control) -> Control:
        now = self._backend.clock()
        mine = control.of(self._backend.owner)
        # One's own: the answer was lost, and somebody else wrote the control row before it was sent again.
        others = mine.lock is not None and mine.lock.token != self._token
        if mine.lock is not None and others and mine.lock.lease_end + CLOCK_SKEW > now:
            raise LockedError(_held_by(mine.lock), hint="wait for it (--lock-timeout 5m), or `slowsched unlock`")
        self._lease_end = now + LOCK_LEASE
        lock = Lock(
            token=self._token,
            holder=self._holder.name,
            url=self._holder.url,
            taken_at=now,
            lease_end=self._lease_end,
        )
        return _with_owner(control, self._backend.owner, replace(mine, lock=lock))

    def ensure(self) -> None:
        """Make sure that the lease outlasts the next batch of writes by far; renews it at half-time.

        Raises:
            LockLostError: somebody else has taken it, or it was unlocked.
        """
        if self._lease_end - self._backend.clock() < LOCK_LEASE / 2:
            self._change(lambda mine: mine)

    def applying(self, commit: str | None) -> None:
        """Record that this commit is being applied, before its first write."""
        if commit is not None:
            self._change(lambda mine: replace(mine, applying=commit))

    def applied(self, commit: str | None) -> None:
        """Record that this commit was applied to its end."""
        if commit is not None:
            self._change(lambda mine: replace(mine, applied=commit, applying=None))

    def release(self) -> None:
        """Let go of the lock, if it is still held."""

        def released(control: Control) -> Control:
            mine = self._mine(control)
            return _with_owner(control, self._backend.owner, replace(mine, lock=None))

        try:
            _update(self._backend.store, released)
        except LockLostError:
            return  # somebody else has it: theirs to release

    def _change(self, change: Callable[[OwnerControl], OwnerControl]) -> None:
        def changed(control: Control) -> Control:
            mine = self._mine(control)
            self._lease_end = self._backend.clock() + LOCK_LEASE
            lock = None if mine.lock is None else replace(mine.lock, lease_end=self._lease_end)
            return _with_owner(control, self._backend.owner, replace(change(mine), lock=lock))

        _update(self._backend.store, changed)

    def _mine(self, control: Control) -> OwnerControl:
        mine = control.of(self._backend.owner)
        if mine.lock is None:
            raise LockLostError("the apply lock was taken away while this apply held it", hint="run it again")
        if mine.lock.token != self._token:
            raise LockLostError(f"the apply lock was lost: {_held_by(mine.lock)}", hint="run it again after that")
        return mine


def announce(store: Store, control: Control, worker: Worker) -> None:
    """Write into the control row what a worker says of itself, where it says something new.

    Nothing waits for it: what fails here is tried again by the next wake.
    """
    if control.worker != worker:
        with suppress(StoreError):
            store.put_control(replace(control, worker=worker, version=control.version + 1), control.version)


def _held_by(lock: Lock) -> str:
    where = "" if lock.url is None else f" ({lock.url})"
    since, until = _to_the_second(lock.taken_at), _to_the_second(lock.lease_end)
    return f"{lock.holder}{where} has been applying since {since} and holds the lock until {until}"


def _to_the_second(moment: datetime) -> str:
    return rfc3339(moment.replace(microsecond=0))


def unlock(backend: Backend) -> Lock | None:
    """Take the owner's apply lock away from whoever holds it; returns the lock, None when there was none."""
    lock = backend.store.control().of(backend.owner).lock
    if lock is None:
        return None
    token = lock.token

    def unlocked(control: Control) -> Control:
        mine = control.of(backend.owner)
        if mine.lock is not None and mine.lock.token != token:
            raise LockedError(_held_by(mine.lock), hint="it was taken a moment ago: look again")
        return _with_owner(control, backend.owner, replace(mine, lock=None))

    _update(backend.store, unlocked)
    return lock


def pause(backend: Backend, *, by: str, reason: str | None) -> Pause:
    """Stop all workers of the table from claiming anything, until `resume`.

    Raises:
        UsageError: it is paused already.
    """
    paused = Pause(by=by, at=backend.clock(), reason=reason)

    def change(control: Control) -> Control:
        if control.pause is not None and control.pause != paused:  # else this call has written it, unanswered
            since = _to_the_second(control.pause.at)
            raise UsageError(f"{control.pause.by} has paused it since {since}", hint="`slowsched resume` ends that")
        return replace(control, pause=paused)

    _update(backend.store, change)
    return paused


def resume(backend: Backend) -> Armed:
    """Let the workers go on, and arm: nothing is claimed before the first moment the timer can serve.

    Without that moment a wake could come while the timer is not yet in force, and the next be missed.

    Raises:
        UsageError: it is not paused.
        TimerError: it was resumed, and the timer could not be armed.
    """
    moment: datetime | None = None

    def change(control: Control) -> Control:
        nonlocal moment
        # Resumed by this very call: the answer was lost, and somebody else wrote before it was sent again.
        resumed = moment is not None and control.not_before == moment
        if control.pause is None and not resumed:
            raise UsageError("it is not paused", hint="nothing to resume")
        moment = backend.soonest()
        return replace(control, pause=None, not_before=moment)

    _update(backend.store, change)
    return arm(backend, mine=moment)
