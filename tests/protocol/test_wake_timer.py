"""A wake and the timer: what it arms for, what it looks after itself, and what it leaves behind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from protocol.fakes import EVENTBRIDGE, NEAR, NOW, SECOND, a_scene, due, told, until, woken
from values import DAY, HOUR, MINUTE

from slowsched.control import pause
from slowsched.errors import StoreError, TimerError
from slowsched.execute import Attempt
from slowsched.lifecycle import LEASE_MARGIN
from slowsched.model import State
from slowsched.wake import POLL_SECONDS, START_SLACK, WORKER_BUDGET

DONE = ("succeeded", "succeeded")


def failing(_payload, _attempt):
    """Fail, as an action may."""
    raise ValueError("no such item")


# --- arming before executing -----------------------------------------------------------------------------


@pytest.mark.parametrize(("manners", "seconds"), [(EVENTBRIDGE, 60), (EVENTBRIDGE, 3600), ({}, 60), ({}, 3600)])
def test_the_timer_is_set_before_an_action_runs(manners, seconds):
    """Should the process die in it, the end of the lease, or what comes before it, has a wake."""
    scene = a_scene(due(timeout=MINUTE), due(seconds, id="next"), **manners)
    seen = []
    woken(scene, scene.inline_runner(APPLY_SALE=lambda *_: seen.append(scene.armed)))
    lease_end = NOW + MINUTE + LEASE_MARGIN
    assert seen[0] == (NOW + MINUTE if seconds == 60 and not manners else lease_end)


def test_the_timer_is_set_again_at_the_end():
    """For what is next once everything has its outcome."""
    scene = a_scene(due(), due(DAY.total_seconds(), id="next"), **EVENTBRIDGE)
    report = woken(scene)
    assert (report.armed, scene.timer.writes) == (NOW + DAY, [NOW + 2 * MINUTE, NOW + DAY])


def test_a_timer_that_fails_hinders_no_execution():
    """The heartbeat covers; the report says so, unless the last arming went well."""
    scene = a_scene(due(), due(3600, id="next"))
    scene.wire.fail("arm", TimerError("no answer"))
    report = woken(scene)
    assert (told(report), report.timer_error, report.armed) == ([("some task id", *DONE)], "no answer", None)
    again = a_scene(due(), due(3600, id="next"))
    again.wire.fail("arm", TimerError("no answer"), times=1)
    assert (woken(again).timer_error, again.armed) == (None, NOW + HOUR)


def test_a_timer_that_is_left_is_reported_as_it_is():
    """The report tells what it is set to, also when this wake did not set it."""
    scene = a_scene(**EVENTBRIDGE)
    scene.timer.arm(NOW + MINUTE)
    assert (woken(scene).armed, scene.timer.writes) == (NOW + MINUTE, [NOW + MINUTE])
    scene.wire.fail("read timer", TimerError("no answer"))
    assert woken(scene).armed is None


# --- staying -----------------------------------------------------------------------------------------------


def test_a_wake_stays_for_what_is_too_near_for_the_timer():
    """It sleeps until then, a second at a time, and runs it at its due: not before, and not late."""
    scene = a_scene(due(10.5), due(3600, id="next"), **EVENTBRIDGE)
    report = woken(scene)
    assert [(each.id, each.late_seconds) for each in report.attempts] == [("some task id", 0.0)]
    assert (scene.clock.slept, scene.clock.now) == ([1.0] * 10 + [0.5], NOW + 10.5 * SECOND)
    assert (report.now, scene.armed) == (NOW, NOW + HOUR)


def test_a_wake_stays_from_one_near_moment_to_the_next():
    """As long as there is one; then it ends."""
    scene = a_scene(due(70, id="a"), due(140, id="b"), due(216, id="c"), **EVENTBRIDGE)
    report = woken(scene)
    assert (told(report), scene.clock.now) == ([("a", *DONE), ("b", *DONE)], NOW + 140 * SECOND)
    assert scene.armed == NOW + 4 * MINUTE


@pytest.mark.parametrize(("farther", "ran"), [(timedelta(0), True), (timedelta(microseconds=1), False)])
def test_a_wake_stays_for_what_the_timer_would_not_be_written_for(farther, ran):
    """Where looking after it ends, arming begins: no moment falls between the two."""
    scene = a_scene(due(due=NOW + MINUTE), now=NOW + MINUTE - NEAR - farther, **EVENTBRIDGE)
    report = woken(scene)
    assert (bool(report.attempts), scene.timer.writes) == (
        (True, [NOW + 3 * MINUTE]) if ran else (False, [NOW + MINUTE])
    )


def test_without_a_lead_a_wake_does_not_stay():
    """Such a timer serves the nearest minute."""
    scene = a_scene(due(5))
    assert (woken(scene).attempts, scene.clock.slept, scene.armed) == ((), [], NOW + MINUTE)


def test_a_wake_that_stays_hears_the_wish_to_stop():
    """Within a second; what it was to look after, and had not armed for, gets the first minute there is."""
    scene = a_scene(due(id="a"), due(30, id="near"), **EVENTBRIDGE)
    report = woken(scene, stop=lambda: len(scene.clock.slept) >= 3)
    assert (told(report), report.interrupted, scene.clock.slept) == ([("a", *DONE)], True, [1.0] * 3)
    assert scene.armed == NOW + 2 * MINUTE


def test_what_was_near_when_a_wake_began_is_its_to_look_after():
    """The timer holds one minute, which was this wake's own: nothing is in force for what comes right after."""
    scene = a_scene(due(30, id="near"), **EVENTBRIDGE)
    scene.timer.arm(NOW)
    woken(scene, stop=lambda: True)
    assert scene.timer.writes == [NOW, NOW + 2 * MINUTE]


