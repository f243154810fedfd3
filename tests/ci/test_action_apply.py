"""The composite action on main: apply, drift, install, and what it does with inputs that make no sense."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time

import pytest
from ci.github_stand_in import BOT
from ci.runner import PROJECT, SLOWSCHED
from repositories import task_text

AHEAD = "2190-06-01T00:00:00Z"
DRIFT = "<!-- slowsched:drift:local -->"


def test_apply_takes_the_digest_of_the_plan(clone, push):
    """Plan, then apply of exactly that plan: applied, without a failure, and the summary says so."""
    clone.commit(scarf=task_text("scarf", due=AHEAD))
    digest = push.run(command="plan").outputs["digest"]
    told = push.run(command="apply", expect=digest)
    assert (told.failed, told.commands, told.outputs["failure_reason"], told.outputs["digest"]) == (
        False,
        [],
        "",
        digest,
    )
    assert "Status **applied**: 1 of 1 changes applied; timer at 2190" in told.summary


def test_apply_refuses_another_plan(clone, push):
    """What changed after the approval is not applied."""
    clone.commit(scarf=task_text("scarf", due=AHEAD))
    digest = push.run(command="plan").outputs["digest"]
    clone.commit(hat=task_text("hat", due=AHEAD))
    told = push.run(command="apply", expect=digest)
    assert (told.failed, told.outputs["failure_reason"]) == (True, "stale")


def test_apply_of_a_late_task_is_in_part(clone, push):
    """The rest is applied, the late task annotated, the run red."""
    clone.commit(scarf=task_text("scarf", due=AHEAD), old=task_text("old", due="2020-01-01T00:00:00Z"))
    told = push.run(command="apply")
    (error,) = told.commands
    assert (told.failed, told.outputs["failure_reason"], error[:20]) == (True, "partial", "::error ::old: late:")
    assert "Status **partial**: 1 of 2 changes applied" in told.summary


def test_arguments_are_words_of_their_own(clone, push):
    """One a line; blanks and quotes in a line stay in it, and nothing of it is run."""
    clone.commit(old=task_text("old", due="2020-01-01T00:00:00Z"))
    told = push.run(command="apply", arguments="--late\nskip\n\n--out\na 'b' $(touch c).json\n")
    made = sorted(path.name for path in clone.root.iterdir() if path.is_file() and path.suffix != ".yaml")
    assert (told.failed, told.outputs["failure_reason"], made) == (False, "", [".gitignore", "a 'b' $(touch c).json"])


@pytest.mark.parametrize("version", ["1.2.3; touch x", "--index-url=https://example.com", "@git"])
def test_a_version_that_is_none_is_refused(push, version):
    """It goes on pip's command line, and is held to the form of a version."""
    told = push.run(command="validate", version=version)
    assert (told.failed, list(told.steps), len(told.commands)) == (True, ["install"], 1)


def test_an_unknown_command_is_refused(push):
    """Its four are named."""
    told = push.run(command="worker")
    assert "::error::the input `command` must be validate, plan, apply or drift" in told.commands
    assert (told.failed, told.outputs["failure_reason"]) == (True, "error")


def test_install_takes_this_commit_or_a_release(push, tmp_path):
    """Without a version the action's own sources, else the release; with the versions of constraints.txt."""
    programs = tmp_path / "programs"
    programs.mkdir()
    fake = programs / "python3"
    # Stands in for `python3 -I -m venv HOME`, and for the pip in it: no network in tests.
    fake.write_text(
        '#!/bin/bash\nif [ "$3" = venv ]; then mkdir -p "$4/bin"; cp "$0" "$4/bin/python"\n'
        f'else echo "$@" >>{tmp_path}/called.log; fi\n',
        encoding="utf-8",
    )
    fake.chmod(stat.S_IRWXU)
    (push.temp / "slowsched-action").unlink()
    path = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    for version in ("", "1.2.3"):
        runner = type(push)(workspace=push.workspace, temp=push.temp, api_url="", more=path)
        assert runner.run(command="validate", version=version).steps["install"]["outcome"] == "success"
    common = f"-I -m pip install --quiet --disable-pip-version-check --constraint {PROJECT}/constraints.txt"
    called = (tmp_path / "called.log").read_text(encoding="utf-8").splitlines()
    assert [line for line in called if " pip " in line] == [
        f"{common} {PROJECT}",
        f"{common} slowsched==1.2.3",
    ]


