"""A process of a search: a function of a backend, known by the answers that it had so far.

It is deterministic: what it does next depends only on those answers. So its next call is found by running it from the
start on them, up to the first call that has none, and is remembered for good (`Programs.after`). Answers that make no
difference make no new history: the clock counts only where the process has read it since.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from values import OWNER

from search.world import Call
from slowsched.backend import Backend
from slowsched.errors import SlowschedError
from slowsched.execute import Finished
from slowsched.model import Conflict, Control, Outcome, OutcomeKind
from slowsched.store.codec import decode_control, decode_row
from slowsched.store.items import ItemStore
from slowsched.store.items import _is_own_write as is_own_write
from slowsched.timer.memory import MemoryTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from slowsched.errors import StoreError
    from slowsched.execute import Attempt
    from slowsched.model import Row
    from slowsched.store.base import Write
    from slowsched.store.codec import Item

NOTHING = timedelta(0)


class _Unanswered(BaseException):
    """The process has come to a call without an answer."""


class Begin(NamedTuple):
    """An attempt begins: of which row as it was claimed, and how long it executes; None: until its process ends."""

    row: Row
    lasts: timedelta | None


@dataclass(frozen=True)
class Program:
    """What a process runs, and where its clock, its owner and its timer differ from the ordinary.

    `writes_control`: it writes the control row. Of whoever does not, it is told only what concerns every owner.
    """

    run: Callable[[Backend], object]
    writes_control: bool = False
    owner: str = OWNER
    skew: timedelta = NOTHING
    manners: Mapping[str, timedelta] = field(default_factory=dict)


@dataclass(slots=True)
class Node:
    """A history of a process: the last answer and when it came, what the process did on it, and its next call.

    `call` is None at its end, `waits` how long it sleeps before the call, `begins` the attempts that it began,
    `result` what it came to.
    """

    parent: Node | None
    name: str
    program: Program
    answer: Any
    now: datetime
    call: Call | None = None
    waits: timedelta = NOTHING
    begins: tuple[Begin, ...] = ()
    result: Any = None
    reads_clock: bool = False
    children: dict[Any, int] = field(default_factory=dict)


class Programs:
    """All histories of all processes of a search, by number."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._roots: dict[tuple[str, datetime], int] = {}
        self.runs = 0
        self._decoded: dict[int, tuple[Item, Any]] = {}

    def node(self, number: int) -> Node:
        """Return the history of a number."""
        return self._nodes[number]

    def started(self, name: str, program: Program, now: datetime) -> int:
        """Return the history of a process that has just started."""
        number = self._roots.get((name, now))
        if number is None:
            number = self._roots[name, now] = self._added(Node(None, name, program, None, now))
        return number

    def after(self, number: int, answer: Any, short: Any, now: datetime) -> int:
        """Return the history that is longer by an answer; `short` is the same for the same answer."""
        parent = self._nodes[number]
        found = parent.children.get(short, parent.children.get((short, now)))
        if found is None:
            child = Node(parent, parent.name, parent.program, answer, now)
            found = self._added(child)
            parent.children[(short, now) if child.reads_clock else short] = found
        return found

    def _added(self, node: Node) -> int:
        self.runs += 1
        _Replay(node, self._decoded).run()
        self._nodes.append(node)
        return len(self._nodes) - 1


class _Replay:
    """Runs a process on the answers of a history, and writes into its last node what comes after them."""

    def __init__(self, node: Node, decoded: dict[int, tuple[Item, Any]]) -> None:
        self._node = node
        self._decoded = decoded
        self._steps = iter(_steps(node))
        self._step = next(self._steps)
        self._slept = NOTHING

    def run(self) -> None:
        program, node = self._node.program, self._node
        mark = f"{node.name} {_root(node).now:%H%M%S}"  # another process of this name starts at another moment
        nonces, write_ids = count(1), count(1)
        backend = Backend(
            environment="local",
            owner=program.owner,
            store=_Store(self, lambda: f"{mark} w{next(write_ids)}", self._decoded),
            timer=_Timer(self, program.manners),
            clock=self.clock,
            sleep=self.sleep,
            chance=lambda: 0.0,
            nonce=lambda: f"{mark} n{next(nonces)}",
        )
        with suppress(_Unanswered):
            try:
                node.result = program.run(backend)
            except SlowschedError as error:
                node.result = error

    def clock(self) -> datetime:
        if self._step is self._node:
            self._node.reads_clock = True
        return self._step.now + self._slept + self._node.program.skew

    def sleep(self, seconds: float) -> None:
        """Let time pass before the next call: nothing else can be seen of a sleep."""
        self._slept += timedelta(seconds=seconds)

    def begin(self, begin: Begin) -> None:
        if self._step is self._node and self._node.call is None:
            assert not self._slept, "an attempt begins right after an answer"
            self._node.begins = (*self._node.begins, begin)

    def repeats(self) -> bool:
        """Say whether the next call has its answer already."""
        return self._node.call is None and self._step is not self._node

    def call(self, name: str, *arguments: Any) -> Any:
        step = None if self._node.call is not None else next(self._steps, None)
        if step is None:
            if self._node.call is None:  # what it does on its way out (finally) is not its next call
                self._node.call, self._node.waits = Call(name, arguments), self._slept
            raise _Unanswered
        self._step, self._slept = step, NOTHING
        return step.answer


def _steps(node: Node) -> list[Node]:
    steps = [node]
    while steps[-1].parent is not None:
        steps.append(steps[-1].parent)
    return steps[::-1]


