"""The daemon's loop on a fake clock, and its wakes as real child processes."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta

import pytest

from slowsched.cli.watch import HEARTBEAT, Wakes, watch
from slowsched.errors import TimerError

START = datetime(2030, 1, 1, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Day:
    """A clock that sleeping moves, a timer that others set at given moments, and the wakes that were begun."""

    def __init__(self, armed, until):
        self.now = START
        self.until = until
        self.changes = dict(armed)
        self.armed_at = self.changes.pop(None, None)
        self.wakes = []

    def watch(self):
        watch(self.armed, self.wake, clock=lambda: self.now, sleep=self.sleep, stop=lambda: self.now >= self.until)
        return self.wakes

    def armed(self):
        for moment in [moment for moment in self.changes if moment <= self.now]:
            self.armed_at = self.changes.pop(moment)
        if isinstance(self.armed_at, Exception):
            raise self.armed_at
        return self.armed_at

    def sleep(self, seconds):
        self.now += timedelta(seconds=seconds)

    def wake(self):
        self.wakes.append(self.now)
        self.now += timedelta(seconds=5)


def test_it_wakes_at_once_and_at_every_heartbeat():
    """With a timer that nobody ever set it wakes at the start, and a heartbeat after each wake began."""
    assert Day({None: None}, START + 2 * HEARTBEAT + MINUTE).watch() == [
        START,
        START + HEARTBEAT,
        START + 2 * HEARTBEAT,
    ]


def test_it_wakes_at_the_minute_of_the_timer():
    """A minute ahead is waited for to the second; the same minute is not served twice."""
    minute = START.replace(second=0) + 3 * MINUTE
    assert Day({None: minute}, START + 10 * MINUTE).watch() == [START, minute]


def test_it_does_not_serve_again_what_has_passed():
    """A minute before the first wake is over once that wake has begun."""
    assert Day({None: START - MINUTE}, START + 10 * MINUTE).watch() == [START]


def test_it_notices_what_others_apply():
    """A timer that another process sets while it sleeps is noticed within a second or so."""
    minute = START.replace(second=0) + 5 * MINUTE
    assert Day({None: None, START + 2 * MINUTE: minute}, START + 10 * MINUTE).watch() == [START, minute]


def test_a_minute_that_comes_while_a_wake_runs_is_served_by_the_next():
    """A wake that began before the minute cannot be relied upon to have seen what is due in it."""
    minute = START + timedelta(seconds=3)
    assert Day({None: minute}, START + 5 * MINUTE).watch() == [START, START + timedelta(seconds=5)]


def test_a_store_that_does_not_answer_is_told_of_once(capsys):
    """The daemon outlives a store that fails: it says so once, goes on, and serves what comes after."""
    minute = START.replace(second=0) + 5 * MINUTE
    day = Day({None: None, START + MINUTE: TimerError("it is gone"), START + 3 * MINUTE: minute}, START + 10 * MINUTE)
    assert day.watch() == [START, minute]
    assert capsys.readouterr().err == "slowsched: warning: it is gone; trying again\n"


def wakes(code, **options):
    return Wakes([sys.executable, "-c", code], **options)


@pytest.mark.parametrize("status", [0, 1, 6])
def test_a_wake_that_ends_by_itself_needs_no_comment(capfd, status):
    """Done, an error and a failed attempt were told of by the wake itself."""
    wakes(f"raise SystemExit({status})").run()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os._exit(77)", "an action ended its process with status 77"),
        ("import os; os.kill(os.getpid(), 9)", "the wake was ended by SIGKILL"),
    ],
)
def test_a_wake_that_was_killed_is_told_of(capfd, code, said):
    """An action that kills its process does not take the daemon with it."""
    wakes(code).run()
    again = "; what it ran is attempted again after its lease\n"
    assert capfd.readouterr().err == f"slowsched: warning: {said}{again}"


def test_a_wake_that_hangs_is_ended(capfd):
    """A wake that takes far longer than its budget is killed."""
    wakes("import time; time.sleep(60)", seconds_max=0.2).run()
    said = "slowsched: warning: the wake hung for 0 s and was ended; what it ran is attempted again\n"
    assert capfd.readouterr().err == said


def test_a_wake_that_begins_after_the_signal_is_told_to_stop(capfd):
    """A signal that comes before the first wake reaches it all the same."""
    told = wakes("import signal; signal.pause()")
    told.forward(True)
    told.run()
    assert "ended by SIGTERM" in capfd.readouterr().err


def test_a_wake_has_a_session_of_its_own(capfd):
    """Ctrl-C at a terminal does not reach a wake past the daemon, which forwards it once."""
    wakes("import os, sys; sys.exit(0 if os.getsid(0) == os.getpid() else 1)").run()
    process = wakes("import os; print(os.getsid(0))")
    process.run()
    assert int(capfd.readouterr().out) != os.getsid(0)
