"""The tasks of a repository as a whole: one pass over the files, every problem, nothing kept."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from repositories import APPLY_SALE, CONFIG, PROJECT, a_repository, report, task_text
from values import a_declared, a_place

from slowsched.errors import GitError
from slowsched.model import Document
from slowsched.repository import ActionSchemas, Scan
from slowsched.resources import schema_text, starter_text
from slowsched.zones import PackagedZones

if TYPE_CHECKING:
    from pathlib import Path

SPLIT_IT = "split it, or keep large data elsewhere"

# --- tasks -----------------------------------------------------------------------------------------


def test_scan(tmp_path: Path) -> None:
    """Files are read in the order of their names, and each of their documents declares a task."""
    config = a_repository(
        tmp_path,
        {
            "tasks/b/c.yaml": task_text("three"),
            "tasks/a.yaml": f"# first\n{task_text('one', 'grace: 6h')}---\n{task_text('two')}",
        },
    )
    scan = Scan(config)
    tasks = list(scan)
    assert [(found.task.id, found.place, found.own_grace) for found in tasks] == [
        ("one", a_place(path="tasks/a.yaml", line=2), True),
        ("two", a_place(path="tasks/a.yaml", line=8), False),
        ("three", a_place(path="tasks/b/c.yaml"), False),
    ]
    assert tasks[2] == a_declared(id="three", place=a_place(path="tasks/b/c.yaml"))
    assert (scan.files, scan.tasks, scan.problems) == (2, 3, ())


def test_environments(tmp_path: Path) -> None:
    """Only the tasks for the environment are given; the problems of all of them are told."""
    config = a_repository(
        tmp_path,
        {
            "tasks/a.yaml": task_text("every"),
            "tasks/b.yaml": task_text("one", "environments: [production]"),
            "tasks/c.yaml": task_text("two", "environments: [local]"),
            "tasks/d.yaml": task_text("three", "environments: [local, moon]"),
        },
    )
    found = {}
    for name in (None, "local", "production"):
        scan = Scan(config, name)
        found[name] = ([declared.task.id for declared in scan], scan.tasks, [p.code for p in scan.problems])
    assert found == {
        None: (["every", "one", "two"], 3, ["unknown-environment"]),
        "local": (["every", "two"], 2, ["unknown-environment"]),
        "production": (["every", "one"], 2, ["unknown-environment"]),
    }


def test_defaults(tmp_path: Path) -> None:
    """The defaults of the settings hold for every task that does not say it itself."""
    settings = f"{CONFIG}defaults: {{timeout: 2m, grace: 1d}}\n"
    config = a_repository(tmp_path, {"slowsched.yaml": settings, "tasks/a.yaml": task_text()})
    (found,) = Scan(config)
    assert (found.task.timeout.seconds, found.task.grace and found.task.grace.days, found.own_grace) == (120, 1, False)


def test_named_paths_and_progress(tmp_path: Path) -> None:
    """A scan may be limited to paths, and tells how many files are done, of how many."""
    config = a_repository(tmp_path, {f"tasks/{name}/x.yaml": task_text(name) for name in "abc"})
    told: list[tuple[int, int]] = []
    scan = Scan(
        config, paths=[str(tmp_path / "tasks/a"), tmp_path / "tasks/c"], on_file=lambda *done: told.append(done)
    )
    assert ([found.task.id for found in scan], told) == (["a", "c"], [(1, 2), (2, 2)])


def test_nothing_is_kept(tmp_path: Path) -> None:
    """While a scan goes on, of earlier files only what they declare is in memory."""
    config = a_repository(tmp_path, {f"tasks/{number}.yaml": task_text(f"task {number}") for number in range(6)})
    alive = []
    for _ in Scan(config):
        gc.collect()
        alive.append(sum(isinstance(thing, Document) for thing in gc.get_objects()))
    assert max(alive) <= 2


def test_streaming(tmp_path: Path) -> None:
    """A task is given before the next file is read."""
    config = a_repository(tmp_path, {"tasks/a.yaml": task_text("a"), "tasks/b.yaml": task_text("b")})
    scan = iter(Scan(config))
    assert next(scan).task.id == "a"
    (tmp_path / "tasks/b.yaml").write_text(task_text("written meanwhile"))
    assert [found.task.id for found in scan] == ["written meanwhile"]


# --- problems --------------------------------------------------------------------------------------


def test_no_file_is_half_read(tmp_path: Path) -> None:
    """A file with a problem of its text gives no task at all; other files do."""
    broken = f"{task_text('fine')}---\nid: no\n"
    config = a_repository(tmp_path, {"tasks/a.yaml": broken, "tasks/b.yaml": task_text("other")})
    scan = Scan(config)
    assert ([found.task.id for found in scan], [p.code for p in scan.problems]) == (["other"], ["ambiguous-value"])


def test_problems_are_sorted(tmp_path: Path) -> None:
    """Problems are sorted by file and place, whenever they are found, and the same files give the same lines."""
    config = a_repository(
        tmp_path,
        {
            "tasks/b.yaml": "id: b\nid: no\n",
            "tasks/a.yaml": "payload: {}\naction: NOTHING\ndue: soon\nid: a\n",
            "tasks/x.yaml/c.yaml": "",
            "tasks/c.yaml": b"\xff",
        },
    )
    lines = report(Scan(config))
    assert [line.split(" ")[0] + line[line.rindex(" ") :] for line in lines] == [
        "tasks/a.yaml:2:9: [unknown-action]",
        "tasks/a.yaml:3:6: [due-not-a-time]",
        "tasks/b.yaml:2:1: [duplicate-key]",
        "tasks/b.yaml:2:5: [ambiguous-value]",
        "tasks/c.yaml:1:1: [not-utf8]",
        "tasks/x.yaml:1:1: [not-a-file]",
    ]
    assert report(Scan(config)) == lines


def test_duplicate_ids(tmp_path: Path) -> None:
    """An id is unique over all files and environments; the second is told, and given no more, broken or not."""
    config = a_repository(
        tmp_path,
        {
            "tasks/a.yaml": task_text("same", "environments: [production]"),
            "tasks/b.yaml": task_text("same", "environments: [local]"),
            "tasks/c.json": '{"id": "same"}',
            "tasks/d.yaml": "id: broken\n",
            "tasks/e.yaml": task_text("broken"),
        },
    )
    scan = Scan(config, "local")
    assert list(scan) == []
    assert [(p.path, p.line, p.column, p.message) for p in scan.problems if p.code == "duplicate-id"] == [
        ("tasks/b.yaml", 1, 5, "the id 'same' is declared at tasks/a.yaml:1 already"),
        ("tasks/c.json", 1, 8, "the id 'same' is declared at tasks/a.yaml:1 already"),
        ("tasks/e.yaml", 1, 5, "the id 'broken' is declared at tasks/d.yaml:1 already"),
    ]


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is no file any more, or far too large, is a problem of its own."""
    config = a_repository(tmp_path, {"tasks/a.yaml": task_text("a"), "tasks/large.yaml": ""})
    os.truncate(tmp_path / "tasks/large.yaml", 50 * 1024 * 1024)
    os.mkfifo(tmp_path / "tasks/pipe.yaml")
    scan = iter(Scan(config))
    next(scan)
    assert report(Scan(config)) == [
        f"tasks/large.yaml:1:1: $: this file is larger than 1024 KB: {SPLIT_IT} [file-too-large]",
        "tasks/pipe.yaml:1:1: $: this is no regular file (a pipe or a device) [not-a-file]",
    ]


