"""Values -> the JSON documents that scripts rely on; a key may be added, a change raises `FORMAT_VERSION`.

Times are RFC 3339 in UTC with `Z`; what is absent is null. The plan has a published schema,
`schemas/plan.schema.json`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from slowsched.model import State
from slowsched.render.harmless import harmless_json
from slowsched.sensitive import change_places, row_digests, row_mask, shown_digests, shown_document
from slowsched.timing import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import datetime

    from slowsched.diagnosis import Diagnosis
    from slowsched.model import Change, Field, HistoryEntry, Pause, Plan, Problem, Refusal, Row, Task
    from slowsched.reports import ApplyReport, AttemptReport, WakeReport

__all__ = [
    "FORMAT_VERSION",
    "apply_shape",
    "diagnosis_shape",
    "json_text",
    "list_shape",
    "plan_file_shape",
    "plan_shape",
    "row_shape",
    "validate_shape",
    "wake_shape",
]

FORMAT_VERSION = "1.0"

_TASK_KEYS = (
    *("id", "due", "action", "payload", "description", "team", "labels", "timezone"),
    *("grace", "retry", "timeout", "protect"),
)

Shape = dict[str, Any]


def json_text(shape: Mapping[str, Any]) -> str:
    """Write a shape as indented JSON that is safe to print: what cannot be seen is escaped."""
    return harmless_json(json.dumps(shape, ensure_ascii=False, indent=2, allow_nan=False)) + "\n"


# --- validate and plan -----------------------------------------------------------------------------


def validate_shape(files: int, tasks: int, problems: Iterable[Problem]) -> Shape:
    """Return what `validate` found in so many files and tasks."""
    return {
        "format_version": FORMAT_VERSION,
        "files": files,
        "tasks": tasks,
        "problems": [_problem(each) for each in problems],
    }


def _problem(problem: Problem) -> Shape:
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "pointer": problem.pointer,
        "code": problem.code,
        "message": problem.message,
        "severity": problem.severity.value,
    }


def plan_shape(plan: Plan) -> Shape:
    """Return a plan with the values of its tasks."""
    return {
        **_plan_head(plan),
        "pending": plan.pending,
        "timer": {"before": _time(plan.timer_before), "after": _time(plan.timer_after)},
        "changes": [_change(each) for each in plan.changes],
        "problems": [_problem(each) for each in plan.problems],
        "refused": _refused(plan.refused),
        "unreadable": [{"id": each.id, "reason": each.reason} for each in plan.unreadable],
        **_plan_base(plan),
        **_plan_extras(plan),
    }


def _plan_extras(plan: Plan) -> Shape:
    """Return what few plans have: full minutes, and what commit messages allow or could allow."""
    extras: Shape = {
        "together": [{"minute": rfc3339(each.minute), "tasks": each.tasks} for each in plan.together],
        "trailers": [
            {"name": each.name, "value": each.value, "commit": each.commit, "used": each.used, "message": each.message}
            for each in plan.trailers
        ],
        "needed": list(plan.needed),
    }
    return {key: value for key, value in extras.items() if value}


def _plan_base(plan: Plan) -> Shape:
    """Return what a plan tells that was compared with a base."""
    if plan.base is None:
        return {}
    base = {"ref": plan.base.ref, "tip": plan.base.tip, "merge_base": plan.base.merge_base}
    return {
        "base": base,
        "behind": [each.id for each in plan.behind],
        "behind_kinds": {each.id: each.kind.value for each in plan.behind},
        "speculative": plan.speculative,
    }


def _plan_head(plan: Plan) -> Shape:
    return {
        "format_version": FORMAT_VERSION,
        "environment": plan.environment,
        "owner": plan.owner,
        "commit": plan.commit,
        "now": rfc3339(plan.now),
        "digest": plan.digest,
        "valid_until": _time(plan.valid_until),
        "counts": dict(plan.counts),
    }


def _change(change: Change) -> Shape:
    return {
        **_change_head(change),
        "message": change.message,
        "fields": [_field(each) for each in change.fields],
        "before": _task(_task_before(change), change_places(change)),
        "after": _task(_task_after(change), change_places(change)),
    }


def _change_head(change: Change) -> Shape:
    return {
        "id": change.id,
        "kind": change.kind.value,
        "action": change.action,
        "due": rfc3339(change.due),
        "path": change.place.path,
        "line": change.place.line,
        "notes": list(change.notes),
        **({} if change.attribution is None else {"attribution": change.attribution.value}),
    }


def _field(field: Field) -> Shape:
    shape = {"pointer": field.pointer, "before": field.before, "after": field.after}
    return shape | {"sensitive": True} if field.sensitive else shape


def _task_before(change: Change) -> Task | None:
    """Return the task that is live; a tombstone declares nothing."""
    return None if change.before is None or change.before.state is State.DELETED else change.before.task


def _task_after(change: Change) -> Task | None:
    """Return the task that its file asks for, done or not."""
    return None if change.declared is None else change.declared.task


def plan_file_shape(plan: Plan) -> Shape:
    """Return a plan as a file to keep: digests in place of every value, enough to tell whether it still holds.

    The plan's own digest is over the values themselves; those of tasks leave out what is sensitive (decision 0016).
    """
    return {**_plan_head(plan), "changes": [_filed_change(each) for each in plan.changes]}


def _filed_change(change: Change) -> Shape:
    before, after = _task_before(change), _task_after(change)
    return {**_change_head(change), "before": _digests(before), "after": _digests(after)}


def _digests(task: Task | None) -> Shape | None:
    if task is None:
        return None
    digests = shown_digests(task)
    return {"execution": digests.execution, "task": digests.task}


# --- apply and the worker --------------------------------------------------------------------------


def apply_shape(report: ApplyReport) -> Shape:
    """Return what an apply did."""
    return {
        "format_version": FORMAT_VERSION,
        "environment": report.environment,
        "owner": report.owner,
        "commit": report.commit,
        "digest": report.digest,
        "status": report.status.value,
        "interrupted": report.interrupted,
        "results": [
            {"id": each.id, "kind": each.kind.value, "result": each.result.value, "message": each.message}
            for each in report.results
        ],
        "timer": _timer(report.armed, report.timer_error),
        "refused": _refused(report.refused),
    }


def wake_shape(report: WakeReport) -> Shape:
    """Return what one wake did."""
    return {
        "format_version": FORMAT_VERSION,
        "environment": report.environment,
        "now": rfc3339(report.now),
        "paused": _pause(report.paused),
        "not_before": _time(report.not_before),
        "attempts": [_attempt_report(each) for each in report.attempts],
        "missed": list(report.missed),
        "dead": list(report.dead),
        "deferred": list(report.deferred),
        "unreadable": list(report.unreadable),
        "would_run": list(report.would_run),
        "left": report.left,
        "timer": _timer(report.armed, report.timer_error),
        "errors": list(report.errors),
        "interrupted": report.interrupted,
    }


def _attempt_report(attempt: AttemptReport) -> Shape:
    return {
        "id": attempt.id,
        "generation": attempt.generation,
        "attempt": attempt.attempt,
        "outcome": attempt.outcome.value,
        "late_seconds": attempt.late_seconds,
        "state": attempt.state.value,
        "message": attempt.message,
    }


def _pause(pause: Pause | None) -> Shape | None:
    return None if pause is None else {"by": pause.by, "at": rfc3339(pause.at), "reason": pause.reason}


def _timer(armed: datetime | None, error: str | None) -> Shape:
    return {"armed": _time(armed), "error": error}


def _refused(refused: Iterable[Refusal]) -> list[Shape]:
    return [{"code": each.code, "message": each.message} for each in refused]


# --- doctor ----------------------------------------------------------------------------------------


def diagnosis_shape(diagnosis: Diagnosis) -> Shape:
    """Return what doctor found, and what re-arming came to where it was asked for."""
    fix = diagnosis.fix
    return {
        "format_version": FORMAT_VERSION,
        "environment": diagnosis.environment,
        "now": rfc3339(diagnosis.now),
        "healthy": diagnosis.healthy,
        "fix": None if fix is None else _timer(fix.armed, fix.error),
        "findings": [
            {
                "code": each.code,
                "severity": each.severity.value,
                "subject": each.subject,
                "message": each.message,
                "way_out": each.way_out,
            }
            for each in diagnosis.findings
        ],
    }


# --- rows ------------------------------------------------------------------------------------------


def list_shape(rows: Iterable[Row]) -> Shape:
    """Return rows, in the order given."""
    return {"format_version": FORMAT_VERSION, "rows": [row_shape(each) for each in rows]}


def row_shape(row: Row) -> Shape:
    """Return one row: its task, and what apply and the worker recorded."""
    digests, mask = row_digests(row), row_mask(row)
    return {
        "id": row.id,
        "state": row.state.value,
        "action": row.task.action,
        "due": rfc3339(row.task.due),
        "wake_at": _time(row.wake_at),
        "generation": row.generation,
        "version": row.version,
        "attempt": row.attempt,
        "owner": row.owner,
        "source": {"path": row.source.path, "line": row.source.line, "commit": row.source.commit},
        "digest": digests.execution,
        "task_digest": digests.task,
        "task": _task(row.task),
        "lease_end": None if row.claim is None else rfc3339(row.claim.lease_end),
        "requested_at": _time(row.requested_at),
        "deferred_since": _time(row.deferred_since),
        "expires_at": _time(row.expires_at),
        "history": [_entry(each, mask) for each in row.history],
    }


def _entry(entry: HistoryEntry, mask: Callable[[str | None], str | None]) -> Shape:
    return {
        "generation": entry.generation,
        "attempt": entry.attempt,
        "started_at": rfc3339(entry.started_at),
        "finished_at": _time(entry.finished_at),
        "late_seconds": entry.late_seconds,
        "outcome": None if entry.outcome is None else entry.outcome.value,
        "message": mask(entry.message),
    }


def _task(task: Task | None, places: Collection[str] = ()) -> Shape | None:
    return None if task is None else {**dict.fromkeys(_TASK_KEYS), **shown_document(task, places)}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
