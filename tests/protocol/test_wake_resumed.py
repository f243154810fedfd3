"""A wake right after a resume: it waits for the first moment from which on is claimed, when that is near."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from protocol.fakes import EVENTBRIDGE, NEAR, NOW, SECOND, a_scene, due, told, woken
from values import MINUTE

from slowsched.control import pause, resume
from slowsched.lifecycle import CLOCK_SKEW
from slowsched.model import State
from slowsched.reports import WakeReport

DONE = ("succeeded", "succeeded")
MOMENT = NOW + 2 * MINUTE  # the first that the timer can serve


def resumed(before):
    """Return a scene that was paused and resumed, with a task due, so long before the first moment of a claim."""
    scene = a_scene(due(-3600), **EVENTBRIDGE)
    pause(scene.beside(), by="ann", reason=None)
    resume(scene.beside())
    scene.clock.now = MOMENT - before
    return scene


def test_by_a_clock_that_is_behind_a_wake_stays_for_the_first_moment_after_a_resume():
    """It is the one wake of that minute, and none comes after it: it claims when its own clock says so, not before."""
    scene = resumed(CLOCK_SKEW)
    report = woken(scene)
    assert (told(report), scene.clock.slept, scene.clock.now) == ([("some task id", *DONE)], [1.0] * 10, MOMENT)
    assert [each.started_at for each in scene.row().history] == [MOMENT]


@pytest.mark.parametrize(("farther", "slept"), [(timedelta(0), 75), (timedelta(microseconds=1), 0)])
def test_it_stays_as_far_as_nothing_would_be_armed(farther, slept):
    """A wake that comes earlier is another's, or the heartbeat's; that of the moment is still to come."""
    scene = resumed(NEAR + farther)
    began = scene.clock.now
    report = woken(scene)
    assert (len(scene.clock.slept), bool(report.attempts)) == (slept, bool(slept))
    if not slept:
        assert report == WakeReport(environment="local", now=began, not_before=MOMENT, armed=MOMENT)


def test_paused_again_while_it_waits_it_does_nothing():
    """The control row is read again once the moment is there."""
    scene = resumed(CLOCK_SKEW)

    def meddle():
        scene.clock.on_sleep = lambda: None
        pause(scene.beside(), by="ben", reason=None)

    scene.clock.on_sleep = meddle
    report = woken(scene)
    assert (report.paused.by, report.attempts, scene.row()) == ("ben", (), due(-3600))


def test_paused_and_resumed_again_while_it_waits_it_leaves_it_to_the_later_moment():
    """Whoever resumed has armed for it; the wake that waited for the earlier one goes."""
    scene = resumed(CLOCK_SKEW)

    def meddle():
        scene.clock.on_sleep = lambda: None
        pause(scene.beside(), by="ben", reason=None)
        resume(scene.beside())

    scene.clock.on_sleep = meddle
    later = MOMENT + 2 * MINUTE
    assert woken(scene) == WakeReport(environment="local", now=MOMENT, not_before=later, armed=later)
    assert scene.row() == due(-3600)


def test_while_it_waits_it_hears_the_wish_to_stop():
    """Within a second; nothing was claimed, and the timer is left as it was."""
    scene = resumed(CLOCK_SKEW)
    writes = list(scene.timer.writes)
    report = woken(scene, stop=lambda: len(scene.clock.slept) >= 3)
    assert report == WakeReport(environment="local", now=MOMENT - 7 * SECOND, not_before=MOMENT, armed=MOMENT)
    assert (scene.clock.slept, scene.row().state, scene.timer.writes) == ([1.0] * 3, State.SCHEDULED, writes)


def test_a_standing_clock_does_not_wait():
    """`--fakenow` plays a moment: no other comes."""
    scene = resumed(CLOCK_SKEW)
    scene = replace(scene, backend=replace(scene.backend, standing=True))
    report = woken(scene)
    assert report == WakeReport(environment="local", now=MOMENT - CLOCK_SKEW, not_before=MOMENT, armed=MOMENT)
    assert scene.clock.slept == []
