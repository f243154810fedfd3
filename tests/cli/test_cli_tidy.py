"""`slowsched tidy`: which files go, what stays of the others, and that nothing runs again."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slowsched.yaml_edit import without_documents
from slowsched.yaml_reader import read

DUE = "2020-01-01T00:00:00Z"
SEVERAL = """\
# yaml-language-server: $schema=../schemas/task.schema.json
# the first one
id: one
due: {due}
action: NOTE
payload: {{}}
grace: 36500d
---  # the second
id: two   # stays, blanks   and all
due: 2190-01-01T00:00:00Z
action: NOTE
payload:
  text: |
    --- not a document
---
id: three
due: {due}
action: NOTE
payload: {{}}
grace: 36500d
# the end
"""


@pytest.fixture
def done(run, shop):  # noqa: ARG001 - it runs there
    """Return a function that applies what is declared, and runs what is due."""

    def do(*words):
        assert run("apply", "--yes", *words).status == 0
        assert run("worker", *words).status == 0

    return do


def rows(run):
    listed = run("list", "--format", "json").document["rows"]
    return {row["id"]: (row["state"], row["expires_at"] is not None) for row in listed}


def test_the_files_of_done_tasks_go(run, declare, done, shop):
    """A done task's file is removed, another stays; the next apply forgets the row and it never runs again."""
    file, ahead = declare("old", due=DUE, grace="36500d"), declare("ahead")
    done()
    kept = file.read_text()
    ran = run("tidy", "--older-than", "0s")
    assert (ran.status, ran.stdout.split("  done ")[0]) == (0, "removed  old  tasks/old.json:1")
    assert (file.exists(), ahead.exists()) == (False, True)
    plan = run("plan", "--format", "json").document
    assert [(each["id"], each["kind"]) for each in plan["changes"]] == [("old", "forget")]
    assert run("apply", "--yes").status == 0
    assert rows(run) == {"old": ("succeeded", True), "ahead": ("scheduled", False)}
    file.write_text(kept)
    done()
    assert rows(run) == {"old": ("succeeded", False), "ahead": ("scheduled", False)}
    assert (shop / "done.log").read_text().splitlines() == ["local/old@2020-01-01T00:00:00Z#1"]


def test_a_dry_run_writes_nothing(run, declare, done):
    """--dry-run says what would go, and leaves every file."""
    file = declare("old", due=DUE, grace="36500d")
    done()
    ran = run("tidy", "--older-than", "0s", "--dry-run")
    assert (ran.stdout.split("  done ")[0], ran.stderr) == ("would remove  old  tasks/old.json:1", "")
    assert file.exists()


def test_what_is_done_of_late_stays(run, declare, done):
    """Within the span, 90 days unless told otherwise, files stay."""
    file = declare("old", due=DUE, grace="36500d")
    done()
    ran = run("tidy")
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "No task is done for so long: nothing to remove.\n")
    assert file.exists()


def test_a_file_that_was_edited_since_stays(run, declare, done):
    """A done task whose file now says something else is not done."""
    declare("old", due=DUE, grace="36500d")
    done()
    file = declare("old", due="2190-02-02T00:00:00Z")
    assert run("tidy", "--older-than", "0s").stdout == ""
    assert file.exists()


def test_a_protected_task_stays(run, declare, done):
    """A protected task keeps its file, and tidy says why."""
    file = declare("old", due=DUE, grace="36500d", protect=True)
    done()
    ran = run("tidy", "--older-than", "0s")
    assert (ran.stdout, ran.stderr.splitlines()[0]) == (
        "",
        "kept     old  tasks/old.json:1  protected: take `protect` out of its file first",
    )
    assert file.exists()


def test_a_file_with_several_loses_only_those_that_are_done(run, shop, done):
    """Of several documents the pending one stays as it is, with its comments."""
    file = shop / "tasks" / "several.yaml"
    text = SEVERAL.format(due=DUE)
    file.write_text(text)
    done()
    assert run("tidy", "--older-than", "0s").status == 0
    second = text[text.index("---  #") : text.index("---\nid: three")]
    assert file.read_text() == text.splitlines(keepends=True)[0] + second
    assert run("validate").status == 0


