"""The control row: the apply lock, the order of commits, pause and resume."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from protocol.fakes import EVENTBRIDGE, NOW, SECOND, a_scene, due
from values import MINUTE, OWNER

from slowsched.control import LOCK_LEASE, UPDATE_TRIES, ApplyLock, Holder, pause, resume, unlock
from slowsched.errors import LockedError, LockLostError, StoreError, TimerError, UsageError
from slowsched.lifecycle import CLOCK_SKEW
from slowsched.model import Control, Lock, OwnerControl, Pause

ANN = Holder(name="ann", url="https://ci.example/1")
BOB = Holder(name="bob")
OTHERS = OwnerControl(
    lock=Lock(token="theirs", holder="eve", url=None, taken_at=NOW, lease_end=NOW + LOCK_LEASE),
    applied="c1",
    applying="c2",
)


def a_lock(**overrides):
    """Return the lock as ann's first process takes it."""
    fields = {"token": "token1", "holder": "ann", "url": ANN.url, "taken_at": NOW, "lease_end": NOW + LOCK_LEASE}
    return Lock(**(fields | overrides))


def mine(scene):
    """Return what the control row keeps of the scene's owner."""
    return scene.control().of(OWNER)


def taken(scene):
    """Return a lock that ann holds."""
    lock = ApplyLock(scene.backend, ANN)
    lock.take()
    return lock


# --- take and release ------------------------------------------------------------------------------


def test_a_lock_names_its_holder_and_ends_by_itself():
    """Who finds it taken must learn who has it and where to look; a holder that dies must not block for ever."""
    scene = a_scene()
    assert ApplyLock(scene.backend, ANN).take() == OwnerControl(lock=a_lock())
    assert scene.control() == Control(version=1, owners={OWNER: OwnerControl(lock=a_lock())})


def test_taking_tells_what_was_applied_last():
    """The order of commits is judged on what stood in the row when the lock was taken."""
    scene = a_scene()
    scene.store.put_control(Control(version=1, owners={OWNER: OwnerControl(applied="c1", applying="c2")}), 0)
    assert ApplyLock(scene.backend, ANN).take() == OwnerControl(lock=a_lock(), applied="c1", applying="c2")


def test_releasing_leaves_the_order_of_commits():
    """Only the lock goes."""
    scene = a_scene()
    lock = taken(scene)
    lock.applied("c1")
    lock.release()
    assert mine(scene) == OwnerControl(applied="c1")


def test_a_lock_that_is_held_is_refused():
    """At once, with the holder's name, where to look, until when, and what to do."""
    scene = a_scene()
    taken(scene)
    before = scene.control()
    with pytest.raises(LockedError) as error:
        ApplyLock(scene.backend, BOB).take()
    assert (str(error.value), scene.control(), scene.clock.slept) == (
        (
            "ann (https://ci.example/1) has been applying since 2030-01-01T12:00:00Z and holds the lock until "
            "2030-01-01T12:10:00Z: wait for it (--lock-timeout 5m), or `slowsched unlock`"
        ),
        before,
        [],
    )


@pytest.mark.parametrize(("late", "refused"), [(-MINUTE, True), (timedelta(0), True), (CLOCK_SKEW, False)])
def test_a_lock_is_free_once_its_lease_is_over_on_any_clock(late, refused):
    """Its holder's clock may be behind: the skew is waited for, too."""
    scene = a_scene()
    taken(scene)
    scene.clock.now = NOW + LOCK_LEASE + late
    lock = ApplyLock(scene.backend, BOB)
    if refused:
        with pytest.raises(LockedError, match="ann"):
            lock.take()
    else:
        assert lock.take().lock == a_lock(
            token="token2", holder="bob", url=None, taken_at=scene.clock.now, lease_end=scene.clock.now + LOCK_LEASE
        )


def test_waiting_for_a_lock_ends_when_it_is_released():
    """It is looked at again every two seconds."""
    scene = a_scene()
    first = taken(scene)
    scene.clock.on_sleep = lambda: first.release() if scene.clock.now >= NOW + 5 * SECOND else None
    ApplyLock(scene.backend, BOB).take(MINUTE)
    assert (mine(scene).lock.holder, scene.clock.slept) == ("bob", [2.0, 2.0, 2.0])


def test_waiting_for_a_lock_ends_when_the_patience_does():
    """Not a second later than asked for."""
    scene = a_scene()
    taken(scene)
    with pytest.raises(LockedError):
        ApplyLock(scene.backend, BOB).take(5 * SECOND)
    assert scene.clock.slept == [2.0, 2.0, 1.0]


def test_waiting_for_a_lock_ends_with_the_wish_to_stop():
    """A signal is heard within two seconds."""
    scene = a_scene()
    taken(scene)
    with pytest.raises(LockedError):
        ApplyLock(scene.backend, BOB).take(MINUTE, lambda: len(scene.clock.slept) == 2)
    assert scene.clock.slept == [2.0, 2.0]


