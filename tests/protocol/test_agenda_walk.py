"""One walk over the agenda: which rows are read, what is written, and what is told of it (slowsched/agenda_walk.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from protocol.fakes import NOW, a_scene, due
from values import MINUTE

from slowsched.agenda_walk import AGENDA_PAGE, CONFLICT_TRIES, Agenda, Walk, Walked
from slowsched.errors import StoreError
from slowsched.lifecycle import take


def walked(scene, *, places=1000, can_finish=lambda *_: True):
    """Walk once over what is due, knowing every action."""
    agenda = Agenda(scene.backend, lambda _action: True)
    return agenda.walk(Walk(now=NOW, places=places, can_finish=can_finish))


def a_walk(*written, **overrides):
    """Return what a walk came to, with nothing amiss unless told otherwise."""
    fields = {"unreadable": (), "errors": (), "failure": None, "complete": True, "conflicts": 0}
    return Walked(written=written, **(fields | overrides))


def claims(*rows, first=1):
    """Return the claims of rows, with the tokens that a scene gives out in turn."""
    return [take(row, now=NOW, token=f"token{n}", known=True) for n, row in enumerate(rows, start=first)]


def many(count):
    """Return so many rows that are due one after the other."""
    return [due(n - count, id=f"task {n:03}") for n in range(count)]


def edited(scene, row):
    """Let another process edit the policy of a row, as it stands."""
    found = scene.row(row.id)
    scene.put(replace(found, version=found.version + 1, task=replace(found.task, team="new")))


def test_what_is_due_is_claimed():
    """Each row that is due is claimed, earliest first, and stands in the store as it is told."""
    rows = [due(-1, id="b"), due(id="a")]
    scene = a_scene(*rows, due(1, id="later"))
    result = walked(scene)
    assert result == a_walk(*claims(*rows))
    assert [scene.row(each) for each in "ba"] == [each.row for each in result.written]


def test_a_page_is_written_before_the_next_is_read():
    """What is claimed is not kept waiting until all is read."""
    scene = a_scene(*many(AGENDA_PAGE + 1))
    assert walked(scene) == a_walk(*claims(*many(AGENDA_PAGE + 1)))
    puts = [f"put task {n:03} running" for n in range(AGENDA_PAGE + 1)]
    assert scene.wire.calls == ["read agenda", "read rows", *puts[:50], "read rows", puts[50]]


@pytest.mark.parametrize(("beyond", "complete"), [(0, True), (1, False)])
def test_without_a_free_place_nothing_more_is_read(beyond, complete):
    """A page that fills the places is the last; whether anything else is due, the agenda alone tells."""
    scene = a_scene(*many(AGENDA_PAGE + beyond))
    assert walked(scene, places=AGENDA_PAGE) == a_walk(*claims(*many(AGENDA_PAGE + beyond)[:50]), complete=complete)
    assert scene.wire.calls.count("read rows") == 1


def test_what_has_no_place_is_left():
    """The earliest get the places, and the walk is told to be incomplete."""
    rows = many(3)
    assert walked(a_scene(*rows), places=2) == a_walk(*claims(*rows[:2]), complete=False)


def test_what_cannot_be_finished_is_left_and_hides_nothing():
    """A task that is too long for this wake waits for another; what comes after it is claimed."""
    rows = many(3)
    result = walked(a_scene(*rows), can_finish=lambda row, _now: row.id != "task 001")
    (first,), (third,) = claims(rows[0]), claims(rows[2], first=3)
    assert result == a_walk(first, third, complete=False)


def test_what_somebody_else_was_quicker_with_is_nothing():
    """Between the agenda and the rows one was claimed and one vanished: the others are handled as ever."""
    rows = many(3)
    scene = a_scene(*rows)

    def meanwhile():
        scene.put(take(rows[0], now=NOW, token="other", known=True).row)
        del scene.store.items[rows[1].id]

    scene.wire.on("read rows", meanwhile)
    assert walked(scene) == a_walk(*claims(rows[2], first=2))


def test_a_row_that_cannot_be_written_is_told_and_hides_nothing():
    """The backend refused one row: the walk goes on, and is not complete."""
    rows = many(3)
    scene = a_scene(*rows)
    scene.wire.fail("put task 001", StoreError("no answer"))
    first, _, third = claims(*rows)
    assert walked(scene) == a_walk(first, third, errors=("task 001: no answer",), complete=False)


def test_every_lost_write_is_counted():
    """Two rows were edited between reading and writing: both are claimed as they were found, at the second try."""
    rows = many(2)
    scene = a_scene(*rows)
    scene.wire.on("put task 000", lambda: [edited(scene, row) for row in rows])
    result = walked(scene)
    assert (result.conflicts, result.written) == (2, tuple(claims(*[_as_edited(row) for row in rows], first=3)))


def _as_edited(row):
    return replace(row, version=row.version + 1, task=replace(row.task, team="new"))


def test_a_claim_whose_answer_was_lost_is_the_row_as_it_stands_now():
    """It had won, and an edit of the policy came after it: what runs is told with the edit."""
    scene = a_scene(due())
    scene.store.lose_answers(1, meanwhile=lambda: edited(scene, due()))
    result = walked(scene)
    assert (result.conflicts, [each.row for each in result.written]) == (1, [scene.row()])


def test_a_row_that_is_always_lost_is_given_up():
    """It is due as before, for whoever writes it so often; nothing is told of it but the loss."""
    scene = a_scene(due())
    scene.wire.before = lambda name: edited(scene, due()) if name.startswith("put") else None
    assert walked(scene) == a_walk(conflicts=1)
    assert scene.row().version == 1 + 1 + CONFLICT_TRIES


def test_a_store_that_falls_silent_ends_the_walk():
    """What was written before stands in the result, and beside it why there is no more."""
    rows = many(AGENDA_PAGE + 1)
    scene = a_scene(*rows)
    silence = StoreError("no answer")
    scene.wire.fail("read rows", silence, nth=2)
    assert walked(scene) == a_walk(*claims(*rows[:AGENDA_PAGE]), failure=silence, complete=False)


@pytest.mark.parametrize(("standing", "again"), [(True, []), (False, ["some task id"])])
def test_a_standing_clock_shows_a_row_once(standing, again):
    """What was handled at a moment that does not pass is not handled at it again; else what is due is due."""
    scene = a_scene(due(), standing=standing)
    agenda = Agenda(scene.backend, lambda _action: True)
    agenda.walk(Walk(now=NOW, places=1, can_finish=lambda *_: True))
    assert list(agenda.due(NOW + 60 * MINUTE)) == again
