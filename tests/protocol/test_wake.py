"""One wake, row by row: what is claimed, executed and settled, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from protocol.fakes import EVENTBRIDGE, NEAR, NOW, SECOND, a_scene, due, told, woken
from values import DAY, HOUR, MINUTE, a_claim, a_retry, a_row, an_entry

from slowsched import PermanentError
from slowsched.control import pause, resume
from slowsched.errors import StoreError
from slowsched.lifecycle import DEFER_EVERY, DEFER_MAX, LEASE_MARGIN
from slowsched.model import HistoryEntry, HistoryOutcome, OutcomeKind, State, Worker
from slowsched.reports import AttemptReport, WakeReport
from slowsched.store.base import Write

DONE = ("succeeded", "succeeded")
LOOK = ["read control", "read wake"]


def failing(_payload, _attempt):
    """Fail, as an action may."""
    raise ValueError("no such item")


def ended(outcome, *, attempt=1, late_seconds=0.0, message=None, now=NOW):
    """Return an entry of an attempt that began and ended now."""
    return HistoryEntry(
        generation=1,
        attempt=attempt,
        started_at=now,
        finished_at=now,
        late_seconds=late_seconds,
        outcome=outcome,
        message=message,
    )


# --- the plain case ------------------------------------------------------------------------------------


def test_a_due_task_is_executed_and_its_outcome_recorded():
    """The row says when, how late and with what result; it never needs the worker again."""
    row = due(-90)
    scene = a_scene(row)
    report = woken(scene, scene.runner(APPLY_SALE=lambda payload, _attempt: payload["newPrice"]))
    entry = ended(HistoryOutcome.SUCCEEDED, late_seconds=90.0, message="29.99")
    assert scene.row() == replace(row, state=State.SUCCEEDED, version=3, attempt=1, wake_at=None, history=(entry,))
    assert report == WakeReport(
        environment="local",
        now=NOW,
        attempts=(
            AttemptReport(
                id="some task id",
                generation=1,
                attempt=1,
                outcome=OutcomeKind.SUCCEEDED,
                late_seconds=90.0,
                state=State.SUCCEEDED,
                message="29.99",
            ),
        ),
        armed=NOW + 2 * MINUTE,  # for the end of its lease, should this wake not have come to its end
        arm_rounds=2,
    )


def test_the_order_of_a_wake():
    """Claim, arm, execute, settle, arm: a crash at any point leaves a timer that somebody will hear."""
    scene = a_scene(due(id="a"), due(3600, id="next"))
    woken(scene, scene.inline_runner())
    assert scene.wire.calls == [
        *["read control", "read agenda", "read rows", "put a running"],
        *["read wake", "arm 12:02", *LOOK],  # for the end of the lease
        *["execute a", "read wake", "put a succeeded"],
        *["read control", "read agenda"],  # is there more?
        *["read wake", "arm 13:00", *LOOK],
    ]


def test_what_a_wake_reads_on_a_timer_with_a_lead():
    """Every read is paid for: nine, with a second look after each write of the timer."""
    scene = a_scene(due(id="a"), due(3600, id="next"), **EVENTBRIDGE)
    woken(scene, scene.inline_runner())
    assert scene.wire.calls == [
        *["read control", "read agenda", "read rows", "put a running"],
        *["read wake", "arm 12:02", *LOOK],
        *["execute a", "put a succeeded"],
        "read wake",  # is there more, now or soon, and what comes next?
        *["arm 13:00", *LOOK],
    ]


def test_a_claim_says_until_when_it_holds():
    """Timeout and margin: what is still running then may be attempted again."""
    scene = a_scene(due(-90, timeout=5 * MINUTE))
    seen = []
    woken(scene, scene.inline_runner(APPLY_SALE=lambda *_: seen.append(scene.row())))
    lease_end = NOW + 5 * MINUTE + LEASE_MARGIN
    assert seen == [
        replace(
            due(-90, timeout=5 * MINUTE),
            state=State.RUNNING,
            version=2,
            attempt=1,
            claim=a_claim(token="token1", lease_end=lease_end),
            wake_at=lease_end,
            history=(an_entry(started_at=NOW, late_seconds=90.0),),
        )
    ]


def test_an_action_gets_what_it_needs():
    """The payload of the generation that was claimed, and the attempt."""
    scene = a_scene(due(generation=4, attempt=2, wake_at=NOW))
    seen = []
    woken(scene, scene.inline_runner(APPLY_SALE=lambda payload, attempt: seen.append((payload, attempt))))
    [(payload, attempt)] = seen
    assert (payload, attempt.number, attempt.idempotency_key, attempt.deadline) == (
        {"itemID": "some item", "newPrice": 29.99, "salePercent": 50},
        3,
        "local/some task id@2030-01-01T12:00:00Z#4",
        NOW + 30 * SECOND,
    )


def test_what_is_not_due_is_left_alone():
    """Not one second early; the timer is armed for it."""
    scene = a_scene(due(0.000001))
    assert woken(scene) == WakeReport(environment="local", now=NOW, armed=NOW + MINUTE, arm_rounds=1)
    assert (scene.row(), scene.timer.writes) == (due(0.000001), [NOW + MINUTE])


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.DEAD, State.MISSED, State.DELETED])
def test_what_needs_nothing_more_is_not_even_seen(state):
    """Such a row is not on the agenda."""
    scene = a_scene(a_row(due=NOW - DAY, state=state))
    assert woken(scene) == WakeReport(environment="local", now=NOW, arm_rounds=1)
    assert "read rows" not in scene.wire.calls


def test_a_task_that_a_person_asked_for_runs_before_its_due():
    """`run` sets a wake before the due; that is when it is late from."""
    scene = a_scene(due(3600, wake_at=NOW - SECOND, requested_at=NOW - MINUTE))
    report = woken(scene)
    assert (told(report), report.attempts[0].late_seconds) == ([("some task id", "succeeded", "succeeded")], 1.0)


def test_everything_due_is_executed_earliest_first():
    """In the order of when each needs the worker, then by id."""
    scene = a_scene(due(id="b"), due(id="a"), due(-60, id="z"), due(1, id="not yet"))
    woken(scene, scene.inline_runner())
    assert scene.executed == ["z", "a", "b"]


# --- what fails ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "chance", "manners", "minutes"),
    [(0, 0.0, {}, 1), (0, 0.99, {}, 1), (1, 0.0, {}, 1), (1, 0.5, {}, 2), (2, 0.99, {}, 4), (0, 0.0, EVENTBRIDGE, 2)],
)
def test_a_failed_task_is_tried_again_after_its_backoff(attempt, chance, manners, minutes):
    """Doubling with jitter, up to a whole minute, and never before the timer can serve it."""
    row = due(attempt=attempt, retry=a_retry(backoff=MINUTE))
    scene = a_scene(row, **manners)
    backend = replace(scene.backend, chance=lambda: chance)
    report = woken(replace(scene, backend=backend), scene.runner(APPLY_SALE=failing))
    assert told(report) == [("some task id", "failed", "scheduled")]
    assert scene.row() == replace(
        row,
        version=3,
        attempt=attempt + 1,
        wake_at=NOW + minutes * MINUTE,
        history=(ended(HistoryOutcome.FAILED, attempt=attempt + 1, message="ValueError: no such item"),),
    )
    assert (scene.armed, report.armed) == (NOW + minutes * MINUTE, NOW + minutes * MINUTE)


def test_a_task_whose_attempts_are_used_up_is_dead():
    """It never needs the worker again: a person must act, and the report names it."""
    scene = a_scene(due(retry=a_retry(attempts=2)))
    runner = scene.runner(APPLY_SALE=failing)
    first = woken(scene, runner)
    scene.clock.now += MINUTE
    second = woken(scene, runner)
    assert (told(first), first.dead) == ([("some task id", "failed", "scheduled")], ())
    assert (told(second), second.dead) == ([("some task id", "failed", "dead")], ("some task id",))
    assert (scene.row().attempt, scene.row().wake_at, len(scene.row().history)) == (2, None, 2)


def test_a_permanent_error_is_not_retried():
    """The action knows that another attempt is of no use."""

    def sold_out(_payload, _attempt):
        raise PermanentError("sold out")

    scene = a_scene(due())
    report = woken(scene, scene.runner(APPLY_SALE=sold_out))
    assert (told(report), report.dead) == ([("some task id", "failed", "dead")], ("some task id",))


def test_an_action_that_ends_the_process_is_only_a_failed_attempt():
    """`sys.exit` in an action takes nobody else with it."""

    def leave(_payload, _attempt):
        raise SystemExit(3)

    scene = a_scene(due(id="a", action="LEAVE"), due(id="b"))
    report = woken(scene, scene.runner(LEAVE=leave))
    assert told(report) == [("a", "failed", "scheduled"), ("b", "succeeded", "succeeded")]


def test_an_action_that_alters_its_payload_alters_nothing_else():
    """The next attempt gets what was reviewed."""
    seen = []

    def meddle(payload, _attempt):
        seen.append(dict(payload))
        payload["newPrice"] = 0
        raise ValueError

    scene = a_scene(due())
    runner = scene.runner(APPLY_SALE=meddle)
    woken(scene, runner)
    scene.clock.now += MINUTE
    woken(scene, runner)
    assert (seen[0], scene.row().task) == (seen[1], due().task)


# --- what is not attempted -------------------------------------------------------------------------------


def test_what_is_later_than_its_grace_is_missed():
    """It is not run; the row says so, and the report names it."""
    scene = a_scene(due(-61, grace=MINUTE), due(-60, id="just in time", grace=MINUTE))
    report = woken(scene)
    assert (report.missed, scene.executed) == (("some task id",), ["just in time"])
    entry = ended(HistoryOutcome.MISSED, attempt=0, late_seconds=61.0, message="later than its grace")
    assert scene.row() == replace(due(-61, grace=MINUTE), state=State.MISSED, version=2, wake_at=None, history=(entry,))


def test_grace_counts_for_the_first_attempt_alone():
    """A retry is late by nature."""
    scene = a_scene(due(-3600, grace=MINUTE, attempt=1, wake_at=NOW))
    assert told(woken(scene)) == [("some task id", "succeeded", "succeeded")]


def test_an_unknown_action_is_put_off_and_costs_no_attempt():
    """A deployment may be on its way: a quarter of an hour later the worker may have learned it."""
    scene = a_scene(due(action="NEW"), due(id="known"))
    first = woken(scene)
    assert (first.deferred, told(first)) == (("some task id",), [("known", "succeeded", "succeeded")])
    assert scene.row() == replace(due(action="NEW"), version=2, wake_at=NOW + DEFER_EVERY, deferred_since=NOW)
    assert scene.armed == NOW + DEFER_EVERY
    scene.clock.now = NOW + DEFER_EVERY
    second = woken(scene, scene.runner(NEW=lambda *_: "learned"))
    assert [(each.attempt, each.late_seconds, each.message) for each in second.attempts] == [(1, 900.0, "learned")]


def test_an_action_that_stays_unknown_for_a_day_is_dead():
    """Until then it is looked at every quarter of an hour, and no more often."""
    scene = a_scene(due(action="NEW"))
    looks = 0
    while scene.row().state is State.SCHEDULED:
        scene.clock.now = scene.row().wake_at
        report = woken(scene)
        looks += 1
    assert (looks, scene.clock.now, report.dead) == (DEFER_MAX // DEFER_EVERY + 1, NOW + DAY, ("some task id",))
    assert scene.row().history[-1].message == "no worker has known the action NEW for 24 hours"


def test_attempts_that_a_policy_edit_took_away_are_used_up():
    """The claim is refused, and the task is dead without another attempt."""
    scene = a_scene(due(attempt=2, retry=a_retry(attempts=2)))
    report = woken(scene)
    assert (report.attempts, report.dead, scene.row().state) == ((), ("some task id",), State.DEAD)


# --- attempts whose worker is gone -----------------------------------------------------------------------


def crashed(**overrides):
    """Return a row whose worker claimed it and was never heard of again; its lease ends now."""
    fields = {"due": NOW - 2 * MINUTE, "state": State.RUNNING, "claim": a_claim(lease_end=NOW), "version": 2}
    return a_row(**(fields | overrides))


def test_an_attempt_whose_lease_is_over_is_made_again():
    """The history keeps that nobody knows what became of the first."""
    scene = a_scene(crashed())
    report = woken(scene)
    assert told(report) == [("some task id", "succeeded", "succeeded")]
    assert [(each.attempt, each.outcome) for each in scene.row().history] == [
        (1, HistoryOutcome.LEASE_EXPIRED),
        (2, HistoryOutcome.SUCCEEDED),
    ]


def test_an_attempt_whose_lease_runs_is_left_alone():
    """Somebody may be at it, to the last microsecond."""
    row = crashed(claim=a_claim(lease_end=NOW + timedelta(microseconds=1)))
    scene = a_scene(row)
    assert (woken(scene).attempts, scene.row()) == ((), row)


def test_a_payload_that_kills_every_process_ends_as_dead():
    """Attempts count when they are claimed, so that they end."""
    scene = a_scene(crashed(retry=a_retry(attempts=1)))
    report = woken(scene)
    assert (report.attempts, report.dead) == ((), ("some task id",))
    assert [each.outcome for each in scene.row().history] == [HistoryOutcome.LEASE_EXPIRED]


# --- pause and resume ------------------------------------------------------------------------------------


@pytest.mark.parametrize("paused", [False, True])
def test_a_worker_announces_itself_when_it_has_something_new_to_say(paused):
    """Once, also while it is paused; what fails there is the next wake's matter."""
    scene = a_scene(due(3600))
    if paused:
        pause(scene.backend, by="ann", reason=None)
    says = Worker(slowsched="0.1.0", row_format=1, actions=("APPLY_SALE",))
    scene.wire.fail("put control", StoreError("no answer"), times=1)
    versions = []
    for _ in range(3):
        assert woken(scene, announce=says).errors == ()
        versions.append((scene.store.control().worker, scene.store.control().version))
    assert versions == [(None, paused), (says, paused + 1), (says, paused + 1)]


