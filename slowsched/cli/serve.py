"""`slowsched serve`: the editor of inovex/cloudwatch-scheduler, over the task files of this work tree."""

from __future__ import annotations

import os
import secrets
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from slowsched import __version__
from slowsched.cli.frame import command, pass_settings
from slowsched.cli.output import emit, note
from slowsched.cli.status import Status
from slowsched.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

    from slowsched.cli.settings import Settings
    from slowsched.config import Config

__all__ = ["is_loopback", "serve_command"]

HOST = "127.0.0.1"
PORT = 8080  # the original's
TOKEN_VARIABLE = "SLOWSCHED_TOKEN"  # noqa: S105 - its name
_TOKEN_BYTES = 24
_HTTP = 80  # the port that a Host leaves out
_EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - only compared with


@command(
    "serve",
    examples=[
        ("on this machine: then `curl http://localhost:8080/tasks`", "slowsched serve"),
        ("on another port, with the plan of production", "slowsched serve --port 9000 --env production"),
    ],
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, metavar="N", help="[default: 8080; 0: any free one]"
)
@click.option("--host", default=HOST, metavar="H", help="The address to listen on.  [default: 127.0.0.1]")
@pass_settings
def serve_command(settings: Settings, port: int, host: str) -> Status:
    """Offer the task files of this work tree as the REST API of inovex/cloudwatch-scheduler, until Ctrl-C.

    GET and POST /tasks, GET and DELETE /tasks/ID, GET /plan, /openapi.json. It writes files, which are then
    committed and reviewed as any others, and never a row. Requests of web pages from elsewhere are refused.
    Anywhere but on this machine's own addresses each request must carry a token: what $SLOWSCHED_TOKEN says,
    else one that is printed.
    """
    from slowsched.cli.loading import read_config

    try:
        import uvicorn
    except ImportError as error:
        raise UsageError("`serve` needs more than the plain install", hint="pip install 'slowsched[serve]'") from error
    config = read_config()
    with _listening(host, port) as listening:
        bound = listening.getsockname()[1]
        token = None if is_loopback(host) else os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(_TOKEN_BYTES)
        app = _app(settings, config, host=_written(host), port=bound, token=token)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, server_header=False))
        with _ended_by_signals(server):
            emit(f"http://{_written(host)}:{bound}")
            if token is not None and not os.environ.get(TOKEN_VARIABLE):
                note(settings, f"Authorization: Bearer {token}")
            note(settings, f"Serving the task files of {config.owner} in {config.root}; Ctrl-C ends it.")
            server.run(sockets=[listening])
    return Status.DONE


def _app(settings: Settings, config: Config, *, host: str, port: int, token: str | None) -> Any:
    import json

    from slowsched.cli.drafts import Drafts
    from slowsched.editor import Editor
    from slowsched.editor_app import LOOPBACK, editor_app
    from slowsched.editor_description import description
    from slowsched.resources import schema_text

    drafts = Drafts(config)
    editor = Editor(config, lambda document, path: drafts.text(dict(document), path))
    task_schema = json.loads(schema_text("task"))

    def described() -> Mapping[str, Any]:
        actions = drafts.action_schemas()
        return description(task_schema, actions=actions, version=__version__, token=token is not None)

    names = (*LOOPBACK, host)
    hosts = None if host in _EVERYWHERE else {f"{name}:{port}" for name in names} | {*(names if port == _HTTP else ())}
    return editor_app(editor, plan=lambda: _plan(settings, config), described=described, hosts=hosts, token=token)


def _plan(settings: Settings, config: Config) -> Mapping[str, Any]:
    """Read the plan of the environment, as `slowsched plan --format json` would."""
    from slowsched import git
    from slowsched.live_plan import read_plan
    from slowsched.plan import PlanOptions
    from slowsched.render.shapes import plan_shape
    from slowsched.repository import Scan
    from slowsched.wiring import open_backend

    options = PlanOptions(max_deletes=config.max_deletes, max_delete_percent=config.max_delete_percent)
    with open_backend(config, settings.environment) as backend:
        scan = Scan(config, settings.environment)
        commit = git.commit(config.root)
        return plan_shape(read_plan(backend, scan, commit=commit, options=options, problems=lambda: scan.problems))


def is_loopback(host: str) -> bool:
    """Say whether an address is one of this machine alone."""
    import ipaddress

    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _written(host: str) -> str:
    """Return an address as it stands in a URL."""
    return f"[{host.lower()}]" if ":" in host else host.lower()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        hint = "choose another with --port" if error.strerror else "choose another with --host"
        raise UsageError(f"cannot listen on {host}, port {port}: {error.strerror or error}", hint=hint) from error
    with listening:
        yield listening


@contextmanager
def _ended_by_signals(server: Any) -> Iterator[None]:
    """End the server at a signal, before uvicorn listens for it as well, and when it sends it again at its end."""

    def end(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
