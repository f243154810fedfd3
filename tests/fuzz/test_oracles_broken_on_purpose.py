"""Each oracle can fail: what it looks for is planted, and the seeds find it without any guidance."""

from __future__ import annotations

import planting
import pytest

FILE = "fuzz/test_oracles.py"


def seeds_of(target: str) -> list[str]:
    """Return the test that takes the seeds of a target."""
    return [f"{FILE}::test_seeds[{target}]"]


FAULTS = {
    "the quick reader takes anchors": ("yaml_quick", 'b"&" in data or ', "", seeds_of("yaml")),
    "the quick reader takes double keys": ("yaml_quick", "if key in value or (", "if (", seeds_of("yaml")),
    "what readers read differently is taken": (
        "yaml_plain",
        "if _NUMBER_SOMEWHERE.fullmatch(text):",
        "if False:",
        seeds_of("yaml"),
    ),
    "a place is behind the end": (
        "yaml_reader",
        "return min(place, line_and_column(text, len(text)))",
        "return place",
        seeds_of("yaml"),
    ),
    "depth is not bounded": ("source_text", "DEPTH_MAX = 64", "DEPTH_MAX = 5000", seeds_of("json")),
    "double keys of JSON are taken": ("json_reader", "self.found |= len(value) != len(pairs)", "", seeds_of("json")),
    "an edit is not checked": (
        "yaml_change",
        "return edited if holds(edited, values) else None",
        "return edited",
        seeds_of("edit"),
    ),
    "a path leaves the root": (
        "config",
        "or not Path(os.path.realpath(root / path)).is_relative_to(root)",
        "",
        seeds_of("config"),
    ),
    "an infinite number is read": ("store.attributes", ", parse_float=_float)", ")", seeds_of("row")),
    "a week is a moment": ("store.attributes", ' or text[_BETWEEN_DIGITS] != "--T::."', "", seeds_of("row")),
    "labels are anything": ("store.codec", "if type(task.labels) is not dict:", "if False:", seeds_of("row")),
    "any due is read": ("store.codec", "if not DUE_MIN <= task.due <= DUE_MAX:", "if False:", seeds_of("use")),
    "damage of one kind is no damage": (
        "store.codec",
        "ArithmeticError, AttributeError,",
        "ArithmeticError,",
        seeds_of("control"),
    ),
    "a half character is stored": (
        "store.codec",
        "if not is_unicode(canonical.text(document)):",
        "if False:",
        seeds_of("use"),
    ),
    "anything is a plan": (
        "plan_file",
        "except (KeyError, TypeError, ValueError)",
        "except KeyError",
        seeds_of("plan"),
    ),
}
NO_FAULT = "no fault"
NOTICED, ALL_PASS = 1, 0


@pytest.fixture(scope="module")
def statuses():
    """Return how pytest ended with each fault planted."""
    asked = [*FAULTS.values(), ("source_text", "", "", [f"{FILE}::test_seeds"])]
    return dict(zip([*FAULTS, NO_FAULT], planting.statuses(list(map(list, asked))), strict=True))


def test_without_a_fault_every_test_passes(statuses):
    """What notices a fault is the fault, not the way it was planted."""
    assert statuses[NO_FAULT] == ALL_PASS


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(statuses, fault):
    """An oracle refuses a seed."""
    assert statuses[fault] == NOTICED