def test_what_is_left_is_told_with_how_long_it_has_been_due():
    """The oldest of what this wake did not get to."""
    scene = a_scene(due(-90, id="a"), due(-60, id="b"), due(-30, id="c"))
    report = woken(scene, limit=1)
    assert (told(report), report.left, report.oldest_overdue) == ([("a", *DONE)], 2, MINUTE)


def test_writes_that_others_were_quicker_with_are_counted():
    """A claim that is lost to an edit and made again, and an outcome."""
    scene = a_scene(due())

    def edit():
        scene.put(replace(scene.row(), version=scene.row().version + 1))

    def edit_twice():
        scene.wire.on("put some task id succeeded", edit)
        edit()

    scene.wire.on("put some task id running", edit_twice)
    report = woken(scene)
    assert (told(report), report.conflicts) == ([("some task id", *DONE)], 2)


def test_paused_it_does_nothing():
    """It reads the control row and the timer, for the report."""
    scene = a_scene(due(), **EVENTBRIDGE)
    paused = pause(scene.backend, by="ann", reason="the shop is down")
    scene.wire.calls.clear()
    assert woken(scene) == WakeReport(environment="local", now=NOW, paused=paused)
    assert (scene.wire.calls, scene.row()) == (["read control", "read timer"], due())


def test_after_a_resume_it_waits_for_the_timer():
    """A wake in between would leave what comes a moment later without one."""
    scene = a_scene(due(-3600), **EVENTBRIDGE)
    pause(scene.backend, by="ann", reason=None)
    resume(scene.backend)
    moment = NOW + 2 * MINUTE
    scene.clock.now = moment - NEAR - SECOND
    assert woken(scene) == WakeReport(environment="local", now=scene.clock.now, not_before=moment, armed=moment)
    scene.clock.now = moment
    assert told(woken(scene)) == [("some task id", "succeeded", "succeeded")]


