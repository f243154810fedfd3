"""What doctor looks at in an AWS account beyond rows and moment: read-only calls -> frozen values.

Nothing is judged here, `aws_checks` does that. A call that was refused leaves an `Unknown` in place of its value,
and the others go on; once AWS fails to answer, nothing more is asked. No right is used here that the plan role
of terraform/ does not have.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from slowsched.aws_failures import explained, is_denied, is_missing
from slowsched.diagnosis import Unknown
from slowsched.errors import BackendError, UsageError
from slowsched.timer.eventbridge import EventBridgeTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from slowsched.aws import Account
    from slowsched.backend import Backend
    from slowsched.timer.eventbridge import TimerState
    from slowsched.timer.settings import TimerSettings

__all__ = ["Deployment", "Expected", "Function", "Permission", "Pulse", "Seen", "Table", "TableIndex", "inspect"]

PULSES_MAX = 20  # rules of one function that are looked at: there is one heartbeat

Found = TypeVar("Found")

_SERVER_FAULT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the settings say of an environment on AWS; `slowsched` is the version of this program."""

    slowsched: str
    table: str
    timer: TimerSettings
    account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableIndex:
    """A local secondary index: its key attributes, in order, and what it carries."""

    keys: tuple[tuple[str, str], ...]
    projection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A DynamoDB table: (name, type) of its key attributes, partition first, and its indexes by name.

    `expires_by` is the attribute of its time to live, None while that is off.
    """

    status: str
    keys: tuple[tuple[str, str], ...]
    indexes: Mapping[str, TableIndex]
    on_demand: bool
    protected: bool
    expires_by: str | Unknown | None
    recoverable: bool | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function on Lambda; `variables` None where Lambda does not show them."""

    arn: str
    state: str
    reason: str
    update: str
    update_reason: str
    handler: str
    runtime: str
    timeout: timedelta
    variables: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A statement of a function's policy: who (`principals`), what, and for which sources (empty: any)."""

    allows: bool
    principals: tuple[str, ...]
    actions: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """Another rule than the timer's that starts the function: the heartbeat, or what stands for it."""

    name: str
    arn: str
    enabled: bool
    expression: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What was found in the account. None: it does not exist; for the function also that nothing names one.

    `role_may_invoke` says whether the role of a schedule may start the function; None of a rule, which has none.
    """

    table: Table | Unknown | None
    timer: TimerState | Unknown
    function_arn: str | None
    function: Function | Unknown | None = None
    permissions: tuple[Permission, ...] | Unknown = ()
    pulses: tuple[Pulse, ...] | Unknown = ()
    role_may_invoke: bool | Unknown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The account and what is in it; `deployment` None where it was not looked at: it is another account, or silent.

    `skew` is how far this machine's clock is ahead, as far as can be told; None when it cannot.
    """

    expected: Expected
    account: str | Unknown
    region: str | None
    skew: timedelta | None = None
    deployment: Deployment | None = None

    @property
    def can_read_rows(self) -> bool:
        """There is a table that answers."""
        found = None if self.deployment is None else self.deployment.table
        return isinstance(found, Table) or (isinstance(found, Unknown) and found.refused)


def inspect(account: Account, backend: Backend, expected: Expected) -> Seen:
    """Look at the account, then at everything in it that the settings and the timer name."""
    asker = _Asker(account, backend)
    number = asker.ask(account.number) or Unknown(what="AWS names no account", way_out="use other credentials")
    if isinstance(number, Unknown) or (expected.account is not None and number != expected.account):
        return Seen(expected=expected, account=number, region=account.region)
    deployment = _deployment(asker, expected)
    return Seen(expected=expected, account=number, region=account.region, skew=asker.skew(), deployment=deployment)


