"""Run tests with one fault planted in one module each; a program of its own, started by `statuses`.

It reads a list of `[module, text, replacement, tests]` from stdin as JSON, the tests by their paths from here, and
writes the exit statuses of pytest in the same order; its own arguments are more options for pytest. Each case is a
process forked from this one, which has imported pytest but nothing of slowsched: the fault is in place when the
module is first imported.
"""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
PACKAGE = FOLDER.parent / "slowsched"
PLUGINS = ("-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider")
# What every case would import for itself is imported once, before the forks, as pytest is.
SHARED = ("asyncio", "hypothesis.stateful", "http.server", "ssl", "urllib.request", "xml.etree.ElementTree")
QUICKLY = ("-x", "-q", *PLUGINS, "--assert=plain", "--tb=no")
NOT_APPLICABLE = 100  # the text is not there, or not once: the fault must be described anew
NOT_RUN = 101  # pytest itself did not run
SECONDS_MAX = 60  # a fault may make a loop endless


def statuses(cases: list, *options: str) -> list[int]:
    """Return how pytest ended in each case; a case without a text has no fault."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "PYTEST"))}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # those of others, which no case needs
    program = [sys.executable, __file__, *options]
    answer = subprocess.run(
        program, input=json.dumps(cases), env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(answer.stdout)


class _Planted(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Finds and loads the one module that has the fault, and neither reads nor writes compiled files."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        super().__init__(name, str(path))
        self._source = source

    def find_spec(self, fullname, path, target=None):  # noqa: ARG002 - the finder's signature
        return importlib.machinery.ModuleSpec(fullname, self, origin=self.path) if fullname == self.name else None

    def get_data(self, path: str) -> bytes:  # noqa: ARG002 - the loader's signature
        return self._source.encode()

    def path_stats(self, path: str) -> dict[str, float]:
        raise OSError(path)  # so that no compiled file is looked for


def plant(module: str, text: str, replacement: str) -> bool:
    """Plant a fault in a module that is not imported yet; says whether its text is there, once."""
    path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
    source = path.read_text(encoding="utf-8")
    if text:
        if source.count(text) != 1:
            return False
        source = source.replace(text, replacement)
    sys.meta_path.insert(0, _Planted(f"slowsched.{module}", path, source))
    return True


def _run(module: str, text: str, replacement: str, tests: list[str]) -> int:
    """Run some tests with one fault planted, in this process; with no text, without a fault."""
    if not plant(module, text, replacement):
        return NOT_APPLICABLE
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        return int(pytest.main([*QUICKLY, *sys.argv[1:], *(str(FOLDER / name) for name in tests)]))


def _started(case: list) -> int:
    """Fork a process for one case, and return its number."""
    child = os.fork()
    if child == 0:
        status = NOT_RUN
        signal.alarm(SECONDS_MAX)
        try:
            status = _run(*case)
        finally:
            os._exit(status)
    return child


def main() -> None:
    """Run every case of stdin, as many at once as there are processors."""
    cases = json.load(sys.stdin)
    waiting = list(enumerate(cases))[::-1]
    running: dict[int, int] = {}
    statuses = [NOT_RUN] * len(cases)
    for name in SHARED:
        importlib.import_module(name)
    gc.freeze()  # pytest collects garbage at the end of each case, and shall not look through all of this again
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            index, case = waiting.pop()
            running[_started(case)] = index
        child, ended = os.wait()
        statuses[running.pop(child)] = os.waitstatus_to_exitcode(ended)
    json.dump(statuses, sys.stdout)


if __name__ == "__main__":
    main()
