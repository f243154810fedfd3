"""Each place where sensitive values are masked, taken out: a test notices."""

from __future__ import annotations

import planting
import pytest

VALUES, PLACES, CLI = "test_sensitive.py", "test_schema_places.py", "cli/test_cli_sensitive.py"

FAULTS = {
    "a field shows its values": ("decision", "if hidden else sides", "if False else sides", [VALUES]),
    "a field goes down into what is hidden": ("decision", " and pointer not in hidden", "", [VALUES]),
    "the row's own marks are forgotten": ("decision", "*row.task.sensitive, ", "", [VALUES]),
    "the file's marks are forgotten": ("decision", ", *declared.task.sensitive", "", [VALUES]),
    "a task's values are shown": ("sensitive", "if hidden else document", "if False else document", [VALUES]),
    "the before side is masked by its own marks alone": (
        "sensitive",
        "frozenset((*before, *after))",
        "frozenset(before)",
        [VALUES],
    ),
    "a digest tells the value": ("sensitive", "if not task.sensitive:", "if True:", [VALUES]),
    "the row's digest tells the value": ("sensitive", "if row.task.sensitive else", "if False else", [VALUES]),
    "the shortest value goes first": ("sensitive", "(-len(word), word)", "(len(word), word)", [VALUES]),
    "quoted values are left": ("sensitive", "for quoted in _quoted(text):", "for quoted in ():", [VALUES]),
    "marks are no part of the digest": ("canonical", "if task.sensitive else ()", "if False else ()", [VALUES]),
    "marks are not stored": ("canonical", "    if task.sensitive:\n", "    if False:\n", [VALUES]),
    "a message is not masked": ("execute", "message if mask is None else mask(message)", "message", [VALUES]),
    "the log has the traceback as it is": (
        "execute",
        "if mask is None:\n            attempt",
        "if True:\n            attempt",
        [VALUES],
    ),
    "the worker has no mask": ("execute", "message_mask(row.task) if row.task.sensitive else None", "None", [CLI]),
    "the history is shown as it is": ("render.shapes", "mask(entry.message)", "entry.message", [VALUES]),
    "the history is written as it is": ("render.text_rows", "mask(entry.message)", "entry.message", [VALUES]),
    "two masks look alike": ("render.values", "if field.sensitive and before == after", "if False", [CLI]),
    "a problem quotes the value": ("json_schema", "        if hidden:", "        if False:", [PLACES]),
    "a problem of the whole quotes the value": ("json_schema", "!= violation.message", "is None", [PLACES]),
    "references are not followed": ("schema_places", '("$ref", "$dynamicRef")', "()", [PLACES]),
    "alternatives are not looked at": ("schema_places", '"anyOf", ', "", [PLACES]),
    "patterns are not looked at": ("schema_places", "if self._matches(pattern, key)", "if False", [PLACES]),
    "a file's task has no marks": ("task_file", "if ways else ()", "if False else ()", [CLI]),
}
NO_FAULT = "no fault"
NOTICED, ALL_PASS = 1, 0


@pytest.fixture(scope="module")
def statuses():
    """Return how pytest ended with each fault planted."""
    asked = [*FAULTS.values(), ("sensitive", "", "", [VALUES, PLACES, CLI])]
    return dict(zip([*FAULTS, NO_FAULT], planting.statuses(list(map(list, asked))), strict=True))


def test_without_a_fault_every_test_passes(statuses):
    """What notices a fault is the fault, not the way it was planted."""
    assert statuses[NO_FAULT] == ALL_PASS


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(statuses, fault):
    """A mask that is taken out fails a test."""
    assert statuses[fault] == NOTICED
