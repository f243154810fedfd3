"""`slowsched serve`: a real server on loopback, the original's own curl lines, and who is turned away."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from sysconfig import get_path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from command_line import AHEAD, make_shop, start_process

from slowsched.cli.serve import is_loopback
from slowsched.editor_app import editor_app
from slowsched.editor_description import BODY_BYTES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMATHESIS = f"{get_path('scripts')}/schemathesis"

# README.md of inovex/cloudwatch-scheduler, as it stands there.
LIST = """\
curl --request GET \\
  --url http://localhost:8080/tasks
"""
SAVE = """\
curl --request POST \\
  --url http://localhost:8080/tasks \\
  --header 'content-type: application/json' \\
  --data '{
    "id": "some task id",
    "due": "2020-12-31T00:00:00Z",
    "action": "APPLY_SALE",
    "payload": {
      "itemID": "some item",
      "newPrice": 29.99,
      "salePercent": 50
    }
  }'
"""
ORIGINAL = {
    "id": "some task id",
    "due": "2020-12-31T00:00:00Z",
    "action": "APPLY_SALE",
    "payload": {"itemID": "some item", "newPrice": 29.99, "salePercent": 50},
}
COMMENTED = """\
# yaml-language-server: $schema=../schemas/task.schema.json
# the first
id: first   # its name
due: 2190-01-01T00:00:00Z
action: NOTE
payload:
  # the price
  price: 1   # euros
