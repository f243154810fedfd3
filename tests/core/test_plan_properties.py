"""What holds of every plan: a finished task is finished, a plan carried out leaves nothing, order is nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planning import applier, planned, setting
from values import DAY, DUE, HOUR, MINUTE, OWNER, a_declared, a_place, a_row

from slowsched import lifecycle
from slowsched.model import ChangeKind, LateChoice, Outcome, OutcomeKind, Plan, State, Unreadable

SECOND = timedelta(seconds=1)
MICRO = timedelta(microseconds=1)
TEN_YEARS = 3653 * DAY
LEADS = st.sampled_from([timedelta(0), timedelta(seconds=90)])


# --- a finished task -------------------------------------------------------------------------------

DECLARED = a_declared(grace=HOUR, own_grace=True)


def _finished():
    """Return the row of a task that went all the way: created, claimed at its due, succeeded."""
    created = lifecycle.create(DECLARED, applier())
    taken = lifecycle.take(created, now=DUE, token="mine", known=True)
    assert taken is not None
    outcome = Outcome(kind=OutcomeKind.SUCCEEDED)
    end = DUE + 2 * SECOND
    settled = lifecycle.settle(taken.row, "mine", outcome, now=end, soonest=end, jitter=0.0)
    assert settled is not None
    return settled


FINISHED = _finished()
NOTHING = {each.value: 0 for each in ChangeKind} | {"unchanged": 0, "done": 1}

MOMENTS = [
    *(DUE + each for each in (-MICRO, timedelta(0), MICRO, SECOND, MINUTE, HOUR, HOUR + MICRO, DAY)),
    *(DUE + TEN_YEARS * n / 40 for n in range(1, 41)),
    DUE + lifecycle.RETENTION,
    DUE + lifecycle.RETENTION + MICRO,
]


def _plan_of_nothing(where):
    return Plan(
        environment="local",
        owner=where.owner,
        commit=where.commit,
        now=where.now,
        digest=planned([], []).digest,
        changes=(),
        counts=NOTHING,
        timer_before=where.armed,
        timer_after=where.armed,
    )


@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_plan_over_a_finished_task__at_moments_of_ten_years__nothing_to_do(now):
    """From its due to ten years later a finished task is done: no change, no refusal, the timer as it is."""
    where = setting(now=now, armed=DUE)
    assert planned([DECLARED], [FINISHED], where=where) == _plan_of_nothing(where)


@given(
    st.timedeltas(min_value=timedelta(0), max_value=TEN_YEARS),
    LEADS,
    st.sampled_from([None, *LateChoice]),
    st.booleans(),
)
def test_plan_over_a_finished_task__at_any_moment__nothing_to_do(after, lead, late, supersede):
    """At any moment, on any timer, whatever is said of what is late or runs."""
    where = setting(now=DUE + after, lead=lead)
    named = frozenset({FINISHED.id}) if supersede else frozenset()
    assert planned([DECLARED], [FINISHED], where=where, late=late, supersede=named) == _plan_of_nothing(where)


# --- any repository over any table -----------------------------------------------------------------

IDS = st.sampled_from([f"task {n}" for n in range(6)])
dues = st.sampled_from([DUE + each for each in (-DAY, -MINUTE, timedelta(0), MINUTE, DAY)])
payloads = st.sampled_from([{}, {"n": 1}, {"n": True}, {"n": None}, {"n": {"a": [1]}}])
graces = st.sampled_from([None, MINUTE, 2 * DAY])


@st.composite
def _declared_tasks(draw):
    task_id, grace = draw(IDS), draw(graces)
    return a_declared(
        id=task_id,
        due=draw(dues),
        payload=draw(payloads),
        grace=grace,
        own_grace=grace is not None and draw(st.booleans()),
        protect=draw(st.booleans()),
        place=a_place(path=f"tasks/{task_id}.yaml", line=draw(st.integers(min_value=1, max_value=9))),
    )


@st.composite
def _rows(draw, owner=OWNER):
    state = draw(st.sampled_from(State))
    due, grace = draw(dues), draw(graces)
    row = a_row(
        id=draw(IDS),
        due=due,
        payload=draw(payloads),
        grace=grace,
        protect=draw(st.booleans()),
        state=state,
        version=5,
        owner=owner,
    )
    if state in {State.SUCCEEDED, State.MISSED} and draw(st.booleans()):
        return replace(row, expires_at=due + DAY)
    if draw(st.integers(min_value=0, max_value=9)) == 0:
        return Unreadable(id=row.id, reason="format 2")
    return row


repositories = st.lists(_declared_tasks(), max_size=6, unique_by=lambda each: each.task.id)
tables = st.lists(_rows(), max_size=6, unique_by=lambda each: each.id)
shared_tables = st.lists(_rows() | _rows(owner="another"), max_size=6, unique_by=lambda each: each.id)
words = st.fixed_dictionaries(
    {
        "late": st.sampled_from([None, *LateChoice]),
        "supersede": st.sampled_from([frozenset(), frozenset({"task 0", "task 1"})]),
    }
)
moments = st.sampled_from([DUE - each for each in (2 * DAY, DAY, MINUTE, timedelta(0), -MINUTE, -2 * DAY)])


def _named(files, rows, options):
    """Name only what somebody has."""
    known = {each.task.id for each in files} | {each.id for each in rows}
    return options | {"supersede": options["supersede"] & known}


def _carried_out(plan, rows):
    """Return the table after every change of a plan that has a row to write."""
    table = {each.id: each for each in rows}
    for change in plan.changes:
        if change.result is not None:
            before = table.get(change.id)
            assert change.result.version == (0 if before is None else before.version) + 1
            table[change.id] = change.result
    return list(table.values())


@given(repositories, tables, words, moments, LEADS)
def test_a_plan_carried_out_leaves_nothing_but_what_blocks_itself(files, rows, options, now, lead):
    """Planned again over its own result, a plan has no changes; late and conflicting tasks stay what they are."""
    where, said = setting(now=now, lead=lead), _named(files, rows, options)
    first = planned(files, rows, where=where, **said)
    second = planned(files, _carried_out(first, rows), where=where, **said)
    blocked = [each for each in first.changes if each.kind in {ChangeKind.LATE, ChangeKind.CONFLICT}]
    assert second.changes == tuple(blocked)


@given(repositories, tables, words, moments, LEADS)
def test_a_plan_carried_out_is_what_is_desired(files, rows, options, now, lead):
    """Afterwards every file that did not block itself has its row, and every other row of ours is at rest."""
    where, said = setting(now=now, lead=lead), _named(files, rows, options)
    plan = planned(files, rows, where=where, **said)
    blocked = {each.id for each in plan.changes if each.result is None}
    table = {each.id: each for each in _carried_out(plan, rows)}
    desired = {each.task.id: each.task for each in files}
    assert {each: table[each].task for each in desired if each not in blocked} == {
        each: task for each, task in desired.items() if each not in blocked
    }
    left = [row for row in table.values() if row.id not in desired | dict.fromkeys(blocked)]
    assert all(isinstance(row, Unreadable) or (row.wake_at is None and row.expires_at is not None) for row in left)


@given(repositories, shared_tables, words, moments, st.randoms(use_true_random=False))
def test_the_order_of_files_and_rows_is_nothing(files, rows, options, now, random):
    """The same files and rows in another order are the same plan, to its last byte."""
    where, said = setting(now=now), _named(files, rows, options)
    shuffled = random.sample(files, len(files)), random.sample(rows, len(rows))
    first, second = planned(files, rows, where=where, **said), planned(*shuffled, where=where, **said)
    assert second == first


@given(repositories, tables, words, moments)
def test_counts_add_up(files, rows, options, now):
    """Every file is a change, unchanged or done; every change is counted once."""
    plan = planned(files, rows, where=setting(now=now), **_named(files, rows, options))
    with_file = sum(1 for each in plan.changes if each.declared is not None)
    assert (
        with_file + plan.counts["unchanged"] + plan.counts["done"],
        sum(plan.counts[each.value] for each in ChangeKind),
    ) == (len(files), len(plan.changes))


@given(repositories, tables, words, moments, LEADS)
def test_no_change_starts_a_task_early_or_nearer_than_the_timer_can(files, rows, options, now, lead):
    """Nobody sets a wake before due, nor nearer than soonest; what is not run by a word stays within its grace."""
    where, said = setting(now=now, lead=lead), _named(files, rows, options)
    results = [each.result for each in planned(files, rows, where=where, **said).changes if each.result is not None]
    before = {each.id: each for each in rows}
    set_anew = [
        each for each in results if each.wake_at and each.wake_at != getattr(before.get(each.id), "wake_at", None)
    ]
    assert all(each.wake_at >= max(each.task.due, where.applier.soonest) for each in set_anew)


@given(repositories, tables, moments, moments)
def test_time_alone_makes_no_change_but_late_and_conflict(files, rows, one, other):
    """Two plans of the same files and rows differ by time in what is late, and in nothing else."""

    def kinds(now):
        return {each.id: each.kind for each in planned(files, rows, where=setting(now=now)).changes}

    first, second = kinds(one), kinds(other)
    differing = {frozenset({first.get(each), second.get(each)}) for each in first.keys() | second.keys()}
    assert {each for each in differing if len(each) > 1} <= {
        frozenset({ChangeKind.CREATE, ChangeKind.LATE}),
        frozenset({ChangeKind.UPDATE, ChangeKind.LATE}),
    }


@given(repositories, shared_tables, words, moments)
def test_no_plan_touches_a_row_of_another_owner(files, rows, options, now):
    """A row of another owner is never changed, and an id that both have stops the plan."""
    plan = planned(files, rows, where=setting(now=now), **_named(files, rows, options))
    theirs = {each.id for each in rows if not isinstance(each, Unreadable) and each.owner != OWNER}
    clash = any(each.task.id in theirs for each in files)
    assert (theirs & {each.id for each in plan.changes}, bool(plan.problems)) == (set(), clash)
    assert not clash or plan.changes == ()
