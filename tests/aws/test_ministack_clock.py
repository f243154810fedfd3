"""Rules and schedules of the mended MiniStack fire as on AWS, on a clock of ours: minutes pass in no time."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from emulators.fixtures import requires
from emulators.parts import PYTHON

PROBE = Path(__file__).resolve().parent.parent / "emulators" / "inside_ministack" / "probe.py"


def _played(scenario, *left_out):
    """Return the minutes in which something fired."""
    requires("ministack")
    command = [PYTHON, PROBE, scenario, *left_out]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, env={})
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("scenario", "mend", "with_it", "without_it"),
    [
        ("new_rule_just_before_its_minute", "rules-count-from-their-put", ["12:00"], []),
        ("rule_put_to_a_passed_minute", "rules-count-from-their-put", [], ["12:00"]),
        ("rule_put_between_its_minute_and_the_look", "rules-count-from-their-put", ["12:00"], []),
        ("rule_armed_three_times", None, ["12:01", "12:02", "12:03"], ["12:01", "12:02", "12:03"]),
        ("schedule_set_again", "schedules-can-be-set-again", ["12:01", "12:03"], ["12:01"]),
        ("schedule_set_to_a_passed_moment", "schedules-can-be-set-again", [], ["12:00"]),
    ],
)
def test_rules_and_schedules_fire_as_on_aws(scenario, mend, with_it, without_it):
    """A rule or schedule fires at each moment that it was set to before, and at no other."""
    # A rule that is new is lost where the clock ticks slowly, too.
    slow = ["quick-clock"] if scenario == "new_rule_just_before_its_minute" else []
    left_out = [mend] if mend else []

    assert (_played(scenario), _played(scenario, *left_out, *slow)) == (with_it, without_it)


def test_a_ministack_that_the_mends_do_not_know_is_refused():
    """A private name that is gone stops MiniStack's start, with what to do."""
    requires("ministack")
    command = [PYTHON, PROBE, "name_that_is_gone"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env={})

    assert (done.returncode, done.stderr) == (
        1,
        (
            "MiniStack has no services.sqs._queue_by_name: tests/emulators/inside_ministack knows 1.5.33; "
            "install that with make emulators, or look how the new version does it and mend the mends\n"
        ),
    )
