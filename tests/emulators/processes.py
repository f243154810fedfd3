"""Processes that a test starts on loopback, waits for, and ends with everything that they have started.

They see none of the caller's environment but the path: no credentials, no `AWS_*` variable, no home with a config file.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulators.parts import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

GUARD = Path(__file__).with_name("guard.py")
START_SECONDS = 60  # generous: several people may share the machine
STOP_SECONDS = 5  # then it is killed
POLL_SECONDS = 0.05
LOG_TAIL_LINES = 40


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment without anything of the caller's but the path; temporary files go into `home`."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def log_tail(log: Path) -> str:
    """Return the last lines of a log, or what stands for them."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-LOG_TAIL_LINES:]) or "(nothing)"


def answers(url: str, *, refused_is_fine: bool = False) -> bool:
    """Say whether an HTTP server answers; with `refused_is_fine`, also one that refuses the request."""
    try:
        with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - a loopback address of the tests
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return refused_is_fine
    except OSError:
        return False


@contextmanager
def running(
    command: Sequence[str], *, environment: Mapping[str, str], log: Path, ready: Callable[[], bool]
) -> Iterator[int]:
    """Run a command until the block ends, from the moment that it is ready.

    Yields:
        The id of the process group that it and its children are in.

    Raises:
        EmulatorError: It ended, or was not ready in time; with the end of its log.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", str(GUARD), *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, command, log, ready)
        yield process.pid
    finally:
        _end(process)


def finished(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder to its end, and return what it said.

    Raises:
        EmulatorError: It took too long; it was ended, with everything that it had started.
    """
    # What the guard listens on: it closes with us.
    listening, held = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", str(GUARD), *command],
            stdin=listening,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
        os.close(listening)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise EmulatorError(f"{' '.join(command)} took more than {seconds} s, and was ended") from None
        finally:
            _end(process)
    finally:
        os.close(held)
    return subprocess.CompletedProcess(list(command), process.returncode, out, err)


def _wait_until_ready(
    process: subprocess.Popen[bytes], command: Sequence[str], log: Path, ready: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None:
            raise EmulatorError(f"{command[0]} ended with status {process.returncode}; {log} ends:\n{log_tail(log)}")
        if time.monotonic() > deadline:
            raise EmulatorError(f"{command[0]} was not ready in {START_SECONDS} s; {log} ends:\n{log_tail(log)}")
        time.sleep(POLL_SECONDS)


def _end(process: subprocess.Popen[Any]) -> None:
    """Ask the whole group to end, then kill what is left of it."""
    _signal_group(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    _signal_group(process.pid, signal.SIGKILL)
    process.communicate()


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def group_is_gone(group: int) -> bool:
    """Say whether no process of a group is left, waiting a little for those that are just ending."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(POLL_SECONDS)
    return False