# --- while actions run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("manners", [EVENTBRIDGE, {}])
def test_what_becomes_due_while_an_action_runs_does_not_wait_for_it(manners):
    """The wake walks again at that moment, whatever is still running."""
    scene = a_scene(due(id="slow", action="SLOW"), due(0.1, id="next"), **manners).ticking()
    runner = scene.runner(SLOW=lambda *_: until(lambda: scene.executed, 4))
    report = woken(scene, runner)
    assert [(each.id, each.outcome.value) for each in report.attempts] == [("next", "succeeded"), ("slow", "succeeded")]


def test_without_a_lead_it_notices_what_is_written_for_this_moment():
    """`run` and `--late run` set a wake for now: on a machine with one worker nobody else would come."""
    scene = a_scene(due(id="slow", action="SLOW")).ticking()

    def slow(_payload, _attempt):
        scene.put(due(id="now"))
        until(lambda: scene.executed, 4)

    assert told(woken(scene, scene.runner(SLOW=slow))) == [("now", *DONE), ("slow", *DONE)]
    assert POLL_SECONDS == 1.0


def test_a_retry_does_not_wait_for_what_still_runs():
    """The timer is set for it as soon as it is known."""
    rows = [due(id=name.lower(), action=name, timeout=10 * MINUTE) for name in ("FAIL", "SLOW")]
    scene = a_scene(*rows, **EVENTBRIDGE)
    retried = NOW + 2 * MINUTE
    seen = []

    def slow(_payload, _attempt):
        until(lambda: scene.row("fail").state is State.SCHEDULED and scene.armed == retried, 3)
        seen.append(scene.armed)

    woken(scene, scene.runner(FAIL=failing, SLOW=slow))
    assert (seen, scene.row("fail").wake_at) == ([retried], retried)


def test_on_a_timer_with_a_lead_it_walks_again_for_what_became_due():
    """While one ran, the moment of the next came: it is found without being told of."""
    scene = a_scene(due(id="a"), due(30, id="b"), **EVENTBRIDGE)
    moments = iter([NOW + 31 * SECOND])

    def later(_payload, _attempt):
        scene.clock.now = next(moments, scene.clock.now)

    report = woken(scene, scene.inline_runner(APPLY_SALE=later))
    assert (told(report), scene.clock.slept) == ([("a", *DONE), ("b", *DONE)], [])


