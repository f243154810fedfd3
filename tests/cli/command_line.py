"""The command line as a real process, and an action that does what its payload says."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

AHEAD = "2190-01-01T00:00:00Z"
PAST = "2020-12-31T00:00:00Z"

ACTIONS = """\
import os
import time
from pathlib import Path

from slowsched import PermanentError, action

HERE = Path(__file__).parent.parent


@action("NOTE")
def note(payload, attempt):
    print("the action prints")
    with (HERE / "began.log").open("a") as log:
        log.write(attempt.task_id + "\\n")
    if payload.get("fail"):
        raise RuntimeError("it did not work")
    if payload.get("give_up"):
        raise PermanentError("it never will")
    if "exit" in payload:
        os._exit(payload["exit"])
    end = time.monotonic() + payload.get("seconds", 0)
    while time.monotonic() < end and not (HERE / "go").exists():
        time.sleep(0.02)
    with (HERE / "done.log").open("a") as log:
        log.write(attempt.idempotency_key + "\\n")
    return {"noted": attempt.task_id}
"""


def make_shop(folder: Path) -> None:
    """Write a config, the action NOTE and an empty folder of tasks."""
    for path, text in {
        "slowsched.yaml": "version: 1\nowner: acme/shop\n",
        "schemas/actions/NOTE.schema.json": '{"type": "object"}',
        "worker/actions.py": ACTIONS,
        "tasks/.gitkeep": "",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command line ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document of stdout."""
        return json.loads(self.stdout)


SLOWSCHED = (sys.executable, "-m", "slowsched")


def start_process(*words: str, program: Sequence[str] = SLOWSCHED, **options: Any) -> subprocess.Popen[str]:
    """Start a command line as a real process, with its streams as text pipes.

    With `measured=False` coverage leaves it alone: its file is one more that a small disk would be too small for.
    """
    measured = options.pop("measured", True)
    kept = {name: value for name, value in os.environ.items() if measured or not name.startswith("COVERAGE_")}
    environment = kept | {"PYTHONUNBUFFERED": "1"} | options.pop("env", {})
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([*program, *words], env=environment, text=True, **streams)


def run_process(*words: str, **options: Any) -> Ran:
    """Run a command line as a real process to its end."""
    with start_process(*words, **options) as process:
        stdout, stderr = process.communicate(timeout=60)
    return Ran(status=process.returncode, stdout=stdout, stderr=stderr)


def wait_until(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait until something that another process does has been done."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen")
        time.sleep(0.01)


class Terminal:
    """A command line at a terminal of its own: what it shows, and what a person types."""

    def __init__(self, *words: str, **options: Any) -> None:
        self._screen, inside = pty.openpty()
        streams = {"stdin": inside, "stdout": inside, "stderr": inside} | options
        # A session of its own, of which the terminal is the controlling one, so that Ctrl-C is a signal.
        control = functools.partial(fcntl.ioctl, inside, termios.TIOCSCTTY, 0)
        self.process = start_process(*words, start_new_session=True, preexec_fn=control, **streams)
        os.close(inside)
        self.shown = ""

    def expect(self, text: str) -> None:
        """Read the screen until the text is shown."""
        end = time.monotonic() + 30
        while text not in self.shown:
            if time.monotonic() > end or not self._read():
                self.process.kill()
                raise AssertionError(f"{text!r} is not shown in (status {self.process.wait()}):\n{self.shown}")

    def type(self, text: str) -> None:
        """Type text; Ctrl-C and Ctrl-D are characters too."""
        os.write(self._screen, text.encode())

    def interrupt(self, said: str) -> None:
        """Type Ctrl-C until it is heard: Python hears one that comes just before it waits only at the next key."""
        for _ in range(10):
            self.type("\x03")
            end = time.monotonic() + 1
            while said not in self.shown and time.monotonic() < end:
                self._read(0.1)
            if said in self.shown:
                return

    def end(self) -> int:
        """Read the screen to its end, and return the exit status."""
        while self._read():
            pass
        status = self.process.wait(30)
        os.close(self._screen)
        return status

    def _read(self, seconds: float = 30) -> bool:
        ready, _, _ = select.select([self._screen], [], [], seconds)
        try:
            data = os.read(self._screen, 65536) if ready else b""
        except OSError:  # Linux: the other side is closed
            return False
        self.shown += data.decode().replace("\r\n", "\n")
        return bool(data)
