"""Runs the command line in processes that may be killed at an exact point; a program of its own, started by `Launcher`.

It imports all of slowsched once. Each request, a line of JSON on stdin, is a process forked from this one: hundreds of
kills cost as much as a few starts. The answer, a line on stdout, says how each command ended, and which points were
reached. Its arguments say whether AWS is used, and are then faults to plant: a module of slowsched, a text that stands
in it once, and its replacement.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = Path(__file__).resolve().parent
FOREIGN = ("SLOWSCHED_", "GITHUB_", "NO_COLOR", "COVERAGE_", "AWS_")
# What the commands import when they run, and so each process anew.
IMPORTED = """
action_loader apply aws_backend cli.apply cli.loading cli.main cli.pause cli.plan cli.planning cli.progress cli.worker
commit_trailers decision git json_reader json_schema live_plan plan_file rehearsal render.text_plan render.text_reports
repository sqlite_file store.sqlite timer.sqlite wake wiring
"""


Point: TypeAlias = tuple[str, int]  # its name, and the how manieth of that name it is in its process


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended: the status of each command that it came to the end of, whether it was killed, its points."""

    statuses: list[int]
    killed: bool
    points: list[str]
    said: str

    @property
    def point(self) -> str:
        """Where it was killed; from outside, that is nowhere in particular."""
        return self.points[-1] if self.killed and self.points else "at a random moment"


class Launcher:
    """A launcher that runs; `launched` starts and ends it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self,
        folder: Path,
        *commands: Sequence[str],
        variables: dict[str, str],
        kill_at: Point | None = None,
        kill_after: float | None = None,
        later: timedelta = timedelta(0),
    ) -> Ended:
        """Run commands one after the other in a process whose clock is so much `later`.

        It is killed when it reaches a point, or from outside after so many seconds.
        """
        request = {
            "folder": str(folder),
            "commands": commands,
            "variables": variables,
            "kill_at": kill_at,
            "kill_after": kill_after,
            "later": later.total_seconds(),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the launcher has ended"
        return Ended(**json.loads(answer))


def environment(folder: Path) -> dict[str, str]:
    """Return this process's variables without those that would change what slowsched does, or measure it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}


@contextlib.contextmanager
def launched(folder: Path, *faults: tuple[str, str, str], aws: bool = False) -> Iterator[Launcher]:
    """Run a launcher until the block ends; what it says besides goes into a file in the folder."""
    words = ["aws" if aws else "local", *(word for fault in faults for word in fault)]
    with (folder / "launcher.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, str(FOLDER / "launcher.py"), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(folder),
            start_new_session=True,
        )
    try:
        yield Launcher(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


# --- the program -----------------------------------------------------------------------------------


def plant(module: str, text: str, replacement: str) -> None:
    """Import a module of slowsched with another text in the place of one."""
    spec = importlib.util.find_spec(f"slowsched.{module}")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    if source.count(text) != 1:
        raise SystemExit(f"slowsched/{module}: {text!r} stands there {source.count(text)} times, not once")
    planted = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = planted
    exec(compile(source.replace(text, replacement), spec.origin, "exec"), planted.__dict__)  # noqa: S102 - our own text
    parent, _, name = spec.name.rpartition(".")
    setattr(importlib.import_module(parent), name, planted)


def main() -> None:
    """Answer every request of stdin."""
    import points  # type: ignore[import-not-found]  # noqa: PLC0415 - it lies beside this program

    aws, *words = sys.argv[1:]
    points.count_statements()
    if aws == "aws":
        points.count_requests()
    for at in range(0, len(words), 3):
        plant(*words[at : at + 3])
    for module in ("humanize", *(f"slowsched.{name}" for name in IMPORTED.split())):
        importlib.import_module(module)
    if aws == "aws":
        _keep_models()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(_answered(json.loads(line))), flush=True)  # noqa: T201 - this is what the caller reads


def _keep_models() -> None:
    """Have botocore read the models of its services once, before the forks, and not once a client."""
    from boto3.session import Session  # noqa: PLC0415 - after the points
    from botocore.loaders import JSONFileLoader  # noqa: PLC0415

    JSONFileLoader.load_file = functools.cache(JSONFileLoader.load_file)
    for service in ("dynamodb", "events"):
        Session(region_name="eu-central-1").client(service).close()


def _answered(request: dict[str, Any]) -> dict[str, Any]:
    """Fork a process for a request, and tell how it ended."""
    said = Path(request["folder"], "said.txt")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run(request, said, writing)
    os.close(writing)
    if request["kill_after"] is not None and not select.select([reading], [], [], request["kill_after"])[0]:
        os.kill(child, signal.SIGKILL)  # it is ours until it is waited for
    with open(reading, encoding="utf-8") as pipe:  # noqa: PTH123 - a pipe has no path
        told = pipe.read()
    _, ended = os.waitpid(child, 0)
    lines = [json.loads(line) for line in told.splitlines()]
    return {
        "statuses": [line for line in lines if isinstance(line, int)],
        "killed": os.waitstatus_to_exitcode(ended) == -signal.SIGKILL,
        "points": next((line for line in lines if isinstance(line, list)), []),
        "said": said.read_text(encoding="utf-8", errors="replace"),
    }


def _run(request: dict[str, Any], said: Path, writing: int) -> None:
    """Be the process: run the commands, tell the status of each and the points, and end."""
    import points  # noqa: PLC0415 - it lies beside this program

    def tell(value: object) -> None:
        os.write(writing, (json.dumps(value) + "\n").encode())

    try:
        os.chdir(request["folder"])
        os.environ.update(request["variables"])
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for stream in (1, 2):
            os.dup2(output, stream)
        _set_clock(timedelta(seconds=request["later"]))
        points.begin(request["kill_at"], tell)
        for words in request["commands"]:
            tell(_status(words))
        tell(points.reached())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _set_clock(later: timedelta) -> None:
    from slowsched import clock, wiring  # noqa: PLC0415 - after the points

    vars(wiring)["system_clock"] = lambda: clock.system_clock() + later


def _status(words: Sequence[str]) -> int:
    """Run one command as `slowsched` does, and return the status that it would end with."""
    from slowsched.cli.main import Program, program  # noqa: PLC0415 - after the points

    assert isinstance(program, Program)
    try:
        program.main(list(words))
    except SystemExit as ended:
        return int(ended.code or 0)


if __name__ == "__main__":
    main()
