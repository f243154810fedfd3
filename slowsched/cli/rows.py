"""`slowsched list` and `slowsched show`: the rows as they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from slowsched.cli.complete import row_ids
from slowsched.cli.frame import command, format_option, pass_settings
from slowsched.cli.output import emit, text_style, use_color
from slowsched.cli.parameters import MOMENT
from slowsched.cli.status import Status
from slowsched.model import Row, State

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from slowsched.backend import Backend
    from slowsched.cli.settings import Settings

__all__ = ["list_command", "show_command"]

_SHOWN = frozenset(State) - {State.DELETED}


@command(
    "list",
    examples=[
        ("everything", "slowsched list"),
        ("what needs a person", "slowsched list --state dead --state missed"),
        ("what was to have begun by now", "slowsched list --state scheduled --due-before 2030-01-01T00:00:00Z"),
        ("the ids alone", "slowsched list --format json | jq -r '.rows[].id'"),
    ],
)
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in State]),
    help="Rows in this state alone.  [repeatable; default: all but deleted]",
)
@click.option("--due-before", type=MOMENT, metavar="T", help="Rows due before this time alone.")
@format_option("text", "json")
@pass_settings
def list_command(settings: Settings, states: tuple[str, ...], due_before: datetime | None, form: str) -> Status:
    """List the rows by due: STATE DUE WAKE ATTEMPT ID ACTION."""
    from slowsched.cli.loading import open_environment

    wanted = frozenset(map(State, states)) or _SHOWN
    with open_environment(settings) as backend:
        rows = _selected(backend, wanted, due_before)
    if form == "json":
        from slowsched.render.shapes import json_text, list_shape

        emit(json_text(list_shape(rows)))
    else:
        from slowsched.render.text_rows import list_text

        emit(list_text(rows, color=use_color(settings)))
    return Status.DONE


def _selected(backend: Backend, states: Collection[State], due_before: datetime | None) -> list[Row]:
    """Read this owner's rows in these states, earliest due first."""
    from slowsched.cli.loading import rows_of

    chosen = [row.id for row in rows_of(backend) if row.state in states]
    found = [row for row in backend.store.get_many(chosen).values() if isinstance(row, Row)]
    before = [row for row in found if due_before is None or row.task.due < due_before]
    return sorted(before, key=lambda row: (row.task.due, row.id))


@command(
    "show",
    examples=[
        ("one row, with every attempt", "slowsched show 'some task id'"),
        ("the outcome of its last attempt", "slowsched show 'some task id' --format json | jq '.history[-1]'"),
    ],
)
@click.argument("task_id", metavar="ID", shell_complete=row_ids)
@format_option("text", "json")
@pass_settings
def show_command(settings: Settings, task_id: str, form: str) -> Status:
    """Show the row of the task ID: its task, the file and commit it came from, one line an attempt."""
    from slowsched.cli.loading import open_environment
    from slowsched.intervene import find

    with open_environment(settings) as backend:
        row = backend.store.get(task_id)
        if not isinstance(row, Row) or row.owner != backend.owner:  # a tombstone is shown, too
            row = find(backend.store, task_id, backend.owner)
        now = backend.clock()
    if form == "json":
        from slowsched.render.shapes import json_text, row_shape

        emit(json_text(row_shape(row)))
    else:
        from slowsched.render.text_rows import row_text

        emit(row_text(row, now=now, **text_style(settings)))
    return Status.DONE
