"""`slowsched import`: writes task files for what a table holds: one's own rows, or those of the original."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from slowsched.cli.frame import command, pass_settings
from slowsched.cli.output import emit, note, use_color, warn
from slowsched.cli.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from slowsched.adopt import Adopted, Wanted
    from slowsched.cli.settings import Settings
    from slowsched.config import Config

__all__ = ["import_command"]


@command(
    "import",
    examples=[
        ("what the table of production holds, as files", "slowsched import --env production"),
        ("the table of inovex/cloudwatch-scheduler", "slowsched import --from-original cwscheduler-jobs"),
        ("only look", "slowsched import --env production --dry-run"),
    ],
)
@click.option("--from-original", "table", metavar="TABLE", help="Read this table of inovex/cloudwatch-scheduler.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@pass_settings
def import_command(settings: Settings, table: str | None, *, dry_run: bool) -> Status:
    """Write a file for every task that an environment holds and no file declares.

    Each says that it is for that environment alone, and means exactly what its row holds: a plan afterwards
    has no changes. Only rows of this repository's owner are read. No file is ever overwritten; what cannot be
    written as a file is told, and ends it with status 6. The table itself is not touched.
    """
    from slowsched.adopt import adopted
    from slowsched.cli.drafts import Drafts
    from slowsched.cli.loading import read_config
    from slowsched.work_tree import read_work_tree

    config = read_config()
    reading = read_work_tree(config)
    if any(problem.severity == "error" for problem in reading.problems):
        from slowsched.render.text_problems import problems_text

        emit(problems_text(0, len(reading.entries), reading.problems, color=use_color(settings)))
        note(settings, "Nothing was written: mend the files first.")
        return Status.ERROR
    wanted = _of_rows(settings, config) if table is None else _of_original(settings, config, table)
    drafts = Drafts(config)
    found = adopted(config, wanted, reading, lambda document, path: drafts.text(dict(document), path))
    return _written(settings, config, found, dry_run=dry_run)


def _of_rows(settings: Settings, config: Config) -> list[Wanted]:
    from slowsched.adopt import of_own_rows
    from slowsched.cli.loading import open_environment

    with open_environment(settings, config) as backend:
        return of_own_rows(backend, config)


def _of_original(settings: Settings, config: Config, table: str) -> list[Wanted]:
    """Read the table in the account of the environment, or in the one that the variables of AWS name."""
    from slowsched.aws import Account
    from slowsched.original_table import of_original_table
    from slowsched.wiring import open_account

    environment = config.environment(settings.environment)
    account = open_account(environment) if environment.backend == "aws" else Account()
    try:
        return of_original_table(account, table)
    finally:
        account.close()


def _written(settings: Settings, config: Config, found: Sequence[Adopted], *, dry_run: bool) -> Status:
    """Write the files, with one line a task; say what to do next."""
    from slowsched.render.harmless import harmless
    from slowsched.work_tree import create_file

    created = []
    for each in found:
        if each.path is not None:
            if not dry_run:
                create_file(config.root, each.path, each.text.encode())
            created.append(each)
            emit(f"{'would create' if dry_run else 'created'}  {os.path.relpath(each.path)}  {harmless(each.id)}")
        elif each.declared_at is not None:
            note(settings, f"declared already  {harmless(each.id)}  {each.declared_at}")
    for each in found:
        if each.reason or each.remark:
            what = f"no file for {harmless(each.id)}: {each.reason}" if each.reason else each.remark or ""
            warn(what)
    if not found:
        note(settings, "There is nothing to import.")
    elif created and not dry_run:
        _check_taken(config, [each.path for each in created if each.path is not None])
        note(settings, "Next: slowsched validate && slowsched plan")
    return Status.IN_PART if any(each.reason or each.remark for each in found) else Status.DONE


def _check_taken(config: Config, paths: Sequence[Path]) -> None:
    """Warn of new files that `tasks` of slowsched.yaml does not take."""
    from slowsched.task_paths import list_task_files

    taken = set(list_task_files(config)[0])
    missing = [path for path in paths if path.relative_to(config.root).as_posix() not in taken]
    if missing:
        name = missing[0].relative_to(config.root)
        warn(f"{name} is not among the task files of slowsched.yaml, and will not be applied: see its `tasks`")
