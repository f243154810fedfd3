"""What is killed, and what must be so afterwards: an apply of a hundred changes, and a wake of the worker.

A scene has a command that is killed, the commands that finish the work, and says of what they leave behind how many
tasks were lost, and how many ran again after their success had been recorded. Everything else that is wrong fails.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from kills.grounds import control_of, rows_of, timer_of
from kills.launcher import environment

from slowsched.cli.status import Status
from slowsched.model import State
from slowsched.timing import ceil_minute, rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kills.grounds import Ground
    from kills.launcher import Ended, Launcher, Point

    from slowsched.model import Row

DUE = datetime(2120, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AFTER_THE_LEASE = timedelta(minutes=11)  # of an apply's lock, or of an attempt; with the skew between clocks

ACTIONS = '''\
"""Actions that leave their idempotency key at the end of a file, in one write; each is three points of its process."""

import os
from pathlib import Path

from points import reach
from slowsched import Attempt, PermanentError, action

KEYS = Path(__file__).resolve().parents[1] / "keys.txt"


@action("RECORD")
def record(payload: dict, attempt: Attempt) -> None:
    reach("before the action")
    file = os.open(KEYS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{attempt.idempotency_key}\\n".encode())
    os.close(file)
    reach("after the action")
    if payload.get("hopeless"):
        raise PermanentError("it never will")
    if attempt.number == 1 and payload.get("fails"):
        raise RuntimeError("it did not work")
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a kill came to, once the work was finished: tasks that were lost, tasks that ran again."""

    point: str
    lost: int
    again: int


