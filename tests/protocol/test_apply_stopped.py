"""What stops an apply half-way leaves an armed timer, and running it again finishes the work."""

from __future__ import annotations

from dataclasses import replace

import pytest
from protocol.applying import applied, many, mine, results, writes
from protocol.fakes import EVENTBRIDGE, NOW, Crash, a_scene, declared, due
from values import COMMIT, DAY, MINUTE, a_row

from slowsched.control import LOCK_LEASE, unlock
from slowsched.errors import StoreError, TimerError
from slowsched.model import OwnerControl, State
from slowsched.reports import ApplyStatus, Result

# --- what stops it half-way --------------------------------------------------------------------------


def test_a_signal_stops_it_between_two_writes():
    """The timer is armed for what was written, the report says what was not, and the next run finishes."""
    scene = a_scene()
    report = applied(scene, many(30), stop=lambda: len(writes(scene)) >= 25)
    assert (report.status, report.interrupted, report.armed) == (ApplyStatus.PARTIAL, True, NOW + 60 * MINUTE)
    assert [(each.id, each.message) for each in report.results if each.result is Result.SKIPPED] == [
        (f"t{n}", "stopped by a signal: run it again to finish") for n in range(25, 30)
    ]
    assert mine(scene) == OwnerControl(applying=COMMIT)
    assert (applied(scene, many(30)).status, len(scene.store.items)) == (ApplyStatus.APPLIED, 30)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_whatever_stops_it_the_timer_is_armed_and_the_lock_is_free(error):
    """An error that nobody expected passes through, after that."""

    def fail(_done, _all):
        raise error

    scene = a_scene()
    with pytest.raises(error):
        applied(scene, [declared("a", minutes=10)], on_progress=fail)
    assert (scene.timer.writes, mine(scene)) == ([NOW + 10 * MINUTE], OwnerControl(applying=COMMIT))


def test_a_timer_that_cannot_be_armed_is_told():
    """The rows are written: `slowsched arm` repairs the rest."""
    scene = a_scene()
    scene.wire.fail("arm", TimerError("no answer"))
    report = applied(scene, [declared("a")])
    assert (report.status, report.timer_error, report.armed) == (ApplyStatus.PARTIAL, "no answer", None)
    assert (results(report), mine(scene)) == ({"a": "applied"}, OwnerControl(applied=COMMIT))


def test_a_lost_lock_stops_it():
    """What is written stays and is armed for; the rest is for whoever has the lock now."""
    scene = a_scene()

    def lose(done, _all):
        if done == 25:
            scene.clock.sleep(601)
            unlock(scene.beside())

    report = applied(scene, many(30), on_progress=lose)
    assert (report.status, report.interrupted) == (ApplyStatus.LOCKED, True)
    assert list(results(report).values()) == ["applied"] * 25 + ["skipped"] * 5
    message = "the apply lock was taken away while this apply held it: run it again"
    assert (report.results[-1].message, report.armed) == (message, NOW + 60 * MINUTE)


def test_a_lock_that_was_lost_when_all_was_written_is_told():
    """Somebody else may have written over it: the commit is not recorded."""
    scene = a_scene()
    report = applied(scene, [declared("a")], on_progress=lambda _done, _all: unlock(scene.beside()))
    assert (report.status, results(report), mine(scene)) == (
        ApplyStatus.LOCKED,
        {"a": "applied"},
        OwnerControl(applying=COMMIT),
    )


def test_a_commit_that_cannot_be_recorded_is_told():
    """All is written; run again, it has only that to do."""
    scene = a_scene()

    def silence(_done, _all):
        scene.wire.fail("put control", StoreError("no answer"))

    report = applied(scene, [declared("a")], on_progress=silence)
    assert (report.status, report.interrupted, results(report)) == (ApplyStatus.PARTIAL, True, {"a": "applied"})
    scene.wire.heal()
    scene.clock.sleep(700)  # its lock could not be released either, and ends by itself
    assert (applied(scene, [declared("a")]).status, mine(scene)) == (ApplyStatus.NOTHING, OwnerControl(applied=COMMIT))


# --- running it again finishes the work --------------------------------------------------------------

BEFORE = (
    due(3600, id="deleted"),
    due(3600, id="edited"),
    due(3600, id="policy"),
    due(3600, id="same"),
    a_row(id="forgotten", due=NOW - DAY, state=State.SUCCEEDED),
    a_row(id="back", due=NOW - DAY, state=State.DELETED, version=3, generation=2),
)
WANTED = (
    declared("edited", minutes=50),
    declared("policy", minutes=60, team="new"),
    declared("same", minutes=60),
    declared("back", minutes=40),
    declared("new", minutes=30),
)


def settled(scene):
    """Return all that an apply leaves behind, but for how often a thing was written."""
    rows = {task_id: scene.row(task_id) for task_id in scene.store.items}
    return rows, replace(scene.control(), version=0), scene.armed


def test_after_a_crash_at_any_step_the_next_run_ends_where_an_undisturbed_one_does():
    """Before and after every single call on the wire: no row is written twice, none is forgotten."""
    calm = a_scene(*BEFORE, **EVENTBRIDGE)
    applied(calm, WANTED)
    steps = 0
    while True:
        scene = a_scene(*BEFORE, **EVENTBRIDGE)
        scene.wire.crash_at(steps)
        try:
            applied(scene, WANTED)
        except Crash:
            scene.wire.heal()
        else:
            break
        again = applied(scene, WANTED, lock_timeout=2 * LOCK_LEASE)
        assert again.status in {ApplyStatus.APPLIED, ApplyStatus.NOTHING}, steps
        assert without_clock(settled(scene)) == without_clock(settled(calm)), steps
        steps += 1
    assert steps == 2 * len(calm.wire.calls)


def without_clock(left):
    """Leave out when a forgotten or deleted row expires: the second run may have been later."""
    rows, control, armed = left
    return {task_id: replace(row, expires_at=row.expires_at and NOW) for task_id, row in rows.items()}, control, armed