def test_what_was_seen_before_a_write_of_its_own_is_not_gone_by():
    """A wake that will not walk again arms for the retry that it has just written."""
    rows = [due(id=name.lower(), action=name, timeout=10 * MINUTE) for name in ("FIRST", "FAIL", "SLOW")]
    scene = a_scene(*rows, **EVENTBRIDGE)
    retried = NOW + 10 * MINUTE

    def calls_after(call):
        calls = list(scene.wire.calls)
        return calls[calls.index(call) :] if call in calls else []

    def first(_payload, _attempt):
        scene.clock.now = NOW + 500 * SECOND  # near the end of the budget

    def fail(_payload, _attempt):
        until(lambda: "read wake" in calls_after("put first succeeded"), 3)
        raise ValueError

    def slow(_payload, _attempt):
        until(lambda: scene.row("fail").state is State.SCHEDULED and scene.armed == retried, 3)
        return str(scene.armed)

    woken(scene, scene.runner(FIRST=first, FAIL=fail, SLOW=slow), budget=570 * SECOND)
    assert (scene.row("fail").wake_at, scene.row("slow").history[-1].message) == (retried, str(retried))


def test_more_tasks_than_slots_are_all_done():
    """A hundred due at once, sixteen at a time."""
    scene = a_scene(*(due(id=f"t{n:03}") for n in range(100)))
    runner = scene.runner()
    most = []
    runner_start = runner.start

    class Watched:
        """A runner that notes how many attempts were running at most."""

        def __getattr__(self, name):
            return getattr(runner, name)

        def start(self, *given):
            runner_start(*given)
            most.append(runner.busy)

    report = woken(scene, Watched())
    assert (len(report.attempts), report.left, max(most) <= 16) == (100, 0, True)


def test_while_all_slots_are_taken_the_timer_is_set_for_the_rest():
    """Another worker comes to help as soon as the timer can call one."""
    scene = a_scene(*(due(id=f"t{n}", action="SLOW", timeout=10 * MINUTE) for n in range(3)), **EVENTBRIDGE)
    armed = []
    runner = scene.runner(parallel=2, SLOW=lambda *_: armed.append(scene.armed))
    assert (len(woken(scene, runner).attempts), armed[:2]) == (3, [NOW + 2 * MINUTE] * 2)


# --- what is left behind ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("manners", "minutes"), [(EVENTBRIDGE, 2), ({}, 1)])
def test_what_a_limit_leaves_gets_the_first_minute_there_is(manners, minutes):
    """Its own minute has just passed, and nobody else was woken for it."""
    scene = a_scene(due(id="a"), due(id="b"), due(3600, id="next"), now=NOW + SECOND, **manners)
    report = woken(scene, limit=1)
    assert (told(report), report.left, scene.armed) == ([("a", *DONE)], 1, NOW + minutes * MINUTE)


def test_what_a_signal_leaves_gets_the_first_minute_there_is():
    """What runs is waited for and settled; nothing more is claimed."""
    scene = a_scene(due(id="a"), due(id="b"), now=NOW + SECOND, **EVENTBRIDGE)
    report = woken(scene, scene.runner(parallel=1), stop=lambda: bool(scene.executed))
    assert (told(report), report.left, report.interrupted) == ([("a", *DONE)], 1, True)
    assert scene.armed == NOW + 2 * MINUTE


def test_what_is_left_does_not_put_off_a_minute_that_is_near():
    """It was armed for when it was not near yet, and its wake will find the rest, too."""
    scene = a_scene(due(id="a"), due(40, id="b"), due(120, id="near", action="OTHER"), **EVENTBRIDGE)
    runner = scene.inline_runner(APPLY_SALE=lambda *_: scene.clock.sleep(50))
    report = woken(scene, runner, stop=lambda: bool(scene.clock.slept))
    assert (report.left, scene.timer.writes) == (1, [NOW + 2 * MINUTE])


