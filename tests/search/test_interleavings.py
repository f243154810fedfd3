"""Invariants 1 and 12 over every interleaving of the calls of a few processes, on the production code."""

from __future__ import annotations

import logging

import pytest
from protocol.fakes import EVENTBRIDGE, NOW, a_scene, declared, due
from values import MINUTE

from search.interleaving import World, endings
from slowsched.apply import ApplyRequest, apply
from slowsched.arm import arm
from slowsched.control import pause, resume
from slowsched.model import State
from slowsched.wake import wake

LAST = due(20 * 60, id="last")


def a_world(*rows, control=None):
    """Return a world with these rows, whose timer was never set."""
    store = a_scene(*rows).store
    if control is not None:
        control(a_scene_of(store))
    return World(items=store.items, control_items=store.control_items, armed=None, now=NOW)


def a_scene_of(store):
    """Return a backend on a store."""
    scene = a_scene(**EVENTBRIDGE)
    scene.store.items, scene.store.control_items = store.items, store.control_items
    return scene.backend


def writer(row, expect_version=0):
    """Return a process that writes one row and arms, as whoever writes rows does."""

    def run(backend):
        if backend.store.put(row, expect_version) is None:
            arm(backend)

    return run


def applier(*tasks):
    """Return a process that applies these tasks, outside of git: each commit recorded is two calls more."""
    return lambda backend: apply(backend, tasks, ApplyRequest())


def worker(backend):
    """Do one wake, without threads."""
    wake(backend, a_scene().inline_runner())


def uncovered(world, processes, owners=None):
    """Return a way that ends with a timer other than the earliest wake, with both; there should be none."""
    for ending in endings(world, processes, EVENTBRIDGE, owners):
        first = ending.world.store().next_wake()
        if ending.world.armed != first:
            return [(ending.way, ending.world.armed, first)]
    return []


def test_two_writers_and_a_worker():
    """A row earlier than what the worker arms for, and one earlier still, while it runs a task."""
    processes = {
        "A": writer(due(600, id="a")),
        "B": writer(due(300, id="b")),
        "W": worker,
    }
    assert uncovered(a_world(due(id="now"), LAST), processes) == []


def test_one_writer_brings_the_earliest_and_another_takes_it_away():
    """The timer follows to earlier and to later moments."""
    gone = due(300, id="first", version=2, state=State.DELETED, wake_at=None)
    processes = {"A": writer(due(600, id="a")), "B": writer(gone, 1), "W": worker}
    assert uncovered(a_world(due(300, id="first"), due(id="now"), LAST), processes) == []


def test_two_applies_of_two_owners():
    """Each has its own lock, and both write the one control row and the one timer."""
    processes = {"A": applier(declared("a", minutes=10)), "B": applier(declared("b", minutes=5))}
    assert uncovered(a_world(LAST), processes, {"A": "acme/a/local", "B": "acme/b/local"}) == []


def test_two_applies_of_one_owner():
    """One of them finds the lock taken, or comes after the other; nothing is written twice."""
    processes = {"A": applier(declared("a", minutes=10)), "B": applier(declared("a", minutes=10))}
    ends = {
        (ending.world.armed, ending.world.store().get("a").version)
        for ending in endings(a_world(), processes, EVENTBRIDGE)
    }
    assert ends == {(NOW + 10 * MINUTE, 1)}


def test_an_apply_and_a_worker():
    """A wake knows nothing of the lock, and needs not."""
    processes = {"A": applier(declared("a", minutes=10)), "W": worker}
    world = a_world(due(id="now", owner="acme/b/local"), due(1200, id="last", owner="acme/b/local"))
    assert uncovered(world, processes) == []


def test_two_workers_execute_a_due_task_once(caplog):
    """Whichever wins: one execution, and the timer set for the next."""
    caplog.set_level(logging.CRITICAL)

    def sleepy_worker(backend):
        wake(backend, a_scene().inline_runner(APPLY_SALE=lambda *_: backend.sleep(0)))

    ends = {
        (ending.world.armed, ending.world.store().get("now").state, ending.world.sleeps)
        for ending in endings(a_world(due(id="now"), LAST), {"V": sleepy_worker, "W": sleepy_worker}, EVENTBRIDGE)
    }
    assert ends == {(NOW + 20 * MINUTE, State.SUCCEEDED, 1)}


def test_a_resume_and_a_writer():
    """Resume writes first and arms then, so the timer is set whoever of the two comes last."""
    world = a_world(due(-3600, id="waits"), control=lambda backend: pause(backend, by="ann", reason=None))
    processes = {"R": resume, "A": writer(due(600, id="a"))}
    assert {ending.world.armed for ending in endings(world, processes, EVENTBRIDGE)} == {NOW + 2 * MINUTE}


@pytest.mark.parametrize("moment", [NOW, NOW + MINUTE])
def test_a_world_that_is_wrong_is_noticed(moment):
    """A writer that does not arm leaves the timer behind: this harness can fail."""
    processes = {"A": lambda backend: backend.store.put(due(600, id="a"), 0), "T": lambda b: b.timer.arm(moment)}
    [(way, armed, first)] = uncovered(a_world(), processes)
    assert (sorted(way), armed, first) == (["A: _write_row", "T: arm"], moment, NOW + 10 * MINUTE)
