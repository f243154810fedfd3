"""What every store promises (slowsched/store/base.py), held against each adapter.

Adapters are opened with pages of `PAGE_ROWS`, so that most of what follows is more than a page.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from values import COMMIT, DAY, DUE, HOUR, MINUTE, a_claim, a_row, a_source, an_entry, at, put_all, summary_of

from slowsched.errors import StoreError
from slowsched.model import (
    Conflict,
    Control,
    Digests,
    HistoryOutcome,
    Lock,
    OwnerControl,
    Pause,
    Row,
    State,
    Unreadable,
)
from slowsched.store.base import SPEC_BYTES_MAX, Write
from slowsched.store.codec import ROW_FORMAT, encode_control, encode_row

if TYPE_CHECKING:
    from conftest import StoreAdapter

    from slowsched.store.base import Store

FULL_ROW = a_row(
    payload={"n": 29.99, "big": 2**70, "tiny": -1e-7, "text": "ä\u0000\n", "deep": [[{}], None, True]},
    grace=6 * HOUR,
    description="why",
    team="pricing",
    labels={"campaign": "black-friday", "": "empty"},
    timezone="Europe/Berlin",
    protect=True,
    state=State.RUNNING,
    version=7,
    generation=3,
    attempt=2,
    claim=a_claim(token=None, lease_end=at("2030-01-01T00:01:30.000001Z")),
    history=(
        an_entry(late_seconds=0.123456789, finished_at=DUE, outcome=HistoryOutcome.FAILED, message="no\u2028"),
        an_entry(attempt=2),
    ),
    source=a_source(commit=None),
    requested_at=DUE - DAY,
    deferred_since=DUE - HOUR,
    expires_at=DUE + 400 * DAY,
)

ODD_IDS = [
    " ",
    "some task id",
    "  two  blanks ",
    "'; DROP TABLE task_rows; --",
    '"quoted" \\ `ticked`',
    "100% _ * ?",
    "Grüße",
    "e\u0301",  # another text than é: a store does not normalise
    "\u00e9",
    "👩\u200d👩\u200d👧\u200d👧",
    "日本語",
    "\U0010ffff",
    "#control",
    "control",
    "x" * 128,
    "\U0001f600" * 128,
]


# --- one row ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [*(a_row(state=state) for state in State), FULL_ROW], ids=lambda row: row.state.value)
def test_put_then_get_is_equal(store: Store, row: Row) -> None:
    """What is put is what is got, in every state and with every attribute."""
    assert store.put(row, 0) is None
    assert store.get(row.id) == row


def test_a_row_that_was_never_put_is_none(store: Store) -> None:
    """There is no row before the first write."""
    assert store.get("some task id") is None


@pytest.mark.parametrize("task_id", ODD_IDS)
def test_any_printable_id_is_a_key(store: Store, task_id: str) -> None:
    """An id is compared by its characters, whatever they mean elsewhere."""
    row = a_row(id=task_id)
    put_all(store, row, a_row(id="another"))
    assert (store.get(task_id), sorted(store.agenda(DUE))) == (row, sorted([task_id, "another"]))


def test_ids_that_look_alike_are_different_rows(store: Store) -> None:
    """A composed and a decomposed letter, another case and a trailing blank are other ids."""
    rows = {task_id: a_row(id=task_id) for task_id in ["\u00e9", "e\u0301", "a", "A", "a ", " a"]}
    put_all(store, *rows.values())
    assert store.get_many(list(rows)) == rows


@pytest.mark.parametrize("task_id", ["", "\udcff", "a\ud800"])
def test_an_id_that_no_row_can_have_is_not_found(store: Store, task_id: str) -> None:
    """Bytes of a command line that are no text, or no text at all, name nothing; it is no error to ask."""
    put_all(store, a_row(id="here"))
    assert (store.get(task_id), store.get_many([task_id, "here"])) == (None, {"here": a_row(id="here")})


def test_text_that_is_not_unicode_is_refused_with_its_name(store: Store) -> None:
    """A lone surrogate cannot be stored, and says so, rather than become another text."""
    with pytest.raises(StoreError, match="`owner` is not valid Unicode"):
        store.put(a_row(owner="acme/\ud800"), 0)
    assert store.get("some task id") is None


def test_what_people_read_is_stored_with_a_question_mark_for_what_is_no_text(store: Store) -> None:
    """The name of a file or the message of an exception never costs the outcome that it comes with."""
    row = a_row(source=a_source(path="tasks/\udcff.yaml"), history=(an_entry(message="caf\udce9"),))
    read = replace(row, source=a_source(path="tasks/?.yaml"), history=(an_entry(message="caf?"),))
    assert store.put(row, 0) is None
    assert store.get(row.id) == read


def test_the_largest_spec_is_kept_whole(store: Store) -> None:
    """A task of 64 KB comes back as it was, of letters of one byte and of four."""
    rows = {
        "plain": a_row(id="plain", payload="x" * (SPEC_BYTES_MAX - 300)),
        "emoji": a_row(id="emoji", payload="\U0001f600" * (SPEC_BYTES_MAX // 4 - 100)),
    }
    put_all(store, *rows.values())
    assert store.get_many(["plain", "emoji"]) == rows


def test_a_store_is_closed_at_the_end_of_its_block(adapter: StoreAdapter) -> None:
    """What was written inside the block is there for whoever comes next."""
    with adapter.open() as store:
        store.put(a_row(), 0)
    assert adapter.open().get("some task id") == a_row()


# --- conditions ------------------------------------------------------------------------------------


def test_a_write_on_the_version_found_wins(store: Store) -> None:
    """A row is replaced when nobody wrote since it was read."""
    put_all(store, a_row(version=1))
    assert store.put(a_row(version=2, state=State.DEAD), 1) is None
    assert store.get("some task id") == a_row(version=2, state=State.DEAD)


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_a_write_on_another_version_changes_nothing_and_returns_what_is_there(store: Store, expected: int) -> None:
    """Who loses is told what was found, and need not read again."""
    found = a_row(version=2, attempt=4)
    put_all(store, found)
    assert store.put(a_row(version=expected + 1), expected) == Conflict(found=found)
    assert store.get(found.id) == found


def test_an_update_of_a_row_that_is_gone_finds_none(store: Store) -> None:
    """A version other than 0 never creates a row."""
    assert store.put(a_row(version=2), 1) == Conflict(found=None)
    assert list(store.rows()) == []


def test_attributes_that_are_absent_now_are_gone(store: Store) -> None:
    """A write replaces the whole row: nothing of the one before shines through."""
    put_all(store, FULL_ROW)
    bare = a_row(version=8, state=State.MISSED)
    assert store.put(bare, 7) is None
    assert (store.get(bare.id), list(store.rows()), list(store.agenda(DUE + DAY))) == (bare, [summary_of(bare)], [])


def test_another_store_on_the_same_rows_sees_every_write_at_once(adapter: StoreAdapter) -> None:
    """All reads are strongly consistent, whoever wrote."""
    one, other = adapter.open(), adapter.open()
    put_all(one, a_row(version=1))
    assert other.get("some task id") == a_row(version=1)
    assert other.put(a_row(version=2), 1) is None
    assert (one.get("some task id"), one.put(a_row(version=2), 1)) == (
        a_row(version=2),
        Conflict(found=a_row(version=2)),
    )


def test_of_two_writers_on_one_version_exactly_one_wins(adapter: StoreAdapter) -> None:
    """Of eight that write on the same version the losers are all told of the one that won."""
    stores = [adapter.open() for _ in range(8)]
    for version in range(1, 6):
        rows = [a_row(version=version, owner=f"writer {number}") for number in range(8)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda store, row, v=version - 1: store.put(row, v), stores, rows))
        winner = rows[answers.index(None)]
        assert stores[0].get("some task id") == winner
        assert Counter(map(repr, answers)) == {repr(None): 1, repr(Conflict(found=winner)): 7}


def test_one_store_may_be_shared_by_threads(store: Store) -> None:
    """Five writes by each of eight threads, read again when they lose, are 40 versions."""

    def write_five_times(_: int) -> None:
        for _ in range(5):
            row = store.get("some task id")
            while isinstance(conflict := store.put(replace(row, version=row.version + 1), row.version), Conflict):
                row = conflict.found

    put_all(store, a_row(version=1))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write_five_times, range(8)))
    assert store.get("some task id") == a_row(version=41)


# --- many rows -------------------------------------------------------------------------------------


def test_get_many_returns_the_rows_there_are_by_id(store: Store) -> None:
    """Ids without a row are left out, ids named twice are there once, and pages do not show."""
    rows = {f"task {number}": a_row(id=f"task {number}") for number in range(10)}
    put_all(store, *rows.values())
    asked = ["none", *rows, "task 3", "nothing either"]
    assert store.get_many(asked) == rows


def test_get_many_of_nothing_is_nothing(store: Store) -> None:
    """An empty question has an empty answer."""
    assert store.get_many([]) == {}


def test_put_many_answers_each_write_on_its_own_condition(store: Store) -> None:
    """Some may win, some lose, some be impossible; the answers stand in the order of the writes."""
    put_all(store, a_row(id="b", version=5), a_row(id="d", version=1))
    impossible = a_row(id="c", owner="acme/\ud800")
    *answers, last = store.put_many(
        [
            Write(row=a_row(id="a", version=1), expect_version=0),
            Write(row=a_row(id="b", version=5), expect_version=4),
            Write(row=a_row(id="d", version=2), expect_version=1),
            Write(row=a_row(id="e", version=2), expect_version=1),
            Write(row=a_row(id="f", version=1), expect_version=0),
            Write(row=impossible, expect_version=0),
        ]
    )
    assert answers == [None, Conflict(found=a_row(id="b", version=5)), None, Conflict(found=None), None]
    assert isinstance(last, StoreError)
    assert {key: row.version for key, row in store.get_many("abdef").items()} == {"a": 1, "b": 5, "d": 2, "f": 1}


def test_put_many_of_nothing_answers_nothing(store: Store) -> None:
    """No writes, no answers."""
    assert store.put_many([]) == []


def test_rows_shows_every_row_of_every_owner_and_state(store: Store) -> None:
    """Tombstones and rows of others are there too: whose they are is not the store's business."""
    rows = [
        a_row(id=f"{owner} {state}", owner=owner, state=state, version=9)
        for owner in ("acme/shop/local", "acme/other/production")
        for state in State
    ]
    put_all(store, *rows)
    assert sorted(store.rows(), key=lambda row: row.id) == sorted(map(summary_of, rows), key=lambda row: row.id)


