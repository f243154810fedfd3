"""One attempt is always an outcome, and a time-out holds."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest
from protocol.fakes import NOW, SECOND
from values import DUE, a_row, at

from slowsched import Attempt as PublicAttempt
from slowsched import PermanentError, action
from slowsched.errors import UsageError
from slowsched.execute import MESSAGE_BYTES_MAX, Attempt, Finished, Registry, Runner, filling, run_attempt
from slowsched.model import Outcome, OutcomeKind

ROW = a_row(attempt=2, generation=3)
ATTEMPT = Attempt.of_row(ROW, NOW + 30 * SECOND)
LONG = timedelta(seconds=30)
SHORT = timedelta(milliseconds=50)


def outcome_of(function, payload=None, timeout=LONG):
    """Run one attempt of a function."""
    return run_attempt(function, payload, ATTEMPT, timeout)


def succeeded(message=None):
    """Return the outcome of an attempt that went well."""
    return Outcome(kind=OutcomeKind.SUCCEEDED, message=message)


def failed(message, *, retryable=True):
    """Return the outcome of an attempt that failed."""
    return Outcome(kind=OutcomeKind.FAILED, message=message, retryable=retryable)


def timed_out(timeout):
    """Return the outcome of an attempt that was given up."""
    return Outcome(kind=OutcomeKind.TIMED_OUT, message=f"given up after its timeout of {timeout.total_seconds():g} s")


def raising(error):
    """Return an action that raises this."""

    def act(_payload, _attempt):
        raise error

    return act


def runner_of(act, **options):
    """Return a runner whose action ACT is this function."""
    registry = Registry()
    registry.add("ACT", act)
    return Runner(registry, **options)


def start(runner, token, timeout=LONG, **overrides):
    """Begin an attempt of the action ACT."""
    runner.start(token, a_row(**({"action": "ACT"} | overrides)), ATTEMPT, timeout)


def all_of(runner):
    """Wait until every attempt has its outcome; a wait may end for one that was given up before."""
    finished = []
    while runner.busy:
        finished += runner.wait()
    return finished


# --- what an action is told ----------------------------------------------------------------------------


def test_an_attempt_tells_an_action_all_it_needs():
    """The key is the same in every attempt of one execution, and different in any other."""
    fields = {name: getattr(ATTEMPT, name) for name in ("task_id", "environment", "number", "due", "deadline")}
    assert fields == {
        "task_id": "some task id",
        "environment": "local",
        "number": 2,
        "due": DUE,
        "deadline": NOW + LONG,
    }
    assert ATTEMPT.idempotency_key == "local/some task id@2030-01-01T00:00:00Z#3"
    assert (ATTEMPT.logger.logger.name, dict(ATTEMPT.logger.extra)) == (
        "slowsched.action.APPLY_SALE",
        {"task_id": "some task id", "attempt": 2, "idempotency_key": ATTEMPT.idempotency_key},
    )


def test_an_action_gets_payload_and_attempt():
    """In this order."""
    seen = []
    outcome_of(lambda *given: seen.append(given), {"n": 1})
    assert (seen, PublicAttempt) == ([({"n": 1}, ATTEMPT)], Attempt)


def test_an_action_cannot_alter_the_payload():
    """What it does to its copy never finds its way into the row."""
    payload = {"list": [1]}

    def meddle(payload, _attempt):
        payload["list"].append(2)
        payload.clear()

    outcome_of(meddle, payload)
    assert payload == {"list": [1]}


# --- what an attempt comes to --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, None),
        ("done", "done"),
        ("", ""),
        ({"b": 1, "a": [29.99, None, True]}, '{"a":[29.99,null,true],"b":1}'),
        (0, "0"),
        (False, "false"),
        ("ä" * 600, "ä" * 512),
        ("x" + "ä" * 600, "x" + "ä" * 511),
        ("\ud800", "?"),
        (["👩" * 300], '["' + "👩" * 255),
        (float("nan"), None),
        (object(), None),
        ({1, 2}, None),
        (at("2030-01-01T00:00:00Z"), None),
    ],
)
def test_what_an_action_returns_becomes_the_message(result, message):
    """Text as it is, JSON as its text, both cut at 1 KB between two characters; what is neither is left out."""
    outcome = outcome_of(lambda _payload, _attempt: result)
    assert outcome == succeeded(message)
    assert message is None or len(message.encode()) <= MESSAGE_BYTES_MAX


def test_what_an_action_returns_may_be_too_deep():
    """A result that cannot be written is left out; the outcome counts."""
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert outcome_of(lambda _payload, _attempt: deep) == succeeded()


def test_a_result_that_is_hostile_is_left_out():
    """Whatever reading it raises."""

    class Hostile(dict):
        def items(self):
            raise LookupError

    assert outcome_of(lambda _payload, _attempt: Hostile(a=1)) == succeeded()


class UnspeakableError(Exception):
    """An exception whose text cannot be had."""

    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ValueError("no such item"), failed("ValueError: no such item")),
        (ValueError(), failed("ValueError: ")),
        (ValueError("ä" * 600), failed("ValueError: " + "ä" * 506)),
        (TimeoutError("the shop is slow"), failed("TimeoutError: the shop is slow")),
        (SystemExit(3), failed("SystemExit: 3")),
        (KeyboardInterrupt(), failed("KeyboardInterrupt: ")),
        (UnspeakableError(), failed("UnspeakableError: (its text cannot be had)")),
        (PermanentError("sold out"), failed("PermanentError: sold out", retryable=False)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_an_action_raises_is_a_failed_attempt(error, outcome):
    """Only `PermanentError` says that another attempt is of no use; the process goes on in every case."""
    assert outcome_of(raising(error)) == outcome


def test_a_payload_that_cannot_be_copied_is_a_failed_attempt():
    """Nothing that goes wrong around an action is worth a process."""
    assert outcome_of(raising(None), threading.Lock()).kind is OutcomeKind.FAILED


# --- coroutines ----------------------------------------------------------------------------------------


def test_an_action_may_be_a_coroutine():
    """Its result and its exceptions count as those of a function."""

    async def act(payload, _attempt):
        await asyncio.sleep(0)
        if payload:
            raise PermanentError("sold out")
        return "done"

    assert (outcome_of(act), outcome_of(act, {"n": 1})) == (
        succeeded("done"),
        failed("PermanentError: sold out", retryable=False),
    )


def test_a_coroutine_is_cancelled_at_its_timeout():
    """It can clean up, and is gone then."""
    cleaned = []

    async def act(_payload, _attempt):
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(True)

    assert (outcome_of(act, timeout=SHORT), cleaned) == (timed_out(SHORT), [True])


def test_a_timeout_of_its_own_is_a_failure_of_the_coroutine():
    """Only the attempt's own timeout is a time-out."""

    async def act(_payload, _attempt):
        async with asyncio.timeout(0.001):
            await asyncio.sleep(60)

    assert outcome_of(act) == failed("TimeoutError: ")


