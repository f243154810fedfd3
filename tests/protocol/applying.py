"""What the tests of apply do again and again."""

from __future__ import annotations

from protocol.fakes import declared
from values import COMMIT, OWNER

from slowsched.apply import ApplyRequest, apply


def applied(scene, tasks, **request):
    """Apply these tasks as COMMIT, and return the report."""
    return apply(scene.backend, tasks, ApplyRequest(**({"commit": COMMIT} | request)))


def results(report):
    """Return what became of each change, by id."""
    return {each.id: each.result.value for each in report.results}


def mine(scene):
    """Return what the control row keeps of the scene's owner."""
    return scene.control().of(OWNER)


def writes(scene):
    """Return the ids of the rows that were written, in order."""
    return [call.split()[1] for call in scene.wire.calls if call.startswith("put") and call != "put control"]


def many(count, **overrides):
    """Return tasks that are due one after the other, the first in an hour."""
    return [declared(f"t{n:02}", minutes=60 + n, **overrides) for n in range(count)]
