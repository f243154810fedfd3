"""One walk over the agenda: decide on each due row, write the decision, and say what came of it.

What becomes of a row is decided in `lifecycle`. Here each decision is written on its own condition, and one
that lost is made again on the row that was found. Nothing is executed here, and the timer is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from slowsched import lifecycle
from slowsched.errors import StoreError
from slowsched.lifecycle import Step
from slowsched.model import Conflict, Row, Unreadable
from slowsched.store.base import Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from slowsched.backend import Backend
    from slowsched.lifecycle import Taken

__all__ = ["AGENDA_PAGE", "CONFLICT_TRIES", "Agenda", "Walk", "Walked"]

AGENDA_PAGE = 50  # rows looked at before the answers are written
CONFLICT_TRIES = 10  # of one row: each loser has seen another's write of that row go through


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How far a walk goes: what is due by `now`, at most `places` claims, each of what `can_finish`."""

    now: datetime
    places: int
    can_finish: Callable[[Row, datetime], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What a walk came to.

    `written` are the decisions that stand in their rows now; `errors` tells of single rows, `failure` is what
    ended the walk, `conflicts` counts writes that others were quicker with. `complete` says whether every due row
    that can be read was handled.
    """

    written: tuple[Taken, ...]
    unreadable: tuple[str, ...]
    errors: tuple[str, ...]
    failure: StoreError | None
    complete: bool
    conflicts: int

    @property
    def claimed(self) -> list[Taken]:
        """The claims among what was written, earliest first."""
        return [each for each in self.written if each.step is Step.CLAIM]

    def ids(self, step: Step) -> list[str]:
        """Return the ids of the rows with which this was done."""
        return [each.row.id for each in self.written if each.step is step]


class Agenda:
    """The agenda as one wake sees it: without what it has found unreadable, or was shown once by a standing clock."""

    def __init__(self, backend: Backend, knows: Callable[[str], bool]) -> None:
        self._backend = backend
        self._knows = knows
        self._passed_over: set[str] = set()

    def due(self, until: datetime) -> Iterator[str]:
        """Yield what is due by then, earliest first.

        Raises:
            StoreError: the backend did not answer.
        """
        return (task_id for task_id in self._backend.store.agenda(until) if task_id not in self._passed_over)

    def walk(self, walk: Walk) -> Walked:
        """Go through what is due; what was written before the store fell silent is in the result as well."""
        walking = _Walking(self._backend, self._knows, walk)
        failure: StoreError | None = None
        try:
            walking.go(self.due(walk.now))
        except StoreError as error:
            failure = error
        self._passed_over.update(walking.unreadable)
        if self._backend.standing:
            self._passed_over.update(each.row.id for each in walking.written)
        return Walked(
            written=tuple(walking.written),
            unreadable=tuple(walking.unreadable),
            errors=tuple(walking.errors),
            failure=failure,
            complete=walking.complete and failure is None,
            conflicts=walking.conflicts,
        )


class _Walking:
    """The state of one walk."""

    def __init__(self, backend: Backend, knows: Callable[[str], bool], walk: Walk) -> None:
        self._backend = backend
        self._knows = knows
        self._walk = walk
        self._claims = 0
        self.written: list[Taken] = []
        self.unreadable: list[str] = []
        self.errors: list[str] = []
        self.conflicts = 0
        self.complete = True

    def go(self, due: Iterator[str]) -> None:
        """Handle page after page until nothing is due any more or no place is free."""
        while page := list(islice(due, AGENDA_PAGE)):
            self._write(self._take_page(page))
            if self._claims >= self._walk.places:
                self.complete = self.complete and next(due, None) is None
                break

    def _take_page(self, page: Sequence[str]) -> list[tuple[Row, Taken]]:
        """Decide on the rows of a page, claiming as many as there are places."""
        rows = self._backend.store.get_many(page)
        taken: list[tuple[Row, Taken]] = []
        claims = self._claims
        for task_id in page:
            row = rows.get(task_id)
            if isinstance(row, Unreadable):
                self.unreadable.append(task_id)
                continue
            step = None if row is None else self._decide(row)
            if row is None or step is None:
                continue
            if step.step is Step.CLAIM:
                if claims >= self._walk.places or not self._walk.can_finish(row, self._walk.now):
                    self.complete = False
                    continue
                claims += 1
            taken.append((row, step))
        return taken

    def _decide(self, row: Row) -> Taken | None:
        known = self._knows(row.task.action)
        return lifecycle.take(row, now=self._walk.now, token=self._backend.nonce(), known=known)

    def _write(self, taken: Sequence[tuple[Row, Taken]]) -> None:
        """Write each decision on its own condition; a lost one is made again as long as the row is due."""
        writes = [Write(row=step.row, expect_version=row.version) for row, step in taken]
        for (row, step), answer in zip(taken, self._backend.store.put_many(writes), strict=True):
            won: Taken | None = step
            try:
                if isinstance(answer, StoreError):
                    raise answer
                if isinstance(answer, Conflict):
                    self.conflicts += 1
                    won = self._take_again(step, answer.found)
            except StoreError as error:
                self.complete = False
                self.errors.append(f"{row.id}: {error}")
                continue
            if won is not None:
                self._claims += won.step is Step.CLAIM
                self.written.append(won)

    def _take_again(self, lost: Taken, found: Row | Unreadable | None) -> Taken | None:
        """Decide again on what was found in place of the row; returns the decision that stands, if any does."""
        for _ in range(CONFLICT_TRIES):
            if not isinstance(found, Row):
                return None
            if found.claim is not None and found.claim.token == lost.token:
                return replace(lost, row=found)  # it had won: its answer was lost, and a policy edit came after it
            step = self._decide(found)
            if step is None:
                return None  # somebody else has it, or it is due no more
            answer = self._backend.store.put(step.row, found.version)
            if answer is None:
                return step
            lost, found = step, answer.found
        return None
