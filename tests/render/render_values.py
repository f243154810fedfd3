"""Plans and problems that the renderers are tried on: one of every kind, and some that are meant badly."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from values import COMMIT, DAY, HOUR, a_claim, a_declared, a_place, a_retry, a_row, a_source, at

from slowsched.model import (
    Change,
    ChangeKind,
    Declared,
    Field,
    Plan,
    Problem,
    Refusal,
    Row,
    Severity,
    State,
    Unreadable,
)

NOW = at("2026-11-24T12:00:30Z")
SOON = at("2026-11-24T12:03:00Z")
OWNER = "acme/shop/production"
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
NASTY = "<b>`|*x*\x1b[31m\u202e\u200b\r\n::error::@team #12 [red]&amp;"


def a_change(kind: ChangeKind, **overrides: Any) -> Change:
    """Return a change; what is not given is taken from `declared` or from `before`."""
    declared, before = overrides.get("declared"), overrides.get("before")
    task = declared.task if declared is not None else before.task
    place = declared.place if declared is not None else a_place(path=before.source.path, line=before.source.line)
    return Change(**({"id": task.id, "kind": kind, "action": task.action, "due": task.due, "place": place} | overrides))


def a_plan(*changes: Change, **overrides: Any) -> Plan:
    """Return the plan of these changes, for production unless told otherwise."""
    counted = Counter(change.kind.value for change in changes)
    fields = {
        "environment": "production",
        "owner": OWNER,
        "commit": COMMIT,
        "now": NOW,
        "digest": DIGEST,
        "changes": changes,
        "counts": {**{kind.value: counted[kind.value] for kind in ChangeKind}, "unchanged": 12, "done": 3},
        "pending": 15,
    }
    return Plan(**(fields | overrides))


def a_create(declared: Declared | None = None, *, wake_at: Any = None, **overrides: Any) -> Change:
    """Return the creation of a declared task."""
    declared = declared or a_declared()
    result = a_row(owner=OWNER, task=declared.task, wake_at=wake_at or declared.task.due)
    return a_change(ChangeKind.CREATE, **({"declared": declared, "result": result} | overrides))


def an_update(before: Row, declared: Declared, **overrides: Any) -> Change:
    """Return the update of a row to what its file says now."""
    result = a_row(owner=OWNER, task=declared.task, generation=2)
    return a_change(ChangeKind.UPDATE, **({"declared": declared, "before": before, "result": result} | overrides))


def a_problem(**overrides: Any) -> Problem:
    """Return a defect of a file."""
    fields = {
        "path": "tasks/sale.yaml",
        "line": 3,
        "column": 6,
        "pointer": "$.due",
        "code": "due-in-dst-gap",
        "message": "02:30 does not exist on 2027-03-28 in Europe/Berlin: write 01:30 or 03:30",
    }
    return Problem(**(fields | overrides))


# --- one change of every kind ----------------------------------------------------------------------

_OPENING = {"itemID": "winter coat", "newPrice": 29.99, "salePercent": 50}

BLACK_FRIDAY = a_declared(
    id="black-friday-apply",
    due=at("2027-11-26T00:00:00Z"),
    timezone="Europe/Berlin",
    description="Agreed with purchasing on 3 March; marketing writes to all customers on the evening before.",
    labels={"campaign": "black-friday"},
    payload=_OPENING | {"shops": ["de", "at"], "banner": {"text": "Ein halber Preis für alles", "height": 120}},
    grace=6 * HOUR,
    retry=a_retry(attempts=3),
    protect=True,
    place=a_place(path="tasks/2027/black-friday.yaml", line=3),
)
CREATE = a_create(BLACK_FRIDAY)
CREATE_SOON = a_create(a_declared(id="flash sale", due=at("2026-11-24T12:01:00Z")), wake_at=SOON, notes=("soon",))
CREATE_IN_GRACE = a_create(
    a_declared(id="publish film", due=at("2026-11-24T11:00:00Z"), payload={}, grace=6 * HOUR), wake_at=SOON
)
CREATE_LATE_RUN = a_create(
    a_declared(id="run it now", due=at("2026-11-20T08:00:00Z"), payload=[]), wake_at=SOON, notes=("late-run",)
)
CREATE_RENAMED = a_create(
    a_declared(id="spring sale", due=at("2027-03-01T08:00:15Z"), payload=7), notes=("renamed-from:sprign sale",)
)
CREATE_LATE_SKIP = a_create(
    skipped := a_declared(id="skip it", due=at("2026-11-20T08:00:00Z"), payload=None),
    notes=("late-skip",),
    result=a_row(owner=OWNER, task=skipped.task, state=State.MISSED),
)
UPDATE = an_update(
    a_row(owner=OWNER, id="summer-price", due=at("2027-05-01T08:00:00Z"), payload=_OPENING | {"old": [1, 2]}),
    a_declared(
        id="summer-price",
        due=at("2027-06-01T08:00:00Z"),
        payload=_OPENING | {"newPrice": 19.99},
        place=a_place(path="tasks/summer.yaml", line=14),
    ),
    fields=(
        Field(pointer="$.due", before="2027-05-01T08:00:00Z", after="2027-06-01T08:00:00Z"),
        Field(pointer="$.payload.newPrice", before=29.99, after=19.99),
        Field(pointer="$.payload.old", before=[1, 2], after=None),
        Field(
            pointer="$.payload.text",
            before="All coats at half price until the end of the season, in all of our shops and on the web: now",
            after="All coats at half price until the end of the season, in all of our shops and on the web: soon",
        ),
    ),
)
UPDATE_AGAIN = an_update(
    a_row(owner=OWNER, id="advent", due=at("2025-12-01T00:00:00Z"), state=State.SUCCEEDED),
    a_declared(id="advent", due=at("2026-12-01T00:00:00Z")),
    notes=("runs-again",),
    fields=(Field(pointer="$.due", before="2025-12-01T00:00:00Z", after="2026-12-01T00:00:00Z"),),
)
_POLICY = {
    "notes": ("policy-only",),
    "fields": (
        Field(pointer="$.retry.attempts", before=5, after=7),
        Field(pointer="$.team", before=None, after="pricing"),
    ),
}
_RETRIED = a_declared(id="in the middle", due=at("2026-11-24T11:00:00Z"), retry=a_retry(attempts=7), team="pricing")
UPDATE_RETRIED = an_update(
    a_row(owner=OWNER, id="in the middle", due=at("2026-11-24T11:00:00Z"), attempt=2, wake_at=SOON),
    _RETRIED,
    result=a_row(owner=OWNER, task=_RETRIED.task, attempt=2, wake_at=SOON),
    **_POLICY,
)


def policy_update(state: State) -> Change:
    """Return an edit of the policy of a row in this state."""
    declared = a_declared(id=f"policy of {state}", due=at("2026-11-24T11:59:00Z"), team="pricing")
    before = a_row(owner=OWNER, id=declared.task.id, due=declared.task.due, state=state)
    return an_update(before, declared, result=a_row(owner=OWNER, task=declared.task, state=state), **_POLICY)


SUPERSEDE = an_update(
    a_row(owner=OWNER, id="stuck", due=at("2026-11-24T11:59:30Z"), state=State.RUNNING),
    _stuck := a_declared(id="stuck", due=at("2026-11-24T12:05:00Z")),
    result=a_row(
        owner=OWNER,
        task=_stuck.task,
        claim=a_claim(token=None, lease_end=at("2026-11-25T12:07:00Z")),
        wake_at=at("2026-11-25T12:07:00Z"),
    ),
    notes=("superseded",),
    fields=(Field(pointer="$.due", before="2026-11-24T11:59:30Z", after="2026-11-24T12:05:00Z"),),
)
DELETE = a_change(
    ChangeKind.DELETE,
    before=a_row(owner=OWNER, id="easter", due=at("2027-03-28T06:00:00Z"), timezone="Europe/Berlin", protect=True),
    notes=("protected",),
)
DELETE_DEAD = a_change(
    ChangeKind.DELETE, before=a_row(owner=OWNER, id="broken", due=at("2026-11-01T06:00:00Z"), state=State.DEAD)
)
FORGET = a_change(
    ChangeKind.FORGET,
    before=(_ran := a_row(owner=OWNER, id="halloween", due=at("2026-10-31T18:00:00Z"), state=State.SUCCEEDED)),
    result=a_row(owner=OWNER, task=_ran.task, state=State.SUCCEEDED, expires_at=NOW + 400 * DAY),
)
LATE = a_change(
    ChangeKind.LATE,
    declared=a_declared(id="singles day", due=at("2026-11-11T00:00:00Z")),
    message="it was due at 2026-11-11T00:00:00Z: give it a due ahead, or say --late run or --late skip",
)
CONFLICT = a_change(
    ChangeKind.CONFLICT,
    before=a_row(owner=OWNER, id="cyber monday", due=at("2026-11-24T12:00:00Z"), state=State.RUNNING),
    declared=a_declared(id="cyber monday", due=at("2026-11-30T00:00:00Z")),
    message="it is running: wait for its outcome, or say --supersede 'cyber monday'",
    fields=(Field(pointer="$.due", before="2026-11-24T12:00:00Z", after="2026-11-30T00:00:00Z"),),
)
CONFLICT_GONE = a_change(
    ChangeKind.CONFLICT,
    before=a_row(owner=OWNER, id="gone", due=at("2026-11-24T12:00:00Z"), state=State.RUNNING),
    message="its file is gone while it is running: wait for its outcome, or say --supersede 'gone'",
)
CONFLICT_UNREADABLE = a_change(
    ChangeKind.CONFLICT,
    declared=a_declared(id="from the future", due=at("2026-12-24T12:00:00Z")),
    message="its row cannot be read (format 2): upgrade slowsched",
)

EVERY_CHANGE = (
    *(FORGET, DELETE_DEAD, LATE, CREATE_LATE_RUN, CREATE_LATE_SKIP, CREATE_IN_GRACE, UPDATE_RETRIED),
    *map(policy_update, sorted({*State} - {State.DELETED})),
    *(CONFLICT, CONFLICT_GONE, CREATE_SOON, SUPERSEDE, UPDATE_AGAIN, CONFLICT_UNREADABLE),
    *(CREATE_RENAMED, DELETE, UPDATE, CREATE),
)

# --- plans -----------------------------------------------------------------------------------------

_TIMER = {"timer_before": at("2026-12-01T00:00:00Z"), "timer_after": SOON}
_CREATES = [
    a_create(a_declared(id=f"task {number}", due=at("2027-01-01T00:00:00Z") + timedelta(hours=number)))
    for number in range(203)
]

PLANS = {
    "typical": a_plan(LATE, UPDATE_AGAIN, DELETE_DEAD, UPDATE, CREATE, valid_until=UPDATE_AGAIN.due, **_TIMER),
    "every-change": a_plan(*EVERY_CHANGE, valid_until=CREATE_SOON.due, **_TIMER),
    "no-changes": a_plan(timer_before=SOON, timer_after=SOON),
    "first": a_plan(
        a_create(), environment="local", owner="acme/shop/local", commit=None, timer_after=at("2030-01-01T00:00:00Z")
    ),
    "blocked": a_plan(LATE, CONFLICT, timer_before=SOON),
    "refused": a_plan(
        DELETE,
        refused=(
            Refusal(code="no-tasks", message="no task is declared while 15 are pending: say --allow-deletes 1"),
            Refusal(code="protected", message="'easter' is protected: say --allow-protected 'easter' to delete it"),
        ),
    ),
    "problems": a_plan(
        problems=(a_problem(), a_problem(line=9, pointer="$", code="schema", message="a task is a mapping")),
    ),
    "unreadable": a_plan(
        unreadable=tuple(Unreadable(id=f"row {number}", reason="format 2") for number in range(203)),
    ),
    "many": a_plan(*_CREATES, a_change(ChangeKind.CONFLICT, declared=a_declared(), message="it is running"), **_TIMER),
    "nasty": a_plan(
        a_create(a_declared(id=NASTY, description=NASTY, payload={NASTY: NASTY}, labels={"x": NASTY})),
        a_change(ChangeKind.LATE, declared=a_declared(id=NASTY, place=a_place(path=NASTY)), message=NASTY),
        a_change(ChangeKind.DELETE, before=a_row(id=NASTY, source=a_source(path=NASTY))),
        environment=NASTY,
        owner=NASTY,
        commit=NASTY,
        refused=(Refusal(code="protected", message=NASTY),),
        unreadable=(Unreadable(id=NASTY, reason=NASTY),),
    ),
    "wide": a_plan(
        a_create(a_declared(id="公開する 映画 の 長い 名前 " * 4, payload={"題名": "七人の侍 " * 20})),
        an_update(
            a_row(owner=OWNER, id="a" * 128),
            a_declared(id="a" * 128),
            fields=(Field(pointer="$.payload.題名", before="生きる " * 20, after="生きる " * 20 + "!"),),
        ),
    ),
}

PROBLEMS = (
    a_problem(),
    a_problem(line=9, column=1, pointer="$", code="schema", message="100 % of this,\r\n::error::is wrong"),
    a_problem(path="tasks/a,b:c.yaml", severity=Severity.WARNING, code="no-zone", message="no zone is named"),
)
