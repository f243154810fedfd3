"""Bad input, end to end: each is said with its place and what to do, never with a traceback, and writes nothing.

What exactly is said of a file is the matter of `tests/test_examples.py` and of the readers' own tests; here is
what reaches a person through the commands.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from command_line import AHEAD, Ran, run_process

STORE = ".slowsched/local.db"


def task(**fields):
    return json.dumps({"id": "a", "due": AHEAD, "action": "NOTE", "payload": {}} | fields)


def bomb():
    """A billion laughs."""
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    return "\n".join(lines)


FILES = {
    "empty": (b"", r"1:1: \$: there is no document"),
    "binary": (b"id: \x00\xff\xfe", r"1:\d+: \$: .*binary"),
    "utf-16": ("id: a".encode("utf-16"), r"1:1: \$: this file is UTF-16: save it as UTF-8"),
    "50 MB": (b"# " + b"x" * 50_000_000, r"1:1: \$: this file is larger than"),
    "deeply nested": (b"[" * 100_000, r"1:\d+: \$: .* deep"),
    "alias-bombed": (bomb().encode(), r"1:5: \$\.a0: anchors are not read"),
    "no YAML": (b"id: [a\ndue: b", r"\d:\d+: \$: .*\[syntax\]"),
    "unknown key": (task(lables={}).encode(), r"1:\d+: \$\.lables: unknown key 'lables': did you mean 'labels'\?"),
    "unknown action": (
        task(action="NOT").encode(),
        r"1:\d+: \$\.action: there is no action 'NOT': did you mean 'NOTE'\?",
    ),
    "unknown environment": (
        task(environments=["loca"]).encode(),
        r"1:\d+: \$\.environments\[0\]: there is no environment 'loca': did you mean 'local'\?",
    ),
    "clock text that is no time": (task(due="noon").encode(), r"1:\d+: \$\.due: 'noon' is no time: write one as "),
    "no offset": (task(due="2190-01-01T00:00:00").encode(), r"1:\d+: \$\.due: .*: write 2190-01-01T00:00:00Z"),
}


def is_said(run, shop, place, said):
    """Validate, plan and apply say it in the same words, as a line to click on and as JSON, and write nothing."""
    for command in ("validate", "plan", "apply"):
        ran = run(command)
        assert ran.status == 1, ran
        assert re.search(f"(?m)^{re.escape(place)}:{said}", ran.stdout), ran.stdout
        assert "Traceback" not in ran.stdout + ran.stderr
        document = run(command, "--format", "json").document
        assert document["problems"][0]["path"] == place
    assert f"::error file={place}," in run("validate", "--format", "github").stdout
    assert not (shop / ".slowsched").exists()


@pytest.mark.parametrize("name", FILES)
def test_a_bad_task_file(run, shop, name):
    """Each kind of bad file is one or more lines with its place."""
    content, said = FILES[name]
    (shop / "tasks" / "bad.yaml").write_bytes(content)
    is_said(run, shop, "tasks/bad.yaml", said)


def test_a_folder_with_the_name_of_a_file(run, shop):
    """A folder named x.yaml is said, rather than skipped."""
    (shop / "tasks" / "x.yaml").mkdir()
    is_said(run, shop, "tasks/x.yaml", r"1:1: \$: this is a folder")


def test_a_link_to_nowhere(run, shop):
    """A link that cannot be followed is said."""
    (shop / "tasks" / "x.yaml").symlink_to("nowhere")
    is_said(run, shop, "tasks/x.yaml", r"1:1: \$: this link cannot be followed")


def test_one_id_in_two_files(run, declare, shop):
    """The second says where the first is."""
    declare("a")
    (shop / "tasks" / "b.yaml").write_text(task(id="a"))
    is_said(run, shop, "tasks/b.yaml", r"1:\d+: \$\.id: the id 'a' is declared at tasks/a.json:1 already")


@pytest.mark.parametrize("text", ['{"type":', '{"type": "objekt"}', "[]", ""])
def test_a_broken_schema_file(run, declare, shop, text):
    """A schema that is none is a problem of its file; its tasks are not blamed."""
    declare("a")
    path = "schemas/actions/NOTE.schema.json"
    (shop / path).write_text(text)
    is_said(run, shop, path, r"\d+:\d+: \$")


CONFIGS = {
    "unknown key": (
        "version: 1\nowner: a/b\nownr: c\n",
        "slowsched.yaml:3:1: $.ownr: unknown key 'ownr': did you mean",
    ),
    "empty": ("", "slowsched.yaml:1:1: $: there is no document in this file"),
    "no YAML": ("owner: [", "slowsched.yaml:1:"),
    "out of the root": (
        "version: 1\nowner: a/b\ntasks: [../x]\n",
        "slowsched.yaml:3:9: $.tasks[0]: '../x' must be a path",
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("command", ["validate", "plan", "apply", "worker", "list", "pause", "new", "arm"])
def test_a_bad_config(run, shop, name, command):
    """Every command says what is wrong with the settings, with its place."""
    text, said = CONFIGS[name]
    (shop / "slowsched.yaml").write_text(text)
    ran = run(command)
    assert (ran.status, ran.stdout) == (1, "")
    assert ran.stderr.startswith("slowsched: error: slowsched.yaml has a problem\n")
    assert f"\n{said}" in ran.stderr


@pytest.mark.parametrize("command", ["validate", "plan", "apply", "worker", "list", "pause", "new", "arm"])
def test_no_config(run, command):
    """Outside of a repository every command says how to begin."""
    ran = run(command)
    assert (ran.status, ran.stdout) == (1, "")
    assert ran.stderr == (
        "slowsched: error: there is no slowsched.yaml here, nor in any folder above: "
        "run `slowsched init` to begin, or go to your repository (-C DIR)\n"
    )


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("command", ["validate", "plan", "apply", "worker", "list", "pause", "arm"])
def test_an_unknown_environment(run, command):
    """The nearest is named."""
    ran = run(command, "--env", "locl")
    assert (ran.status, ran.stdout) == (1, "")
    assert ran.stderr == "slowsched: error: there is no environment 'locl': did you mean 'local'?\n"


@pytest.mark.usefixtures("shop")
def test_a_path_that_is_not_there(run):
    """Validate says which of its arguments leads nowhere."""
    ran = run("validate", "tsks")
    assert (ran.status, ran.stdout.partition("\n")[0]) == (
        1,
        "tsks:1:1: $: there is no such file or folder [no-such-file]",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nowhere\n", "worker/actions.py does not import: ModuleNotFoundError: No module named 'nowhere'"),
        ("raise SystemExit(3)\n", "worker/actions.py does not import: SystemExit: 3"),
        ("def (:\n", "worker/actions.py does not import: SyntaxError: "),
        ("x = 1\n", "worker/actions.py registers no action"),
        (None, "there is no actions module at worker/actions.py"),
    ],
)
def test_actions_that_do_not_import(run, declare, shop, text, said):
    """The worker shows the module's own traceback and claims nothing; validate, plan and apply never import it."""
    module = shop / "worker" / "actions.py"
    module.unlink() if text is None else module.write_text(text)
    declare("a")
    for command in ("validate", "plan", "apply"):
        assert run(command).status == 0
    ran = run("worker", "--fakenow", AHEAD)
    assert (ran.status, ran.stdout) == (1, "")
    assert ran.stderr.splitlines()[-1].startswith(f"slowsched: error: {said}")
    assert ('/worker/actions.py", line 1' in ran.stderr) is ("does not import" in said)
    assert "/slowsched/" not in ran.stderr.rpartition("slowsched: error")[0]
    assert run("show", "a", "--format", "json").document["state"] == "scheduled"


