"""The one file of the local backend: opened lazily, made by the first write, and never trusted blindly.

The SQLite adapters of the store and of the timer share it; they know their statements, this module
knows the file. Reading where there is no file finds nothing and makes nothing. Every error of SQLite
and of the file system becomes a `StoreError` that says what, where and what to do.

Several processes may use the file: it is in WAL mode, every write is one `BEGIN IMMEDIATE` transaction
that is on the disk when it is answered, and no read transaction outlives its statement. Several threads
may use one `SqliteFile`: it has one connection, and a lock around it. It is not carried over a fork.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from stat import S_ISDIR, S_ISREG
from threading import Lock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from slowsched.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["APPLICATION_ID", "BUSY_TIMEOUT_SECONDS", "FILE_VERSION", "SqliteFile"]

APPLICATION_ID = int.from_bytes(b"slow", "big")  # what file(1) and SQLite know the file by
FILE_VERSION = 1  # of the tables below; raised with any change to them

# A call may wait for its turn in this process, for the switch to WAL and for another process's write:
# three times this stays within the minute that the port of the store allows.
BUSY_TIMEOUT_SECONDS = 15.0
_WAL_RETRY_SECONDS = 0.01

_FILE_MODE = 0o600  # payloads are nobody else's business

# Closing any descriptor of a file lets go of all locks that this process holds on it, SQLite's included:
# nobody in this process may find the file while `_make` has it open.
_MAKING = Lock()

# What a summary needs stands first, so that reading it need not follow a long row to its end. `seq`
# gives the pages of a walk over all rows a key that never changes.
_SCHEMA = f"""
CREATE TABLE task_rows (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT, state TEXT, task_digest TEXT, wake_at TEXT, expires_at INTEGER, format INTEGER,
    version INTEGER NOT NULL, write_id TEXT, digest TEXT, generation INTEGER, attempt INTEGER,
    action TEXT, due TEXT, requested_at TEXT, deferred_since TEXT, claim TEXT, source TEXT, history TEXT, spec TEXT
);
CREATE INDEX agenda ON task_rows (wake_at, id) WHERE wake_at IS NOT NULL;
CREATE TABLE control (
    id TEXT PRIMARY KEY,
    format INTEGER, version INTEGER NOT NULL, write_id TEXT, paused TEXT, not_before TEXT, owners TEXT,
    worker TEXT
);
CREATE TABLE timer (id TEXT PRIMARY KEY, armed TEXT NOT NULL);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FILE_VERSION};
"""

_INSPECT = """
SELECT (SELECT application_id FROM pragma_application_id),
       (SELECT user_version FROM pragma_user_version),
       (SELECT count(*) FROM sqlite_master)