def test_a_cancelled_apply_is_the_tool_itself(clone, tmp_path):
    """A signal to the step's first process reaches slowsched, not a shell around it."""
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "slowsched"
    program.write_text(
        f"#!{sys.executable}\nimport os, signal, sys, time\nfrom pathlib import Path\n"
        f"def stop(*_):\n    Path({str(tmp_path / 'stopped')!r}).write_text(str(os.getpid()))\n    sys.exit(6)\n"
        f"signal.signal(signal.SIGTERM, stop)\nPath({str(tmp_path / 'ready')!r}).touch()\ntime.sleep(100)\n",
        encoding="utf-8",
    )
    program.chmod(stat.S_IRWXU)
    inputs = dict.fromkeys(("ENVIRONMENT", "BASE", "OFFLINE", "EXPECT", "ARGUMENTS"), "")
    variables = {f"INPUT_{name}": value for name, value in inputs.items()} | {
        "INPUT_COMMAND": "apply",
        "INPUT_LOCK_TIMEOUT": "1m",
        "INPUT_WORKING_DIRECTORY": ".",
        "SLOWSCHED_HOME": str(home),
        "SLOWSCHED_FOLDER": str(tmp_path),
    }
    script = f'exec "{PROJECT}/.github/action/run.sh"'
    with subprocess.Popen(["bash", "-c", script], cwd=clone.root, env=os.environ | variables) as process:
        try:
            end = time.monotonic() + 60
            while not (tmp_path / "ready").exists() and time.monotonic() < end:
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 6
        finally:
            process.kill()
    assert (tmp_path / "stopped").read_text(encoding="utf-8") == str(process.pid)


# --- drift -----------------------------------------------------------------------------------------


@pytest.fixture
def drifting(push, tmp_path):
    """Give a function that runs the action's drift on what the tool is made to find: its status and its Markdown."""

    def run(status, markdown="", **inputs):
        home = push.temp / "slowsched-9.9.9"
        (home / "bin").mkdir(parents=True, exist_ok=True)
        program = home / "bin" / "slowsched"
        (tmp_path / "drift.md").write_text(markdown, encoding="utf-8")
        program.write_text(
            f"#!/bin/bash\n[ \"$*\" = 'drift --format markdown' ] || exit 99\n"
            f"cat {tmp_path}/drift.md\necho told >&2\nexit {status}\n",
            encoding="utf-8",
        )
        program.chmod(stat.S_IRWXU)
        python = home / "bin" / "python"
        python.unlink(missing_ok=True)
        python.symlink_to(sys.executable)
        return push.run(command="drift", version="9.9.9", **inputs)

    return run


def test_the_issue_is_opened_updated_left_alone_and_closed(drifting, github):
    """Drift, other drift, the same again, none, and none again: one issue, closed with a word."""
    github.issue(f"{DRIFT}\nnot ours", "mallory")
    tolds = [drifting(*each) for each in [(2, "one row"), (2, "two rows"), (2, "two rows"), (0, "none"), (0, "none")]]
    assert [(told.failed, told.outputs["failure_reason"]) for told in tolds] == [(False, "drift")] * 3 + [
        (False, "")
    ] * 2
    assert github.writes == ["POST issues", "PATCH issues/2", "POST issues/2/comments", "PATCH issues/2"]
    issue = github.issues[1]
    assert (issue["title"], issue["state"], issue["state_reason"]) == (
        "slowsched: drift in local",
        "closed",
        "completed",
    )
    assert issue["body"].startswith(f"{DRIFT}\ntwo rows\n")
    assert github.bodies(BOT) == [
        "No drift any more, as of [run 4711](https://github.example/acme/shop/actions/runs/4711)."
    ]


def test_the_tool_itself_finds_drift(clone, push, github):
    """A row that no commit asked for opens the issue; put back, and it is closed."""
    clean = push.run(command="drift")
    clone.write("tasks/coat.yaml", task_text("coat", due=AHEAD))  # not committed
    subprocess.run([SLOWSCHED, "-C", clone.root, "apply", "--yes"], check=True, capture_output=True)
    drifted = push.run(command="drift")
    (issue,) = github.issues
    assert (issue["state"], "<code>coat</code>" in issue["body"]) == ("open", True)
    clone.git("checkout", "tasks/coat.yaml")
    subprocess.run([SLOWSCHED, "-C", clone.root, "apply", "--yes"], check=True, capture_output=True)
    again = push.run(command="drift")
    assert [(told.failed, told.outputs["failure_reason"]) for told in (clean, drifted, again)] == [
        *((False, ""), (False, "drift"), (False, ""))
    ]
    assert issue["state"] == "closed"


def test_drift_after_a_closed_issue_opens_another(drifting, github):
    """What was closed stays closed, as a record."""
    for status in (2, 0, 2):
        drifting(status, "one row")
    assert [each["state"] for each in github.issues] == ["closed", "open"]


def test_a_drift_that_cannot_be_told_fails(drifting, github):
    """Where there can be no issue, or none is wanted, the run is red."""
    github.may_write = False
    assert (drifting(2, "one row").failed, drifting(2, "one row", comment="false").failed, github.issues) == (
        True,
        True,
        [],
    )
    assert (drifting(0).failed, drifting(0, comment="false").failed) == (False, False)


def test_a_drift_that_is_not_known_leaves_the_issue(drifting, github):
    """The account does not answer: the run is red, and the issue neither closed nor changed."""
    drifting(2, "one row")
    told = drifting(1)
    assert (told.failed, told.outputs["failure_reason"]) == (True, "error")
    assert ([each["state"] for each in github.issues], github.writes) == (["open"], ["POST issues"])
