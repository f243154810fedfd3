"""Every schedule of small configurations: nothing is lost, late, done twice or undone."""

from __future__ import annotations

import logging

import pytest

from search import apply_configurations, lease_configurations, timer_configurations
from search.engine import Search

ALL = {"timer": timer_configurations.ALL, "lease": lease_configurations.ALL, "apply": apply_configurations.ALL}

# The preemptions that a part of the tests can afford; `python -m search` goes to three in all.
SEARCHED = {
    "timer": {
        3: ("taken_away", "writers", "a_retry", "near_writer", "a_resume"),
        2: ("killed_late", "on_its_way_gap", "on_its_way_late"),
        1: ("failing_alone", "staying_slow", "two_writers_gap", "an_apply_slow"),
        0: ("crashing_late", "repeated_slow", "lost_wake_lost"),
    },
    "lease": {
        2: ("hanging", "failing", "edited"),
        1: ("two_workers", "dying", "edited_in_time", "deleted", "used_up", "retried", "lost_answers"),
    },
    "apply": {
        3: ("creates_killed", "edits_beside_a_pause", "reverted_expired"),
        2: ("edits_together",),
        1: ("creates_killed_later", "edits_out_of_order", "reverted_unanswered"),
    },
}
CASES = [
    (family, name, bound) for family, bounds in SEARCHED.items() for bound, names in bounds.items() for name in names
]
IDS = [f"{family}-{name}" for family, name, _ in CASES]


@pytest.fixture(autouse=True)
def _quiet():
    """Keep failing attempts out of the log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(("family", "name", "preemptions"), CASES, ids=IDS)
def test_whatever_the_schedule_all_is_well(family, name, preemptions):
    """Every schedule within the bound is walked, and no rule is broken in any."""
    found = Search(ALL[family][name](), preemptions).run()
    assert (found.violations, found.complete) == ([], True)


def test_the_result_is_the_last_commit_unless_a_holder_went_on_after_its_lease():
    """B was applied and its rows do not stand: only where somebody wrote who held the lock no longer; that happens."""
    configuration = ALL["apply"]["reverted_expired"]()
    search = Search(configuration, 2)
    assert (search.run().violations, search.figures.complete) == ([], True)
    applied = [world for world in search.endings if ("applied", "B") in world.facts]
    others = [world for world in applied if not configuration.rules.is_last(search, world)]
    assert others
    assert [world for world in others if apply_configurations.WENT_ON not in world.facts] == []


def test_without_a_heartbeat_a_death_is_found():
    """The search can fail: a process that dies with its word unsaid needs the heartbeat."""
    found = Search(timer_configurations.crashing(heartbeats=0), 0).run()
    assert [each.what.split(":")[0] for each in found.violations] != []
