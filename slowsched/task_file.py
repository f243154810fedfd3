"""From a document to the task that it declares, or to every problem of it: pure.

What a task file may hold is said twice: by `schemas/task.schema.json`, which editors read too, and by the
checks here of what no schema can say (moments, zones, names that must exist). Where both find fault with
one value, the check here is heard.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from slowsched import canonical
from slowsched.model import Declared, Retry, Task
from slowsched.timing import (
    DUE_MAX,
    DUE_MIN,
    Ambiguous,
    Gap,
    duration_text,
    parse_duration,
    resolve_local,
    rfc3339,
)
from slowsched.wording import did_you_mean, problem, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from slowsched.model import Document, Place, Problem

    Way = tuple[str | int, ...]

__all__ = [
    "DEFAULTS",
    "TIMEOUT_MAX",
    "Defaults",
    "Locate",
    "Rules",
    "Schema",
    "Violation",
    "Zones",
    "declare",
    "declared_id",
    "duplicate_id",
    "is_for",
    "read_defaults",
]

TIMEOUT_MAX = timedelta(minutes=14)  # the worker's budget: a longer attempt could never finish

_ID_MAX = 128
_ACTION = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_DUE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST_YEAR, _LAST_YEAR = DUE_MIN.year, DUE_MAX.year
_GROWTH_MAX = 8  # canonical text is at most so much longer than a file's (`[~,~]` becomes `[null,null]`)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One way in which a value breaks a schema or a rule: where in the value, a stable code, and why."""

    way: Way
    code: str
    message: str


class Schema(Protocol):
    """What a value is held against."""

    def is_valid(self, value: Any) -> bool:
        """Say whether the value keeps to the schema."""

    def explain(self, value: Any) -> Sequence[Violation]:
        """Return every violation by a value that is not valid, at least one; none quotes what is sensitive."""

    def sensitive(self, value: Any) -> Collection[Way]:
        """Return the ways to what is sensitive in a value."""


class Zones(Protocol):
    """The time zones of the world."""

    def get(self, name: str) -> ZoneInfo | None:
        """Return the zone of that name, None when there is none."""

    def names(self) -> Iterable[str]:
        """Return the names of all zones."""


