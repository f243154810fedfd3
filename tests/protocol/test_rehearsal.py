"""What a wake would do, told without writing anything."""

from __future__ import annotations

from protocol.fakes import EVENTBRIDGE, NOW, a_scene, due, woken
from values import MINUTE, a_claim, a_retry, a_row

from slowsched.control import pause, resume
from slowsched.model import State
from slowsched.rehearsal import rehearse
from slowsched.reports import WakeReport

ROWS = [
    due(-5, id="runs"),
    due(-4, id="runs too"),
    due(-61, id="missed", grace=MINUTE),
    due(id="unknown", action="NEW"),
    due(id="used up", attempt=1, retry=a_retry(attempts=1)),
    a_row(id="crashed", due=NOW - MINUTE, state=State.RUNNING, claim=a_claim(lease_end=NOW)),
    due(1, id="not due"),
]


def known(name):
    """Say that a worker knows all actions but NEW."""
    return name != "NEW"


def test_it_tells_what_a_wake_would_do_and_writes_nothing():
    """Row by row, in the agenda's order."""
    scene = a_scene(*ROWS, **EVENTBRIDGE)
    before = dict(scene.store.items)
    assert rehearse(scene.backend, known) == WakeReport(
        environment="local",
        now=NOW,
        missed=("missed",),
        dead=("used up",),
        deferred=("unknown",),
        would_run=("runs", "runs too", "crashed"),
        left=6,
    )
    assert (scene.store.items, scene.timer.writes) == (before, [])
    assert [call for call in scene.wire.calls if not call.startswith("read")] == []


def test_what_it_tells_is_what_the_wake_does():
    """Both ask the same function."""
    scene = a_scene(*ROWS)
    told = rehearse(scene.backend, known)
    did = woken(scene, scene.inline_runner())
    assert (told.missed, told.dead, told.deferred, told.would_run) == (
        did.missed,
        did.dead,
        did.deferred,
        tuple(each.id for each in did.attempts),
    )


def test_a_limit_bounds_what_would_run():
    """As it bounds what a wake runs."""
    scene = a_scene(*ROWS)
    assert (rehearse(scene.backend, known, 1).would_run, rehearse(scene.backend, known, 9).would_run) == (
        ("runs",),
        ("runs", "runs too", "crashed"),
    )


def test_it_tells_what_the_timer_is_set_to():
    """As every report of a wake does."""
    scene = a_scene()
    scene.timer.arm(NOW + MINUTE)
    assert rehearse(scene.backend, known).armed == NOW + MINUTE


def test_paused_it_would_do_nothing():
    """The report says who paused, and how much waits."""
    scene = a_scene(*ROWS)
    paused = pause(scene.backend, by="ann", reason=None)
    assert rehearse(scene.backend, known) == WakeReport(environment="local", now=NOW, paused=paused, left=6)


def test_right_after_a_resume_it_would_do_nothing():
    """The report says from when on something is claimed."""
    scene = a_scene(*ROWS, **EVENTBRIDGE)
    pause(scene.backend, by="ann", reason=None)
    resume(scene.backend)
    report = rehearse(scene.backend, known)
    assert (report.would_run, report.missed, report.left, report.not_before) == ((), (), 6, NOW + 2 * MINUTE)


def test_rows_that_cannot_be_read_and_rows_that_vanish_are_passed_over():
    """As a wake passes over them."""
    scene = a_scene(due(id="newer"), due(id="gone"))
    scene.store.items["newer"] = {**scene.store.items["newer"], "format": 99}
    scene.wire.on("read rows", lambda: scene.store.items.pop("gone"))
    report = rehearse(scene.backend, known)
    assert (report.unreadable, report.would_run) == (("newer",), ())


def test_a_row_that_moves_on_while_it_is_read_would_not_run():
    """Another worker has it by now."""
    scene = a_scene(due(id="a"))
    scene.wire.on("read rows", lambda: scene.put(due(60, id="a")))
    assert rehearse(scene.backend, known).would_run == ()
