"""What doctor says of rows, control row and timer, on any backend."""

from __future__ import annotations

from datetime import timedelta

import pytest
from values import DAY, HOUR, MINUTE, a_row, at, put_all, summary_of

from slowsched.backend import Backend
from slowsched.checks import Live, Pace, Rows, check_live, named
from slowsched.diagnosis import Diagnosis, Fix, Unknown, Verdict, cannot_tell, error, fine, warning
from slowsched.doctor import examine, fix
from slowsched.errors import StoreError
from slowsched.model import Control, Lock, OwnerControl, Pause, State, Unreadable
from slowsched.store.memory import MemoryStore
from slowsched.timer.memory import MemoryTimer

NOW = at("2030-01-01T12:00:30Z")
OWNER = "acme/shop/production"
SECOND = timedelta(seconds=1)
EVENTBRIDGE = Pace(lead=90 * SECOND, delivery=30 * SECOND, near=75 * SECOND)
BROKEN = Unknown(what="the file is broken", way_out="mend it")
REFUSED = Unknown(what="these credentials may not dynamodb:Query", way_out="use the role", refused=True)
AHEAD = at("2030-01-02T00:00:00Z")

WELL = {
    "store": fine("store", "store", "it can be read, and has 0 rows"),
    "unreadable": fine("unreadable", "rows", "all can be read"),
    "overdue": fine("overdue", "overdue tasks", "none"),
    "dead": fine("dead", "dead tasks", "none"),
    "missed": fine("missed", "missed tasks", "none"),
    "paused": fine("paused", "pause", "not paused"),
    "timer-moment": fine("timer-moment", "timer", "nothing needs the worker"),
}


def a_live(*rows, **overrides):
    """What an environment without a fault holds, with these rows."""
    readable = tuple(summary_of(row) for row in rows)
    fields = {
        "environment": "production",
        "owner": OWNER,
        "now": NOW,
        "pace": EVENTBRIDGE,
        "rows": Rows(readable=readable),
        "control": Control(),
        "earliest": min((row.wake_at for row in readable if row.wake_at), default=None),
        "armed": None,
    }
    return Live(**(fields | overrides))


def of(live, code):
    """The one finding of a check."""
    (found,) = [each for each in check_live(live) if each.code == code]
    return found


def mine(**overrides):
    return a_row(owner=OWNER, **overrides)


def test_nothing_is_wrong_with_nothing():
    """Each check has its finding, and says what it saw."""
    assert list(check_live(a_live())) == list(WELL.values())


# --- the store and its rows ------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["rows", "control", "earliest"])
def test_a_store_that_cannot_be_read(part):
    """It is an error, where only a permission is missing a warning; what can be told is told."""
    assert of(a_live(**{part: BROKEN}), "store") == error("store", "store", "the file is broken", "mend it")
    assert of(a_live(**{part: REFUSED}), "store") == warning(
        "store", "store", "cannot tell: these credentials may not dynamodb:Query", "use the role"
    )


def test_parts_that_are_unknown_have_no_findings_of_their_own():
    """Without rows nothing is said of them, without the control row nothing of a pause."""
    assert [each.code for each in check_live(a_live(rows=BROKEN, control=BROKEN))] == ["store", "timer-moment"]
    assert of(a_live(control=BROKEN), "timer-moment").severity is Verdict.WARNING
    assert of(a_live(earliest=BROKEN), "timer-moment") == warning(
        "timer-moment",
        "timer",
        "cannot tell whether it is right: the store does not say what is next",
        "see the finding about the store",
    )
    assert of(a_live(armed=BROKEN), "timer-moment") == error("timer-moment", "timer", "the file is broken", "mend it")


def test_rows_of_a_newer_version():
    """They are counted and named, with the way out."""
    rows = Rows(unreadable=(Unreadable(id="b", reason="format 2"), Unreadable(id="a", reason="format 2")))
    assert of(a_live(rows=rows), "unreadable") == error(
        "unreadable",
        "rows",
        "2 rows left alone, because this version cannot read them: 'a', 'b' (format 2)",
        "upgrade slowsched: a newer one wrote them",
    )


