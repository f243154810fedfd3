"""Workflows and action as linters and the house see them, and the copies that `slowsched init --github` writes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ci.runner import SLOWSCHED
from emulators.parts import ACTIONLINT, is_ci, missing
from repositories import PROJECT

from slowsched import __version__
from slowsched.starter import workflow_files

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
ACTION = PROJECT / "action.yml"
ZIZMOR = Path(sys.executable).with_name("zizmor")

# Passed over, and why. Nothing else is.
ACTIONLINT_KNOWS_NOT = {
    'unexpected key "queue" for "concurrency" section': "GitHub takes `queue` since 2026, actionlint 1.7.7 is older",
}
COPIES_ONLY = {
    "unpinned-uses": "our own action, by the tag of the release that wrote the file: a commit cannot hold its own name",
}

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Write the workflows of `slowsched init --github`, and return their folder."""
    root = tmp_path_factory.mktemp("copies")
    command = [SLOWSCHED, "init", root, "--github"]
    subprocess.run(command, check=True, capture_output=True)
    return root


def everything():
    """Yield every document of the project that GitHub reads, by its name."""
    for path in (*WORKFLOWS, ACTION):
        yield path.name, yaml.safe_load(path.read_text(encoding="utf-8"))


def steps_of(document):
    """Yield every step of a workflow or of an action."""
    for job in document.get("jobs", {"": document.get("runs", {})}).values():
        yield from job["steps"]


# --- linters ---------------------------------------------------------------------------------------


