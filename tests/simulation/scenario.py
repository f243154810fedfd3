"""What one seed decides before anything runs: a repository and its commits, who does what when, and how it storms.

A profile says what kind of days they are; within it each seed draws its own mixture of faults, so that some days
have many of one kind and none of another.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from simulation.faults import CALL_FAULTS, Fault
from slowsched.model import Declared, Place, Retry, Task
from slowsched.timing import resolve_local

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MINUTE = timedelta(minutes=1)
TOGETHER = 4 * MINUTE
OWNERS = ("acme/shop/production", "acme/media/production")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu")

# Evenings before a day that calendars get wrong.
STARTS = (
    datetime(2027, 12, 31, 22, 0, tzinfo=UTC),
    datetime(2028, 2, 28, 23, 0, tzinfo=UTC),
    datetime(2027, 3, 28, 0, 0, tzinfo=UTC),
    datetime(2027, 10, 31, 0, 0, tzinfo=UTC),
    datetime(2027, 6, 15, 11, 59, 30, tzinfo=UTC),
    datetime(2100, 2, 28, 23, 30, tzinfo=UTC),
)


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that somebody does at a moment; `more` is what it needs to know."""

    number: int
    at: datetime
    kind: str
    owner: str = OWNERS[0]
    more: Mapping[str, Any] = field(default_factory=dict)


Commit = dict[str, tuple[Declared, ...]]  # what it declares, by owner


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A day, or a year: everything that chance decides before the first process runs."""

    seed: int
    profile: str
    start: datetime
    end: datetime  # of acts and faults; from here on all must converge
    rates: Mapping[Fault, float]
    acts: tuple[Act, ...]
    commits: Sequence[Commit]
    timer: str
    buckets: int
    page_rows: int | None
    long_ways: float  # the share of ways that take seconds
    heartbeat: bool = True
    calls: timedelta | None = None  # what calls may cost, where the checks shall allow another time than usual
    bounded: bool = True  # whether every task has a place when it is due
    upgrade_at: datetime | None = None
    learned_at: datetime | None = None  # when workers begin to know every action


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What kind of days these are."""

    hours: float = 2.0
    share: float = 0.0  # of the fault kinds that are on
    scale: tuple[float, ...] = (1.0,)
    kinds: tuple[Fault, ...] = tuple(Fault)
    acts: tuple[str, ...] = ()
    acts_max: int = 0
    commits_max: int = 4
    tasks_max: int = 5
    owners: int = 2
    unknown: float = 0.0
    long_ways: float = 0.02
    heartbeat: bool = True
    again: float = 0.3  # of applies that come a second time, later
    late: tuple[str | None, ...] = (None, None, "run", "skip")
    supersede: float = 0.3
    timeouts: tuple[int, ...] = (10, 30, 120, 600)
    pairs: bool = False  # whether a commit is followed by another within a minute
    edges: bool = False  # whether commits, and people, come about when tasks are due
    deeds: tuple[str, ...] = ("new", "new", "new", "due", "payload", "policy", "remove", "back")
    does: tuple[str, ...] = ("quick", "quick", "slow", "fails", "dies")
    ahead: tuple[float, ...] = (30, 90, 100, 150, 240, 300, 600, 1200, 3600)


_CRASHES = (
    Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
    Fault.KILLED,
    Fault.ACTION_KILLS,
    Fault.ACTION_KILLED_AFTER,
    Fault.RETRY_LOST,
)
_TIMER = (*(each for each in Fault if each.name.startswith(("TIMER", "FIRE"))), Fault.HEARTBEAT_MISSED)
_PEOPLE = ("pause", "retry", "run", "arm", "unlock", "rollback")
_TAMPER = ("disable", "rewrite", "remove")

