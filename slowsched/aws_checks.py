"""What doctor checks on AWS: table, timer, heartbeat, function, and what the worker said of itself. Pure.

`aws_inspection` looks, the values come in here. What is judged is what terraform/ makes.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from slowsched.diagnosis import Unknown, cannot_tell, error, fine, warning
from slowsched.lifecycle import CLOCK_SKEW
from slowsched.render.words import command, moment, span
from slowsched.timer.eventbridge import NEVER, read_at, read_cron

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from slowsched.aws_inspection import Deployment, Permission, Pulse, Seen, Table
    from slowsched.diagnosis import Finding
    from slowsched.timer.eventbridge import TimerState

__all__ = ["HEARTBEAT_MAX", "check_aws", "interval", "lets_invoke"]

HEARTBEAT_MAX = timedelta(minutes=20)  # terraform/ makes it 15 minutes; the bounds of lateness are made with that
CLOCK_SLACK = timedelta(seconds=5)  # what a machine that keeps its time never reaches

_TERRAFORM = "apply terraform/ again"
_KEYS = (("bucket", "N"), ("id", "S"))
_AGENDA, _AGENDA_KEYS = "agenda", (("bucket", "N"), ("wake_at", "S"))
_TTL = "expires_at"
_EVENTS = "events.amazonaws.com"

_RATE = re.compile(r"rate\((\d{1,6}) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((\S+) \* [*?] \* [*?] \*\)")
_STEPS = re.compile(r"(\*|\d{1,2})/(\d{1,2})")
_UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_MINUTES = 60


def check_aws(seen: Seen, environment: str) -> Iterator[Finding]:
    """Yield what is to be said of the account, and of what was found in it."""
    yield _account(seen)
    found = seen.deployment
    if found is None:
        return
    yield _clock(seen)
    yield from _table(seen, found)
    yield from _timer(seen, found, environment)
    if found.function_arn is not None:
        yield from _heartbeat(found)


# --- the account -----------------------------------------------------------------------------------


def _account(seen: Seen) -> Finding:
    if isinstance(seen.account, Unknown):
        return cannot_tell("account", "account", seen.account)
    expected = seen.expected.account
    if expected is None:
        words = f"{seen.account} in {seen.region}; the settings do not say whether that is the right one"
        return warning("account", "account", words, "write `expected_account` for this environment into slowsched.yaml")
    if expected != seen.account:
        words = f"the credentials belong to account {seen.account}, and this environment expects {expected}"
        out = "use other credentials (AWS_PROFILE), or correct `expected_account` in slowsched.yaml"
        return error("account", "account", words, out)
    return fine("account", "account", f"{seen.account} in {seen.region}, as expected")


def _clock(seen: Seen) -> Finding:
    if seen.skew is None:
        return warning("clock", "clock", "cannot tell: AWS did not say what time it is", "try again")
    size = abs(seen.skew)
    if size <= CLOCK_SLACK:
        return fine("clock", "clock", "this machine's goes with that of AWS")
    side = "ahead of" if seen.skew > timedelta(0) else "behind"
    words = f"this machine's is {span(size)} {side} that of AWS"
    out = "set this machine's clock (NTP)"
    if size <= CLOCK_SKEW:
        return warning("clock", "clock", words, out)
    return error("clock", "clock", f"{words}: more than the apply lock and the timer allow for", out)


# --- the table -------------------------------------------------------------------------------------


def _table(seen: Seen, found: Deployment) -> Iterator[Finding]:
    name, table = f"table {seen.expected.table}", found.table
    if table is None:
        words = f"it does not exist in {seen.region}"
        yield error("table", name, words, f"correct region or table in slowsched.yaml, or {_TERRAFORM}")
        return
    if isinstance(table, Unknown):
        yield cannot_tell("table", name, table)
        return
    if table.status in {"ACTIVE", "UPDATING"}:
        yield fine("table", name, f"it is there, and {table.status.lower()}")
    else:
        yield error("table", name, f"its status is {table.status}", "wait until it is ACTIVE, or restore it")
    yield _keys(name, table)
    yield _index(name, table)
    yield _ttl(name, table)
    yield _recovery(name, table)
    yield from _careless(name, table)


def _keys(name: str, table: Table) -> Finding:
    if table.keys == _KEYS:
        return fine("table-keys", name, f"its keys are {_written(_KEYS)}")
    words = f"its keys are {_written(table.keys)}, and should be {_written(_KEYS)}"
    return error("table-keys", name, words, "it is another table: correct `table` in slowsched.yaml, or make a new one")


def _index(name: str, table: Table) -> Finding:
    index = table.indexes.get(_AGENDA)
    out = "it can only be made together with the table: make a new one and apply to it (docs/deploy.md)"
    if index is None:
        return error(
            "table-index", name, f"it has no local secondary index {_AGENDA!r}: nothing finds what is due", out
        )
    if index.keys != _AGENDA_KEYS:
        words = f"its index {_AGENDA!r} is on {_written(index.keys)}, and should be on {_written(_AGENDA_KEYS)}"
        return error("table-index", name, words, out)
    if index.projection != "KEYS_ONLY":
        words = f"its index {_AGENDA!r} carries {index.projection}, not keys only: every write costs more"
        return warning("table-index", name, words, out)
    return fine("table-index", name, f"its index {_AGENDA!r} is on {_written(_AGENDA_KEYS)}")


def _written(keys: Sequence[tuple[str, str]]) -> str:
    return " and ".join(f"{name} ({kind})" for name, kind in keys)


def _ttl(name: str, table: Table) -> Finding:
    if isinstance(table.expires_by, Unknown):
        return cannot_tell("table-ttl", name, table.expires_by)
    if table.expires_by == _TTL:
        return fine("table-ttl", name, f"its time to live is {_TTL}")
    state = "off" if table.expires_by is None else f"by {table.expires_by}"
    words = f"its time to live is {state}, not by {_TTL}: rows whose file has left git stay for ever"
    return warning("table-ttl", name, words, _TERRAFORM)


def _recovery(name: str, table: Table) -> Finding:
    if isinstance(table.recoverable, Unknown):
        return cannot_tell("table-recovery", name, table.recoverable)
    if table.recoverable:
        return fine("table-recovery", name, "it can be recovered to a point in time")
    words = "point-in-time recovery is off: what ran, and when, would be lost with it"
    return warning("table-recovery", name, words, _TERRAFORM)


def _careless(name: str, table: Table) -> Iterator[Finding]:
    if table.protected:
        yield fine("table-protection", name, "it is protected from deletion")
    else:
        yield warning("table-protection", name, "it is not protected from deletion", _TERRAFORM)
    if table.on_demand:
        yield fine("table-billing", name, "it is billed on demand")
    else:
        words = "its capacity is provisioned: an apply or a wake with many tasks is throttled"
        yield warning("table-billing", name, words, "change its billing mode to PAY_PER_REQUEST")


# --- the timer -------------------------------------------------------------------------------------


def _timer(seen: Seen, found: Deployment, environment: str) -> Iterator[Finding]:
    settings, timer = seen.expected.timer, found.timer
    name = f"{settings.kind} {settings.name}"
    if isinstance(timer, Unknown):
        yield cannot_tell("timer", name, timer)
        return
    if not timer.exists:
        words = f"it does not exist in {seen.region}: no task wakes the worker"
        again = f"{_TERRAFORM}, then `{command('doctor --fix', environment)}`"
        yield error("timer", name, words, f"correct timer or region in slowsched.yaml, or {again}")
        return
    if timer.enabled:
        yield fine("timer", name, "it is there, and enabled")
    else:
        out = f"`{command('doctor --fix', environment)}` enables it where something is to come, else {_TERRAFORM}"
        yield error("timer", name, "it is disabled: no task wakes the worker", out)
    yield _expression(name, timer, environment)
    yield _target(name, seen, found, timer)
    yield _permission(name, found, timer)


def _expression(name: str, timer: TimerState, environment: str) -> Finding:
    if NEVER in {read_cron(timer.expression or ""), read_at(timer.expression or "")}:
        return fine("timer-expression", name, f"{timer.expression}: as terraform/ made it, not set yet")
    if timer.moment is not None:
        return fine("timer-expression", name, f"{timer.expression} is {moment(timer.moment)}")
    words = f"somebody else wrote {timer.expression!r} into it"
    return warning(
        "timer-expression", name, words, f"`{command('arm', environment)}` sets it where something is to come"
    )


def _target(name: str, seen: Seen, found: Deployment, timer: TimerState) -> Finding:
    arns = [each.arn for each in timer.targets]
    wanted = seen.expected.timer.target_arn or found.function_arn
    if wanted is not None and wanted in arns:
        return fine("timer-target", name, f"it starts {_short(wanted)}")
    starts = ", ".join(map(_short, arns)) or "nothing"
    words = f"it starts {starts}" + (f", and should start {_short(wanted)}" if wanted else ", and no function")
    return error("timer-target", name, words, _TERRAFORM)


def _permission(name: str, found: Deployment, timer: TimerState) -> Finding:
    if found.role_may_invoke is not None:
        return _role(name, found.role_may_invoke, timer)
    return _lets_in("timer-permission", name, found, timer.arn or "")


def _role(name: str, may: bool | Unknown, timer: TimerState) -> Finding:
    if isinstance(may, Unknown):
        return cannot_tell("timer-permission", name, may)
    role = next((each.role_arn for each in timer.targets if each.role_arn), "no role")
    if may:
        return fine("timer-permission", name, f"{_short(role)} may start the function")
    words = f"{_short(role)} may not start the function: the wake never comes"
    return error("timer-permission", name, words, _TERRAFORM)


def _lets_in(check: str, name: str, found: Deployment, rule_arn: str) -> Finding:
    """Look whether the function's own policy lets a rule start it."""
    if isinstance(found.permissions, Unknown):
        return cannot_tell(check, name, found.permissions)
    if lets_invoke(found.permissions, rule_arn):
        return fine(check, name, "the function lets it in")
    words = "the function does not let it in: its wake never comes"
    return error(check, name, words, f"{_TERRAFORM}: it makes the function's permission for this rule")


