"""The SQLite file between real processes: no update is lost, and SIGKILL loses nothing that was answered.

This file is also what the processes run: `python test_sqlite_processes.py FUNCTION ARGUMENT...`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from values import DUE, MINUTE, a_row

from slowsched.model import Row
from slowsched.sqlite_file import SqliteFile
from slowsched.store.base import Write
from slowsched.store.sqlite import SqliteStore
from slowsched.timer.sqlite import SqliteTimer

if TYPE_CHECKING:
    from collections.abc import Iterator


PROCESSES = 4
INCREMENTS = 40
KILLS = 12
ROWS_A_BATCH = 12


@contextmanager
def the_store(path: str | Path) -> Iterator[SqliteStore]:
    """Open the store in the file."""
    with closing(SqliteFile(Path(path))) as file:
        yield SqliteStore(file)


# --- what the processes do -------------------------------------------------------------------------


def wait_for_the_start() -> None:
    """Tell that all is imported, and wait for the word, so that all begin at once."""
    print("ready", flush=True)  # noqa: T201 - this is what the parent reads
    sys.stdin.readline()


def increment(path: str, times: str) -> None:
    """Raise the row's `attempt` by one, `times` times, reading again whenever another was quicker."""
    with the_store(path) as store:
        wait_for_the_start()
        for _ in range(int(times)):
            row = store.get("some task id")
            while isinstance(row, Row):
                raised = replace(row, version=row.version + 1, attempt=row.attempt + 1)
                conflict = store.put(raised, row.version)
                row = None if conflict is None else conflict.found


def create(path: str, name: str) -> None:
    """Make the file with a first write, of a row or of the timer."""
    wait_for_the_start()
    with closing(SqliteFile(Path(path))) as file:
        SqliteTimer(file).arm(DUE + int(name) * MINUTE)
        assert SqliteStore(file).put(a_row(id=f"by {name}"), 0) is None


def fill(path: str, first: str) -> None:
    """Write batch after batch of large rows from number `first` on, telling each that was answered."""
    number = int(first)
    with the_store(path) as store:
        while True:
            batch = [a_row(id=f"row {number + offset}", payload="x" * 60_000) for offset in range(ROWS_A_BATCH)]
            answers = store.put_many([Write(row=row, expect_version=0) for row in batch])
            assert answers == [None] * ROWS_A_BATCH
            number += ROWS_A_BATCH
            print(number, flush=True)  # noqa: T201 - the acknowledgement


# --- what the tests see of them --------------------------------------------------------------------


def start(function: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process that runs one of the functions above."""
    command = [sys.executable, __file__, function, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run_at_once(processes: list[subprocess.Popen[str]]) -> list[int]:
    """Let processes that wait for the word go, and return how they ended."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    return [process.returncode for process in processes]


def test_no_increment_of_any_process_is_lost(tmp_path: Path) -> None:
    """Four processes that raise one number forty times each make it 160."""
    path = tmp_path / "local.db"
    with the_store(path) as store:
        store.put(a_row(), 0)
        ended = run_at_once([start("increment", path, INCREMENTS) for _ in range(PROCESSES)])
        total = PROCESSES * INCREMENTS
        assert (ended, store.get("some task id")) == ([0] * PROCESSES, a_row(version=1 + total, attempt=total))


def test_processes_that_make_the_file_at_once_all_write_to_it(tmp_path: Path) -> None:
    """Folders, file, tables and WAL are made once, whoever comes first; no first write is lost."""
    for round_number in range(3):
        path = tmp_path / str(round_number) / "folder" / "local.db"
        ended = run_at_once([start("create", path, name) for name in range(PROCESSES)])
        with the_store(path) as store, closing(SqliteFile(path)) as file:
            rows = sorted(row.id for row in store.rows())
            armed = SqliteTimer(file).armed()
            journal = file.read("PRAGMA journal_mode")
        assert (ended, rows, journal) == ([0] * PROCESSES, [f"by {name}" for name in range(PROCESSES)], [("wal",)])
        assert armed in [DUE + name * MINUTE for name in range(PROCESSES)]


def test_a_process_that_is_killed_in_the_middle_of_a_write_loses_nothing_it_was_answered(tmp_path: Path) -> None:
    """Killed twelve times at random moments: the file is sound, batches are whole, what was answered is there."""
    path, random = tmp_path / "local.db", Random(3)  # noqa: S311 - a seed, so that a failure can be repeated
    written = 0
    for _ in range(KILLS):
        process = start("fill", path, written)
        assert process.stdout is not None
        answered = [int(process.stdout.readline())]
        try:
            process.wait(timeout=random.uniform(0, 0.05))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=60)
        answered += map(int, rest.split())
        assert process.returncode == -signal.SIGKILL
        with closing(SqliteFile(path)) as file:
            assert file.read("PRAGMA integrity_check") == [("ok",)]
            numbers = sorted(int(row.id.removeprefix("row ")) for row in SqliteStore(file).rows())
        written = len(numbers)
        assert numbers == list(range(written))
        assert written % ROWS_A_BATCH == 0
        assert answered[-1] <= written <= answered[-1] + ROWS_A_BATCH


def test_a_reader_is_not_held_up_by_a_writer_of_another_process(tmp_path: Path) -> None:
    """While one process fills the file another reads whole rows and whole batches."""
    path = tmp_path / "local.db"
    process = start("fill", path, 0)
    try:
        assert process.stdout is not None
        answered = [int(process.stdout.readline()) for _ in range(3)]
        with the_store(path) as store:
            read = store.get_many([f"row {number}" for number in range(answered[-1])])
            counts = [sum(1 for _ in store.rows()) for _ in range(5)]
    finally:
        process.kill()
        process.communicate(timeout=60)
    assert len(read) == answered[-1] == 3 * ROWS_A_BATCH
    assert counts == sorted(counts)


if __name__ == "__main__":
    {"increment": increment, "create": create, "fill": fill}[sys.argv[1]](*sys.argv[2:])
