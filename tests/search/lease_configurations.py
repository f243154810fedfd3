"""Configurations of claim and lease: workers that are slow, hang or die, and whoever writes rows beside them.

The timer wakes nobody here: workers start when they are told to. A call may take as long as it likes, past the ends of
leases, but while an attempt hangs: then its process ends in time.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

from protocol.fakes import EVENTBRIDGE, NOW, SECOND, declared, due
from values import MINUTE, a_retry

from search.engine import Configuration
from search.processes import Attempts, Program
from search.rules import Safety, wakes
from search.world import Left, World
from slowsched import intervene
from slowsched.apply import ApplyRequest, apply
from slowsched.model import Declared, Row, State
from slowsched.plan import PlanOptions
from slowsched.wake import wake

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from search.engine import Search
    from search.world import Table

TIMEOUT = 30 * SECOND
LEASE = TIMEOUT + MINUTE
FOR_EVER = timedelta(days=1)
SKEW = 10 * SECOND


def worker(skew: timedelta = timedelta(0)) -> Program:
    """Return a worker, whose clock may be wrong."""
    return Program(lambda backend: wake(backend, Attempts(backend)), skew=skew, manners=EVENTBRIDGE)


def applier(*tasks: Declared, **options: Any) -> Program:
    """Return an apply of these tasks, outside of git."""
    request = ApplyRequest(options=PlanOptions(**options))
    return Program(lambda backend: apply(backend, tasks, request), writes_control=True, manners=EVENTBRIDGE)


def stalls(search: Search, world: World) -> list[datetime]:
    """Let a call take until a lease ends or somebody starts; as short as promised where only that is left.

    A process that hosts an attempt that hangs ends in time: it is not held up.
    """
    rest = world.left.stall
    if rest >= FOR_EVER and any(each.until is None for each in world.executing):
        return []
    if rest < FOR_EVER:
        return [world.now + rest] if rest else []
    ahead = [wake_at for _, wake_at in wakes(search, world)] + [moment for _, moment in world.to_start]
    return [min(ahead)] if (ahead := [each for each in ahead if each > world.now]) else []


def a_row(**fields: Any) -> Row:
    """Return the row of the one task, due now."""
    return due(**({"id": "x", "payload": {"seconds": 5}} | fields))


def a_file(minutes: float, **fields: Any) -> Declared:
    """Return the file of the one task."""
    return declared("x", minutes=minutes, **({"payload": {"seconds": 5}} | fields))


def configuration(
    name: str,
    programs: Mapping[str, Program],
    rows: Sequence[Row],
    starts: Mapping[str, Sequence[float]],
    **left: Any,
) -> Configuration:
    """Return a configuration of these processes, started at all combinations of moments."""

    def begin(table: Table) -> Iterator[World]:
        for moments in product(*starts.values()):
            to_start = tuple((each, NOW + moment * SECOND) for each, moment in zip(starts, moments, strict=True))
            world = World(to_start=to_start, left=Left(**({"stall": 2 * FOR_EVER} | left)))
            yield table.planted(world, *rows)

    return Configuration(name=name, programs=programs, begin=begin, rules=Safety(), stalls=stalls, ticks=False)


OVER = LEASE.total_seconds()


def two_workers() -> Configuration:
    """Two at once, and one more when the lease of the first is over."""
    programs = {"U": worker(), "V": worker(), "W": worker()}
    return configuration("three workers, of which one is slow", programs, [a_row()], {"U": [0], "V": [0], "W": [OVER]})


def failing() -> Configuration:
    """The attempt of a slow worker fails, while another has the task."""
    row = a_row(payload={"seconds": 5, "failures": 1})
    programs = {"V": worker(), "W": worker(), "X": worker()}
    starts = {"V": [0], "W": [OVER], "X": [OVER + 120]}
    return configuration("an attempt that fails late", programs, [row], starts)


def lost_answers() -> Configuration:
    """The answer of a write is lost, and another worker may write before it is sent again."""
    programs = {"V": worker(), "W": worker()}
    return configuration("a lost answer", programs, [a_row()], {"V": [0], "W": [0, OVER]}, unanswered=1)


def lost_beside_an_edit() -> Configuration:
    """The answer of a write is lost, and a policy edit may be written before it is sent again."""
    programs = {"V": worker(), "A": applier(a_file(0, description="edited"))}
    return configuration("a lost answer, beside a policy edit", programs, [a_row()], {"V": [0], "A": [0]}, unanswered=1)


def dying() -> Configuration:
    """A worker dies at any call."""
    programs = {"V": worker(), "W": worker()}
    return configuration("a worker that dies", programs, [a_row()], {"V": [0], "W": [0, OVER]}, crash=1)


def hanging() -> Configuration:
    """An attempt hangs, in a process that ends in time; the clocks differ by as much as they may."""
    row = a_row(payload={"hangs": 1})
    programs = {"V": worker(), "W": worker(SKEW), "X": worker(SKEW)}
    starts = {"V": [0], "W": [TIMEOUT.total_seconds(), 45], "X": [OVER - 10, OVER]}
    return configuration("an attempt that hangs", programs, [row], starts, stall=14 * SECOND)


def used_up() -> Configuration:
    """Whatever dies, a task is attempted as often as it may be."""
    row = a_row(payload={"seconds": 5}, retry=a_retry(attempts=1))
    programs = {"V": worker(), "W": worker(), "X": worker()}
    starts = {"V": [0], "W": [OVER], "X": [2 * OVER]}
    return configuration("attempts that are used up", programs, [row], starts, crash=1)


def edited() -> Configuration:
    """A running task is edited, superseding: the new generation waits for the old lease."""
    programs = {
        "V": worker(),
        "W": worker(),
        "A": applier(a_file(1, payload={"seconds": 7}), supersede=frozenset({"x"})),
    }
    starts = {"V": [0], "W": [61, 120], "A": [0]}
    row = a_row(payload={"seconds": 80}, timeout=90 * SECOND)
    return configuration("an edit that supersedes", programs, [row], starts)


def edited_in_time() -> Configuration:
    """A task is edited while it becomes due: it runs as one or the other, or as both."""
    programs = {"V": worker(), "W": worker(), "A": applier(a_file(2, payload={"seconds": 7}))}
    return configuration("an edit at the last moment", programs, [a_row()], {"V": [0], "W": [120], "A": [0]})


def deleted() -> Configuration:
    """A running task is deleted, superseding, and comes back."""
    other = declared("other", minutes=600)
    gone = applier(other, supersede=frozenset({"x"}), allow_deletes=1)
    back = applier(other, a_file(2, payload={"seconds": 5}))
    programs = {"V": worker(), "W": worker(), "A": gone, "B": back}
    row = a_row(payload={"seconds": 140}, timeout=150 * SECOND)
    starts = {"V": [60], "W": [180], "A": [70], "B": [80]}
    rows = [row, due(36_000, id="other")]
    return configuration("a delete that supersedes, and a return", programs, rows, starts)


def deleted_in_time() -> Configuration:
    """A task is deleted while it becomes due."""
    programs = {"V": worker(), "A": applier(declared("other", minutes=600), allow_deletes=1)}
    rows = [a_row(), due(36_000, id="other")]
    return configuration("a delete at the last moment", programs, rows, {"V": [0], "A": [0]})


def retried() -> Configuration:
    """A person retries a task that is about to die."""
    row = a_row(state=State.RUNNING, attempt=5, payload={"seconds": 80, "failures": 0}, timeout=90 * SECOND)
    retry = Program(lambda backend: intervene.retry(backend, "x"), manners=EVENTBRIDGE)
    programs = {"V": worker(), "W": worker(), "R": retry, "S": retry}
    starts = {"V": [60], "R": [60], "S": [61], "W": [180]}
    return configuration("a retry beside workers", programs, [row], starts)


ALL = {
    "two_workers": two_workers,
    "failing": failing,
    "lost_answers": lost_answers,
    "lost_beside_an_edit": lost_beside_an_edit,
    "dying": dying,
    "hanging": hanging,
    "used_up": used_up,
    "edited": edited,
    "edited_in_time": edited_in_time,
    "deleted": deleted,
    "deleted_in_time": deleted_in_time,
    "retried": retried,
}
