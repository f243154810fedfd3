"""The plan of a branch on real repositories: the right label for each change, and never a false delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from branches.history import CONFIG, SCHEMA, History, labels_of, task

if TYPE_CHECKING:
    from pathlib import Path

THIS, MAIN, DRIFT = "this-change", "already-on-main", "drift"


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Return a repository whose main has the tasks a, b and c, applied, and a branch `work` that begins there."""
    made = History.begin(tmp_path / "shop", a=task("a"), b=task("b"), c=task("c"))
    made.git("branch", "work")
    return made


def test_behind_main(history: History) -> None:
    """What main has added, changed and removed since is named with what was done to it, and is no change."""
    history.commit(b=task("b", 2), c=None, new=task("new"))
    history.apply("--allow-deletes", "1")
    history.on("work")
    history.commit(mine=task("mine"))
    document = history.plan()
    assert (labels_of(document), document["behind_kinds"], document["behind"]) == (
        {"mine": ("create", THIS)},
        {"b": "changed", "c": "removed", "new": "added"},
        ["b", "c", "new"],
    )


def test_what_a_reader_sees(history: History) -> None:
    """The text names whose the changes are, and that what the branch lacks is no delete."""
    history.commit(new=task("new"))
    history.on("work")
    history.commit(a=task("a", 2))
    told = history.run("plan", "--base", "main", "--offline").stdout
    assert [line for line in told.splitlines() if line.startswith(("Spec", "By ", "Of ", "Behind", "  added"))] == [
        "Speculative: compared with main, not with the rows.",
        "By this change (1):",
        "Of 1 change: 1 by this change, 0 already on main and not applied yet, 0 drift.",
        "Behind main by 1 task: no deletes and no changes, they come with a merge of main:",
        "  added: new",
    ]


def test_already_on_main(history: History) -> None:
    """What main has changed and nobody has applied yet is not the branch's, though apply will do it."""
    history.commit(b=task("b", 2), c=None, new=task("new"))
    history.on("work")
    history.commit(a=task("a", 2))
    assert history.labels() == {
        "a": ("update", THIS),
        "b": ("update", MAIN),
        "c": ("delete", MAIN),
        "new": ("create", MAIN),
    }


def test_drift(history: History) -> None:
    """A row that was edited by hand is drift, beside a change of the branch."""
    history.edit_by_hand("a", payload={"price": 99})
    history.on("work")
    history.commit(b=task("b", 2))
    assert history.labels() == {"a": ("update", DRIFT), "b": ("update", THIS)}


def test_squash_merge(history: History) -> None:
    """A branch that was squashed into main has nothing left, and what it does after that is its own."""
    history.on("work")
    history.commit(a=task("a", 2))
    history.commit(mine=task("mine"))
    history.on("main")
    history.git("merge", "--quiet", "--squash", "work")
    history.commit()
    history.apply()
    history.on("work")
    nothing = history.labels()
    history.commit(b=task("b", 3))
    assert (nothing, history.labels()) == ({}, {"b": ("update", THIS)})


def test_rebase(history: History) -> None:
    """A rebased branch has the same changes, and is behind nothing."""
    history.on("work")
    history.commit(a=task("a", 2))
    history.on("main")
    history.commit(new=task("new"))
    history.apply()
    history.on("work")
    before = history.plan()
    history.git("rebase", "--quiet", "main")
    after = history.plan()
    assert (labels_of(before), labels_of(after), before["behind"], after["behind"]) == (
        {"a": ("update", THIS)},
        {"a": ("update", THIS)},
        ["new"],
        [],
    )


def test_revert(history: History) -> None:
    """A revert on a branch is the branch's; one on main comes with main, though the branch has what is reverted."""
    history.commit(a=task("a", 2))
    history.apply()
    history.on("undo", "main")
    history.git("revert", "--no-edit", "HEAD")
    undo = history.labels()
    history.on("other", "main")
    history.commit(b=task("b", 2))
    history.on("main")
    history.git("revert", "--no-edit", "HEAD")
    history.on("other")
    assert (undo, history.labels()) == ({"a": ("update", THIS)}, {"a": ("update", MAIN), "b": ("update", THIS)})


def test_rename_and_move(history: History) -> None:
    """Another id is a create and a delete of the branch, told as a rename; another file is nothing."""
    history.on("work")
    history.git("mv", "tasks/b.yaml", "tasks/moved.yaml")
    history.commit(a=task("z"))
    document = history.plan()
    notes = {each["id"]: each["notes"] for each in document["changes"]}
    assert (labels_of(document), notes) == (
        {"a": ("delete", THIS), "z": ("create", THIS)},
        {"a": [], "z": ["renamed-from:a"]},
    )


def test_cherry_pick(history: History) -> None:
    """What a branch has picked from main is main's."""
    picked = history.commit(a=task("a", 2))
    history.commit(b=task("b", 2))
    history.on("work")
    history.git("cherry-pick", picked)
    history.commit(mine=task("mine"))
    document = history.plan()
    assert (labels_of(document), document["behind"]) == (
        {"a": ("update", MAIN), "b": ("update", MAIN), "mine": ("create", THIS)},
        ["b"],
    )


def test_both_changed_the_same_task(history: History) -> None:
    """Other values of a task are merged as git does; the same value is the branch's, and of the branch's change."""
    history.commit(a=task("a", 2), b=task("b", 2))
    history.apply()
    history.on("work")
    history.commit(a=task("a", 1, "", "", "", "description: of work"), b=task("b", 3))
    document = history.plan()
    assert {each["id"]: [field["pointer"] for field in each["fields"]] for each in document["changes"]} == {
        "a": ["$.description"],
        "b": ["$.payload.price"],
    }
    assert labels_of(document) == {"a": ("update", THIS), "b": ("update", THIS)}


