"""A time-out that holds: an attempt that hangs is given up, delays nobody, and never overlaps with the next.

A timeout of 0 s is over at once, so that these tests need not wait for one.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

from protocol.fakes import EVENTBRIDGE, NOW, SECOND, a_scene, due, told, until, woken
from values import MINUTE, a_claim, a_retry

from slowsched.lifecycle import LEASE_MARGIN
from slowsched.model import HistoryEntry, HistoryOutcome, State

AT_ONCE = timedelta(0)
DONE = ("succeeded", "succeeded")
HUNG = ("timed-out", "running")


def hanging(release):
    """Return an action that hangs until the test is over."""
    return lambda *_: release.wait(20) and None


def hung(**overrides):
    """Return a due row whose action hangs, and is given up at once."""
    return due(**({"id": "hung", "action": "HANG", "timeout": AT_ONCE} | overrides))


def test_an_attempt_that_hangs_is_given_up_at_its_timeout(release):
    """In real time: the wake returns about then, and says that it still hosts the attempt."""
    scene = a_scene(hung(timeout=SECOND))
    runner = scene.runner(HANG=hanging(release))
    began = time.monotonic()
    report = woken(scene, runner)
    assert 1.0 <= time.monotonic() - began < 5.0
    assert (told(report), runner.overrun, report.dead) == ([("hung", *HUNG)], True, ())
    assert report.attempts[0].message == "given up after its timeout of 1 s"


def test_a_row_whose_attempt_hangs_stays_running_until_its_lease_ends(release):
    """It may still execute: the history says how it ended, the claim that nothing else may start."""
    scene = a_scene(hung())
    woken(scene, scene.runner(HANG=hanging(release)))
    lease_end = NOW + LEASE_MARGIN
    entry = HistoryEntry(
        generation=1,
        attempt=1,
        started_at=NOW,
        finished_at=NOW,
        outcome=HistoryOutcome.TIMED_OUT,
        message="given up after its timeout of 0 s",
    )
    assert scene.row("hung") == replace(
        hung(),
        state=State.RUNNING,
        version=3,
        attempt=1,
        claim=a_claim(token="token1", lease_end=lease_end),
        wake_at=lease_end,
        history=(entry,),
    )
    assert scene.armed == lease_end


def test_after_its_lease_it_is_attempted_again(release):
    """By another process: this one has ended."""
    scene = a_scene(hung())
    woken(scene, scene.runner(HANG=hanging(release)))
    scene.clock.now = NOW + LEASE_MARGIN
    assert told(woken(scene, scene.inline_runner(HANG=lambda *_: None))) == [("hung", *DONE)]
    assert [each.outcome.value for each in scene.row("hung").history] == ["timed-out", "succeeded"]


def test_a_task_that_hangs_in_its_last_attempt_is_dead_after_its_lease(release):
    """Before that it might still do what it is for."""
    scene = a_scene(hung(retry=a_retry(attempts=1)))
    woken(scene, scene.runner(HANG=hanging(release)))
    scene.clock.now = NOW + LEASE_MARGIN
    report = woken(scene)
    assert (report.dead, [each.outcome.value for each in scene.row("hung").history]) == (("hung",), ["timed-out"])


def test_one_that_hangs_and_one_that_fails_delay_nobody(release):
    """Twenty others are done in the same wake, whatever their order."""
    others = [due(id=f"t{n:02}") for n in range(20)]
    scene = a_scene(hung(), due(-1, id="fails", action="FAIL"), *others)
    report = woken(scene, scene.runner(HANG=hanging(release), FAIL=lambda *_: 1 / 0))
    expected = [("fails", "failed", "scheduled"), ("hung", *HUNG), *((each.id, *DONE) for each in others)]
    assert (told(report), report.left) == (expected, 0)


def test_a_process_that_hosts_a_hung_attempt_looks_after_nothing_more(release):
    """It must end before the lease does: what it would have stayed for gets the first minute there is."""
    scene = a_scene(hung(), due(20, id="near"), **EVENTBRIDGE)
    report = woken(scene, scene.runner(HANG=hanging(release)))
    assert (told(report), scene.clock.slept, scene.armed) == ([("hung", *HUNG)], [], NOW + 2 * MINUTE)


def test_what_runs_beside_a_hung_attempt_may_finish(release):
    """The process lives that long, so the lease of the hung one is drawn out: it alone is delayed."""
    scene = a_scene(hung(), due(id="long", action="LONG", timeout=10 * MINUTE))

    def long(_payload, _attempt):
        until(lambda: scene.row("hung").history and scene.row("hung").history[-1].outcome)

    report = woken(scene, scene.runner(HANG=hanging(release), LONG=long))
    lease_end = NOW + 10 * MINUTE + LEASE_MARGIN
    assert told(report) == [("hung", *HUNG), ("long", *DONE)]
    assert (scene.row("hung").claim.lease_end, scene.row("hung").wake_at, scene.armed) == (
        lease_end,
        lease_end,
        NOW + 11 * MINUTE,
    )


def test_beside_a_hung_attempt_only_what_ends_before_its_lease_is_begun(release):
    """The process must be gone by then."""
    scene = a_scene(
        hung(),
        due(id="slow", action="SLOW", timeout=60 * SECOND),
        due(0.1, id="short", timeout=20 * SECOND),
        due(0.1, id="long", timeout=120 * SECOND),
    ).ticking()
    runner = scene.runner(HANG=hanging(release), SLOW=lambda *_: until(lambda: scene.executed, 4))
    report = woken(scene, runner)
    assert (told(report), report.left) == ([("hung", *HUNG), ("short", *DONE), ("slow", *DONE)], 1)


def test_a_hung_attempt_takes_a_place(release):
    """Hung attempts must not pile up in one process: without a place nothing is claimed, and the wake ends."""
    scene = a_scene(hung(), due(id="next"), **EVENTBRIDGE)
    report = woken(scene, scene.runner(parallel=1, HANG=hanging(release)))
    assert (told(report), report.left, scene.armed) == ([("hung", *HUNG)], 1, NOW + 2 * MINUTE)


def test_what_a_hung_attempt_says_later_is_not_heard(release):
    """Its time-out was recorded and stands."""
    scene = a_scene(hung())
    runner = scene.runner(HANG=hanging(release))
    woken(scene, runner)
    before = scene.row("hung")
    release.set()
    until(lambda: not runner.overrun)
    scene.put(due(id="next"))
    assert (told(woken(scene, runner)), scene.row("hung")) == ([("next", *DONE)], before)


def test_a_coroutine_is_cancelled_and_hosts_nothing():
    """The process may go on: the wake stays for what is near, and then for the lease's end."""

    async def hang(_payload, _attempt):
        await asyncio.sleep(60)

    scene = a_scene(hung(retry=a_retry(attempts=2)), due(20, id="near"), **EVENTBRIDGE)
    runner = scene.runner(HANG=hang)
    report = woken(scene, runner)
    assert (told(report), runner.overrun) == ([("hung", *HUNG), ("hung", *HUNG), ("near", *DONE)], False)
    assert (report.dead, scene.clock.now) == (("hung",), NOW + 2 * LEASE_MARGIN)
