"""Apply: what is written, in which order, and what stands against single writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from protocol.applying import applied, many, mine, results, writes
from protocol.fakes import EVENTBRIDGE, NOW, SECOND, a_scene, declared, due
from values import COMMIT, DAY, MINUTE, OWNER, a_claim, a_row

from slowsched.canonical import digests
from slowsched.control import LOCK_LEASE
from slowsched.errors import StoreError, TimerError
from slowsched.live_plan import read_plan
from slowsched.model import ChangeKind, OwnerControl, Row, Source, State
from slowsched.plan import PlanOptions
from slowsched.reports import ApplyReport, ApplyResult, ApplyStatus, Result

NEXT = "fedcba9876543210fedcba9876543210fedcba98"
ARMING = ["read control", "read wake", "arm 12:10", "read control", "read wake"]


def states(scene):
    """Return the state of every row."""
    return {task_id: scene.row(task_id).state.value for task_id in scene.store.items}


# --- the whole ---------------------------------------------------------------------------------------


def test_an_apply_makes_rows_arms_and_reports():
    """The row is the task with where it came from; the timer is set for it; the report has a line of it."""
    scene = a_scene(**EVENTBRIDGE)
    task = declared("a", minutes=10)
    report = applied(scene, [task])
    assert scene.row("a") == Row(
        task=task.task,
        digests=digests(task.task),
        owner=OWNER,
        source=Source(path="tasks/a.yaml", line=1, commit=COMMIT),
        state=State.SCHEDULED,
        version=1,
        generation=1,
        wake_at=NOW + 10 * MINUTE,
    )
    assert report == ApplyReport(
        environment="local",
        owner=OWNER,
        commit=COMMIT,
        digest=report.digest,
        status=ApplyStatus.APPLIED,
        results=(ApplyResult(id="a", kind=ChangeKind.CREATE, result=Result.APPLIED),),
        armed=NOW + 10 * MINUTE,
    )
    assert (scene.timer.writes, mine(scene)) == ([NOW + 10 * MINUTE], OwnerControl(applied=COMMIT))


def test_the_order_of_an_apply():
    """Lock, read, say what is being applied, write, arm, say what was applied, unlock."""
    scene = a_scene(**EVENTBRIDGE)
    applied(scene, [declared("a", minutes=10)])
    lock = ["read control", "put control"]
    assert scene.wire.calls == [*lock, "read table", "read timer", *lock, "put a scheduled", *ARMING, *lock, *lock]


def test_what_is_being_applied_stands_in_the_row_from_before_the_first_write_until_after_the_last():
    """Whoever comes after a crash must know which commit's rows it may find."""
    scene = a_scene()
    seen = []

    def look(name):
        if name == "put a scheduled":
            seen.append(mine(scene))

    applied(scene, [])
    scene.wire.before = look
    applied(scene, [declared("a", minutes=10)], commit=NEXT)
    assert [replace(each, lock=None) for each in seen] == [OwnerControl(applied=COMMIT, applying=NEXT)]
    assert mine(scene) == OwnerControl(applied=NEXT)


def test_without_changes_it_arms_and_records_the_commit():
    """An apply repairs a timer that somebody set by hand."""
    scene = a_scene(due(600, id="a"), **EVENTBRIDGE)
    report = applied(scene, [declared("a", minutes=10)])
    assert (report.status, report.results, report.armed) == (ApplyStatus.NOTHING, (), NOW + 10 * MINUTE)
    assert (writes(scene), mine(scene)) == ([], OwnerControl(applied=COMMIT))


def test_a_second_apply_has_no_changes():
    """Invariant 13: the first has done it all, whatever it had to do."""
    scene = a_scene(due(900, id="gone"), due(900, id="edited"))
    tasks = [declared("new", minutes=10), declared("edited", minutes=20)]
    assert applied(scene, tasks).status is ApplyStatus.APPLIED
    scene.wire.calls.clear()
    assert (applied(scene, tasks).status, writes(scene)) == (ApplyStatus.NOTHING, [])


def test_reading_a_plan_writes_nothing_and_takes_no_lock():
    """One paged read of the rows, and the rows that differ."""
    scene = a_scene(due(900, id="gone"), **EVENTBRIDGE)
    plan = read_plan(scene.backend, [declared("a", minutes=10)], commit=None, options=PlanOptions())
    assert [(each.id, each.kind.value) for each in plan.changes] == [("a", "create"), ("gone", "delete")]
    assert scene.wire.calls == ["read table", "read rows", "read timer"]


# --- the order of the writes -----------------------------------------------------------------------


