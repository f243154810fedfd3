"""Plans of plans: a part carried out leaves the rest as it was, and where a file stands is nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from planning import planned, setting
from test_plan_properties import LEADS, moments, repositories, tables, words
from values import a_place

from slowsched.model import Change, Row, Unreadable


def _asked(files, rows, options):
    """Return the options that name only what somebody has."""
    known = {each.task.id for each in files} | {each.id for each in rows}
    return options | {"supersede": options["supersede"] & known}


def _written(rows, changes):
    """Return the table after these changes."""
    table = {each.id: each for each in rows} | {each.id: each.result for each in changes if each.result is not None}
    return list(table.values())


def _alone(changes):
    """Return changes without the note that says of a pair of changes that it is a rename."""
    return tuple(
        replace(each, notes=tuple(note for note in each.notes if not note.startswith("renamed-from:")))
        for each in changes
    )


def _without_place(change: Change):
    """Return what a change does, wherever its file stands."""
    result = change.result if change.result is None else replace(change.result, source=None)
    return change.id, change.kind, change.notes, change.fields, change.message, result


@given(repositories, tables, words, st.builds(setting, now=moments, lead=LEADS), st.sets(st.integers(0, 5)))
def test_a_part_carried_out_leaves_the_rest_as_it_was(files, rows, options, where, chosen):
    """After some of the changes the plan has exactly the others, and then the same end is reached."""
    said = _asked(files, rows, options)
    whole = planned(files, rows, where=where, **said)
    part = [each for index, each in enumerate(whole.changes) if index in chosen and each.result is not None]
    table = _written(rows, part)
    rest = planned(files, table, where=where, **said)
    done = {each.id for each in part}
    assert _alone(rest.changes) == _alone(each for each in whole.changes if each.id not in done)
    end = sorted(_written(rows, whole.changes), key=lambda row: row.id)
    assert sorted(_written(table, rest.changes), key=lambda row: row.id) == end


@given(repositories, tables, words, moments, LEADS)
def test_a_moved_file_changes_nothing(files, rows, options, now, lead):
    """The same tasks in other files are the same plan, with the same digest; and once applied, no plan at all."""
    where, said = setting(now=now, lead=lead), _asked(files, rows, options)
    moved = [
        replace(each, place=a_place(path=f"elsewhere/{index}.yml", line=99, column=7))
        for index, each in enumerate(files)
    ]
    here, there = planned(files, rows, where=where, **said), planned(moved, rows, where=where, **said)
    assert (there.digest, list(map(_without_place, there.changes))) == (
        here.digest,
        list(map(_without_place, here.changes)),
    )
    applied = planned(moved, _written(rows, here.changes), where=where, **said)
    assert [each for each in applied.changes if each.result is not None] == []


@given(repositories, tables, moments, LEADS)
def test_what_is_taken_out_and_brought_back_is_what_it_was(files, rows, now, lead):
    """All files gone and back: every task that had a plain row has the same task again, never an older generation."""
    where = setting(now=now, lead=lead)
    first = _written(rows, planned(files, rows, where=where).changes)
    gone = _written(first, planned([], first, where=where).changes)
    back = {row.id: row for row in _written(gone, planned(files, gone, where=where).changes)}
    before = {row.id: row for row in first}
    wanted = {each.task.id: each.task for each in files}
    for task_id, row in back.items():
        if isinstance(row, Unreadable):
            continue
        assert isinstance(before[task_id], Row)
        assert row.generation >= before[task_id].generation
        assert row.version >= before[task_id].version
        if task_id in wanted and row.expires_at is None:
            assert row.task in (wanted[task_id], before[task_id].task)
