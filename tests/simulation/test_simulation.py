"""The simulator itself: seeds hold, are the same each time, and a rule that is left out is noticed and told.

The many seeds, and every rule, are run by `make simulate`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from planting import PACKAGE

from simulation.faults import Fault
from simulation.mutations import MUTATIONS, Mutation
from simulation.playing import noticed, play
from simulation.scenario import PROFILES, a_scenario
from simulation.story import minimised, told
from simulation.world import World

SEEDS = 3  # of each profile
PATIENCE = timedelta(minutes=3)


def the_story(seed, profile):
    """Return all that happened at a seed."""
    world = World(a_scenario(seed, profile))
    world.run()
    return told(world)


@pytest.mark.parametrize("profile", PROFILES)
def test_some_days_of_every_kind_hold(profile):
    """Nothing is violated, and something was executed."""
    outcome = play(0, SEEDS, profile)
    assert (outcome.failed, outcome.figures["executions"] > 0) == ([], True)


def test_a_seed_decides_everything():
    """The same seed is the same story, to the millisecond; another is another."""
    first, again, other = the_story(7, "storm"), the_story(7, "storm"), the_story(8, "storm")
    assert (first == again, first == other) == (True, False)


@pytest.mark.parametrize("rule", MUTATIONS)
def test_the_text_of_every_rule_is_there(rule):
    """Where the text was moved, the rule must be described anew, or it would be left out no more."""
    mutation = MUTATIONS[rule]
    path = PACKAGE.joinpath(*mutation.module.split(".")).with_suffix(".py")
    assert not mutation.text or path.read_text(encoding="utf-8").count(mutation.text) == 1


def test_every_fault_can_strike():
    """In some days every fault has struck, but the two that are rare: they need more days, or years."""
    struck = set()
    for profile, days in {"storm": 25, "timer": 8, "formats": 6, "cancels": 3}.items():
        struck |= play(0, days, profile).faults.keys()
    assert {str(each) for each in Fault} - struck <= {str(Fault.TTL_LATE), str(Fault.UNLOCKED)}


def test_a_failing_seed_is_told_by_its_smallest_part():
    """With no time allowed for calls and delivery nearly every day fails; the story says what is left of it."""
    scenario = replace(a_scenario(3, "people"), calls=-PATIENCE)
    whole = World(scenario)
    whole.run()
    small = minimised(scenario)
    assert small is not None
    assert small.violation.check == whole.violation.check == "no task is late"
    assert len(small.scenario.acts) < len(whole.scenario.acts)
    assert told(small).splitlines()[-1].startswith("VIOLATED: no task is late")


def test_a_day_without_faults_has_no_minimised_story():
    """What holds is not made smaller."""
    assert minimised(a_scenario(0, "calm")) is None


def test_a_rule_whose_text_is_gone_counts_as_not_noticed():
    """It must not look like one that was noticed."""
    gone = Mutation(module="arm", text="not there", instead="")
    assert noticed(gone) is None