def lets_invoke(permissions: Sequence[Permission], rule_arn: str) -> bool:
    """Say whether a function's policy lets EventBridge start it for a rule."""
    meant = [
        each.allows
        for each in permissions
        if {_EVENTS, "*"} & {*each.principals}
        and any(fnmatchcase("lambda:invokefunction", action.lower()) for action in each.actions)
        and (not each.sources or any(fnmatchcase(rule_arn, source) for source in each.sources))
    ]
    return bool(meant) and all(meant)


def _short(arn: str) -> str:
    """Return what an ARN names: `function slowsched-worker`, `role slowsched-scheduler`."""
    parts = arn.split(":", 5)
    return parts[-1].replace(":", " ", 1).replace("/", " ", 1) if len(parts) == 6 else arn  # noqa: PLR2004 - an ARN has six


# --- the heartbeat ---------------------------------------------------------------------------------


def _heartbeat(found: Deployment) -> Iterator[Finding]:
    if isinstance(found.pulses, Unknown):
        yield cannot_tell("heartbeat", "heartbeat", found.pulses)
        return
    beating = [each for each in found.pulses if each.enabled and _beats(each)]
    if not beating:
        others = ", ".join(f"{each.name} ({each.expression if each.enabled else 'disabled'})" for each in found.pulses)
        words = f"no enabled rule starts the function at least every {span(HEARTBEAT_MAX)}"
        words += f"; there is {others}" if others else ""
        yield error("heartbeat", "heartbeat", f"{words}: a lost wake is never made good", _TERRAFORM)
        return
    pulse = beating[0]
    name = f"heartbeat {pulse.name}"
    yield fine("heartbeat", name, f"it starts the function, {pulse.expression}")
    yield _lets_in("heartbeat-permission", name, found, pulse.arn)


def _beats(pulse: Pulse) -> bool:
    rest = interval(pulse.expression or "")
    return rest is not None and rest <= HEARTBEAT_MAX


def interval(expression: str) -> timedelta | None:
    """Return the longest rest of a rate, or of a cron of minutes alone; None for any other expression."""
    rate = _RATE.fullmatch(expression)
    if rate is not None:
        return int(rate[1]) * _UNITS[rate[2]]
    cron = _CRON.fullmatch(expression)
    minutes = _minutes(cron[1]) if cron else []
    if not minutes:
        return None
    rests = [after - before for before, after in zip(minutes, [*minutes[1:], minutes[0] + _MINUTES], strict=True)]
    return timedelta(minutes=max(rests))


def _minutes(field: str) -> list[int]:
    """Return the minutes of the hour that the first field of a cron expression names."""
    steps = _STEPS.fullmatch(field)
    if field == "*":
        found = set(range(_MINUTES))
    elif steps is not None and int(steps[2]):
        found = set(range(0 if steps[1] == "*" else int(steps[1]), _MINUTES, int(steps[2])))
    else:
        found = {int(word) for word in field.split(",") if word.isdecimal()}
    return sorted(minute for minute in found if minute < _MINUTES)