def _root(node: Node) -> Node:
    return _steps(node)[0]


class _Store(ItemStore):
    """The production store of items, whose calls go to the world.

    A row is decoded once for all replays, and what is sent again only because a history is replayed is not encoded.
    """

    def __init__(self, replay: _Replay, write_ids: Callable[[], str], decoded: dict[int, tuple[Item, Any]]) -> None:
        super().__init__(write_ids=write_ids)
        self.replay = replay
        self._decoded = decoded

    def get_many(self, task_ids: Sequence[str]) -> Mapping[str, Any]:
        rows = map(self._row, self._read_rows(task_ids))
        return {row.id: row for row in rows}

    def _row(self, item: Item) -> Any:
        if id(item) not in self._decoded:
            self._decoded[id(item)] = (item, decode_row(item))
        return self._decoded[id(item)][1]

    def put(self, row: Row, expect_version: int) -> Conflict | None:
        if not self.replay.repeats():
            return super().put(row, expect_version)
        item: Item = {"write_id": self._write_ids()}
        refused = self._write_row(item, expect_version)
        if refused is None or is_own_write(item, refused):
            return None
        return Conflict(found=None if refused.found is None else self._row(refused.found))

    def control(self) -> Control:
        item = self._read_control()
        return Control() if item is None else self._control(item)

    def _control(self, item: Item) -> Any:
        if id(item) not in self._decoded:
            self._decoded[id(item)] = (item, decode_control(item))
        return self._decoded[id(item)][1]

    def put_control(self, control: Control, expect_version: int) -> Control | None:
        if not self.replay.repeats():
            return super().put_control(control, expect_version)
        item: Item = {"write_id": self._write_ids()}
        refused = self._write_control(item, expect_version)
        if refused is None or is_own_write(item, refused):
            return None
        return Control() if refused.found is None else self._control(refused.found)

    def put_many(self, writes: Sequence[Write]) -> list[Conflict | StoreError | None]:
        return [self.put(write.row, write.expect_version) for write in writes]

    def _read_rows(self, task_ids: Sequence[str]) -> Any:
        return self.replay.call("_read_rows", tuple(task_ids))

    def _read_summaries(self) -> Iterator[Sequence[Any]]:
        return iter(self.replay.call("_read_summaries"))

    def agenda(self, until: datetime) -> Iterator[str]:
        return iter(self.replay.call("agenda", until))

    def _read_wake(self, after: str) -> Any:
        return self.replay.call("_read_wake", after)

    def _write_row(self, item: Item, expect_version: int) -> Any:
        return self.replay.call("_write_row", item, expect_version)

    def _read_control(self) -> Any:
        return self.replay.call("_read_control")

    def _write_control(self, item: Item, expect_version: int) -> Any:
        return self.replay.call("_write_control", item, expect_version)


class _Timer(MemoryTimer):
    """A timer whose calls go to the world."""

    def __init__(self, replay: _Replay, manners: Mapping[str, timedelta]) -> None:
        super().__init__(**manners)
        self.replay = replay

    def _write(self, moment: datetime) -> None:
        self.replay.call("arm", moment)

    def armed(self) -> datetime | None:
        return self.replay.call("armed")


class Attempts:
    """A runner without threads: an attempt takes as long as its payload says, and fails as often.

    `{"seconds": 100, "failures": 1}`; one that hangs (`{"hangs": 1}`, so many times) is given up at its timeout, and
    executes on as long as its process lives.
    """

    def __init__(self, backend: Backend) -> None:
        assert isinstance(backend.store, _Store)
        self._backend = backend
        self._tell = backend.store.replay.begin
        self._running: dict[str, tuple[datetime, Outcome, bool]] = {}
        self.overrun = False

    @property
    def free(self) -> int:
        """Return how many places are left."""
        return 16 - len(self._running)

    @property
    def busy(self) -> int:
        """Return how many attempts run."""
        return len(self._running)

    def knows(self, name: str) -> bool:
        """Say that every action is known."""
        return bool(name)

    def start(self, token: str, row: Row, attempt: Attempt, timeout: timedelta) -> None:
        """Begin an attempt."""
        payload = row.task.payload
        lasts = timedelta(seconds=payload.get("seconds", 0))
        hangs = attempt.number <= payload.get("hangs", 0) or lasts > timeout
        kind = OutcomeKind.FAILED if attempt.number <= payload.get("failures", 0) else OutcomeKind.SUCCEEDED
        outcome = Outcome(kind=OutcomeKind.TIMED_OUT if hangs else kind)
        self._running[token] = (self._backend.clock() + (timeout if hangs else lasts), outcome, hangs)
        self._tell(Begin(row, None if hangs else lasts))

    def wait(self, seconds: float | None = None) -> list[Finished]:
        """Let time pass until an attempt has its outcome, or `seconds` are over; returns all that have one."""
        first = min((end for end, _, _ in self._running.values()), default=self._backend.clock())
        patience = max((first - self._backend.clock()).total_seconds(), 0.0)
        self._backend.sleep(patience if seconds is None else min(patience, max(seconds, 0.0)))
        now = self._backend.clock()
        ended = [token for token, (end, _, _) in self._running.items() if end <= now]
        finished = []
        for token in ended:
            _, outcome, hangs = self._running.pop(token)
            self.overrun = self.overrun or hangs
            finished.append(Finished(token=token, outcome=outcome))
        return finished