def test_done_means_done_in_every_environment(run, shop, declare, done):
    """A task of two environments goes when it is done in both; one that is named counts alone."""
    config = "version: 1\nowner: acme/shop\nenvironments:\n"
    config += "".join(f"  {name}: {{backend: local, path: .slowsched/{name}.db}}\n" for name in ("test", "live"))
    (shop / "slowsched.yaml").write_text(config)
    both, one = declare("both", due=DUE, grace="36500d"), declare("one", due=DUE, grace="36500d", environments=["test"])
    done("--env", "test")
    assert run("tidy", "--older-than", "0s").stdout.startswith("removed  one  ")
    assert (both.exists(), one.exists()) == (True, False)
    assert run("tidy", "--older-than", "0s", "--dry-run", "--env", "test").stdout.startswith("would remove  both  ")
    done("--env", "live")
    assert run("tidy", "--older-than", "0s").stdout.startswith("removed  both  ")


def test_an_environment_that_does_not_answer_keeps_its_tasks(run, shop, declare, done):
    """What cannot be asked is told, and its tasks stay; named, it is an error."""
    config = "version: 1\nowner: acme/shop\nenvironments:\n"
    config += "".join(f"  {name}: {{backend: local, path: .slowsched/{name}.db}}\n" for name in ("test", "live"))
    (shop / "slowsched.yaml").write_text(config)
    both, one = declare("both", due=DUE, grace="36500d"), declare("one", due=DUE, grace="36500d", environments=["test"])
    done("--env", "test")
    (shop / ".slowsched" / "live.db").write_text("no database" * 100)
    ran = run("tidy", "--older-than", "0s")
    assert (ran.status, both.exists(), one.exists()) == (0, True, False)
    assert "environment live was not asked, and its tasks stay" in ran.stderr
    assert "it is for live as well, which does not answer" in ran.stderr
    assert run("tidy", "--older-than", "0s", "--env", "live").status == 1


def test_a_problem_in_a_file_stops_it(run, shop, declare, done):
    """With a problem anywhere nothing is removed."""
    file = declare("old", due=DUE, grace="36500d")
    done()
    (shop / "tasks" / "bad.yaml").write_text("id: bad\n")
    ran = run("tidy", "--older-than", "0s")
    assert (ran.status, file.exists()) == (1, True)
    assert "tasks/bad.yaml:1:1:" in ran.stdout


def test_outside_of_git_and_without_rows_there_is_nothing(run, shop):
    """A repository that never applied anything has nothing to tidy."""
    shutil.rmtree(shop / ".slowsched", ignore_errors=True)
    assert run("tidy", "--older-than", "0s").status == 0


DOCUMENTS = st.lists(
    st.sampled_from(
        [
            "id: a   # why\n",
            "{id: b}\n# after\n",
            'id: "c"\n\n\n',
            "text: |\n  ---\n  x\n# end\n",
            "list:\n- 1\n-  2 # two\n",
            "id: é→😀\n",
            "text: >+\n  a\n\n",
        ]
    ),
    min_size=1,
    max_size=5,
)


@given(documents=DOCUMENTS, top=st.sampled_from(["", "---\n", "# top\n", "# top\n---  # first\n"]), data=st.data())
def test_other_documents_stay_byte_for_byte(documents, top, data):
    """Whichever documents are cut out: the others keep every byte, and mean the same."""
    text = top + "---\n".join(documents)
    indexes = data.draw(st.sets(st.integers(0, len(documents) - 1), max_size=len(documents) - 1))
    edited = without_documents(text, indexes)
    parts = [top + documents[0], *(f"---\n{each}" for each in documents[1:])]
    assert edited == "".join(part for index, part in enumerate(parts) if index not in indexes)
    values = [each.value for each in read("a.yaml", text.encode())[0]]
    left = [each.value for each in read("a.yaml", edited.encode())[0]]
    assert json.dumps(left) == json.dumps([value for index, value in enumerate(values) if index not in indexes])
