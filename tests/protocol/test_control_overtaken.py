"""A write of the control row whose answer is lost, and that is overtaken before it is sent again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from protocol.fakes import a_scene, due
from values import OWNER

from slowsched.control import ApplyLock, Holder, pause, resume
from slowsched.errors import UsageError
from slowsched.store.memory import MemoryStore


class LosesOneAnswer(MemoryStore):
    """A store whose next write of the control row is answered by nobody, overtaken, and then sent again."""

    armed = False

    def _write_control(self, item, expect_version):
        if not self.armed:
            return super()._write_control(item, expect_version)
        self.armed = False
        assert super()._write_control(dict(item), expect_version) is None
        found = self.control()
        other = replace(found.of("acme/other/local"), applied="theirs")
        overtaken = replace(found, version=found.version + 1, owners={**found.owners, "acme/other/local": other})
        assert self.put_control(overtaken, found.version) is None
        return super()._write_control(item, expect_version)


def overtaken_scene():
    """Return a scene whose store loses an answer when it is told to."""
    scene = a_scene(due(600))
    store = LosesOneAnswer()
    return store, replace(scene.backend, store=store)


def test_a_lock_that_was_taken_unanswered_and_overtaken_is_ones_own():
    """The holder knows its token, whoever wrote the control row since; it does not wait for itself."""
    store, backend = overtaken_scene()
    lock = ApplyLock(backend, Holder(name="me"))
    store.armed = True
    assert lock.take().lock is not None
    lock.release()
    assert (store.control().of(OWNER).lock, store.control().of("acme/other/local").applied) == (None, "theirs")


def test_a_pause_and_a_resume_that_were_overtaken_have_been_done():
    """Neither tells the person that somebody else was quicker, and resume goes on to arm."""
    store, backend = overtaken_scene()
    store.armed = True
    paused = pause(backend, by="me", reason=None)
    assert store.control().pause == paused
    store.armed = True
    resume(backend)
    assert (store.control().pause, store.control().not_before) == (None, backend.clock())
    with pytest.raises(UsageError, match="it is not paused"):
        resume(backend)