class _Asker:
    """Asks one thing after the other, and nothing more once AWS has failed to answer: each try may take long."""

    def __init__(self, account: Account, backend: Backend) -> None:
        self.account = account
        self.backend = backend
        self._silent: Unknown | None = None
        self._dated: tuple[datetime, datetime, str | None] | None = None  # asked, answered, what the answer said

    def ask(self, call: Callable[[], Found | None]) -> Found | Unknown | None:
        """Return what a call returns, None when it says that the thing does not exist."""
        if self._silent is not None:
            return self._silent
        asked = self.backend.clock()
        try:
            found = call()
        except Exception as error:  # noqa: BLE001 - what is no matter of AWS is raised again
            if is_missing(error):
                return None
            unknown = _unknown(error)
            if not _is_answer(error):
                self._silent = unknown
            return unknown
        self._dated = asked, self.backend.clock(), self.account.answered
        return found

    def skew(self) -> timedelta | None:
        """Return how far the clock of this machine is ahead of AWS's by the last answer; zero where it may be right.

        The answer was dated, to the second, between the call and its return.
        """
        if self._dated is None:
            return None
        asked, answered, text = self._dated
        try:
            dated = parsedate_to_datetime(text or "")
        except ValueError:
            return None
        least, most = asked - dated - timedelta(seconds=1), answered - dated
        return max(least, timedelta(0)) if most > timedelta(0) else most


def _is_answer(error: BaseException) -> bool:
    """Say whether AWS has answered, and quickly: no reason to ask nothing more."""
    answer = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    status: int = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if isinstance(answer, dict) else 0
    return 0 < status < _SERVER_FAULT


def _unknown(error: Exception) -> Unknown:
    if isinstance(error, BackendError | UsageError):
        return Unknown(what=error.message, way_out=error.hint or "", refused=is_denied(error.__cause__))
    found = explained(error)
    if found is None:
        raise error
    return Unknown(what=found.what, way_out=found.way_out, refused=is_denied(error))


def _deployment(asker: _Asker, expected: Expected) -> Deployment:
    table = _table(asker, expected.table)
    timer = _timer(asker)
    arn = _target_arn(expected, timer)
    name = arn or _usual_name(expected)
    function = None if name is None else asker.ask(lambda: _function(asker.account, name))
    if arn is None and isinstance(function, Function):
        arn = function.arn
    if arn is None:
        return Deployment(table=table, timer=timer, function_arn=None)
    return Deployment(
        table=table,
        timer=timer,
        function_arn=arn,
        function=function,
        permissions=asker.ask(lambda: _permissions(asker.account, arn)) or (),
        pulses=_pulses(asker, arn, expected.timer),
        role_may_invoke=_role_may_invoke(asker, expected.timer.role_arn, arn),
    )


# --- the table -------------------------------------------------------------------------------------


def _table(asker: _Asker, name: str) -> Table | Unknown | None:
    found = asker.ask(lambda: asker.account.client("dynamodb").describe_table(TableName=name)["Table"])
    if found is None or isinstance(found, Unknown):
        return found
    types = {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]}
    return Table(
        status=found["TableStatus"],
        keys=_keys(found, types),
        indexes={
            each["IndexName"]: TableIndex(keys=_keys(each, types), projection=each["Projection"]["ProjectionType"])
            for each in found.get("LocalSecondaryIndexes", ())
        },
        on_demand=found.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST",
        protected=bool(found.get("DeletionProtectionEnabled")),
        expires_by=asker.ask(lambda: _expires_by(asker.account, name)),
        recoverable=asker.ask(lambda: _is_recoverable(asker.account, name)) or False,
    )


