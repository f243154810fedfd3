"""`slowsched apply`: show the plan, ask a person who is there, carry it out, report."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slowsched.cli.frame import command, format_option, pass_settings
from slowsched.cli.output import at_terminal, emit, note, text_style, use_color
from slowsched.cli.parameters import DURATION
from slowsched.cli.planning import comes_before, commit_of, options_of, planning_options, write_plan_files
from slowsched.cli.status import Status
from slowsched.cli.validate import problems_in
from slowsched.errors import ProblemsError, UnsafeError
from slowsched.model import Refusal
from slowsched.reports import ApplyReport, ApplyStatus
from slowsched.timing import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from slowsched.apply import ApplyRequest
    from slowsched.backend import Backend
    from slowsched.cli.progress import Tell
    from slowsched.cli.settings import Settings
    from slowsched.config import Config
    from slowsched.model import Declared, Plan, Problem, Trailer
    from slowsched.plan_file import PlanFile

__all__ = ["apply_command", "apply_status", "guard_commit"]

_STATUS = {
    ApplyStatus.APPLIED: Status.DONE,
    ApplyStatus.NOTHING: Status.DONE,
    ApplyStatus.PARTIAL: Status.IN_PART,
    ApplyStatus.REFUSED: Status.UNSAFE,
    ApplyStatus.LOCKED: Status.LOCKED,
    ApplyStatus.STALE: Status.STALE,
}


@command(
    "apply",
    examples=[
        ("show the plan, ask, do it", "slowsched apply"),
        (
            "in CI, after the merge; exactly the plan that was approved",
            "slowsched apply --env production --expect 3b1f... --lock-timeout 10m",
        ),
        ("... which `plan --out plan.json` has written", "slowsched apply plan.json"),
        ("run what is late now, at once", "slowsched apply --late run"),
        ("delete what three reviewers agreed to delete", "slowsched apply --allow-deletes 120"),
    ],
)
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@planning_options
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--expect", metavar="DIGEST", help="Apply the plan with this digest, and refuse any other.")
@click.option("--allow-rollback", is_flag=True, help="Allow a commit that does not contain what was applied last.")
@click.option("--allow-dirty", is_flag=True, help="On aws: allow a work tree that is not committed, or no commit.")
@click.option(
    "--lock-timeout", type=DURATION, default="0s", metavar="D", help="Wait so long for another apply.  [default: 0s]"
)
@format_option("text", "json")
@pass_settings
def apply_command(settings: Settings, /, **options: Any) -> Status:
    """Bring the rows in line with the task files, then arm the timer.

    With FILE, which `plan --out` has written, only if the plan is still that plan; what differs is shown.

    It shows the plan, asks when a person is at a terminal and there are changes, and writes. A late task
    or a conflict is left out and named; the rest is done (status 6). Running it again finishes what is left.
    """
    return _Apply(settings, **options).run()


class _Apply:
    """One run of the command; `run` is the story."""

    def __init__(
        self,
        settings: Settings,
        *,
        form: str,
        file: Path | None,
        yes: bool,
        expect: str | None,
        allow_rollback: bool,
        allow_dirty: bool,
        lock_timeout: timedelta,
        commit: str | None,
        out: Sequence[Path],
        **allowed: Any,
    ) -> None:
        from slowsched.cli.loading import read_config

        self._settings = settings
        self._config = read_config()
        self._json = form == "json"
        self._asks = not yes and at_terminal()
        self._expect = expect
        self._allow_rollback = allow_rollback
        self._allow_dirty = allow_dirty
        self._lock_timeout = lock_timeout
        self._out = out
        self._commit = commit_of(self._config, commit)
        self._options = options_of(self._config, **allowed)
        self._approved = None if file is None else self._read_approved(file)
        self._read = 0, 0  # files and tasks
        self._told = False

    def _read_approved(self, file: Path) -> PlanFile:
        """Return the plan that was approved, and expect no other."""
        from slowsched.plan_file import check_fits, read_plan_file

        approved = read_plan_file(str(file), file.read_bytes())
        environment = self._settings.environment
        owner = f"{self._config.owner}/{environment}"
        check_fits(approved, environment=environment, owner=owner, commit=self._commit)
        if self._expect not in {None, approved.digest}:
            raise click.UsageError(f"--expect names another plan than {file}: leave it out, or write that plan anew")
        self._expect = approved.digest
        return approved

    def _difference(self, plan: Plan) -> Sequence[str]:
        """Say how a plan is another than the approved one."""
        from slowsched.plan_file import differences, without_a_file

        return without_a_file(plan) if self._approved is None else differences(self._approved, plan)

    def run(self) -> Status:
        """Read, show, ask, write, report."""
        from slowsched.cli.loading import open_environment

        guard_commit(self._config, self._settings.environment, self._commit, allow_dirty=self._allow_dirty)
        with open_environment(self._settings, self._config) as backend:
            try:
                declared = self._declared()
                if not self._agreed(backend, declared):
                    note(self._settings, "Not applied: nothing was written.")
                    return Status.ERROR
                return self._carried_out(backend, declared)
            except ProblemsError as error:
                self._show_problems(error.problems)
                return Status.ERROR

    def _declared(self) -> list[Declared]:
        from slowsched.cli.loading import scanning

        with scanning(self._settings, self._config, environment=self._settings.environment) as scan:
            declared = list(scan)
        self._read = scan.files, scan.tasks
        if any(problem.severity == "error" for problem in scan.problems):
            raise ProblemsError(scan.problems)
        return declared

    def _agreed(self, backend: Backend, declared: Sequence[Declared]) -> bool:
        """Where somebody is to be asked, show the plan and ask; what was agreed to is what will be applied."""
        if not self._asks:
            return True
        plan = self._read_plan(backend, declared)
        self._tell_plan(plan)
        writes = sum(1 for change in plan.changes if change.result is not None)
        if not writes or plan.refused or self._expect not in {None, plan.digest}:
            return True
        self._expect = plan.digest
        return click.confirm(f"Apply {writes} change{'s' * (writes != 1)} to {plan.owner}?", err=True)

    def _tell_plan(self, plan: Plan) -> None:
        """Show the plan and write it to files, once: to be asked about, or as it is carried out."""
        if self._told:
            return
        self._told = True
        write_plan_files(self._out, plan)
        if not plan.problems and (self._asks or not (self._json or self._settings.quiet)):
            self._show_plan(plan)

    def _show_plan(self, plan: Plan) -> None:
        """Show the plan; where stdout is kept for the report's document, it is words for a person."""
        from slowsched.render.text_plan import plan_text

        stream = sys.stderr if self._json else sys.stdout
        emit(f"{plan_text(plan, applying=True, **text_style(self._settings, stream))}\n", stream)

    def _read_plan(self, backend: Backend, declared: Sequence[Declared]) -> Plan:
        from slowsched.live_plan import read_plan

        # With the order of commits, so that nobody is asked about what would then be refused.
        is_ancestor = None if self._allow_rollback else partial(comes_before, self._config)
        plan = read_plan(
            backend,
            declared,
            commit=self._commit,
            options=self._options,
            is_ancestor=is_ancestor,
            trailers=self._trailers,
        )
        if plan.problems:
            raise ProblemsError(plan.problems)
        return plan

    def _carried_out(self, backend: Backend, declared: Sequence[Declared]) -> Status:
        """Apply and report; a signal stops it between two writes, and never takes the report away."""
        from slowsched import apply
        from slowsched.cli.progress import progress
        from slowsched.cli.signals import StopFlag, stop_on_signals

        with stop_on_signals(StopFlag("after the writes that are under way")) as stop:
            with progress(self._settings, "changes written") as tell:
                report = apply.apply(self._telling(backend), declared, self._request(stop, tell))
            self._show_report(report, backend)
        return apply_status(report)

    def _telling(self, backend: Backend) -> Backend:
        """Return the backend with a sleep, which only waits for the lock, that says so the first time."""
        untold = [f"Another apply holds the lock; waiting for it, up to {duration_text(self._lock_timeout)}."]

        def sleep(seconds: float) -> None:
            while untold:
                note(self._settings, untold.pop())
            backend.sleep(seconds)

        return replace(backend, sleep=sleep)

    def _request(self, stop: Callable[[], bool], tell: Tell | None) -> ApplyRequest:
        from slowsched.apply import ApplyRequest
        from slowsched.cli.loading import holder

        return ApplyRequest(
            commit=self._commit,
            options=self._options,
            expect=self._expect,
            allow_rollback=self._allow_rollback,
            lock_timeout=self._lock_timeout,
            holder=holder(),
            is_ancestor=partial(comes_before, self._config),
            trailers=self._trailers,
            difference=self._difference,
            stop=stop,
            on_plan=self._tell_plan,
            on_progress=tell or (lambda _done, _all: None),
        )

    def _trailers(self, applied: str | None) -> Sequence[Trailer]:
        from slowsched.commit_trailers import trailers_since

        return trailers_since(self._config.root, self._commit, applied)

    def _show_report(self, report: ApplyReport, backend: Backend) -> None:
        if self._json:
            from slowsched.render.shapes import apply_shape, json_text

            emit(json_text(apply_shape(report)))
        else:
            from slowsched.render.text_reports import apply_text

            emit(apply_text(report, now=backend.clock(), **text_style(self._settings)))

    def _show_problems(self, problems: Sequence[Problem]) -> None:
        """Show what is wrong with the files; as JSON in the report's own shape, with the problems beside."""
        from slowsched.render.shapes import apply_shape, json_text, validate_shape

        if not self._json:
            emit(problems_in("text", *self._read, problems, color=use_color(self._settings)))
            note(self._settings, "Nothing was written.")
            return
        report = ApplyReport(
            environment=self._settings.environment,
            owner=f"{self._config.owner}/{self._settings.environment}",
            commit=self._commit,
            digest="",
            status=ApplyStatus.REFUSED,
            refused=(Refusal(code="problems", message=str(ProblemsError(problems))),),
        )
        emit(json_text({**apply_shape(report), "problems": validate_shape(0, 0, problems)["problems"]}))


def guard_commit(config: Config, environment: str, commit: str | None, *, allow_dirty: bool) -> None:
    """Refuse to apply what no commit holds to an environment that others share.

    Raises:
        UnsafeError: on `aws`, there is no commit or the work tree is dirty.
    """
    if allow_dirty or config.environment(environment).backend != "aws":
        return
    from slowsched import git

    if commit is None:
        raise UnsafeError("there is no commit to apply", hint="apply from a clone, or say --allow-dirty")
    if git.is_dirty(config.root):
        raise UnsafeError("the work tree has changes that no commit holds", hint="commit them, or say --allow-dirty")


def apply_status(report: ApplyReport) -> Status:
    """Return the status that an apply ends with."""
    return _STATUS[report.status]
