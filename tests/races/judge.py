"""What must be so after a race, whoever was quicker; each thing that is not is a line."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from races.actors import HOPELESS, ids_of

from slowsched.model import HistoryOutcome, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from slowsched.model import Row

Notes = list[dict[str, Any]]
CLOCKS_SECONDS = 0.001  # how exactly a moment survives in a note


def wrong_in(
    notes: Notes, rest: Notes, raced: Mapping[str, Row], rested: Mapping[str, Row], *, lossy: bool
) -> list[str]:
    """Judge a race: its notes and the rows at its end, and those of the quiet end."""
    everything = notes + rest
    return [
        *(note["words"] for note in everything if note["what"] == "wrong"),
        *ran_again(everything),
        *ran_early(everything),
        *not_recorded(everything, rested),
        *edits_lost(notes, raced, lossy=lossy),
        *(f"{row.id} belongs to {row.owner}" for row in rested.values() if not row.id.startswith(row.owner[:9])),
        *(f"{row.id} lost versions" for row in raced.values() if rested[row.id].version < row.version),
    ]


# --- executions ------------------------------------------------------------------------------------


def _of_key(key: str) -> tuple[str, int]:
    """Return the task and the generation of an idempotency key."""
    task_id, _, rest = key.removeprefix("race/").rpartition("@")
    return task_id, int(rest.rpartition("#")[2])


def _is_hopeless(task_id: str) -> bool:
    return task_id in ids_of(task_id.rpartition(" ")[0])[HOPELESS : HOPELESS + 1]


def ran_again(notes: Notes) -> Iterator[str]:
    """No attempt is made twice, and none at all after the success of its generation was recorded."""
    made: Counter[tuple[str, int]] = Counter()
    recorded: set[tuple[str, int]] = set()
    for note in notes:
        if note["what"] == "outcome" and (note["outcome"], note["state"]) == ("succeeded", State.SUCCEEDED):
            recorded.add((note["id"], note["generation"]))
        elif note["what"] == "run":
            made[note["key"], note["number"]] += 1
            if _of_key(note["key"]) in recorded:
                yield f"{note['key']} ran after its success was recorded"
    for (key, number), count in made.items():
        if count > 1 and not _is_hopeless(_of_key(key)[0]):  # a person gives that one its attempts again
            yield f"attempt {number} of {key} was made {count} times"


def ran_early(notes: Notes) -> Iterator[str]:
    """Nothing runs before its due but what a person may have asked for."""
    for note in notes:
        if (
            note["what"] == "run"
            and note["early"] > CLOCKS_SECONDS
            and int(note["key"].partition("@")[0][-2:]) % 2 == 0
        ):
            yield f"{note['key']} ran {note['early']} s before its due"


def not_recorded(notes: Notes, rows: Mapping[str, Row]) -> Iterator[str]:
    """What ran is in the history and what is in the history ran, with the payload of its generation."""
    ran: dict[str, set[tuple[int, int]]] = defaultdict(set)
    payloads: dict[tuple[str, int], set[str]] = defaultdict(set)
    for note in notes:
        if note["what"] == "run":
            task_id, generation = _of_key(note["key"])
            ran[task_id].add((generation, note["number"]))
            payloads[task_id, generation].add(note["n"])
    for key, found in payloads.items():
        if len(found) > 1:
            yield f"{key} ran with {sorted(found)}"
    for row in rows.values():
        history = [(each.generation, each.attempt) for each in row.history]
        oldest = min(history, default=(0, 0))
        succeeded = {
            (each.generation, each.attempt) for each in row.history if each.outcome is HistoryOutcome.SUCCEEDED
        }
        if not succeeded <= ran[row.id]:
            yield f"{row.id} has successes that never ran: {sorted(succeeded - ran[row.id])}"
        forgotten = {each for each in ran[row.id] if each > oldest} - set(history)
        if forgotten:
            yield f"{row.id} ran without a trace: {sorted(forgotten)}"
        if row.state is State.SUCCEEDED and payloads[row.id, row.generation] != {row.task.payload["n"]}:
            yield f"{row.id} succeeded as {row.task.payload['n']}, and ran as {payloads[row.id, row.generation]}"


# --- edits -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Edits:
    """What may stand in the rows: the mark of the last edit that was acknowledged, or of one that was not answered."""

    marks: dict[str, set[str | None]] = field(default_factory=lambda: defaultdict(lambda: {None}))

    def add(self, plan: dict[str, Any], results: Mapping[str, str] | None, *, lossy: bool) -> None:
        """Add what an apply was told; where answers are lost, a conflict may be with whoever came after it."""
        for task_id, kind in plan["kinds"].items():
            result = "failed" if results is None else results[task_id]
            mark = None if kind in {"delete", "forget"} else plan["mark"]
            if result == "applied":
                self.marks[task_id] = {mark}
            elif result in {"failed", "skipped"} or (lossy and result == "conflict"):
                self.marks[task_id] = self.marks[task_id] | {mark}


def edits_lost(notes: Notes, rows: Mapping[str, Row], *, lossy: bool) -> Iterable[str]:
    """Return each row that has not what was acknowledged last; an owner's applies went one after the other."""
    results = {note["mark"]: note["results"] for note in notes if note["what"] == "applied"}
    edits = _Edits()
    for note in notes:
        if note["what"] == "plan":
            edits.add(note, results.get(note["mark"]), lossy=lossy)
    if not any(results.values()):
        yield "nothing was ever applied"
    for task_id, marks in sorted(edits.marks.items()):
        row = rows.get(task_id)
        found = None if row is None or row.expires_at is not None else row.task.team
        if found not in marks:
            yield f"{task_id} is of {found}, and acknowledged was {sorted(map(str, marks))}"
