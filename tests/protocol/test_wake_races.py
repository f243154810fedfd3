"""A wake among others: what is won, lost and never overwritten when several write the same row."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from protocol.fakes import NOW, a_scene, declared, due, told, woken
from values import COMMIT, MINUTE, a_row

from slowsched.agenda_walk import CONFLICT_TRIES
from slowsched.apply import ApplyRequest, apply
from slowsched.errors import PermanentError
from slowsched.execute import Runner
from slowsched.lifecycle import LEASE_MARGIN
from slowsched.model import HistoryOutcome, State
from slowsched.plan import PlanOptions
from slowsched.wake import wake

LEASE = a_row().task.timeout + LEASE_MARGIN


def edited(scene, *, supersede=False, **overrides):
    """Apply the task with something changed, from another process, and return what became of it."""
    return applied(scene, [declared(**({"due": NOW} | overrides))], supersede=supersede)


def applied(scene, tasks, *, supersede=False):
    """Apply these tasks and another from another process, and return what became of the one."""
    options = PlanOptions(supersede=frozenset({"some task id"}) if supersede else frozenset())
    other = declared("other", minutes=600)
    report = apply(scene.beside(), [*tasks, other], ApplyRequest(commit=COMMIT, options=options))
    return [each.result.value for each in report.results if each.id != "other"]


def meanwhile(scene, do):
    """Return a runner whose action lets something happen from another process while it runs."""
    return scene.inline_runner(APPLY_SALE=lambda *_: do() and None)


def outcomes(scene):
    """Return the history of the row: attempt and outcome."""
    return [(each.attempt, each.outcome and each.outcome.value) for each in scene.row().history]


# --- the claim -----------------------------------------------------------------------------------------


def test_two_workers_at_once_execute_a_due_task_once():
    """Both read it as due; the write of one of them finds the other's."""
    scene = a_scene(due())
    meet = threading.Barrier(2, timeout=10)
    runs = []

    def act(_payload, attempt):
        runs.append(attempt.number)

    scene.wire.before = lambda name: meet.wait() if name == "put some task id running" else None
    other = replace(scene.backend, nonce=lambda: "other")
    backends = [scene.backend, other]
    registry = scene.registry(APPLY_SALE=act)
    threads = [threading.Thread(target=wake, args=(each, Runner(registry))) for each in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (runs, scene.row().state, outcomes(scene)) == ([1], State.SUCCEEDED, [(1, "succeeded")])


def test_a_claim_that_loses_to_another_worker_is_not_executed():
    """It has the row now."""
    scene = a_scene(due())
    scene.wire.on("put some task id running", lambda: wake(scene.beside(), scene.inline_runner()))
    report = woken(scene, scene.inline_runner())
    assert (report.attempts, scene.executed, outcomes(scene)) == ((), ["some task id"], [(1, "succeeded")])


def test_a_claim_that_loses_to_a_policy_edit_is_tried_again():
    """The row is due as before: the edit stays, and the task runs in this wake."""
    scene = a_scene(due())
    scene.wire.on("put some task id running", lambda: edited(scene, team="new"))
    report = woken(scene)
    assert (told(report), scene.row().task.team) == ([("some task id", "succeeded", "succeeded")], "new")


def test_a_claim_that_loses_to_an_edit_is_given_up_when_nothing_is_due():
    """What was reviewed now is what will be executed, at its new due."""
    scene = a_scene(due())
    scene.wire.on("put some task id running", lambda: edited(scene, due=NOW + 60 * MINUTE))
    report = woken(scene)
    assert (report.attempts, scene.row().generation, scene.row().wake_at) == ((), 2, NOW + 60 * MINUTE)


def test_a_claim_that_loses_to_a_delete_is_given_up():
    """A deleted task never starts once the delete was acknowledged."""
    scene = a_scene(due())
    scene.wire.on("put some task id running", lambda: applied(scene, []))
    assert (woken(scene).attempts, scene.row().state) == ((), State.DELETED)


def test_a_claim_of_a_row_that_vanished_is_given_up():
    """Time to live took it."""
    scene = a_scene(due())
    scene.wire.on("put some task id running", scene.store.items.clear)
    assert (woken(scene).attempts, scene.row()) == ((), None)


def test_a_claim_that_always_loses_is_given_up():
    """The row is left, and the timer set for another try."""
    scene = a_scene(due())

    def meddle(name):
        if name.startswith("put"):
            scene.put(replace(scene.row(), version=scene.row().version + 1))

    scene.wire.before = meddle
    report = woken(scene)
    assert (report.attempts, scene.row().version) == ((), 1 + 1 + CONFLICT_TRIES)


def test_a_claim_whose_answer_is_lost_is_executed():
    """Sent again it finds itself; so does the outcome. Nothing runs twice."""
    scene = a_scene(due())
    scene.store.lose_answers(1000)
    report = woken(scene)
    assert (told(report), scene.executed) == ([("some task id", "succeeded", "succeeded")], ["some task id"])


def test_a_claim_whose_answer_is_lost_before_a_policy_edit_is_executed():
    """The row that is found has the edit, and the token of this very claim."""
    scene = a_scene(due())
    scene.store.lose_answers(1, meanwhile=lambda: edited(scene, team="new"))
    report = woken(scene)
    assert (told(report), scene.executed) == ([("some task id", "succeeded", "succeeded")], ["some task id"])
    assert (scene.row().task.team, outcomes(scene)) == ("new", [(1, "succeeded")])


def test_a_second_claim_whose_answer_is_lost_before_a_policy_edit_is_executed():
    """The claim that was made again after a lost race is known by its own token, not by that of the first."""
    scene = a_scene(due())

    def lose():
        scene.store.lose_answers(1, meanwhile=lambda: edited(scene, team="newer"))

    def race():
        edited(scene, team="new")
        scene.wire.on("put some task id running", lose)

    scene.wire.on("put some task id running", race)
    report = woken(scene)
    assert (told(report), scene.row().task.team) == ([("some task id", "succeeded", "succeeded")], "newer")


def test_a_superseded_claim_whose_answer_is_lost_is_not_executed():
    """What was reviewed now has a due of its own."""
    scene = a_scene(due())
    later = NOW + 60 * MINUTE
    scene.store.lose_answers(1, meanwhile=lambda: edited(scene, due=later, supersede=True))
    report = woken(scene)
    assert (report.attempts, scene.executed, outcomes(scene)) == ((), [], [(1, "superseded")])


# --- the outcome -----------------------------------------------------------------------------------------


def test_a_policy_edit_during_a_run_is_not_lost():
    """The outcome is written over it, with the edit in it."""
    scene = a_scene(due())
    answers = []
    report = woken(scene, meanwhile(scene, lambda: answers.append(edited(scene, team="new"))))
    assert (answers, told(report)) == ([["applied"]], [("some task id", "succeeded", "succeeded")])
    assert (scene.row().task.team, scene.row().version, outcomes(scene)) == ("new", 4, [(1, "succeeded")])


@pytest.mark.parametrize("change", ["edit", "delete"])
def test_an_edit_or_a_delete_during_a_run_is_refused(change):
    """Nobody knows yet what the run comes to; the refusal is a conflict that says so."""
    scene = a_scene(due())
    answers = []

    def meddle():
        tasks = [] if change == "delete" else [declared(due=NOW + 60 * MINUTE)]
        answers.append(applied(scene, tasks))

    report = woken(scene, meanwhile(scene, meddle))
    assert (answers, told(report)) == ([["conflict"]], [("some task id", "succeeded", "succeeded")])
    assert scene.row().generation == 1


def test_a_superseding_edit_during_a_run_is_not_lost():
    """The outcome belongs to nobody now and is only reported; the new generation waits for the old lease's end."""
    scene = a_scene(due())
    answers = []

    def supersede():
        answers.append(edited(scene, due=NOW + 2 * MINUTE, payload={"n": 2}, supersede=True))

    report = woken(scene, meanwhile(scene, supersede))
    assert (answers, told(report)) == ([["applied"]], [("some task id", "succeeded", "scheduled")])
    assert report.attempts[0].message == "superseded while it ran: the outcome was not recorded"
    row = scene.row()
    assert (row.generation, row.task.payload, row.wake_at, outcomes(scene)) == (
        2,
        {"n": 2},
        NOW + 2 * MINUTE,
        [(1, "superseded")],
    )


def test_a_superseding_edit_starts_nothing_before_the_old_lease_ends():
    """The attempt that was superseded may still run: two never overlap."""
    scene = a_scene(due())
    woken(scene, meanwhile(scene, lambda: edited(scene, due=NOW + MINUTE, payload={"n": 2}, supersede=True)))
    assert scene.row().wake_at == NOW + LEASE
    scene.clock.now = NOW + MINUTE
    assert woken(scene).attempts == ()
    scene.clock.now = NOW + LEASE
    assert told(woken(scene)) == [("some task id", "succeeded", "succeeded")]


def test_a_superseding_delete_and_its_return_start_nothing_before_the_old_lease_ends():
    """The tombstone keeps the lease of what may still run."""
    scene = a_scene(due())

    def supersede():
        applied(scene, [], supersede=True)
        edited(scene, due=NOW + MINUTE)

    report = woken(scene, meanwhile(scene, supersede))
    assert (told(report), scene.row().generation, scene.row().wake_at) == (
        [("some task id", "succeeded", "scheduled")],
        2,
        NOW + LEASE,
    )


@pytest.mark.parametrize(
    ("error", "overrides", "state"),
    [
        (None, {"team": "new"}, State.SUCCEEDED),
        (None, {"due": NOW + 60 * MINUTE}, State.SCHEDULED),
        (ValueError, {"team": "new"}, State.SCHEDULED),
        (PermanentError, {"team": "new"}, State.DEAD),
    ],
)
def test_an_outcome_whose_answer_is_lost_before_an_edit_was_recorded(error, overrides, state):
    """The history has it, so it is told like any other, beside the state that the row is in now."""
    scene = a_scene(due())

    def act(_payload, _attempt):
        scene.wire.on("put", lambda: scene.store.lose_answers(1, meanwhile=lambda: edited(scene, **overrides)))
        if error is not None:
            raise error("sold out")
        return "sold"

    report = woken(scene, scene.inline_runner(APPLY_SALE=act))
    outcome, message = ("succeeded", "sold") if error is None else ("failed", f"{error.__name__}: sold out")
    assert (told(report), report.attempts[0].message) == ([("some task id", outcome, state.value)], message)
    assert (report.dead, outcomes(scene)) == (("some task id",) if state is State.DEAD else (), [(1, outcome)])


def test_an_outcome_whose_row_vanished_is_reported():
    """There is nothing left to write it to."""
    scene = a_scene(due())
    report = woken(scene, meanwhile(scene, scene.store.items.clear))
    assert [(each.state, each.message) for each in report.attempts] == [
        (State.RUNNING, "its row is gone or cannot be read: the outcome was not recorded")
    ]
    assert scene.row() is None


def test_an_outcome_that_always_loses_is_reported():
    """The lease ends, and the task is attempted again: at least once."""
    scene = a_scene(due())

    def meddle(name):
        if name == "put some task id succeeded":
            scene.put(replace(scene.row(), version=scene.row().version + 1))

    scene.wire.before = meddle
    report = woken(scene)
    assert [(each.state, each.message) for each in report.attempts] == [
        (State.RUNNING, "the outcome could not be recorded: it is attempted again after its lease")
    ]
    assert scene.row().version == 2 + CONFLICT_TRIES


def test_an_outcome_that_comes_after_its_lease_belongs_to_nobody():
    """Another worker has claimed the row: its token is in it, and the late outcome changes nothing."""
    scene = a_scene(due())

    def be_slow():
        scene.clock.now = NOW + LEASE
        wake(scene.beside(), scene.inline_runner(APPLY_SALE=lambda *_: "second"))

    report = woken(scene, meanwhile(scene, be_slow))
    assert report.attempts[0].message == "superseded while it ran: the outcome was not recorded"
    assert [(each.outcome, each.message) for each in scene.row().history] == [
        (HistoryOutcome.LEASE_EXPIRED, None),
        (HistoryOutcome.SUCCEEDED, "second"),
    ]


def test_a_late_outcome_does_not_settle_the_attempt_of_another_worker():
    """The row is running again, with another token: only its own worker may settle it."""
    scene = a_scene(due())
    seen = []

    def be_slow():
        scene.clock.now = NOW + LEASE
        wake(scene.beside(), scene.inline_runner(APPLY_SALE=lambda *_: seen.append(scene.row())))
        scene.put(*seen)

    woken(scene, meanwhile(scene, be_slow))
    assert [scene.row()] == seen