def test_dead_and_missed_tasks():
    """Those of this owner whose files are still in git, with the words to type; an id is quoted for the shell."""
    live = a_live(
        mine(id="it's dead", state=State.DEAD),
        mine(id="gone", state=State.DEAD, expires_at=AHEAD),
        mine(id="missed", state=State.MISSED),
        mine(id="forgotten", state=State.MISSED, expires_at=AHEAD),
        a_row(id="another's", owner="acme/other/production", state=State.DEAD),
    )
    assert of(live, "dead") == error(
        "dead",
        "dead tasks",
        '1 task without attempts left, for a person to act on: "it\'s dead"',
        "`slowsched show 'it'\"'\"'s dead' --env production` says why; mend that, then edit the task or "
        "`slowsched retry 'it'\"'\"'s dead' --env production`",
    )
    assert of(live, "missed") == warning(
        "missed",
        "missed tasks",
        "1 task later than the grace, and not run: 'missed'",
        "`slowsched retry missed --env production` runs it now; or take its file out of git",
    )


def test_of_many_the_first_are_named():
    """Five are named, and the rest is counted."""
    assert named(["a", "b"]) == "'a', 'b'"
    assert named(list("abcdefg")) == "'a', 'b', 'c', 'd', 'e' and 2 more"
    live = a_live(*(mine(id=f"task {number}", state=State.DEAD) for number in range(7)))
    assert of(live, "dead").message.startswith("7 tasks without attempts left, for a person to act on: 'task 0', ")
    assert of(live, "dead").message.endswith("'task 4' and 2 more")


@pytest.mark.parametrize(
    ("pace", "after"),
    [(EVENTBRIDGE, 300 * SECOND), (Pace(lead=0 * MINUTE, delivery=0 * MINUTE, near=0 * MINUTE), 180 * SECOND)],
)
def test_overdue_tasks(pace, after):
    """Later than a timer without a fault allows is an error, of whichever owner; in time is fine."""
    assert of(a_live(mine(due=NOW - after), pace=pace), "overdue").severity is Verdict.OK
    late = a_row(id="late", owner="acme/other/production", due=NOW - after - SECOND)
    found = of(a_live(late, mine(id="later", due=NOW - after - HOUR), pace=pace), "overdue")
    assert (found.severity, found.message.partition(" for ")[0]) == (Verdict.ERROR, "2 tasks overdue, the first")
    assert found.message.endswith(": 'later', 'late'")


def test_overdue_while_it_is_paused():
    """A pause explains it: a warning."""
    control = Control(pause=Pause(by="anna", at=NOW - HOUR))
    found = of(a_live(mine(due=NOW - HOUR), control=control), "overdue")
    assert (found.severity, found.way_out) == (
        Verdict.WARNING,
        "they are executed after the pause, or missed by their grace",
    )


@pytest.mark.parametrize(("reason", "words"), [(None, ""), ("the shop moves", " (the shop moves)")])
def test_a_pause(reason, words):
    """Since when, by whom and why, and how to end it."""
    control = Control(pause=Pause(by="anna@desk", at=at("2030-01-01T10:00:00.5Z"), reason=reason))
    assert of(a_live(control=control), "paused") == warning(
        "paused",
        "pause",
        f"anna@desk has paused it since 2030-01-01 10:00 UTC{words}: no worker starts anything",
        "`slowsched resume --env production` ends that",
    )


# --- the timer -------------------------------------------------------------------------------------


def timer(armed, *, due=AHEAD, **overrides):
    """The finding about a timer, with one task due."""
    return of(a_live(mine(due=due), armed=armed, **overrides), "timer-moment")


NEEDED = "the worker is needed 2030-01-02 00:00 UTC, in 11 hours, 59 minutes"
SETS_IT = "`slowsched doctor --fix --env production` sets it"


@pytest.mark.parametrize("armed", [AHEAD, AHEAD - HOUR, NOW - 60 * SECOND])
def test_a_timer_in_time(armed):
    """At the minute, earlier, or a moment ago: its wake may be on its way, and arms again."""
    assert timer(armed).severity is Verdict.OK


@pytest.mark.parametrize(
    ("armed", "words"),
    [
        (None, f"it is not set, or to nothing that slowsched would write, and {NEEDED}"),
        (AHEAD + MINUTE, f"it is set too late, to 2030-01-02 00:01 UTC, in 12 hours, and {NEEDED}"),
        (
            NOW - 90 * SECOND,
            f"it was set to 2030-01-01 11:59 UTC, 1 minute, 30 seconds ago, its wake has gone by, and {NEEDED}",
        ),
    ],
)
def test_a_timer_that_is_late(armed, words):
    """Not set, too late or gone by: the task would wait for the heartbeat."""
    assert timer(armed) == error("timer-moment", "timer", words, SETS_IT)