# --- the store -------------------------------------------------------------------------------------

COMMANDS = [("plan",), ("apply",), ("worker",), ("list",), ("show", "a"), ("retry", "a"), ("arm",), ("pause",)]


@pytest.fixture(name="applied")
def _applied(run, declare, shop):
    """A store with one row."""
    declare("a")
    assert run("apply").status == 0
    return shop / STORE


def refuses(run, said):
    """Every command that needs the store says in one line what is the matter with it."""
    for words in COMMANDS:
        ran = run(*words)
        assert (ran.status, ran.stdout) == (1, "")
        assert re.fullmatch(f"slowsched: error: .*/{STORE} {said}.*\n", ran.stderr), ran.stderr


def test_a_corrupt_store(run, applied):
    """A file that is no database, and one that was cut off."""
    whole = applied.read_bytes()
    applied.write_bytes(b"\x01" * 20_000)
    refuses(run, "is not a file of slowsched .*: move it away, or name another `path`")
    applied.write_bytes(whole[:5_000])
    refuses(run, "is damaged .*: restore it from a backup")
    applied.write_bytes(whole)
    assert run("list").status == 0


def test_a_store_of_a_newer_version(run, applied):
    """It is not touched: the newer slowsched is asked for."""
    with closing(sqlite3.connect(applied)) as connection:
        connection.execute("PRAGMA user_version = 99")
    refuses(run, r"was written by another version of slowsched \(format 99; this one: 1\): use the newer slowsched")


