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
ALLOWED = "core/test_plan_allowed.py"
TRAILERS = "core/test_trailers.py"
PLAN = "core/test_plan.py"
DIGEST = "core/test_plan_digest.py"
TIMING = "core/test_timing.py"
CANONICAL = "core/test_canonical.py"
THREE_WAY = "core/test_three_way.py"

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
    "any number allows": (
        "limits",
        "reason is not None and deletes not in options.deletes",
        "reason is not None and not options.deletes",
        [LIMITS],
    ),
    "a flag does not replace a trailer": (
        "limits",
        "if self.allow_deletes is not None:",
        "if self.allow_deletes is not None and not self.trailers:",
        [ALLOWED],
    ),
    "an older number allows": ("limits", " if each.commit == said[0].commit", "", [ALLOWED]),
    "a trailer overrules a flag": ("limits", "said | dict(self.late_of)", "dict(self.late_of) | said", [ALLOWED]),
    "an older trailer overrules a newer": (
        "limits",
        "reversed([*self._said(TrailerName.LATE)])",
        "self._said(TrailerName.LATE)",
        [ALLOWED],
    ),
    "a word on all overrules that on one": (
        "decision",
        "self.late_of.get(task_id, self.late)",
        "self.late or self.late_of.get(task_id)",
        [ALLOWED],
    ),
    "a trailer that is not understood allows": ("limits", "each.message is None and each.name", "each.name", [ALLOWED]),
    "imminent ends a moment early": ("limits", "row.wake_at <= until", "row.wake_at < until", [ALLOWED]),
    "a policy edit is imminent": ("limits", 'and "policy-only" not in change.notes', "", [ALLOWED]),
    "nothing is imminent": ("limits", "if not options.imminent:", "if True:", [ALLOWED]),
    "what is overdue is imminent without a limit": ("limits", "if not options.imminent:", "if False:", [ALLOWED]),
    "a trailer amid other text allows": (
        "trailers",
        "read = _understood if is_block else _stray",
        "read = _understood",
        [TRAILERS],
    ),
    "a number with a sign allows": ("trailers", "value.isascii() and value.isdecimal()", "value", [TRAILERS]),
    "the last paragraph only is read": (
        "trailers",
        "for paragraph in paragraphs:",
        "for paragraph in paragraphs[-1:]:",
        [TRAILERS],
    ),
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
        "now < asked_for + _MINUTE + delivery",
        "now < minute + _MINUTE",
        [TIMING],
    ),
    "soonest is no whole minute": ("timing", "ceil_minute(now + lead) if lead", "now + lead if lead", [TIMING]),
    "the backoff has no end": ("timing", "if full * 2 >= retry.max_backoff:", "if False:", [TIMING]),
    "the jitter goes below half": ("timing", "full / 2 + full / 2 * jitter", "full * jitter", [TIMING]),
    "an ambiguous hour is a gap": ("timing", "(tzinfo=None) == local", "(tzinfo=None) != local", [TIMING]),
    "a small number becomes zero": ("canonical", " or abs(value) < _NORMAL_MIN", "", [CANONICAL]),
    "the digest forgets the action": ("canonical", "task.action, task.payload]", "task.payload]", [CANONICAL]),
    "a branch takes back what main has": (
        "three_way",
        "        return other\n    if mine is None",
        "        return mine\n    if mine is None",
        [THREE_WAY],
    ),
    "a task is merged as a whole": (
        "three_way",
        "task = _three(mine.task, began.task, other.task)",
        "task = mine.task",
        [THREE_WAY],
    ),
    "a squashed change is the branch's": (
        "three_way",
        "if _digest(wanted) != _digest(other):",
        "if _digest(wanted) != _digest(began.get(task_id)):",
        [THREE_WAY],
    ),
    "an edit on main is not told": (
        "three_way",
        "elif _digest(mine) != _digest(other):",
        "elif mine is None or other is None:",
        [THREE_WAY],
    ),
    "true is 1": (
        "three_way",
        "return type(one) is type(other) and bool(one == other)",
        "return bool(one == other)",
        [THREE_WAY],
    ),
    "true is 1 in a list": ("three_way", "canonical.text(one) == canonical.text(other)", "one == other", [THREE_WAY]),
    "a value that main removed stays": ("three_way", "if value is not _ABSENT}", "}", [THREE_WAY]),
    "drift is main's": (
        "three_way",
        "if applied is not None and applied.get",
        "if applied is None and wanted.get",
        [THREE_WAY],
    ),
    "without an apply all is drift": (
        "three_way",
        "if applied is not None and applied.get(task_id)",
        "if (applied or wanted).get(task_id)",
        [THREE_WAY],
    ),
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