def test_of_two_that_take_it_at_once_one_has_it():
    """Who loses the write looks at what was found, and sees the winner's lock."""
    scene = a_scene()
    scene.wire.on("put control", lambda: ApplyLock(scene.beside(), BOB).take())
    with pytest.raises(LockedError, match="bob"):
        ApplyLock(scene.backend, ANN).take()


def test_taking_goes_on_over_another_owners_write():
    """The control row is one; a write of it that loses to another owner is simply made again."""
    scene = a_scene()
    theirs = replace(scene.beside(), owner="acme/blog/local")
    scene.wire.on("put control", lambda: ApplyLock(theirs, BOB).take())
    taken(scene)
    holders = {owner: control.lock.holder for owner, control in scene.control().owners.items()}
    assert holders == {OWNER: "ann", "acme/blog/local": "bob"}


def test_a_control_row_that_will_not_hold_still_is_an_error():
    """A loop that always loses ends, with what to do."""
    scene = a_scene()

    def meddle(name):
        if name == "put control":
            control = scene.control()
            scene.beside().store.put_control(replace(control, version=control.version + 1), control.version)

    scene.wire.before = meddle
    with pytest.raises(StoreError) as error:
        ApplyLock(scene.backend, ANN).take()
    assert (str(error.value), scene.control().version) == (
        "the control row was changed 20 times while it was written: many applies run at once: try again",
        UPDATE_TRIES,
    )


# --- while it is held ------------------------------------------------------------------------------


def test_the_lease_is_renewed_at_half_time():
    """Before it nothing is written; from then on a call draws the lease out."""
    scene = a_scene()
    lock = taken(scene)
    scene.wire.calls.clear()
    scene.clock.now = NOW + LOCK_LEASE / 2
    lock.ensure()
    assert scene.wire.calls == []
    scene.clock.now += SECOND
    lock.ensure()
    assert mine(scene).lock == a_lock(lease_end=scene.clock.now + LOCK_LEASE)


def test_a_lease_that_ran_out_unnoticed_is_taken_up_again():
    """A laptop that slept: as long as nobody else took the lock it is still this process's."""
    scene = a_scene()
    lock = taken(scene)
    scene.clock.now = NOW + 10 * LOCK_LEASE
    lock.ensure()
    assert mine(scene).lock == a_lock(lease_end=scene.clock.now + LOCK_LEASE)


def test_a_lock_that_somebody_else_has_taken_is_lost():
    """The holder whose lease ran out finds another's lock, and stops."""
    scene = a_scene()
    lock = taken(scene)
    scene.clock.now = NOW + LOCK_LEASE + CLOCK_SKEW
    ApplyLock(scene.beside(), BOB).take()
    for write in (lock.ensure, lambda: lock.applying("c1"), lambda: lock.applied("c1")):
        with pytest.raises(LockLostError, match=r"the apply lock was lost: bob has been applying .* run it again"):
            write()
    assert mine(scene) == OwnerControl(
        lock=Lock(
            token="other1",
            holder="bob",
            url=None,
            taken_at=scene.clock.now,
            lease_end=scene.clock.now + LOCK_LEASE,
        )
    )


def test_a_lock_that_a_person_took_away_is_lost():
    """Nobody holds it now, and still this process may not write on."""
    scene = a_scene()
    lock = taken(scene)
    assert unlock(scene.beside()) == a_lock()
    with pytest.raises(LockLostError, match="the apply lock was taken away while this apply held it"):
        lock.applied("c1")
    assert mine(scene) == OwnerControl()


def test_a_lock_that_was_never_taken_is_none():
    """It allows no write, whatever the clock says."""
    with pytest.raises(LockLostError, match="the apply lock was taken away while this apply held it"):
        ApplyLock(a_scene().backend, ANN).ensure()


def test_releasing_a_lost_lock_leaves_the_others():
    """Theirs to release."""
    scene = a_scene()
    lock = taken(scene)
    unlock(scene.backend)
    ApplyLock(scene.beside(), BOB).take()
    lock.release()
    assert mine(scene).lock.holder == "bob"


# --- the order of commits --------------------------------------------------------------------------


def test_a_commit_is_recorded_before_its_first_write_and_after_its_last():
    """Between the two both stand in the row: what is applied, and what is being applied."""
    scene = a_scene()
    lock = taken(scene)
    lock.applied("c1")
    lock.applying("c2")
    assert mine(scene) == OwnerControl(lock=a_lock(), applied="c1", applying="c2")
    lock.applied("c2")
    assert mine(scene) == OwnerControl(lock=a_lock(), applied="c2")


