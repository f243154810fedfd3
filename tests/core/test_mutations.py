"""Faults planted in the core, each of which the tests of the core must notice."""

from __future__ import annotations

import os

import planting
import pytest

if not hasattr(os, "fork"):
    pytest.skip("faults are planted in forked processes", allow_module_level=True)

TABLE = "core/test_lifecycle_table.py"
TIME = "core/test_lifecycle_time.py"
PLAN_TABLE = "core/test_plan_table.py"
GONE = "core/test_plan_table_gone.py"
LIMITS = "core/test_plan_limits.py"
PLAN = "core/test_plan.py"
DIGEST = "core/test_plan_digest.py"
TIMING = "core/test_timing.py"
CANONICAL = "core/test_canonical.py"

# What is wrong: the module, its text, what stands there instead, and the tests that notice.
FAULTS = {
    "the lease has no margin": ("lifecycle", "row.task.timeout + LEASE_MARGIN", "row.task.timeout", [TIME]),
    "an outcome needs no token": ("lifecycle", " or row.claim.token != token", "", [TIME]),
    "a claim is not counted": (
        "lifecycle",
        "attempt=row.attempt + 1,\n        claim=",
        "attempt=row.attempt,\n        claim=",
        [TIME],
    ),
    "one attempt too many": ("lifecycle", "row.attempt >= row.task.retry.attempts", "row.attempt > 5", [TIME]),
    "one retry too many": ("lifecycle", "row.attempt < row.task.retry.attempts", "row.attempt <= 5", [TIME]),
    "a retry ignores soonest": ("lifecycle", "wake_at=max(rested, soonest)", "wake_at=rested", [TIME]),
    "grace ends a moment early": (
        "lifecycle",
        "return now > row.task.due + grace",
        "return now >= row.task.due + grace",
        [TIME],
    ),
    "grace counts against a person": ("lifecycle", " or row.requested_at is not None", "", [TIME]),
    "a defer begins anew each time": ("lifecycle", "since = row.deferred_since or now", "since = now", [TIME]),
    "a lease that is not over is taken": ("lifecycle", " or row.wake_at > now", "", [TIME]),
    "an expired lease leaves no trace": (
        "lifecycle",
        "expired = _close(row, now, HistoryOutcome.LEASE_EXPIRED, None)",
        "expired = row",
        [TIME],
    ),
    "a timed-out attempt is retried at once": (
        "lifecycle",
        "lease_end = max(row.claim.lease_end, hosted_until or row.claim.lease_end)",
        "lease_end = now",
        [TIME],
    ),
    "the version stays": ("lifecycle", "version=before.version + 1", "version=before.version", [TABLE]),
    "the generation stays": ("lifecycle", "generation=row.generation + 1,", "generation=row.generation,", [TABLE]),
    "a create ignores soonest": ("lifecycle", "max(declared.task.due, by.soonest)", "declared.task.due", [TABLE]),
    "a tombstone forgets the lease": ("lifecycle", "claim=_held(superseded, by.now),", "claim=None,", [TABLE]),
    "a skipped edit forgets the lease": ("lifecycle", "replace(missed, claim=scheduled.claim)", "missed", [TABLE]),
    "nothing waits for an old lease": ("lifecycle", "max(moment, row.claim.lease_end)", "moment", [TABLE]),
    "a superseded worker may settle": ("lifecycle", "claim=replace(row.claim, token=None)", "claim=row.claim", [TABLE]),
    "a forgotten row that is back expires": (
        "lifecycle",
        "source=_source(declared, by),\n        expires_at=None,\n    )\n    return _written_over(row, edited)",
        "source=_source(declared, by),\n    )\n    return _written_over(row, edited)",
        [TABLE],
    ),
    "an edit of the past runs again": (
        "decision",
        "row.state is State.SUCCEEDED and declared.task.due < by.now",
        "row.state is State.SUCCEEDED and not by.now",
        [PLAN_TABLE],
    ),
    "a default grace covers": (
        "decision",
        "declared.own_grace and grace is not None",
        "grace is not None",
        [PLAN_TABLE],
    ),
    "a grace that ends before the start covers": (
        "decision",
        "_covered(declared, by.soonest)",
        "_covered(declared, by.now)",
        [PLAN_TABLE],
    ),
    "a due that is near is late": ("decision", "if due < by.now and not", "if due < by.soonest and not", [PLAN_TABLE]),
    "a policy edit starts over": (
        "decision",
        "row.digests.execution == digests.execution",
        "row.digests == digests",
        [PLAN_TABLE],
    ),
    "a dead task is protected": (
        "decision",
        "row.task.protect and row.state is not State.DEAD",
        "row.task.protect",
        [GONE],
    ),
    "what is forgotten is forgotten again": (
        "decision",
        "    if row.expires_at is not None:\n        return None\n",
        "",
        [GONE],
    ),
    "one delete too many is allowed": (
        "limits",
        "deletes > options.max_deletes",
        "deletes > options.max_deletes + 1",
        [LIMITS],
    ),
    "a few deletes are too many": ("limits", "deletes > FEW_DELETES", "deletes >= FEW_DELETES", [LIMITS]),
    "any number allows": ("limits", "reason is not None and deletes not in options.deletes", "reason is not None and not options.deletes", [LIMITS]),
    "rows of others are pending": ("plan", "row.owner == owner and (row.state", "(row.state", [LIMITS]),
    "rows of others are deleted": ("plan", "row.owner == owner and row.expires_at", "row.expires_at", [GONE]),
    "an empty repository deletes all": ("limits", "standing.desired == 0 and pending", "False", [LIMITS]),
    "the digest forgets the policy": ("plan", "[each.execution, each.task]", "[each.execution]", [DIGEST]),
    "the digest forgets that it runs again": ("plan", 'note == "runs-again" or ', "", [DIGEST]),
    "an error does not stop the plan": ("plan", "each.severity is Severity.ERROR", "False", [PLAN]),
    "changes are sorted by id alone": ("plan", "(change.due, change.id)", "change.id", [PLAN]),
    "the target is rounded down": (
        "timing",
        "minute = ceil_minute(wake_at)",
        "minute = wake_at.replace(second=0, microsecond=0)",
        [TIMING],
    ),
    "a wake on its way is postponed": (
        "timing",
        "now < minute + _MINUTE + delivery",
        "now < minute + _MINUTE",
        [TIMING],
    ),
    "soonest is no whole minute": ("timing", "ceil_minute(now + lead) if lead", "now + lead if lead", [TIMING]),
    "the backoff has no end": ("timing", "if full * 2 >= retry.max_backoff:", "if False:", [TIMING]),
    "the jitter goes below half": ("timing", "full / 2 + full / 2 * jitter", "full * jitter", [TIMING]),
    "an ambiguous hour is a gap": ("timing", "fold=0) == local", "fold=0) != local", [TIMING]),
    "a small number becomes zero": ("canonical", " or abs(value) < _NORMAL_MIN", "", [CANONICAL]),
    "the digest forgets the action": ("canonical", "task.action, task.payload]", "task.payload]", [CANONICAL]),
}
NO_FAULT = "no fault"
NOTICED, ALL_PASS = 1, 0


@pytest.fixture(scope="module")
def statuses():
    """Return how pytest ended with each fault planted."""
    asked = [(*fault[:3], fault[3]) for fault in FAULTS.values()]
    every = sorted({name for fault in FAULTS.values() for name in fault[3]})
    asked.append(("lifecycle", "", "", every))
    return dict(zip([*FAULTS, NO_FAULT], planting.statuses(asked, "--hypothesis-profile=planted"), strict=True))


def test_without_a_fault_every_test_passes(statuses):
    """What notices a fault is the fault, not the way it was planted."""
    assert statuses[NO_FAULT] == ALL_PASS


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(statuses, fault):
    """A test of the core fails where the fault is planted."""
    assert statuses[fault] == NOTICED