def test_what_takes_effect_first_is_written_first():
    """A delete counts from the wake that it prevents, an edit from the earlier of its two wakes."""
    scene = a_scene(
        due(3600, id="deleted", owner=OWNER),
        due(120, id="put off"),
        due(7200, id="advanced"),
        a_row(id="forgotten", due=NOW - DAY, state=State.SUCCEEDED),
        due(1, id="stays"),
    )
    tasks = [
        declared("put off", minutes=600),
        declared("advanced", minutes=30),
        declared("new", minutes=20),
        declared("stays", due=NOW + SECOND),
    ]
    applied(scene, tasks)
    assert [call for call in scene.wire.calls if call.startswith("put ") and "control" not in call] == [
        "put forgotten succeeded",
        "put put off scheduled",
        "put new scheduled",
        "put advanced scheduled",
        "put deleted deleted",
    ]


def test_writes_go_in_batches_and_progress_is_told():
    """Between two batches it looks at the lock and the wish to stop."""
    scene = a_scene()
    progress, asked = [], []
    report = applied(
        scene,
        many(60),
        on_progress=lambda done, of: progress.append((done, of)),
        stop=lambda: asked.append(len(writes(scene))) is not None,
    )
    assert (report.status, progress, asked) == (
        ApplyStatus.APPLIED,
        [(25, 60), (50, 60), (60, 60)],
        [0, 25, 50],
    )


def test_the_lease_is_renewed_between_batches():
    """An apply that takes long keeps its lock."""
    scene = a_scene()
    leases = []
    scene.wire.before = lambda name: leases.append(mine(scene).lock.lease_end) if name.startswith("put t") else None
    applied(scene, many(60), on_progress=lambda _done, _all: scene.clock.sleep(200))
    assert [leases[0], leases[25], leases[50]] == [
        NOW + LOCK_LEASE,
        NOW + LOCK_LEASE,
        NOW + timedelta(seconds=400) + LOCK_LEASE,
    ]


# --- long applies ------------------------------------------------------------------------------------


def test_a_long_apply_arms_for_what_it_wrote_first():
    """The last write may come after the first task is due: the timer does not wait for it."""
    scene = a_scene(**EVENTBRIDGE)
    tasks = [declared("soon", minutes=2), *many(200)]
    applied(scene, tasks, on_progress=lambda _done, _all: scene.clock.sleep(10))
    assert (scene.timer.writes, scene.clock.now) == ([NOW + 2 * MINUTE] * 4, NOW + 90 * SECOND)


def test_a_long_apply_sets_no_wake_nearer_than_the_timer_can_serve():
    """The moment counts at which a row is written, not that of the plan."""
    scene = a_scene(**EVENTBRIDGE)
    applied(scene, [declared("soon", minutes=3)], stop=lambda: scene.clock.sleep(120) is not None)
    assert (scene.row("soon").wake_at, scene.timer.writes) == (NOW + 4 * MINUTE, [NOW + 4 * MINUTE])


def test_a_long_apply_leaves_the_wake_of_a_policy_edit():
    """It may be near: the timer is set for it already."""
    scene = a_scene(due(60, id="a"), **EVENTBRIDGE)
    applied(scene, [declared("a", minutes=1, team="new")], stop=lambda: scene.clock.sleep(120) is not None)
    assert (scene.row("a").task.team, scene.row("a").wake_at) == ("new", NOW + MINUTE)


def test_a_timer_that_fails_in_between_is_told_at_the_end():
    """The writes go on; only the last arming counts."""
    scene = a_scene(**EVENTBRIDGE)
    scene.wire.fail("arm", TimerError("no answer"), times=1)
    report = applied(scene, many(60), on_progress=lambda _done, _all: scene.clock.sleep(7))
    assert (report.status, report.timer_error, len(scene.timer.writes)) == (ApplyStatus.APPLIED, None, 2)


# --- what stands against single writes ---------------------------------------------------------------


def test_a_row_that_changed_since_the_plan_is_a_conflict_and_the_rest_goes_on():
    """It is named with what it is now; running it again decides anew."""
    scene = a_scene(due(600, id="b"))
    running = a_row(id="b", due=NOW + 10 * MINUTE, state=State.RUNNING, version=2)
    scene.wire.on("put a", lambda: scene.put(running))
    report = applied(scene, [declared("a", minutes=5), declared("b", minutes=20), declared("c", minutes=30)])
    assert report.results == (
        ApplyResult(id="a", kind=ChangeKind.CREATE, result=Result.APPLIED),
        ApplyResult(
            id="b",
            kind=ChangeKind.UPDATE,
            result=Result.CONFLICT,
            message="the row changed since the plan (it is running): run it again",
        ),
        ApplyResult(id="c", kind=ChangeKind.CREATE, result=Result.APPLIED),
    )
    assert (report.status, scene.row("b")) == (ApplyStatus.PARTIAL, running)


