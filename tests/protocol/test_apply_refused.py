"""What apply refuses writes nothing, the timer included, and says what to do."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from protocol.applying import applied, mine
from protocol.fakes import EVENTBRIDGE, a_scene, declared, due
from values import COMMIT, MINUTE, OWNER

from slowsched.control import ApplyLock, Holder
from slowsched.errors import GitError, ProblemsError, StoreError, UsageError
from slowsched.live_plan import read_plan
from slowsched.model import Control, OwnerControl, Trailer
from slowsched.plan import PlanOptions
from slowsched.reports import ApplyStatus

NEXT = "fedcba9876543210fedcba9876543210fedcba98"


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


def test_trailers_are_asked_for_under_the_lock_and_allow():
    """What they say is of the commits since the one applied last, as the control row has it then."""
    scene = a_scene(due(60, id="kept", protect=True), **EVENTBRIDGE)
    asked = []

    def trailers(applied):
        asked.append((applied, mine(scene).lock is not None))
        return [Trailer(name="Slowsched-Allow-Protected", value="kept", commit=COMMIT)]

    assert applied(scene, [declared("a")], trailers=trailers).status == "applied"
    assert applied(scene, [declared("a")], trailers=trailers).status == "nothing"
    assert asked == [(None, True), (COMMIT, True)]


def test_how_a_plan_differs_is_told_line_by_line():
    """Whatever the caller knows of the approved plan stands beside the refusal."""
    scene = a_scene(**EVENTBRIDGE)
    with untouched(scene):
        report = applied(scene, [declared("a")], expect="0" * 64, difference=lambda plan: [plan.changes[0].id, "more"])
    message = f"the plan is {report.digest[:12]} now, not 000000000000: look at the plan again"
    assert refused(report) == (ApplyStatus.STALE, (), [("stale", message), ("stale", "a"), ("stale", "more")])


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


def test_a_signal_ends_the_waiting_for_the_lock():
    """Nothing was begun: it is refused as if it had not waited."""
    scene = a_scene(**EVENTBRIDGE)
    ApplyLock(scene.beside(), Holder(name="bob")).take()
    with untouched(scene):
        report = applied(scene, [declared("a")], lock_timeout=MINUTE, stop=lambda: bool(scene.clock.slept))
    assert (report.status, scene.clock.slept) == (ApplyStatus.LOCKED, [2.0])


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
