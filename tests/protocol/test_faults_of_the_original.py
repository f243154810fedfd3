"""The faults of inovex/cloudwatch-scheduler, each shown to be none of slowsched's.

From the task's file or its row to the recorded outcome, on the production code and real fakes.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from protocol.fakes import EVENTBRIDGE, NOW, SECOND, a_scene, declared, due, told, woken
from repositories import a_repository, task_text
from values import COMMIT, MINUTE, a_retry, at

from slowsched.apply import ApplyRequest, apply
from slowsched.execute import Runner
from slowsched.live_plan import read_plan
from slowsched.model import State
from slowsched.plan import PlanOptions
from slowsched.repository import Scan
from slowsched.wake import wake

DONE = ("some task id", "succeeded", "succeeded")


def applied(scene, *tasks):
    """Apply these tasks, as CI does on merge."""
    return apply(scene.backend, tasks, ApplyRequest(commit=COMMIT))


def from_file(folder, due_text):
    """Return what a task file with this due declares."""
    config = a_repository(folder, {"tasks/sale.yaml": task_text(due=due_text)})
    return list(Scan(config))


def failing(_payload, _attempt):
    """Fail, as an action may."""
    raise ValueError("no such item")


def test_due_at_half_past_a_minute_fires_after_it(tmp_path):
    """12:00:30 is armed for 12:01, and a wake half a minute before it, or a second, does not run it."""
    scene = a_scene(now=NOW - 60 * MINUTE)
    applied(scene, *from_file(tmp_path, "2030-01-01T12:00:30Z"))
    assert scene.armed == NOW + MINUTE
    ran = []
    for now in (NOW, NOW + 29 * SECOND, NOW + MINUTE):
        scene.clock.now = now
        ran.append([each.late_seconds for each in woken(scene).attempts])
    assert ran == [[], [], [30.0]]


def test_due_with_an_offset_is_armed_for_that_moment(tmp_path):
    """`12:00+02:00` is 10:00 in UTC, the only time the timer knows."""
    scene = a_scene(now=at("2030-01-01T08:00:00Z"), **EVENTBRIDGE)
    applied(scene, *from_file(tmp_path, "2030-01-01T12:00:00+02:00"))
    assert (scene.row().task.due, scene.timer.writes) == (at("2030-01-01T10:00:00Z"), [at("2030-01-01T10:00:00Z")])


def test_a_failing_task_leaves_the_others_running_and_is_itself_retried_and_then_dead():
    """It is neither lost nor in anybody's way."""
    rows = [due(id="fails", action="FAIL", retry=a_retry(attempts=2)), due(id="a"), due(600, id="later")]
    scene = a_scene(*rows)
    runner = scene.runner(FAIL=failing)
    first = woken(scene, runner)
    assert told(first) == [("a", "succeeded", "succeeded"), ("fails", "failed", "scheduled")]
    scene.clock.now = scene.armed
    second = woken(scene, runner)
    assert (told(second), second.dead, scene.armed) == ([("fails", "failed", "dead")], ("fails",), NOW + 10 * MINUTE)
    scene.clock.now = scene.armed
    assert told(woken(scene, runner)) == [("later", "succeeded", "succeeded")]


def test_a_task_that_is_added_beside_a_dead_one_is_armed_for():
    """What is dead needs nothing more, so it does not stand before what does."""
    scene = a_scene(due(-3600, id="dead", state=State.DEAD, wake_at=None, attempt=5), **EVENTBRIDGE)
    kept = declared("dead", minutes=-60)
    report_ = applied(scene, kept, declared(minutes=30))
    assert (report_.armed, scene.timer.writes) == (NOW + 30 * MINUTE, [NOW + 30 * MINUTE])
    scene.clock.now = scene.armed
    assert told(woken(scene)) == [DONE]


def test_two_workers_at_once_run_a_due_task_once():
    """Both see it as due and write their claim at the same moment: one of them wins."""
    scene = a_scene(due())
    meet = threading.Barrier(2, timeout=10)
    scene.wire.before = lambda name: meet.wait() if name == "put some task id running" else None
    other = replace(scene.backend, nonce=lambda: "the other's token")
    runner = [Runner(scene.registry()) for _ in range(2)]
    threads = [threading.Thread(target=wake, args=each) for each in zip((scene.backend, other), runner, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (scene.executed, scene.row().state, scene.row().attempt) == (["some task id"], State.SUCCEEDED, 1)


def test_an_edit_during_a_run_is_not_lost():
    """Of a policy it is kept beside the outcome; of the execution it waits for the outcome, and is told so."""
    scene = a_scene(due())
    answers = []

    def edited_meanwhile(_payload, _attempt):
        other = scene.beside()
        for task in (declared(due=NOW, team="new"), declared(minutes=60)):
            answers.extend(each.result.value for each in apply(other, [task], ApplyRequest()).results)

    assert told(woken(scene, scene.inline_runner(APPLY_SALE=edited_meanwhile))) == [DONE]
    assert (answers, scene.row().task.team, scene.row().generation) == (["applied", "conflict"], "new", 1)
    again = applied(scene, declared(minutes=60))
    assert ([each.result.value for each in again.results], scene.row().generation) == (["applied"], 2)


def test_an_unknown_action_never_reaches_the_store_through_a_plan(tmp_path):
    """It is a problem of its file, with its place; with problems there are no changes at all."""
    unknown = task_text().replace("APPLY_SALE", "APLY_SALE")
    config = a_repository(tmp_path, {"tasks/sale.yaml": unknown, "tasks/other.yaml": task_text("other")})
    scene, scan = a_scene(), Scan(config)
    plan = read_plan(scene.backend, scan, commit=None, options=PlanOptions(), problems=lambda: scan.problems)
    assert [(each.path, each.line, each.code) for each in plan.problems] == [("tasks/sale.yaml", 3, "unknown-action")]
    assert (plan.changes, scene.store.items) == ((), {})


def test_a_wake_reads_the_agenda_and_not_the_table():
    """Its calls are the same whatever the table holds, and none of them reads the table."""
    calls = []
    for others in (0, 500):
        scene = a_scene(due(), due(7200, id="next"), *(due(9000, id=f"t{n}") for n in range(others)))
        woken(scene, scene.inline_runner())
        calls.append(scene.wire.calls)
    assert (calls[0] == calls[1], "read table" in calls[0]) == (True, False)
