"""The values that everything else is about: frozen, equal by all fields, without behaviour.

Nothing here reads a clock, a file or the network, and no rule of the product lives here: what a row
may become is in `lifecycle`, what a plan does is in `plan`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

__all__ = [
    "Attribution",
    "Base",
    "Change",
    "ChangeKind",
    "Claim",
    "Conflict",
    "Control",
    "Declared",
    "Digests",
    "Document",
    "Field",
    "HistoryEntry",
    "HistoryOutcome",
    "LateChoice",
    "Lock",
    "Outcome",
    "OutcomeKind",
    "OwnerControl",
    "Pause",
    "Place",
    "Plan",
    "Problem",
    "Refusal",
    "Retry",
    "Row",
    "Severity",
    "Source",
    "State",
    "Summary",
    "Task",
    "Together",
    "Trailer",
    "Unreadable",
    "Worker",
]


# --- what a file declares --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a file; line and column count from 1, the path is relative to the root."""

    path: str
    line: int = 1
    column: int = 1


class Severity(StrEnum):
    """How bad a problem is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One defect of a file, with its place; `pointer` is `$.a.b[0]`, `code` a stable kebab-case word."""

    path: str
    line: int
    column: int
    pointer: str
    code: str
    message: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML or JSON document: its value in JSON's types, and where it starts.

    `text` is the whole file's text and `index` the document's number in it (from 0), so that the
    place of a nested value can be looked up when there is something to say about it.
    """

    place: Place
    value: Any
    text: str = field(repr=False)
    index: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a task is attempted, and how long it rests after a failure (doubling, capped)."""

    attempts: int
    backoff: timedelta
    max_backoff: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a file declares, with the config's defaults filled in; `due` is in UTC.

    `sensitive` are the pointers (`$.payload.token`) to what its action's schema marks as sensitive, sorted.
    """

    id: str
    due: datetime
    action: str
    payload: Any
    retry: Retry
    timeout: timedelta
    grace: timedelta | None = None
    description: str | None = None
    team: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    timezone: str | None = None
    protect: bool = False
    sensitive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A task of this commit and where it is declared.

    `own_grace` says that the file itself states a grace: the config's default never covers a task
    that is already late.
    """

    task: Task
    place: Place
    own_grace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """SHA-256 of what decides the execution (due, action, payload), and of the whole task.

    Where only `task` differs the policy was edited, and the execution is untouched.
    """

    execution: str
    task: str


# --- what the store holds --------------------------------------------------------------------------


class State(StrEnum):
    """Where a row stands; the transitions are in `lifecycle`."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    DEAD = "dead"
    MISSED = "missed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file, line and commit that applied a row."""

    path: str
    line: int
    commit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A worker's hold on a row until `lease_end`.

    `token` is None when the claim was superseded: nobody can settle it any more, and nothing else
    may start before `lease_end`.
    """

    token: str | None
    lease_end: datetime


class HistoryOutcome(StrEnum):
    """How an entry of the history ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    LEASE_EXPIRED = "lease-expired"
    SUPERSEDED = "superseded"
    MISSED = "missed"
    UNKNOWN_ACTION = "unknown-action"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One attempt, or one end without an attempt (missed, unknown action: `attempt` as it stood).

    `finished_at` and `outcome` are None while the attempt runs.
    """

    generation: int
    attempt: int
    started_at: datetime
    finished_at: datetime | None = None
    late_seconds: float = 0.0
    outcome: HistoryOutcome | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A task and what apply and the worker recorded of it (docs/state-machine.md).

    `wake_at` is when the row next needs the worker, None when it never does. `requested_at` is when
    a person asked for the execution (run, retry, `--late run`): grace does not apply. `deferred_since`
    is when a worker first found the action unknown. `version` counts writes, `generation` counts what
    the task was edited into.
    """

    task: Task
    digests: Digests
    owner: str
    source: Source
    state: State
    version: int
    generation: int
    wake_at: datetime | None = None
    attempt: int = 0
    claim: Claim | None = None
    history: tuple[HistoryEntry, ...] = ()
    requested_at: datetime | None = None
    deferred_since: datetime | None = None
    expires_at: datetime | None = None

    @property
    def id(self) -> str:
        """The task's id, which is the row's key."""
        return self.task.id