def test_rows_of_an_empty_store_are_none(store: Store) -> None:
    """Nothing was written, nothing is there."""
    assert list(store.rows()) == []


def test_rows_that_are_written_during_a_walk_are_seen_once(store: Store) -> None:
    """A walk over all rows misses none and tells none twice, though each is written meanwhile."""
    ids = [f"task {number}" for number in range(10)]
    put_all(store, *(a_row(id=task_id) for task_id in ids))
    seen = []
    for row in store.rows():
        seen.append(row.id)
        moved = a_row(id=row.id, version=2, wake_at=DUE + DAY, payload="longer than before " * 500)
        assert store.put(moved, 1) is None
    assert sorted(seen) == ids


# --- what cannot be read ---------------------------------------------------------------------------

NEWER = encode_row(a_row(id="newer"), "w") | {"format": ROW_FORMAT + 1}
DAMAGED = encode_row(a_row(id="damaged"), "w") | {"spec": "{", "wake_at": "soon"}

NEWER_REASON = "a newer version of slowsched wrote it (format 2; this one reads 1)"


def test_a_row_of_a_newer_format_is_told_and_holds_up_nobody(adapter: StoreAdapter, store: Store) -> None:
    """It is unreadable wherever rows are read, stays on the agenda, and the others are there."""
    put_all(store, a_row(id="fine"))
    adapter.plant(NEWER)
    newer = Unreadable(id="newer", reason=NEWER_REASON)
    assert store.get("newer") == newer
    assert store.get_many(["newer", "fine"]) == {"newer": newer, "fine": a_row(id="fine")}
    assert sorted(store.rows(), key=lambda row: row.id) == [summary_of(a_row(id="fine")), newer]
    assert (sorted(store.agenda(DUE)), store.next_wake()) == (["fine", "newer"], DUE)


