"""The way between a process and AWS: how long a call takes, what can befall it, and how often the client tries.

A call is two ways, and takes effect between them. Whatever happens on a way leaves the other side as it is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ReadTimeoutError

from simulation.faults import Fault
from simulation.hub import Gone
from slowsched.aws import CALL_SECONDS, CALL_TRIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from simulation.hub import Process
    from simulation.world import World

WAY_SECONDS = 0.25  # one way, at most times
LONG_WAY_SECONDS = 7.0  # ... and the longest that is no fault
FREEZE_SECONDS = (1.0, 900.0)
SLOW_SECONDS = (1.0, 20.0)
LATE_SECONDS = (CALL_SECONDS, 60.0)
JUMP_SECONDS = 5.0  # half of the skew: two clocks that jump apart differ by no more than that


class ConditionFailedError(ClientError):
    """A conditional write that lost, with the item that was found."""

    def __init__(self, item: dict[str, Any] | None) -> None:
        found = {} if item is None else {"Item": item}
        super().__init__({"Error": {"Code": "ConditionalCheckFailedException"}, **found}, "PutItem")


class NotFoundError(ClientError):
    """What was asked for does not exist."""

    def __init__(self, operation: str) -> None:
        super().__init__({"Error": {"Code": "ResourceNotFoundException"}}, operation)


def refused(operation: str, code: str, status: int = 400) -> ClientError:
    """Return what a client raises once it has tried often enough."""
    answer = {"Error": {"Code": code, "Message": "simulated"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)  # type: ignore[arg-type]


class Wire:
    """What one process sends; every call is a point where another may go on, or a fault may strike."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process

    def call(self, service: str, operation: str, effect: Callable[[], Any], *, write: bool = False) -> Any:
        """Send a call until it is answered, as often as the client of production does."""
        error: Exception = ReadTimeoutError(endpoint_url=service)
        for number in range(CALL_TRIES):
            try:
                return self._try(service, operation, effect, write=write)
            except _FailedError as failed:
                error = failed.error
            self._process.rest(self._process.chance.uniform(0.0, 2.0**number))
        raise error

    def _try(self, service: str, operation: str, effect: Callable[[], Any], *, write: bool) -> Any:
        process, world = self._process, self._world
        process.check()
        fault = world.faults.of_call(process, write=write)
        there, back = self._way(), self._way()
        if fault is not None:
            world.tell(process.name, f"{operation}: {fault}")
            there += self._befalls(fault, effect)
        process.rest(there)
        outage = world.outage(service)
        if outage is not None:
            self._unanswered(outage)
        if fault in (Fault.LOST_REQUEST, Fault.LATE_REQUEST):
            self._unanswered(None)
        if fault is Fault.THROTTLED:
            raise _FailedError(refused(operation, "ThrottlingException"))
        if fault is Fault.SERVER_ERROR:
            raise _FailedError(refused(operation, "InternalServerError", 500))
        answer = effect()
        if fault is Fault.CRASH_AFTER:
            self._crash()
        if fault is Fault.SERVER_ERROR_DONE:
            raise _FailedError(refused(operation, "InternalServerError", 500))
        if fault is Fault.LOST_ANSWER:
            self._unanswered(None)
        process.rest(back)
        return answer

    def _way(self) -> float:
        chance = self._process.chance
        long = chance.random() < self._world.scenario.long_ways
        return chance.random() * (LONG_WAY_SECONDS if long else WAY_SECONDS)

    def _befalls(self, fault: Fault, effect: Callable[[], Any]) -> float:
        """Let a fault strike that does so before the call is sent; returns the seconds that it costs."""
        process, world, chance = self._process, self._world, self._process.chance
        match fault:
            case Fault.CRASH_BEFORE:
                self._crash()
            case Fault.SLOW:
                return chance.uniform(*SLOW_SECONDS)
            case Fault.FREEZE:
                self._freeze()
            case Fault.JUMP:
                process.skew = world.some_skew(chance, JUMP_SECONDS)
            case Fault.LATE_REQUEST:
                seconds = chance.uniform(*LATE_SECONDS)
                world.hub.later(seconds, partial(self._late, effect))
                world.faults.lasts(world.hub.now + world.seconds(seconds))
        return 0.0

    def _late(self, effect: Callable[[], Any]) -> None:
        self._world.tell(self._process.name, "... and the request that was given up arrives")
        try:
            effect()
        except ClientError:
            return  # nobody hears of it any more

    def _freeze(self) -> None:
        process, world = self._process, self._world
        # Most are short; some outlast leases, timers and locks.
        seconds = FREEZE_SECONDS[1] ** process.chance.random() * FREEZE_SECONDS[0]
        until = world.hub.now + world.seconds(seconds)
        world.freeze(process, until)

    def _crash(self) -> None:
        self._world.died(self._process, "crashed")
        raise Gone

    def _unanswered(self, outage: datetime | None) -> None:
        self._process.rest(CALL_SECONDS)
        raise _FailedError(ReadTimeoutError(endpoint_url="https://simulated" if outage is None else "https://silent"))


class _FailedError(Exception):
    """One try failed: the client tries again, or raises this in the end."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(str(error))