def test_git_that_cannot_answer(tmp_path: Path) -> None:
    """Where git cannot say what it ignores, that is an error, and not a plan without these rules."""
    (tmp_path / ".git").write_text("gitdir: nowhere\n")
    config = a_repository(tmp_path, {"tasks/a.yaml": task_text()})
    with pytest.raises(GitError, match="not a git repository"):
        list(Scan(config))


# --- actions ---------------------------------------------------------------------------------------


def test_actions(tmp_path: Path) -> None:
    """An action exists when its schema does, in the folder that the settings name; it is read once, when it is used."""
    config = a_repository(
        tmp_path,
        {
            "slowsched.yaml": f"{CONFIG}schemas: contracts\n",
            "contracts/actions/ONE.schema.json": '{"required": ["x"]}',
            "contracts/actions/TWO.schema.json": "{broken",
            "contracts/actions/notes.txt": "",
            "contracts/THREE.schema.json": "{}",
        },
    )
    problems: list[object] = []
    schemas = ActionSchemas(config, problems)  # type: ignore[arg-type]
    assert (list(schemas), len(schemas), "THREE" in schemas, "../THREE" in schemas) == (["ONE", "TWO"], 2, False, False)
    first = schemas["ONE"]
    (tmp_path / "contracts/actions/ONE.schema.json").unlink()
    assert schemas["ONE"] is first
    assert (first.is_valid({"x": 1}), first.is_valid({}), problems) == (True, False, [])


