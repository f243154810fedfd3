"""Configurations of the arm protocol, on a timer with EventBridge's manners, with time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from protocol.fakes import EVENTBRIDGE, NOW, SECOND, declared, due
from values import MINUTE, OWNER

from search.engine import Configuration
from search.processes import Attempts, Program
from search.rules import HEARTBEAT, Punctual
from search.world import Left, Timer, World
from slowsched import intervene, lifecycle
from slowsched.apply import ApplyRequest, apply
from slowsched.arm import arm
from slowsched.control import resume
from slowsched.lifecycle import Applier
from slowsched.model import Control, Pause, Row, State
from slowsched.wake import wake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from search.engine import Search
    from search.world import Table
    from slowsched.backend import Backend

STALL = 14 * SECOND  # of all calls of a schedule together: what takes 15 seconds counts as a fault
LONG = 10 * MINUTE
KINDS = ("slow", "gap", "late")  # each beside calls that take long


def program(run: Callable[[Backend], object], **fields: Any) -> Program:
    """Return a program on a timer with EventBridge's manners."""
    return Program(run, manners=EVENTBRIDGE, **fields)


WORKER = program(lambda backend: wake(backend, Attempts(backend)))


def writer(task_id: str, minutes: float, **fields: Any) -> Program:
    """Return a process that writes a row and arms, as whoever writes rows does."""

    def run(backend: Backend) -> None:
        row = due(60 * minutes, id=task_id, **fields)
        wake_at = None if row.wake_at is None else max(row.wake_at, backend.soonest())
        if backend.store.put(replace(row, wake_at=wake_at), row.version - 1) is None:
            arm(backend)

    return program(run)


def deleter(row: Row) -> Program:
    """Return a process that takes a row away, and arms."""

    def run(backend: Backend) -> None:
        by = Applier(owner=OWNER, commit=None, now=backend.clock(), soonest=backend.soonest())
        if backend.store.put(lifecycle.delete(row, by), row.version) is None:
            arm(backend)

    return program(run)


def task(task_id: str, minutes: float, *, seconds: float = 0, **fields: Any) -> Row:
    """Return a row that is due in so many minutes, and whose attempt takes so many seconds."""
    payload = {"seconds": seconds} | fields.pop("payload", {})
    return due(60 * minutes, id=task_id, payload=payload, **({"timeout": LONG} | fields))


def stalls(_search: Search, world: World) -> list[datetime]:
    """Let calls take as long as they may in all."""
    rest = world.left.stall
    return [world.now + rest] if rest else []


def configuration(
    name: str,
    programs: Mapping[str, Program],
    rows: Sequence[Row],
    starts: Mapping[str, Sequence[float]],
    *,
    minutes: float,
    armed: float | None = 0,
    left: Mapping[str, Any] | None = None,
    control: Control | None = None,
    heartbeats: int = 0,
) -> Configuration:
    """Return a configuration that begins a second before NOW, with the timer set to a minute from NOW.

    `starts` are seconds from NOW: every combination is searched. With `heartbeats` the first comes at once.
    """

    def begin(table: Table) -> Iterator[World]:
        minute = None if armed is None else NOW + armed * MINUTE
        budget = Left(**({"stall": STALL, "slow": 1, "gap": 1, "late": 1} | dict(left or {})))
        for moments in product(*starts.values()):
            to_start = [(each, NOW + timedelta(seconds=moment)) for each, moment in zip(starts, moments, strict=True)]
            to_start += [(f"H{number}", NOW + 7 * MINUTE + number * HEARTBEAT) for number in range(heartbeats)]
            world = World(
                now=NOW - SECOND,
                timer=Timer(in_force=minute, written=minute),
                left=budget,
                to_start=tuple(to_start),
            )
            yield table.planted(world, *rows, control=control)

    return Configuration(
        name=name,
        programs=dict(programs) | {f"H{number}": WORKER for number in range(heartbeats)},
        begin=begin,
        rules=Punctual(),
        worker=WORKER,
        pauses=control is not None,
        until=NOW + minutes * MINUTE,
        stalls=stalls,
    )


def two_writers(**left: Any) -> Configuration:
    """Two write rows, one for sooner than the other, while a worker runs a long task."""
    return configuration(
        "two writers beside a worker",
        {"A": writer("a", 5), "B": writer("b", 2)},
        [task("now", 0, seconds=100)],
        {"A": [0], "B": [31]},
        minutes=9,
        left=left,
    )


def writers() -> Configuration:
    """Two write rows, one for sooner than the other."""
    return configuration(
        "two writers", {"A": writer("a", 5), "B": writer("b", 3)}, [], {"A": [0], "B": [0]}, minutes=9, armed=None
    )


def taken_away() -> Configuration:
    """The earliest is taken away and comes back, while the timer still says what it was."""
    first = task("first", 3)
    return configuration(
        "the earliest is taken away, and another comes",
        {"A": deleter(first), "B": writer("b", 3)},
        [first, task("last", 6)],
        {"A": [0], "B": [0]},
        minutes=8,
        armed=3,
    )