def _keys(found: Mapping[str, Any], types: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    ordered = sorted(found["KeySchema"], key=lambda key: str(key["KeyType"]))  # HASH, RANGE
    return tuple((key["AttributeName"], types[key["AttributeName"]]) for key in ordered)


def _expires_by(account: Account, name: str) -> str | None:
    found = account.client("dynamodb").describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return found.get("AttributeName") if found["TimeToLiveStatus"] in {"ENABLED", "ENABLING"} else None


def _is_recoverable(account: Account, name: str) -> bool:
    found = account.client("dynamodb").describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    status: str = found.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus", "")
    return status == "ENABLED"


# --- the timer and the function --------------------------------------------------------------------


def _timer(asker: _Asker) -> TimerState | Unknown:
    timer = asker.backend.timer
    if not isinstance(timer, EventBridgeTimer):
        raise TypeError(f"{type(timer).__name__} is no timer of EventBridge")
    return asker.ask(timer.inspect) or Unknown(what="AWS does not tell of the timer", way_out="try again")


def _target_arn(expected: Expected, timer: TimerState | Unknown) -> str | None:
    """Return the function that the timer starts, or is to start by the settings."""
    targets = () if isinstance(timer, Unknown) else [each.arn for each in timer.targets if ":function:" in each.arn]
    return next(iter(targets), None) or expected.timer.target_arn


def _usual_name(expected: Expected) -> str | None:
    """Return what terraform/ calls the function of such a timer, to look at it where the timer does not name it."""
    base, ending, _ = expected.timer.name.rpartition("-wake")
    return f"{base}-worker" if ending else None


def _function(account: Account, name: str) -> Function:
    found = account.client("lambda").get_function_configuration(FunctionName=name)
    environment = found.get("Environment", {})
    return Function(
        arn=found["FunctionArn"],
        state=found.get("State", ""),
        reason=found.get("StateReason", ""),
        update=found.get("LastUpdateStatus", ""),
        update_reason=found.get("LastUpdateStatusReason", ""),
        handler=found.get("Handler", ""),
        runtime=found.get("Runtime", ""),
        timeout=timedelta(seconds=found["Timeout"]),
        variables=None if "Error" in environment else environment.get("Variables", {}),
    )


def _permissions(account: Account, arn: str) -> tuple[Permission, ...]:
    policy = json.loads(account.client("lambda").get_policy(FunctionName=arn)["Policy"])
    return tuple(map(_permission, _listed(policy.get("Statement"))))


def _permission(statement: Mapping[str, Any]) -> Permission:
    principal = statement.get("Principal", {})
    return Permission(
        allows=statement.get("Effect") == "Allow",
        principals=_listed(principal.get("Service") if isinstance(principal, dict) else principal),
        actions=_listed(statement.get("Action")),
        sources=tuple(_sources(statement.get("Condition", {}))),
    )


def _sources(condition: Mapping[str, Any]) -> Iterator[str]:
    for operands in condition.values():
        for key, value in operands.items():
            if key.lower() == "aws:sourcearn":
                yield from _listed(value)


def _role_may_invoke(asker: _Asker, role: str | None, function: str) -> bool | Unknown | None:
    """Ask IAM whether a role may start the function; nothing is started."""
    if role is None:
        return None

    def simulate() -> bool:
        client = asker.account.client("iam")
        try:
            found = client.simulate_principal_policy(
                PolicySourceArn=role, ActionNames=["lambda:InvokeFunction"], ResourceArns=[function]
            )
        except client.exceptions.NoSuchEntityException:
            return False
        return all(each["EvalDecision"] == "allowed" for each in found["EvaluationResults"])

    return asker.ask(simulate)


def _listed(value: Any) -> tuple[Any, ...]:
    """Return what a policy holds as one value or as many."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)


# --- the heartbeat ---------------------------------------------------------------------------------


def _pulses(asker: _Asker, arn: str, timer: TimerSettings) -> tuple[Pulse, ...] | Unknown:
    names = asker.ask(lambda: asker.account.client("events").list_rule_names_by_target(TargetArn=arn)["RuleNames"])
    if isinstance(names, Unknown):
        return names
    others = [name for name in names or () if timer.kind != "rule" or name != timer.name]
    found = [asker.ask(partial(_pulse, asker.account, name)) for name in sorted(others)[:PULSES_MAX]]
    pulses = tuple(each for each in found if isinstance(each, Pulse))
    refused = next((each for each in found if isinstance(each, Unknown)), None)
    return pulses if pulses or refused is None else refused


def _pulse(account: Account, name: str) -> Pulse:
    found = account.client("events").describe_rule(Name=name)
    return Pulse(
        name=name, arn=found["Arn"], enabled=found["State"] != "DISABLED", expression=found.get("ScheduleExpression")
    )
