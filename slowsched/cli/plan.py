"""`slowsched plan`: what apply would do, as a value that is shown."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
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
    from slowsched.config import Config
    from slowsched.model import Declared, Plan
    from slowsched.plan import PlanOptions

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
@click.option(
    "--base", metavar="REF", help="Compare with this branch as well: whose change is it, and what does this one lack?"
)
@click.option("--offline", is_flag=True, help="With --base: let the base stand in for the rows; no account is asked.")
@pass_settings
def plan_command(
    settings: Settings,
    /,
    *,
    form: str,
    detailed_exitcode: bool,
    base: str | None,
    offline: bool,
    out: Sequence[Path],
    commit: str | None,
    **allowed: Any,
) -> Status:
    """Show what apply would do: which task, in which file, when it fires, field by field.

    Nothing is written, no lock is taken, and the team's code is not imported. It ends with the status
    that apply would end with: 1 for a late task, a conflict or a problem in a file, 3 when refused.

    With --base (`origin/main`) it is the plan of what main will declare once this branch is merged. Each
    change is of this branch, already on main and not applied yet, or drift: somebody changed the table. What
    main has changed meanwhile is named, and never a change.
    """
    from slowsched.cli.loading import read_config

    if offline and base is None:
        raise click.UsageError("--offline compares with a base: add --base origin/main")
    config = read_config()
    plan = _read(
        settings, config, options_of(config, **allowed), commit=commit_of(config, commit), base=base, offline=offline
    )
    emit(plan_in(form, plan, settings))
    write_plan_files(out, plan)
    for path in out:
        note(settings, f"wrote {path}")
    return plan_status(plan, detailed=detailed_exitcode)


def _read(
    settings: Settings, config: Config, options: PlanOptions, *, commit: str | None, base: str | None, offline: bool
) -> Plan:
    from slowsched.cli.loading import open_environment, scanning
    from slowsched.commit_trailers import trailers_since
    from slowsched.live_plan import read_plan

    with (
        open_environment(settings, config) as backend,
        scanning(settings, config, environment=settings.environment) as scan,
    ):
        common: dict[str, Any] = {
            "commit": commit,
            "options": options,
            "problems": lambda: scan.problems,
            "is_ancestor": partial(comes_before, config, known_only=True),
        }
        if base is None:
            return read_plan(backend, scan, **common, trailers=partial(trailers_since, config.root, commit))
        from slowsched.branch_plan import read_branch_plan, standing_in
        from slowsched.commit_tasks import find_base, tasks_at

        found = find_base(config.root, base)

        here = list(scan)

        @cache
        def at(commit: str) -> Sequence[Declared]:
            return tasks_at(config.root, commit, settings.environment, here)

        common["trailers"] = partial(trailers_since, config.root, commit, base=found)
        if not offline:
            return read_branch_plan(backend, here, base=found, tasks_at=at, **common)
        plan = read_branch_plan(standing_in(backend, at(found.tip)), here, base=found, tasks_at=at, **common)
        return replace(plan, speculative=True)


def plan_status(plan: Plan, *, detailed: bool = False) -> Status:
    """Return the status that apply would end with; a late task and a conflict are an error here."""
    if any(problem.severity == "error" for problem in plan.problems):
        return Status.ERROR
    if plan.refused:
        return Status.UNSAFE
    if plan.counts["late"] or plan.counts["conflict"]:
        return Status.ERROR
    return Status.CHANGES if detailed and plan.changes else Status.DONE
