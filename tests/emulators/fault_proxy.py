"""A proxy on loopback before an endpoint of AWS, for what goes wrong on the way: answers lost, late, or errors.

It passes everything on as it is, until it is told what to do with the next requests that match. The address of the
endpoint stays out of the signature's way: the header `Host` is passed on, too. Plain HTTP, a connection a request.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UPSTREAM_SECONDS = 120
NOT_PASSED_ON = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request: its operation (`PutItem`; `PUT /schedules/wake` where there is no target), and its body."""

    operation: str
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body or b"null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is done with a request: passed on or not, and then an answer or none."""

    passed_on: bool = True
    wait_seconds: float | None = 0.0  # before anything else; None: until the proxy ends
    answered: bool = True
    error: tuple[int, str] | None = None  # a status and a code, in place of passing on


FINE = Fault()


@dataclass(slots=True)
class _Order:
    fault: Fault
    left: int
    matching: str | Callable[[Request], bool] | None

    def concerns(self, request: Request) -> bool:
        if self.matching is None:
            return True
        if isinstance(self.matching, str):
            return request.operation == self.matching
        return self.matching(request)


@dataclass(slots=True)
class FaultProxy:
    """A running proxy. `matching` is the name of an operation, or says of a request whether it is meant."""

    url: str
    ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _orders: list[_Order] = field(default_factory=list)
    _seen: list[Request] = field(default_factory=list)

    def lose_answers(self, count: int = 1, *, matching: str | Callable[[Request], bool] | None = None) -> None:
        """Pass on the next requests, and close their connections without the answers."""
        self._order(Fault(answered=False), count, matching)

    def lose_requests(self, count: int = 1, *, matching: str | Callable[[Request], bool] | None = None) -> None:
        """Close the connections of the next requests without passing them on."""
        self._order(Fault(passed_on=False, answered=False), count, matching)

    def answer_error(
        self, status: int, code: str, count: int = 1, *, matching: str | Callable[[Request], bool] | None = None
    ) -> None:
        """Answer the next requests with an error, without passing them on."""
        self._order(Fault(passed_on=False, error=(status, code)), count, matching)

    def throttle(
        self,
        count: int = 1,
        *,
        matching: str | Callable[[Request], bool] | None = None,
        code: str = "ProvisionedThroughputExceededException",
    ) -> None:
        """Refuse the next requests for there being too many."""
        self.answer_error(400, code, count, matching=matching)

    def fail(self, count: int = 1, *, matching: str | Callable[[Request], bool] | None = None) -> None:
        """Answer the next requests with an error of the server, without passing them on."""
        self.answer_error(500, "InternalServerError", count, matching=matching)

    def stay_silent(self, count: int = 1, *, matching: str | Callable[[Request], bool] | None = None) -> None:
        """Take the next requests, pass nothing on, and never answer."""
        self._order(Fault(passed_on=False, wait_seconds=None, answered=False), count, matching)

    def delay(self, seconds: float, count: int = 1, *, matching: str | Callable[[Request], bool] | None = None) -> None:
        """Hold back the next requests for some time, then pass them on."""
        self._order(Fault(wait_seconds=seconds), count, matching)

    def be_fine(self) -> None:
        """Forget what was ordered and has not happened yet."""
        with self._lock:
            self._orders.clear()

    def requests(self, operation: str | None = None) -> list[Request]:
        """Return the requests so far, of one operation or of all, in order."""
        with self._lock:
            return [each for each in self._seen if operation in {None, each.operation}]

    def forget_requests(self) -> None:
        """Begin the list of requests anew."""
        with self._lock:
            self._seen.clear()

    def take(self, request: Request) -> Fault:
        """Note a request, and return what to do with it."""
        with self._lock:
            self._seen.append(request)
            for order in self._orders:
                if order.left > 0 and order.concerns(request):
                    order.left -= 1
                    return order.fault
        return FINE

    def _order(self, fault: Fault, count: int, matching: str | Callable[[Request], bool] | None) -> None:
        with self._lock:
            self._orders.append(_Order(fault, count, matching))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.proxy = FaultProxy(f"http://127.0.0.1:{self.server_address[1]}")

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that is gone is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle_any(self) -> None:
        """Do what was ordered for this request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        operation = target or f"{self.command} {urlsplit(self.path).path}"
        fault = self.server.proxy.take(Request(operation=operation, body=body))
        if fault.wait_seconds != 0:
            self.server.proxy.ended.wait(fault.wait_seconds)
        if fault.error:
            self._answer_error(*fault.error)
            return
        answer = self._pass_on(body) if fault.passed_on else None
        if answer and fault.answered:
            self._answer(*answer)
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    do_DELETE = do_GET = do_POST = do_PUT = handle_any  # noqa: N815 - names of the standard library

    def _pass_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=UPSTREAM_SECONDS)
        try:
            connection.request(self.command, self.path, body, dict(self.headers.items()))
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def _answer_error(self, status: int, code: str) -> None:
        document = json.dumps({"__type": code, "message": "by the proxy of the tests"}).encode()
        headers = [("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-ErrorType", code)]
        self._answer(status, headers, document)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def fault_proxy(endpoint: str) -> Iterator[FaultProxy]:
    """Run a proxy before an endpoint until the block ends; whoever waits for an answer then gets none."""
    server = _Server(endpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.proxy
    finally:
        server.proxy.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