def test_an_attempt_as_long_as_the_budget_starts_in_a_fresh_wake():
    """Otherwise it never would: some of the budget is gone before the first look."""
    scene = a_scene(due(timeout=WORKER_BUDGET)).ticking()
    assert told(woken(scene, scene.inline_runner())) == [("some task id", *DONE)]


@pytest.mark.parametrize(("seconds", "left"), [(20, 0), (START_SLACK.total_seconds() + 1, 1)])
def test_a_wake_is_fresh_for_half_a_minute(seconds, left):
    """As long as nothing else was begun in it."""
    scene = a_scene(due(seconds, timeout=WORKER_BUDGET), **EVENTBRIDGE)
    report = woken(scene)
    assert (len(report.attempts), report.left) == (1 - left, left)


def test_an_attempt_that_cannot_finish_is_left_for_a_fresh_wake():
    """The first task used a minute of the budget; the timer is set for the second at once."""
    scene = a_scene(
        due(id="a", timeout=10 * MINUTE),
        due(20, id="short", timeout=10 * MINUTE),
        due(30, id="long", timeout=WORKER_BUDGET - 20 * SECOND),
        **EVENTBRIDGE,
    )
    report = woken(scene)
    assert (told(report), report.left) == ([("a", *DONE), ("short", *DONE)], 1)
    assert (scene.clock.now, scene.armed) == (NOW + 30 * SECOND, NOW + 2 * MINUTE)


def test_a_wake_whose_budget_is_over_claims_nothing():
    """And leaves in time what it would look after otherwise."""
    scene = a_scene(due(id="a"), due(60, id="near"), **EVENTBRIDGE)
    report = woken(scene, budget=NEAR)
    assert (told(report), scene.clock.slept, scene.armed) == ([("a", *DONE)], [], NOW + 2 * MINUTE)


def test_a_row_that_cannot_be_read_does_not_hold_up_the_timer():
    """Its minute has just passed, which for any other row would mean that a wake is on its way."""
    scene = a_scene(due(-10, id="newer"), due(3600, id="next"), **EVENTBRIDGE)
    scene.store.items["newer"] = {**scene.store.items["newer"], "format": 99}
    assert (woken(scene).armed, scene.armed) == (NOW + HOUR, NOW + HOUR)


def test_a_row_that_another_worker_runs_is_its_to_look_after():
    """Until its lease ends, for which the timer is set like for anything else."""
    scene = a_scene(due(id="theirs"), due(HOUR.total_seconds(), id="next"), **EVENTBRIDGE)
    report = woken(scene, limit=None, stop=lambda: False)
    assert report.armed == NOW + HOUR


# --- errors on the way -------------------------------------------------------------------------------------------


def test_a_store_that_does_not_answer_at_all_is_an_error():
    """Nothing was begun."""
    scene = a_scene(due())
    scene.wire.fail("read control", StoreError("no answer"))
    with pytest.raises(StoreError, match="no answer"):
        woken(scene)


@pytest.mark.parametrize("call", ["read agenda", "read rows", "read control"])
def test_a_store_that_falls_silent_ends_the_claiming(call):
    """What was claimed before is executed and settled; the timer is armed, and the report tells."""
    scene = a_scene(*(due(id=f"t{n:02}") for n in range(20)), **EVENTBRIDGE)
    nth = {"read agenda": 2, "read rows": 2, "read control": 3}[call]
    scene.wire.fail(call, StoreError("no answer"), nth=nth, times=1)
    report = woken(scene, scene.inline_runner())
    assert (len(report.attempts), report.left, report.errors) == (16, 4, ("no answer",))
    assert scene.armed == NOW + 2 * MINUTE


def test_a_store_that_stays_silent_is_reported():
    """Neither the rest nor the timer is known then."""
    scene = a_scene(*(due(id=f"t{n:02}") for n in range(20)))
    scene.wire.fail("read agenda", StoreError("no answer"), nth=2)
    report = woken(scene, scene.inline_runner())
    assert (len(report.attempts), report.left) == (16, 0)
    assert (report.errors, report.timer_error) == (("no answer", "no answer"), "no answer")


