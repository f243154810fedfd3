"""A stand-in for GitHub's REST API on loopback: comments and issues of one repository, listed in pages."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = "acme/shop"
BOT = "github-actions[bot]"


@dataclass(slots=True)
class StandIn:
    """What the repository holds, what was asked of it, and how it is to misbehave."""

    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)  # `POST issues/7/comments`
    tokens: set[str] = field(default_factory=set)
    may_write: bool = True
    failures: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)  # to come: status, method, headers
    pages_at: str = ""  # where lists go on; absent: here
    lost: list[str] = field(default_factory=list)  # methods that are carried out once, and whose answer is lost
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def comment(self, body: str, login: str = "somebody", number: int = 7) -> dict[str, Any]:
        """Add a comment."""
        made = {"id": next(self.numbers), "body": body, "user": {"login": login}, "on": number}
        self.comments.append(made)
        return made

    def issue(self, body: str, login: str = "somebody", title: str = "") -> dict[str, Any]:
        """Add an open issue."""
        number = next(self.numbers)
        made = {"number": number, "title": title, "body": body, "state": "open", "user": {"login": login}}
        self.issues.append(made)
        return made

    def bodies(self, login: str = BOT) -> list[str]:
        """Return the texts of the comments of one account."""
        return [each["body"] for each in self.comments if each["user"]["login"] == login]

    def answer(self, method: str, path: str, content: Any) -> tuple[int, Any]:
        """Carry one request out."""
        words = path.split("/")
        if method == "GET":
            return 200, self._listed(words)
        if method == "POST":
            comment = words[-1] == "comments"
            return 201, (
                self.comment(content["body"], BOT, int(words[1]))
                if comment
                else self.issue(content["body"], BOT, content["title"])
            )
        key, there = ("id", self.comments) if words[1] == "comments" else ("number", self.issues)
        (found,) = [each for each in there if each[key] == int(words[-1])]
        if method == "DELETE":
            there.remove(found)
            return 204, None
        found.update(content)
        return 200, found

    def _listed(self, words: list[str]) -> list[dict[str, Any]]:
        if words == ["issues"]:
            return [each for each in self.issues if each["state"] == "open"]
        return [each for each in self.comments if each["on"] == int(words[1])]


class _Handler(BaseHTTPRequestHandler):
    """One request; `server.stand_in` is what it is about."""

    def _handle(self) -> None:
        stand_in: StandIn = self.server.stand_in  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        content = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
        stand_in.tokens.add(self.headers["Authorization"])
        path = parts.path.removeprefix(f"/repos/{REPOSITORY}/")
        if stand_in.failures and stand_in.failures[0][1] == self.command:
            status, _, headers = stand_in.failures.pop(0)
            self._send(status, {"message": "not now"}, headers)
            return
        if self.command != "GET":
            if not stand_in.may_write:
                self._send(403, {"message": "Resource not accessible by integration"})
                return
            stand_in.writes.append(f"{self.command} {path}")
        status, answer = stand_in.answer(self.command, path, content)
        if self.command in stand_in.lost:
            stand_in.lost.remove(self.command)
            self.close_connection = True
            return
        self._send_paged(status, answer, parts.path, parse_qs(parts.query))

    do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815 - the server looks for these names

    def _send_paged(self, status: int, answer: Any, path: str, query: dict[str, list[str]]) -> None:
        if not isinstance(answer, list):
            self._send(status, answer)
            return
        size, page = int(query.get("per_page", ["30"])[0]), int(query.get("page", ["1"])[0])
        stand_in: StandIn = self.server.stand_in  # type: ignore[attr-defined]
        link = f'<{stand_in.pages_at or stand_in.url}{path}?per_page={size}&page={page + 1}>; rel="next"'
        more = len(answer) > page * size
        self._send(status, answer[(page - 1) * size : page * size], {"Link": link} if more else {})

    def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Give a stand-in that answers until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        made = StandIn(url=f"http://127.0.0.1:{server.server_port}")
        server.stand_in = made  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
