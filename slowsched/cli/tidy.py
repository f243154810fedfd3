"""`slowsched tidy`: removes the files of tasks that are done for long, for a clean-up pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from slowsched.cli.frame import command, pass_settings
from slowsched.cli.output import emit, note, warn
from slowsched.cli.parameters import DURATION
from slowsched.cli.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from slowsched.cli.settings import Settings
    from slowsched.config import Config
    from slowsched.tidy import Tidied
    from slowsched.work_tree import Reading

__all__ = ["tidy_command"]

OLDER_THAN = "90d"  # a season: until then people look at what was done


@command(
    "tidy",
    examples=[
        ("what would go", "slowsched tidy --dry-run"),
        ("what is done in production for a month, ready to commit", "slowsched tidy --env production --older-than 30d"),
    ],
)
@click.option(
    "--older-than",
    type=DURATION,
    metavar="D",
    default=OLDER_THAN,
    help="How long ago it must have been done.  [default: 90d]",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and write nothing.")
@pass_settings
def tidy_command(settings: Settings, older_than: timedelta, *, dry_run: bool) -> Status:
    """Remove the files of tasks that are done for long; their rows stay, and never run again.

    A task is done when it has succeeded as its file says it, in every environment that it is for: all of
    slowsched.yaml (local alone where there is no other), or the one that --env names. A protected task stays.
    Files with several documents lose only those that are done. Commit what is left, as any other change: the
    next apply forgets the rows.
    """
    from slowsched.cli.loading import read_config
    from slowsched.tidy import choose, remove
    from slowsched.work_tree import read_work_tree

    config = read_config()
    reading = read_work_tree(config)
    if any(problem.severity == "error" for problem in reading.problems):
        from slowsched.cli.output import use_color
        from slowsched.render.text_problems import problems_text

        emit(problems_text(0, len(reading.entries), reading.problems, color=use_color(settings)))
        note(settings, "Nothing was removed: mend the files first.")
        return Status.ERROR
    done, unasked, now = _done(settings, config, reading)
    tidied = choose(reading, done, unasked, now=now, older_than=older_than)
    if not dry_run:
        remove(config, tidied.going, reading)
    _tell(settings, tidied, done, dry_run=dry_run)
    return Status.DONE


def _done(
    settings: Settings, config: Config, reading: Reading
) -> tuple[Mapping[str, Mapping[str, tuple[str, datetime]]], Mapping[str, str], datetime]:
    """Ask every environment that counts; one that does not answer keeps its tasks, all of them are an error."""
    from slowsched.clock import system_clock
    from slowsched.errors import BackendError
    from slowsched.tidy import read_done
    from slowsched.wiring import open_backend

    done, unasked = {}, {}
    for name in _environments(settings, config):
        try:
            with open_backend(config, name) as backend:
                done[name] = read_done(backend.store, backend.owner, (entry.id for entry in reading.entries))
        except BackendError as error:
            if settings.named_environment:
                raise
            unasked[name] = error.message
            warn(f"environment {name} was not asked, and its tasks stay: {error}")
            last = error
    if unasked and not done:
        raise last
    return done, unasked, system_clock()


def _environments(settings: Settings, config: Config) -> Sequence[str]:
    """Return the environments that count: the one that is named, else those of the config, else local."""
    from slowsched.config import LOCAL

    if settings.named_environment:
        return [config.environment(settings.named_environment).name]
    return sorted(name for name in config.environments if name != LOCAL) or [LOCAL]


def _tell(
    settings: Settings, tidied: Tidied, done: Mapping[str, Mapping[str, tuple[str, datetime]]], *, dry_run: bool
) -> None:
    """Say one line a task, then the way on."""
    from slowsched.render.harmless import harmless

    word = "would remove" if dry_run else "removed"
    ends = {entry.id: max(rows[entry.id][1] for rows in done.values() if entry.id in rows) for entry in tidied.going}
    for entry in tidied.going:
        place = entry.document.place
        emit(f"{word}  {harmless(entry.id)}  {place.path}:{place.line}  done {ends[entry.id]:%Y-%m-%d}")
    for entry, reason in tidied.staying:
        note(settings, f"kept     {harmless(entry.id)}  {entry.path}:{entry.document.place.line}  {reason}")
    if not tidied.going:
        note(settings, "No task is done for so long: nothing to remove.")
    elif not dry_run:
        note(settings, "Next: git commit -a; the rows stay as done, and the next apply forgets them.")
