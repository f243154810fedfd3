"""`slowsched worker`: one wake in this process; `--watch` has them run in others (`watch`)."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, TextIO

import click

from slowsched.cli.frame import command, format_option, pass_settings
from slowsched.cli.output import emit, reserved_stdout, text_style
from slowsched.cli.parameters import MOMENT
from slowsched.cli.signals import StopFlag, stop_on_signals
from slowsched.cli.status import Status
from slowsched.model import OutcomeKind
from slowsched.wake import WakeRequest, wake

if TYPE_CHECKING:
    from datetime import datetime

    from slowsched.cli.settings import Settings
    from slowsched.execute import Registry
    from slowsched.reports import WakeReport

__all__ = ["wake_status", "worker_command"]


@command(
    "worker",
    examples=[
        ("run what is due", "slowsched worker"),
        (
            "play a moment; nothing waits, each due row is handled once",
            "slowsched worker --fakenow 2030-01-01T00:00:00Z",
        ),
        ("what would run then, without running it", "slowsched worker --fakenow 2030-01-01T00:00:00Z --dry-run"),
        ("a daemon on this machine", "slowsched worker --watch"),
    ],
)
@click.option(
    "--fakenow",
    "--fake-now",
    type=MOMENT,
    metavar="T",
    help="Act as if it were T; on a real AWS account with --dry-run only.",
)
@click.option("--watch", is_flag=True, help="Sleep until the timer, run what is due, and so on, for ever.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write and run nothing.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Begin at most N attempts.")
@format_option("text", "json")
@pass_settings
def worker_command(
    settings: Settings, *, fakenow: datetime | None, watch: bool, dry_run: bool, limit: int | None, form: str
) -> Status:
    """Run what is due: one wake, now or at a given time, or a wake whenever the timer says.

    It imports the team's actions, claims what is due, runs it side by side, records each outcome and arms
    the timer. SIGTERM and Ctrl-C: it claims nothing more, waits for what runs, arms and reports; a second
    signal ends it at once. Status 6: an attempt failed, or a task is dead.
    """
    if watch:
        from slowsched.cli.watch import watch_timer

        if fakenow is not None or dry_run:
            raise click.UsageError("--watch goes with real time: not with --fakenow, nor with --dry-run")
        return watch_timer(settings, limit=limit, form=form)
    _log_to_stderr(settings)
    stopping = StopFlag("nothing more is claimed, what runs is waited for")
    with stop_on_signals(stopping) as stop, reserved_stdout() as stdout:
        report, overrun = _wake(settings, WakeRequest(limit=limit, stop=stop), fake_now=fakenow, dry_run=dry_run)
        _show(report, settings, form, stdout)
        if overrun:
            _end_at_once(wake_status(report), stdout)
    return wake_status(report)


def _wake(
    settings: Settings, request: WakeRequest, *, fake_now: datetime | None, dry_run: bool
) -> tuple[WakeReport, bool]:
    """Do one wake; also says whether this process still hosts an attempt that was given up."""
    from slowsched.cli.loading import open_environment
    from slowsched.execute import Runner
    from slowsched.rehearsal import rehearse

    with open_environment(settings, fake_now=fake_now, rehearsal=dry_run) as backend:
        registry = _actions()
        if dry_run:
            return rehearse(backend, registry.__contains__, request.limit), False
        runner = Runner(registry)
        return wake(backend, runner, request), runner.overrun


def _actions() -> Registry:
    from slowsched.action_loader import load_actions
    from slowsched.cli.loading import read_config

    config = read_config()
    return load_actions(config.root / config.actions, config.root)


def _show(report: WakeReport, settings: Settings, form: str, stdout: TextIO) -> None:
    if form == "json":
        from slowsched.render.shapes import json_text, wake_shape

        emit(json_text(wake_shape(report)), stdout)
    elif not settings.quiet or _is_eventful(report):
        from slowsched.render.text_reports import wake_text

        emit(wake_text(report, **text_style(settings, stdout)), stdout)


def _is_eventful(report: WakeReport) -> bool:
    """Say whether there is something to tell: anything done, or gone wrong."""
    done = report.attempts or report.missed or report.dead or report.deferred or report.would_run
    return bool(done or report.left or report.errors or report.timer_error)


def wake_status(report: WakeReport) -> Status:
    """Return the status that a wake ends with."""
    failed = any(attempt.outcome is not OutcomeKind.SUCCEEDED for attempt in report.attempts)
    if failed or report.dead or report.timer_error is not None or report.errors:
        return Status.IN_PART
    return Status.DONE


def _log_to_stderr(settings: Settings) -> None:
    """Let the actions' loggers be heard: warnings, and everything with -v."""
    level = logging.INFO if settings.verbose else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _end_at_once(status: Status, stdout: TextIO) -> None:
    """End this process although a thread of it still runs an attempt that was given up: it cannot be stopped."""
    stdout.flush()
    sys.stderr.flush()
    os._exit(status)
