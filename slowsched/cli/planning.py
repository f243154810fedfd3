"""What plan and apply share: the words that allow something, the commit, the forms of a plan."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slowsched.cli.complete import row_ids
from slowsched.cli.output import text_style
from slowsched.cli.parameters import LATE
from slowsched.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from slowsched.cli.settings import Settings
    from slowsched.config import Config
    from slowsched.model import Plan
    from slowsched.plan import PlanOptions

__all__ = ["comes_before", "commit_of", "options_of", "plan_in", "planning_options", "write_plan_files"]

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")

_OPTIONS = (
    click.option(
        "--late",
        type=LATE,
        multiple=True,
        metavar="[ID=]run|skip",
        help="Run what is late, or record it as missed: all, or one task.  [repeatable]",
    ),
    click.option(
        "--allow-deletes", type=click.IntRange(min=0), metavar="N", help="Allow exactly N deletes of pending tasks."
    ),
    click.option(
        "--allow-protected",
        multiple=True,
        metavar="ID",
        shell_complete=row_ids,
        help="Allow the delete of this protected task.  [repeatable]",
    ),
    click.option(
        "--allow-imminent",
        multiple=True,
        metavar="ID",
        shell_complete=row_ids,
        help="Allow the edit or delete of this task, which is about to fire.  [repeatable]",
    ),
    click.option(
        "--supersede",
        multiple=True,
        metavar="ID",
        shell_complete=row_ids,
        help="Edit or delete this task although it runs.  [repeatable]",
    ),
    click.option(
        "--commit", metavar="SHA", help="The commit of the task files.  [default: $GITHUB_SHA, else HEAD, else none]"
    ),
    click.option(
        "--out",
        multiple=True,
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        metavar="FILE",
        help="Write the plan to a file, too: Markdown to *.md, else JSON without values.  [repeatable]",
    ),
)


def planning_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that plan and apply have in common."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def options_of(
    config: Config,
    *,
    late: Sequence[tuple[str | None, str]],
    allow_deletes: int | None,
    allow_protected: Sequence[str],
    allow_imminent: Sequence[str],
    supersede: Sequence[str],
) -> PlanOptions:
    """Return what the config and the command line allow.

    Raises:
        click.UsageError: two words on what is late contradict each other.
    """
    from slowsched.plan import LateChoice, PlanOptions

    choices: dict[str | None, LateChoice] = {}
    for task_id, choice in late:
        if choices.setdefault(task_id, LateChoice(choice)) != choice:
            what = "all" if task_id is None else repr(task_id)
            raise click.UsageError(f"--late says both run and skip of {what}: say one of them")
    return PlanOptions(
        late=choices.pop(None, None),
        late_of={task_id: choice for task_id, choice in choices.items() if task_id is not None},
        allow_deletes=allow_deletes,
        allow_protected=frozenset(allow_protected),
        allow_imminent=frozenset(allow_imminent),
        imminent=config.imminent,
        supersede=frozenset(supersede),
        max_deletes=config.max_deletes,
        max_delete_percent=config.max_delete_percent,
    )


def commit_of(config: Config, given: str | None) -> str | None:
    """Return the commit of the task files: what was given, else $GITHUB_SHA, else HEAD; None outside git."""
    named = given or os.environ.get("GITHUB_SHA")
    if not named:
        from slowsched import git

        return git.commit(config.root)
    if _COMMIT.fullmatch(named) is None:
        raise UsageError(f"{named!r} is no commit", hint="write its hexadecimal name, as `git rev-parse HEAD` does")
    return named.lower()


def comes_before(config: Config, old: str, new: str, *, known_only: bool = False) -> bool:
    """Say whether commit `old` is `new` or came before it.

    With `known_only` the answer is yes where git cannot tell: to show a plan needs no whole history.

    Raises:
        GitError: git cannot tell.
    """
    from slowsched import git
    from slowsched.errors import GitError

    if old == new:
        return True
    try:
        return git.is_ancestor(config.root, old, new)
    except GitError:
        if known_only:
            return True
        raise


def plan_in(form: str, plan: Plan, settings: Settings) -> str:
    """Write a plan in the form that was asked for."""
    match form:
        case "json":
            from slowsched.render.shapes import json_text, plan_shape

            return json_text(plan_shape(plan))
        case "markdown":
            from slowsched.render.markdown import plan_markdown

            return plan_markdown(plan)
        case _:
            from slowsched.render.text_plan import plan_text

            return plan_text(plan, **text_style(settings))


def write_plan_files(paths: Sequence[Path], plan: Plan) -> None:
    """Write the plan to each file, in the form that its name asks for."""
    for path in paths:
        path.write_text(_file_text(path, plan), encoding="utf-8")


def _file_text(path: Path, plan: Plan) -> str:
    if path.suffix.lower() in {".md", ".markdown"}:
        from slowsched.render.markdown import plan_markdown

        return plan_markdown(plan)
    from slowsched.render.shapes import json_text, plan_file_shape

    return json_text(plan_file_shape(plan))
