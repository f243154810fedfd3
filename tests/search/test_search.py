"""Every schedule of small configurations: nothing is lost, late, done twice or undone."""

from __future__ import annotations

import logging

import pytest

from search import apply_configurations, lease_configurations, timer_configurations
from search.engine import Search

TIMER, LEASE, APPLY = timer_configurations, lease_configurations, apply_configurations

# The preemptions that a part of the tests can afford; `python -m search` goes deeper.
SEARCHED = [
    *((TIMER, name, 3) for name in ("taken_away", "writers", "a_retry", "near_writer", "a_resume")),
    *((TIMER, name, 1) for name in ("killed", "failing_alone", "on_its_way")),
    *((TIMER, name, 0) for name in ("staying", "an_apply", "two_writers", "crashing", "repeated", "lost_wake")),
    *((LEASE, name, 3) for name in ("hanging",)),
    *((LEASE, name, 2) for name in ("failing", "edited")),
    *((LEASE, name, 1) for name in ("two_workers", "dying", "edited_in_time", "deleted", "used_up", "retried")),
    *((APPLY, name, 1) for name in ("edits", "reverted", "creates")),
    (APPLY, "creates_dying", 0),
]
IDS = [f"{module.__name__[7:12]}-{name}" for module, name, _ in SEARCHED]


@pytest.fixture(autouse=True)
def _quiet():
    """Keep failing attempts out of the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(("module", "name", "preemptions"), SEARCHED, ids=IDS)
def test_whatever_the_schedule_all_is_well(module, name, preemptions):
    """Every schedule within the bound is walked, and no rule is broken in any."""
    found = Search(getattr(module, name)(), preemptions).run()
    assert (found.violations, found.complete) == ([], True)


def test_the_result_is_the_last_commit_unless_a_holder_went_on_after_its_lease():
    """B was applied and its rows do not stand: only where somebody wrote who held the lock no longer; that happens."""
    configuration = APPLY.expired()
    search = Search(configuration, 2)
    assert (search.run().violations, search.figures.complete) == ([], True)
    applied = [world for world in search.endings if ("applied", "B") in world.facts]
    others = [world for world in applied if not configuration.rules.is_last(search, world)]
    assert others
    assert [world for world in others if APPLY.WENT_ON not in world.facts] == []


def test_without_a_heartbeat_a_death_is_found():
    """The search can fail: a process that dies with its word unsaid needs the heartbeat."""
    found = Search(TIMER.crashing(heartbeats=0), 0).run()
    assert [each.what.split(":")[0] for each in found.violations] != []
