"""What the SQLite file refuses or cannot do, and that each message says what, where and the way out."""

from __future__ import annotations

import os
import resource
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from sqlite_helpers import error_of, errors_of, names_in, raw
from values import a_row

from slowsched.sqlite_file import APPLICATION_ID, FILE_VERSION, SqliteFile
from slowsched.store.base import Write
from slowsched.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ELSEWHERE = "move it away, or name another `path` for this environment in slowsched.yaml"
PERMISSION = "let this user read and write the file and its folder, where SQLite keeps -wal and -shm files beside it"
NEWER = "use the newer slowsched, or another `path` for this environment in slowsched.yaml"
RESTORE = "restore it from a backup, or save what can be saved with `sqlite3 FILE .recover`"
FULL = "make room on the disk, and run it again; nothing of this write was kept"
FAILING = "see what ails the disk; nothing of this write was kept"
BUSY = "find who holds it (fuser, lsof), and try again"


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


# --- files that are refused ------------------------------------------------------------------------


def newer_file(path: Path) -> None:
    with closing(SqliteFile(path)) as file:
        SqliteStore(file).put(a_row(), 0)
    with raw(path) as connection:
        connection.execute(f"PRAGMA user_version = {FILE_VERSION + 1}")


def other_table(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")


def other_application(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("PRAGMA application_id = 7")


def text_file(path: Path) -> None:
    path.write_text("version: 1\n" * 200, encoding="utf-8")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            newer_file,
            f"{{path}} was written by another version of slowsched (format 2; this one: 1): {NEWER}",
        ),
        (other_table, f"{{path}} is a SQLite file of another program: {ELSEWHERE}"),
        (other_application, f"{{path}} is a SQLite file of another program: {ELSEWHERE}"),
        (text_file, f"{{path}} is not a file of slowsched (SQLite: file is not a database): {ELSEWHERE}"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_not_touched(
    path: Path, file: SqliteFile, make: Callable[[Path], None], message: str
) -> None:
    """It is read as little as it is written, and nothing is left beside it."""
    make(path)
    before = path.read_bytes()
    assert errors_of(file) == (message.format(path=path),) * 2
    file.close()
    assert (names_in(path.parent), path.read_bytes()) == (["local.db"], before)


def test_a_file_that_a_newer_version_takes_over_is_not_written_any_more(path: Path, store: SqliteStore) -> None:
    """A worker that has it open notices at its next write."""
    store.put(a_row(), 0)
    with raw(path) as connection:
        connection.execute(f"PRAGMA user_version = {FILE_VERSION + 1}")
    assert "another version of slowsched (format 2; this one: 1)" in error_of(lambda: store.put(a_row(version=2), 1))


def test_a_damaged_file_says_how_to_save_it(path: Path, file: SqliteFile, store: SqliteStore) -> None:
    """Pages that were overwritten are found when they are read."""
    store.put_many([Write(row=a_row(id=str(number)), expect_version=0) for number in range(50)])
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    message = f"{path} is damaged (SQLite: database disk image is malformed): {RESTORE}"
    assert errors_of(file) == (message, message)


def test_a_file_without_its_tables_is_an_error_too(path: Path, file: SqliteFile) -> None:
    """What SQLite says is passed on where there is nothing better to say."""
    with raw(path) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {FILE_VERSION}")
    message = f"{path} cannot be used (SQLite: no such table: task_rows)"
    assert errors_of(file) == (message, message)


def test_a_folder_or_a_pipe_in_its_place_is_refused(path: Path, file: SqliteFile) -> None:
    """Neither is opened; a pipe would wait for ever."""
    path.mkdir()
    assert errors_of(file) == (f"{path} is a folder: {ELSEWHERE}",) * 2
    path.rmdir()
    os.mkfifo(path)
    assert errors_of(file) == (f"{path} is no regular file: {ELSEWHERE}",) * 2


def test_a_file_in_place_of_its_folder_is_refused(tmp_path: Path) -> None:
    """Reading says it as well: it is no empty store."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "local.db"
    assert errors_of(SqliteFile(path)) == (f"{path} cannot be reached: Not a directory: {ELSEWHERE}",) * 2


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The first write fails where the reads found nothing."""
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    path = tmp_path / "dangling" / "local.db"
    store = SqliteStore(SqliteFile(path))
    assert list(store.rows()) == []
    message = f"{path} cannot be made: {path.parent}: File exists: {ELSEWHERE}"
    assert error_of(lambda: store.put(a_row(), 0)) == message


@pytest.mark.parametrize(
    ("name", "reason"), [("x" * 300, "File name too long"), ("a\0b", "no file can have this name")]
)
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    """Whatever the file system says against it."""
    path = tmp_path / name
    assert errors_of(SqliteFile(path)) == (f"{path} cannot be reached: {reason}: {ELSEWHERE}",) * 2


# --- locks, permissions, disks ---------------------------------------------------------------------


def test_a_file_that_another_process_writes_for_too_long_is_busy(path: Path, store: SqliteStore) -> None:
    """Writes wait, then say who is in the way; reads go on beside the writer."""
    store.put(a_row(), 0)
    with raw(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        message = f"{path} is locked by another process (SQLite: database is locked): {BUSY}"
        assert error_of(lambda: store.put(a_row(id="b"), 0)) == message
        answers = store.put_many([Write(row=a_row(id="b"), expect_version=0)] * 4)
        assert [str(answer) for answer in answers] == [message] * 4
        assert store.get("some task id") == a_row()
    assert store.put(a_row(id="b"), 0) is None


def test_a_new_file_that_others_make_for_too_long_is_busy(path: Path, file: SqliteFile) -> None:
    """The wait for the switch to WAL has an end."""
    path.touch()
    with raw(path) as holder:
        holder.execute("BEGIN IMMEDIATE")
        message = f"{path} is locked by another process (SQLite: database is locked): {BUSY}"
        assert error_of(lambda: SqliteStore(file).put(a_row(), 0)) == message


def test_a_new_file_that_others_make_at_the_same_time_is_waited_for(path: Path) -> None:
    """SQLite does not wait when it switches to WAL: the switch is tried again until the other is done."""
    path.touch()
    refused = []
    with raw(path) as holder:
        holder.execute("BEGIN IMMEDIATE")

        class Contended(sqlite3.Connection):
            """A connection that finds the file locked once."""

            def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
                try:
                    return super().execute(statement, *parameters)
                except sqlite3.OperationalError:
                    refused.append(statement)
                    holder.execute("ROLLBACK")
                    raise

        with closing(SqliteFile(path, connect=partial(sqlite3.connect, factory=Contended))) as file:
            assert SqliteStore(file).put(a_row(), 0) is None
    assert refused == ["PRAGMA journal_mode = WAL"]


def test_a_place_without_shared_memory_is_refused(path: Path) -> None:
    """Where SQLite cannot keep WAL, a network drive perhaps, several processes would not be safe."""

    def connect(name: str, **options: Any) -> sqlite3.Connection:
        return sqlite3.connect(f"{name}&vfs=unix-dotfile", **options)

    with closing(SqliteFile(path, connect=connect)) as file:
        assert error_of(lambda: SqliteStore(file).put(a_row(), 0)) == (
            f"{path} lies where SQLite cannot share memory between processes (a network drive?): "
            "name a `path` on a local disk for this environment in slowsched.yaml"
        )


def test_a_thread_waits_for_its_turn_no_longer_than_for_another_process(path: Path, file: SqliteFile) -> None:
    """One that hangs does not take the others with it."""
    store = SqliteStore(file)
    with file.transaction(), ThreadPoolExecutor(1) as pool:
        message = pool.submit(error_of, lambda: store.get("a")).result()
    assert message == f"{path} is still in use by another thread: try again"


def small_disk(*args: Any, **options: Any) -> sqlite3.Connection:
    """Connect to a file that cannot have more than 30 pages."""
    connection = sqlite3.connect(*args, **options)
    connection.execute("PRAGMA max_page_count = 30")
    return connection


def test_a_full_disk_keeps_nothing_of_the_transaction_and_all_before_it(path: Path) -> None:
    """Every write of the transaction that failed is answered; the others stand, and it can be run again."""
    writes = [Write(row=a_row(id=str(number), payload="x" * 20_000), expect_version=0) for number in range(9)]
    full = f"{path} cannot grow (SQLite: database or disk is full): {FULL}"
    with closing(SqliteFile(path, connect=small_disk)) as file:
        store = SqliteStore(file, page_rows=3)
        answers = store.put_many(writes)
        assert [answer and str(answer) for answer in answers] == [None] * 3 + [full] * 6
        assert sorted(row.id for row in store.rows()) == ["0", "1", "2"]
    with closing(SqliteFile(path)) as file:
        again = SqliteStore(file, page_rows=3).put_many(writes)
    assert [answer if answer is None else answer.found for answer in again] == [
        *(write.row for write in writes[:3]),
        *[None] * 6,
    ]


def test_a_disk_that_fails_keeps_nothing_of_the_transaction(path: Path, store: SqliteStore) -> None:
    """An error of the file system in the middle of a write is told, and the file is as it was."""
    store.put(a_row(), 0)
    large = a_row(id="b", payload="x" * 60_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        message = error_of(lambda: store.put(large, 0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert message == f"{path} cannot be read or written (SQLite: disk I/O error): {FAILING}"
    assert (store.get("b"), store.get("some task id"), store.put(large, 0)) == (None, a_row(), None)


@pytest.fixture
def own_folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder of a user whom permissions concern, which this process is meanwhile."""
    if os.geteuid():
        yield tmp_path
        return
    nobody = 65_534
    with TemporaryDirectory() as name:
        os.chown(name, nobody, nobody)
        os.seteuid(nobody)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)


def test_a_file_that_may_not_be_written_is_read(own_folder: Path) -> None:
    """A write says what permission it needs."""
    path = own_folder / "local.db"
    with closing(SqliteFile(path)) as file:
        SqliteStore(file).put(a_row(), 0)
    path.chmod(0o400)
    with closing(SqliteFile(path)) as file:
        store = SqliteStore(file)
        assert store.get("some task id") == a_row()
        assert error_of(lambda: store.put(a_row(id="b"), 0)) == (
            f"{path} cannot be written (SQLite: attempt to write a readonly database): {PERMISSION}"
        )


def test_a_folder_that_may_not_be_written_is_refused(own_folder: Path) -> None:
    """SQLite reads nothing where it cannot keep its files beside the file."""
    path = own_folder / "local.db"
    with closing(SqliteFile(path)) as file:
        SqliteStore(file).put(a_row(), 0)
    own_folder.chmod(0o500)
    try:
        with closing(SqliteFile(path)) as file:
            assert [
                message.startswith(f"{path} cannot be ") and message.endswith(PERMISSION) for message in errors_of(file)
            ] == [True, True]
        new = own_folder / "new.db"
        assert error_of(lambda: SqliteStore(SqliteFile(new)).put(a_row(), 0)) == (
            f"{new} cannot be made: Permission denied: {ELSEWHERE}"
        )
    finally:
        own_folder.chmod(0o700)


def test_a_folder_that_may_not_be_entered_is_refused(own_folder: Path) -> None:
    """Whether there is a file cannot even be told: that is no empty store."""
    path = own_folder / "closed" / "local.db"
    path.parent.mkdir(mode=0)
    assert errors_of(SqliteFile(path)) == (f"{path} cannot be reached: Permission denied: {ELSEWHERE}",) * 2
