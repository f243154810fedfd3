"""`slowsched plan`: what apply would do, as a value that is shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from slowsched.cli.frame import command, format_option, pass_settings
from slowsched.cli.output import emit, note
from slowsched.cli.planning import comes_before, commit_of, options_of, plan_in, planning_options, write_plan_files
from slowsched.cli.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from slowsched.cli.settings import Settings
    from slowsched.model import Plan

__all__ = ["plan_command", "plan_status"]


@command(
    "plan",
    examples=[
        ("what would change", "slowsched plan"),
        (
            "in CI: a comment for the pull request, and status 2 when there are changes",
            "slowsched plan --env production --detailed-exitcode --out plan.md",
        ),
        ("what it would be with late tasks recorded as missed", "slowsched plan --late skip"),
        ("the digest that `apply --expect` takes", "slowsched plan --format json | jq -r .digest"),
    ],
)
@planning_options
@format_option("text", "json", "markdown")
@click.option("--detailed-exitcode", is_flag=True, help="End with 2 when there are changes.")
@pass_settings
def plan_command(
    settings: Settings,
    /,
    *,
    form: str,
    detailed_exitcode: bool,
    out: Sequence[Path],
    commit: str | None,
    **allowed: Any,
) -> Status:
    """Show what apply would do: which task, in which file, when it fires, field by field.

    Nothing is written, no lock is taken, and the team's code is not imported. It ends with the status
    that apply would end with: 1 for a late task, a conflict or a problem in a file, 3 when refused.
    """
    from slowsched.cli.loading import open_environment, read_config, scanning
    from slowsched.live_plan import read_plan

    config = read_config()
    options = options_of(config, **allowed)
    with (
        open_environment(settings, config) as backend,
        scanning(settings, config, environment=settings.environment) as scan,
    ):
        plan = read_plan(
            backend,
            scan,
            commit=commit_of(config, commit),
            options=options,
            problems=lambda: scan.problems,
            is_ancestor=partial(comes_before, config, known_only=True),
        )
    emit(plan_in(form, plan, settings))
    write_plan_files(out, plan)
    for path in out:
        note(settings, f"wrote {path}")
    return plan_status(plan, detailed=detailed_exitcode)


def plan_status(plan: Plan, *, detailed: bool = False) -> Status:
    """Return the status that apply would end with; a late task and a conflict are an error here."""
    if any(problem.severity == "error" for problem in plan.problems):
        return Status.ERROR
    if plan.refused:
        return Status.UNSAFE
    if plan.counts["late"] or plan.counts["conflict"]:
        return Status.ERROR
    return Status.CHANGES if detailed and plan.changes else Status.DONE