# --- the registry --------------------------------------------------------------------------------------


def test_actions_are_registered_while_a_registry_is_being_filled():
    """Outside of that the decorator changes nothing, and in any case the function stays what it is."""
    registry = Registry()

    def act(_payload, _attempt):
        return None

    with filling(registry) as filled:
        assert (filled, action("A")(act)) == (registry, act)
    assert action("B")(act) is act
    assert (registry.get("A"), "A" in registry, "B" in registry, registry.get("B"), len(registry)) == (
        act,
        True,
        False,
        None,
        1,
    )


def test_filling_one_registry_within_another_ends_where_it_began():
    """The inner block does not take from the outer one."""
    outer, inner = Registry(), Registry()
    with filling(outer):
        with filling(inner):
            action("INNER")(print)
        action("OUTER")(print)
    assert [name in registry for registry in (outer, inner) for name in ("OUTER", "INNER")] == [
        True,
        False,
        False,
        True,
    ]


def test_an_action_has_one_function():
    """The same one may come twice, as it does when a module is imported under two names."""
    registry = Registry()
    registry.add("A", print)
    registry.add("A", print)
    with pytest.raises(UsageError, match="two functions are registered as action 'A': an action has one function"):
        registry.add("A", repr)


# --- several attempts ----------------------------------------------------------------------------------


