"""The arm protocol, line by line (docs/architecture.md)."""

from __future__ import annotations

import pytest
from protocol.fakes import EVENTBRIDGE, NOW, SECOND, a_scene, due
from values import MINUTE, at

from slowsched.arm import ROUNDS_MAX, Armed, Look, arm
from slowsched.errors import StoreError, TimerError
from slowsched.model import Control, Pause

ONCE = ["read control", "read wake"]  # one look


# --- what to arm for -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wake", "minute"),
    [
        ("2030-01-01T12:30:00Z", "2030-01-01T12:30:00Z"),
        ("2030-01-01T12:30:00.000001Z", "2030-01-01T12:31:00Z"),
        ("2030-01-01T12:30:30Z", "2030-01-01T12:31:00Z"),
        ("2030-12-31T23:59:59Z", "2031-01-01T00:00:00Z"),
    ],
)
def test_a_moment_ahead_is_rounded_up_to_a_minute(wake, minute):
    """A wake that came before the moment would find nothing due, so the minute after it is armed."""
    scene = a_scene(due(due=at(wake)), **EVENTBRIDGE)
    assert (arm(scene.backend), scene.timer.writes) == (Armed(moment=at(minute), rounds=1), [at(minute)])


def test_without_anything_to_wake_for_the_timer_is_left():
    """A table without a wake leaves the timer as it is: one wake too many costs nothing."""
    scene = a_scene(**EVENTBRIDGE)
    assert (arm(scene.backend), scene.wire.calls) == (Armed(moment=None, rounds=1), ONCE)


@pytest.mark.parametrize("seconds", [0, 1, 60, 209.999999])
def test_a_minute_whose_wake_may_be_on_its_way_is_left(seconds):
    """Its own wake, or that of the first minute a worker could ask for which left it, is not postponed."""
    scene = a_scene(due(-seconds), **EVENTBRIDGE)
    assert (arm(scene.backend), scene.timer.writes) == (Armed(moment=None, rounds=1), [])


def test_leaving_begins_at_the_minute_of_the_wake():
    """A moment within a minute counts from the end of it, when its wake comes."""
    scene = a_scene(due(due=at("2030-01-01T11:58:31Z")), now=at("2030-01-01T12:02:29.999999Z"), **EVENTBRIDGE)
    assert arm(scene.backend) == Armed(moment=None, rounds=1)


@pytest.mark.parametrize(
    ("now", "minute"),
    [
        ("2030-01-01T12:00:30Z", "2030-01-01T12:02:00Z"),
        ("2030-01-01T12:00:30.000001Z", "2030-01-01T12:03:00Z"),
    ],
)
@pytest.mark.parametrize("lost", ["2030-01-01T11:57:00Z", "2030-01-01T11:56:00.000001Z", "2029-12-01T00:00:00Z"])
def test_a_minute_whose_wake_was_lost_gets_the_first_that_can_be_served(now, minute, lost):
    """Longer ago than any wake takes to arrive: the first whole minute that is at least the lead ahead."""
    scene = a_scene(due(due=at(lost)), now=at(now), **EVENTBRIDGE)
    assert (arm(scene.backend).moment, scene.timer.writes) == (at(minute), [at(minute)])


@pytest.mark.parametrize(("seconds", "writes"), [(74.999999, 0), (75, 1)])
def test_a_near_minute_is_not_written_first(seconds, writes):
    """Nearer than half of lead and propagation it is in force, or looked after: a write could only break it."""
    minute = NOW + 2 * MINUTE
    scene = a_scene(due(due=minute), now=minute - seconds * SECOND, **EVENTBRIDGE)
    assert (arm(scene.backend).moment, scene.timer.writes) == ([None, minute][writes], [minute] * writes)


def test_a_timer_without_lead_is_written_for_the_nearest_minute():
    """On a timer that is in force at once no minute is too near."""
    scene = a_scene(due(0.000001))
    assert (arm(scene.backend).moment, scene.timer.writes) == (NOW + MINUTE, [NOW + MINUTE])


def test_it_always_writes():
    """What a describe call says may be stale, and another's write may be in flight: the same is written again."""
    scene = a_scene(due(3600), **EVENTBRIDGE)
    arm(scene.backend)
    scene.wire.calls.clear()
    again = arm(scene.backend)
    assert (again, scene.wire.calls) == (Armed(moment=NOW + 60 * MINUTE, rounds=1), [*ONCE, "arm 13:00", *ONCE])