def test_a_pause_in_the_middle_is_heard_at_the_next_walk():
    """What runs is settled; nothing more is claimed, and the report says why."""
    scene = a_scene(due(id="a"), due(id="b"))
    runner = scene.runner(parallel=1, APPLY_SALE=lambda *_: pause(scene.beside(), by="ann", reason=None) and None)
    report = woken(scene, runner)
    assert (told(report), report.left, report.paused.by) == ([("a", "succeeded", "succeeded")], 1, "ann")
    assert scene.row("b") == due(id="b")


def test_a_pause_and_a_resume_in_the_middle_are_heard_too():
    """Whoever resumed has armed for the moment from which on is claimed; this wake leaves that in force."""
    scene = a_scene(due(id="a"), due(id="b"), **EVENTBRIDGE)

    def meddle(_payload, _attempt):
        pause(scene.beside(), by="ann", reason=None)
        resume(scene.beside())

    report = woken(scene, scene.runner(parallel=1, APPLY_SALE=meddle))
    assert (report.left, report.paused, report.not_before) == (1, None, NOW + 2 * MINUTE)
    assert scene.armed == NOW + 2 * MINUTE


# --- a clock that stands -----------------------------------------------------------------------------------


def test_a_standing_clock_handles_each_due_row_once():
    """Also one that would be due again at the same moment: nothing would ever end."""
    rows = [
        due(id="fails", action="FAIL", retry=a_retry(backoff=timedelta(0))),
        due(id="runs"),
        due(id="unknown", action="NEW"),
        due(-61, id="missed", grace=MINUTE),
        due(600, id="later"),
    ]
    scene = a_scene(*rows, standing=True)
    report = woken(scene, scene.runner(FAIL=failing))
    assert (told(report), report.missed, report.deferred, report.left) == (
        [("fails", "failed", "scheduled"), ("runs", "succeeded", "succeeded")],
        ("missed",),
        ("unknown",),
        0,
    )
    assert (scene.row("fails").wake_at, scene.clock.slept, scene.armed) == (NOW, [], NOW + 10 * MINUTE)


