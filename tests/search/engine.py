"""The search: every schedule of a configuration with at most so many preemptions, each state once.

A move is a call of a process (it takes effect and is answered), a crash, or time that passes. A preemption is a move
of anybody else, time included, while the process that moved last could go on. States are visited by the number of
preemptions that they need, so that each is expanded once, with the least.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from search import world as worlds
from search.processes import Programs
from search.world import Call, Executing, Table, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from search.rules import Safety

UNBOUNDED = 1_000
TIMERS = frozenset({"arm", "armed"})


class Process(NamedTuple):
    """A process that lives: its name, its history, and the moment before which it does nothing."""

    name: str
    history: int
    ready: datetime
    resends: bool = False


class State(NamedTuple):
    """A world, the processes that live in it, and the one that moved last."""

    world: World
    processes: tuple[Process, ...]
    current: str


class Violation(NamedTuple):
    """What is wrong, and the shortest way there that was found."""

    what: str
    way: tuple[str, ...]


Label: TypeAlias = tuple[str, Any, Call | None]
Move: TypeAlias = "tuple[Label, State | str, int]"


@dataclass
class Configuration:
    """A small system: the worlds that it may begin as, its processes, and what is checked.

    `starts` maps a name to the moments at which it may start. `worker` is what a wake runs; without it the timer
    wakes nobody; without `ticks` its calls are no moves either. `stalls` returns, for a world in which somebody could
    go on, the moments to which time may pass all the same. `until` ends the search of a way. Without `pauses` nobody
    pauses or resumes.
    """

    name: str
    programs: Mapping[str, Any]
    begin: Callable[[Table], Iterator[World]]
    rules: Safety
    worker: Any = None
    until: datetime | None = None
    stalls: Callable[[Search, World], list[datetime]] = lambda _search, _world: []
    ticks: bool = True
    pauses: bool = False
    immortal: frozenset[str] = frozenset()
    preemptions: int = 3


@dataclass
class Figures:
    """What a search came to."""

    states: int = 0
    moves: int = 0
    endings: int = 0
    schedules: int = 0
    runs: int = 0
    seconds: float = 0.0
    violations: list[Violation] = field(default_factory=list)
    complete: bool = True


class Search:
    """One search of one configuration."""

    def __init__(self, configuration: Configuration, preemptions: int | None = None) -> None:
        self.configuration = configuration
        self.table = Table()
        self.programs = Programs()
        self.endings: list[World] = []
        self.figures = Figures()
        bound = configuration.preemptions if preemptions is None else preemptions
        self._free = bound >= UNBOUNDED
        self._bound = 0 if self._free else bound
        self._known: dict[State, int] = {}
        self._ways: list[tuple[int, Label]] = []
        self._edges: dict[int, list[tuple[int, int]]] = {}

    # --- the walk ---

    def run(self, *, violations: int = 1, seconds: float = 1e9) -> Figures:
        """Search until all is done, so many violations are found, or so many seconds are over."""
        began = time.process_time()
        figures = self.figures
        layers: list[list[tuple[State, int]]] = [[] for _ in range(self._bound + 1)]
        for world in self.configuration.begin(self.table):
            self._reach(layers, 0, (-1, ("", "", None)), self._begun(world))
        for used, layer in enumerate(layers):
            done: set[int] = set()
            while layer:
                state, number = layer.pop()
                if number in self._edges or number in done:
                    continue
                done.add(number)
                self._expand(layers, used, state, number)
                if len(figures.violations) >= violations or time.process_time() - began > seconds:
                    figures.complete = False
                    break
            if not figures.complete:
                break
        figures.states, figures.runs = len(self._edges), self.programs.runs
        figures.seconds = time.process_time() - began
        if figures.complete:
            figures.schedules = self._schedules()
        return figures

    def _expand(self, layers: list[list[tuple[State, int]]], used: int, state: State, number: int) -> None:
        edges = self._edges.setdefault(number, [])
        moved = False
        for label, after, cost in self._moves(state):
            moved = True
            if isinstance(after, str):
                self.figures.violations.append(Violation(after, (*self._way(number), _words(label))))
                continue
            self.figures.moves += 1
            if used + cost <= self._bound:
                edges.append((self._reach(layers, used + cost, (number, label), after), cost))
            else:
                edges.append((-1, cost))
        if not moved:
            self.figures.endings += 1
            self.endings.append(state.world)
            wrong = self.configuration.rules.ended(self, state.world)
            if wrong is not None:
                self.figures.violations.append(Violation(wrong, self._way(number)))

    def _reach(self, layers: list[list[tuple[State, int]]], used: int, way: tuple[int, Label], state: State) -> int:
        number = self._known.get(state)
        if number is None:
            number = self._known[state] = len(self._ways)
            self._ways.append(way)
            layers[used].append((state, number))
        elif number not in self._edges:
            layers[used].append((state, number))
        return number

    def _way(self, number: int) -> tuple[str, ...]:
        way = []
        while number >= 0:
            number, label = self._ways[number]
            way.append(_words(label))
        return tuple(way[-2::-1])

    def _schedules(self) -> int:
        """Count the ways to an ending within the bound; states that merge are walked once, their ways count all."""
        counts: dict[int, list[int]] = {}
        roots = [number for number, (before, _) in enumerate(self._ways) if before == -1]
        stack = list(roots)
        while stack:
            number = stack[-1]
            edges = self._edges.get(number, [])
            missing = [after for after, _ in edges if after >= 0 and after not in counts]
            if missing:
                stack += missing
                continue
            stack.pop()
            counts[number] = [
                1
                if not edges
                else sum(counts[after][left - cost] for after, cost in edges if after >= 0 and cost <= left)
                for left in range(self._bound + 1)
            ]
        return sum(counts[root][self._bound] for root in roots)

    # --- the moves ---

    def _begun(self, world: World) -> State:
        started = [(name, moment) for name, moment in world.to_start if moment <= world.now]
        world = world._replace(to_start=tuple(each for each in world.to_start if each[1] > world.now))
        state = State(world, (), "")
        for name, _ in sorted(started):
            state = self._started(state, name, self.configuration.programs[name])
        return state

    def _started(self, state: State, name: str, program: Any) -> State:
        history = self._unseen(state.world, self.programs.started(name, program, state.world.now))
        process = Process(name, history, state.world.now + self.programs.node(history).waits)
        return state._replace(processes=tuple(sorted((*state.processes, process))))

    def _moves(self, state: State) -> Iterator[Move]:
        world, current = state.world, state.current
        able = [each for each in state.processes if each.ready <= world.now]
        goes_on = not self._free and any(each.name == current for each in able)
        for process in able:
            cost = 1 if goes_on and process.name != current else 0
            for label, after in self._calls(state, process):
                yield label, after, cost
        for process in state.processes:
            if process.name == current and process.name not in self.configuration.immortal:
                yield from self._deaths(state, process)
        yield from self._repeated(state, 1 if goes_on else 0)
        moments = self.configuration.stalls(self, world) if able else self._next(state)
        for moment in moments:
            for after in self._later(state, moment, stalled=bool(able)):
                yield ("it is", moment, None), after, 1 if able and not self._free else 0

    def _calls(self, state: State, process: Process) -> Iterator[tuple[Label, Any]]:
        node = self.programs.node(process.history)
        call, name = node.call, process.name
        assert call is not None
        world = state.world
        if call.name == "arm":
            minute = call.arguments[0]
            for how in ("", *(kind for kind in ("slow", "gap") if getattr(world.left, kind))):
                changed = worlds.armed(world, minute, how)
                if world.left.again:
                    changed = changed._replace(facts=changed.facts | {("sent", minute)})
                yield (name, how, call), self._answered(state, process, changed, None, None)
            return
        program = self.programs.node(process.history).program
        world, answer, short = self.table.answer(world, call, all_owners=program.writes_control)
        label = (name, "", call)
        if world is not state.world:
            assert program.writes_control or call.name != "_write_control", (
                "what it is told of the control row is a part"
            )
            judge = (
                self.configuration.rules.written if call.name == "_write_row" else self.configuration.rules.controlled
            )
            world, wrong = judge(self, state.world, world, name)
            if wrong is not None:
                yield label, wrong
                return
        yield label, self._answered(state, process, world, answer, short)
        if call.name.startswith("_write") and world.left.unanswered and not process.resends:
            again = process._replace(resends=True)
            after = State(world.used("unanswered"), _with(state.processes, process, again), name)
            yield (name, "unanswered", call), after

    def _answered(self, state: State, process: Process, world: World, answer: Any, short: Any) -> Any:
        history = self._unseen(world, self.programs.after(process.history, answer, short, world.now))
        node = self.programs.node(history)
        while not self.configuration.ticks and not node.waits and node.call is not None and node.call.name in TIMERS:
            history = self.programs.after(history, None, None, world.now)  # nobody else sees of it
            node = self.programs.node(history)
        for begin in node.begins:
            world, wrong = self.configuration.rules.begun(self, world, begin, process.name)
            if wrong is not None:
                return wrong
            until = None if begin.lasts is None else world.now + begin.lasts
            if until is None or until > world.now:
                executing = tuple(sorted((*world.executing, Executing(begin.row.id, until, process.name)), key=str))
                world = world._replace(executing=executing)
        if node.call is None:
            world = self.configuration.rules.finished(self, world, process.name, node.result)
            return self._settled(State(world, _with(state.processes, process, None), process.name), process.name)
        after = Process(process.name, history, world.now + node.waits)
        rests = node.waits and not world.left.crash and not world.left.killed
        return State(world, _with(state.processes, process, after), "" if rests or self._free else process.name)

    def _unseen(self, world: World, history: int) -> int:
        """Return the history after the reads of the control row that are told the same whenever they are made.

        A process that neither looks at its clock nor begins, waits or ends after such a read does not show when it was.
        """
        node = self.programs.node(history)
        while not self.configuration.pauses and not node.program.writes_control and not node.begins:
            if node.call is None or node.call.name != "_read_control" or node.waits:
                break
            _, answer, short = self.table.answer(world, node.call, all_owners=False)
            later = self.programs.after(history, answer, short, world.now)
            after = self.programs.node(later)
            if after.reads_clock or after.begins or after.waits or after.call is None:
                break
            history, node = later, after
        return history

    def _deaths(self, state: State, process: Process) -> Iterator[Move]:
        """Yield the death of the process that moved last: any later one of it would look the same."""
        world, rest = state.world, _with(state.processes, process, None)
        if world.left.crash:
            after = State(world.fault("crash"), rest, process.name)
            yield (process.name, "dies", None), self._settled(after, process.name, died=True), 0
        if world.left.killed and any(each.process == process.name for each in world.executing):
            after = State(world.used("killed"), rest, process.name)
            yield (process.name, "is killed by what it executes", None), self._settled(after, process.name), 0

    def _settled(self, state: State, name: str, *, died: bool = False) -> Any:
        """Return the state after a process has ended, and its attempts with it."""
        executing = tuple(each for each in state.world.executing if each.process != name)
        world, state = state.world._replace(executing=executing), state._replace(current="")
        if not state.processes and not died:
            wrong = self.configuration.rules.quiet(self, world)
            if wrong is not None:
                return wrong
        return state._replace(world=world)

    def _repeated(self, state: State, cost: int) -> Iterator[Move]:
        """Yield an old write of the timer that comes once more, after whatever was written since."""
        if state.world.left.again:
            for minute in sorted(fact[1] for fact in state.world.facts if fact[0] == "sent"):
                if minute != state.world.timer.written:
                    world = worlds.overwritten(state.world, minute).fault("again")
                    world = world._replace(facts=frozenset(fact for fact in world.facts if fact[0] != "sent"))
                    yield (f"{minute:%H:%M}", "is written again", None), state._replace(world=world), cost

    # --- time ---

    def _next(self, state: State) -> list[datetime]:
        world, until = state.world, self.configuration.until
        moments = [each.ready for each in state.processes if each.ready > world.now]
        moments += [each for each in self._moments(world) if each > world.now]
        moments = [each for each in moments if until is None or each <= until]
        return [min(moments)] if moments else []

    def _moments(self, world: World) -> Iterator[datetime]:
        return worlds.moments(world) if self.configuration.ticks else (moment for _, moment in world.to_start)

    def _later(self, state: State, moment: datetime, *, stalled: bool) -> Iterator[Any]:
        while True:
            ahead = [each for each in self._moments(state.world) if state.world.now < each < moment]
            if not ahead:
                break
            moment = min(ahead)
        for passed, wakes in worlds.later(state.world, moment):
            used = stalled and passed.left.stall
            world = passed.used("stall", moment - state.world.now) if used else passed
            wrong = self.configuration.rules.passed(self, world)
            if wrong is not None:
                yield wrong
                continue
            after = self._begun(world)
            after = State(
                after.world, tuple(sorted((*state.processes, *after.processes))), state.current if stalled else ""
            )
            for _ in range(wakes if self.configuration.worker is not None else 0):
                taken = {each.name for each in after.processes}
                name = next(f"W{number}" for number in range(1, 100) if f"W{number}" not in taken)
                after = self._started(after, name, self.configuration.worker)
            yield after


def _with(processes: tuple[Process, ...], before: Process, after: Process | None) -> tuple[Process, ...]:
    rest = [each for each in processes if each is not before]
    return tuple(sorted(rest if after is None else [*rest, after]))


def _words(label: Label) -> str:
    """Return what a move was, in words."""
    name, how, call = label
    if isinstance(how, datetime):
        return f"{name} {how:%H:%M:%S}"
    if call is None:
        return f"{name} {how}"
    told = call.arguments[0] if call.arguments else ""
    if isinstance(told, dict):
        wake_at = str(told.get("wake_at", ""))[11:19]
        told = f"{told.get('id', 'control')} {told.get('state', '')} {wake_at} version {told['version']}"
    words = (name, call.name.strip("_").replace("_", " "), str(told), str(how))
    return " ".join(" ".join(words).split())