PROFILES: dict[str, Profile] = {
    "calm": Profile(),
    "storm": Profile(share=0.5, scale=(0.3, 1.0, 3.0), acts=(*_PEOPLE, *_TAMPER, "outage"), acts_max=6),
    "crashes": Profile(share=0.8, scale=(1.0, 4.0), kinds=_CRASHES),
    "timer": Profile(share=0.7, scale=(1.0, 3.0), kinds=_TIMER, acts=(*_TAMPER, "arm", "arm"), acts_max=8),
    "network": Profile(share=0.6, scale=(1.0, 5.0), kinds=CALL_FAULTS, acts=("outage",), acts_max=2),
    "people": Profile(acts=_PEOPLE, acts_max=12, commits_max=8, does=("quick", "slow", "fails", "dies", "late")),
    "commits": Profile(
        share=0.4,
        scale=(1.0, 3.0),
        kinds=(Fault.CRASH_AFTER, Fault.FREEZE, Fault.CANCELLED, Fault.LOST_ANSWER),
        acts=("unlock", "rollback"),
        acts_max=3,
        commits_max=12,
        owners=1,
        tasks_max=8,
    ),
    "actions": Profile(
        share=0.5,
        kinds=(Fault.ACTION_KILLS, Fault.ACTION_KILLED_AFTER, Fault.FREEZE, Fault.KILLED),
        does=("slow", "fails", "dies", "hangs", "lease", "long"),
        unknown=0.2,
        hours=4.0,
    ),
    # Many writers and many tasks in few minutes: whoever looks, looks at what somebody else is changing.
    "rush": Profile(
        hours=1.0,
        long_ways=0.15,
        commits_max=12,
        tasks_max=4,
        acts=("arm", "run", "retry"),
        acts_max=8,
        ahead=(30, 60, 90, 100, 120, 150, 200, 240),
        does=("quick", "slow", "fails"),
    ),
    # Two pipelines at the same moment, and nothing else for a while.
    "overlaps": Profile(
        hours=4.0,
        long_ways=0.25,
        commits_max=14,
        tasks_max=3,
        ahead=(120, 300, 900, 1800, 3600),
        deeds=("new", "due", "due", "remove", "remove"),
        does=("quick",),
    ),
    # A commit, and within a minute one that reverts it, while the timer's write of the first is on its way.
    "pairs": Profile(
        hours=4.0,
        pairs=True,
        commits_max=24,
        tasks_max=2,
        owners=1,
        ahead=(480, 720, 960, 1200),
        does=("quick",),
        deeds=("new", "due", "due", "remove", "back"),
    ),
    # Commits and people come about when tasks are due.
    "edges": Profile(
        edges=True,
        commits_max=14,
        tasks_max=4,
        acts=("arm", "arm", "arm", "run"),
        acts_max=30,
        ahead=(240, 480, 720),
        deeds=("new", "new", "policy", "policy", "policy", "due"),
        does=("quick",),
    ),
    "policies": Profile(
        hours=3.0,
        edges=True,
        long_ways=0.1,
        commits_max=30,
        tasks_max=6,
        owners=1,
        ahead=(240, 480, 720),
        deeds=("new", "policy", "policy", "policy", "policy"),
        does=("quick", "quick", "long"),
        timeouts=(10, 30),
    ),
    # Only what kills a worker in the middle of an action: the timer alone must bring the next attempt.
    "no heartbeat": Profile(
        heartbeat=False,
        share=1.0,
        scale=(2.0,),
        kinds=(Fault.ACTION_KILLS, Fault.ACTION_KILLED_AFTER, Fault.RETRY_LOST),
        does=("quick",),
        timeouts=(120, 600),
        tasks_max=1,
        owners=1,
        commits_max=8,
        hours=4.0,
        ahead=(300, 900),
    ),
    "pauses": Profile(acts=("pause", "pause", "arm"), acts_max=8, commits_max=6, ahead=(90, 150, 300, 600)),
    "cancels": Profile(share=1.0, kinds=(Fault.CANCELLED,), scale=(5.0,), commits_max=8),
    "supersedes": Profile(
        hours=1.0,
        commits_max=16,
        tasks_max=3,
        owners=1,
        does=("long", "long", "hangs"),
        ahead=(60, 100, 150, 240),
        late=("run",),
        supersede=1.0,
        deeds=("new", "remove", "remove", "back", "back", "due"),
    ),
    "killed commits": Profile(
        share=1.0,
        scale=(4.0,),
        kinds=(Fault.CRASH_AFTER,),
        commits_max=14,
        tasks_max=4,
        owners=1,
        again=0.9,
        deeds=("new", "payload", "due", "due"),
        ahead=(3600, 7200),
    ),
    "frozen": Profile(
        share=1.0,
        scale=(8.0,),
        kinds=(Fault.FREEZE,),
        does=("slow",),
        timeouts=(30, 120),
        ahead=(120, 300, 600),
        commits_max=8,
    ),
    # Workers with long attempts, and others that come due beside them.
    "busy": Profile(
        acts=("arm",),
        acts_max=150,
        does=("long", "long", "quick", "hangs"),
        timeouts=(10, 30),
        tasks_max=8,
        commits_max=3,
        ahead=(130, 170, 210, 230, 250, 270, 300, 330, 370, 400, 450, 500),
    ),
    "formats": Profile(share=0.3, kinds=(Fault.OLD_WORKER, Fault.CRASH_AFTER), hours=3.0),
    "year": Profile(
        hours=900 * 24.0,
        share=0.4,
        scale=(0.3, 1.0),
        acts=("pause", "retry", "run", *_TAMPER),
        acts_max=8,
        ahead=(300, 86_400, 30 * 86_400, 90 * 86_400, 200 * 86_400),
    ),
}