---
# the second
id: "../second\\\\"
due: 2190-01-01T00:00:00Z
action: NOTE
payload: {}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that runs, and what its process has printed so far."""

    port: int
    said: str = ""

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send one request, and return its status and the JSON of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"host": f"localhost:{self.port}", "content-type": "application/json"} | given
        try:
            connection.putrequest(method, path, skip_host=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            if data is not None:
                connection.putheader("content-length", str(len(data)))
            connection.endheaders(data)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()


@contextmanager
def serving(*words: str, **options: Any) -> Iterator[Server]:
    """Run `slowsched serve` as a real process until the block ends, then stop it as Ctrl-C does."""
    process = start_process("serve", *words, **options)
    try:
        said = process.stdout.readline()
        assert said.startswith("http://"), process.stderr.read()
        yield Server(port=int(said.rsplit(":", 1)[1]), said=said)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate(timeout=60)


@pytest.fixture
def server(shop):
    """Give a server over the files of the shop."""
    with serving("--port", "0", cwd=shop) as running:
        yield running


@pytest.fixture(scope="module")
def empty_shop(tmp_path_factory):
    """Return the folder of a shop to which nothing is ever written."""
    folder = tmp_path_factory.mktemp("empty")
    make_shop(folder)
    return folder


@pytest.fixture(scope="module")
def empty_server(empty_shop):
    """Give a server over the empty shop: one for all who are refused, or only read."""
    with serving("--port", "0", "--env", "local", cwd=empty_shop) as running:
        yield running


def task(task_id="a", **fields):
    return {"id": task_id, "due": AHEAD, "action": "NOTE", "payload": {}} | fields


# --- the original's interface ----------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl")
def test_the_lines_of_the_originals_readme_work(repository, run):
    """List, create, overwrite: as they stand there, but for the port; the file is one that validate accepts."""
    (repository / "tasks" / "winter-sale.yaml").unlink()
    with serving("--port", "0", cwd=repository) as server:
        list_line, save_line = (line.replace("8080", str(server.port)) for line in (LIST, SAVE))

        def curl(line: str) -> Any:
            ran = subprocess.run(
                ["sh", "-c", f"set -e\n{line}"], capture_output=True, text=True, timeout=60, check=True
            )
            return json.loads(ran.stdout)

        assert curl(list_line) == []
        assert curl(save_line) == ORIGINAL
        assert curl(save_line.replace("29.99", "19.99"))["payload"]["newPrice"] == 19.99
        assert curl(save_line) == ORIGINAL
        assert curl(list_line) == [ORIGINAL]
    assert [path.name for path in (repository / "tasks").iterdir()] == ["some-task-id.yaml"]
    assert run("validate", "--format", "json").document["problems"] == []


def test_a_task_is_made_changed_found_and_deleted(server, shop):
    """201, then 200; each is found; deleted it is gone with its file, and then 404."""
    assert server.ask("POST", "/tasks", task()) == (201, task())
    assert server.ask("POST", "/tasks", task(team="x")) == (200, task(team="x"))
    assert server.ask("GET", "/tasks/a") == (200, task(team="x"))
    assert server.ask("DELETE", "/tasks/a") == (200, {"id": "a", "path": "tasks/a.yaml"})
    missing = {"message": "no file declares this task", "problems": []}
    assert [server.ask(method, "/tasks/a") for method in ("GET", "DELETE")] == [(404, missing), (404, missing)]
    assert not (shop / "tasks" / "a.yaml").exists()


def test_comments_and_other_documents_stay(server, shop):
    """An edit changes its value alone; an id that looks like a path is none; a delete cuts its document out."""
    file = shop / "tasks" / "both.yaml"
    file.write_text(COMMENTED)
    assert server.ask("POST", "/tasks", task("first", payload={"price": 2}))[0] == 200
    assert file.read_text() == COMMENTED.replace("price: 1 ", "price: 2 ")
    odd = "../second\\"
    assert server.ask("POST", "/tasks", task(odd, team="x"))[0] == 200
    assert file.read_text() == COMMENTED.replace("price: 1 ", "price: 2 ") + "team: x\n"
    assert server.ask("GET", f"/tasks/{quote(odd, safe='')}") == (200, task(odd, team="x"))
    assert server.ask("DELETE", f"/tasks/{quote(odd)}")[0] == 200
    assert file.read_text() == COMMENTED.replace("price: 1 ", "price: 2 ").split("---\n")[0]
    assert server.ask("GET", "/tasks") == (200, [task("first", payload={"price": 2})])


def test_a_json_file_stays_json(server, declare):
    """A task in a JSON file is written there."""
    file = declare("a")
    assert server.ask("POST", "/tasks", task(team="é"))[0] == 200
    assert json.loads(file.read_text()) == task(team="é")


@pytest.mark.parametrize("task_id", ["../../escape", "/etc/passwd", "..", ".", "a/b", "~", "con", "日本", "x" * 128])
def test_an_id_is_never_a_path(server, shop, tmp_path, task_id):
    """Whatever an id holds, its file is one of the folder of tasks, and it is found again by its id."""
    before = sorted(tmp_path.rglob("*"))
    assert server.ask("POST", "/tasks", task(task_id))[0] == 201
    (new,) = {path for path in tmp_path.rglob("*") if path.name != "__pycache__"} - {*before}
    assert (new.parent, new.suffix) == (shop / "tasks", ".yaml")
    assert server.ask("GET", f"/tasks/{quote(task_id, safe='')}")[0] == 200


def test_names_that_collide_get_numbers(server, shop):
    """Two ids of one name have two files; none is overwritten."""
    assert [server.ask("POST", "/tasks", task(name))[0] for name in ("a b", "a-b", "A  B")] == [201] * 3
    assert sorted(path.name for path in (shop / "tasks").glob("*.yaml")) == ["a-b-2.yaml", "a-b-3.yaml", "a-b.yaml"]


def test_the_plan_is_that_of_the_command(server, declare, run):
    """GET /plan answers what `plan --format json` prints, but for the moment."""
    declare("a")
    status, plan = server.ask("GET", "/plan")
    printed = run("plan", "--format", "json").document
    assert (status, plan | {"now": ""}) == (200, printed | {"now": ""})


# --- what is refused -------------------------------------------------------------------------------


def test_problems_are_those_of_validate(server, shop):
    """422 with each problem and its place in the body; nothing is written."""
    status, answer = server.ask("POST", "/tasks", b'{"id": "a",\n "due": "soon", "action": "NOPE", "x": 1, "x": 2}')
    assert (status, [each["code"] for each in answer["problems"]]) == (422, ["duplicate-key"])
    status, answer = server.ask("POST", "/tasks", b'{"id": "a",\n "due": "soon", "action": "NOPE", "payload": {}}')
    places = [(each["code"], each["line"], each["column"]) for each in answer["problems"]]
    assert (status, sorted(places)) == (422, [("due-not-a-time", 2, 9), ("unknown-action", 2, 27)])
    assert list((shop / "tasks").glob("*.*")) == [shop / "tasks" / ".gitkeep"]


@pytest.mark.parametrize("body", [b"", b"{", b"\0", b"\xff", b"[]", b"null", b'{"id": "\\u0000"}', b"[" * 100_000])
def test_what_is_no_task_is_a_problem(empty_server, body):
    """No body whatever is more than a problem."""
    assert empty_server.ask("POST", "/tasks", body)[0] == 422


def test_a_body_that_is_too_large_is_refused(server):
    """413 for one byte more than is taken, with and without a length said before."""
    large = json.dumps(task(description="x" * BODY_BYTES_MAX)).encode()
    assert server.ask("POST", "/tasks", large)[0] == 413
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(large), large)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.putrequest("POST", "/tasks", skip_host=True)
    for name, value in {
        "Host": f"127.0.0.1:{server.port}",
        "Content-Type": "application/json",
        "Transfer-Encoding": "chunked",
    }.items():
        connection.putheader(name, value)
    connection.endheaders(chunks)
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_can_send_is_refused(empty_server, kind):
    """415 for every Content-Type but JSON's."""
    assert empty_server.ask("POST", "/tasks", task(), content_type=kind)[0] == 415


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:{port}"},
        {"host": "localhost.evil.example:{port}"},
        {"host": "localhost:1"},
        {"host": "localhost"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://localhost:{port}"},
        {"origin": "http://127.0.0.1:{port}"},
        {"origin": "http://localhost:1"},
        {"sec_fetch_site": "cross-site"},
    ],
)
def test_a_page_of_elsewhere_is_refused(empty_server, empty_shop, headers):
    """403 for a foreign Host or Origin, whatever is asked; nothing is written."""
    sent = {name: value.format(port=empty_server.port) for name, value in headers.items()}
    asked = [("GET", "/tasks", None), ("POST", "/tasks", task()), ("GET", "/openapi.json", None)]
    assert [empty_server.ask(*words, **sent)[0] for words in asked] == [403] * 3
    assert list((empty_shop / "tasks").glob("*.yaml")) == []


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_this_machine_is_let_in(empty_server, name):
    """Its own names are served, with and without its own origin."""
    host = f"{name}:{empty_server.port}"
    assert empty_server.ask("GET", "/tasks", host=host) == (200, [])
    assert empty_server.ask("GET", "/tasks", host=host, origin=f"http://{host}") == (200, [])


