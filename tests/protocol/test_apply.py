"""Apply: what is written, in which order, what stops it, and that running it again finishes the work."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from protocol.fakes import EVENTBRIDGE, NOW, SECOND, Crash, a_scene, declared, due
from values import COMMIT, DAY, MINUTE, OWNER, a_claim, a_row

from slowsched.apply import ApplyRequest, apply, read_plan
from slowsched.canonical import digests
from slowsched.control import LOCK_LEASE, ApplyLock, Holder, owner_control, unlock
from slowsched.errors import GitError, ProblemsError, StoreError, TimerError, UsageError
from slowsched.model import (
    ApplyReport,
    ApplyResult,
    ApplyStatus,
    ChangeKind,
    Control,
    OwnerControl,
    Result,
    Row,
    Source,
    State,
)
from slowsched.plan import PlanOptions

NEXT = "fedcba9876543210fedcba9876543210fedcba98"
ARMING = ["read control", "read wake", "arm 12:10", "read control", "read wake"]


def applied(scene, tasks, **request):
    """Apply these tasks as COMMIT, and return the report."""
    return apply(scene.backend, tasks, ApplyRequest(**({"commit": COMMIT} | request)))


def results(report):
    """Return what became of each change, by id."""
    return {each.id: each.result.value for each in report.results}


def states(scene):
    """Return the state of every row."""
    return {task_id: scene.row(task_id).state.value for task_id in scene.store.items}


def mine(scene):
    """Return what the control row keeps of the scene's owner."""
    return owner_control(scene.control(), OWNER)


def writes(scene):
    """Return the ids of the rows that were written, in order."""
    return [call.split()[1] for call in scene.wire.calls if call.startswith("put") and call != "put control"]


def many(count, **overrides):
    """Return tasks that are due one after the other, the first in an hour."""
    return [declared(f"t{n:02}", minutes=60 + n, **overrides) for n in range(count)]


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


# --- what is refused -------------------------------------------------------------------------------


@contextmanager
def untouched(scene):
    """Hold that not one byte of a row was written, nor the timer, and that the lock is as it was."""
    before = dict(scene.store.items), list(scene.timer.writes), mine(scene)
    yield
    assert (scene.store.items, scene.timer.writes, mine(scene)) == before


def refused(report):
    """Return the status of a report, and why."""
    return report.status, report.results, [(each.code, each.message) for each in report.refused]


def test_an_empty_desired_state_is_refused():
    """A checkout without its tasks must not delete everything."""
    scene = a_scene(*(due(3600 + n, id=f"p{n}") for n in range(2)), **EVENTBRIDGE)
    with untouched(scene):
        report = applied(scene, [])
    message = "no task is declared while 2 are pending: say --allow-deletes 2 if that is meant"
    assert refused(report) == (ApplyStatus.REFUSED, (), [("no-tasks", message)])


def test_too_many_deletes_are_refused_unless_their_number_is_said():
    """A wrong number is no permission: the plan has changed since it was read."""
    scene = a_scene(*(due(3600 + n, id=f"p{n}") for n in range(4)), **EVENTBRIDGE)
    with untouched(scene):
        report = applied(scene, [declared("a")], options=PlanOptions(allow_deletes=3))
    message = "4 of 4 pending tasks would be deleted, more than 30 %: say --allow-deletes 4 if that is meant"
    assert refused(report) == (ApplyStatus.REFUSED, (), [("too-many-deletes", message)])
    assert applied(scene, [declared("a")], options=PlanOptions(allow_deletes=4)).status is ApplyStatus.APPLIED


def test_a_protected_task_is_not_deleted_without_its_name():
    """The whole plan waits for that word."""
    scene = a_scene(due(60, id="kept", protect=True), **EVENTBRIDGE)
    with untouched(scene):
        report = applied(scene, [declared("a")])
    message = "'kept' is protected: say --allow-protected 'kept' to delete it"
    assert refused(report) == (ApplyStatus.REFUSED, (), [("protected", message)])
    assert applied(scene, [declared("a")], options=PlanOptions(allow_protected=frozenset({"kept"}))).status == "applied"


