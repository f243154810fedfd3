"""Every rule of the protocols, broken on purpose: the named tests notice, and without it they pass."""

from __future__ import annotations

import os

import planting
import pytest

if not hasattr(os, "fork"):
    pytest.skip("rules are broken in forked processes", allow_module_level=True)

ARM = "protocol/test_arm.py"
APPLY = "protocol/test_apply.py"
STOPPED = "protocol/test_apply_stopped.py"
WAKE = "protocol/test_wake.py"
RACES = "protocol/test_wake_races.py"
TIMER = "protocol/test_wake_timer.py"
LEAVES = "protocol/test_wake_leaves.py"
RESUMED = "protocol/test_wake_resumed.py"
TIMEOUTS = "protocol/test_wake_timeouts.py"
ORDERS = "search/test_interleavings.py"
INTERVENE = "protocol/test_intervene.py"
CONTROL = "protocol/test_control.py"
EXECUTE = "protocol/test_execute.py"
LOADER = "protocol/test_action_loader.py"
REHEARSAL = "protocol/test_rehearsal.py"
BACKEND = "protocol/test_backend.py"

# The rule: the module that holds it, its text, what stands there instead, and the tests that notice, each alone.
RULES = {
    # --- the arm protocol
    "look again after writing": (
        "arm",
        "if _wanted(backend, _look(backend, next_wake)) == minute:",
        "if True:",
        [
            f"{ORDERS}::test_two_writers_and_a_worker",
            f"{ORDERS}::test_one_writer_brings_the_earliest_and_another_takes_it_away",
            f"{ORDERS}::test_two_applies_of_two_owners",
            f"{ARM}::test_the_second_look_sees_that_the_earliest_is_later_now",
        ],
    ),
    "look again at later moments too": (
        "arm",
        "if _wanted(backend, _look(backend, next_wake)) == minute:",
        "if (_wanted(backend, _look(backend, next_wake)) or minute) >= minute:",
        [f"{ARM}::test_the_second_look_sees_that_the_earliest_is_later_now"],
    ),
    "look by itself after writing": (
        "arm",
        "        seen = None\n",
        "",
        [f"{ARM}::test_what_the_caller_saw_is_a_first_look_and_no_more"],
    ),
    "walk again for what became due": (
        "wake",
        "if self._stopped or (moment is not None and moment <= now):",
        "if self._stopped:",
        [f"{TIMER}::test_on_a_timer_with_a_lead_it_walks_again_for_what_became_due"],
    ),
    "always write": (
        "arm",
        "        backend.timer.arm(written)",
        "        if backend.timer.armed() != written:\n            backend.timer.arm(written)",
        [f"{ARM}::test_it_always_writes"],
    ),
    "round up": (
        "timing",
        "minute = ceil_minute(wake_at)",
        "minute = wake_at.replace(second=0, microsecond=0)",
        [
            f"{ARM}::test_a_moment_ahead_is_rounded_up_to_a_minute",
            "protocol/test_faults_of_the_original.py::test_due_at_half_past_a_minute_fires_after_it",
        ],
    ),
    "leave what may be on its way": (
        "timing",
        "if now < asked_for + _MINUTE + delivery:",
        "if False:",
        [f"{ARM}::test_a_minute_whose_wake_may_be_on_its_way_is_left"],
    ),
    "do not write what is near": (
        "arm",
        "minute < backend.clock() + backend.timer.near",
        "False",
        [f"{ARM}::test_a_near_minute_is_not_written_first"],
    ),
    "write what is near once something was written": (
        "arm",
        "first and minute != own and minute <",
        "minute != own and minute <",
        [f"{ARM}::test_a_row_that_came_and_is_near_is_written_after_all"],
    ),
    "give up": (
        "arm",
        "ROUNDS_MAX = 8",
        "ROUNDS_MAX = 3",
        [f"{ARM}::test_it_gives_up_when_the_earliest_wake_will_not_hold_still"],
    ),
    "not before not_before": (
        "arm",
        "wake_at = max(wake_at, look.control.not_before)",
        "pass",
        [f"{ARM}::test_nothing_is_armed_before_not_before"],
    ),
    "leave the timer while paused": (
        "arm",
        " or look.control.pause is not None",
        "",
        [f"{ARM}::test_paused_it_leaves_the_timer"],
    ),
    "no wake nearer than soonest": (
        "backend",
        "return soonest(self.clock(), self.timer.lead)",
        "return self.clock()",
        [
            f"{BACKEND}::test_soonest_is_the_first_moment_the_timer_can_serve",
            f"{WAKE}::test_a_failed_task_is_tried_again_after_its_backoff",
            f"{INTERVENE}::test_a_dead_or_missed_task_is_scheduled_again",
        ],
    ),
    "no wake nearer than soonest in a long apply": (
        "apply",
        "row=not_before(each.result, each.before, soonest)",
        "row=each.result",
        [f"{APPLY}::test_a_long_apply_sets_no_wake_nearer_than_the_timer_can_serve"],
    ),
    "arm during a long apply": (
        "apply",
        "if now - self._armed_at >= ARM_EVERY:",
        "if False:",
        [f"{APPLY}::test_a_long_apply_arms_for_what_it_wrote_first"],
    ),
    # --- apply
    "write rows before arming": (
        "apply",
        "    try:\n        writing.run()\n    finally:\n        try:",
        "    if True:\n        try:",
        [f"{APPLY}::test_the_order_of_an_apply"],
    ),
    "arm whatever happens": (
        "apply",
        "    try:\n        writing.run()\n    finally:\n        try:",
        "    writing.run()\n    if True:\n        try:",
        [f"{STOPPED}::test_whatever_stops_it_the_timer_is_armed_and_the_lock_is_free"],
    ),
    "what is being applied is recorded": (
        "apply",
        "                self._lock.applying(self._request.commit)",
        "                pass",
        [
            f"{APPLY}::test_what_is_being_applied_stands_in_the_row_from_before_the_first_write_until_after_the_last",
            f"{STOPPED}::test_a_signal_stops_it_between_two_writes",
        ],
    ),
    "what failed is not recorded as applied": (
        "apply",
        "return self.stopped is None and not failed",
        "return True",
        [f"{APPLY}::test_a_failed_write_is_told_and_the_rest_goes_on"],
    ),
    "the order of commits is guarded": (
        "live_plan",
        "if last is not None and not is_ancestor(last, commit):",
        "if False:",
        ["protocol/test_apply_refused.py::test_a_commit_that_does_not_come_after_the_last_is_refused"],
    ),
    "earliest effect first": (
        "apply",
        "key=_effect)",
        "key=lambda change: change.id)",
        [f"{APPLY}::test_what_takes_effect_first_is_written_first"],
    ),
    "a lost lock stops it": (
        "apply",
        "                self._lock.ensure()\n",
        "",
        [f"{STOPPED}::test_a_lost_lock_stops_it"],
    ),
    # --- the lock
    "the lock is waited for": (
        "control",
        "mine.lock.lease_end + CLOCK_SKEW > now",
        "mine.lock.lease_end > now",
        [f"{CONTROL}::test_a_lock_is_free_once_its_lease_is_over_on_any_clock"],
    ),
    "a lock is its holder's": (
        "control",
        "if mine.lock.token != self._token:",
        "if False:",
        [f"{CONTROL}::test_a_lock_that_somebody_else_has_taken_is_lost"],
    ),
    "the lease is renewed": (
        "control",
        "lock = None if mine.lock is None else replace(mine.lock, lease_end=self._lease_end)",
        "lock = mine.lock",
        [f"{CONTROL}::test_the_lease_is_renewed_at_half_time"],
    ),
    "resume sets not_before": (
        "control",
        "pause=None, not_before=moment",
        "pause=None",
        [f"{CONTROL}::test_resuming_lets_claim_from_the_first_moment_the_timer_can_serve"],
    ),
    # --- the wake
    "no claim before not_before": (
        "wake",
        "return control.not_before is not None and now < control.not_before",
        "return False",
        [f"{WAKE}::test_after_a_resume_it_waits_for_the_timer"],
    ),
    "stay for the first moment after a resume": (
        "wake",
        "    if resumed is not None:\n",
        "    if False:\n",
        [f"{RESUMED}::test_by_a_clock_that_is_behind_a_wake_stays_for_the_first_moment_after_a_resume"],
    ),
    "stay for a resume only where it is near": (
        "wake",
        "return moment if moment is not None and moment - now <= backend.timer.near else None",
        "return moment",
        [
            f"{RESUMED}::test_it_stays_as_far_as_nothing_would_be_armed",
            f"{WAKE}::test_after_a_resume_it_waits_for_the_timer",
        ],
    ),
    "look again after staying for a resume": (
        "wake",
        "        _sleep_until(backend, resumed, request.stop)\n        control = backend.store.control()\n",
        "        _sleep_until(backend, resumed, request.stop)\n",
        [
            f"{RESUMED}::test_paused_again_while_it_waits_it_does_nothing",
            f"{RESUMED}::test_paused_and_resumed_again_while_it_waits_it_leaves_it_to_the_later_moment",
        ],
    ),
    "a standing clock waits for no resume": (
        "wake",
        "if backend.standing or control.pause is not None or not _waits(control, now):",
        "if control.pause is not None or not _waits(control, now):",
        [f"{RESUMED}::test_a_standing_clock_does_not_wait"],
    ),
    "hear the wish to stop while waiting": (
        "wake",
        ".total_seconds()) > 0 and not stop():",
        ".total_seconds()) > 0:",
        [
            f"{RESUMED}::test_while_it_waits_it_hears_the_wish_to_stop",
            f"{TIMER}::test_a_wake_that_stays_hears_the_wish_to_stop",
        ],
    ),
    "hear a pause": (
        "wake",
        "        if self._walks:\n",
        "        if False:\n",
        [f"{WAKE}::test_a_pause_in_the_middle_is_heard_at_the_next_walk"],
    ),
    "arm before executing": (
        "wake",
        "                    self._arm()\n                    self._execute(claimed)",
        "                    self._execute(claimed)\n                    self._arm()",
        [f"{WAKE}::test_the_order_of_a_wake", f"{TIMER}::test_the_timer_is_set_before_an_action_runs"],
    ),
    "arm at the end whatever happens": (
        "wake",
        "            self._ended = True\n            self._arm()",
        "            self._ended = True",
        [
            f"{TIMER}::test_the_timer_is_set_again_at_the_end",
            f"{WAKE}::test_a_failed_task_is_tried_again_after_its_backoff",
        ],
    ),
    "walk again after the last outcome": (
        "wake",
        "                elif not self._stay():\n                    break",
        "                if not self._runner.busy:\n                    break",
        [f"{WAKE}::test_more_rows_than_a_page_are_all_done", f"{TIMER}::test_more_tasks_than_slots_are_all_done"],
    ),
    "walk again while actions run": (
        "wake",
        "self._settle(self._runner.wait(self._seconds_to_next()))",
        "self._settle(self._runner.wait())",
        [f"{TIMER}::test_what_becomes_due_while_an_action_runs_does_not_wait_for_it"],
    ),
    "look for what is written for this moment": (
        "wake",
        "waits = [] if self._backend.timer.lead else [POLL_SECONDS]",
        "waits: list[float] = []",
        [f"{TIMER}::test_without_a_lead_it_notices_what_is_written_for_this_moment"],
    ),
    "stay for what is near": (
        "wake",
        "moment = self._next_moment() if self._near and self._goes_on() else None",
        "moment = None",
        [f"{TIMER}::test_a_wake_stays_for_what_is_too_near_for_the_timer"],
    ),
    "stay as far as nothing is armed": (
        "wake",
        "if moment is None or moment > self._backend.clock() + self._near:",
        "if moment is None or moment >= self._backend.clock() + self._near:",
        [f"{TIMER}::test_a_wake_stays_for_what_the_timer_would_not_be_written_for"],
    ),
    "arm for what is left behind": (
        "wake",
        "        if not leaves:\n",
        "        if not leaves or leaves:\n",
        [
            f"{TIMER}::test_what_a_limit_leaves_gets_the_first_minute_there_is",
            f"{TIMER}::test_an_attempt_that_cannot_finish_is_left_for_a_fresh_wake",
            f"{TIMEOUTS}::test_a_process_that_hosts_a_hung_attempt_looks_after_nothing_more",
        ],
    ),
    "ask the timer at once for what is left behind": (
        "wake",
        "elif self._leaves_anew():",
        "elif False:",
        [
            f"{LEAVES}::test_a_wake_that_stays_asks_the_timer_at_once_for_what_it_left_behind",
            f"{LEAVES}::test_a_wake_with_an_action_running_asks_the_timer_at_once_for_what_it_left_behind",
        ],
    ),
    "keep the moment that was asked for": (
        "wake",
        "if self._left_for is None or now >= self._left_for + WAKE_COMES + self._backend.timer.delivery:",
        "if True:",
        [f"{LEAVES}::test_what_is_left_behind_keeps_the_moment_that_was_asked_for"],
    ),
    "ask anew when the wake did not come": (
        "wake",
        "if self._left_for is None or now >= self._left_for + WAKE_COMES + self._backend.timer.delivery:",
        "if self._left_for is None:",
        [f"{LEAVES}::test_a_moment_whose_wake_did_not_come_is_asked_for_anew"],
    ),
    "what was served is asked for no more": (
        "wake",
        "            self._left_for = None\n            return first",
        "            return first",
        [f"{LEAVES}::test_what_another_worker_took_is_asked_for_no_more"],
    ),
    "look after what was near at the beginning": (
        "wake",
        "self._horizon = self._began + self._near",
        "self._horizon = self._began",
        [f"{TIMER}::test_what_was_near_when_a_wake_began_is_its_to_look_after"],
    ),
    "do not put off what is near": (
        "wake",
        "return self._left_for if first is None else min(first, self._left_for)",
        "return self._left_for",
        [f"{TIMER}::test_what_is_left_does_not_put_off_a_minute_that_is_near"],
    ),
    "arm for a retry while others run": (
        "wake",
        "if unfinished and self._runner.busy:",
        "if False:",
        [f"{TIMER}::test_a_retry_does_not_wait_for_what_still_runs"],
    ),
    "pass over what cannot be read": (
        "agenda_walk",
        "        self._passed_over.update(walking.unreadable)\n",
        "",
        [f"{TIMER}::test_a_row_that_cannot_be_read_does_not_hold_up_the_timer"],
    ),
    "a standing clock shows each row once": (
        "agenda_walk",
        "        if self._backend.standing:\n",
        "        if False:\n",
        [f"{WAKE}::test_a_standing_clock_handles_each_due_row_once"],
    ),
    "claim what a policy edit came before": (
        "agenda_walk",
        "won = self._take_again(step, answer.found)",
        "won = None",
        [f"{RACES}::test_a_claim_that_loses_to_a_policy_edit_is_tried_again"],
    ),
    "know the own claim under a policy edit": (
        "agenda_walk",
        "if found.claim is not None and found.claim.token == lost.token:",
        "if False:",
        [f"{RACES}::test_a_claim_whose_answer_is_lost_before_a_policy_edit_is_executed"],
    ),
    "know the claim that was made last": (
        "agenda_walk",
        "lost, found = step, answer.found",
        "found = answer.found",
        [f"{RACES}::test_a_second_claim_whose_answer_is_lost_before_a_policy_edit_is_executed"],
    ),
    "know the own outcome under an edit": (
        "settling",
        "if settled is None and lifecycle.was_settled(found, claimed, finished.outcome):",
        "if False:",
        [f"{RACES}::test_an_outcome_whose_answer_is_lost_before_an_edit_was_recorded"],
    ),
    "settle what a policy edit came before": (
        "settling",
        "            found = answer.found\n    except",
        "            break\n    except",
        [f"{RACES}::test_a_policy_edit_during_a_run_is_not_lost"],
    ),
    "claim only what can finish": (
        "agenda_walk",
        "if claims >= self._walk.places or not self._walk.can_finish(row, self._walk.now):",
        "if claims >= self._walk.places:",
        [f"{TIMER}::test_an_attempt_that_cannot_finish_is_left_for_a_fresh_wake"],
    ),
    "a fresh wake may begin what is as long as its budget": (
        "wake",
        "(START_SLACK if fresh else timedelta(0))",
        "timedelta(0)",
        [f"{TIMER}::test_an_attempt_as_long_as_the_budget_starts_in_a_fresh_wake"],
    ),
    "end before the lease of what hangs": (
        "wake",
        "        self._end = min(self._end, max(leases) - LEASE_MARGIN / 2)\n",
        "",
        [
            f"{TIMEOUTS}::test_a_process_that_hosts_a_hung_attempt_looks_after_nothing_more",
            f"{TIMEOUTS}::test_beside_a_hung_attempt_only_what_ends_before_its_lease_is_begun",
        ],
    ),
    "draw out the lease of what hangs": (
        "wake",
        "(row, *self._claimed.values())",
        "(row,)",
        [f"{TIMEOUTS}::test_what_runs_beside_a_hung_attempt_may_finish"],
    ),
    "an attempt ends before its lease": (
        "wake",
        "timeout = min(each.row.task.timeout, lease_end - CLOCK_SKEW - now)",
        "timeout = each.row.task.timeout",
        [
            f"{TIMER}::test_a_claim_that_took_long_shortens_the_attempt",
            f"{TIMER}::test_a_claim_that_took_too_long_is_not_executed",
        ],
    ),
    # --- rows
    "write on the version that was read": (
        "store.memory",
        "if version != expect_version:",
        "if False:",
        [
            f"{RACES}::test_two_workers_at_once_execute_a_due_task_once",
            f"{RACES}::test_a_policy_edit_during_a_run_is_not_lost",
            f"{ORDERS}::test_two_workers_execute_a_due_task_once",
            f"{APPLY}::test_a_row_that_changed_since_the_plan_is_a_conflict_and_the_rest_goes_on",
        ],
    ),
    "know the own write": (
        "store.items",
        'return refused.found is not None and refused.found.get("write_id") == item["write_id"]',
        "return False",
        [f"{APPLY}::test_a_write_whose_answer_is_lost_is_no_conflict"],
    ),
    "settle with the own token": (
        "lifecycle",
        " or row.claim.token != token",
        "",
        [f"{RACES}::test_a_late_outcome_does_not_settle_the_attempt_of_another_worker"],
    ),
    "a lease outlasts its timeout": (
        "lifecycle",
        "row.task.timeout + LEASE_MARGIN",
        "row.task.timeout",
        [f"{WAKE}::test_a_claim_says_until_when_it_holds"],
    ),
    "count at the claim": (
        "lifecycle",
        "state=State.RUNNING,\n        attempt=row.attempt + 1,",
        "state=State.RUNNING,\n        attempt=row.attempt,",
        [
            f"{WAKE}::test_a_task_whose_attempts_are_used_up_is_dead",
            f"{WAKE}::test_a_due_task_is_executed_and_its_outcome_recorded",
        ],
    ),
    "a hung attempt keeps its row": (
        "lifecycle",
        "lease_end = max(row.claim.lease_end, hosted_until or row.claim.lease_end)",
        "lease_end = now",
        [f"{TIMEOUTS}::test_a_row_whose_attempt_hangs_stays_running_until_its_lease_ends"],
    ),
    "a tombstone keeps the lease": (
        "lifecycle",
        "        claim=_held(superseded, by.now),\n        expires_at",
        "        expires_at",
        [f"{RACES}::test_a_superseding_delete_and_its_return_start_nothing_before_the_old_lease_ends"],
    ),
    "an edit waits for the old lease": (
        "lifecycle",
        "wake_at=_not_before_lease(row, max(declared.task.due, by.soonest))",
        "wake_at=max(declared.task.due, by.soonest)",
        [f"{RACES}::test_a_superseding_edit_starts_nothing_before_the_old_lease_ends"],
    ),
    "a person waits for the old lease": (
        "lifecycle",
        "wake_at=_not_before_lease(row, soonest)",
        "wake_at=soonest",
        [f"{INTERVENE}::test_a_superseded_attempt_is_waited_for"],
    ),
    "arm after a person's word": (
        "intervene",
        "            arm(backend, mine=wanted.wake_at)\n",
        "",
        [f"{INTERVENE}::test_a_retry_is_written_before_the_timer_is_set"],
    ),
    "a rehearsal heeds a pause": (
        "rehearsal",
        "if idle is not None:",
        "if False:",
        [f"{REHEARSAL}::test_paused_it_would_do_nothing"],
    ),
    # --- execution
    "an action gets a copy": (
        "execute",
        "copy.deepcopy(payload)",
        "payload",
        [
            f"{EXECUTE}::test_an_action_cannot_alter_the_payload",
            f"{WAKE}::test_an_action_that_alters_its_payload_alters_nothing_else",
        ],
    ),
    "an action cannot end the process": (
        "execute",
        "except BaseException as error:",
        "except Exception as error:",
        [f"{EXECUTE}::test_whatever_an_action_raises_is_a_failed_attempt"],
    ),
    "a timeout holds": (
        "execute",
        "patience = max(first_end - time.monotonic(), 0.0)",
        "patience = 2.5",
        [f"{EXECUTE}::test_a_function_is_given_up_at_its_timeout"],
    ),
    "a hung attempt takes its place": (
        "execute",
        " - sum(1 for each in self._given_up if each.is_alive())",
        "",
        [f"{TIMEOUTS}::test_a_hung_attempt_takes_a_place"],
    ),
    "what a hung attempt says later is not heard": (
        "execute",
        "mine = [each for each in done if self._running.pop(each.token, None) is not None]",
        "mine = [each for each in done if self._running.pop(each.token, None) or True]",
        [f"{EXECUTE}::test_a_function_is_given_up_at_its_timeout"],
    ),
    "a message has a bound": (
        "execute",
        "data[:MESSAGE_BYTES_MAX]",
        "data",
        [f"{EXECUTE}::test_what_an_action_returns_becomes_the_message"],
    ),
    "modules know their packages": (
        "action_loader",
        "        setattr(sys.modules[parent], short, module)  # as an import statement does\n",
        "        pass\n",
        [f"{LOADER}::test_a_module_registers_its_actions"],
    ),
}
UNBROKEN = "unbroken"
FAILED, PASSED = 1, 0


def _cases():
    """Yield every pair of a rule and a test that notices, and what to run for it."""
    for rule, (module, text, replacement, tests) in RULES.items():
        for test in tests:
            yield (rule, test), (module, text, replacement, [test])
    every = sorted({test for *_, tests in RULES.values() for test in tests})
    yield (UNBROKEN, "all"), ("arm", "", "", every)


CASES = dict(_cases())


@pytest.fixture(scope="module")
def statuses():
    """Return how pytest ended in each case."""
    answers = planting.statuses(list(CASES.values()), "-p", "no:hypothesispytest")
    return dict(zip(CASES, answers, strict=True))


def test_unbroken_every_test_passes(statuses):
    """What notices a broken rule is that, and not the way in which it was broken."""
    assert statuses[UNBROKEN, "all"] == PASSED


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_noticed(statuses, rule):
    """Each test that is named for the rule fails, by itself."""
    assert [(test, statuses[rule, test]) for test in RULES[rule][3]] == [(test, FAILED) for test in RULES[rule][3]]