"""

_ELSEWHERE = "move it away, or name another `path` for this environment in slowsched.yaml"
_PERMISSION = "let this user read and write the file and its folder, where SQLite keeps -wal and -shm files beside it"
_BUSY = ("is locked by another process", "find who holds it (fuser, lsof), and try again")

_EXPLANATIONS = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", _PERMISSION),
    sqlite3.SQLITE_PERM: ("cannot be opened", _PERMISSION),
    sqlite3.SQLITE_READONLY: ("cannot be written", _PERMISSION),
    sqlite3.SQLITE_FULL: ("cannot grow", "make room on the disk, and run it again; nothing of this write was kept"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "see what ails the disk; nothing of this write was kept"),
    sqlite3.SQLITE_NOTADB: ("is not a file of slowsched", _ELSEWHERE),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "restore it from a backup, or save what can be saved with `sqlite3 FILE .recover`",
    ),
}


class SqliteFile:
    """The file at `path`; `connect` is `sqlite3.connect` but for tests that need a worse disk."""

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect,
    ) -> None:
        self.path = path
        self._busy_timeout_seconds = busy_timeout_seconds
        self._connect = connect
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None  # device and inode behind the connection
        self._has_tables = False
        self._may_write = False

    def read(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a statement; none where there is no file yet.

        Text that is not Unicode comes as bytes, so that one damaged row does not hide the others.

        Raises:
            StoreError: the file cannot be read, or is not one of this version's.
        """
        with self._turn():
            found = self._find()
            if found is None:
                self._drop()
                return []
            connection = self._connected(found)
            if not self._has_tables and self._is_blank(connection):
                return []
            try:
                return connection.execute(statement, parameters).fetchall()
            except sqlite3.OperationalError as error:
                if hasattr(error, "sqlite_errorcode"):
                    raise
            # Not SQLite's own error, but that of its binding: it met text that is no text.
            connection.text_factory = _text_or_bytes
            try:
                return connection.execute(statement, parameters).fetchall()
            finally:
                connection.text_factory = str

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside a write transaction; all of it is on the disk at the end, or nothing.

        Raises:
            StoreError: the file cannot be made or written, or is not one of this version's.
        """
        with self._turn():
            connection = self._open_to_write()
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.text_factory = _text_or_bytes
                if self._is_blank(connection):
                    for statement in filter(str.strip, _SCHEMA.split(";")):
                        connection.execute(statement)
                yield connection
                connection.execute("COMMIT")
                connection.text_factory = str
            except BaseException:
                self._drop()  # which rolls back
                raise

    def close(self) -> None:
        """Let go of the connection; it is opened again when used again."""
        with self._turn():
            self._drop()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Take this thread's turn at the connection, and explain what SQLite says."""
        if not self._lock.acquire(timeout=self._busy_timeout_seconds):
            raise StoreError(f"{self.path} is still in use by another thread", hint="try again")
        try:
            yield
        except sqlite3.Error as error:
            raise self._explain(error) from error
        finally:
            self._lock.release()

    def _connected(self, found: tuple[int, int]) -> sqlite3.Connection:
        """Return a connection to the file that was found."""
        if self._connection is not None and self._opened == found:
            return self._connection
        self._drop()  # the file was moved away or replaced: do not go on in one that nobody sees
        self._connection = self._connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=self._busy_timeout_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        self._opened = found
        return self._connection

    def _open_to_write(self) -> sqlite3.Connection:
        """Return a connection to write with, making the file when there is none."""
        connection = self._connected(self._find_or_make())
        if not self._may_write:
            self._is_blank(connection)  # a file that is not ours is not touched
            connection.execute("PRAGMA synchronous = FULL")
            self._switch_to_wal(connection)
            self._may_write = True
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._has_tables = self._may_write = False
        if connection is not None:
            connection.close()

    def _find(self) -> tuple[int, int] | None:
        """Return which file is there: device and inode; None when there is none."""
        with _MAKING:
            return self._identity()

    def _find_or_make(self) -> tuple[int, int]:
        with _MAKING:
            return self._identity() or self._make()

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.path} cannot be reached: {_reason(error)}", hint=_ELSEWHERE) from error
        if not S_ISREG(found.st_mode):
            what = "a folder" if S_ISDIR(found.st_mode) else "no regular file"
            raise StoreError(f"{self.path} is {what}", hint=_ELSEWHERE)
        return found.st_dev, found.st_ino

    def _make(self) -> tuple[int, int]:
        """Make the folders and an empty file; the first transaction makes the tables."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(str(self.path), os.O_CREAT | os.O_RDWR, _FILE_MODE)
        except OSError as error:
            where = "" if error.filename == str(self.path) else f"{error.filename}: "
            raise StoreError(f"{self.path} cannot be made: {where}{_reason(error)}", hint=_ELSEWHERE) from error
        made = os.fstat(descriptor)
        os.close(descriptor)
        return made.st_dev, made.st_ino

    def _is_blank(self, connection: sqlite3.Connection) -> bool:
        """Say whether nothing was ever written to the file; refuse one that is not ours to use."""
        application, version, tables = connection.execute(_INSPECT).fetchone()
        if (application, version) == (APPLICATION_ID, FILE_VERSION):
            self._has_tables = True
            return False
        if application == APPLICATION_ID:
            raise StoreError(
                f"{self.path} was written by another version of slowsched (format {version}; this one: {FILE_VERSION})",
                hint="use the newer slowsched, or another `path` for this environment in slowsched.yaml",
            )
        if application or version or tables:
            raise StoreError(f"{self.path} is a SQLite file of another program", hint=_ELSEWHERE)
        return True

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """Make readers and the writer independent; SQLite does not wait for its turn here, so this does."""
        give_up = monotonic() + self._busy_timeout_seconds
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
                break
            except sqlite3.OperationalError as error:
                if _primary_code(error) != sqlite3.SQLITE_BUSY or monotonic() >= give_up:
                    raise
                sleep(_WAL_RETRY_SECONDS)
        if mode != "wal":
            raise StoreError(
                f"{self.path} lies where SQLite cannot share memory between processes (a network drive?)",
                hint="name a `path` on a local disk for this environment in slowsched.yaml",
            )

    def _explain(self, error: sqlite3.Error) -> StoreError:
        what, hint = _EXPLANATIONS.get(_primary_code(error), ("cannot be used", None))
        return StoreError(f"{self.path} {what} (SQLite: {error})", hint=hint)


def _primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's code without its detail; 1 (any error) where the binding itself raised."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else "no file can have this name"


def _text_or_bytes(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored
