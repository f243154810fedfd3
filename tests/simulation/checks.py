"""What must always hold (docs/reliability.md), looked at with every write and every execution, and in the end.

The checks see the table itself and the true time, never what a process believes. An attempt or a write beyond an
assumption that is stated (a process frozen past its lease, a clock off by more than the skew, a lock that ended under
its holder) is counted, and not held against slowsched.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from simulation.dynamodb import CONTROL
from simulation.faults import HEARTBEAT
from simulation.final import Converging
from simulation.people import commit_name
from slowsched.errors import BackendError
from slowsched.lifecycle import CLOCK_SKEW, DEFER_MAX, HISTORY_MAX
from slowsched.model import HistoryOutcome, Row, State
from slowsched.reports import ApplyStatus, Result
from slowsched.store.codec import decode_control, decode_row
from slowsched.store.dynamodb import bucket_of
from slowsched.timer.eventbridge import EventBridgeTimer, read_at, read_cron
from slowsched.timing import ceil_minute

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from simulation.function import Execution
    from simulation.hub import Process
    from simulation.world import World
    from slowsched.apply import ApplyRequest
    from slowsched.errors import SlowschedError
    from slowsched.reports import ApplyReport

MINUTE = timedelta(minutes=1)
NEAR = (EventBridgeTimer.lead + EventBridgeTimer.propagation) / 2
LEAD, DELIVERY = EventBridgeTimer.lead, EventBridgeTimer.delivery
CALLS = timedelta(seconds=40)  # what the calls before a claim may cost, one after the other, and the skew
MANY_LONG_CALLS = timedelta(seconds=75)  # ... where many of them take seconds
USUAL = 0.02  # the share of long ways of most days
WAITS = {State.SCHEDULED, State.RUNNING}


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Something that did not hold."""

    check: str
    text: str
    at: datetime
    error: BaseException | None = None


