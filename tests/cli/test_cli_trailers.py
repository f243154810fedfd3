"""Trailers, imminent tasks and approved plans through the command line, in a scripted repository."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from command_line import PAST


@pytest.fixture
def git(shop, monkeypatch):
    """Return a function that runs git in the shop, which is a repository with its settings committed."""
    for name, value in {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}.items():
        monkeypatch.setenv(name, value)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.com")

    def run_git(*words):
        done = subprocess.run(["git", *words], cwd=shop, capture_output=True, check=True, text=True)
        return done.stdout.strip()

    (shop / ".gitignore").write_text(".slowsched/\nplan*.json\n")
    run_git("init", "--quiet", "--initial-branch", "main")
    run_git("add", ".")
    run_git("commit", "--quiet", "--message", "settings")
    return run_git


@pytest.fixture
def commit(git):
    """Return a function that commits everything with these trailers, and returns the commit."""

    def commit_all(*trailers):
        git("add", "--all")
        message = "\n".join(["a subject", "", *trailers])
        git("commit", "--quiet", "--allow-empty", "--message", message)
        return git("rev-parse", "HEAD")

    return commit_all


@pytest.fixture
def six(run, declare, commit):
    """Apply six tasks, and return the paths of their files."""
    paths = [declare(f"t{number}") for number in range(6)]
    commit()
    assert run("apply").status == 0
    return paths


def codes(ran):
    """Return the codes of what refuses, and the kinds of changes."""
    return [each["code"] for each in ran.document["refused"]]


def test_a_merge_carries_what_its_branch_allows(run, git, commit, six):
    """Refused with the line that is missing; allowed with it, on the branch and once merged; and not twice."""
    git("switch", "--quiet", "--create", "branch")
    for path in six[:5]:
        path.unlink()
    commit()
    ran = run("plan", "--base", "main", "--format", "json")
    assert (ran.status, codes(ran), ran.document["needed"]) == (
        3,
        ["too-many-deletes"],
        ["Slowsched-Allow-Deletes: 5"],
    )
    assert (
        "If it is meant, end the message of a commit of this branch with:\n    Slowsched-Allow-Deletes: 5\n"
        in run("plan", "--base", "main").stdout
    )
    said = commit("Slowsched-Allow-Deletes: 5")
    line = f"Allowed, in commit {said[:7]}: Slowsched-Allow-Deletes: 5"
    for options in ([], ["--offline"]):
        ran = run("plan", "--base", "main", *options)
        assert (ran.status, line in ran.stdout) == (0, True)
    git("switch", "--quiet", "main")
    git("merge", "--quiet", "--no-ff", "--message", "merge it", "branch")
    ran = run("plan", "--format", "json")
    trailer = {"name": "Slowsched-Allow-Deletes", "value": "5", "commit": said, "used": True, "message": None}
    assert (ran.status, ran.document["trailers"]) == (0, [trailer])
    ran = run("apply")
    assert (ran.status, line in ran.stdout) == (0, True)
    assert "trailers" not in run("plan", "--format", "json").document


def test_a_mistyped_trailer_refuses_a_branch_and_is_only_told_on_main(run, git, commit, six):
    """Nobody can mend a message on main, and it must not block every apply."""
    assert len(six) == 6
    git("switch", "--quiet", "--create", "branch")
    commit("Slowsched-Alow-Deletes: 5")
    ran = run("plan", "--base", "main", "--format", "json")
    assert (ran.status, codes(ran)) == (3, ["trailer"])
    assert ran.document["refused"][0]["message"].endswith("did you mean 'Slowsched-Allow-Deletes'?")
    ran = run("apply")
    assert (ran.status, "Allows nothing, in commit" in ran.stdout) == (0, True)


def test_late_of_single_tasks(run, git, declare, commit):
    """By a flag or by a trailer, each task its own way; the flag's is the last word."""
    assert git("status", "--porcelain") == ""
    declare("a", due=PAST)
    declare("b=c", due=PAST)
    commit("Slowsched-Late: b=c skip")

    def notes(*options):
        changes = run("plan", "--format", "json", *options).document["changes"]
        return {each["id"]: each["notes"] or each["kind"] for each in changes}

    assert notes() == {"a": "late", "b=c": ["late-skip"]}
    assert notes("--late", "run") == {"a": ["late-run"], "b=c": ["late-skip"]}
    assert notes("--late", "a=skip", "--late", "b=c=run") == {"a": ["late-skip"], "b=c": ["late-run"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--late", "a"], "invalid value for '--late': 'a' is not 'run', 'skip', 'ID=run' or 'ID=skip'"),
        (["--late", "=run"], "invalid value for '--late': '=run' is not 'run', 'skip', 'ID=run' or 'ID=skip'"),
        (["--late", "a=run", "--late", "a=skip"], "--late says both run and skip of 'a': say one of them"),
        (["--late", "run", "--late", "skip"], "--late says both run and skip of all: say one of them"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_a_late_word_that_does_not_fit(run, options, message):
    """It is said what fits."""
    ran = run("plan", *options)
    assert (ran.status, ran.stderr.startswith(f"slowsched: error: {message}")) == (1, True)


def test_an_id_of_a_late_word_that_nobody_has(run, declare):
    """A flag that names nobody is a mistake."""
    declare("some task")
    ran = run("plan", "--late", "some tusk=run")
    assert (ran.status, ran.stderr) == (
        1,
        "slowsched: error: there is no task 'some tusk': did you mean 'some task'?\n",
    )


def test_an_imminent_task_is_edited_only_when_named(run, shop, declare):
    """limits.imminent is off by default; a task in the far future is imminent within a hundred years and more."""
    declare("a", due="2090-01-01T00:00:00Z")
    assert run("apply").status == 0
    declare("a", due="2090-01-01T00:00:00Z", payload={"n": 1})
    assert run("plan").status == 0
    with (shop / "slowsched.yaml").open("a") as file:
        file.write("limits: {imminent: 36500d}\n")
    ran = run("apply", "--format", "json")
    assert (ran.status, codes(ran)) == (3, ["imminent"])
    assert run("apply", "--allow-imminent", "a").status == 0


def test_apply_of_an_approved_plan(run, git, declare, commit):
    """The plan in the file and no other; what differs is shown, by id."""
    assert git("status", "--porcelain") == ""
    declare("a")
    commit()
    assert run("plan", "--out", "plan.json").status == 0
    extra = declare("b")
    ran = run("apply", "plan.json", "--format", "json")
    assert (ran.status, ran.document["status"], codes(ran)) == (5, "stale", ["stale", "stale"])
    assert ran.document["refused"][1]["message"] == "'b': create is new, and was not approved"
    ran = run("apply", "--expect", "another")
    assert (ran.status, "the plan of now: 2 create" in ran.stdout) == (5, True)
    assert run("list", "--format", "json").document["rows"] == []
    extra.unlink()
    digest = json.loads(run("plan", "--format", "json").stdout)["digest"]
    assert run("apply", "plan.json", "--expect", digest).status == 0


def test_an_approved_plan_that_does_not_fit(run, shop, declare, commit):
    """Another commit is status 5, a digest beside the file that is another's is a mistake."""
    declare("a")
    commit()
    assert run("plan", "--out", "plan.json").status == 0
    ran = run("apply", "plan.json", "--expect", "another")
    assert (ran.status, ran.stderr) == (
        1,
        (
            "slowsched: error: --expect names another plan than plan.json: leave it out, or write that plan anew: "
            "see `slowsched apply --help`\n"
        ),
    )
    commit()
    ran = run("apply", "plan.json")
    assert (ran.status, "plan.json is the plan of commit" in ran.stderr) == (5, True)
    (shop / "plan.json").write_text("[]")
    assert run("apply", "plan.json").status == 1
    assert run("apply", "nowhere.json").status == 1
    assert not (shop / ".slowsched").exists()