def test_a_delete_against_an_edit(history: History) -> None:
    """A task that the branch removes and main has edited is removed by the branch: git will have somebody decide."""
    history.commit(a=task("a", 2))
    history.apply()
    history.on("work")
    history.commit(a=None)
    assert history.labels() == {"a": ("delete", THIS)}


def test_settings_of_the_branch(history: History) -> None:
    """Environments, schemas and defaults that only the branch has do not make main's tasks its own."""
    history.commit(new=task("new"))
    history.apply()
    history.on("work")
    history.write("slowsched.yaml", CONFIG + "  stage: {backend: local, path: .slowsched/stage.db}\n")
    history.write(SCHEMA, '{"type": "object", "required": ["price"]}')
    history.commit(mine=task("mine"), only=task("only", 1, "environments: [stage]"))
    assert history.labels() == {"mine": ("create", THIS)}


def test_folder_of_tasks_moved(history: History) -> None:
    """The tasks are found on either side where its own settings say."""
    history.on("work")
    history.git("mv", "tasks", "dated")
    history.write("slowsched.yaml", CONFIG + "tasks: [dated]\n")
    history.write("dated/mine.yaml", task("mine"))
    history.commit()
    assert history.labels() == {"mine": ("create", THIS)}


def test_root_below_the_top(tmp_path: Path) -> None:
    """A root in a folder of its repository is compared with the same folder of main."""
    history = History.begin(tmp_path / "mono", "teams/shop", a=task("a"), b=task("b"))
    history.git("branch", "work")
    history.commit(b=None)
    history.apply()
    history.on("work")
    history.commit(mine=task("mine"))
    document = history.plan()
    assert (labels_of(document), document["behind_kinds"]) == ({"mine": ("create", THIS)}, {"b": "removed"})


@pytest.mark.parametrize("ref", ["refs/pull/7/merge", "refs/heads/gh-readonly-queue/main/pr-7"])
def test_merge_commits_of_github(history: History, ref: str) -> None:
    """The merge that GitHub checks out, detached, has the branch's changes alone, also when main goes on."""
    history.commit(new=task("new"))
    history.apply()
    history.on("work")
    history.commit(mine=task("mine"))
    history.on("merge", "main")
    history.git("merge", "--quiet", "--no-ff", "work")
    history.git("update-ref", ref, "HEAD")
    history.git("checkout", "--quiet", "--detach", ref)
    history.git("branch", "--quiet", "-D", "merge")
    at_once = history.plan()
    history.on("main")
    history.commit(later=task("later"))
    history.git("checkout", "--quiet", "--detach", ref)
    later = history.plan()
    assert [(labels_of(each), each["behind"]) for each in (at_once, later)] == [
        ({"mine": ("create", THIS)}, []),
        ({"later": ("create", MAIN), "mine": ("create", THIS)}, ["later"]),
    ]


def test_dirty_work_tree(history: History) -> None:
    """What is not committed yet is the branch's too."""
    history.on("work")
    history.write("tasks/a.yaml", task("a", 2))
    history.write("tasks/b.yaml", None)
    assert history.labels() == {"a": ("update", THIS), "b": ("delete", THIS)}


def test_no_common_commit(history: History) -> None:
    """Without a common commit nothing is guessed."""
    history.git("checkout", "--quiet", "--orphan", "other")
    history.commit(other=task("other"))
    ran = history.run("plan", "--base", "main")
    assert (ran.status, ran.stdout, "have no commit in common" in ran.stderr) == (1, "", True)


@pytest.mark.parametrize("ref", ["no-such-branch", "--all", "main:tasks"])
def test_unknown_ref(history: History, ref: str) -> None:
    """A name that is no commit is an error that says how to get it."""
    ran = history.run("plan", f"--base={ref}")
    assert (ran.status, ran.stdout, "fetch-depth: 0" in ran.stderr) == (1, "", True)


def test_shallow_clone(history: History, tmp_path: Path) -> None:
    """A clone that cannot say where the branch began says so; one whose HEAD holds the base is right."""
    history.commit(new=task("new"))
    history.on("work")
    history.commit(mine=task("mine"))
    url = f"file://{history.top}"
    clones = []
    for name, branch in (("apart", "work"), ("same", "main")):
        history.git(
            "clone", "--quiet", "--depth=1", "--no-single-branch", "--branch", branch, url, f"{tmp_path}/{name}"
        )
        clones.append(History(tmp_path / name))
    apart = clones[0].run("plan", "--base", "origin/main", "--offline")
    same = clones[1].run("plan", "--base", "origin/main", "--offline", "--format", "json")
    assert (apart.status, apart.stdout, "fetch-depth: 0" in apart.stderr) == (1, "", True)
    assert (same.status, labels_of(same.document), same.document["speculative"]) == (0, {}, True)


def test_nine_rows_all_deleted(tmp_path: Path) -> None:
    """A branch that removes everything is refused, and every delete is told as its own."""
    names = [f"t{number}" for number in range(9)]
    history = History.begin(tmp_path / "shop", **{name: task(name) for name in names})
    history.on("work", "main")
    history.commit(**dict.fromkeys(names))
    ran = history.run("plan", "--base", "main", "--format", "json")
    assert (ran.status, labels_of(ran.document), [each["code"] for each in ran.document["refused"]]) == (
        3,
        dict.fromkeys(names, ("delete", THIS)),
        ["no-tasks"],
    )
