"""plan and apply through the command line: forms, statuses, files, order of commits."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from command_line import AHEAD, PAST

from slowsched.cli.apply import guard_commit
from slowsched.config import load_config
from slowsched.errors import UnsafeError

LATE = {"due": PAST}


def ids(document, key="changes"):
    return {each["id"]: each["kind"] for each in document[key]}


def test_a_plan_without_tasks_is_nothing_to_do(run, shop):
    """An empty repository has an empty plan, and status 0, with --detailed-exitcode too."""
    assert run("plan").status == 0
    assert run("plan", "--detailed-exitcode").status == 0
    assert not (shop / ".slowsched").exists()


def test_a_plan_with_changes(run, declare, shop):
    """Changes are status 0, and 2 with --detailed-exitcode; nothing is written."""
    declare("a")
    ran = run("plan", "--format", "json")
    assert (ran.status, ran.stderr, ids(ran.document)) == (0, "", {"a": "create"})
    assert run("plan", "--detailed-exitcode").status == 2
    assert not (shop / ".slowsched").exists()


@pytest.mark.usefixtures("shop")
def test_a_plan_in_markdown(run, declare):
    """Markdown is for a comment of a pull request."""
    declare("a")
    ran = run("plan", "--format", "markdown")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith("### slowsched plan: local\n")


def test_a_plan_in_files(run, declare, shop):
    """--out writes the plan beside: Markdown to *.md, else JSON with digests in place of values."""
    declare("a", payload={"price": 1234567})
    ran = run("plan", "--out", "plan.md", "--out", "plan.json")
    assert (ran.status, ran.stderr) == (0, "wrote plan.md\nwrote plan.json\n")
    assert ran.stdout.startswith("Plan for local, owner acme/shop")
    assert (shop / "plan.md").read_text().startswith("### slowsched plan: local\n")
    kept = (shop / "plan.json").read_text()
    assert ids(json.loads(kept)) == {"a": "create"}
    assert "1234567" not in kept


def test_a_plan_file_that_cannot_be_written_is_said(run, declare):
    """A folder that is not there is an error that names the file."""
    declare("a")
    ran = run("plan", "--out", "nowhere/plan.md")
    assert (ran.status, ran.stderr) == (1, "slowsched: error: nowhere/plan.md: no such file or directory\n")


def test_a_late_task_makes_a_plan_an_error(run, declare):
    """A late task is status 1 of plan, whatever else there is; --late says what to do with it."""
    declare("old", **LATE)
    declare("new")
    assert run("plan", "--detailed-exitcode").status == 1
    assert ids(run("plan", "--format", "json").document) == {"old": "late", "new": "create"}
    assert run("plan", "--late", "run").status == 0
    assert run("plan", "--late", "skip", "--detailed-exitcode").status == 2


def test_a_refused_plan_is_unsafe(run, declare):
    """Over the limits is status 3 of plan and of apply, and nothing is written; the exact number allows it."""
    paths = [declare(f"task {number}") for number in range(10)]
    assert run("apply").status == 0
    for path in paths[:5]:
        path.unlink()
    refused = run("plan", "--format", "json")
    assert (refused.status, [each["code"] for each in refused.document["refused"]]) == (3, ["too-many-deletes"])
    ran = run("apply", "--format", "json")
    assert (ran.status, ran.document["status"], len(run("list", "--format", "json").document["rows"])) == (
        3,
        "refused",
        10,
    )
    assert run("apply", "--allow-deletes", "4").status == 3
    assert run("apply", "--allow-deletes", "5").status == 0
    assert len(run("list", "--format", "json").document["rows"]) == 5


def test_a_protected_task_needs_a_word(run, declare):
    """The delete of a protected task is refused until it is named; a mistyped name is told the nearest."""
    path = declare("crown jewels", protect=True)
    declare("other")
    run("apply")
    path.unlink()
    assert run("apply").status == 3
    wrong = run("apply", "--allow-protected", "crown jewel")
    assert (wrong.status, wrong.stdout) == (1, "")
    assert wrong.stderr == "slowsched: error: there is no task 'crown jewel': did you mean 'crown jewels'?\n"
    assert run("apply", "--allow-protected", "crown jewels").status == 0


@pytest.mark.parametrize("option", ["--supersede", "--allow-protected"])
def test_an_id_that_nobody_has_is_a_mistake(run, declare, option):
    """An option that names no task of the files or the rows is a mistake of typing: the nearest is named."""
    declare("winter sale")
    line = "slowsched: error: there is no task 'winter-sale': did you mean 'winter sale'?\n"
    for command in ("plan", "apply"):
        assert run(command, option, "winter-sale").stderr == line
    run("apply")
    assert run("plan", option, "winter-sale").status == 1
    assert run("plan", option, "winter sale").status == 0


def test_apply_prints_the_plan_and_the_report(run, declare):
    """Without a terminal nothing is asked: the plan, then what became of each change; then nothing to do."""
    declare("a")
    ran = run("apply")
    assert (ran.status, ran.stderr) == (0, "")
    assert re.search(r"Plan for local.*\+ create +applied +a\n", ran.stdout, re.DOTALL)
    assert "Next: " not in ran.stdout
    again = run("apply", "--format", "json")
    assert (again.status, again.document["status"], again.document["results"]) == (0, "nothing", [])


def test_apply_waits_for_a_lock_so_long(run):
    """--lock-timeout takes a duration, and says what one looks like."""
    ran = run("apply", "--lock-timeout", "soon")
    assert (ran.status, ran.stdout) == (1, "")
    assert "'soon' is not a duration: write a number and s, m, h or d, as in 90s" in ran.stderr


def test_apply_in_quiet_prints_the_report_alone(run, declare):
    """-q leaves out the plan."""
    declare("a")
    assert run("apply", "-q").stdout.startswith("+ create")


def test_apply_as_json_is_one_document(run, declare):
    """--format json prints the report, and nothing else."""
    declare("a")
    ran = run("apply", "--format", "json")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.document["status"] == "applied"
    assert ran.document["results"] == [{"id": "a", "kind": "create", "result": "applied", "message": None}]
    assert ran.document["timer"]["armed"] == AHEAD


def test_a_late_task_blocks_itself_only(run, declare):
    """Apply does the rest, names what was late, and ends with 6."""
    declare("old", **LATE)
    declare("new")
    ran = run("apply", "--format", "json")
    assert (ran.status, ran.document["status"]) == (6, "partial")
    assert {each["id"]: each["result"] for each in ran.document["results"]} == {"old": "late", "new": "applied"}


def test_apply_expects_the_plan_that_was_approved(run, declare):
    """--expect takes the digest of the plan, and refuses any other with status 5 and nothing written."""
    declare("a")
    digest = run("plan", "--format", "json").document["digest"]
    declare("b")
    stale = run("apply", "--expect", digest, "--format", "json")
    assert (stale.status, stale.document["status"]) == (5, "stale")
    assert run("list").stdout == "No rows.\n"
    digest = run("plan", "--format", "json").document["digest"]
    assert run("apply", "--expect", digest).status == 0


def test_problems_stop_plan_and_apply(run, declare, shop):
    """Problems in files are shown as validate shows them, end with 1, and nothing is written."""
    declare("a", due="noon")
    declare("b", action="NOPE")
    validated = run("validate")
    assert validated.status == 1
    lines = [line for line in validated.stdout.splitlines() if line.startswith("tasks/")]
    assert len(lines) == 2
    for command in ("plan", "apply"):
        ran = run(command)
        assert ran.status == 1
        assert [line for line in ran.stdout.splitlines() if line.startswith("tasks/")] == lines
    problems = run("validate", "--format", "json").document["problems"]
    for command in ("plan", "apply"):
        document = run(command, "--format", "json").document
        assert document["problems"] == problems
    assert document["status"] == "refused"
    assert not (shop / ".slowsched").exists()


def test_an_id_of_another_owner_is_a_problem(run, declare, shop):
    """Two owners in one table cannot have the same id: shown like a problem of the file."""
    declare("a")
    run("apply")
    (shop / "slowsched.yaml").write_text("version: 1\nowner: acme/other\n")
    for command in ("plan", "apply"):
        ran = run(command)
        assert (ran.status, "[foreign-id]" in ran.stdout) == (1, True)
        assert run(command, "--format", "json").document["problems"][0]["code"] == "foreign-id"


@pytest.fixture(name="git")
def _git(shop):
    def git(*words):
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *words]
        return subprocess.run(command, cwd=shop, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "main")
    (shop / ".gitignore").write_text(".slowsched/\n")
    return git


def commit(git, message):
    git("add", "-A")
    git("commit", "-q", "-m", message)
    return git("rev-parse", "HEAD")


def test_the_commit_of_a_plan(run, declare, git, monkeypatch):
    """--commit, else GITHUB_SHA, else HEAD, else none."""
    declare("a")
    assert run("plan", "--format", "json").document["commit"] is None
    head = commit(git, "a")
    assert run("plan", "--format", "json").document["commit"] == head
    monkeypatch.setenv("GITHUB_SHA", "B" * 40)
    assert run("plan", "--format", "json").document["commit"] == "b" * 40
    assert run("plan", "--format", "json", "--commit", "c" * 40).document["commit"] == "c" * 40
    assert run("plan", "--commit", "main").stderr == (
        "slowsched: error: 'main' is no commit: write its hexadecimal name, as `git rev-parse HEAD` does\n"
    )


def test_an_older_commit_is_refused(run, declare, git):
    """Applying a commit that does not contain the one applied last is a rollback: status 3, or a word."""
    declare("a")
    first = commit(git, "a")
    declare("b")
    commit(git, "b")
    assert run("apply").status == 0
    git("checkout", "-q", first)
    for command in ("plan", "apply"):
        ran = run(command, "--format", "json")
        assert (ran.status, [each["code"] for each in ran.document["refused"]]) == (3, ["rollback"])
    assert run("apply", "--allow-rollback").status == 0
    assert run("plan").status == 0


def test_a_commit_that_git_does_not_know_is_an_error(run, declare, git):
    """A shallow clone cannot order commits: an error that names fetch-depth."""
    declare("a")
    commit(git, "a")
    assert run("apply").status == 0
    ran = run("apply", "--commit", "d" * 40)
    assert ran.status == 1
    assert "fetch-depth: 0" in ran.stderr
    assert run("plan", "--commit", "d" * 40).status == 0  # to show a plan needs no whole history


def test_an_apply_that_asks_nobody_shows_the_plan_that_it_carries_out(run, declare):
    """The plan stands once before the report: it is made under the lock."""
    declare("a")
    ran = run("apply")
    assert (ran.status, ran.stdout.count("+ create    a  "), ran.stdout.count("+ create    applied  a")) == (0, 1, 1)


def test_the_same_commit_needs_no_git(run, declare):
    """Outside git a commit that was named is in order with itself."""
    declare("a")
    for _ in range(2):
        assert run("apply", "--commit", "e" * 40).status == 0


AWS = """
environments:
  production: {backend: aws, region: eu-central-1, table: slowsched, timer: {kind: rule, name: slowsched-wake}}
"""


def test_what_is_shared_is_applied_from_a_clean_commit(shop, git):
    """On aws no commit, or a dirty work tree, is refused without --allow-dirty; a laptop's environment is not."""
    with (shop / "slowsched.yaml").open("a") as file:
        file.write(AWS)
    config = load_config()
    guard_commit(config, "local", None, allow_dirty=False)
    with pytest.raises(UnsafeError, match="no commit"):
        guard_commit(config, "production", None, allow_dirty=False)
    head = commit(git, "a")
    guard_commit(config, "production", head, allow_dirty=False)
    (shop / "tasks" / "new.yaml").write_text("x: 1\n")
    with pytest.raises(UnsafeError, match="changes that no commit holds"):
        guard_commit(config, "production", head, allow_dirty=False)
    guard_commit(config, "production", None, allow_dirty=True)