# --- pause and resume ------------------------------------------------------------------------------


def test_paused_it_leaves_the_timer():
    """A wake would claim nothing; resume arms."""
    scene = a_scene(due(3600), **EVENTBRIDGE)
    scene.store.put_control(Control(version=1, pause=Pause(by="ann", at=NOW)), 0)
    assert (arm(scene.backend), scene.timer.writes) == (Armed(moment=None, rounds=1), [])


@pytest.mark.parametrize(("wake", "minute"), [(-3600, 4), (-30, 4), (210, 4), (600, 10)])
def test_nothing_is_armed_before_not_before(wake, minute):
    """Right after a resume no wake claims before that moment, so none is asked for earlier."""
    scene = a_scene(due(wake), **EVENTBRIDGE)
    scene.store.put_control(Control(version=1, not_before=NOW + 4 * MINUTE), 0)
    assert (arm(scene.backend).moment, scene.timer.writes) == (NOW + minute * MINUTE, [NOW + minute * MINUTE])


# --- the second look -------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [5, 9])
def test_the_second_look_sees_a_row_that_came_meanwhile(minutes):
    """A row that is written between the first look and the writing of the timer is armed for, if it is earlier."""
    scene = a_scene(due(600), **EVENTBRIDGE)
    scene.wire.on("arm", lambda: scene.put(due(60 * minutes, id="earlier")))
    armed = arm(scene.backend)
    assert (armed, scene.timer.writes) == (
        Armed(moment=NOW + minutes * MINUTE, rounds=2),
        [NOW + 10 * MINUTE, NOW + minutes * MINUTE],
    )


def test_the_second_look_sees_that_the_earliest_is_later_now():
    """A delete or an edit may leave a later moment: who did it may have armed already, and been overwritten."""
    scene = a_scene(due(600), due(1200, id="later"), **EVENTBRIDGE)
    scene.wire.on("arm", lambda: scene.put(due(3000)))
    assert (arm(scene.backend).rounds, scene.timer.writes) == (2, [NOW + 10 * MINUTE, NOW + 20 * MINUTE])


def test_what_the_caller_saw_is_a_first_look_and_no_more():
    """It saves a read; what was written is looked after all the same."""
    scene = a_scene(due(600), due(1200, id="later"), **EVENTBRIDGE)
    scene.wire.on("arm", lambda: scene.put(due(3000)))
    seen = Look(control=scene.store.control(), wake_at=NOW + 10 * MINUTE)
    scene.wire.calls.clear()
    assert arm(scene.backend, seen=seen).rounds == 2
    look = ["read control", "read wake"]
    assert scene.wire.calls == ["arm 12:10", *look, *look, "arm 12:20", *look]


def test_a_row_that_came_and_is_near_is_written_after_all():
    """This call has just overwritten what may have been in force for it, so now it must be written."""
    scene = a_scene(due(600), now=NOW + 50 * SECOND, **EVENTBRIDGE)
    scene.wire.on("arm", lambda: scene.put(due(120, id="near")))
    assert (arm(scene.backend).rounds, scene.timer.writes) == (2, [NOW + 10 * MINUTE, NOW + 2 * MINUTE])


@pytest.mark.parametrize("mine", [None, NOW + 2 * MINUTE])
def test_what_is_put_back_is_put_back_as_it_was(mine):
    """It may be in force still, so that a later minute in its place would only put it off."""
    scene = a_scene(due(600), now=NOW + 80 * SECOND, **EVENTBRIDGE)
    scene.wire.on("arm", lambda: scene.put(due(120, id="near")))
    arm(scene.backend, mine=mine)
    assert scene.timer.writes == [NOW + 10 * MINUTE, NOW + 2 * MINUTE]


def test_when_nothing_is_left_at_the_second_look_it_ends():
    """The last row was deleted meanwhile: a wake that finds nothing due does no harm."""
    scene = a_scene(due(600), **EVENTBRIDGE)
    scene.wire.on("arm", scene.store.items.clear)
    assert arm(scene.backend) == Armed(moment=NOW + 10 * MINUTE, rounds=2)