class Locate(Protocol):
    """Where in its file a value of a document stands."""

    def __call__(self, document: Document, parts: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
        """Return line and column of the value, or of its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds for a task that does not say it itself."""

    retry: Retry
    timeout: timedelta
    grace: timedelta | None = None


DEFAULTS = Defaults(
    retry=Retry(attempts=5, backoff=timedelta(minutes=1), max_backoff=timedelta(hours=1)),
    timeout=timedelta(seconds=30),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What task files are held against; `actions` has the payload schema of every action that exists.

    `schemas` is the folder of the schemas, as messages name it.
    """

    task_schema: Schema
    actions: Mapping[str, Schema]
    environments: Collection[str]
    zones: Zones
    defaults: Defaults = DEFAULTS
    schemas: str = "schemas"


def declare(document: Document, rules: Rules, locate: Locate) -> Declared | list[Problem]:
    """Return the task that a document declares, or every problem of it."""
    value = document.value
    found: list[Violation] = []
    valid = rules.task_schema.is_valid(value)
    if isinstance(value, dict):
        task = _task(value, rules, found)
        if valid and not found:
            _check_size(document, task, found)
            if not found:
                return Declared(task=task, place=document.place, own_grace="grace" in value)
    if not valid:
        told = {violation.way for violation in found}
        found.extend(violation for violation in rules.task_schema.explain(value) if violation.way not in told)
    return [_problem(document, violation, locate) for violation in found]


def is_for(document: Document, environment: str | None) -> bool:
    """Say whether the task that a document declares is for an environment; None stands for all of them."""
    named = document.value.get("environments")
    return environment is None or named is None or environment in named


def declared_id(document: Document) -> str | None:
    """Return the id that a document states, although it may have problems; None when there is none."""
    raw = document.value.get("id") if isinstance(document.value, dict) else None
    return unicodedata.normalize("NFC", raw) if isinstance(raw, str) else None


def duplicate_id(document: Document, task_id: str, first: Place, locate: Locate) -> Problem:
    """Return the problem of a second task with the id of another; `first` is where that one is declared."""
    message = f"the id {shown(task_id)} is declared at {first.path}:{first.line} already"
    return _problem(document, Violation(way=("id",), code="duplicate-id", message=message), locate)


def read_defaults(value: Mapping[str, Any], found: list[Violation], *way: str) -> Defaults:
    """Return the defaults that the config states, on top of slowsched's own; what is wrong goes to `found`."""
    return Defaults(
        retry=_retry(value, DEFAULTS.retry, found, *way),
        timeout=_timeout(value, DEFAULTS.timeout, found, *way),
        grace=_grace(value, DEFAULTS.grace, found, *way),
    )


def _problem(document: Document, violation: Violation, locate: Locate) -> Problem:
    place = locate(document, violation.way, key=violation.code == "unknown-key")
    return problem(document.place.path, place, violation.way, violation.code, violation.message)


def _task(value: dict[str, Any], rules: Rules, found: list[Violation]) -> Task:
    """Build the task; when `found` is not empty afterwards, or the schema refuses the value, it is worth nothing."""
    _check_action(value, rules, found)
    if "environments" in value:
        _check_environments(value["environments"], rules, found)
    defaults = rules.defaults
    return Task(
        id=_id(value.get("id"), found),
        due=_due(value, rules.zones, found),
        action=value.get("action", ""),
        payload=value.get("payload"),
        retry=_retry(value, defaults.retry, found),
        timeout=_timeout(value, defaults.timeout, found),
        grace=_grace(value, defaults.grace, found),
        description=value.get("description"),
        team=value.get("team"),
        labels=value.get("labels", {}),
        timezone=value.get("timezone"),
        protect=value.get("protect", False),
        sensitive=_sensitive(value, rules),
    )


def _sensitive(value: dict[str, Any], rules: Rules) -> tuple[str, ...]:
    """Return the pointers to what the action's schema marks as sensitive in a payload that it accepts."""
    action = value.get("action")
    schema = rules.actions.get(action) if isinstance(action, str) and "payload" in value else None
    ways = () if schema is None else schema.sensitive(value["payload"])
    return tuple(sorted(canonical.pointer(("payload", *way)) for way in ways)) if ways else ()


# --- names -----------------------------------------------------------------------------------------


def _id(raw: Any, found: list[Violation]) -> str:
    if not isinstance(raw, str):
        return ""
    task_id = raw if raw.isascii() else unicodedata.normalize("NFC", raw)
    if not task_id.isprintable():
        hidden = next(character for character in task_id if not character.isprintable())
        message = f"an id is printable, and this one holds the character U+{ord(hidden):04X}: leave it out"
        found.append(Violation(way=("id",), code="id-not-printable", message=message))
    elif task_id != task_id.strip():
        message = "an id neither begins nor ends with a blank"
        found.append(Violation(way=("id",), code="id-not-printable", message=message))
    elif len(task_id) > _ID_MAX >= len(raw):
        message = f"an id has at most {_ID_MAX} characters, and this one has {len(task_id)} in its normal form (NFC)"
        found.append(Violation(way=("id",), code="schema", message=message))
    return task_id


def _check_action(value: dict[str, Any], rules: Rules, found: list[Violation]) -> None:
    action = value.get("action")
    if not isinstance(action, str):
        return
    schema = rules.actions.get(action)
    if schema is None:
        file = f"{rules.schemas}/actions/{action if _ACTION.fullmatch(action) else '<ACTION>'}.schema.json"
        known = did_you_mean(action, rules.actions)
        message = f"there is no action {shown(action)}{known} (an action exists when {file} does)"
        found.append(Violation(way=("action",), code="unknown-action", message=message))
    elif "payload" in value and not schema.is_valid(value["payload"]):
        found.extend(
            Violation(way=("payload", *violation.way), code=violation.code, message=violation.message)
            for violation in schema.explain(value["payload"])
        )


def _check_environments(names: Any, rules: Rules, found: list[Violation]) -> None:
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if isinstance(name, str) and name not in rules.environments:
            known = did_you_mean(name, rules.environments, otherwise="slowsched.yaml does not have it")
            message = f"there is no environment {shown(name)}{known}"
            found.append(Violation(way=("environments", index), code="unknown-environment", message=message))


# --- moments ---------------------------------------------------------------------------------------


def _due(value: dict[str, Any], zones: Zones, found: list[Violation]) -> Any:
    """Return the moment in UTC, or None with the reason in `found` (or left to the schema)."""
    zone = _zone(value["timezone"], zones, found) if "timezone" in value else None
    raw = value.get("due")
    if not isinstance(raw, str):
        return None
    written = _DUE.fullmatch(raw)
    try:
        moment = None if written is None else datetime.fromisoformat(raw.upper())
    except ValueError:
        moment = None
    if written is None or moment is None:
        found.append(_of_due("due-not-a-time", _no_time(raw)))
        return None
    if written[1] is None:
        if zone is None and "timezone" not in value:
            found.append(_of_due("due-without-offset", _no_offset(raw)))
        moment = None if zone is None else _local_moment(moment, raw, zone, found)
    elif zone is not None and written[1] not in "Zz":
        _check_offset(moment, raw, zone, found)
    if moment is None or DUE_MIN <= moment <= DUE_MAX:
        return moment if moment is None or moment.tzinfo is UTC else moment.astimezone(UTC)
    found.append(_out_of_range(raw))
    return None


def _of_due(code: str, message: str) -> Violation:
    return Violation(way=("due",), code=code, message=message)


def _no_time(raw: str) -> str:
    if _DATE.fullmatch(raw):
        return f"a date needs a time: write {raw}T00:00:00Z, or another time of that day"
    if _DUE.fullmatch(raw):
        return f"{raw} names a day that is in no calendar"
    with_t = raw.replace(" ", "T", 1)
    if _DUE.fullmatch(with_t):
        return f"a T stands between date and time, and no blank: write {with_t}"
    return f"{shown(raw)} is no time: write one as 2030-12-31T09:00:00Z or 2030-12-31T09:00:00+01:00"


def _no_offset(raw: str) -> str:
    return f"{raw} is another moment in every place: write {raw}Z, or the offset, or say `timezone: Europe/Berlin`"


def _out_of_range(raw: str) -> Violation:
    message = f"{raw} is outside of the years {_FIRST_YEAR} to {_LAST_YEAR} (UTC), and the timer knows no others"
    return _of_due("due-out-of-range", message)


def _zone(name: Any, zones: Zones, found: list[Violation]) -> ZoneInfo | None:
    if not isinstance(name, str):
        return None
    zone = zones.get(name)
    if zone is None:
        known = did_you_mean(name, zones.names(), otherwise="write an IANA name, as Europe/Berlin")
        message = f"there is no time zone {shown(name)}{known}"
        found.append(Violation(way=("timezone",), code="unknown-timezone", message=message))
    return zone


def _local_moment(local: datetime, raw: str, zone: ZoneInfo, found: list[Violation]) -> datetime | None:
    if not _FIRST_YEAR <= local.year <= _LAST_YEAR:
        found.append(_out_of_range(raw))
        return None
    match resolve_local(local, zone):
        case Gap(earlier=earlier, later=later):
            why = f"{raw} does not exist in {zone.key}, where the clocks jump over it"
            found.append(_of_due("due-in-dst-gap", f"{why}: write {_pasted(earlier)} or {_pasted(later)}"))
            return None
        case Ambiguous(earlier=earlier, later=later):
            why = f"{raw} is twice in {zone.key}, where the clocks are put back"
            found.append(_of_due("due-ambiguous", f"{why}: write {_pasted(earlier)} or {_pasted(later)}"))
            return None
        case moment:
            return moment


def _pasted(moment: datetime) -> str:
    """Write a moment as a due that can be pasted; an offset with seconds (before 1973) has no such form."""
    offset = moment.utcoffset()
    if offset is None or offset % timedelta(minutes=1):
        return rfc3339(moment)
    return moment.isoformat()


def _check_offset(moment: datetime, raw: str, zone: ZoneInfo, found: list[Violation]) -> None:
    if not DUE_MIN <= moment <= DUE_MAX:
        return  # said elsewhere
    there = moment.astimezone(zone)
    if there.utcoffset() != moment.utcoffset():
        message = f"{raw} has not the offset of {zone.key}: write {_pasted(there)} for that moment, or no offset"
        found.append(_of_due("due-offset-not-of-zone", message))


# --- durations -------------------------------------------------------------------------------------

_parsed = lru_cache(maxsize=256)(parse_duration)  # files use the same few durations again and again


def _duration(raw: Any, found: list[Violation], *way: str) -> timedelta | None:
    if not isinstance(raw, str):
        return None
    try:
        return _parsed(raw)
    except ValueError as error:
        message = str(error) if len(raw) <= _ID_MAX else f"{shown(raw)} is not a duration"
        found.append(Violation(way=way, code="bad-duration", message=message))
        return None


def _grace(value: Mapping[str, Any], default: timedelta | None, found: list[Violation], *way: str) -> timedelta | None:
    return _duration(value["grace"], found, *way, "grace") if "grace" in value else default


def _timeout(value: Mapping[str, Any], default: timedelta, found: list[Violation], *way: str) -> timedelta:
    if "timeout" not in value:
        return default
    timeout = _duration(value["timeout"], found, *way, "timeout")
    if timeout is None:
        return default
    if timeout > TIMEOUT_MAX:
        message = f"an attempt may take {duration_text(TIMEOUT_MAX)}, the worker's budget, and not {value['timeout']}"
        found.append(Violation(way=(*way, "timeout"), code="timeout-too-long", message=message))
    elif not timeout:
        message = "an attempt needs some time: write at least 1s"
        found.append(Violation(way=(*way, "timeout"), code="bad-duration", message=message))
    return timeout


def _retry(value: Mapping[str, Any], default: Retry, found: list[Violation], *way: str) -> Retry:
    raw = value.get("retry")
    if not isinstance(raw, dict):
        return default
    way = (*way, "retry")
    backoff: timedelta | None = default.backoff
    max_backoff: timedelta | None = default.max_backoff
    if "backoff" in raw:
        backoff = _duration(raw["backoff"], found, *way, "backoff")
    if "max_backoff" in raw:
        max_backoff = _duration(raw["max_backoff"], found, *way, "max_backoff")
    if backoff is None or max_backoff is None:
        return default
    if backoff > max_backoff:
        message = (
            f"backoff ({duration_text(backoff)}{'' if 'backoff' in raw else ', the default'}) is longer than "
            f"max_backoff ({duration_text(max_backoff)}{'' if 'max_backoff' in raw else ', the default'})"
        )
        found.append(Violation(way=way, code="bad-duration", message=message))
    return Retry(attempts=raw.get("attempts", default.attempts), backoff=backoff, max_backoff=max_backoff)


# --- size ------------------------------------------------------------------------------------------


def _check_size(document: Document, task: Task, found: list[Violation]) -> None:
    if len(document.text) * _GROWTH_MAX <= canonical.SPEC_BYTES_MAX:
        return
    size = len(canonical.text(canonical.task_document(task)).encode())
    if size > canonical.SPEC_BYTES_MAX:
        message = f"this task has {size} bytes of {canonical.SPEC_BYTES_MAX}: keep large data elsewhere, and name it"
        found.append(Violation(way=(), code="spec-too-large", message=message))