def actionlint(folder):
    """Return what actionlint finds in the workflows of a folder, one line a finding."""
    if why := missing("actionlint"):
        assert not is_ci(), why
        pytest.skip(why)
    ran = subprocess.run(
        ["node", ACTIONLINT, f"{folder}/.github/workflows/*.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "workflow file(s)" in ran.stdout, ran.stderr
    return [line for line in ran.stdout.splitlines() if re.search(r"\.yml:\d+:\d+ ", line)]


def zizmor(*paths):
    """Return the findings of zizmor's most pedantic persona, without any network."""
    ran = subprocess.run(
        [ZIZMOR, "--offline", "--quiet", "--persona", "pedantic", "--format", "json-v1", *paths],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.stdout, ran.stderr
    return sorted(each["ident"] for each in json.loads(ran.stdout))


def test_actionlint_finds_nothing(copies):
    """In the project's workflows and in the copies, but for what it is too old to know."""
    for folder in (PROJECT, copies):
        findings = actionlint(folder)
        assert [line for line in findings if not any(known in line for known in ACTIONLINT_KNOWS_NOT)] == []


def test_actionlint_would_find_something(tmp_path):
    """A planted mistake is found: the linter runs."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    text = (PROJECT / ".github" / "workflows" / "plan.yml").read_text(encoding="utf-8")
    (folder / "plan.yml").write_text(text.replace("steps.account.outputs", "steps.acount.outputs"), encoding="utf-8")
    assert len(actionlint(tmp_path)) == 2


def test_zizmor_finds_nothing():
    """In workflows and action, under its most pedantic persona, with the settings of .github/zizmor.yml."""
    assert zizmor(PROJECT) == []


def test_zizmor_passes_over_nothing_without_a_reason():
    """Each rule that is off has a comment above; no line is passed over in a workflow."""
    settings = (PROJECT / ".github" / "zizmor.yml").read_text(encoding="utf-8")
    rules = yaml.safe_load(settings)["rules"]
    for rule in rules:
        assert re.search(rf"^  {rule}:\n    # .+", settings, re.MULTILINE), rule
    assert [path.name for path in (*WORKFLOWS, ACTION) if "zizmor:" in path.read_text(encoding="utf-8")] == []


def test_zizmor_finds_one_thing_in_the_copies(copies):
    """The action is named by its release; init says to put its commit there."""
    assert set(zizmor(copies)) == set(COPIES_ONLY)


def test_zizmor_would_find_something(tmp_path):
    """An expression inside a shell line is found: the linter runs."""
    text = ACTION.read_text(encoding="utf-8").replace('exec "$GITHUB_ACTION_PATH', 'exec "${{ inputs.base }}')
    (tmp_path / "action.yml").write_text(text, encoding="utf-8")
    assert "template-injection" in zizmor(tmp_path)


# --- the house -------------------------------------------------------------------------------------


def test_every_action_of_others_is_pinned_by_commit():
    """With the release beside it."""
    uses = [
        line.partition("uses:")[2].strip()
        for path in (*WORKFLOWS, ACTION)
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip().removeprefix("- ").startswith("uses:")
    ]
    assert len(uses) > 20
    assert [each for each in uses if each != "./" and not PINNED.fullmatch(each)] == []


def test_no_expression_stands_inside_a_shell_line():
    """What a person can write reaches a shell by its environment only."""
    steps = [(name, step["run"]) for name, document in everything() for step in steps_of(document) if "run" in step]
    assert len(steps) > 8
    assert [each for each in steps if "${{" in each[1]] == []


def test_the_token_stays_out_of_the_work_tree_and_nothing_runs_for_strangers():
    """No credentials are persisted, nothing runs on pull_request_target, and no permission is given to all jobs."""
    for name, document in everything():
        if name == "action.yml":
            continue
        assert "pull_request_target" not in document[True]
        assert document["permissions"] == {}, name
        for step in steps_of(document):
            if "actions/checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


def test_applies_wait_for_one_another_and_none_is_dropped():
    """One group, every pending run kept, none cancelled."""
    documents = dict(everything())
    expected = {"queue": "max", "cancel-in-progress": False}
    assert documents["apply.yml"]["concurrency"] == {"group": "apply", **expected}
    assert documents["worker.yml"]["concurrency"] == {"group": "worker", **expected}


def test_apply_takes_the_digest_of_the_plan_that_was_approved():
    """The plan comes from a job before the reviewers of the environment, and apply refuses another."""
    jobs = dict(everything())["apply.yml"]["jobs"]
    assert "environment" not in jobs["plan"]
    assert jobs["plan"]["outputs"]["digest"] == "${{ steps.plan.outputs.digest }}"
    assert jobs["apply"]["environment"] == "${{ vars.SLOWSCHED_ENVIRONMENT }}"
    assert jobs["apply"]["steps"][-1]["with"]["expect"] == "${{ needs.plan.outputs.digest }}"


@pytest.mark.parametrize(
    ("event", "role", "token", "offline"),
    [
        ("pull_request", "arn", "https://token", "false"),
        ("pull_request", "arn", "", "true"),  # a fork
        ("pull_request", "", "https://token", "true"),  # no role
        ("merge_group", "arn", "https://token", "true"),
    ],
)
def test_a_plan_is_offline_where_no_account_can_be_asked(tmp_path, event, role, token, offline):
    """The step that decides, run as it stands."""
    steps = dict(everything())["plan.yml"]["jobs"]["plan"]["steps"]
    (script,) = [step["run"] for step in steps if step.get("id") == "account"]
    variables = {"GITHUB_EVENT_NAME": event, "ROLE": role, "GITHUB_OUTPUT": str(tmp_path / "output")}
    if token:
        variables["ACTIONS_ID_TOKEN_REQUEST_URL"] = token
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=variables, check=True)
    assert (tmp_path / "output").read_text(encoding="utf-8") == f"offline={offline}\n"


@pytest.mark.parametrize(
    ("reason", "digest", "goes_on"),
    [("", "abc", True), ("late", "abc", True), ("conflict", "abc", True), ("refused", "abc", False), ("", "", False)],
)
def test_only_a_plan_that_apply_would_carry_out_is_put_before_reviewers(reason, digest, goes_on):
    """A late task holds up itself alone; a plan that is refused, or is none, stops here."""
    (script,) = [
        step["run"]
        for step in dict(everything())["apply.yml"]["jobs"]["plan"]["steps"]
        if step["name"].startswith("Stop")
    ]
    ran = subprocess.run(["bash", "-e", "-c", script], env={"REASON": reason, "DIGEST": digest}, check=False)
    assert (ran.returncode == 0) is goes_on


def test_the_shell_files_are_bash():
    """Each parses, stops at the first error, and may be executed."""
    files = sorted((PROJECT / ".github" / "action").glob("*.sh"))
    assert [file.name for file in files] == ["install.sh", "run.sh"]
    for file in files:
        subprocess.run(["bash", "-n", file], check=True)
        assert "\nset -euo pipefail\n" in file.read_text(encoding="utf-8")
        assert file.stat().st_mode & 0o111 == 0o111


# --- copies ----------------------------------------------------------------------------------------


def test_init_writes_two_workflows_that_name_the_action(copies):
    """The project's own, but for the name of the action and the place of the documents."""
    written = {
        path.relative_to(copies).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(copies.glob(".github/**/*.yml"))
    }
    assert written == workflow_files(__version__)
    assert sorted(written) == [f".github/workflows/slowsched-{name}.yml" for name in ("apply", "plan")]
    for text in written.values():
        assert f"uses: slowsched/slowsched@v{__version__} #" in text
        assert "uses: ./" not in text


def test_init_leaves_workflows_that_are_there(copies, tmp_path):
    """As every file that exists."""
    shutil.copytree(copies, tmp_path, dirs_exist_ok=True)
    plan = tmp_path / ".github" / "workflows" / "slowsched-plan.yml"
    plan.write_text("mine", encoding="utf-8")
    command = [SLOWSCHED, "init", tmp_path, "--github"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert (plan.read_text(encoding="utf-8"), "exists   .github/workflows/slowsched-plan.yml" in ran.stdout) == (
        "mine",
        True,
    )


# --- pre-commit ------------------------------------------------------------------------------------


def test_the_hooks_run_what_they_name(copies):
    """Each hook has the keys that pre-commit wants, and its command works in a fresh repository."""
    hooks = yaml.safe_load((PROJECT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks] == ["slowsched-validate", "slowsched-plan"]
    for hook in hooks:
        assert {"id", "name", "entry", "language"} <= hook.keys()
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for words in (
        ["init", "-q"],
        ["add", "-A"],
        ["commit", "-qm", "a"],
        ["update-ref", "refs/remotes/origin/main", "HEAD"],
    ):
        subprocess.run([*git, *words], cwd=copies, check=True)
    for hook in hooks:
        command = hook["entry"].split()
        subprocess.run(
            [Path(sys.executable).with_name(command[0]), *command[1:]], cwd=copies, check=True, capture_output=True
        )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        *((path, True) for path in ("slowsched.yaml", "tasks/2031/a.yml", "shop/tasks/a.json")),
        *((path, True) for path in ("schemas/actions/APPLY_SALE.schema.json",)),
        *((path, False) for path in ("README.md", "worker/actions.py")),
    ],
)
def test_the_validating_hook_looks_at_task_files(path, expected):
    """At settings, task files and schemas, in any folder; not at the rest."""
    (hook, _) = yaml.safe_load((PROJECT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert bool(re.search(hook["files"], path)) is expected