def test_a_standing_clock_waits_for_nothing():
    """What is nearer than near to a moment that stands never comes."""
    scene = a_scene(due(id="a"), due(10, id="near"), standing=True, **EVENTBRIDGE)
    assert (told(woken(scene)), scene.clock.slept) == ([("a", "succeeded", "succeeded")], [])


# --- bounds --------------------------------------------------------------------------------------------


def test_a_limit_bounds_the_attempts():
    """What is missed, put off or dead counts for nothing; the rest is left, and counted."""
    scene = a_scene(due(-99, id="missed", grace=MINUTE), *(due(id=f"t{n}") for n in range(5)))
    report = woken(scene, scene.inline_runner(), limit=2)
    assert (scene.executed, report.missed, report.left) == (["t0", "t1"], ("missed",), 3)


def test_a_wake_reads_the_agenda_and_not_the_table():
    """Its calls are the same beside ten rows that are not due and beside a thousand."""
    calls = []
    for others in (10, 1000):
        scene = a_scene(due(id="a"))
        rows = [due(3600 + n, id=f"t{n}") for n in range(others)]
        scene.beside().store.put_many([Write(row=row, expect_version=0) for row in rows])
        woken(scene, scene.inline_runner())
        calls.append(scene.wire.calls)
    assert calls[0] == calls[1]
    assert "read table" not in calls[0]


