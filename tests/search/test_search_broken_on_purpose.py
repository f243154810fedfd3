"""Rules of the protocols, broken on purpose: the search finds each, with three preemptions or less."""

from __future__ import annotations

import os

import planting
import pytest

if not hasattr(os, "fork"):
    pytest.skip("rules are broken in forked processes", allow_module_level=True)

# The rule: the module that holds it, its text, what stands there instead, the configuration, and the preemptions.
RULES = {
    "look again after writing": (
        "arm",
        "if _wanted(backend, _look(backend, next_wake)) == minute:",
        "if True:",
        "timer-writers",
    ),
    "always write": (
        "arm",
        "        backend.timer.arm(written)",
        "        if backend.timer.armed() != written:\n            backend.timer.arm(written)",
        "timer-taken_away",
    ),
    "round up": (
        "timing",
        "minute = ceil_minute(wake_at)",
        "minute = wake_at.replace(second=0, microsecond=0)",
        "timer-killed_late",
    ),
    "do not push what may be on its way": (
        "timing",
        "if now < asked_for + _MINUTE + delivery:",
        "if False:",
        "timer-on_its_way_late",
    ),
    "do not write what is near": (
        "arm",
        "minute < backend.clock() + backend.timer.near",
        "False",
        "timer-near_writer",
    ),
    "no wake nearer than soonest": (
        "backend",
        "return soonest(self.clock(), self.timer.lead)",
        "return self.clock()",
        "timer-a_retry",
    ),
    "resume sets not_before": (
        "control",
        "pause=None, not_before=moment",
        "pause=None, not_before=None",
        "timer-a_resume",
    ),
    "arm before executing": (
        "wake",
        "                    self._arm()\n                    self._execute(claimed)",
        "                    self._execute(claimed)\n                    self._arm()",
        "timer-killed_late",
    ),
    "arm at the end": (
        "wake",
        "            self._ended = True\n            self._arm()",
        "            self._ended = True",
        "timer-failing_alone",
    ),
    "stay for what is near": (
        "wake",
        "moment = self._next_moment() if self._near and self._goes_on() else None",
        "moment = None",
        "timer-staying_slow",
    ),
    "walk again for what became due": (
        "wake",
        "if self._stopped or (moment is not None and moment <= now):",
        "if self._stopped:",
        "timer-staying_slow",
    ),
    "arm after a person's word": ("intervene", "            arm(backend, mine=wanted.wake_at)\n", "", "timer-a_retry"),
    "write on the version that was read": (
        "store.memory",
        "if version != expect_version:",
        "if False:",
        "lease-two_workers",
    ),
    "a lease outlasts its timeout": (
        "lifecycle",
        "row.task.timeout + LEASE_MARGIN",
        "row.task.timeout",
        "lease-hanging",
    ),
    "settle with the own token": ("lifecycle", " or row.claim.token != token", "", "lease-failing"),
    "an edit waits for the old lease": (
        "lifecycle",
        "wake_at=_not_before_lease(row, max(declared.task.due, by.soonest))",
        "wake_at=max(declared.task.due, by.soonest)",
        "lease-edited",
    ),
    "a tombstone keeps the lease": (
        "lifecycle",
        "        claim=_held(superseded, by.now),\n        expires_at",
        "        expires_at",
        "lease-deleted",
    ),
    "the order of commits is guarded": (
        "live_plan",
        "if last is not None and not is_ancestor(last, commit):",
        "if False:",
        "apply-edits_together",
    ),
    "what is being applied is recorded": (
        "apply",
        "                self._lock.applying(self._request.commit)",
        "                pass",
        "apply-creates_killed",
    ),
    "a lock that is held is not taken": (
        "control",
        "mine.lock.lease_end + CLOCK_SKEW > now:",
        "False:",
        "apply-edits_together",
    ),
    "a lock may be taken when its lease is over, not before": (
        "control",
        "mine.lock.lease_end + CLOCK_SKEW > now:",
        "mine.lock.lease_end - LOCK_LEASE / 2 > now:",
        "apply-edits_together",
    ),
    "the lock is one's own by its token": (
        "control",
        "        if mine.lock.token != self._token:",
        "        if False:",
        "apply-reverted_expired",
    ),
    "a lock whose answer was lost is one's own": (
        "control",
        "others = mine.lock is not None and mine.lock.token != self._token",
        "others = True",
        "apply-edits_beside_a_pause",
    ),
}
FAILED, PASSED = 1, 0
TEST = "search/test_search.py::test_whatever_the_schedule_all_is_well"
CASES = {rule: (*how[:3], [f"{TEST}[{how[3]}]"]) for rule, how in RULES.items()}


@pytest.fixture(scope="module")
def statuses():
    """Return how pytest ended in each case."""
    return dict(zip(CASES, planting.statuses(list(CASES.values()), "-p", "no:hypothesispytest"), strict=True))


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_found(statuses, rule):
    """The configuration that is named for the rule finds it; unbroken it passes (`test_search`)."""
    assert statuses[rule] == FAILED
