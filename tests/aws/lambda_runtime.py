"""A function's process as Lambda runs it: AWS's own runtime client, and the Runtime API on loopback.

With the function's own Python (`FUNCTION_PYTHON`) the process has the folder that it runs, boto3 and the runtime
client, nothing of our own environment. With this one it is measured as every other process of the tests.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sysconfig
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulators.parts import FUNCTION_PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:slowsched-worker"
LONGEST_SECONDS = 120  # that an invocation here may take on a busy machine
END_SECONDS = 10  # that the client may take to end its process; then it is killed

_API = "/2018-06-01/runtime"
_CLIENT = (
    "awslambdaric",
    "simplejson",
    "snapshot_restore_py",
    "runtime_client.*.so",
)  # what AWS's runtime client is made of


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of an invocation: a `response`, an `error`, or the process has `ended` (then `body` is its status)."""

    kind: str
    body: Any


class LambdaProcess:
    """The process of a function, and the events that it is sent."""

    def __init__(self, server: _Server, process: subprocess.Popen[bytes], log: Path) -> None:
        self._server = server
        self._process = process
        self._log = log
        self._read = 0

    def invoke(self, event: Any, *, seconds: float = 900) -> Answer:
        """Send an event with so much time left, and wait for what comes of it."""
        self._server.events.put((event, int((time.time() + seconds) * 1000)))
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            try:
                return self._server.answers.get(timeout=0.05)
            except queue.Empty:
                if self._process.poll() is not None and self._server.answers.empty():
                    return Answer(kind="ended", body=self._process.returncode)
        raise TimeoutError(self._log.read_text(encoding="utf-8"))

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of JSON that were logged since the last look, in order; other lines are the client's."""
        text = self._log.read_text(encoding="utf-8")
        lines, self._read = text[self._read :].splitlines(), len(text)
        return [json.loads(line) for line in lines if line.startswith("{")]


class _Server(ThreadingHTTPServer):
    """The Runtime API: hands out events one by one, and takes what came of them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: queue.Queue[tuple[Any, int]] = queue.Queue()
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.ending = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        while True:
            try:
                event, deadline = self.server.events.get(timeout=0.1)
            except queue.Empty:
                if self.server.ending.is_set():
                    self._send(500, {}, b"")  # with which the client ends its process
                    return
                continue
            headers = {
                "Lambda-Runtime-Aws-Request-Id": "a-request",
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Content-Type": "application/json",
            }
            self._send(200, headers, json.dumps(event).encode())
            return

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        self.server.answers.put(Answer(kind=self.path.removeprefix(_API).split("/")[-1], body=body))
        self._send(202, {}, b"")

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def lambda_process(
    function: Path, variables: Mapping[str, str], scratch: Path, *, python: Path = FUNCTION_PYTHON
) -> Iterator[LambdaProcess]:
    """Run the handler in a folder until the block ends; its log goes into `scratch`."""
    server = _Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log = scratch / "function.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [python, "-B", "-m", "awslambdaric", "worker.handler.handler"],
            cwd=function,
            env={
                **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
                "PATH": os.defpath,
                "PYTHONPATH": f"{function}{os.pathsep}{_client(scratch)}",
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
                "AWS_LAMBDA_FUNCTION_NAME": "slowsched-worker",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield LambdaProcess(server, process, log)
    finally:
        server.ending.set()
        _end(process)
        server.shutdown()
        server.server_close()


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _client(scratch: Path) -> Path:
    """Return a folder with AWS's runtime client, as it is installed here, and nothing else."""
    folder = scratch / "runtime-client"
    folder.mkdir()
    installed = Path(sysconfig.get_path("purelib"))
    for pattern in _CLIENT:
        for part in installed.glob(pattern):
            (folder / part.name).symlink_to(part)
    return folder
