"""`slowsched worker --watch`: sleep until the timer's minute, then have another process do the wake.

Each wake is a process of its own, so that an action that overruns, leaks or kills its process never takes
the daemon with it. The daemon executes nothing and writes nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from slowsched.cli.output import note, warn
from slowsched.cli.signals import StopFlag, stop_on_signals
from slowsched.cli.status import Status
from slowsched.errors import BackendError
from slowsched.wake import WORKER_BUDGET

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from slowsched.cli.settings import Settings

__all__ = ["HEARTBEAT", "Wakes", "watch", "watch_timer"]

HEARTBEAT = timedelta(minutes=15)  # as the infrastructure's: bounds what a crash or a hand-edited timer can cost
POLL_SECONDS = 1.0  # how soon the daemon notices what another process applied
WAKE_SECONDS_MAX = (WORKER_BUDGET + timedelta(minutes=5)).total_seconds()  # a wake that takes longer hangs


def watch_timer(settings: Settings, *, limit: int | None, form: str) -> Status:
    """Run a wake whenever the timer's minute has come, until a signal ends it."""
    from slowsched.cli.loading import open_environment

    wakes = Wakes(_wake_command(settings, limit=limit, form=form))
    flag = StopFlag("the wake that runs ends first", wakes.forward)
    with open_environment(settings) as backend, stop_on_signals(flag) as stop:
        note(settings, f"Watching the timer of {backend.owner}; Ctrl-C ends it.")
        watch(backend.timer.armed, wakes.run, clock=backend.clock, sleep=time.sleep, stop=stop)
    return Status.DONE


def watch(
    armed: Callable[[], datetime | None],
    wake: Callable[[], None],
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    stop: Callable[[], bool],
) -> None:
    """Call `wake` at once, at every minute that the timer is set to, and at the latest a heartbeat after the last.

    A minute that a wake began before has not been served by it: a moment is due when its minute has come.
    """
    last: datetime | None = None
    reachable = True
    while not stop():
        now = clock()
        try:
            minute, reachable = armed(), True
        except BackendError as error:
            if reachable:
                warn(f"{error}; trying again")
            minute, reachable = None, False
        if last is None or now >= last + HEARTBEAT or (minute is not None and last < minute <= now):
            last = now
            wake()
        elif not stop():
            sleep(POLL_SECONDS)


class Wakes:
    """Wakes of this worker, each in a child process with a session of its own."""

    def __init__(self, command: Sequence[str], *, seconds_max: float = WAKE_SECONDS_MAX) -> None:
        self._command = command
        self._seconds_max = seconds_max
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> None:
        """Run one wake to its end; what it said, it has said itself."""
        # Its own session, so that Ctrl-C at a terminal reaches it once, through `forward`.
        self._child = child = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
        if self._stopping:
            child.terminate()
        try:
            status = child.wait(self._seconds_max)
        except subprocess.TimeoutExpired:
            warn(f"the wake hung for {self._seconds_max:.0f} s and was ended; what it ran is attempted again")
            _kill(child)
            child.wait()
            return
        if status < 0:
            name = signal.Signals(-status).name
            warn(f"the wake was ended by {name}; what it ran is attempted again after its lease")
        elif status not in {Status.DONE, Status.ERROR, Status.IN_PART}:
            warn(f"an action ended its process with status {status}; what it ran is attempted again after its lease")

    def forward(self, first: bool) -> None:
        """Pass a signal on to the wake that runs: a wish to stop first, an end at once then."""
        self._stopping = True
        child = self._child
        if child is None or child.returncode is not None:
            return
        if first:
            child.terminate()
        else:
            _kill(child)


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End a wake and whatever its actions started."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _wake_command(settings: Settings, *, limit: int | None, form: str) -> list[str]:
    """Return the command line of one wake as these settings ask for it; one without events says nothing."""
    # -P: a file of the team's repository must not stand in for a module of ours.
    words = [sys.executable, "-P", "-m", "slowsched", "--env", settings.environment, "--color", settings.color]
    words += ["--verbose" if settings.verbose else "--quiet", "worker", "--format", form]
    return words if limit is None else [*words, "--limit", str(limit)]
