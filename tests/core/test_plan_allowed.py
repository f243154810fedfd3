"""What flags and trailers allow, what is imminent, and what fires together (slowsched/limits.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from planning import EDIT, NOW, PASSED, planned, setting
from values import COMMIT, DAY, DUE, HOUR, MINUTE, a_declared, a_row

from slowsched.model import ChangeKind, LateChoice, Refusal, State, Together, Trailer

OLDER = "f" * 40
IMMINENT = timedelta(minutes=10)
NEAR = DUE - 10 * MINUTE  # a moment at which DUE is just imminent


def _trailer(name, value, commit=COMMIT, **more):
    return Trailer(name=f"Slowsched-{name}", value=value, commit=commit, **more)


def _used(plan):
    """Return which trailers of a plan are used, and what the others say."""
    return [each.message or each.used for each in plan.trailers]


def _late(*trailers, **options):
    """Plan one late task."""
    return planned([a_declared(id="a")], [], where=setting(now=PASSED), trailers=trailers, **options)


def _gone(count, *trailers, **options):
    """Plan the deletes of so many pending tasks of which nothing is left but one."""
    rows = [a_row(id=f"gone {n}") for n in range(count)]
    return planned([a_declared(id="new")], rows, trailers=trailers, **options)


def _kinds(plan):
    return {change.id: (change.kind, change.notes) for change in plan.changes}


# --- late ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["run", "skip"])
def test_a_trailer_on_a_late_task(choice):
    """It says what becomes of that one task, and is used."""
    plan = _late(_trailer("Late", f"a {choice}"))
    assert (_kinds(plan), _used(plan)) == ({"a": (ChangeKind.CREATE, (f"late-{choice}",))}, [True])


def test_the_more_exact_word_holds_and_of_two_the_flag():
    """--late ID=run, before a trailer, before --late run."""
    skip = _trailer("Late", "a skip")
    plans = [
        _late(skip, late=LateChoice.RUN),
        _late(skip, late_of={"a": LateChoice.RUN}),
        _late(late=LateChoice.SKIP, late_of={"a": LateChoice.RUN}),
    ]
    assert [(_kinds(plan)["a"][1], _used(plan)) for plan in plans] == [
        (("late-skip",), [True]),
        (("late-run",), [False]),
        (("late-run",), []),
    ]


def test_of_two_commits_the_newer_counts():
    """A branch can correct itself: trailers come newest first."""
    plan = _late(_trailer("Late", "a skip"), _trailer("Late", "a run", OLDER))
    assert (_kinds(plan)["a"][1], _used(plan)) == (("late-skip",), [True, False])


def test_a_trailer_that_is_not_needed():
    """A task that is not late needs no word."""
    plan = planned([a_declared(id="a")], [], trailers=(_trailer("Late", "a run"), _trailer("Supersede", "a")))
    assert (_kinds(plan)["a"][1], _used(plan)) == ((), [False, False])


def test_a_trailer_that_names_nobody_is_told_and_refuses_nothing():
    """The task may be one of another environment; a flag with the same id is a mistake of who typed it."""
    plan = planned(
        [a_declared(id="some task")], [], trailers=(_trailer("Supersede", "some tusk"),), strict_trailers=True
    )
    assert (_used(plan), plan.refused) == (["there is no task 'some tusk' here: did you mean 'some task'?"], ())


def test_a_trailer_that_is_not_understood_refuses_a_branch_only():
    """There it can be mended; on main it is told, and allows nothing."""
    wrong = _trailer("Lat", "a run", message="there is no trailer 'Slowsched-Lat'")
    refusal = Refusal(
        code="trailer",
        message="commit 0123456789ab says Slowsched-Lat: a run: there is no trailer 'Slowsched-Lat'",
    )
    plans = [_late(wrong, strict_trailers=strict) for strict in (False, True)]
    assert [(plan.refused, plan.trailers, _kinds(plan)["a"][0]) for plan in plans] == [
        ((), (wrong,), ChangeKind.LATE),
        ((refusal,), (wrong,), ChangeKind.LATE),
    ]


def test_what_is_not_understood_allows_nothing():
    """A line amid other text that would fit is told and has no effect, on numbers and on ids alike."""
    stray = {"message": "it stands amid other text"}
    running = planned(
        [a_declared(id="a", **EDIT)],
        [a_row(id="a", state=State.RUNNING)],
        trailers=(_trailer("Supersede", "a", **stray),),
    )
    deleting = _gone(4, _trailer("Allow-Deletes", "4", **stray), _trailer("Allow-Deletes", "four", **stray))
    assert (_kinds(running)["a"][0], [each.code for each in deleting.refused]) == (
        ChangeKind.CONFLICT,
        ["too-many-deletes"],
    )


# --- deletes, protected and running tasks ----------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "used"),
    [(["4"], [True]), (["5"], [False]), (["9", "4"], [False, True])],
    ids=["exact", "another", "one for each environment"],
)
def test_a_trailer_with_a_number_of_deletes(said, used):
    """The exact number allows, and a commit may name one for each environment."""
    plan = _gone(4, *(_trailer("Allow-Deletes", number) for number in said))
    assert (_used(plan), plan.refused == ()) == (used, any(used))


def test_the_number_of_a_flag_replaces_that_of_a_trailer():
    """Who applies knows what is live now."""
    plans = [_gone(4, _trailer("Allow-Deletes", said), allow_deletes=flag) for said, flag in (("4", 3), ("3", 4))]
    assert [(_used(plan), [each.code for each in plan.refused]) for plan in plans] == [
        ([False], ["too-many-deletes"]),
        ([False], []),
    ]


def test_the_number_of_the_newer_commit_counts():
    """An older number was said of another plan."""
    plan = _gone(4, _trailer("Allow-Deletes", "3"), _trailer("Allow-Deletes", "4", OLDER))
    assert (_used(plan), [each.code for each in plan.refused]) == ([False, False], ["too-many-deletes"])


def test_a_number_under_the_limits_is_not_needed():
    """Three deletes need no word."""
    assert _used(_gone(3, _trailer("Allow-Deletes", "3"))) == [False]


@pytest.mark.parametrize("flags", [{}, {"allow_protected": frozenset({"a"})}], ids=["alone", "beside a flag"])
def test_a_trailer_on_a_protected_task(flags):
    """It allows the delete; beside a flag it is not needed."""
    plan = planned([a_declared()], [a_row(id="a", protect=True)], trailers=(_trailer("Allow-Protected", "a"),), **flags)
    assert (plan.refused, _used(plan)) == ((), [not flags])


def test_each_of_several_tasks_has_a_trailer_that_counts():
    """A newer word on one task takes nothing from the words on others, nor from another word on the same."""
    rows = [a_row(id="a", protect=True, state=State.RUNNING), a_row(id="b", protect=True)]
    said = [("Supersede", "a"), ("Allow-Protected", "a"), ("Allow-Protected", "b")]
    trailers = [_trailer(*each) for each in said] + [_trailer(*each, OLDER) for each in said]
    plan = planned([a_declared()], rows, trailers=tuple(trailers))
    assert (plan.refused, _used(plan)) == ((), [True, True, True, False, False, False])


@pytest.mark.parametrize("flags", [{}, {"supersede": frozenset({"a"})}], ids=["alone", "beside a flag"])
def test_a_trailer_on_a_running_task(flags):
    """It supersedes the attempt; beside a flag it is not needed."""
    row = a_row(id="a", state=State.RUNNING)
    plan = planned([a_declared(id="a", **EDIT)], [row], trailers=(_trailer("Supersede", "a"),), **flags)
    assert (_kinds(plan), _used(plan)) == ({"a": (ChangeKind.UPDATE, ("superseded",))}, [not flags])


# --- imminent --------------------------------------------------------------------------------------


def _imminent(declared, row, now=NEAR, **options):
    plan = planned(declared, [row], where=setting(now=now), **({"imminent": IMMINENT} | options))
    return plan, [each.message for each in plan.refused]


@pytest.mark.parametrize(
    ("declared", "word"), [([a_declared(**EDIT)], "update"), ([a_declared(id="another")], "delete")]
)
def test_what_is_imminent_is_touched_only_when_named(declared, word):
    """An edit or a delete within the time is refused, until a flag or a trailer names the task."""
    message = (
        f"'some task id' fires at 2030-01-01T00:00:00Z, within 10m: say --allow-imminent 'some task id' to {word} it"
    )
    plan, refused = _imminent(declared, a_row())
    assert (refused, [each.code for each in plan.refused]) == ([message], ["imminent"])
    assert plan.needed == ("Slowsched-Allow-Imminent: some task id",)
    assert _imminent(declared, a_row(), allow_imminent=frozenset({"some task id"}))[1] == []
    said, refused = _imminent(declared, a_row(), trailers=(_trailer("Allow-Imminent", "some task id"),))
    assert (refused, _used(said)) == ([], [True])
    both = {"trailers": said.trailers, "allow_imminent": frozenset({"some task id"})}
    said, refused = _imminent(declared, a_row(), **both)
    assert (refused, _used(said)) == ([], [False])


@pytest.mark.parametrize(
    ("row", "now", "imminent"),
    [
        (a_row(), NEAR - timedelta(seconds=1), IMMINENT),
        (a_row(), NEAR, timedelta(0)),
        (a_row(), DUE + DAY, timedelta(0)),
        (a_row(wake_at=DUE + HOUR, attempt=1), NEAR, IMMINENT),
        (a_row(state=State.DEAD), NEAR, IMMINENT),
        (a_row(state=State.SUCCEEDED), NEAR, IMMINENT),
    ],
    ids=["a second before", "no limit", "no limit and overdue", "its retry is far", "dead", "done"],
)
def test_what_is_not_imminent(row, now, imminent):
    """Only what the worker would take within the time, and only where the config asks for it."""
    assert _imminent([a_declared(**EDIT)], row, now, imminent=imminent)[1] == []


def test_a_running_task_is_named_by_supersede_and_need_not_be_named_twice():
    """The stronger word was said of it."""
    row = a_row(state=State.RUNNING, wake_at=NEAR + MINUTE)
    plan, refused = _imminent([a_declared(**EDIT)], row, supersede=frozenset({row.id}))
    assert (refused, _kinds(plan)[row.id][1]) == ([], ("superseded",))


def test_creates_and_edits_of_the_policy_are_never_imminent():
    """A new task takes nothing away, and a policy edit leaves the execution untouched."""
    plan, refused = _imminent([a_declared(team="another"), a_declared(id="new")], a_row())
    assert (refused, [change.kind.value for change in plan.changes]) == ([], ["create", "update"])


def test_the_digest_does_not_know_what_is_imminent():
    """It is time alone that makes a task imminent."""
    digests = {_imminent([a_declared(**EDIT)], a_row(), now)[0].digest for now in (NOW, NEAR)}
    assert len(digests) == 1


# --- what would be needed --------------------------------------------------------------------------


def test_the_trailers_that_would_allow_the_rest():
    """A line for each refusal, late task and conflict; nothing for what no word changes."""
    late = a_declared(id="late", due=NOW - DAY)
    done = a_row(id="done", state=State.SUCCEEDED)
    rows = [a_row(id=f"gone {n}") for n in range(4)]
    rows += [a_row(id="kept", protect=True), a_row(id="runs", state=State.RUNNING), done]
    declared = [late, a_declared(id="runs", **EDIT), a_declared(id="done", **(EDIT | {"due": NOW - DAY}))]
    plan = planned(declared, rows)
    assert plan.needed == (
        "Slowsched-Allow-Deletes: 5",
        "Slowsched-Allow-Protected: kept",
        "Slowsched-Late: late run|skip",
        "Slowsched-Supersede: runs",
    )


# --- together --------------------------------------------------------------------------------------


def test_tasks_that_fire_in_the_same_minute():
    """Counted are all that fire then, those that stay as they are too, once the plan adds to them."""
    files = [a_declared(id=each) for each in ("same", "new", "newer")]
    files += [a_declared(id="alone", due=DUE + HOUR), a_declared(id="up", due=DUE + DAY - timedelta(seconds=30))]
    files += [a_declared(id="up too", due=DUE + DAY - timedelta(seconds=10))]
    plan = planned(files, [a_row(id="same")])
    assert plan.together == (Together(minute=DUE, tasks=3), Together(minute=DUE + DAY, tasks=2))


def test_what_the_plan_does_not_touch_is_not_told():
    """Tasks that have fired together before are no news, nor are edits of the policy and deletes."""
    rows = [a_row(id="a"), a_row(id="b"), a_row(id="c"), a_row(id="gone")]
    files = [a_declared(id="a"), a_declared(id="b"), a_declared(id="c", team="another")]
    assert planned(files, rows).together == ()


def test_a_late_task_that_is_skipped_fires_never():
    """It has no wake."""
    assert _late(late=LateChoice.SKIP).together == ()


def test_with_an_error_in_a_file_the_trailers_are_only_told():
    """There are no changes, and so nothing is used."""
    trailer = _trailer("Late", "a run")
    plan = planned([], [], trailers=(trailer,), problems=())
    assert plan.trailers == (replace(trailer, message="there is no task 'a' here"),)