def test_a_folder_in_the_place_of_the_store(run, applied):
    """It is said to be one."""
    applied.unlink()
    applied.mkdir()
    refuses(run, "is a folder: move it away")


def without_privileges(*words):
    """Run a command line as a process that file permissions hold for, even where the tests run as root."""
    command = [sys.executable, "-m", "slowsched", *words]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root, and no setpriv to give its privileges up")
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    return Ran(status=process.returncode, stdout=process.stdout, stderr=process.stderr)


def test_a_store_that_may_not_be_written(run, applied):
    """A read-only store is said, and how to mend it."""
    applied.chmod(0o444)
    applied.parent.chmod(0o555)
    try:
        ran = without_privileges("pause")
        assert ran.status == 1
        assert re.fullmatch(
            rf"slowsched: error: .*/{STORE} cannot be (written|opened) .*: let this user read and write .*\n",
            ran.stderr,
        )
    finally:
        applied.parent.chmod(0o755)
    applied.chmod(0o644)
    assert run("pause").status == 0


def test_a_task_file_that_may_not_be_read(declare):
    """It is a problem with its place."""
    declare("a").chmod(0)
    ran = without_privileges("validate")
    assert ran.status == 1
    assert ran.stdout.startswith("tasks/a.json:1:1: $: this file cannot be read: Permission denied [unreadable]\n")


def test_a_config_that_may_not_be_read(shop):
    """So are the settings."""
    (shop / "slowsched.yaml").chmod(0)
    ran = without_privileges("plan")
    assert (ran.status, ran.stdout) == (1, "")
    assert "\nslowsched.yaml:1:1: $: this file cannot be read: Permission denied [unreadable]\n" in ran.stderr


def test_a_folder_that_may_not_be_written(repository):
    """Init and new say which file they could not write, and leave nothing behind."""
    before = sorted(repository.rglob("*"))
    for folder in (repository, repository / "tasks"):
        folder.chmod(0o555)
    try:
        ran = without_privileges("init", "sub")
        assert (ran.status, ran.stderr) == (1, "slowsched: error: sub: permission denied\n")
        payload = '{"itemID": "x", "newPrice": 1, "salePercent": 1}'
        ran = without_privileges("new", "--id", "x", "--due", AHEAD, "--action", "APPLY_SALE", "--payload", payload)
        assert (ran.status, ran.stderr) == (1, "slowsched: error: tasks/x.yaml: permission denied\n")
    finally:
        for folder in (repository, repository / "tasks"):
            folder.chmod(0o755)
    assert sorted(repository.rglob("*")) == before


def small_disk():
    """Let no file of this process grow beyond so many bytes, which is what a full disk is to SQLite."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_a_full_disk_under_apply(run, declare):
    """What was written is in the report, the rest is skipped, and the next run finishes."""
    for number in range(200):
        declare(f"task {number}", payload={"text": "x" * 2_000})
    ran = run_process("apply", "--format", "json", preexec_fn=small_disk, measured=False)
    assert ran.status == 6
    assert "Traceback" not in ran.stderr
    results = [each["result"] for each in ran.document["results"]]
    assert set(results) <= {"applied", "failed", "skipped"}
    assert results.count("failed") > 0
    assert any("cannot " in (each["message"] or "") for each in ran.document["results"])
    again = run("apply", "--format", "json")
    assert (again.status, len(again.document["results"])) == (0, 200 - results.count("applied"))


def test_a_full_disk_under_a_wake(run, declare, shop):
    """An outcome that cannot be recorded is said; the next wake does it again once the lease is over."""
    for number in range(40):
        declare(f"task {number}", payload={"text": "x" * 2_000})
    assert run("apply").status == 0
    size = (shop / STORE).stat().st_size
    limit = size - 4_000

    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    ran = run_process("worker", "--fakenow", AHEAD, "--format", "json", preexec_fn=full, measured=False)
    assert ran.status in {1, 6}
    assert "Traceback" not in ran.stderr
    assert "cannot " in ran.stdout + ran.stderr
    after_lease = "2190-01-01T00:10:00Z"
    assert run("worker", "--fakenow", after_lease).status == 0
    states = {row["state"] for row in run("list", "--format", "json").document["rows"]}
    assert states == {"succeeded"}


@pytest.mark.usefixtures("applied")
def test_a_locked_store_is_waited_for_and_then_said(shop):
    """Another process that never lets go of the file ends a command with status 1, in far less than 90 seconds."""
    with closing(sqlite3.connect(shop / STORE, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        ran = run_process("pause")
    assert (ran.status, ran.stdout) == (1, "")
    assert re.fullmatch(
        rf"slowsched: error: .*/{STORE} is locked by another process .*: find who holds it .*\n", ran.stderr
    )
