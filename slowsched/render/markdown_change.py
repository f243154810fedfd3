"""One change of a plan in GitHub's Markdown: a row of the table, and its values as lines of a diff."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from slowsched.model import ChangeKind
from slowsched.render.harmless import harmless
from slowsched.render.layout import crop_pair
from slowsched.render.markdown_text import code, prose, short
from slowsched.render.text_change import KIND_SIGN, when
from slowsched.render.values import FIELDS_MAX, field_values, task_values
from slowsched.render.words import note_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from slowsched.model import Change

__all__ = ["change_row", "change_values"]

_VALUE_MAX = 400  # characters of one value


def change_row(change: Change, now: datetime) -> str:
    """Write a change as a row of the table, with all that must not be folded."""
    told = [*when(change, now), *note_words(change, now)]
    if change.message is not None:
        told.append(change.message)
    cells = (
        f"{code(KIND_SIGN[change.kind])} {change.kind}",
        code(change.id),
        "<br>".join(map(prose, told)),
        code(f"{change.place.path}:{change.place.line}"),
    )
    return f"| {' | '.join(cells)} |\n"


def change_values(change: Change) -> str:
    """Write the values of a change as lines of a diff; nothing where it changes none."""
    lines = list(islice(_diff(change), 2 * FIELDS_MAX + 1))
    if len(lines) > 2 * FIELDS_MAX:
        lines[-1] = "  ..."
    if not lines:
        return ""
    title = f"@@ {change.kind} {harmless(change.id)} @@ {harmless(change.place.path)}:{change.place.line}"
    return "".join(f"{line}\n" for line in (title, *lines))


def _diff(change: Change) -> Iterator[str]:
    """Yield lines that begin with `-` or `+`."""
    if change.kind is ChangeKind.CREATE and change.declared is not None:
        yield from (f"+ {name}: {short(value, _VALUE_MAX)}" for name, value in task_values(change.declared.task))
    elif change.kind is ChangeKind.DELETE and change.before is not None:
        yield from (f"- {name}: {short(value, _VALUE_MAX)}" for name, value in task_values(change.before.task))
    for field in change.fields:
        name, before, after = field_values(field)
        old, new = crop_pair(before, after, _VALUE_MAX)
        if field.before is not None:
            yield f"- {name}: {old}"
        if field.after is not None:
            yield f"+ {name}: {new}"
