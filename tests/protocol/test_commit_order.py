"""Commits applied out of order: A comes before B, and whatever is killed or run late, B is what stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from protocol.applying import applied, mine, results
from protocol.fakes import EVENTBRIDGE, Crash, WireStore, a_scene, declared, due, woken
from values import DAY

from slowsched.control import LOCK_LEASE
from slowsched.errors import StoreError
from slowsched.live_plan import read_plan
from slowsched.model import OwnerControl, State
from slowsched.plan import PlanOptions
from slowsched.reports import ApplyStatus

A, B = "a" * 40, "b" * 40
OF_A = (declared("both", minutes=60), declared("edited", minutes=60), declared("of a", minutes=60))
OF_B = (declared("both", minutes=60), declared("edited", minutes=90), declared("of b", minutes=60))


def in_order(old, new):
    """Say whether one commit comes before the other: A before B, nothing else."""
    return old == new or (old, new) == (A, B)


def apply_a(scene, **request):
    """Apply the older commit."""
    return applied(scene, OF_A, commit=A, is_ancestor=in_order, lock_timeout=2 * LOCK_LEASE, **request)


def apply_b(scene, **request):
    """Apply the newer commit."""
    return applied(scene, OF_B, commit=B, is_ancestor=in_order, lock_timeout=2 * LOCK_LEASE, **request)


def live(scene):
    """Return state and due of each row."""
    return {row.id: (row.state, row.task.due) for row in map(scene.row, scene.store.items)}


def wanted(tasks):
    """Return the same of what the tasks ask for."""
    return {each.task.id: (State.SCHEDULED, each.task.due) for each in tasks}


def test_the_older_commit_is_refused_after_the_newer():
    """Nothing is written, and both ways out are named."""
    scene = a_scene(**EVENTBRIDGE)
    apply_b(scene)
    report = apply_a(scene)
    message = (
        "commit bbbbbbbbbbbb was applied last and does not come before aaaaaaaaaaaa: "
        "apply a commit that contains it, or say --allow-rollback"
    )
    assert (report.status, [(each.code, each.message) for each in report.refused]) == (
        ApplyStatus.REFUSED,
        [("rollback", message)],
    )
    assert (live(scene), mine(scene)) == (wanted(OF_B), OwnerControl(applied=B))


def test_a_rollback_with_the_word_and_forward_again():
    """Rows are as the older commit says, then as the newer one again, each recorded as applied."""
    scene = a_scene(**EVENTBRIDGE)
    apply_b(scene)
    back = apply_a(scene, allow_rollback=True)
    assert (back.status, results(back), mine(scene)) == (
        ApplyStatus.APPLIED,
        {"edited": "applied", "of a": "applied", "of b": "applied"},
        OwnerControl(applied=A),
    )
    forward = apply_b(scene)
    assert (forward.status, mine(scene)) == (ApplyStatus.APPLIED, OwnerControl(applied=B))
    deleted = {"of a": (State.DELETED, OF_A[2].task.due)}
    assert live(scene) == wanted(OF_B) | deleted


def test_a_finished_task_stays_finished_through_a_rollback():
    """The same, edited, or unknown to the older commit: what ran runs once, also when the newer one comes back."""
    scene = a_scene(**EVENTBRIDGE)
    apply_b(scene)
    scene.clock.sleep(timedelta(minutes=100).total_seconds())
    ran = {each.id for each in woken(scene).attempts}
    back = apply_a(scene, allow_rollback=True)
    states = {task_id: scene.row(task_id).state for task_id in ("both", "edited", "of b")}
    apply_b(scene)
    scene.clock.sleep(DAY.total_seconds())
    assert (ran, states, woken(scene).attempts) == (
        {"both", "edited", "of b"},
        dict.fromkeys(("both", "edited", "of b"), State.SUCCEEDED),
        (),
    )
    assert results(back) == {
        "edited": "late",
        "of a": "late",
        "of b": "applied",
    }  # the last is forgotten: kept as it is
    assert scene.row("of b").expires_at is None


def test_an_apply_of_a_that_was_killed_then_b_then_a_again():
    """Wherever A was killed: B goes over what it left, and A is refused after that."""
    steps = 0
    while True:
        scene = a_scene(due(3600, id="older"), **EVENTBRIDGE)
        scene.wire.crash_at(steps)
        try:
            apply_a(scene)
        except Crash:
            scene.wire.heal()
        else:
            break
        assert apply_b(scene).status is ApplyStatus.APPLIED, steps
        left = live(scene)
        assert apply_a(scene).status is ApplyStatus.REFUSED, steps
        assert (live(scene), mine(scene)) == (left, OwnerControl(applied=B)), steps
        assert {task_id: row for task_id, row in left.items() if row[0] is State.SCHEDULED} == wanted(OF_B), steps
        steps += 1
    assert steps == 2 * len(scene.wire.calls)


def test_an_apply_of_b_that_was_killed_holds_a_back():
    """B was only begun: A is refused all the same, and B finishes."""
    scene = a_scene(**EVENTBRIDGE)
    scene.wire.on("put of b", lambda: (_ for _ in ()).throw(Crash()))
    with pytest.raises(Crash):
        apply_b(scene)
    scene.wire.heal()
    assert mine(scene).applying == B
    assert apply_a(scene).status is ApplyStatus.REFUSED
    assert (apply_b(scene).status, live(scene)) == (ApplyStatus.APPLIED, wanted(OF_B))


class TornStore(WireStore):
    """A store that stops answering in the middle of the list of rows."""

    def _read_summaries(self):
        for number, item in enumerate(super()._read_summaries()):
            if number == 1:
                raise StoreError("the second page does not come")
            yield item


def test_a_list_of_rows_that_breaks_off_is_no_plan():
    """Half of the rows would make creates of all others: it is an error, and nothing is written."""
    scene = a_scene(*(due(3600, id=f"t{number}") for number in range(3)), **EVENTBRIDGE)
    scene.backend = scene.beside(store=TornStore(scene.wire, scene.store))
    before = dict(scene.store.items)
    tasks = [declared(f"t{number}") for number in range(3)]
    with pytest.raises(StoreError, match="the second page does not come"):
        read_plan(scene.backend, tasks, commit=None, options=PlanOptions())
    with pytest.raises(StoreError, match="the second page does not come"):
        applied(scene, tasks)
    assert (scene.store.items, scene.timer.writes) == (before, [])