async def asked(app, **headers):
    """Ask an application for its description, without a server, and return the status."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    written = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/openapi.json", "query_string": b"", "headers": written}
    await app(scope, receive, send)
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("hosts", "headers", "status"),
    [
        (None, {"host": "any.example"}, 403),
        (None, {"host": "any.example", "authorization": "Bearer other"}, 403),
        (None, {"host": "any.example", "authorization": "secret"}, 403),
        (None, {"host": "any.example", "authorization": "Bearer secret"}, 200),
        (None, {"host": "any.example", "authorization": "Bearer secret", "origin": "http://any.example"}, 200),
        (None, {"host": "any.example", "authorization": "Bearer secret", "origin": "http://evil.example"}, 403),
        (None, {"authorization": "Bearer secret"}, 403),
        (["192.0.2.1:1"], {"host": "192.0.2.1:1", "authorization": "Bearer secret"}, 200),
        (["192.0.2.1:1"], {"host": "any.example", "authorization": "Bearer secret"}, 403),
    ],
)
def test_with_a_token_each_request_must_carry_it(hosts, headers, status):
    """Without the token, or with another, nothing is answered; a foreign Host or Origin is refused all the same."""
    app = editor_app(None, plan=dict, described=dict, hosts=hosts, token="secret")
    assert asyncio.run(asked(app, **headers)) == status


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((name, True) for name in ("127.0.0.1", "127.8.8.8", "::1", "localhost")),
        *((name, False) for name in ("0.0.0.0", "::", "192.0.2.1", "localhost.example", "")),  # noqa: S104 - asked about
    ],
)
def test_a_token_is_asked_for_beyond_this_machine(host, expected):
    """Only the machine's own addresses need none."""
    assert is_loopback(host) is expected


