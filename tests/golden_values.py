"""The values whose stored form is kept in `tests/golden/`: rows in every state and at their extremes, control rows.

A value is never changed and never taken away: it is what an older version has written. A new attribute gets a value
of its own, and a new file.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from values import COMMIT, DAY, DUE, HOUR, MINUTE, OWNER, a_claim, a_retry, a_row, a_source, an_entry, at

from slowsched.model import (
    Control,
    HistoryOutcome,
    Lock,
    OwnerControl,
    Pause,
    Row,
    State,
    Worker,
)

__all__ = ["CONTROLS", "ROWS", "WRITE_ID"]

WRITE_ID = "0123456789abcdef"
SECOND = timedelta(seconds=1)
FIRST_DUE = datetime(1970, 1, 1, tzinfo=UTC)
LAST_DUE = at("2199-12-31T23:59:59.999999Z")

_LEASE = a_claim(token="0f" * 16, lease_end=DUE + timedelta(seconds=90))
_SUPERSEDED = a_claim(token=None, lease_end=DUE + timedelta(seconds=90))
_OUTCOMES = tuple(HistoryOutcome)

_FULL_HISTORY = tuple(
    an_entry(
        generation=1 + number // 5,
        attempt=1 + number % 5,
        started_at=DUE + number * HOUR,
        finished_at=DUE + number * HOUR + SECOND,
        late_seconds=number + 0.25,
        outcome=_OUTCOMES[number % len(_OUTCOMES)],
        message=None if number % 3 == 0 else f"attempt {number}: Kühlschrank \u2028 \U0001f600",
    )
    for number in range(20)
)

_UNICODE = {
    "id": "Grüße 👩\u200d👩\u200d👧 'x' \"y\" \\ % _",
    "action": "NOTE-1.b_c",
    "payload": {
        "ä": "e\u0301 is not \u00e9",
        "lines": "a\nb\r\n\u2028\u0000\x7f",
        "numbers": [0, -1, 2**70, 29.99, -1e-7, 1e22, 5e-324, 9007199254740993],
        "words": [True, False, None, "", "true", {}, [[[]]]],
        "\U0010ffff": {"": {"a.b": {"c'd": 1}}},
    },
    "description": "Die große Übersicht\nwith a second line",
    "team": "Ä-Team",
    "labels": {"": "empty", "Ω": "\u202eright to left"},
    "timezone": "America/Argentina/ComodRivadavia",
}

ROWS: dict[str, Row] = {
    "scheduled": a_row(version=1),
    "running": a_row(
        state=State.RUNNING,
        version=2,
        claim=_LEASE,
        history=(an_entry(started_at=DUE + SECOND, late_seconds=1.0),),
    ),
    "succeeded": a_row(state=State.SUCCEEDED, version=3),
    "dead": a_row(state=State.DEAD, version=11, attempt=5),
    "missed": a_row(
        state=State.MISSED,
        version=2,
        grace=HOUR,
        history=(
            an_entry(
                attempt=0,
                started_at=DUE + DAY,
                finished_at=DUE + DAY,
                late_seconds=86_400.0,
                outcome=HistoryOutcome.MISSED,
                message="later than its grace",
            ),
        ),
    ),
    "deleted": a_row(state=State.DELETED, version=2, source=a_source(commit=None)),
    "deleted while it ran": a_row(
        state=State.DELETED, version=3, generation=2, claim=_SUPERSEDED, history=(an_entry(outcome=_OUTCOMES[4]),)
    ),
    "forgotten": a_row(state=State.SUCCEEDED, version=4, expires_at=DUE + 400 * DAY),
    "claim superseded": a_row(
        version=4,
        generation=2,
        claim=_SUPERSEDED,
        wake_at=_SUPERSEDED.lease_end,
        history=(an_entry(finished_at=DUE + SECOND, outcome=HistoryOutcome.SUPERSEDED),),
    ),
    "waits for its next attempt": a_row(
        version=3,
        attempt=1,
        wake_at=DUE + 2 * MINUTE,
        history=(an_entry(finished_at=DUE + SECOND, outcome=HistoryOutcome.FAILED, message="no answer"),),
    ),
    "deferred": a_row(version=2, wake_at=DUE + 15 * MINUTE, deferred_since=DUE),
    "requested": a_row(version=2, wake_at=DUE - DAY, requested_at=DUE - DAY - MINUTE),
    "history full": a_row(state=State.DEAD, version=99, generation=4, attempt=5, history=_FULL_HISTORY),
    "every key of a task": a_row(
        retry=a_retry(attempts=1, backoff=timedelta(seconds=0), max_backoff=36_500 * DAY),
        timeout=14 * MINUTE,
        grace=timedelta(seconds=0),
        description="the sale of the year",
        team="pricing",
        labels={"campaign": "black-friday", "a": "b"},
        timezone="Europe/Berlin",
        protect=True,
    ),
    "unicode": a_row(**_UNICODE, owner="ärzte/shop/präsenz", source=a_source(path="tasks/Ü 1/ä.yaml", line=2**31)),
    "first due": a_row(due=FIRST_DUE),
    "last due": a_row(due=LAST_DUE, version=2**53, generation=2**31, attempt=2**31),
    "payload null": a_row(payload=None),
    "payload text": a_row(payload="x" * 1000),
    "sensitive": a_row(payload={"token": "hunter22", "n": [1]}, sensitive=("$.payload.n[0]", "$.payload.token")),
}

_LOCK = Lock(
    token="a1b2",
    holder="run 7 of ä",
    url="https://ci.example/7?a=b&c",
    taken_at=DUE - MINUTE,
    lease_end=DUE + 9 * MINUTE,
)

CONTROLS: dict[str, Control] = {
    "new": Control(version=1),
    "applied": Control(version=7, owners={OWNER: OwnerControl(applied=COMMIT)}),
    "locked and applying": Control(
        version=8,
        owners={
            OWNER: OwnerControl(lock=_LOCK, applied=COMMIT, applying=COMMIT[::-1]),
            "acme/other/production": OwnerControl(
                lock=Lock(token="u", holder="somebody", url=None, taken_at=DUE, lease_end=DUE + HOUR)
            ),
            "ärzte/shop/präsenz": OwnerControl(),
        },
    ),
    "paused": Control(version=9, pause=Pause(by="Jörg", at=DUE, reason="stock-taking \u2028 \U0001f600")),
    "paused without a reason": Control(version=9, pause=Pause(by="somebody", at=DUE)),
    "resumed": Control(version=10, not_before=DUE + 2 * MINUTE),
    "worker": Control(
        version=2**53, worker=Worker(slowsched="0.1.0", row_format=1, actions=("APPLY_SALE", "NOTE-1.b_c"))
    ),
}