@dataclass(kw_only=True)
class Claimed:
    """A claim as it was written."""

    row: Row
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Whoever writes for an owner: an apply of a commit, or a person."""

    kind: str
    commit: int | None = None
    rollback: bool = False


class Checks:
    """The checks of one world, and what they remember."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._writers: dict[str, Writer] = {}
        self._claims: dict[str, Claimed] = {}
        self._executing: dict[str, list[Execution]] = defaultdict(list)
        self._succeeded: dict[tuple[str, int], datetime] = {}
        self._complete: set[str] = set()  # tokens of executions that came to their end
        self._last_writer: dict[str, str] = {}
        self._excused: set[str] = set()  # processes that left an assumption behind
        self._newest: dict[str, int] = {}  # the newest commit of which a row was written, by owner
        calls = CALLS if world.scenario.long_ways <= USUAL else MANY_LONG_CALLS
        calls = calls if world.scenario.calls is None else world.scenario.calls
        self._served = DELIVERY + calls  # from the end of its minute until a task is claimed
        self._applied_late = LEAD + 2 * MINUTE + self._served  # of what the timer is set for at its soonest
        self._paused = False
        self._resumed: datetime | None = None
        self._not_before: datetime | None = None
        self._gave_up: datetime | None = None
        self.final = Converging(world)

    # --- who is who --------------------------------------------------------------------------------

    def applier(self, process: Process, commit: int, request: ApplyRequest) -> None:
        """Take note of an apply."""
        self._writers[process.name] = Writer(kind="apply", commit=commit, rollback=request.allow_rollback)

    def person(self, process: Process, kind: str) -> None:
        """Take note of a person."""
        self._writers[process.name] = Writer(kind=kind)

    def frozen(self, process: Process) -> None:
        """A frozen process may go on past its leases: its attempts are not held against anybody."""
        self._excused.add(process.name)

    def bad_clock(self, process: Process) -> None:
        """Nor is what a process does whose clock is wrong."""
        self._excused.add(process.name)

    def process_ended(self, process: Process) -> None:
        """What the process executed has ended with it."""
        for running in self._executing.values():
            for execution in [each for each in running if each.process is process]:
                self._world.execution_ended(execution)

    def failed(self, process: Process, error: SlowschedError) -> None:
        """Without faults no backend fails anybody."""
        if isinstance(error, BackendError) and self._calm():
            self._world.violated("nothing fails without a fault", f"{process.name}: {error}")

    def _calm(self) -> bool:
        """Say whether nothing has struck so lately that it may still be felt."""
        last = self._world.faults.last
        return self._world.alarm.works() and (last is None or self._world.hub.now > last + HEARTBEAT + 5 * MINUTE)

    # --- the timer ---------------------------------------------------------------------------------

    def timer_written(self, kind: str, wanted: Mapping[str, Any], constant: Mapping[str, Any]) -> None:
        """The timer is only ever set to a whole minute in UTC, with all else the same."""
        expression = str(wanted.get("ScheduleExpression"))
        minute = (read_cron if kind == "rule" else read_at)(expression)
        rest = {name: value for name, value in wanted.items() if name != "ScheduleExpression"}
        if minute is None or rest != constant:
            self._world.violated("the timer is set to whole minutes, all else the same", repr(wanted))

    def quiet(self, last: Process) -> None:
        """Nobody does anything any more: the timer is set to the minute of the earliest wake, and to no other."""
        world, now = self._world, self._world.hub.now
        undisturbed = world.faults.last is None or world.faults.last < last.began
        if self._paused or not (self._calm() or undisturbed):
            return
        if last.name in self._excused or (self._not_before is not None and now < self._not_before + self._applied_late):
            return
        waiting = world.table.first()
        if waiting is None or not world.alarm.works():
            return
        world.figures["timers looked at"] += 1
        first = _row(waiting)
        minute, wanted = ceil_minute(first.wake_at or now), world.alarm.wanted()
        near = minute < now + NEAR + CLOCK_SKEW  # in force already, or what is in force brings a worker that stays
        left = first.task.timeout > NEAR or (self._gave_up is not None and now < self._gave_up + self._applied_late)
        own = self._calm() or world.alarm.last_writer == last.name  # else it may be an older fault's, and left as near
        if now + CLOCK_SKEW < minute and own:
            soon = wanted is not None and now - MINUTE - DELIVERY < wanted <= now + self._applied_late
            if wanted != minute and not ((near or left) and soon):
                world.violated("the timer covers the earliest wake", f"set to {wanted}, the earliest is {minute}")
        elif (
            last.arms
            and now > minute + self._applied_late
            and (wanted is None or not now < wanted <= now + self._applied_late)
        ):
            world.violated("the timer covers the earliest wake", f"set to {wanted}, overdue since {minute}")

    # --- a write -----------------------------------------------------------------------------------

    def written(self, before: Any, after: Any, process: Process | None) -> None:
        """Look at a write as it takes effect."""
        item = after or before
        if item["id"]["S"] == CONTROL:
            self._control_written(after, process)
            return
        if after is None:
            self._forget(before["id"]["S"])
            return
        old, new = None if before is None else _row(before), _row(after)
        who = "somebody" if process is None else process.name
        self._world.tell(who, _told(old, new))
        self._last_writer[new.id] = who
        self._numbers(old, new)
        self._whose(old, new, process)
        self._transition(old, new, process)
        self._history(old, new)
        if new.wake_at is not None:
            self._watch(new)

    def _forget(self, task_id: str) -> None:
        """DynamoDB has taken the row away: what comes under its id is another."""
        self._succeeded = {key: at for key, at in self._succeeded.items() if key[0] != task_id}
        self._last_writer.pop(task_id, None)

    def _numbers(self, old: Row | None, new: Row) -> None:
        if old is not None and (new.version != old.version + 1 or new.generation < old.generation):
            text = f"{new.id}: version {old.version} -> {new.version}, generation {old.generation} -> {new.generation}"
            self._world.violated("version and generation never go back", text)
        if (new.wake_at is not None) != (new.state in WAITS):
            self._world.violated("wake_at where a row needs the worker", f"{new.id} is {new.state}: {new.wake_at}")
        if len(new.history) > HISTORY_MAX:
            self._world.violated("a history is bounded", new.id)

    def _whose(self, old: Row | None, new: Row, process: Process | None) -> None:
        """Apply touches no row of another owner; and of its own only while it holds the lock, in the order of git."""
        writer = None if process is None else self._writers.get(process.name)
        if process is None or writer is None:
            return
        if {new.owner, *(() if old is None else (old.owner,))} != {process.owner}:
            self._world.violated("no row of another owner is touched", f"{process.name} writes {new.id}")
        if writer.kind != "apply":
            return
        holder = self._holder(process.owner)
        if holder != process.name:
            self._world.figures["writes after the lock was lost"] += 1
            if process.name not in self._excused and self._calm():
                self._world.violated("apply writes under its lock", f"{process.name} writes {new.id}, {holder} has it")
            return
        newest = self._newest.get(process.owner, -1)
        if writer.commit is not None and not writer.rollback:
            if writer.commit < newest:
                text = f"{process.name} writes {new.id} after commit {newest}"
                self._world.violated("an edit is never lost to an older commit", text)
            self._newest[process.owner] = max(newest, writer.commit)

    def _holder(self, owner: str) -> str | None:
        item = self._world.table.items[("0", CONTROL)]
        if item["version"]["N"] == "0":
            return None
        lock = decode_control(_plain(item)).of(owner).lock
        return None if lock is None else lock.token.rpartition("/")[0]

    def _transition(self, old: Row | None, new: Row, process: Process | None) -> None:
        writer = None if process is None else self._writers.get(process.name)
        by_apply = writer is not None and writer.kind in ("apply", "rollback")
        if old is not None and old.digests != new.digests and not by_apply:
            self._world.violated("only apply edits", f"{new.id}")
        if old is not None and old.digests.execution != new.digests.execution and new.generation <= old.generation:
            self._world.violated("an edit of the execution is a new generation", new.id)
        if old is not None and old.state is State.DELETED and new.state is not State.DELETED and not by_apply:
            self._world.violated("no deleted task is resurrected", new.id)
        claimed = new.claim is not None and new.claim.token is not None and new.state is State.RUNNING
        if claimed and (old is None or old.claim != new.claim) and new.claim is not None and new.claim.token:
            self._claims[new.claim.token] = Claimed(row=new, at=self._world.hub.now)
        if new.state is State.SUCCEEDED and (old is None or old.state is not State.SUCCEEDED):
            self._success(old, new)
        if new.state is State.MISSED and (old is None or old.state is not State.MISSED):
            self._missed(new, by_apply or (process is not None and process.name in self._excused))
        if new.state is State.DEAD and (old is None or old.state is not State.DEAD):
            self._dead(new)

    def _success(self, old: Row | None, new: Row) -> None:
        self._succeeded[(new.id, new.generation)] = self._world.hub.now
        token = None if old is None or old.claim is None else old.claim.token
        if token not in self._complete:
            self._world.violated("a success is that of its own execution", f"{new.id} #{new.generation}: {token}")

    def _missed(self, row: Row, excused: bool) -> None:
        grace = row.task.grace
        if excused:
            return  # skipped on request, or by a clock that is wrong
        if grace is None or self._world.hub.now + CLOCK_SKEW < row.task.due + grace or row.attempt:
            self._world.violated("missed means later than its grace", row.id)

    def _dead(self, row: Row) -> None:
        last = row.history[-1] if row.history else None
        deferred = last is not None and last.outcome is HistoryOutcome.UNKNOWN_ACTION
        permanent = row.task.payload.get("permanent") and last is not None and last.outcome is HistoryOutcome.FAILED
        if not (row.attempt >= row.task.retry.attempts or permanent or deferred):
            self._world.violated("dead means that the attempts are used up", row.id)
        self._world.figures["dead"] += 1

    def _history(self, old: Row | None, new: Row) -> None:
        """Every attempt leaves an outcome: an entry that is open is closed, never lost."""
        if old is None or not old.history or old.history[-1].outcome is not None:
            return
        opened = old.history[-1]
        marks = {(each.generation, each.attempt, each.started_at): each for each in new.history}
        kept = marks.get((opened.generation, opened.attempt, opened.started_at))
        still_open = (
            kept is not None and kept.outcome is None and (new.state is not State.RUNNING or new.history[-1] != kept)
        )
        if kept is None or still_open:
            self._world.violated("every attempt leaves an outcome", f"{new.id}: attempt {opened.attempt}")

    # --- lateness ----------------------------------------------------------------------------------

    def _watch(self, row: Row) -> None:
        """Look at a row again when it should long have been served; a crowd without places has no bound."""
        if not self._world.scenario.bounded:
            return
        now = self._world.hub.now
        assert row.wake_at is not None
        # The worker that looks after it may have too little time left, and asks the timer then.
        left = row.wake_at + LEAD + 2 * MINUTE if row.task.timeout > NEAR else row.wake_at
        calm = max(ceil_minute(row.wake_at) + MINUTE, now + LEAD + 2 * MINUTE, left) + self._served
        self._world.hub.at(calm + timedelta(seconds=1), partial(self._overdue, row, calm))

    def _overdue(self, row: Row, deadline: datetime) -> None:
        """Say that a row which still waits is late, unless something struck, or somebody paused."""
        world = self._world
        found = world.table.items.get((str(bucket_of(row.id, world.scenario.buckets)), row.id))
        if found is None or int(found["version"]["N"]) != row.version:
            return
        excused = self._excuse(row)
        if excused is None:
            self._world.hub.later(60, partial(self._overdue, row, deadline))  # paused: looked at again
        elif excused > world.hub.now:
            self._world.hub.at(excused + timedelta(seconds=1), partial(self._overdue, row, deadline))
        else:
            world.violated(
                "no task is late", f"{row.id} ({row.state}) should have been served by {deadline:%d %H:%M:%S}"
            )

    def _excuse(self, row: Row) -> datetime | None:
        """Return until when a row may wait for what happened; None while it is paused, or there is no timer."""
        if self._paused or not self._world.alarm.works():
            return None
        until = self._world.scenario.start
        if self._resumed is not None:
            until = self._resumed + self._applied_late
        if self._gave_up is not None:
            # A process that hosts an attempt which does not stop ends early, and asks the timer for what it leaves.
            until = max(until, self._gave_up + NEAR + self._applied_late)
        last = self._world.faults.last
        if last is not None:
            lease = row.task.timeout + MINUTE
            heartbeat = HEARTBEAT if self._world.scenario.heartbeat else timedelta(0)
            until = max(until, last + max(heartbeat, lease + 2 * MINUTE) + self._served)
        return until

    def _control_written(self, item: Any, process: Process | None) -> None:
        if item is None or item["version"]["N"] == "0":
            return
        control = decode_control(_plain(item))
        writer = None if process is None else self._writers.get(process.name)
        if process is not None and writer is not None and writer.commit is not None and writer.rollback:
            mine = control.of(process.owner)
            if commit_name(writer.commit) in (mine.applying, mine.applied):
                self._newest[process.owner] = writer.commit  # back on purpose: from here on forward again
        paused = control.pause is not None
        self._not_before = control.not_before
        if self._paused and not paused:
            self._resumed = self._world.hub.now
        self._paused = paused

    # --- an execution ------------------------------------------------------------------------------

    def began(self, execution: Execution) -> None:
        """Look at an action as it begins."""
        world, row = self._world, execution.row
        claim = self._claims.get(execution.token)
        if claim is None:
            world.violated("nothing is executed that was not claimed", row.id)
            return
        if self._executing[row.id] and not self._excuses(execution):
            other = self._executing[row.id][0].process.name
            world.violated("one attempt of a task at a time", f"{row.id}: {execution.process.name} beside {other}")
        asked = row.requested_at is not None
        if not asked and world.hub.now < row.task.due - CLOCK_SKEW / 2 and execution.process.name not in self._excused:
            world.violated("not before due", f"{row.id} is due {row.task.due:%d %H:%M:%S}")
        done = self._succeeded.get((row.id, row.generation))
        if done is not None:
            world.violated("nothing runs again after its recorded success", f"{row.id} #{row.generation}")
        if (row.task.payload, row.generation) != (claim.row.task.payload, claim.row.generation):
            world.violated("an execution uses what it claimed", row.id)
        self._executing[row.id].append(execution)

    def _excuses(self, execution: Execution) -> bool:
        """Say whether one of two attempts at a time is that of a process which left an assumption behind."""
        both = [execution, *self._executing[execution.row.id]]
        if any(each.process.name in self._excused for each in both):
            self._world.figures["attempts beside one past its lease"] += 1
            return True
        return False

    def given_up(self) -> None:
        """Take note that an attempt does not stop at its timeout."""
        self._gave_up = self._world.hub.now

    def ended(self, execution: Execution) -> None:
        """Look at an action as it ends."""
        running = self._executing[execution.row.id]
        if execution in running:
            running.remove(execution)
        if execution.complete:
            self._complete.add(execution.token)

    # --- an apply ----------------------------------------------------------------------------------

    def applied(self, process: Process, commit: int, report: ApplyReport) -> None:
        """Take note of what an apply has acknowledged."""
        refused = {each.code for each in report.refused}
        if report.status is ApplyStatus.REFUSED and not refused <= {"rollback"}:
            self._world.violated("an apply is refused for a reason", f"{process.name}: {sorted(refused)}")
        if commit == len(self._world.scenario.commits) - 1:
            self.final.named(process.owner, report)
        if process.name in self._excused:
            return
        for each in report.results:
            if each.result is Result.CONFLICT and self._last_writer.get(each.id) == process.name:
                self._world.violated("a conflict is with somebody else", f"{process.name} wrote {each.id} itself")
        done = [each.id for each in report.results if each.result is Result.APPLIED]
        if report.status in (ApplyStatus.APPLIED, ApplyStatus.NOTHING):
            done = [each.task.id for each in self._world.scenario.commits[commit][process.owner]]
        for task_id in done:
            self.final.acknowledge(task_id, commit)

    def converge(self) -> None:
        """Let time go on without faults until all has come to its end, and look at what has become of it."""
        self.final.run()


def _plain(item: Any) -> dict[str, Any]:
    """Return an item as `codec` takes it, the newer format as today's."""
    found = {name: value["S"] if "S" in value else int(value["N"]) for name, value in item.items()}
    return {**found, "format": 1} if found.get("format") == 2 else found


def _row(item: Any) -> Row:
    row = decode_row(_plain(item))
    assert isinstance(row, Row), row
    return row


def _told(old: Row | None, new: Row) -> str:
    was = "-" if old is None else f"{old.state}"
    wake = "" if new.wake_at is None else f", wakes {new.wake_at:%d %H:%M:%S}"
    generation = "" if old is not None and old.generation == new.generation else f", generation {new.generation}"
    return f"writes {new.id} v{new.version}: {was} -> {new.state}{generation}{wake}"


__all__ = ["DEFER_MAX", "Checks", "Violation"]
