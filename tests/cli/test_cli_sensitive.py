"""A secret `x` changed to `y`: neither is in any output of any command; other fields are untouched."""

from __future__ import annotations

import json
import sqlite3

import pytest
from command_line import PAST

OLD, NEW = "hunter2-before", "correct-horse-after"
SCHEMA = {
    "type": "object",
    "properties": {
        "token": {"type": "string", "minLength": 8, "x-sensitive": True},
        "fail": {"type": "string"},
        "n": {"type": "integer"},
    },
    "additionalProperties": False,
}
ACTIONS = """\
from slowsched import action


@action("NOTE")
def note(payload, attempt):
    if "fail" in payload:
        raise RuntimeError(f"{payload['fail']}: {payload!r}")
    return {"sent": payload}
"""


@pytest.fixture
def marked(shop):
    """Return the shop with an action whose payload has a sensitive token."""
    (shop / "schemas/actions/NOTE.schema.json").write_text(json.dumps(SCHEMA))
    (shop / "worker/actions.py").write_text(ACTIONS)
    return shop


@pytest.fixture
def quiet(run):
    """Return a function that runs a command line and holds that it shows neither value."""

    def run_words(*words):
        ran = run(*words)
        for value in (OLD, NEW):
            assert value not in ran.stdout + ran.stderr
        return ran

    return run_words


def test_a_secret_is_in_no_plan(marked, declare, quiet):
    """Text, JSON, Markdown and plan file: that it changed is said, and what else changed is shown."""
    declare("a", payload={"token": OLD, "n": 1})
    assert "token           (sensitive)\n" in quiet("plan").stdout.replace("payload.token  ", "token           ")
    assert quiet("apply", "--yes").status == 0
    declare("a", payload={"token": NEW, "n": 2})
    text = quiet("plan", "--out", "plan.md", "--out", "plan.json").stdout
    assert "(sensitive) -> (sensitive), changed" in text
    for name in ("plan.md", "plan.json"):
        kept = (marked / name).read_text()
        assert [value for value in (OLD, NEW) if value in kept] == []
    (change,) = quiet("plan", "--format", "json").document["changes"]
    assert change["fields"] == [
        {"pointer": "$.payload.n", "before": 1, "after": 2},
        {"pointer": "$.payload.token", "before": "(sensitive)", "after": "(sensitive)", "sensitive": True},
    ]
    assert (change["before"]["payload"], change["after"]["payload"]) == (
        {"token": "(sensitive)", "n": 1},
        {"token": "(sensitive)", "n": 2},
    )
    markdown = quiet("plan", "--format", "markdown").stdout
    assert "- payload.token: (sensitive)\n+ payload.token: (sensitive), changed\n" in markdown
    assert quiet("apply", "--yes", "--format", "json").document["status"] == "applied"


def test_a_plan_with_another_secret_is_another_plan(marked, declare, run):
    """The digest of the plan binds the value that was approved, although no digest of the task tells it."""
    assert marked.exists()
    documents = []
    for value in (OLD, NEW):
        declare("a", payload={"token": value})
        run("plan", "--out", "plan.json")
        documents.append(json.loads((marked / "plan.json").read_text()))
    one, two = documents
    assert one["digest"] != two["digest"]
    assert one["changes"] == two["changes"]
    assert run("apply", "--yes", "--expect", one["digest"]).status == 5
    assert run("apply", "--yes", "--expect", two["digest"]).status == 0


@pytest.mark.parametrize("fail", [None, "no luck"])
def test_a_secret_is_in_no_report_log_or_history(marked, declare, quiet, caplog, fail):
    """What an action returned or raised with its whole payload is masked in report, log and history."""
    assert marked.exists()
    payload = {"token": OLD, "n": 12345} | ({} if fail is None else {"fail": fail})
    declare("a", payload=payload)
    assert quiet("apply", "--yes").status == 0
    ran = quiet("worker", "--fakenow", "2195-01-01T00:00:00Z", "-v", "--format", "json")
    (attempt,) = ran.document["attempts"]
    assert "(sensitive)" in attempt["message"]
    assert "12345" in attempt["message"]
    assert ("Traceback" in caplog.text) == (fail is not None)
    assert OLD not in caplog.text
    for words in (("show", "a"), ("show", "a", "--format", "json"), ("list",), ("list", "--format", "json")):
        assert quiet(*words).status == 0
    assert "(sensitive)" in quiet("show", "a").stdout


def test_the_row_holds_the_payload_and_its_marks(marked, declare, run):
    """The worker needs the value, so the row has it in clear (SECURITY.md); its history does not."""
    declare("a", payload={"token": OLD})
    assert run("apply", "--yes").status == 0
    run("worker", "--fakenow", "2195-01-01T00:00:00Z")
    with sqlite3.connect(marked / ".slowsched/local.db") as connection:
        connection.row_factory = sqlite3.Row
        (row,) = [dict(each) for each in connection.execute("select * from task_rows")]
    holding = [name for name, value in row.items() if OLD in str(value)]
    assert holding == ["spec"]


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_a_secret_is_in_no_problem(marked, declare, quiet, form):
    """A value that its schema refuses is not quoted, whatever is wrong with it."""
    assert marked.exists()
    declare("a", payload={"token": OLD, "n": "one"}, due=PAST[:-1])
    declare("b", payload={"token": ["x", NEW]})
    ran = quiet("validate", "--format", form)
    assert ran.status == 1
    assert "is not shown: it is sensitive" in ran.stdout
    assert quiet("plan").status == 1


def test_a_delete_shows_no_secret(marked, declare, quiet):
    """What was there is masked by the row's own marks: the file is gone."""
    assert marked.exists()
    path = declare("a", payload={"token": OLD})
    declare("b", payload={"n": 1})
    assert quiet("apply", "--yes").status == 0
    path.unlink()
    for form in ("text", "json", "markdown"):
        ran = quiet("plan", "--format", form)
        assert ran.status == 0


def test_an_import_writes_the_value_and_no_mark(marked, declare, run):
    """A file has the payload in clear, and its schema the mark: import, then plan, is no change."""
    path = declare("a", payload={"token": OLD})
    assert run("apply", "--yes").status == 0
    path.unlink()
    assert run("import").status == 0
    assert OLD in "".join(file.read_text() for file in (marked / "tasks").rglob("*.*") if file.is_file())
    assert run("plan", "--detailed-exitcode").status == 0


def test_marking_a_field_is_a_change_of_the_policy(marked, declare, quiet, run):
    """A field that is marked later is masked in the very plan that marks it, and nothing runs again."""
    (marked / "schemas/actions/NOTE.schema.json").write_text('{"type": "object"}')
    declare("a", payload={"token": OLD})
    assert run("apply", "--yes").status == 0
    (marked / "schemas/actions/NOTE.schema.json").write_text(json.dumps(SCHEMA))
    (change,) = quiet("plan", "--format", "json").document["changes"]
    assert (change["kind"], change["notes"]) == ("update", ["policy-only"])
    assert change["fields"] == [{"pointer": "$.sensitive", "before": None, "after": ["$.payload.token"]}]
    quiet("plan")
    quiet("plan", "--format", "markdown")
    assert quiet("apply", "--yes").status == 0
    assert OLD not in run("show", "a").stdout