class Summary(NamedTuple):
    """What one paged read tells of a row: enough to see whether a plan would change it.

    A tuple, unlike all other values: a plan makes one for every row of the table.
    """

    id: str
    owner: str
    state: State
    task_digest: str
    wake_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A row that this version cannot read (a newer format wrote it, or it is damaged)."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A conditional write that lost, and the row that was found in its place."""

    found: Row | Unreadable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The apply lock of an owner: who holds it, where to look, and until when."""

    token: str
    holder: str
    url: str | None
    taken_at: datetime
    lease_end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerControl:
    """What the control row keeps of one owner: the apply lock and the order of commits."""

    lock: Lock | None = None
    applied: str | None = None
    applying: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Who paused the worker, when and why."""

    by: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What a worker that nobody can look at says of itself: its slowsched, the format of its rows, its actions."""

    slowsched: str
    row_format: int
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The one control row of a table; `version` is 0 when it was never written.

    `worker` is what the function on AWS last said of itself; None where there is none.
    """

    version: int = 0
    pause: Pause | None = None
    not_before: datetime | None = None
    owners: Mapping[str, OwnerControl] = field(default_factory=dict)
    worker: Worker | None = None

    def of(self, owner: str) -> OwnerControl:
        """Return what is kept of an owner; empty when it never applied."""
        return self.owners.get(owner, OwnerControl())


# --- what an attempt came to -----------------------------------------------------------------------


class OutcomeKind(StrEnum):
    """How an attempt ended, as far as the worker saw it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one attempt came to; `message` is at most 1 KB; `retryable` counts for a failure only."""

    kind: OutcomeKind
    message: str | None = None
    retryable: bool = True


# --- what a plan says ------------------------------------------------------------------------------


class LateChoice(StrEnum):
    """What a person says is to be done with tasks that are late already."""

    RUN = "run"
    SKIP = "skip"


class ChangeKind(StrEnum):
    """What a plan would do to one task, or why it would not."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    FORGET = "forget"
    LATE = "late"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One value that differs: where (`$.payload.newPrice`), before and after (None: absent).

    `sensitive` says that it is sensitive, or holds what is: that is masked on both sides.
    """

    pointer: str
    before: Any
    after: Any
    sensitive: bool = False


class Attribution(StrEnum):
    """Whose change a difference between the files and the table is, seen from a branch."""

    THIS_CHANGE = "this-change"
    ALREADY_ON_MAIN = "already-on-main"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a branch was compared with: the name given, the commit it stands for, and where the branch began."""

    ref: str
    tip: str
    merge_base: str


class BehindKind(StrEnum):
    """What main has done to a task since a branch began."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A task that a branch has not as main has it: main has changed it since, the branch has not."""

    id: str
    kind: BehindKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One task of a plan, with the row that it was decided on and the row that it would become.

    `result` is the row to write (None for late and conflict); its condition is `before.version`
    (0 without a row). `message` says why a task is late or in conflict, and the way out. `attribution` is
    None where the plan was not compared with a base.
    """

    id: str
    kind: ChangeKind
    action: str
    due: datetime
    place: Place
    notes: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()
    message: str | None = None
    before: Row | None = None
    declared: Declared | None = None
    result: Row | None = None
    attribution: Attribution | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the whole plan may not be applied: a stable code, and what to do."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailer:
    """What one trailer of a commit message says (`trailers`), and the commit that it stands in.

    `message` says why it allows nothing, None where it is understood; `used` that the plan would be another, or
    refused, without it.
    """

    name: str
    value: str
    commit: str
    message: str | None = None
    used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """How many tasks fire in the same minute, one of them at least because of the plan."""

    minute: datetime
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What apply would do, as a value that is either shown or carried out.

    `counts` has every kind plus `unchanged` and `done`. `valid_until` is the earliest due that would
    be late after it. `timer_before` and `timer_after` are the armed minute. `unreadable` are rows that
    a newer version wrote: left alone, shown. With a `base`, `behind` is what main has changed and the branch has
    not, by id; `speculative` says that the base stood in for the rows. `trailers` are what commits allow,
    `needed` the lines that would allow what is refused, late or in conflict. `together` are the minutes in which
    more than one task fires, earliest first.
    """

    environment: str
    owner: str
    commit: str | None
    now: datetime
    digest: str
    changes: tuple[Change, ...]
    counts: Mapping[str, int]
    pending: int = 0
    valid_until: datetime | None = None
    timer_before: datetime | None = None
    timer_after: datetime | None = None
    problems: tuple[Problem, ...] = ()
    refused: tuple[Refusal, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    base: Base | None = None
    behind: tuple[Behind, ...] = ()
    speculative: bool = False
    trailers: tuple[Trailer, ...] = ()
    needed: tuple[str, ...] = ()
    together: tuple[Together, ...] = ()
