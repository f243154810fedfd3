"""The list of mutants that survive names code that is there (tests/mutation/survivors.toml)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from mutation.survivors import PACKAGE, Change, enclosing, explained, is_there

SOURCE = """
LIMIT = 3


class Box:
    def size(self):
        if self.full:
            return LIMIT

        return 0


def first(items):
    return items[0]
"""
KNOWN = explained()
IN_A_METHOD = Change(module="box", function="Box.size", before="return LIMIT\nreturn 0", after="return None\nreturn 0")


@pytest.mark.parametrize(
    "change", [change for change, _ in KNOWN], ids=lambda change: f"{change.module} {change.before}"
)
def test_what_a_known_survivor_changes_is_in_the_code(change):
    """An explanation is of code that is there: where the code changed, `make mutants` says what is to be explained."""
    assert is_there(change, (PACKAGE / f"{change.module}.py").read_text(encoding="utf-8"))


def test_every_known_survivor_is_explained_once():
    """Each has its reason, none stands there twice, and modules are in order."""
    modules = list(dict.fromkeys(change.module for change, _ in KNOWN))
    without = [change for change, why in KNOWN if not why.strip()]
    assert (without, len({change for change, _ in KNOWN}), modules) == ([], len(KNOWN), sorted(modules))


@pytest.mark.parametrize(
    "change",
    [
        IN_A_METHOD,
        replace(IN_A_METHOD, function="Box"),
        replace(IN_A_METHOD, function=""),
        replace(IN_A_METHOD, function="", before="LIMIT = 3"),
        replace(IN_A_METHOD, function="first", before="return items[0]"),
    ],
)
def test_lines_are_found_where_they_stand(change):
    """Lines are found in their function, their class and their module, whatever the blanks around them."""
    assert is_there(change, SOURCE) is True


@pytest.mark.parametrize(
    "change",
    [
        replace(IN_A_METHOD, function="first"),
        replace(IN_A_METHOD, function="Box.gone"),
        replace(IN_A_METHOD, before="return 0\nreturn LIMIT"),
        replace(IN_A_METHOD, before="return LIMITS"),
        replace(IN_A_METHOD, before="LIMIT"),
    ],
)
def test_lines_that_are_not_there_are_noticed(change):
    """Another function, another order, another line or half of one: the explanation is of no use any more."""
    assert is_there(change, SOURCE) is False


@pytest.mark.parametrize(("line", "name"), [(2, ""), (5, "Box"), (7, "Box.size"), (13, "first")])
def test_a_line_is_named_by_what_is_around_it(line, name):
    """The innermost class or function gives the name."""
    assert enclosing(SOURCE, line) == name
