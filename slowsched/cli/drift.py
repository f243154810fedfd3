"""`slowsched drift`: what somebody changed in the table, or of the timer, since the last apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowsched.cli.frame import command, format_option, pass_settings
from slowsched.cli.output import emit, text_style
from slowsched.cli.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slowsched.cli.settings import Settings
    from slowsched.model import Declared
    from slowsched.reports import Drift

__all__ = ["drift_command", "drift_status"]


@command(
    "drift",
    examples=[
        ("has somebody changed the table of production?", "slowsched drift --env production"),
        ("the ids, for a script", "slowsched drift --format json | jq -r '.changes[].id'"),
    ],
)
@format_option("text", "json", "markdown")
@pass_settings
def drift_command(settings: Settings, *, form: str) -> Status:
    """Compare the rows with what the commit applied last asked for, and show what apply would put back.

    That commit is read from git, whatever is checked out. Rows that no commit asked for are drift, and so is a
    timer that is not set for the next task. Status 2: there is drift; 1: it cannot be told.
    """
    from slowsched.cli.loading import open_environment, read_config
    from slowsched.commit_tasks import tasks_at
    from slowsched.drift import read_drift
    from slowsched.plan import PlanOptions

    config = read_config()
    options = PlanOptions(max_deletes=config.max_deletes, max_delete_percent=config.max_delete_percent)

    def at(commit: str) -> Sequence[Declared]:
        return tasks_at(config.root, commit, settings.environment)

    with open_environment(settings, config) as backend:
        drift = read_drift(backend, tasks_at=at, options=options)
    emit(_written(drift, settings, form))
    return drift_status(drift)


def _written(drift: Drift, settings: Settings, form: str) -> str:
    from slowsched.render.drift import drift_markdown, drift_shape, drift_text

    match form:
        case "json":
            from slowsched.render.shapes import json_text

            return json_text(drift_shape(drift))
        case "markdown":
            return drift_markdown(drift)
        case _:
            return drift_text(drift, **text_style(settings))


def drift_status(drift: Drift) -> Status:
    """Return the status of a drift: 2 where there is some."""
    if drift.plan.problems:
        return Status.ERROR
    return Status.CHANGES if drift.found else Status.DONE