def test_a_store_that_falls_silent_while_it_stays_is_reported():
    """It ends; the near moment is the timer's, or the heartbeat's."""
    scene = a_scene(due(id="a"), due(10, id="near"), **EVENTBRIDGE)
    scene.wire.on("put a succeeded", lambda: scene.wire.fail("read wake", StoreError("no answer"), times=1))
    report = woken(scene, scene.inline_runner())
    assert (told(report), report.errors, scene.clock.slept) == ([("a", *DONE)], ("no answer",), [])


def test_a_claim_that_cannot_be_written_hinders_no_other():
    """The row is left; the others run."""
    scene = a_scene(due(id="a"), due(id="b"), **EVENTBRIDGE)
    scene.wire.fail("put a", StoreError("no answer"))
    report = woken(scene)
    assert (told(report), set(report.errors), report.left) == ([("b", *DONE)], {"a: no answer"}, 1)
    assert scene.armed == NOW + 2 * MINUTE


def test_an_outcome_that_cannot_be_written_is_reported():
    """The lease ends, and the task is attempted again: at least once."""
    scene = a_scene(due(id="a"), due(id="b"))
    scene.wire.fail("put a succeeded", StoreError("no answer"))
    report = woken(scene)
    assert (told(report), report.errors) == ([("a", "succeeded", "running"), ("b", *DONE)], ("a: no answer",))
    assert scene.armed == NOW + 2 * MINUTE


def test_a_claim_that_took_long_shortens_the_attempt():
    """It is given up in time for its lease: two of one task never overlap."""
    scene = a_scene(due())
    scene.wire.after = lambda name: scene.clock.sleep(70) if name.endswith("running") else None
    seen = []
    woken(scene, scene.inline_runner(APPLY_SALE=lambda _, attempt: seen.append((scene.clock.now, attempt.deadline))))
    assert seen == [(NOW + 70 * SECOND, NOW + 80 * SECOND)]


def test_a_claim_that_took_too_long_is_not_executed():
    """Its lease is as good as over."""
    scene = a_scene(due())
    scene.wire.after = lambda name: scene.clock.sleep(81) if name.endswith("running") else None
    report = woken(scene)
    assert (report.attempts, scene.executed, scene.row().state) == ((), [], State.RUNNING)
    assert report.errors == ("some task id: the claim took too long: attempted again after its lease",)
    scene.wire.heal()
    scene.clock.now = scene.row().wake_at
    assert [(each.attempt, each.outcome.value) for each in woken(scene).attempts] == [(2, "succeeded")]


def test_whatever_stops_a_wake_the_timer_is_armed():
    """An error that nobody expected passes through, after that."""
    scene = a_scene(due(), due(3600, id="next"))
    scene.wire.fail("put some task id succeeded", RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        woken(scene)
    assert scene.armed == NOW + 2 * MINUTE


def test_paused_meanwhile_the_timer_may_be_set_once_more():
    """The wake at that minute finds the pause; resume arms."""
    scene = a_scene(due(id="a"), due(3600, id="next"), **EVENTBRIDGE)
    woken(scene, scene.inline_runner(APPLY_SALE=lambda *_: pause(scene.beside(), by="ann", reason=None) and None))
    assert (scene.timer.writes, len(woken(scene).attempts)) == ([NOW + 2 * MINUTE, NOW + HOUR], 0)


def test_a_wake_beside_a_runner_that_still_has_others_attempts_minds_its_own():
    """A wake that was cut off left them: their outcomes belong to no claim of this one."""
    scene = a_scene(due(id="a"))
    runner = scene.runner()
    stray = due(id="stray", attempt=1)
    runner.start("stray token", stray, Attempt.of_row(stray, NOW), MINUTE)
    assert told(woken(scene, runner)) == [("a", *DONE)]