# What only runs when it is asked for: a day of these takes as long as hundreds of others.
CROWDS: dict[str, Profile] = {
    "stampede": Profile(hours=0.5, commits_max=1, owners=1, does=("quick",)),
    "one that fails": Profile(hours=6.0, commits_max=1, owners=1, does=("quick",)),
}
STAMPEDE_TASKS = 10_000  # all due in one minute
OTHERS = 1_000  # beside one task that fails for ever

_BASE_RATE = 0.02  # of one fault a call or an occasion; kinds that end a process, or last, are rarer
_RARER = {
    Fault.CRASH_BEFORE: 0.3,
    Fault.CRASH_AFTER: 0.3,
    Fault.FREEZE: 0.3,
    Fault.LATE_REQUEST: 0.5,
    Fault.SLOW: 0.5,
    Fault.KILLED: 8.0,
    Fault.CANCELLED: 5.0,
    Fault.HEARTBEAT_MISSED: 5.0,
    Fault.FIRE_LOST: 5.0,
    Fault.FIRE_TWICE: 5.0,
    Fault.FIRE_LATE: 5.0,
    Fault.FIRE_EARLY: 3.0,
    Fault.TIMER_AGAIN: 5.0,
    Fault.TIMER_OUT_OF_ORDER: 5.0,
    Fault.ACTION_KILLS: 5.0,
    Fault.ACTION_KILLED_AFTER: 5.0,
    Fault.RETRY_LOST: 10.0,
    Fault.OLD_WORKER: 20.0,
    Fault.BAD_CLOCK: 2.0,
    Fault.TTL_LATE: 20.0,
}


def a_scenario(seed: int, profile: str | None = None) -> Scenario:
    """Return the scenario of a seed; the seed chooses the profile unless one is given."""
    name = profile or list(PROFILES)[seed % len(PROFILES)]
    return _Draw(seed, name).scenario()