def a_retry() -> Configuration:
    """A person retries a dead task."""
    return configuration(
        "a retry beside a writer",
        {"R": program(lambda backend: intervene.retry(backend, "dead")), "A": writer("a", 3)},
        [task("dead", -60, state=State.DEAD, attempt=5)],
        {"R": [0], "A": [0]},
        minutes=6,
        armed=None,
    )


def an_apply(**left: Any) -> Configuration:
    """An apply brings a task that is due at once, while a worker stays."""
    tasks = [declared("a", minutes=1, payload={})]
    return configuration(
        "an apply beside a worker that stays",
        {"A": program(lambda backend: apply(backend, tasks, ApplyRequest()), writes_control=True)},
        [task("now", 0, seconds=40, owner="acme/b/local"), task("next", 1, owner="acme/b/local")],
        {"A": [0]},
        minutes=6,
        left=left,
    )


def a_resume() -> Configuration:
    """Resumed, with somebody who writes a row every minute."""
    return configuration(
        "a resume, and a row a minute",
        {"R": program(resume, writes_control=True), **{name: writer(name.lower(), 8) for name in "ABC"}},
        [task("waits", -60)],
        {"R": [0], "A": [31], "B": [95], "C": [155]},
        minutes=10,
        armed=None,
        control=Control(version=1, pause=Pause(by="ann", at=NOW)),
    )


def on_its_way(**left: Any) -> Configuration:
    """Somebody writes a row every minute, while the wake of one may be on its way."""
    return configuration(
        "a row a minute",
        {"A": writer("a", 6), "B": writer("b", 7), "C": writer("c", 8)},
        [task("first", 1)],
        {"A": [70], "B": [130], "C": [190]},
        minutes=10,
        armed=1,
        left=left,
    )


def near_writer() -> Configuration:
    """Somebody writes while a moment is near that is in force."""
    return configuration(
        "a writer shortly before a moment that is in force",
        {"A": writer("a", 6)},
        [task("first", 1)],
        {"A": [10]},
        minutes=8,
        armed=1,
    )


def staying(**left: Any) -> Configuration:
    """Moments follow one another faster than the timer can."""
    return configuration(
        "moments that are near to one another",
        {"A": writer("a", 4)},
        [task("now", 0, seconds=170), task("near", 1), task("next", 3)],
        {"A": [0]},
        minutes=6,
        left=left,
    )


def failing(**left: Any) -> Configuration:
    """A task fails, and comes back while another runs long."""
    return configuration(
        "a failing task beside a long one",
        {},
        [task("fails", 0, payload={"failures": 1}), task("long", 0, seconds=400)],
        {},
        minutes=9,
        left=left,
    )


def failing_alone() -> Configuration:
    """A task fails, and nothing else is there to wake up for."""
    return configuration(
        "a failing task beside a writer",
        {"A": writer("a", 4)},
        [task("fails", 0, seconds=5, payload={"failures": 1})],
        {"A": [0]},
        minutes=7,
    )


def killed(**left: Any) -> Configuration:
    """What a worker executes kills it: later moments are on time."""
    return configuration(
        "an action that kills its worker",
        {},
        [task("kills", 0, seconds=20, timeout=30 * SECOND), task("later", 3)],
        {},
        minutes=8,
        left={"killed": 1} | left,
    )


def crashing(heartbeats: int = 2, **left: Any) -> Configuration:
    """A process dies, anywhere; the heartbeat finishes what it left."""
    return configuration(
        "a death anywhere",
        {"A": writer("a", 3)},
        [task("now", 0, seconds=20, timeout=30 * SECOND)],
        {"A": [0]},
        minutes=45,
        left={"crash": 1} | left,
        heartbeats=heartbeats,
    )


def repeated(**left: Any) -> Configuration:
    """An old write of the timer comes again, after others."""
    return configuration(
        "a write that comes again",
        {"A": writer("a", 4), "B": writer("b", 2)},
        [],
        {"A": [0], "B": [0]},
        minutes=45,
        armed=None,
        left={"again": 1} | left,
        heartbeats=2,
    )


def lost_wake(**left: Any) -> Configuration:
    """A minute does not fire, or fires twice."""
    return configuration(
        "a wake that is lost or comes twice",
        {"A": writer("a", 3)},
        [task("now", 0, seconds=5)],
        {"A": [0]},
        minutes=45,
        left={"lost": 1, "twice": 1} | left,
        heartbeats=2,
    )


def each_kind(make: Callable[..., Configuration], *kinds: str) -> dict[str, Callable[[], Configuration]]:
    """Return a configuration once for each kind of what is out of the ordinary, each without the others."""
    none = dict.fromkeys(("slow", "gap", "late", "lost", "twice"), 0)
    return {f"{make.__name__}_{kind}": partial(make, **none | {kind: 1}) for kind in kinds or KINDS}


ALL: dict[str, Callable[[], Configuration]] = {
    **{make.__name__: make for make in (writers, taken_away, a_retry, a_resume, near_writer, failing_alone)},
    **each_kind(an_apply),
    **each_kind(two_writers),
    **each_kind(on_its_way),
    **each_kind(staying),
    **each_kind(failing),
    **each_kind(killed),
    **each_kind(crashing),
    **each_kind(repeated),
    **each_kind(lost_wake, "lost", "twice"),
}
