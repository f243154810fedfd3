"""A worker that dies at any step: what it left is finished by the next, and nothing runs again once it succeeded."""

from __future__ import annotations

import pytest
from protocol.fakes import EVENTBRIDGE, NOW, Crash, a_scene, due, woken
from values import MINUTE

from slowsched.model import State

ROWS = (
    due(id="a"),
    due(-5, id="b"),
    due(id="fails once", action="FAIL"),
    due(-61, id="missed", grace=MINUTE),
    due(3600, id="later"),
)


def played(manners, crash_at):
    """Let a worker die at a step, and others come when the timer or the end of a lease wants them."""
    scene = a_scene(*ROWS, **manners)

    def fail(_payload, attempt):
        scene.executed.append(attempt.task_id)
        if attempt.number == 1:
            raise ValueError

    runner = scene.inline_runner(FAIL=fail)
    scene.wire.crash_at(crash_at)
    died = False
    try:
        woken(scene, runner)
    except Crash:
        died = True
    scene.wire.heal()
    done = {task_id for task_id in scene.store.items if scene.row(task_id).state is State.SUCCEEDED}
    before = list(scene.executed)
    while (moment := scene.next_wake()) is not None:
        scene.clock.now = max(scene.clock.now, moment)
        woken(scene, scene.inline_runner(FAIL=fail))
    again = [task_id for task_id in done if scene.executed.count(task_id) != before.count(task_id)]
    return died, again, {task_id: scene.row(task_id).state.value for task_id in scene.store.items}, scene.executed


@pytest.mark.parametrize("manners", [{}, EVENTBRIDGE], ids=["local", "EventBridge"])
def test_after_a_worker_died_at_any_step_all_is_done(manners):
    """Before and after every call on the wire: each task comes to its end, and runs once more at most."""
    step, died = 0, True
    while died:
        died, again, states, executed = played(manners, step)
        assert (again, states) == (
            [],
            {"a": "succeeded", "b": "succeeded", "fails once": "succeeded", "missed": "missed", "later": "succeeded"},
        ), step
        assert max(executed.count(task_id) - (task_id == "fails once") for task_id in states) <= 2, step
        step += 1
    assert step > 30


def test_the_timer_covers_what_a_dead_worker_left():
    """It died in an action: the minute of its lease's end was armed before, and serves the next attempt."""
    scene = a_scene(due(timeout=5 * MINUTE), **EVENTBRIDGE)
    runner = scene.inline_runner(APPLY_SALE=lambda *_: scene.wire.crash_at(0))
    with pytest.raises(Crash):
        woken(scene, runner)
    scene.wire.heal()
    assert (scene.row().state, scene.armed) == (State.RUNNING, NOW + 6 * MINUTE)
    scene.clock.now = scene.armed
    woken(scene)
    assert scene.row().state is State.SUCCEEDED
