"""Configurations of two applies of one owner: commit A comes before commit B in git.

Both at once; the lock expires under its holder, where time passes to where it is renewed and to where it may be taken
from its holder; one dies at any call, and A is retried after B; A again beside B; the answer of a write is lost.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from protocol.fakes import EVENTBRIDGE, NOW, SECOND, declared, due
from values import OWNER

from search.engine import Configuration
from search.processes import Program
from search.rules import Safety
from search.world import Left, World
from slowsched.apply import ApplyRequest, apply
from slowsched.control import LOCK_LEASE, pause
from slowsched.lifecycle import CLOCK_SKEW
from slowsched.model import Declared, State
from slowsched.plan import PlanOptions
from slowsched.reports import ApplyStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from search.engine import Search
    from search.world import Table
    from slowsched.model import Lock, Row

NEITHER, A, B = "0" * 40, "a" * 40, "b" * 40
ORDER = [NEITHER, A, B]
WENT_ON = ("a holder went on after its lease",)


def comes_before(one: str, other: str) -> bool:
    """Say what git says."""
    return ORDER.index(one) <= ORDER.index(other)


def applier(commit: str, *tasks: Declared) -> Program:
    """Return an apply of these tasks as a commit."""
    request = ApplyRequest(commit=commit, options=PlanOptions(allow_deletes=1), is_ancestor=comes_before)
    return Program(lambda backend: apply(backend, tasks, request), writes_control=True, manners=EVENTBRIDGE)


def stalls(search: Search, world: World) -> list[datetime]:
    """Let a call take until the lock is to be renewed, or until it is anybody's."""
    lock = search.table.control(world).of(OWNER).lock
    if lock is None:
        return []
    moments = (lock.lease_end - LOCK_LEASE / 2 + SECOND, lock.lease_end + CLOCK_SKEW)
    return [each for each in moments if each > world.now]


class Scene(NamedTuple):
    """The rows that stand before, what A declares, and what B does."""

    name: str
    before: Sequence[Row]
    first: Sequence[Declared]
    last: Sequence[Declared]


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

    def controlled(self, search: Search, before: World, after: World, process: str) -> tuple[World, str | None]:
        """While somebody holds the lock nobody else says anything of its owner; once it is over it may be taken."""
        old, new = (search.table.control(world).of(OWNER) for world in (before, after))
        if old == new or old.lock is None or _holder(old.lock) == process:
            return after, None
        taken = new.lock is not None and _holder(new.lock) == process
        if not taken or old.lock.lease_end + CLOCK_SKEW > after.now:
            return after, f"{process} wrote over the lock of {_holder(old.lock)}"
        return after, None

    def quiet(self, search: Search, world: World) -> str | None:
        """Nobody who lived to the end leaves a lock behind."""
        left = world.faulted is None and search.table.control(world).of(OWNER).lock is not None
        return "a lock is left behind" if left else None

    def remembered(self, search: Search, world: World, process: str) -> World:
        """Note who wrote without the lock; and that B has written."""
        lock = search.table.control(world).of(OWNER).lock
        holds = lock is not None and _holder(lock) == process and lock.lease_end > world.now
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


def _holder(lock: Lock) -> str:
    """Return which process a lock is: its token is `NAME TIME NUMBER`."""
    return lock.token.rsplit(" ", 2)[0]


OVER = LOCK_LEASE + CLOCK_SKEW  # from here on a lock that was taken at NOW is anybody's


def configuration(
    name: str,
    scene: Scene,
    starts: Mapping[str, timedelta],
    *,
    slow: bool = False,
    **left: Any,
) -> Configuration:
    """Return a configuration in which what a scene says is applied: A, B, and A again.

    `starts` says who starts when after NOW. With `slow` calls may take until the lock is somebody else's.
    """
    programs = {
        "A": applier(A, *scene.first),
        "B": applier(B, *scene.last),
        "A again": applier(A, *scene.first),
        "pause": Program(lambda backend: pause(backend, by="ann", reason=None), writes_control=True),
    }

    def begin(table: Table) -> Iterator[World]:
        to_start = tuple((each, NOW + moment) for each, moment in starts.items())
        yield table.planted(World(to_start=to_start, left=Left(**left)), *scene.before)

    return Configuration(
        name=f"{scene.name}: {name}",
        programs=programs,
        begin=begin,
        rules=LastCommit(scene.last),
        stalls=stalls if slow else lambda _search, _world: [],
        ticks=False,
        pauses=True,
    )


def a_file(task_id: str, minutes: float) -> Declared:
    """Return the file of a task that is due in hours, and so many minutes."""
    return declared(task_id, minutes=600 + minutes)


def a_row(task_id: str, minutes: float) -> Row:
    """Return the row of the same."""
    return due(60 * (600 + minutes), id=task_id)


EDITS = Scene("A edits, B edits", [a_row("x", 0)], [a_file("x", 1)], [a_file("x", 2)])
# B takes A's edit back, so that B's plan has nothing to write where A has not written yet.
REVERTED = Scene("A edits, B takes it back", [a_row("x", 0)], [a_file("x", 1)], [a_file("x", 0)])
CREATES = Scene("A creates, B deletes and creates", [a_row("z", 0)], [a_file("x", 1), a_file("z", 0)], [a_file("z", 2)])
SCENES = {"edits": EDITS, "reverted": REVERTED, "creates": CREATES}
AT_ONCE = timedelta(0)


def together(scene: Scene) -> Configuration:
    """A and B at once, and as slow as they like."""
    return configuration("at once", scene, {"A": AT_ONCE, "B": AT_ONCE}, slow=True)


def expired(scene: Scene) -> Configuration:
    """A is so slow that its lock is over, and B takes it."""
    return configuration("A's lock is over", scene, {"A": AT_ONCE, "B": OVER}, slow=True)


def killed(scene: Scene) -> Configuration:
    """A or B, at once, dies at any call; A again when the lock is over."""
    return configuration("one dies, and A again", scene, {"A": AT_ONCE, "B": AT_ONCE, "A again": OVER}, crash=1)


def killed_later(scene: Scene) -> Configuration:
    """A or B dies at any call; B comes when A's lock is over, however slow A is, and A again after that."""
    starts = {"A": AT_ONCE, "B": OVER, "A again": 2 * OVER}
    return configuration("one dies, its lock is over, and A again", scene, starts, slow=True, crash=1)


def out_of_order(scene: Scene) -> Configuration:
    """B, and A beside it and after it, as slow as they like."""
    starts = {"B": AT_ONCE, "A": AT_ONCE, "A again": OVER}
    return configuration("A beside B, and again", scene, starts, slow=True)


def unanswered(scene: Scene) -> Configuration:
    """A and B at once, and the answer of a write is lost."""
    starts = {"A": AT_ONCE, "B": AT_ONCE}
    return configuration("a lost answer", scene, starts, slow=True, unanswered=1)


def beside_a_pause(scene: Scene) -> Configuration:
    """A, whose answer is lost, while a person writes the same control row."""
    return configuration("a lost answer, and a pause", scene, {"A": AT_ONCE, "pause": AT_ONCE}, unanswered=1)


KINDS = (together, expired, killed, killed_later, out_of_order, unanswered, beside_a_pause)
ALL: dict[str, Callable[[], Configuration]] = {
    f"{name}_{kind.__name__}": partial(kind, scene) for kind in KINDS for name, scene in SCENES.items()
}
