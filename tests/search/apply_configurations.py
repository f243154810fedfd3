"""Configurations of two applies of one owner: commit A comes before commit B in git.

Each may die at any call, the lock may expire under its holder, and A is retried after B. Time passes to where the lock
is renewed, and to where it may be taken from its holder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.fakes import EVENTBRIDGE, NOW, SECOND, declared, due
from values import MINUTE, OWNER

from search.engine import Configuration
from search.processes import Program
from search.rules import Safety
from search.world import Left, World
from slowsched.apply import ApplyRequest, apply
from slowsched.control import LOCK_LEASE
from slowsched.lifecycle import CLOCK_SKEW
from slowsched.model import Declared, State
from slowsched.plan import PlanOptions
from slowsched.reports import ApplyStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from search.engine import Search
    from search.world import Table
    from slowsched.model import Row

NEITHER, A, B = "0" * 40, "a" * 40, "b" * 40
ORDER = [NEITHER, A, B]
WENT_ON = ("a holder went on after its lease",)


def comes_before(one: str, other: str) -> bool:
    """Say what git says."""
    return ORDER.index(one) <= ORDER.index(other)


def applier(commit: str, *tasks: Declared) -> Program:
    """Return an apply of these tasks as a commit."""
    request = ApplyRequest(commit=commit, options=PlanOptions(allow_deletes=1), is_ancestor=comes_before)
    return Program(lambda backend: apply(backend, tasks, request), manners=EVENTBRIDGE)


def stalls(search: Search, world: World) -> list[datetime]:
    """Let a call take until the lock is to be renewed, or until it is anybody's."""
    lock = search.table.control(world).of(OWNER).lock
    if lock is None:
        return []
    moments = (lock.lease_end - LOCK_LEASE / 2 + SECOND, lock.lease_end + CLOCK_SKEW)
    return [each for each in moments if each > world.now]


class LastCommit(Safety):
    """Whatever happens, what stands at the end is B, or somebody wrote who held the lock no longer."""

    def __init__(self, wanted: Sequence[Declared]) -> None:
        self._wanted = {each.task.id: each.task for each in wanted}

    def written(self, search: Search, before: World, after: World, process: str) -> tuple[World, str | None]:
        """Besides: once B has written, or was applied, A writes nothing any more."""
        came = {("wrote", "B"), ("applied", "B")} & before.facts
        after, wrong = super().written(search, before, after, process)
        if wrong is None and process.startswith("A") and came and WENT_ON not in after.facts:
            wrong = "A wrote after B"
        return after, wrong

    def remembered(self, search: Search, world: World, process: str) -> World:
        """Note who wrote without the lock; and that B has written."""
        lock = search.table.control(world).of(OWNER).lock
        holds = lock is not None and lock.token.startswith(f"{process} ") and lock.lease_end > world.now
        facts = world.facts if holds else world.facts | {WENT_ON}
        return world._replace(facts=facts | {("wrote", process[0])})

    def finished(self, _search: Search, world: World, process: str, result: Any) -> World:
        """Note that B was applied to its end."""
        done = getattr(result, "status", None) in {ApplyStatus.APPLIED, ApplyStatus.NOTHING}
        return world._replace(facts=world.facts | {("applied", process[0])}) if done else world

    def ended(self, search: Search, world: World) -> str | None:
        """Hold the rows against B, once it was applied."""
        if WENT_ON in world.facts or ("applied", "B") not in world.facts or self.is_last(search, world):
            return None
        return "the rows are not those of B"

    def is_last(self, search: Search, world: World) -> bool:
        """Say whether the rows are what B declares."""
        rows = [search.table.row(world, task_id) for task_id, _ in world.rows]
        return {row.id: row.task for row in rows if row.state is not State.DELETED} == self._wanted


def configuration(
    name: str,
    before: Sequence[Row],
    first: Sequence[Declared],
    last: Sequence[Declared],
    *,
    again: bool = True,
    **left: Any,
) -> Configuration:
    """Return a configuration in which `first` (A), `last` (B) and, where told, `first` again are applied.

    A and B start together, or B after A's lock is over; A's retry comes after that.
    """
    programs = {"A": applier(A, *first), "B": applier(B, *last), "A again": applier(A, *first)}

    def begin(table: Table) -> Iterator[World]:
        over = NOW + LOCK_LEASE + CLOCK_SKEW
        for start in (NOW, over):
            to_start = [("A", NOW), ("B", start), *([("A again", over + MINUTE)] if again else [])]
            yield table.planted(World(to_start=tuple(to_start), left=Left(**left)), *before)

    return Configuration(name=name, programs=programs, begin=begin, rules=LastCommit(last), stalls=stalls, ticks=False)


def a_file(task_id: str, minutes: float) -> Declared:
    """Return the file of a task that is due in hours, and so many minutes."""
    return declared(task_id, minutes=600 + minutes)


def a_row(task_id: str, minutes: float) -> Row:
    """Return the row of the same."""
    return due(60 * (600 + minutes), id=task_id)


def edits(**left: Any) -> Configuration:
    """B edits what A edits."""
    return configuration("A edits, B edits", [a_row("x", 0)], [a_file("x", 1)], [a_file("x", 2)], **left)


def reverted(**left: Any) -> Configuration:
    """B takes A's edit back, so that B's plan has nothing to write where A has not written yet."""
    return configuration("A edits, B takes it back", [a_row("x", 0)], [a_file("x", 1)], [a_file("x", 0)], **left)


def creates(**left: Any) -> Configuration:
    """A creates, B deletes that and creates another."""
    return configuration(
        "A creates, B deletes and creates", [a_row("z", 0)], [a_file("x", 1), a_file("z", 0)], [a_file("z", 2)], **left
    )


def expired() -> Configuration:
    """B takes A's edit back, and A is not retried."""
    return reverted(again=False)


def edits_dying() -> Configuration:
    """... and one of them dies."""
    return edits(crash=1)


def reverted_dying() -> Configuration:
    """... and one of them dies."""
    return reverted(crash=1)


def creates_dying() -> Configuration:
    """... and one of them dies."""
    return creates(crash=1)


ALL = (expired, edits, reverted, creates, edits_dying, reverted_dying, creates_dying)