def test_a_damaged_row_is_told_and_holds_up_nobody(adapter: StoreAdapter, store: Store) -> None:
    """Each reader says what it cannot make sense of, and goes on."""
    put_all(store, a_row(id="fine"))
    adapter.plant(DAMAGED)
    in_full = store.get("damaged")
    assert isinstance(in_full, Unreadable)
    assert in_full.reason.startswith("damaged: ")
    assert store.get_many(["damaged", "fine"]) == {"damaged": in_full, "fine": a_row(id="fine")}
    assert sorted(store.rows(), key=lambda row: row.id) == [
        Unreadable(id="damaged", reason="damaged: 'soon' is not a moment"),
        summary_of(a_row(id="fine")),
    ]


def test_a_damaged_moment_does_not_hide_the_next_wake(adapter: StoreAdapter, store: Store) -> None:
    """What cannot be a moment is passed over, or one row would keep the timer from all others."""
    put_all(store, a_row(id="fine"))
    adapter.plant(encode_row(a_row(id="damaged"), "w") | {"wake_at": "0"})
    adapter.plant(encode_row(a_row(id="damaged too"), "w") | {"wake_at": "soon"})
    assert (store.next_wake(), store.next_wake(DUE)) == (DUE, None)


def test_a_write_over_what_cannot_be_read_loses_and_says_so(adapter: StoreAdapter, store: Store) -> None:
    """Nobody makes a row anew where a newer version keeps one."""
    adapter.plant(NEWER)
    assert store.put(a_row(id="newer"), 0) == Conflict(found=Unreadable(id="newer", reason=NEWER_REASON))


