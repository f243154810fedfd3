"""What a person at a terminal sees and is asked."""

from __future__ import annotations

import json
import subprocess

import pytest
from command_line import AHEAD, Terminal

from slowsched.cli.loading import open_environment
from slowsched.cli.settings import Settings
from slowsched.control import ApplyLock, Holder

QUESTION = "Apply 1 change to acme/shop/local? [y/N]: "


def rows(run):
    return [row["id"] for row in run("list", "--format", "json").document["rows"]]


def test_apply_asks_and_takes_no_for_an_answer(run, declare):
    """The plan is shown first; no, and just Enter, leave everything as it is, with status 1."""
    declare("a")
    for answer in ("n\n", "\n"):
        terminal = Terminal("apply")
        terminal.expect(QUESTION)
        assert "create" in terminal.shown
        terminal.type(answer)
        assert terminal.end() == 1
        assert terminal.shown.endswith("Not applied: nothing was written.\n")
    assert rows(run) == []


def test_apply_asks_nobody_about_a_rollback(shop, run, declare):
    """What the order of commits refuses is said at once, not after a yes."""
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    declare("a")
    subprocess.run([*git, "init", "-q"], cwd=shop, check=True)
    for message in ("one", "two"):
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", message], cwd=shop, check=True)
    assert run("apply").status == 0
    declare("b")
    subprocess.run([*git, "checkout", "-q", "HEAD~1"], cwd=shop, check=True)
    terminal = Terminal("apply")
    assert terminal.end() == 3
    assert "[y/N]" not in terminal.shown
    assert rows(run) == ["a"]


def test_apply_asks_and_does_it(run, declare):
    """Yes applies, and the report follows; a second time there is nothing to ask."""
    declare("a")
    terminal = Terminal("apply")
    terminal.expect(QUESTION)
    terminal.type("y\n")
    assert terminal.end() == 0
    assert rows(run) == ["a"]
    assert Terminal("apply").end() == 0


def test_apply_does_not_ask_when_told_yes(run, declare):
    """--yes answers before."""
    declare("a")
    assert Terminal("apply", "--yes").end() == 0
    assert rows(run) == ["a"]


def test_apply_does_what_was_shown_or_nothing(run, declare):
    """What was agreed to is what is applied: a plan that changed meanwhile is refused, with status 5."""
    path = declare("a")
    terminal = Terminal("apply")
    terminal.expect(QUESTION)
    path.unlink()
    declare("other")
    run("apply")
    terminal.type("y\n")
    assert terminal.end() == 5
    assert rows(run) == ["other"]


def test_apply_as_json_asks_aside(run, declare):
    """With --format json the plan and the question are on stderr, and stdout has the document alone."""
    declare("a")
    terminal = Terminal("apply", "--format", "json", stdout=subprocess.PIPE)
    terminal.expect(QUESTION)
    assert "+ create" in terminal.shown
    terminal.type("y\n")
    assert json.loads(terminal.process.stdout.read())["status"] == "applied"
    terminal.process.stdout.close()
    assert terminal.end() == 0
    assert rows(run) == ["a"]


@pytest.mark.usefixtures("shop")
def test_ctrl_c_at_a_question(run, declare):
    """Ctrl-C at a question ends with 130, in one word, with nothing written."""
    declare("a")
    terminal = Terminal("apply")
    terminal.expect(QUESTION)
    terminal.interrupt("slowsched: interrupted")
    assert terminal.end() == 130
    assert terminal.shown.endswith("\nslowsched: interrupted\n")
    assert rows(run) == []


def test_the_end_of_the_input_at_a_question(declare):
    """Ctrl-D at a question is no answer: status 1."""
    declare("a")
    terminal = Terminal("apply")
    terminal.expect(QUESTION)
    terminal.type("\x04")
    assert terminal.end() == 1
    assert terminal.shown.endswith("\nslowsched: error: the input ended before the question was answered\n")


def test_run_asks(run, declare):
    """A task is run early when a person says so, knowing when it is due."""
    declare("a")
    run("apply")
    for answer, status in (("n", 1), ("y", 0)):
        terminal = Terminal("run", "a")
        terminal.expect("'a' is due 2190-01-01 00:00 UTC, in ")
        terminal.expect("Run it now? [y/N]: ")
        terminal.type(f"{answer}\n")
        assert terminal.end() == status
    assert run("show", "a", "--format", "json").document["requested_at"] is not None