def test_attempts_run_side_by_side():
    """Each in a thread of its own: they can wait for one another."""
    meet = threading.Barrier(3, timeout=10)
    runner = runner_of(lambda _payload, _attempt: meet.wait() * 0)
    for token in "abc":
        start(runner, token)
    assert (runner.busy, runner.free) == (3, 13)
    assert sorted(all_of(runner), key=lambda each: each.token) == [
        Finished(token=token, outcome=succeeded("0")) for token in "abc"
    ]
    assert (runner.free, runner.overrun) == (16, False)


def test_waiting_for_nothing_is_over_at_once():
    """A runner without attempts has no outcome to wait for."""
    assert runner_of(print).wait() == []


@pytest.mark.parametrize("seconds", [0.0, -5.0, 0.02])
def test_waiting_ends_after_the_seconds_given(seconds):
    """A worker has other rows to look after."""
    release = threading.Event()
    runner = runner_of(lambda _payload, _attempt: release.wait(10))
    start(runner, "a")
    began = time.monotonic()
    assert (runner.wait(seconds), runner.busy) == ([], 1)
    assert max(seconds, 0) <= time.monotonic() - began < 5
    release.set()
    assert runner.wait() == [Finished(token="a", outcome=succeeded("true"))]


def test_an_unknown_action_is_not_started():
    """Who starts it has looked before; it is an error to be seen."""
    with pytest.raises(UsageError, match="there is no function for action 'OTHER'"):
        start(runner_of(print), "a", action="OTHER")


def test_a_function_is_given_up_at_its_timeout():
    """Its thread goes on, takes its place, and is known as overrun; what it says later is not heard."""
    release = threading.Event()
    runner = runner_of(lambda _payload, _attempt: release.wait(10), parallel=2)
    began = time.monotonic()
    start(runner, "a", timeout=SHORT)
    assert runner.wait() == [Finished(token="a", outcome=timed_out(SHORT))]
    assert 0.05 <= time.monotonic() - began < 2
    assert (runner.busy, runner.free, runner.overrun) == (0, 1, True)
    release.set()
    until = time.monotonic() + 5
    while runner.overrun and time.monotonic() < until:
        time.sleep(0.001)
    start(runner, "b")
    assert (all_of(runner), runner.free) == ([Finished(token="b", outcome=succeeded("true"))], 2)


def test_the_first_time_out_of_several_is_noticed():
    """An attempt with a long timeout beside it does not hide it."""
    release = threading.Event()
    runner = runner_of(lambda _payload, _attempt: release.wait(10))
    start(runner, "long", timeout=LONG)
    start(runner, "short", timeout=SHORT)
    assert [each.token for each in runner.wait()] == ["short"]
    release.set()
    assert [each.token for each in all_of(runner)] == ["long"]


def test_a_coroutine_that_is_cancelled_is_not_overrun():
    """It has ended by itself within the time that it has for it."""

    async def act(_payload, _attempt):
        await asyncio.sleep(60)

    runner = runner_of(act)
    start(runner, "a", timeout=SHORT)
    assert (runner.wait(), runner.overrun) == ([Finished(token="a", outcome=timed_out(SHORT))], False)


def test_a_coroutine_that_will_not_end_is_given_up_a_second_later():
    """It blocks its loop, so that nothing can cancel it."""
    release = threading.Event()

    async def act(_payload, _attempt):
        release.wait(10)

    runner = runner_of(act)
    start(runner, "a", timeout=timedelta(0))
    assert (runner.wait(), runner.overrun) == ([Finished(token="a", outcome=timed_out(0 * SECOND))], True)
    release.set()