# --- the control row -------------------------------------------------------------------------------

CONTROL = Control(
    version=1,
    pause=Pause(by="somebody", at=DUE, reason="stock-taking"),
    not_before=DUE + MINUTE,
    owners={
        "acme/shop/local": OwnerControl(
            lock=Lock(token="t", holder="run 1", url="https://ci.example/1", taken_at=DUE, lease_end=DUE + HOUR),
            applied=COMMIT,
            applying=COMMIT[::-1],
        ),
        "acme/other/production": OwnerControl(
            lock=Lock(token="u", holder="somebody@host", url=None, taken_at=DUE, lease_end=DUE + HOUR)
        ),
        "acme/new/local": OwnerControl(),
    },
)


def test_the_control_row_is_empty_before_the_first_write(store: Store) -> None:
    """It has version 0, and nothing is paused or locked."""
    assert store.control() == Control()


@pytest.mark.parametrize("control", [CONTROL, Control(version=1), Control(version=1, pause=Pause(by="me", at=DUE))])
def test_put_control_then_control_is_equal(store: Store, control: Control) -> None:
    """What is put is what is got."""
    assert store.put_control(control, 0) is None
    assert store.control() == control


def test_control_is_written_on_the_version_found(store: Store) -> None:
    """A write on another version changes nothing and returns what is there; absent values are gone."""
    bare = Control(version=2)
    assert store.put_control(bare, 1) == Control()
    assert store.put_control(CONTROL, 0) is None
    assert store.put_control(Control(version=1), 0) == CONTROL
    assert store.put_control(bare, 1) is None
    assert store.put_control(Control(version=2), 1) == bare
    assert store.control() == bare


def test_the_control_row_is_no_task(store: Store) -> None:
    """It is neither among the rows nor in the way of a task, whatever its id."""
    store.put_control(CONTROL, 0)
    put_all(store, a_row(id="control"))
    assert (list(store.rows()), list(store.agenda(DUE))) == ([summary_of(a_row(id="control"))], ["control"])
    assert (store.control(), store.get("control")) == (CONTROL, a_row(id="control"))


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        ({"format": 2}, "a newer version of slowsched wrote it .* upgrade"),
        ({"owners": "{"}, "the control row is damaged: .* restore"),
    ],
)
def test_a_control_row_that_cannot_be_read_is_an_error(
    adapter: StoreAdapter, store: Store, planted: dict[str, object], message: str
) -> None:
    """Nothing may run beside a pause or a lock that it cannot read."""
    adapter.plant_control(encode_control(CONTROL, "w") | planted)
    with pytest.raises(StoreError, match=message):
        store.control()


# --- names that a plan relies on -------------------------------------------------------------------


def test_digests_are_kept_as_they_were_given(store: Store) -> None:
    """The store compares nothing: digests that another version computed stay what they are."""
    row = a_row(digests=Digests(execution="e", task="t"))
    put_all(store, row)
    assert (store.get(row.id), list(store.rows())) == (row, [summary_of(row)])