def test_a_plan_other_than_the_approved_one_is_refused():
    """The digest is looked at under the lock, on what would be done now."""
    scene = a_scene(**EVENTBRIDGE)
    approved = read_plan(scene.backend, [declared("a")], commit=None, options=PlanOptions()).digest
    with untouched(scene):
        report = applied(scene, [declared("b")], expect=approved)
    message = f"the plan is {report.digest[:12]} now, not {approved[:12]}: look at the plan again"
    assert refused(report) == (ApplyStatus.STALE, (), [("stale", message)])
    assert applied(scene, [declared("a")], expect=approved).status is ApplyStatus.APPLIED


@pytest.mark.parametrize(
    ("control", "word"),
    [(OwnerControl(applied=NEXT), "applied"), (OwnerControl(applied=COMMIT, applying=NEXT), "being applied")],
)
def test_a_commit_that_does_not_come_after_the_last_is_refused(control, word):
    """Also after one that was only begun: its rows may be there."""
    scene = a_scene(**EVENTBRIDGE)
    scene.store.put_control(Control(version=1, owners={OWNER: control}), 0)
    with untouched(scene):
        report = applied(scene, [declared("a")], is_ancestor=lambda old, _new: old == COMMIT)
    message = (
        f"commit fedcba987654 was {word} last and does not come before 0123456789ab: "
        "apply a commit that contains it, or say --allow-rollback"
    )
    assert refused(report) == (ApplyStatus.REFUSED, (), [("rollback", message)])


@pytest.mark.parametrize("request_", [{"allow_rollback": True}, {"commit": None}])
def test_a_rollback_on_request_and_an_apply_outside_of_git_are_not_refused(request_):
    """A person's word counts, and without a commit there is no order."""
    scene = a_scene()
    scene.store.put_control(Control(version=1, owners={OWNER: OwnerControl(applied=NEXT)}), 0)
    report = applied(scene, [declared("a")], **({"is_ancestor": lambda _old, _new: False} | request_))
    assert (report.status, mine(scene).applied) == (ApplyStatus.APPLIED, request_.get("commit", COMMIT) or NEXT)


def test_while_somebody_else_applies_it_is_refused():
    """The report says who, and until when; nothing is written at all, the control row included."""
    scene = a_scene(due(60, id="a"), **EVENTBRIDGE)
    ApplyLock(scene.beside(), Holder(name="bob")).take()
    before = scene.control()
    with untouched(scene):
        report = applied(scene, [declared("b")])
    message = (
        "bob has been applying since 2030-01-01T12:00:00Z and holds the lock until 2030-01-01T12:10:00Z: "
        "wait for it (--lock-timeout 5m), or `slowsched unlock`"
    )
    assert refused(report) == (ApplyStatus.LOCKED, (), [("locked", message)])
    assert scene.control() == before


def test_it_waits_for_the_lock_as_long_as_it_is_told_to():
    """Then the plan is made on what the other has left."""
    scene = a_scene()
    lock = ApplyLock(scene.beside(), Holder(name="bob"))
    lock.take()
    scene.clock.on_sleep = lock.release
    report = applied(scene, [declared("a")], lock_timeout=MINUTE)
    assert (report.status, scene.clock.slept) == (ApplyStatus.APPLIED, [2.0])


@pytest.mark.parametrize(
    ("tasks", "request_", "error"),
    [
        ([declared("theirs")], {}, ProblemsError),
        ([declared("a")], {"options": PlanOptions(supersede=frozenset({"nobody"}))}, UsageError),
    ],
)
def test_a_mistake_in_what_is_asked_for_writes_nothing(tasks, request_, error):
    """The id of another owner's task, and the name of one that nobody has."""
    scene = a_scene(due(60, id="theirs", owner="acme/blog/local"), **EVENTBRIDGE)
    with untouched(scene), pytest.raises(error):
        applied(scene, tasks, **request_)


def test_a_git_that_cannot_answer_writes_nothing():
    """A shallow clone: the order of commits is not guessed."""

    def shallow(_old, _new):
        raise GitError("shallow clone", hint="fetch-depth: 0")

    scene = a_scene(**EVENTBRIDGE)
    scene.store.put_control(Control(version=1, owners={OWNER: OwnerControl(applied=NEXT)}), 0)
    with untouched(scene), pytest.raises(GitError):
        applied(scene, [declared("a")], is_ancestor=shallow)


def test_a_store_that_does_not_answer_at_all_is_an_error():
    """Nothing was begun, so there is nothing to report."""
    scene = a_scene(**EVENTBRIDGE)
    scene.wire.fail("read table", StoreError("no answer"))
    with untouched(scene), pytest.raises(StoreError, match="no answer"):
        applied(scene, [declared("a")])


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