def test_a_timer_is_held_against_not_before():
    """After a resume nothing is claimed before that moment, and the timer is right for it."""
    control = Control(not_before=NOW + HOUR)
    assert timer(at("2030-01-01T13:01:00Z"), due=NOW - DAY, control=control).severity is Verdict.OK
    assert timer(at("2030-01-01T13:02:00Z"), due=NOW - DAY, control=control).severity is Verdict.ERROR


@pytest.mark.parametrize("due", [NOW - 60 * SECOND, NOW + 30 * SECOND])
def test_a_moment_that_is_near_is_left_alone(due):
    """Arming would leave it alone as well: its wake is on its way, or a worker stays for it."""
    assert timer(None, due=due) == fine(
        "timer-moment", "timer", "the next wake is too near to set it for: it is on its way"
    )


def test_a_task_whose_wake_was_lost():
    """The minute passed long ago: the timer should be set to the first that it can serve."""
    assert timer(NOW - HOUR, due=NOW - HOUR).message.endswith(
        "the worker is needed 2030-01-01 12:02 UTC, in 1 minute, 30 seconds"
    )


def test_a_pause_needs_no_timer():
    """It is set again when the pause ends."""
    control = Control(pause=Pause(by="anna", at=NOW))
    assert timer(None, control=control) == fine("timer-moment", "timer", "it is set again when the pause ends")


def test_an_apply_under_way_explains_a_late_timer():
    """It arms at its end; a lock whose lease is over explains nothing."""

    def locked(lease_end):
        lock = Lock(token="t", holder="ci", url=None, taken_at=NOW, lease_end=lease_end)
        return Control(owners={OWNER: OwnerControl(lock=lock), "other": OwnerControl()})

    found = timer(None, control=locked(NOW + MINUTE))
    assert (found.severity, found.way_out) == (Verdict.WARNING, "look again after the apply")
    assert found.message.endswith(f"; an apply of {OWNER} is under way, and arms at its end")
    assert timer(None, control=locked(NOW - MINUTE)).severity is Verdict.ERROR


# --- all together ----------------------------------------------------------------------------------


def test_health_is_the_absence_of_errors():
    """A warning leaves it healthy."""

    def diagnosis(*findings):
        return Diagnosis(environment="local", now=NOW, findings=findings)

    unknown = cannot_tell("store", "store", REFUSED)
    assert (diagnosis(unknown).healthy, diagnosis(unknown).has(Verdict.WARNING)) == (True, True)
    assert diagnosis(unknown, cannot_tell("store", "store", BROKEN)).healthy is False


class SilentStore(MemoryStore):
    """A store that has fallen silent, and counts how often it is asked."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def rows(self):
        self.asked += 1
        raise StoreError("it does not answer", hint="mend it")

    next_wake = control = get_many = rows


def a_backend(store, timer=None):
    """A backend on fakes, at NOW."""
    return Backend(
        environment="production",
        owner=OWNER,
        store=store,
        timer=timer or MemoryTimer(),
        clock=lambda: NOW,
        sleep=lambda _seconds: None,
        chance=lambda: 0.0,
        nonce=lambda: "n",
    )


def test_an_environment_is_examined():
    """Rows and timer are read, and judged as they stand at that moment."""
    store = MemoryStore()
    put_all(store, mine(id="ahead", due=AHEAD), mine(id="dead", state=State.DEAD))
    timer = MemoryTimer()
    timer.arm(AHEAD)
    diagnosis = examine(a_backend(store, timer))
    assert [(each.code, each.severity) for each in diagnosis.findings if each.severity is not Verdict.OK] == [
        ("dead", Verdict.ERROR)
    ]
    assert (diagnosis.environment, diagnosis.now, diagnosis.fix) == ("production", NOW, None)
    assert [each.code for each in diagnosis.findings] == list(WELL)


def test_a_silent_store_is_asked_once():
    """Each try may take a minute: after the first that failed no other is made, and the timer is still read."""
    store = SilentStore()
    diagnosis = examine(a_backend(store))
    assert [(each.code, each.severity) for each in diagnosis.findings] == [
        ("store", Verdict.ERROR),
        ("timer-moment", Verdict.WARNING),
    ]
    assert store.asked == 1


def test_fix_arms_and_nothing_else():
    """It says what was written, that there was nothing to write, or why it could not."""
    store, timer = MemoryStore(), MemoryTimer()
    assert fix(a_backend(store, timer)) == Fix()
    put_all(store, mine(id="ahead", due=AHEAD))
    assert fix(a_backend(store, timer)) == Fix(armed=AHEAD)
    assert timer.armed() == AHEAD
    assert fix(a_backend(SilentStore())) == Fix(error="it does not answer: mend it")