@pytest.mark.usefixtures("shop")
def test_unlock_asks(run):
    """A lock is removed when a person says so, knowing whose it is."""
    with open_environment(Settings()) as backend:
        ApplyLock(backend, Holder(name="ci@runner")).take()
    for answer, status in (("n", 1), ("y", 0)):
        terminal = Terminal("unlock")
        terminal.expect("ci@runner holds the apply lock since ")
        terminal.expect("Remove it? [y/N]: ")
        terminal.type(f"{answer}\n")
        assert terminal.end() == status
    assert run("unlock").stderr == "There is no apply lock.\n"


def test_colour_is_for_a_terminal(declare):
    """A plan at a terminal is coloured, and plain with --color never or NO_COLOR."""
    declare("a")
    terminal = Terminal("plan", env={"TERM": "xterm"})
    assert (terminal.end(), "\x1b[" in terminal.shown) == (0, True)
    for words, env in ((("--color", "never"), {}), ((), {"NO_COLOR": "1"})):
        terminal = Terminal("plan", *words, env={"TERM": "xterm"} | env)
        assert (terminal.end(), "\x1b[" in terminal.shown) == (0, False)


def test_new_asks_for_everything(run, repository):
    """Each answer is checked at once with the rules of validate, and asked for again; the file is valid."""
    terminal = Terminal("new")
    for question, answer in [
        ("id: ", "half price for the winter coat"),
        ("is declared at tasks/winter-sale.yaml:2 already", "coat again"),
        ("due: ", "2030-11-29"),
        ("a date needs a time", "2030-03-31T02:30:00"),
        ("timezone: ", "Europe/Berln"),
        ("did you mean 'Europe/Berlin'?", "Europe/Berlin"),
        ("does not exist in Europe/Berlin", "2030-11-29T09:00:00"),
        ("as Europe/Berlin: ", "Europe/Berlin"),
        ("action: what is done (APPLY_SALE) [APPLY_SALE]: ", ""),
        ("payload.itemID: ", "coat"),
        ("payload.newPrice: ", "cheap"),
        ("must be a number", "49.5"),
        ("payload.salePercent: ", "150"),
        ("must be at most 100", "50"),
        ("description: ", "no"),
        ("file [tasks/coat-again.yaml]: ", ""),
    ]:
        terminal.expect(question)
        terminal.shown = ""
        terminal.type(f"{answer}\n")
    assert terminal.end() == 0
    assert (repository / "tasks" / "coat-again.yaml").read_text() == (
        "# yaml-language-server: $schema=../schemas/task.schema.json\n"
        "id: coat again\n"
        "due: 2030-11-29T09:00:00\n"
        "timezone: Europe/Berlin\n"
        "action: APPLY_SALE\n"
        "payload:\n"
        "  itemID: coat\n"
        "  newPrice: 49.5\n"
        "  salePercent: 50\n"
        "description: 'no'\n"
    )
    assert run("validate").status == 0


def test_new_in_a_repository_with_a_broken_schema(shop):
    """The schema that is broken is told of when the file is held against the rules; nothing is written."""
    (shop / "schemas" / "actions" / "BROKEN.schema.json").write_text("{")
    terminal = Terminal("new", "--due", AHEAD, "--description", "why")
    for question, answer in [("id: ", "x"), ("action: ", "BROKEN"), ("payload: a JSON object", "{}"), ("file ", "")]:
        terminal.expect(question)
        terminal.shown = ""
        terminal.type(f"{answer}\n")
    assert terminal.end() == 1
    assert "schemas/actions/BROKEN.schema.json:1:" in terminal.shown
    assert terminal.shown.endswith("Nothing was written.\n")
    assert not (shop / "tasks" / "x.yaml").exists()


def test_new_asks_for_optional_values_and_choices(run, shop):
    """A value that may be left out is, with Enter; a schema's enum is a list of choices; no schema: JSON."""
    schema = {
        "type": "object",
        "required": ["size"],
        "properties": {"size": {"enum": ["S", "M"]}, "colour": {"type": "string"}},
    }
    (shop / "schemas" / "actions" / "DYE.schema.json").write_text(json.dumps(schema))
    for action, answers in (
        ("DYE", [("payload.size", "XL"), ("is not one of", "M"), ("payload.colour: string (may be left out)", "")]),
        ("NOTE", [("payload: a JSON object [{}]: ", "nonsense"), ("must be", '{"x": [1]}')]),
    ):
        terminal = Terminal("new", "--id", action, "--due", AHEAD)
        for question, answer in [("action: ", action), *answers, ("description: ", ""), ("file ", "")]:
            terminal.expect(question)
            terminal.shown = ""
            terminal.type(f"{answer}\n")
        assert terminal.end() == 0
    changes = run("plan", "--format", "json").document["changes"]
    assert {each["id"]: each["after"]["payload"] for each in changes} == {"DYE": {"size": "M"}, "NOTE": {"x": [1]}}