def test_more_rows_than_a_page_are_all_done():
    """And more than can run at once."""
    scene = a_scene(*(due(id=f"t{n:03}") for n in range(120)))
    report = woken(scene)
    assert (len(report.attempts), report.left, len(set(scene.executed))) == (120, 0, 120)


def test_a_page_of_what_cannot_be_claimed_hides_nothing():
    """Fifty rows that are put off, and then one that runs."""
    scene = a_scene(*(due(-60, id=f"t{n:03}", action="NEW") for n in range(60)), due(id="runs"))
    report = woken(scene)
    assert (len(report.deferred), told(report)) == (60, [("runs", "succeeded", "succeeded")])


# --- rows that cannot be read --------------------------------------------------------------------------


def test_a_row_that_cannot_be_read_is_counted_and_passed_over():
    """A newer version wrote it: not a byte of it changes, and the rest is done."""
    scene = a_scene(due(-60, id="newer"), due(id="a"), due(HOUR.total_seconds(), id="next"))
    scene.store.items["newer"] = {**scene.store.items["newer"], "format": 99}
    before = scene.store.items["newer"]
    report = woken(scene)
    assert (report.unreadable, told(report), report.left) == (("newer",), [("a", "succeeded", "succeeded")], 0)
    assert (scene.store.items["newer"], scene.armed) == (before, NOW + HOUR)


def test_a_row_that_is_gone_from_under_the_agenda_is_nothing():
    """It was deleted between two reads."""
    scene = a_scene(due())
    scene.wire.on("read rows", scene.store.items.clear)
    assert woken(scene) == WakeReport(environment="local", now=NOW, arm_rounds=1)