def test_no_actions(tmp_path: Path) -> None:
    """Without a folder of actions there is none, and it says which file would make one."""
    config = a_repository(tmp_path, {"slowsched.yaml": f"{CONFIG}schemas: nowhere\n", "tasks/a.yaml": task_text()})
    message = "there is no action 'APPLY_SALE' (an action exists when nowhere/actions/APPLY_SALE.schema.json does)"
    assert report(Scan(config)) == [f"tasks/a.yaml:3:9: $.action: {message} [unknown-action]"]


def test_broken_schema(tmp_path: Path) -> None:
    """A schema that is broken is one problem, of its own file; its tasks are not blamed, other actions go on."""
    config = a_repository(
        tmp_path,
        {
            APPLY_SALE: '{"type":\n "strin"}',
            "schemas/actions/UNUSED.schema.json": "{",
            "schemas/actions/OTHER.schema.json": "false",
            "tasks/a.yaml": task_text("a"),
            "tasks/b.yaml": task_text("b"),
            "tasks/c.yaml": task_text("c").replace("APPLY_SALE", "OTHER"),
        },
    )
    scan = Scan(config)
    assert [found.task.id for found in scan] == ["a", "b"]
    assert [(p.path, p.line, p.column, p.code) for p in scan.problems] == [
        (APPLY_SALE, 2, 2, "bad-schema"),
        ("tasks/c.yaml", 4, 10, "schema"),
    ]


def test_schema_that_is_no_file_of_the_repository(tmp_path: Path) -> None:
    """A schema that cannot be read, or is a link out of the root, is a problem of its own too."""
    root = tmp_path / "root"
    tasks = {f"tasks/{name}.yaml": task_text(name).replace("APPLY_SALE", name) for name in ("LINK", "FOLDER")}
    config = a_repository(root, tasks)
    (tmp_path / "outside.json").write_text("{}")
    (root / "schemas/actions/LINK.schema.json").symlink_to("../../../outside.json")
    (root / "schemas/actions/FOLDER.schema.json").mkdir()
    assert report(Scan(config)) == [
        "schemas/actions/FOLDER.schema.json:1:1: $: this is a folder with the name of a file: rename it [not-a-file]",
        "schemas/actions/LINK.schema.json:1:1: $: this link leads out of the repository [outside-root]",
    ]


# --- what travels with slowsched -------------------------------------------------------------------


def test_resources() -> None:
    """Schemas and starter files are the project's own."""
    assert schema_text("task") == (PROJECT / "schemas/task.schema.json").read_text(encoding="utf-8")
    assert starter_text(APPLY_SALE) == (PROJECT / APPLY_SALE).read_text(encoding="utf-8")


def test_zones() -> None:
    """Zones are found by their exact name; paths, other cases and files that are no zones are none."""
    zones = PackagedZones()
    names = ("Europe/Berlin", "UTC", "europe/berlin", "../zones", "zone.tab", "Europe", "", "/etc/localtime", "a\0b")
    assert [zone and zone.key for zone in map(zones.get, names)] == ["Europe/Berlin", "UTC", *[None] * 7]
    assert len(zones.names()) > 400


def test_every_zone_is_read() -> None:
    """Every zone that is named can be read."""
    zones = PackagedZones()
    assert [name for name in sorted(zones.names()) if zones.get(name) is None] == []
