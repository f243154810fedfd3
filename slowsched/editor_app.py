"""The editor as an ASGI application: requests to calls of `editor`, and what they say to answers.

Before anything else a request must come from here: a web page of elsewhere, open in the same browser, can send
requests to this machine, by a name of its own that leads here or from its own origin. Both are told by `Host` and
`Origin`, which no page can choose. Where it listens on anything but loopback, a token is asked for as well.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from slowsched.editor_description import BODY_BYTES_MAX
from slowsched.errors import BackendError, GitError, ProblemsError, SlowschedError
from slowsched.render.shapes import validate_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from slowsched.editor import Editor
    from slowsched.model import Problem

__all__ = ["LOOPBACK", "editor_app"]

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def editor_app(
    editor: Editor,
    *,
    plan: Callable[[], Mapping[str, Any]],
    described: Callable[[], Mapping[str, Any]],
    hosts: Collection[str] | None,
    token: str | None = None,
) -> ASGIApp:
    """Make the application; `plan` reads the plan as JSON, `described` the OpenAPI description.

    `hosts` are the `Host`s that it answers to, with their port. None stands for all, where it listens on every
    address: the token alone tells who is who there. With a token every request must carry it, as
    `Authorization: Bearer TOKEN`.
    """
    endpoints = _Endpoints(editor, plan, described)
    app = Starlette(
        routes=[
            Route("/tasks", endpoints.list, methods=["GET"]),
            Route("/tasks", endpoints.save, methods=["POST"]),
            Route("/tasks/{id:path}", endpoints.find, methods=["GET"]),
            Route("/tasks/{id:path}", endpoints.delete, methods=["DELETE"]),
            Route("/plan", endpoints.plan, methods=["GET"]),
            Route("/openapi.json", endpoints.description, methods=["GET"]),
        ],
        exception_handlers={
            HTTPException: _of_http,
            ProblemsError: _of_problems,
            SlowschedError: _of_error,
            OSError: _of_disk,
        },
    )
    return _Guard(app, None if hosts is None else frozenset(hosts), token)


class _Endpoints:
    """One method an operation; whatever reads or writes files runs beside the loop."""

    def __init__(
        self, editor: Editor, plan: Callable[[], Mapping[str, Any]], described: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._editor = editor
        self._plan = plan
        self._described = described

    async def list(self, _request: Request) -> Response:
        tasks, problems = await run_in_threadpool(self._editor.tasks)
        return JSONResponse(tasks, headers={"Slowsched-Problems": str(len(problems))})

    async def save(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415, "send the task as JSON, with Content-Type: application/json")
        saved = await run_in_threadpool(self._editor.save, await _body(request))
        headers = {
            "Location": f"/tasks/{quote(str(saved.document['id']), safe='')}",
            "Slowsched-File": quote(saved.path),
        }
        return JSONResponse(saved.document, 201 if saved.created else 200, headers)

    async def find(self, request: Request) -> Response:
        document = await run_in_threadpool(self._editor.task, request.path_params["id"])
        if document is None:
            raise HTTPException(404, "no file declares this task")
        return JSONResponse(document)

    async def delete(self, request: Request) -> Response:
        task_id = request.path_params["id"]
        path = await run_in_threadpool(self._editor.delete, task_id)
        if path is None:
            raise HTTPException(404, "no file declares this task")
        return JSONResponse({"id": task_id, "path": path})

    async def plan(self, _request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._plan))

    async def description(self, _request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._described))


async def _body(request: Request) -> bytes:
    """Read the body, and never more of it than is taken."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise HTTPException(413, f"a task has at most {BODY_BYTES_MAX} bytes: keep large data elsewhere")
    return bytes(body)


class _Guard:
    """Lets a request through when it comes from this machine's own pages and programs, or carries the token."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, token: str | None) -> None:
        self._app = app
        self._hosts = hosts
        self._token = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reason = self._reason(scope["headers"]) if scope["type"] == "http" else None
        if reason is None:
            await self._app(scope, receive, send)
        else:
            await _refusal(403, reason)(scope, receive, send)

    def _reason(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """Say why a request is refused, None when it is not."""
        named: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            named.setdefault(name.lower(), []).append(value)
        hosts = [value.decode("latin-1").lower() for value in named.get(b"host", [])]
        if len(hosts) != 1 or (self._hosts is not None and hosts[0] not in self._hosts):
            return f"this Host is not served here: use one of {', '.join(sorted(self._hosts or ()))}"
        origins = [value.decode("latin-1").lower() for value in named.get(b"origin", [])]
        if any(origin != f"http://{hosts[0]}" for origin in origins) or b"cross-site" in named.get(
            b"sec-fetch-site", []
        ):
            return "a page of another origin has sent this"
        given = named.get(b"authorization", [b""])
        if self._token is not None and not secrets.compare_digest(given[0], self._token):
            return "send the token that `slowsched serve` has printed, as Authorization: Bearer TOKEN"
        return None


def _refusal(
    status: int, message: str, problems: Iterable[Problem] = (), headers: Mapping[str, str] | None = None
) -> Response:
    body = {"message": message, "problems": validate_shape(0, 0, problems)["problems"]}
    return JSONResponse(body, status, headers)


async def _of_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it was registered for
    return _refusal(error.status_code, error.detail, headers=error.headers)


async def _of_problems(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemsError)  # noqa: S101 - as above
    return _refusal(422, str(error), error.problems)


async def _of_error(_request: Request, error: Exception) -> Response:
    return _refusal(503 if isinstance(error, BackendError | GitError) else 409, str(error))


async def _of_disk(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)  # noqa: S101 - as above
    return _refusal(503, f"the disk refuses: {error.strerror or error}")
