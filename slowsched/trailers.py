"""What commit messages allow: the `Slowsched-...` trailers of a message, or why they allow nothing. Pure.

    Slowsched-Allow-Deletes: 12        exactly so many deletes of pending tasks
    Slowsched-Allow-Protected: ID      the delete of this protected task
    Slowsched-Allow-Imminent: ID       the change or delete of this task, which is about to fire
    Slowsched-Late: ID run             what becomes of this late task: run or skip
    Slowsched-Supersede: ID            the edit or delete of this task although it runs

A trailer stands in a paragraph of trailers, the subject excepted: git takes the last paragraph only, but a forge
that squashes a branch strings its messages together (docs/decisions/0017).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from slowsched.model import LateChoice, Trailer
from slowsched.wording import did_you_mean, short, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["TrailerName", "late_of", "read_message", "reverted_by", "task_of"]

_PREFIX = "slowsched-"
_LINE = re.compile(r"([A-Za-z0-9-]+)[ \t]*:(?:[ \t]+(.*))?")
_BESIDE = "(cherry picked from commit "  # the one line without a colon that git itself adds to trailers
_REVERTS = re.compile(r"^This reverts commit ([0-9a-fA-F]{7,64})", re.MULTILINE)
_ID_MAX = 128
_DIGITS_MAX = 9
_PARAGRAPH = re.compile(r"\n[ \t]*\n")


class TrailerName(StrEnum):
    """What a trailer can be called; git reads names without regard to case, and so is it done here."""

    ALLOW_DELETES = "Slowsched-Allow-Deletes"
    ALLOW_PROTECTED = "Slowsched-Allow-Protected"
    ALLOW_IMMINENT = "Slowsched-Allow-Imminent"
    LATE = "Slowsched-Late"
    SUPERSEDE = "Slowsched-Supersede"


_KNOWN: Mapping[str, TrailerName] = {name.value.casefold(): name for name in TrailerName}
# About the act of applying and not about a change: a message that was written before cannot know of it.
_FLAGS_ONLY = {f"{_PREFIX}allow-{word}": f"--allow-{word}" for word in ("rollback", "dirty")}


def read_message(commit: str, message: str) -> tuple[Trailer, ...]:
    """Return every trailer of ours in a commit's message; one that is not understood says why."""
    subject, *paragraphs = _PARAGRAPH.split(message.replace("\r\n", "\n").strip("\n"))
    found = [_stray(commit, line) for line in subject.split("\n") if _is_ours(line)]
    for paragraph in paragraphs:
        lines = _unfolded(paragraph.strip("\n").split("\n"))
        is_block = all(_LINE.fullmatch(line) or line.startswith(_BESIDE) for line in lines)
        read = _understood if is_block else _stray
        found.extend(read(commit, line) for line in lines if _is_ours(line))
    return tuple(found)


def reverted_by(message: str) -> tuple[str, ...]:
    """Return the commits that a message says it reverts: what they allowed is allowed no more."""
    return tuple(commit.lower() for commit in _REVERTS.findall(message))


def task_of(trailer: Trailer) -> str | None:
    """Return the id of the task that a trailer names; None of one that names none, or is not understood."""
    if trailer.message is not None or trailer.name == TrailerName.ALLOW_DELETES:
        return None
    return late_of(trailer)[0] if trailer.name == TrailerName.LATE else trailer.value


def late_of(trailer: Trailer) -> tuple[str, LateChoice]:
    """Return what a trailer on a late task says: the id, and what becomes of the task."""
    task_id, _, choice = trailer.value.rpartition(" ")
    return task_id.rstrip(), LateChoice(choice)


def _is_ours(line: str) -> bool:
    match = _LINE.match(line)
    return match is not None and match[1].casefold().startswith(_PREFIX)


def _unfolded(lines: Sequence[str]) -> list[str]:
    """Join what is folded: a line that begins with a space goes on where the one before it ended."""
    joined: list[str] = []
    for line in lines:
        if joined and line[:1] in {" ", "\t"}:
            joined[-1] += f" {line.strip()}"
        else:
            joined.append(line.rstrip())
    return joined


def _parts(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    name = name.strip()
    known = _KNOWN.get(name.casefold())
    return name if known is None else known.value, value.strip()


def _stray(commit: str, line: str) -> Trailer:
    name, value = _parts(line)
    message = "it stands amid other text: give it a paragraph of its own at the end of the message"
    return Trailer(name=short(name), value=short(value), commit=commit, message=message)


def _understood(commit: str, line: str) -> Trailer:
    name, value = _parts(line)
    wrong = next(_wrong(name, value), None)
    if wrong is not None:
        return Trailer(name=short(name), value=short(value), commit=commit, message=wrong)
    return Trailer(name=name, value=value, commit=commit)


def _wrong(name: str, value: str) -> Iterator[str]:
    """Yield why a trailer allows nothing, if so."""
    match name:
        case TrailerName.ALLOW_DELETES:
            if not (value.isascii() and value.isdecimal() and len(value) <= _DIGITS_MAX):
                yield f"it takes the exact number of deletes, and says {shown(value)}"
        case TrailerName.LATE:
            task_id, _, choice = value.rpartition(" ")
            if choice not in [each.value for each in LateChoice] or not _is_id(task_id.rstrip()):
                yield f"it takes the id of a task and `run` or `skip`, and says {shown(value)}"
        case TrailerName.ALLOW_PROTECTED | TrailerName.ALLOW_IMMINENT | TrailerName.SUPERSEDE:
            if not _is_id(value):
                yield f"it takes the id of a task, and says {shown(value)}"
        case _:
            yield _unknown(name)


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _ID_MAX


def _unknown(name: str) -> str:
    flag = _FLAGS_ONLY.get(name.casefold())
    if flag is not None:
        return f"no commit can say that: it is for who applies, as {flag}"
    known = [each.value for each in TrailerName]
    hint = did_you_mean(name, known, otherwise=f"there are {', '.join(known)}")
    return f"there is no trailer {shown(name)}{hint}"