def test_a_clock_that_passes_the_minute_meanwhile_is_noticed():
    """Two looks with a slow call between them: the moment is past now, and asked for anew."""
    scene = a_scene(due(-3600), **EVENTBRIDGE)
    scene.wire.on("arm", lambda: scene.clock.sleep(31))
    assert (arm(scene.backend).rounds, scene.timer.writes) == (2, [NOW + 2 * MINUTE, NOW + 3 * MINUTE])


def test_it_gives_up_when_the_earliest_wake_will_not_hold_still():
    """After eight rounds it says so: the heartbeat covers, and a person is told what to do."""
    scene = a_scene(due(600), **EVENTBRIDGE)

    def hop(name):
        if name.startswith("arm"):
            scene.put(due(600 + 60 * len(scene.wire.calls)))

    scene.wire.before = hop
    with pytest.raises(TimerError) as error:
        arm(scene.backend)
    assert (str(error.value), len(scene.timer.writes)) == (
        (
            "the earliest wake changed 8 times while the timer was set: "
            "the heartbeat will serve it; run `slowsched arm` when it is quieter"
        ),
        ROUNDS_MAX,
    )


def test_each_look_reads_the_store_anew():
    """Neither the control row nor the earliest wake is remembered between the looks."""
    scene = a_scene(due(600), **EVENTBRIDGE)
    arm(scene.backend)
    assert scene.wire.calls == [*ONCE, "arm 12:10", *ONCE]


def test_a_pause_between_the_looks_ends_it():
    """Who resumes arms later than this call."""
    scene = a_scene(due(600), **EVENTBRIDGE)
    paused = Control(version=1, pause=Pause(by="ann", at=NOW))
    scene.wire.on("arm", lambda: scene.beside().store.put_control(paused, 0))
    assert (arm(scene.backend).rounds, scene.timer.writes) == (2, [NOW + 10 * MINUTE])


# --- what a worker leaves out ----------------------------------------------------------------------


def test_a_worker_says_itself_what_to_wake_for():
    """A worker arms for the first moment that it does not look after itself."""
    scene = a_scene(due(600), due(1200, id="later"), **EVENTBRIDGE)
    armed = arm(scene.backend, lambda: scene.backend.store.next_wake(NOW + 10 * MINUTE))
    assert (armed.moment, scene.timer.writes) == (NOW + 20 * MINUTE, [NOW + 20 * MINUTE])


# --- errors ----------------------------------------------------------------------------------------


def test_a_store_that_does_not_answer_leaves_the_timer():
    """What to arm for is not guessed."""
    scene = a_scene(due(600), **EVENTBRIDGE)
    scene.wire.fail("read wake", StoreError("no answer"))
    with pytest.raises(StoreError, match="no answer"):
        arm(scene.backend)
    assert scene.timer.writes == []


def test_a_timer_that_refuses_is_an_error():
    """It is told, and not tried for ever."""
    scene = a_scene(due(600), **EVENTBRIDGE)
    scene.wire.fail("arm", TimerError("no answer"))
    with pytest.raises(TimerError, match="no answer"):
        arm(scene.backend)
    assert scene.wire.calls == ONCE


# --- where calls took so long that what one has set oneself is near by now ---


def armed_after(seconds, mine):
    """Arm for a row that this many seconds ahead is due, after having set `mine`; returns what was written."""
    scene = a_scene(due(seconds), **EVENTBRIDGE)
    arm(scene.backend, mine=mine)
    return scene.timer.writes


def test_what_one_has_set_oneself_is_armed_near_as_it_is():
    """Nobody has armed it yet, and it may be in force in time."""
    assert armed_after(60, NOW + 60 * SECOND) == [NOW + MINUTE]


def test_too_near_to_be_in_force_in_time_it_gets_the_first_minute_that_can_be_served():
    """A moment that is past once it is in force never comes."""
    scene = a_scene(due(60), now=NOW + 0.1 * SECOND, **EVENTBRIDGE)
    arm(scene.backend, mine=NOW + 60 * SECOND)
    assert scene.timer.writes == [NOW + 2 * MINUTE]


def test_what_another_has_set_is_left_where_it_is_near():
    """It is in force already, or a worker stays for it."""
    assert armed_after(60, NOW + 300 * SECOND) == []


def test_a_moment_of_the_same_minute_is_ones_own():
    """The timer knows minutes only."""
    assert armed_after(70, NOW + 100 * SECOND) == [NOW + 2 * MINUTE]
