"""Load every task file with PyYAML's C loader, and write one row each with sqlite3 in one durable transaction."""

from __future__ import annotations

import json
import os
import sqlite3
import sys

import yaml


def main(folder: str, database: str) -> None:
    """Load all files of `folder` and write them to a new `database`."""
    documents = []
    for place, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(place, name), "rb") as file:  # noqa: PTH118, PTH123 - a floor has no pathlib
                documents.append(yaml.load(file, Loader=yaml.CSafeLoader))
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE rows (id TEXT PRIMARY KEY, wake_at TEXT, spec TEXT) WITHOUT ROWID")
    connection.execute("CREATE INDEX agenda ON rows (wake_at, id)")
    rows = ((task["id"], task["due"].isoformat(), json.dumps(task, default=str)) for task in documents)
    connection.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)
    connection.execute("COMMIT")
    connection.close()
    print(len(documents))


main(sys.argv[1], sys.argv[2])