def test_without_a_commit_nothing_is_recorded():
    """Outside of git there is no order; what a commit left is not touched."""
    scene = a_scene()
    lock = taken(scene)
    lock.applied("c1")
    before = scene.control()
    lock.applying(None)
    lock.applied(None)
    assert scene.control() == before


def test_recording_a_commit_draws_the_lease_out():
    """It is a write of the lock's row anyway."""
    scene = a_scene()
    lock = taken(scene)
    scene.clock.now += MINUTE
    lock.applying("c1")
    assert mine(scene).lock.lease_end == NOW + MINUTE + LOCK_LEASE


# --- unlock ----------------------------------------------------------------------------------------


def test_unlocking_what_is_free_is_nothing():
    """There is no lock to tell of, and nothing is written."""
    scene = a_scene()
    assert (unlock(scene.backend), scene.control()) == (None, Control())


def test_unlocking_does_not_take_a_lock_that_came_meanwhile():
    """The person meant the one that was shown."""
    scene = a_scene()
    first = taken(scene)

    def change_hands():
        first.release()
        ApplyLock(scene.beside(), BOB).take()

    scene.wire.on("put control", change_hands)
    with pytest.raises(LockedError, match=r"bob .* it was taken a moment ago: look again"):
        unlock(scene.backend)
    assert mine(scene).lock.holder == "bob"


def test_unlocking_what_was_released_meanwhile_is_fine():
    """It is free, as asked for."""
    scene = a_scene()
    lock = taken(scene)
    scene.wire.on("put control", lock.release)
    assert (unlock(scene.backend), mine(scene)) == (a_lock(), OwnerControl())


# --- pause and resume ------------------------------------------------------------------------------


def test_pausing_says_who_when_and_why():
    """Who finds the table paused must know whom to ask."""
    scene = a_scene()
    paused = Pause(by="ann", at=NOW, reason="the shop is down")
    assert pause(scene.backend, by="ann", reason="the shop is down") == paused
    assert scene.control() == Control(version=1, pause=paused)


def test_pausing_twice_is_refused():
    """The first reason stands; the message names it and the way out."""
    scene = a_scene()
    pause(scene.backend, by="ann", reason=None)
    with pytest.raises(UsageError) as error:
        pause(scene.backend, by="bob", reason=None)
    assert (str(error.value), scene.control().pause.by) == (
        "ann has paused it since 2030-01-01T12:00:00Z: `slowsched resume` ends that",
        "ann",
    )


@pytest.mark.parametrize(("manners", "soonest"), [({}, NOW), (EVENTBRIDGE, NOW + 2 * MINUTE)])
def test_resuming_lets_claim_from_the_first_moment_the_timer_can_serve(manners, soonest):
    """And arms for it, because what is due since long would be left otherwise."""
    scene = a_scene(due(-3600), now=NOW, **manners)
    pause(scene.backend, by="ann", reason=None)
    armed = resume(scene.backend)
    assert scene.control() == Control(version=2, not_before=soonest)
    assert (armed.moment, scene.timer.writes) == ((soonest, [soonest]) if manners else (None, []))


def test_resuming_arms_for_what_lies_further_ahead():
    """Nothing is due: the next moment is the next wake."""
    scene = a_scene(due(3600), **EVENTBRIDGE)
    pause(scene.backend, by="ann", reason=None)
    assert resume(scene.backend).moment == NOW + 60 * MINUTE


def test_resuming_what_is_not_paused_is_refused():
    """Nothing is written, the timer included."""
    scene = a_scene(due(3600), **EVENTBRIDGE)
    with pytest.raises(UsageError, match="it is not paused: nothing to resume"):
        resume(scene.backend)
    assert (scene.control(), scene.timer.writes) == (Control(), [])


def test_resuming_without_a_timer_is_told():
    """It was resumed; the arming can be repeated."""
    scene = a_scene(due(3600), **EVENTBRIDGE)
    pause(scene.backend, by="ann", reason=None)
    scene.wire.fail("arm", TimerError("no answer"))
    with pytest.raises(TimerError, match="no answer"):
        resume(scene.backend)
    assert scene.control().pause is None


# --- several owners --------------------------------------------------------------------------------


def test_owners_of_one_table_do_not_disturb_each_other():
    """Lock and commits are an owner's; whatever this owner does, the other's entry stays as it is."""
    scene = a_scene()
    scene.store.put_control(Control(version=1, owners={"acme/blog/local": OTHERS}), 0)
    lock = taken(scene)
    lock.applying("c9")
    scene.clock.now += LOCK_LEASE * 3 / 4
    lock.ensure()
    lock.applied("c9")
    lock.release()
    pause(scene.backend, by="ann", reason=None)
    resume(scene.backend)
    taken(scene)
    unlock(scene.backend)
    assert scene.control().owners == {"acme/blog/local": OTHERS, OWNER: OwnerControl(applied="c9")}
