"""Run tests against modules with one planted fault each; a program of its own, started by test_mutations.py.

It reads a list of `[module, text, replacement, test files]` from stdin as JSON, and writes the exit statuses of
pytest in the same order. One process for each, forked from this one, which has imported pytest but nothing of
slowsched: the fault is in place when the module is first imported.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
from collections import deque
from contextlib import redirect_stdout
from pathlib import Path

import hypothesis.stateful  # noqa: F401 - imported once, before the forks, as pytest is
import pytest

FOLDER = Path(__file__).parent
PACKAGE = FOLDER.parent.parent / "slowsched"
QUICKLY = ("-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "--hypothesis-profile=planted")
NOT_APPLICABLE = 100  # the text is not there, or not once: the fault must be described anew
SECONDS_MAX = 60  # a fault may make a loop endless
NOT_RUN = 101  # pytest itself did not run


class _PlantedLoader(importlib.machinery.SourceFileLoader):
    """Loads one module with its fault, and neither reads nor writes compiled files."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        super().__init__(name, str(path))
        self._source = source

    def get_data(self, path: str) -> bytes:  # noqa: ARG002 - the loader's signature
        return self._source.encode()

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError(path)


class _Planted(importlib.abc.MetaPathFinder):
    """Finds the one module that has the fault."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name = name
        self._loader = _PlantedLoader(name, path, source)

    def find_spec(self, fullname, path, target=None):  # noqa: ARG002 - the finder's signature
        if fullname != self._name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self._loader, origin=self._loader.path)


def _run(module: str, text: str, replacement: str, files: list[str]) -> int:
    """Run the tests of some files with one fault planted, in this process."""
    path = PACKAGE / f"{module}.py"
    source = path.read_text(encoding="utf-8")
    if text and source.count(text) != 1:
        return NOT_APPLICABLE
    sys.meta_path.insert(
        0, _Planted(f"slowsched.{module}", path, source.replace(text, replacement) if text else source)
    )
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        return int(pytest.main([*QUICKLY, *(str(FOLDER / name) for name in files)]))


def _started(module: str, text: str, replacement: str, files: list[str]) -> int:
    """Fork a process that runs one fault, and return its number."""
    child = os.fork()
    if child == 0:
        status = NOT_RUN
        signal.alarm(SECONDS_MAX)
        try:
            status = _run(module, text, replacement, files)
        finally:
            os._exit(status)
    return child


def _status(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main() -> None:
    """Run every fault of stdin in a process of its own, as many at once as there are processors."""
    running: deque[int] = deque()
    statuses: list[int] = []
    for fault in json.load(sys.stdin):
        if len(running) == (os.cpu_count() or 1):
            statuses.append(_status(running.popleft()))
        running.append(_started(*fault))
    statuses += map(_status, running)
    json.dump(statuses, sys.stdout)


if __name__ == "__main__":
    main()
