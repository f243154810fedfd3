"""The SQLite file: made by the first write, checked before it is touched, honest about what ails it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlite_helpers import names_in, raw
from values import DAY, DUE, a_row, at

from slowsched.errors import TimerError
from slowsched.model import Conflict, Control, Unreadable
from slowsched.sqlite_file import APPLICATION_ID, FILE_VERSION, SqliteFile
from slowsched.store.base import Write
from slowsched.store.codec import CONTROL_ATTRIBUTES, ROW_ATTRIBUTES
from slowsched.store.sqlite import SqliteStore
from slowsched.timer.sqlite import SqliteTimer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ELSEWHERE = "move it away, or name another `path` for this environment in slowsched.yaml"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the file will be."""
    return tmp_path / "local.db"


@pytest.fixture
def file(path: Path) -> Iterator[SqliteFile]:
    """Return a file that was never written, and that waits for nobody."""
    with closing(SqliteFile(path, busy_timeout_seconds=0.05)) as file:
        yield file


@pytest.fixture
def store(file: SqliteFile) -> SqliteStore:
    """Return a store in the file, with small pages."""
    return SqliteStore(file, page_rows=3)


# --- the file --------------------------------------------------------------------------------------


def test_reading_where_there_is_no_file_finds_nothing_and_makes_nothing(tmp_path: Path) -> None:
    """A plan changes nothing, not even by making an empty file or its folder."""
    with closing(SqliteFile(tmp_path / "folder" / "local.db")) as file:
        store, timer = SqliteStore(file), SqliteTimer(file)
        found = (store.get("a"), store.get_many(["a"]), list(store.rows()), list(store.agenda(DUE)), store.next_wake())
        assert found == (None, {}, [], [], None)
        assert (store.control(), timer.armed()) == (Control(), None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", ["row", "control", "timer"])
def test_the_first_write_makes_folders_and_file(tmp_path: Path, write: str) -> None:
    """Whichever write comes first; payloads are readable by their owner only, the files beside it too."""
    path = tmp_path / "some where" / "100%?#" / "local.db"
    with closing(SqliteFile(path)) as file:
        store, timer = SqliteStore(file), SqliteTimer(file)
        match write:
            case "row":
                store.put(a_row(), 0)
            case "control":
                store.put_control(Control(version=1), 0)
            case _:
                timer.arm(DUE)
        modes = {beside.name: oct(beside.stat().st_mode & 0o777) for beside in path.parent.iterdir()}
    assert modes == dict.fromkeys(["local.db", "local.db-shm", "local.db-wal"], "0o600")
    assert names_in(path.parent) == ["local.db"]


def test_an_empty_file_is_a_new_one(path: Path, store: SqliteStore) -> None:
    """A file that was only touched, or whose maker was killed, holds nothing yet and takes a first write."""
    path.touch()
    assert (list(store.rows()), path.stat().st_size) == ([], 0)
    store.put(a_row(), 0)
    assert store.get("some task id") == a_row()


def test_the_file_says_what_it_is(path: Path, file: SqliteFile, store: SqliteStore) -> None:
    """Its id, its version and its journal can be told without slowsched; a write is on the disk when answered."""
    store.put(a_row(), 0)
    with raw(path) as connection:
        pragmas = ("application_id", "user_version", "journal_mode", "integrity_check")
        told = [connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas]
    assert told == [APPLICATION_ID, FILE_VERSION, "wal", "ok"]
    with file.transaction() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_each_attribute_has_a_column(store: SqliteStore, file: SqliteFile) -> None:
    """The tables hold what the codec writes; what a summary needs stands before the long texts."""
    store.put(a_row(), 0)
    columns = "SELECT name FROM pragma_table_info(?)"
    assert file.read(columns, ("task_rows",)) == [(name,) for name in ("seq", *ROW_ATTRIBUTES)]
    assert {name for (name,) in file.read(columns, ("control",))} == {"id", *CONTROL_ATTRIBUTES}


def test_a_file_that_was_removed_is_made_anew(path: Path, store: SqliteStore) -> None:
    """A worker that stays notices that its file is gone, and neither reads nor fills one that nobody sees."""
    store.put(a_row(), 0)
    path.unlink()
    assert list(store.rows()) == []
    store.put(a_row(id="b"), 0)
    with closing(SqliteFile(path)) as other:
        assert [row.id for row in SqliteStore(other).rows()] == ["b"]


def test_a_file_that_another_process_made_anew_is_read_anew(path: Path, store: SqliteStore) -> None:
    """What was open is let go of for what is there now."""
    store.put(a_row(), 0)
    path.unlink()
    with closing(SqliteFile(path)) as other:
        SqliteStore(other).put(a_row(id="b"), 0)
        assert [row.id for row in store.rows()] == ["b"]


def test_a_closed_file_is_opened_again_when_it_is_used(file: SqliteFile, store: SqliteStore) -> None:
    """Store and timer may share a file, and close it in any order."""
    timer = SqliteTimer(file)
    store.put(a_row(), 0)
    store.close()
    timer.arm(DUE)
    timer.close()
    assert (store.get("some task id"), timer.armed()) == (a_row(), DUE)


# --- statements ------------------------------------------------------------------------------------


def test_the_agenda_is_read_from_its_index_alone(path: Path, store: SqliteStore) -> None:
    """A wake costs what is due, whatever the table holds: no scan, no sort, no visit of a row."""
    store.put(a_row(), 0)
    statements: list[str] = []

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = sqlite3.connect(*args, **options)
        connection.set_trace_callback(statements.append)
        return connection

    with closing(SqliteFile(path, connect=connect)) as file:
        traced = SqliteStore(file)
        assert (list(traced.agenda(DUE)), traced.next_wake(DUE - DAY)) == (["some task id"], DUE)
    with raw(path) as connection:
        plans = {
            step
            for statement in statements
            if "task_rows" in statement
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        }
    assert {plan.split(" (")[0] for plan in plans} == {"SEARCH task_rows USING COVERING INDEX agenda"}


def test_no_walk_keeps_a_transaction_open(path: Path, store: SqliteStore) -> None:
    """A plan that renders for minutes does not keep the log of writes from being emptied."""
    store.put_many([Write(row=a_row(id=str(number)), expect_version=0) for number in range(9)])
    rows, agenda = store.rows(), store.agenda(DUE)
    next(rows)
    next(agenda)
    with raw(path) as connection:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert busy == 0


def test_a_failed_transaction_leaves_nothing_and_holds_nobody_up(path: Path, file: SqliteFile) -> None:
    """Ctrl-C between two statements of a transaction takes all of it back and gives the lock away."""
    insert = "INSERT INTO timer (id, armed) VALUES (?, 'x')"

    def interrupted() -> None:
        with file.transaction() as connection:
            connection.execute(insert, ("a",))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with closing(SqliteFile(path, busy_timeout_seconds=0)) as other, other.transaction() as connection:
        connection.execute(insert, ("b",))
    assert file.read("SELECT id FROM timer") == [("b",)]


@pytest.mark.parametrize("page_rows", [1, 3, 1000])
def test_pages_do_not_show(path: Path, page_rows: int) -> None:
    """The same rows come whatever the size of a page."""
    rows = {str(number): a_row(id=str(number)) for number in range(7)}
    with closing(SqliteFile(path)) as file:
        store = SqliteStore(file, page_rows=page_rows)
        assert store.put_many([Write(row=row, expect_version=0) for row in rows.values()]) == [None] * 7
        read = (sorted(row.id for row in store.rows()), list(store.agenda(DUE)), store.get_many(list(rows)))
        assert read == (list(rows), list(rows), rows)


# --- damage ----------------------------------------------------------------------------------------


def test_text_that_is_no_unicode_hides_no_other_row(path: Path, store: SqliteStore) -> None:
    """SQLite's binding would refuse the whole page; the row that is damaged says so, the others are there."""
    store.put_many([Write(row=a_row(id=task_id), expect_version=0) for task_id in ("a", "b", "c")])
    with raw(path) as connection:
        connection.execute(
            "UPDATE task_rows SET owner = CAST(x'ff' AS TEXT), spec = CAST(x'ff' AS TEXT) WHERE id = 'b'"
        )
    damaged = Unreadable(id="b", reason="damaged: its `owner` is not text")
    in_full = Unreadable(id="b", reason="damaged: its `spec` is not text")
    assert [row if isinstance(row, Unreadable) else row.id for row in store.rows()] == ["a", damaged, "c"]
    assert store.get_many(["a", "b"]) == {"a": a_row(id="a"), "b": in_full}
    assert store.put(a_row(id="b"), 0) == Conflict(found=in_full)
    assert store.get("a") == a_row(id="a")


@pytest.mark.parametrize("page_rows", [1, 2, 500])
def test_a_key_that_is_no_unicode_hides_nothing_that_comes_after_it(path: Path, page_rows: int) -> None:
    """A damaged id or moment at the end of a page does not end the walk; the row itself is unreadable."""
    with closing(SqliteFile(path)) as file:
        store = SqliteStore(file, page_rows=page_rows)
        store.put_many([Write(row=a_row(id=task_id), expect_version=0) for task_id in ("a", "b", "c", "d", "e")])
        with raw(path) as connection:
            connection.execute("UPDATE task_rows SET id = CAST(x'62ff' AS TEXT) WHERE id = 'b'")
            connection.execute("UPDATE task_rows SET wake_at = CAST(x'31ff' AS TEXT) WHERE id = 'd'")
        shown = [row.id for row in store.rows() if isinstance(row, Unreadable)]
        assert (list(store.agenda(DUE)), store.next_wake(), shown) == (["d", "a", "c", "e"], DUE, ["b\ufffd", "d"])


def test_a_timer_that_holds_no_moment_says_so(path: Path, file: SqliteFile) -> None:
    """It is set anew by the next arm."""
    timer = SqliteTimer(file)
    timer.arm(DUE)
    with raw(path) as connection:
        connection.execute("UPDATE timer SET armed = 'soon'")
    with pytest.raises(TimerError) as caught:
        timer.armed()
    assert str(caught.value) == f"{path} holds no moment for the timer: 'soon': `slowsched arm` sets it anew"
    timer.arm(at("2030-01-01T12:00:00Z"))
    assert timer.armed() == at("2030-01-01T12:00:00Z")


def test_what_ails_the_file_is_an_error_of_the_timer_to_the_timer(path: Path, file: SqliteFile) -> None:
    """Whoever arms expects errors of the timer, with the same way out."""
    path.mkdir()
    timer = SqliteTimer(file)
    for call in (timer.armed, lambda: timer.arm(DUE)):
        with pytest.raises(TimerError) as caught:
            call()
        assert str(caught.value) == f"{path} is a folder: {ELSEWHERE}"
