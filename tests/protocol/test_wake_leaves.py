"""What a wake that goes on has left behind: when it asks the timer for it, and that it keeps to what it asked."""

from __future__ import annotations

from datetime import timedelta

from protocol.fakes import EVENTBRIDGE, NOW, a_scene, due, told, until, woken
from values import MINUTE

from slowsched.model import State
from slowsched.wake import WAKE_COMES, WORKER_BUDGET

DONE = ("succeeded", "succeeded")
LONG = WORKER_BUDGET  # only a fresh wake can begin it


def watched(scene):
    """Return a list into which every arming goes: after how many seconds, and for which minute from `NOW`."""
    armings = []

    def note(name):
        if name.startswith("arm "):
            since, minute = scene.clock.now - NOW, scene.timer.writes[-1] - NOW
            armings.append((since.total_seconds(), minute / MINUTE))

    scene.wire.after = note
    return armings


def going_on(*seconds):
    """Return a scene whose wake leaves something behind after 20 seconds, and stays for tasks at these."""
    rows = [due(each, id=f"at {each}", timeout=5 * MINUTE) for each in seconds]
    return a_scene(due(id="a", timeout=5 * MINUTE), due(20, id="long", timeout=LONG), *rows, **EVENTBRIDGE)


def test_a_wake_that_stays_asks_the_timer_at_once_for_what_it_left_behind():
    """Not when it claims or settles something else: until then nobody would be on the way."""
    scene = going_on(70)
    armings = watched(scene)
    report = woken(scene, scene.inline_runner())
    assert (told(report), report.left) == ([("a", *DONE), ("at 70", *DONE)], 1)
    assert armings == [(0.0, 6.0), (20.0, 2.0)]


def test_a_wake_with_an_action_running_asks_the_timer_at_once_for_what_it_left_behind():
    """The action may take the rest of the budget."""
    scene = a_scene(
        due(id="slow", action="SLOW", timeout=10 * MINUTE), due(0.2, id="long", timeout=LONG), **EVENTBRIDGE
    ).ticking()
    seen = []

    def slow(_payload, _attempt):
        until(lambda: scene.armed == NOW + 2 * MINUTE)
        seen.append(scene.row("slow").state)

    report = woken(scene, scene.runner(SLOW=slow))
    assert (told(report), seen) == ([("slow", *DONE)], [State.RUNNING])


def test_what_is_left_behind_keeps_the_moment_that_was_asked_for():
    """Each claim arms: with a new moment each time its wake would never come while this one goes on."""
    scene = going_on(70, 130, 190)
    armings = watched(scene)
    report = woken(scene, scene.inline_runner())
    assert (len(report.attempts), report.left) == (4, 1)
    assert armings == [(0.0, 3.0), (20.0, 2.0)]


def test_a_moment_whose_wake_did_not_come_is_asked_for_anew():
    """A wake was lost, or had no place either: this one asks for another moment, and keeps to that."""
    scene = going_on(70, 130, 190, 250, 310)
    armings = watched(scene)
    woken(scene, scene.inline_runner())
    assert timedelta(seconds=250) >= 2 * MINUTE + WAKE_COMES + EVENTBRIDGE["delivery"]
    assert armings == [(0.0, 3.0), (20.0, 2.0), (250.0, 6.0)]


def test_what_another_worker_took_is_asked_for_no_more():
    """Its wake came: what is left behind later gets a moment of its own."""
    scene = going_on(70, 135)
    armings = watched(scene)

    def helped():
        if scene.clock.now >= NOW + 2 * MINUTE and scene.row("long").state is State.SCHEDULED:
            scene.put(due(20, id="long", state=State.SUCCEEDED))
            scene.put(due(140, id="longer", timeout=LONG))

    scene.clock.on_sleep = helped
    report = woken(scene, scene.inline_runner())
    assert (len(report.attempts), report.left) == (3, 1)
    assert armings == [(0.0, 3.0), (20.0, 2.0), (135.0, 9.0), (140.0, 4.0), (140.0, 4.0)]