class Repository:
    """A repository in git with the action RECORD, on a ground, and a launcher that runs slowsched in it."""

    def __init__(self, root: Path, ground: Ground, launcher: Launcher) -> None:
        self.root = root
        self.ground = ground
        self._launcher = launcher
        self.write("schemas/actions/RECORD.schema.json", '{"type": "object"}')
        self.write("schemas/actions/UNHEARD.schema.json", '{"type": "object"}')
        self.write("worker/actions.py", ACTIONS)
        self.write(".gitignore", "/.slowsched\n/kept\n/keys.txt\n/said.txt\n/slowsched.yaml\n")
        ground.prepare(root)
        self.git("init", "--quiet", "--initial-branch", "main")

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def task(self, name: str, **fields: Any) -> None:
        """Write the file of a task, due on DUE unless told otherwise."""
        document = {"id": name, "due": rfc3339(DUE), "action": "RECORD", "payload": {}} | fields
        self.write(f"tasks/{name}.json", json.dumps(document))

    def remove(self, name: str) -> None:
        """Remove the file of a task."""
        (self.root / "tasks" / f"{name}.json").unlink()

    def git(self, *words: str) -> str:
        """Run git, and return what it says."""
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *words]
        done = subprocess.run(
            command, cwd=self.root, env=environment(self.root), capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything, and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def run(self, *commands: tuple[str, ...], **options: Any) -> Ended:
        """Run commands in this repository's environment."""
        words = [("--quiet", "--env", self.ground.environment, *command) for command in commands]
        return self._launcher.run(self.root, *words, variables=self.ground.variables, **options)

    def apply_words(self, *more: str) -> tuple[str, ...]:
        """Return the words of an apply."""
        return ("apply", "--yes", "--allow-dirty", *more)

    def keys(self) -> list[str]:
        """Return what the action has written."""
        path = self.root / "keys.txt"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def key(self, task_id: str, due: datetime = DUE, generation: int = 1) -> str:
        """Return the idempotency key of an execution."""
        return f"{self.ground.environment}/{task_id}@{rfc3339(due)}#{generation}"

    def restore(self) -> None:
        """Make rows, timer and the file of the keys what they were."""
        self.ground.restore()
        (self.root / "keys.txt").unlink(missing_ok=True)


def finished(ended: Ended, *statuses: int) -> None:
    """See that commands ended as expected."""
    assert (ended.killed, ended.statuses) == (False, list(statuses)), f"it did not finish: {ended.said}"


def timer_covers(ground: Ground) -> None:
    """See that the timer is set to the minute of the earliest wake."""
    armed, wake_at = timer_of(ground)
    assert wake_at is not None
    assert armed == ceil_minute(wake_at), "the timer does not cover the earliest wake"


class Scene:
    """What is killed, and what must be so afterwards."""

    name: ClassVar[str]
    words: tuple[str, ...]
    once_a_state: bool = False  # whether the work is finished once where several kills leave the very same

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.ground = repository.ground

    def points(self) -> list[Point]:
        """Return every point of the command where nobody kills it."""
        self.repository.restore()
        names = Counter(self.repository.run(self.words).points)
        return [(name, number + 1) for name, count in sorted(names.items()) for number in range(count)]

    def killed_at(self, point: Point) -> Verdict | None:
        """Kill the command at a point, finish the work and judge; None where it never came there."""
        self.repository.restore()
        ended = self.repository.run(self.words, kill_at=point)
        return self.judged(ended, point[1]) if ended.killed else None

    def judged(self, ended: Ended, number: int) -> Verdict:
        """Finish the work, and say what is wrong."""
        raise NotImplementedError

    def killed_in_a_row(self, seconds: Sequence[float]) -> tuple[int, Verdict]:
        """Kill the command after so many seconds, start it again, and so on; returns how many kills hit, and judges."""
        raise NotImplementedError


# --- apply -----------------------------------------------------------------------------------------

EACH = 25
EARLIER = DUE - timedelta(days=300)


class Apply(Scene):
    """A hundred changes: 25 creates, 25 updates (every other of the policy alone), 25 deletes, 25 forgets."""

    name = "apply"

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self.words = repository.apply_words("--allow-deletes", str(EACH))
        self._judged: dict[Any, Verdict] = {}
        self._before = self._prepared()
        finished(repository.run(self.words), 0)
        self._wanted = rows_of(self.ground)
        assert sum(_seen(row) != _seen(self._before.get(key)) for key, row in self._wanted.items()) == 4 * EACH

    def _prepared(self) -> dict[str, Row]:
        """Apply the first commit, run what is due earlier, make the second commit; returns the rows to begin with."""
        repository = self.repository
        for number in range(EACH):
            for kind in ("updated", "deleted", "kept"):
                repository.task(f"{kind} {number:02}", due=_due(number))
            repository.task(f"forgotten {number:02}", due=rfc3339(EARLIER))
        repository.commit("A")
        finished(repository.run(repository.apply_words(), ("worker", "--fakenow", rfc3339(EARLIER))), 0, 0)
        for number in range(EACH):
            changed = {"payload": {"n": number}, "due": _due(number + 1)} if number % 2 else {"team": "pricing"}
            repository.task(f"updated {number:02}", **{"due": _due(number)} | changed)
            repository.task(f"created {number:02}", due=_due(number - EACH))  # the first of all
            repository.remove(f"deleted {number:02}")
            repository.remove(f"forgotten {number:02}")
        self.commit = repository.commit("B")
        self.ground.keep()
        return rows_of(self.ground)

    def judged(self, ended: Ended, number: int) -> Verdict:
        """Unlock, or wait until the lock is over, apply again, and plan."""
        found = rows_of(self.ground)
        assert self._before.keys() <= found.keys() <= self._wanted.keys(), f"rows came or went; killed {ended.point}"
        torn = [key for key, row in found.items() if _seen(row) not in self._allowed(key)]
        assert torn == [], f"neither as they were nor as they are to be; killed {ended.point}"
        control = control_of(self.ground)
        left = (number % 2, control.applied, control.applying, control.lock is None, timer_of(self.ground))
        state = (*left, *map(_seen, found.values()))
        if self.once_a_state and state in self._judged:
            return replace(self._judged[state], point=ended.point)
        self._judged[state] = self._finished(ended, number)
        return self._judged[state]

    def _finished(self, ended: Ended, number: int) -> Verdict:
        plan = ("plan", "--detailed-exitcode")
        if number % 2:
            finished(self.repository.run(("unlock", "--yes"), self.words, plan), 0, 0, 0)
        else:
            finished(self.repository.run(self.words, plan, later=AFTER_THE_LEASE), 0, 0)
        rows = rows_of(self.ground)
        lost = [key for key, row in self._wanted.items() if _seen(rows.get(key)) != _seen(row)]
        again = [key for key, row in self._before.items() if row.state is State.SUCCEEDED and rows[key].wake_at]
        control = control_of(self.ground)
        assert (control.lock, control.applied, control.applying) == (None, self.commit, None), (
            "the commit is not recorded"
        )
        timer_covers(self.ground)
        return Verdict(point=ended.point, lost=len(lost), again=len(again))

    def killed_in_a_row(self, seconds: Sequence[float]) -> tuple[int, Verdict]:
        """Take the lock from the dead between two kills; no row ever goes back."""
        self.repository.restore()
        hits, rows = 0, self._before
        for number, each in enumerate(seconds):
            ended = self.repository.run(self.words, kill_after=each)
            found = rows_of(self.ground)
            back = [key for key, row in rows.items() if found[key].version < row.version]
            assert back == [], f"versions went back; kill {number} of {seconds}"
            rows = found
            hits += ended.killed
            if not ended.killed:
                break
            finished(self.repository.run(("unlock", "--yes")), 0)
        return hits, self.judged(ended, 0)

    def _allowed(self, task_id: str) -> list[Any]:
        return [_seen(rows.get(task_id)) for rows in (self._before, self._wanted)]


def _due(number: int) -> str:
    return rfc3339(DUE + timedelta(days=number))


def _seen(row: Row | None) -> Any:
    """Return all of a row but what the moment of the write makes of it."""
    if row is None:
        return None
    kept = row.expires_at is not None
    return row.state, row.version, row.generation, row.attempt, row.wake_at, row.digests, row.source.commit, kept


# --- worker ----------------------------------------------------------------------------------------

PLAIN, FAILING = 7, 2
WAKES = (DUE, DUE + AFTER_THE_LEASE)  # the one that is killed, and the first that finishes its work


class Worker(Scene):
    """A wake: seven tasks that succeed, two that fail once, one for good, one missed, one unknown, and one ahead."""

    name = "worker"

    def __init__(self, repository: Repository) -> None:
        super().__init__(repository)
        self.words = ("worker", "--fakenow", rfc3339(WAKES[0]))
        ids = [f"plain {number}" for number in range(PLAIN)] + [f"failing {number}" for number in range(FAILING)]
        for task_id in ids:
            repository.task(task_id, payload={"fails": task_id.startswith("failing")})
        repository.task("hopeless", payload={"hopeless": True})
        repository.task("missed", due=rfc3339(DUE - 60 * MINUTE), grace="10m")
        repository.task("unheard", action="UNHEARD")
        repository.task("ahead", due=rfc3339(DUE + timedelta(days=1)))
        repository.commit("A")
        finished(repository.run(repository.apply_words()), 0)
        self.ground.keep()
        self._states = dict.fromkeys(ids, State.SUCCEEDED) | {
            "hopeless": State.DEAD,
            "missed": State.MISSED,
            "unheard": State.SCHEDULED,
            "ahead": State.SCHEDULED,
        }
        self._keys = {repository.key(task_id) for task_id in (*ids, "hopeless")}

    def judged(self, ended: Ended, number: int) -> Verdict:  # noqa: ARG002 - the parity of an apply
        """Wake twice, each time after all leases, and plan."""
        watch = _Watch(self.repository)
        watch.look()
        return self._finished(watch, ended.point, WAKES[1])

    def killed_in_a_row(self, seconds: Sequence[float]) -> tuple[int, Verdict]:
        """Wake after the leases of the dead, again and again."""
        self.repository.restore()
        watch, hits, moment = _Watch(self.repository), 0, WAKES[0]
        for each in seconds:
            ended = self.repository.run(("worker", "--fakenow", rfc3339(moment)), kill_after=each)
            watch.look()
            hits += ended.killed
            moment += AFTER_THE_LEASE
        return hits, self._finished(watch, f"in a row, after {seconds}", moment)

    def _finished(self, watch: _Watch, point: str, moment: datetime) -> Verdict:
        for wake in (moment, moment + AFTER_THE_LEASE):
            ended = self.repository.run(("worker", "--fakenow", rfc3339(wake)))
            assert (ended.killed, len(ended.statuses)) == (False, 1), ended.said
            assert ended.statuses[0] in {Status.DONE, Status.IN_PART}, ended.said
            watch.look()
        finished(self.repository.run(("plan", "--detailed-exitcode")), 0)
        states = {key: row.state for key, row in rows_of(self.ground).items()}
        lost = {key for key, state in self._states.items() if states.get(key) is not state}
        lost |= self._keys - set(watch.keys)
        assert set(watch.keys) <= self._keys, f"something ran that nobody asked for; killed {point}"
        timer_covers(self.ground)
        return Verdict(point=point, lost=len(lost), again=watch.again)


class _Watch:
    """Sees, while nothing runs, whether a key was written after its success had been recorded."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._succeeded: set[str] = set()
        self.keys: list[str] = []
        self.again = 0

    def look(self) -> None:
        """Look at the file of the keys, and at the rows."""
        repository = self._repository
        written = repository.keys()[len(self.keys) :]
        self.again += sum(key in self._succeeded for key in written)
        self.keys += written
        rows = rows_of(repository.ground).items()
        self._succeeded = {repository.key(key) for key, row in rows if row.state is State.SUCCEEDED}
        assert self._succeeded <= set(self.keys), "a success is recorded of what never ran"


SCENES = {scene.name: scene for scene in (Apply, Worker)}