def test_what_contradicts_itself_is_not_edited(server, declare, shop):
    """409 where two files declare the id; a file that cannot be read stops new tasks, which may be in it."""
    declare("a")
    (shop / "tasks" / "other.json").write_text(json.dumps(task()))
    status, answer = server.ask("POST", "/tasks", task())
    assert (status, answer["message"]) == (
        409,
        "the id 'a' is declared at tasks/a.json:1 and tasks/other.json:1: remove all but one by hand",
    )
    (shop / "tasks" / "broken.yaml").write_text("id: [")
    status, answer = server.ask("POST", "/tasks", task("b"))
    assert (status, [each["path"] for each in answer["problems"]]) == (422, ["tasks/broken.yaml"])


def test_a_link_that_leads_out_is_not_followed(server, shop, tmp_path):
    """The folder of tasks being a link to another place, nothing is written there."""
    outside = tmp_path / "outside"
    (shop / "tasks").rename(outside)
    (shop / "tasks").symlink_to(outside)
    assert server.ask("POST", "/tasks", task())[0] in {409, 422}
    assert list(outside.glob("*.yaml")) == []


# --- many at once ----------------------------------------------------------------------------------


def test_posts_at_once_lose_nothing(server, shop, run):
    """Forty posts from eight clients, half of them to the documents of one file: all are in the files afterwards."""
    several = "---\n".join(
        f"# {number}\nid: t{number}\ndue: {AHEAD}\naction: NOTE\npayload: {{}}\n" for number in range(20)
    )
    (shop / "tasks" / "several.yaml").write_text(several)
    tasks = [task(f"t{number}", payload={"number": number}) for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda each: server.ask("POST", "/tasks", each)[0], tasks))
    assert statuses == [200] * 20 + [201] * 20
    assert sorted(server.ask("GET", "/tasks")[1], key=lambda each: each["payload"]["number"]) == tasks
    assert (shop / "tasks" / "several.yaml").read_text().count("# ") == 20
    assert run("validate").status == 0
    assert [path for path in (shop / "tasks").iterdir() if path.name.startswith(".slowsched")] == []


def test_posts_of_one_new_task_make_one_file(server, shop):
    """The same new task from eight clients at once: one makes it, the others overwrite it."""
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: server.ask("POST", "/tasks", task())[0], range(8)))
    assert sorted(statuses) == [200] * 7 + [201]
    assert len(list((shop / "tasks").glob("*.yaml"))) == 1


# --- the process -----------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_said(server, shop):
    """A second server on the same port ends with status 1 and the way out."""
    with start_process("serve", "--port", str(server.port), cwd=shop) as second:
        _, said = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "cannot listen on 127.0.0.1" in said
    assert "choose another with --port" in said


def test_without_its_extra_it_says_what_to_install(shop, tmp_path):
    """Where uvicorn is not installed, serve ends with status 1 and the line to type."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "uvicorn.py").write_text("raise ImportError")
    with start_process("serve", cwd=shop, env={"PYTHONPATH": str(tmp_path / "without")}) as process:
        _, said = process.communicate(timeout=60)
    assert (process.returncode, "pip install 'slowsched[serve]'" in said) == (1, True)


def test_sigterm_ends_it_in_order(shop):
    """A service manager's signal ends it with status 0, as Ctrl-C does, however early it comes."""
    process = start_process("serve", "--port", "0", cwd=shop)
    try:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate(timeout=60)


def test_the_description_is_kept(server, tmp_path):
    """Schemathesis finds no server error and no answer that the description does not have."""
    url = f"http://localhost:{server.port}"
    words = [
        "run",
        f"{url}/openapi.json",
        "--max-examples",
        "15",
        "--phases",
        "examples,coverage,fuzzing",
        "--seed",
        "1",
    ]
    checks = [
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
    ]
    ran = subprocess.run(
        [SCHEMATHESIS, *words, *checks], cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
