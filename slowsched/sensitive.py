"""Values of a payload that nobody is to read in an output: masked by their place, and in what others say of them.

The places come from the schema of the action (`schema_places`) and travel with the task, so that whoever has no
schemas can mask as well: renderers, and the worker (decision 0016). Pure.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from slowsched import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from slowsched.model import Change, Digests, Row, Task

__all__ = [
    "MASK",
    "below",
    "change_places",
    "merged_places",
    "message_mask",
    "row_digests",
    "row_mask",
    "shown_digests",
    "shown_document",
    "value_mask",
    "without_values",
]

MASK = "(sensitive)"
ROOT = "$.payload"
TEXT_MIN = 4  # a shorter value is part of too many words for it to be taken out of a sentence


def below(pointer: str, part: str | int) -> str:
    """Return the pointer to one part of the value that a pointer leads to."""
    return pointer + canonical.pointer((part,))[1:]


def without_values(value: Any, places: Collection[str], pointer: str = ROOT) -> Any:
    """Return the value at a pointer with all that is sensitive in it replaced by `MASK`."""
    if pointer in places:
        return MASK
    if isinstance(value, dict):
        return {key: without_values(inner, places, below(pointer, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_values(inner, places, below(pointer, index)) for index, inner in enumerate(value)]
    return value


def shown_document(task: Task, places: Collection[str] = ()) -> dict[str, Any]:
    """Return a task as a document to be shown; `places` are further ones to mask, as of its other side."""
    document = canonical.task_document(task)
    hidden = {*task.sensitive, *places}
    return document | {"payload": without_values(task.payload, hidden)} if hidden else document


def shown_digests(task: Task) -> Digests:
    """Return digests of a task that tell nothing of its sensitive values, not even to who tries all of them."""
    if not task.sensitive:
        return canonical.digests(task)
    return canonical.digests(replace(task, payload=without_values(task.payload, task.sensitive)))


def row_digests(row: Row) -> Digests:
    """Return the digests of a row to be shown."""
    return shown_digests(row.task) if row.task.sensitive else row.digests


def change_places(change: Change) -> frozenset[str]:
    """Return what is to be masked on both sides of a change: what either side marks."""
    before = () if change.before is None else change.before.task.sensitive
    after = () if change.declared is None else change.declared.task.sensitive
    return frozenset((*before, *after))


def merged_places(mine: Task, began: Task, other: Task, payload: Any) -> tuple[str, ...]:
    """Return what is sensitive in the payload that two edits of a task come to: each mark is merged by itself."""
    own, base, their = ({*task.sensitive} for task in (mine, began, other))
    marks = (own & their) | (own - base) | (their - base)
    return tuple(sorted(marks.intersection(_pointers(payload, ROOT)))) if marks else ()


def _pointers(value: Any, pointer: str) -> Iterator[str]:
    """Yield the pointer to a value, and to all that is in it."""
    yield pointer
    parts = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for part in parts:
        yield from _pointers(value[part], below(pointer, part))


# --- in what others say ----------------------------------------------------------------------------


def message_mask(task: Task) -> Callable[[str], str]:
    """Return what takes a task's sensitive values out of a message, as far as it quotes them whole."""
    return value_mask(task.payload, task.sensitive)


def row_mask(row: Row) -> Callable[[str | None], str | None]:
    """Return what takes a row's sensitive values out of what its history says."""
    mask = message_mask(row.task)
    return lambda message: None if message is None else mask(message)


def value_mask(payload: Any, places: Collection[str], shortest: int = TEXT_MIN) -> Callable[[str], str]:
    """Return what takes the values at these places out of a text: those of at least `shortest` characters."""
    if not places:
        return _unchanged
    words = {
        form for value in _hidden(payload, places, ROOT) for form in _forms(value) if len(form.strip()) >= shortest
    }
    if not words:
        return _unchanged
    # The longest first: a value that is part of another must not leave the rest of it behind.
    pattern = re.compile("|".join(map(re.escape, sorted(words, key=lambda word: (-len(word), word)))))
    return lambda text: pattern.sub(MASK, text)


def _unchanged(text: str) -> str:
    return text


def _hidden(value: Any, places: Collection[str], pointer: str, *, inside: bool = False) -> Iterator[Any]:
    """Yield every scalar, and every key, at or below a place."""
    inside = inside or pointer in places
    if isinstance(value, dict):
        for key, inner in value.items():
            if inside:
                yield key
            yield from _hidden(inner, places, below(pointer, key), inside=inside)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _hidden(inner, places, below(pointer, index), inside=inside)
    elif inside:
        yield value


def _forms(value: Any) -> Iterator[str]:
    """Yield the ways in which a message writes a value: as it is, in quotes of Python, JSON and a URL, a line of it."""
    if value is None or isinstance(value, bool):
        return
    text = value if isinstance(value, str) else canonical.text(value)
    yield text
    if not isinstance(value, str):
        yield repr(value)
        return
    from urllib.parse import quote, quote_plus  # noqa: PLC0415 - for tasks with something to hide only

    yield text.strip()
    for quoted in _quoted(text):
        yield quoted
        yield from _quoted(quoted)  # a message that quotes a message
    data = text.encode(errors="replace")
    yield from (quote(data), quote(data, safe=""), quote_plus(data))
    yield from text.splitlines()


def _quoted(text: str) -> list[str]:
    quotes = (repr(text), ascii(text), json.dumps(text), json.dumps(text, ensure_ascii=False))
    return [quoted[1:-1] for quoted in quotes]