class _Draw:
    """The draws of one seed."""

    def __init__(self, seed: int, name: str) -> None:
        self._seed = seed
        self._name = name
        self._profile = PROFILES.get(name) or CROWDS[name]
        self._chance = Random(f"{seed}/{name}")  # noqa: S311 - to be replayed
        self._start = self._chance.choice(STARTS)
        self._end = self._start + timedelta(hours=self._profile.hours)
        self._owners = OWNERS[: self._chance.randint(1, self._profile.owners)]
        self._ids = 0

    def scenario(self) -> Scenario:
        """Return what was drawn."""
        chance = self._chance
        times = sorted(self._moment(0.7) for _ in range(chance.randint(1, self._profile.commits_max)))
        if self._profile.pairs:
            times = sorted(each + timedelta(seconds=more) for each in times for more in (0, chance.uniform(5.0, 50.0)))
        commits = self._commits(times)
        acts = [*self._applies(times), *self._people()]
        return Scenario(
            seed=self._seed,
            profile=self._name,
            start=self._start,
            end=self._end,
            rates=self._rates(),
            acts=tuple(replace(each, number=number) for number, each in enumerate(acts)),
            commits=commits,
            timer=chance.choice(("rule", "schedule")),
            buckets=chance.choice((1, 1, 2, 3)),
            page_rows=None if self._name in CROWDS else chance.choice((1, 2, 3, None)),
            long_ways=self._profile.long_ways,
            heartbeat=self._profile.heartbeat,
            bounded=self._name != "stampede",
            upgrade_at=self._moment(0.6) if self._name == "formats" else None,
            learned_at=self._moment(1.0) if self._profile.unknown else None,
        )

    def _moment(self, share: float) -> datetime:
        moment = self._start + (self._end - self._start) * (self._chance.random() * share)
        if not self._profile.edges:
            return moment
        return (
            moment
            + (self._start - moment) % TOGETHER
            + timedelta(seconds=self._chance.choice((self._chance.uniform(-5.0, 1.0), self._chance.uniform(0.0, 36.0))))
        )

    def _rates(self) -> dict[Fault, float]:
        profile, chance = self._profile, self._chance
        scale = chance.choice(profile.scale) * _BASE_RATE
        kinds = [kind for kind in profile.kinds if chance.random() < profile.share]
        return {kind: scale * _RARER.get(kind, 1.0) for kind in kinds}

    # --- the repository ---

    def _commits(self, times: Sequence[datetime]) -> list[Commit]:
        if self._name in CROWDS:
            self._owners = OWNERS[:1]
            crowd = self._crowd() if self._name == "stampede" else self._beside_one_that_fails()
            return [{OWNERS[0]: tuple(crowd)}]
        commits: list[Commit] = []
        tasks: dict[str, dict[str, Declared]] = {owner: {} for owner in self._owners}
        gone: dict[str, Declared] = {}
        for number, moment in enumerate(times):
            if self._profile.pairs and number % 2 and number > 1:
                commits.append(commits[-2])  # the commit before is reverted
                tasks = {owner: {each.task.id: each for each in commits[-1][owner]} for owner in self._owners}
                continue
            for owner in self._owners:
                self._edit(tasks[owner], gone, owner, moment)
            commits.append({owner: tuple(tasks[owner].values()) for owner in self._owners})
        return commits

    def _edit(self, tasks: dict[str, Declared], gone: dict[str, Declared], owner: str, moment: datetime) -> None:
        """Do to the tasks of one owner what an author does between two commits."""
        chance, short = self._chance, owner.split("/")[1]
        for _ in range(chance.randint(0 if tasks else 1, self._profile.tasks_max)):
            deed = chance.choice(self._profile.deeds)
            names = sorted(tasks)
            back = [each for each in sorted(gone) if each.startswith(f"{short} ")]
            if deed == "back" and back:
                name = chance.choice(back)
                tasks[name] = gone.pop(name)
            elif deed in ("new", "back") or not names:
                self._ids += 1
                name = f"{short} {self._ids}"
                tasks[name] = self._task(name, moment)
            elif deed == "remove" and len(tasks) > 1:
                name = chance.choice(names)
                gone[name] = tasks.pop(name)
            else:
                name = chance.choice(names)
                tasks[name] = self._edited(tasks[name], deed, moment)

    def _task(self, name: str, moment: datetime) -> Declared:
        chance = self._chance
        does = chance.choice(self._profile.does)
        attempts = chance.choice((1, 2, 3, 5))
        payload: dict[str, Any] = {"id": name, "seconds": chance.choice((0, 0.2, 1, 5)), "value": 0}
        timeout = timedelta(seconds=chance.choice(self._profile.timeouts))
        match does:
            case "slow":
                payload["seconds"] = chance.uniform(1, timeout.total_seconds() - 1)
            case "fails":
                payload["failures"] = chance.randint(1, attempts)
            case "dies":
                payload["failures"], payload["permanent"] = 1, chance.random() < 0.5
            case "hangs":
                payload["hangs"], attempts = True, 2
            case "late":
                payload["seconds"] = timeout.total_seconds() + chance.choice((0, 1, 30))
            case "lease":
                payload["to the end of its lease"], attempts = True, 2
            case "long":
                timeout = timedelta(minutes=12)
                payload["seconds"] = chance.uniform(60, 700)
        unknown = chance.random() < self._profile.unknown
        grace = chance.choice((None, None, None, 4 * MINUTE, timedelta(hours=1)))
        task = Task(
            id=name,
            due=self._due(moment),
            action="LEARNED_LATER" if unknown else "ACT",
            payload=payload,
            retry=Retry(attempts=attempts, backoff=MINUTE, max_backoff=chance.choice((MINUTE, 10 * MINUTE))),
            timeout=timeout,
            grace=grace,
        )
        return Declared(task=task, place=Place(path=f"tasks/{name}.yaml"), own_grace=grace is not None)

    def _due(self, moment: datetime) -> datetime:
        """Return when a task is due: many together, some at odd seconds, some at a local time that a zone has twice."""
        chance = self._chance
        due = moment + timedelta(seconds=chance.choice(self._profile.ahead))
        draw = chance.random()
        if draw < 0.5:
            return due + (self._start - due) % TOGETHER
        if draw < 0.6:
            local = due.astimezone(zone := ZoneInfo(chance.choice(ZONES))).replace(tzinfo=None)
            found = resolve_local(local, zone)
            return found if isinstance(found, datetime) else found.later.astimezone(UTC)
        return due if draw < 0.8 else due.replace(second=0, microsecond=0)

    def _edited(self, declared: Declared, deed: str, moment: datetime) -> Declared:
        task = declared.task
        match deed:
            case "due":
                task = replace(task, due=self._due(moment))
            case "payload":
                task = replace(task, payload={**task.payload, "value": self._chance.randint(1, 99)})
            case _:
                task = replace(task, description=f"said again {self._chance.randint(1, 99)}")
        return replace(declared, task=task)

    def _crowd(self) -> list[Declared]:
        due = self._start + 30 * MINUTE
        return [self._plain(f"crowd {number:05}", due) for number in range(STAMPEDE_TASKS)]

    def _beside_one_that_fails(self) -> list[Declared]:
        """Return tasks all over some hours, and one of the first that fails for ever."""
        seconds = (self._end - self._start).total_seconds()
        moments = [self._start + timedelta(seconds=self._chance.uniform(0.4, 1.0) * seconds) for _ in range(OTHERS)]
        failing = self._plain("fails for ever", min(moments))
        task = replace(
            failing.task,
            payload={"id": failing.task.id, "seconds": 1, "failures": 10**9},
            retry=Retry(attempts=1000, backoff=MINUTE, max_backoff=MINUTE),
        )
        return [replace(failing, task=task), *(self._plain(f"other {n:04}", due) for n, due in enumerate(moments))]

    def _plain(self, name: str, due: datetime) -> Declared:
        found = self._task(name, self._start)
        payload = {"id": name, "seconds": 0.2}
        return replace(found, task=replace(found.task, due=due, action="ACT", payload=payload, grace=None))

    # --- who does what ---

    def _applies(self, times: Sequence[datetime]) -> list[Act]:
        """Return the applies of a pipeline: soon after the commit, now and then again, late, or cancelled."""
        chance, acts = self._chance, []
        for number, moment in enumerate(times):
            for owner in self._owners:
                more = {
                    "commit": number,
                    "late": chance.choice(self._profile.late),
                    "supersede": chance.random() < self._profile.supersede,
                    "cancel": chance.uniform(0.0, 8.0),
                }
                acts.append(Act(number=0, at=moment, kind="apply", owner=owner, more=more))
                if chance.random() < self._profile.again:
                    again = moment + timedelta(seconds=chance.choice((0.1, 5, 60, 700, 1500)))
                    acts.append(Act(number=0, at=min(again, self._end), kind="apply", owner=owner, more=more))
        return acts

    def _people(self) -> list[Act]:
        chance, acts = self._chance, []
        if not self._profile.acts:
            return []
        for _ in range(chance.randint(0, self._profile.acts_max)):
            kind = chance.choice(self._profile.acts)
            more = {"seconds": chance.choice((5, 60, 200, 600, 1500)), "which": chance.random()}
            moment = self._moment(0.9)
            acts.append(Act(number=0, at=moment, kind=kind, owner=chance.choice(self._owners), more=more))
            if kind in ("pause", "disable", "remove"):
                until = min(moment + timedelta(seconds=more["seconds"]), self._end)
                ends = "resume" if kind == "pause" else "mend"
                acts.append(Act(number=0, at=until, kind=ends, owner=chance.choice(self._owners), more=more))
        return acts