def test_a_row_that_is_gone_since_the_plan_is_a_conflict():
    """Time to live took a tombstone away: the next plan finds none."""
    scene = a_scene(a_row(id="a", state=State.DELETED, version=4))
    scene.wire.on("put a", scene.store.items.clear)
    report = applied(scene, [declared("a", minutes=5)])
    assert report.results == (
        ApplyResult(
            id="a",
            kind=ChangeKind.CREATE,
            result=Result.CONFLICT,
            message="the row changed since the plan: run it again",
        ),
    )


def test_a_failed_write_is_told_and_the_rest_goes_on():
    """The commit is not recorded as applied: what failed is still to be done."""
    scene = a_scene()
    scene.wire.fail("put b", StoreError("no answer"))
    report = applied(scene, [declared("a"), declared("b"), declared("c")])
    assert report.results == (
        ApplyResult(id="a", kind=ChangeKind.CREATE, result=Result.APPLIED),
        ApplyResult(id="b", kind=ChangeKind.CREATE, result=Result.FAILED, message="no answer"),
        ApplyResult(id="c", kind=ChangeKind.CREATE, result=Result.APPLIED),
    )
    assert (report.status, mine(scene)) == (ApplyStatus.PARTIAL, OwnerControl(applying=COMMIT))


def test_a_store_that_falls_silent_ends_the_writing():
    """When a whole batch fails the next would, too; what was not reached is skipped, and told so."""
    scene = a_scene()

    def silent(name):
        if name.startswith("put t") and len(writes(scene)) >= 25:
            raise StoreError("no answer")

    scene.wire.before = silent
    report = applied(scene, many(60))
    counts = [list(results(report).values()).count(word) for word in ("applied", "failed", "skipped")]
    assert (report.status, report.interrupted, counts) == (ApplyStatus.PARTIAL, True, [25, 25, 10])
    assert (report.results[-1].message, report.armed) == ("no answer", NOW + 60 * MINUTE)


def test_a_write_whose_answer_is_lost_is_no_conflict():
    """Sent again it finds itself, the lock and the commits included."""
    scene = a_scene(due(600, id="b"))
    scene.store.lose_answers(1000)
    report = applied(scene, [declared("a", minutes=5), declared("b", minutes=20)])
    assert (report.status, results(report)) == (ApplyStatus.APPLIED, {"a": "applied", "b": "applied"})
    assert (scene.row("a").version, scene.row("b").version, mine(scene)) == (1, 2, OwnerControl(applied=COMMIT))


def test_late_tasks_block_themselves_alone():
    """They are named with the way out; the commit was applied as far as it can be."""
    scene = a_scene()
    report = applied(scene, [declared("late", minutes=-5), declared("a", minutes=5)])
    assert [(each.id, each.result.value, each.message) for each in report.results] == [
        (
            "late",
            "late",
            (
                "it was due at 2030-01-01T11:55:00Z: give it a due ahead, or say --late run to run it now, "
                "or --late skip to record it as missed"
            ),
        ),
        ("a", "applied", None),
    ]
    assert (report.status, states(scene), mine(scene)) == (
        ApplyStatus.PARTIAL,
        {"a": "scheduled"},
        OwnerControl(applied=COMMIT),
    )


def test_a_running_task_blocks_itself_alone():
    """Its edit is a conflict before anything is written."""
    running = a_row(id="a", due=NOW - MINUTE, state=State.RUNNING, claim=a_claim(lease_end=NOW + MINUTE))
    scene = a_scene(running)
    report = applied(scene, [declared("a", minutes=20), declared("b", minutes=5)])
    assert (results(report), scene.row("a")) == ({"b": "applied", "a": "conflict"}, running)


def test_rows_of_other_owners_are_not_touched():
    """Invariant 10: not one byte of them, whatever this owner does."""
    scene = a_scene(due(60, id="theirs", owner="acme/blog/local"), due(60, id="dead", owner="x", state=State.DEAD))
    before = dict(scene.store.items)
    applied(scene, [declared("a", minutes=5)])
    applied(scene, [declared("b", minutes=5)], options=PlanOptions(allow_deletes=1))
    scene.store.items.pop("a")
    scene.store.items.pop("b")
    assert scene.store.items == before


def test_rows_that_cannot_be_read_are_not_touched():
    """A newer version wrote them: left alone, and no reason to stop."""
    scene = a_scene(due(60, id="newer"))
    scene.store.items["newer"] = {**scene.store.items["newer"], "format": 99}
    before = scene.store.items["newer"]
    report = applied(scene, [declared("a", minutes=5)])
    assert (report.status, scene.store.items["newer"]) == (ApplyStatus.APPLIED, before)
