"""What a command of slowsched found, as values for GitHub: the files that run.sh left, and nothing else, are read.

What comes from a file of the repository is text: it ends no line of a workflow command and opens no tag.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Found", "escaped", "found"]

_ROWS_MAX = 200  # of a table of the step summary
_ERRORS_MAX = 10_000  # characters of what a command said on stderr
_STOPPED = ("late", "conflict")  # kinds of changes that apply leaves out
_REASON = {"applied": "", "nothing": ""}  # of an apply; every other status is a reason by itself

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What to tell: `reason` is one word for a failure, or empty; `tells` is false where there is nothing to say."""

    environment: str
    markdown: str
    reason: str = ""
    tells: bool = True
    outputs: Mapping[str, str] = field(default_factory=dict)
    annotations: Sequence[str] = ()


def found(command: str, folder: Path, *, environment: str, prefix: str) -> Found:
    """Return what `command` found; `environment` is for where it did not come to say, `prefix` goes before paths."""
    document = _document(folder / "report")
    if command == "drift":
        return _drift(folder, environment)
    if document is None:
        return _nothing(command, folder, environment)
    match command:
        case "plan":
            return _plan(document, _text(folder / "plan.md"), prefix)
        case "apply":
            return _apply(document, prefix)
        case _:
            return _validate(document, environment, prefix)


# --- each command ----------------------------------------------------------------------------------


def _validate(document: Any, environment: str, prefix: str) -> Found:
    problems = document["problems"]
    rows = [(f"{prefix}{each['path']}:{each['line']}", f"{each['pointer']}: {each['message']}") for each in problems]
    head = f"{document['tasks']} tasks in {document['files']} files, {len(problems)} problems."
    return Found(
        environment=environment,
        reason=_reason_of(problems),
        markdown=f"### slowsched validate\n\n{head}\n{_table(('Where', 'Problem'), rows)}",
        annotations=[_problem(each, prefix) for each in problems],
    )


def _plan(document: Any, markdown: str, prefix: str) -> Found:
    changes, problems, refused = document["changes"], document["problems"], document["refused"]
    stopped = [each for each in changes if each["kind"] in _STOPPED]
    reasons = [_reason_of(problems), "refused" if refused else "", *sorted({each["kind"] for each in stopped})]
    return Found(
        environment=document["environment"],
        reason=next(filter(None, reasons), ""),
        tells=bool(changes or problems or refused or document["unreadable"]),
        markdown=markdown,
        outputs={
            "changes": str(len(changes)),
            "counts": json.dumps(document["counts"]),
            "digest": "" if problems else document["digest"],
            "valid-until": document["valid_until"] or "",
        },
        annotations=[
            *(_problem(each, prefix) for each in problems),
            *(_annotation("error", _refusal(each), title="refused") for each in refused),
            *(
                _annotation("error", f"{each['id']}: {each['message']}", title=each["kind"], **_place(each, prefix))
                for each in stopped
            ),
        ],
    )


def _apply(document: Any, prefix: str) -> Found:
    problems, results, timer = document.get("problems", []), document["results"], document["timer"]
    failed = [each for each in results if each["result"] not in ("applied", "skipped")]
    told = [
        *map(_refusal, document["refused"]),
        *([f"the timer could not be armed: {timer['error']}"] if timer["error"] else []),
        *(f"{each['id']}: {each['result']}: {each['message']}" for each in failed),
    ]
    return Found(
        environment=document["environment"],
        reason="problems" if problems else _REASON.get(document["status"], document["status"]),
        markdown=_apply_markdown(document, told),
        outputs={"digest": document["digest"]},
        annotations=[*(_problem(each, prefix) for each in problems), *(_annotation("error", each) for each in told)],
    )


def _apply_markdown(document: Any, told: Sequence[str]) -> str:
    keys = ("result", "kind", "id", "message")
    rows = sorted((tuple(each[key] or "" for key in keys) for each in document["results"]), key=_applied)
    applied = sum(map(_applied, rows))
    status, armed = escaped(document["status"]), escaped(str(document["timer"]["armed"]))
    head = f"Status **{status}**: {applied} of {len(rows)} changes applied; timer at {armed}."
    table = _table(("Result", "Kind", "Task", "Message"), rows)
    return f"### slowsched apply: {escaped(document['environment'])}\n\n{head}\n{_list(told)}{table}"


def _applied(row: Sequence[str]) -> bool:
    return row[0] == "applied"


def _refusal(refused: Any) -> str:
    return f"{refused['code']}: {refused['message']}"


def _drift(folder: Path, environment: str) -> Found:
    status = _text(folder / "status").strip()
    if status not in ("0", "2"):
        return _nothing("drift", folder, environment)
    drifted = status == "2"
    return Found(
        environment=environment,
        reason="drift" if drifted else "",
        tells=drifted,
        markdown=_text(folder / "report"),
        annotations=[_annotation("warning", f"{environment} is not what the last apply left")] if drifted else [],
    )


def _nothing(command: str, folder: Path, environment: str) -> Found:
    """Return what to tell of a command that came to no result."""
    said = _text(folder / "errors.txt").strip()[-_ERRORS_MAX:] or "The log of its step says why."
    return Found(
        environment=environment,
        reason="error",
        markdown=f"### slowsched {command}: {escaped(environment)}\n\n> [!CAUTION]\n> **It came to no result.**\n\n"
        f"<pre>{escaped(said)}</pre>\n",
        annotations=[_annotation("error", said, title=f"slowsched {command}")],
    )


def _reason_of(problems: Iterable[Any]) -> str:
    return "problems" if any(each["severity"] == "error" for each in problems) else ""


# --- annotations -----------------------------------------------------------------------------------


def _problem(problem: Any, prefix: str) -> str:
    message = f"{problem['pointer']}: {problem['message']}"
    place = {**_place(problem, prefix), "col": problem["column"]}
    return _annotation(problem["severity"], message, title=problem["code"], **place)


def _place(value: Any, prefix: str) -> dict[str, Any]:
    return {"file": f"{prefix}{value['path']}", "line": value["line"]}


def _annotation(severity: str, message: str, **properties: Any) -> str:
    """Write a workflow command, escaped as the runner's own toolkit does it."""
    written = ",".join(f"{name}={_visible(str(value).translate(_PROPERTY))}" for name, value in properties.items())
    return f"::{severity} {written}::{_visible(message.translate(_DATA))}"


def _visible(text: str) -> str:
    """Write what cannot be seen as its number: it could turn a line around, or hide a part of it."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


# --- Markdown --------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    """Write text that is text in HTML and in Markdown: every sign of either by its number."""
    return "".join(
        c if c.isalnum() or c in " ,;=?%/" else f"&#{ord(c)};" if c.isprintable() or c == "\n" else _visible(c)
        for c in text
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [
        f"| {' | '.join(f'<code>{escaped(cell)}</code>' if cell else '' for cell in row)} |" for row in rows[:_ROWS_MAX]
    ]
    rest = len(rows) - _ROWS_MAX
    return "\n" + "\n".join(lines) + ("\n" if rest <= 0 else f"\n\nand {rest} more.\n")


def _list(items: Sequence[str]) -> str:
    shown = "".join(f"- <code>{escaped(item)}</code>\n" for item in items[:_ROWS_MAX])
    return f"\n{shown}" if shown else ""


# --- the files of run.sh ---------------------------------------------------------------------------


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _document(path: Path) -> Any:
    """Return the JSON document of a file; None where the command was ended before it wrote one."""
    try:
        return json.loads(_text(path))
    except ValueError:
        return None
