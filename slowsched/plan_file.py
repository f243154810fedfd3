"""The file of an approved plan, as `plan --out` writes it: does it fit, and how is the plan of now another?

It has digests and no values, so neither has what is said about it. Whether a plan is the approved one is decided by
the digest alone; what this tells is for people.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slowsched.errors import StalePlanError, UsageError
from slowsched.render.shapes import FORMAT_VERSION, plan_file_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from slowsched.model import Plan

__all__ = ["DIFFERENCES_MAX", "PlanFile", "check_fits", "differences", "read_plan_file", "without_a_file"]

DIFFERENCES_MAX = 100  # more are counted: nobody reads them one by one
_DIGEST_SHOWN = 12
_AGAIN = "make the plan again"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """A plan that was written to a file: for what it was made, its digest, and its changes by id."""

    name: str
    environment: str
    owner: str
    commit: str | None
    digest: str
    changes: Mapping[str, Mapping[str, Any]]


def read_plan_file(name: str, data: bytes) -> PlanFile:
    """Read the file of a plan; `name` is what it is called in messages.

    Raises:
        UsageError: it is none, or a newer version wrote it.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        hint = "it takes what `slowsched plan --out plan.json` has written"
        raise UsageError(f"{name} is no plan: it is no JSON", hint=hint) from error
    version = document.get("format_version") if isinstance(document, dict) else None
    if isinstance(version, str) and version != FORMAT_VERSION:
        raise UsageError(f"{name} has the format {version}, and this slowsched reads {FORMAT_VERSION}", hint=_AGAIN)
    try:
        return PlanFile(
            name=name,
            environment=_text(document["environment"]),
            owner=_text(document["owner"]),
            commit=None if document["commit"] is None else _text(document["commit"]),
            digest=_text(document["digest"]),
            changes={_text(each["id"]): dict(each) for each in document["changes"]},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{name} is no plan", hint="write one with `slowsched plan --out plan.json`") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def check_fits(filed: PlanFile, *, environment: str, owner: str, commit: str | None) -> None:
    """Hold that a plan was made for what it is to be applied to.

    Raises:
        UsageError: it is for another environment or owner.
        StalePlanError: it was made at another commit.
    """
    if filed.environment != environment:
        hint = f"say --env {filed.environment}, or plan again for {environment}"
        raise UsageError(f"{filed.name} is a plan for {filed.environment!r}, not for {environment!r}", hint=hint)
    if filed.owner != owner:
        raise UsageError(f"{filed.name} is a plan of {filed.owner!r}, not of {owner!r}", hint=_AGAIN)
    if filed.commit != commit:
        what = f"{filed.name} is the plan of {_commit(filed.commit)}, and this is {_commit(commit)}"
        hint = "plan again; whether it is the same plan all the same, --expect DIGEST asks"
        raise StalePlanError(what, hint=hint)


def _commit(commit: str | None) -> str:
    return "no commit" if commit is None else f"commit {commit[:_DIGEST_SHOWN]}"


def differences(filed: PlanFile, plan: Plan) -> tuple[str, ...]:
    """Return how a plan is another than the approved one, by id: a line each, and the rest counted."""
    now = {each["id"]: each for each in plan_file_shape(plan)["changes"]}
    told = [
        f"{task_id!r}: {words}"
        for task_id in sorted(filed.changes.keys() | now.keys())
        for words in _difference(filed.changes.get(task_id), now.get(task_id))
    ]
    if not told:
        return (f"each change looks the same, but the digest is another: {_AGAIN}",)
    rest = len(told) - DIFFERENCES_MAX
    return (*told[:DIFFERENCES_MAX], *([f"and {rest} more differences"] if rest > 0 else []))


def without_a_file(plan: Plan) -> tuple[str, ...]:
    """Return what can be said where only the digest of the approved plan is known."""
    counts = ", ".join(f"{count} {kind}" for kind, count in plan.counts.items() if count) or "nothing"
    hint = "a digest alone cannot say what differs; `apply plan.json` with the file of `plan --out plan.json` does"
    return (f"the plan of now: {counts} ({hint})",)


def _difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what is different in the change of one task."""
    if after is None:
        kind = None if before is None else before.get("kind")
        yield f"{kind} was approved, and there is nothing to change any more"
        return
    if before is None:
        yield f"{after['kind']} is new, and was not approved"
        return
    if before.get("kind") != after["kind"]:
        yield f"approved as {before.get('kind')}, now {after['kind']}"
    old, new = _chosen(before), _chosen(after)
    if old != new:
        yield f"approved as {', '.join(old) or 'it stands'}, now {', '.join(new) or 'as it stands'}"
    for key, what in (("before", "the row"), ("after", "the file")):
        old_digest, new_digest = _digest(before.get(key)), _digest(after[key])
        if old_digest != new_digest:
            yield f"{what} has another task: {old_digest} was approved, {new_digest} is there"


def _chosen(change: Mapping[str, Any]) -> list[str]:
    """Return the notes that are part of what is approved."""
    notes = change.get("notes")
    return [
        note for note in (notes if isinstance(notes, list) else ()) if note == "runs-again" or str(note)[:5] == "late-"
    ]


def _digest(task: Any) -> str:
    digest = task.get("task") if isinstance(task, dict) else None
    return digest[:_DIGEST_SHOWN] if isinstance(digest, str) else "none"
