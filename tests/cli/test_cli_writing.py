"""init, new, schema and completion: what writes files, and what is written for other programs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import AHEAD

from slowsched.cli.task_text import yaml_text
from slowsched.yaml_reader import read

WRITTEN = [
    ".gitignore",
    ".vscode/extensions.json",
    ".vscode/settings.json",
    "schemas/actions/APPLY_SALE.schema.json",
    "schemas/config.schema.json",
    "schemas/task.schema.json",
    "slowsched.yaml",
    "tasks/winter-sale.yaml",
    "worker/actions.py",
    "worker/catalogue.py",
]
SALE = ("--action", "APPLY_SALE", "--set", "itemID=coat", "--set", "newPrice=49.95", "--set", "salePercent=50")


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# --- init ------------------------------------------------------------------------------------------


def test_init_makes_a_repository(run, folder):
    """Every file is named once on stdout; what to do next is on stderr."""
    ran = run("init")
    assert (ran.status, ran.stdout) == (0, "".join(f"created  {path}\n" for path in WRITTEN))
    assert files(folder) == WRITTEN
    assert ran.stderr.startswith("\nNext:\n  slowsched plan ")
    assert "\nowner: my-team/shop\n" in (folder / "slowsched.yaml").read_text()


def test_what_init_says_to_do_next_works(run):
    """Each line of it, typed as it stands, does what it says: the example runs, and is done."""
    steps = [line.partition("#")[0].strip() for line in run("init").stderr.splitlines() if "slowsched " in line]
    assert [step.split()[1] for step in steps] == ["plan", "apply", "worker", "show"]
    for step in steps:
        ran = run(*shlex.split(step)[1:])
        assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith("half price for the winter coat  succeeded\n")
    catalogue = json.loads(Path(".slowsched/catalogue.json").read_text())
    assert catalogue["items"] == {"winter coat": {"price": 49.95, "salePercent": 50}}
    assert run("plan", "--detailed-exitcode").status == 0


def test_init_into_another_folder(run, folder, monkeypatch):
    """DIR is made, and the way into it is part of what to do next."""
    ran = run("init", "new/place of mine", "--owner", "acme/shop")
    assert ran.status == 0
    assert "\nNext:\n  cd 'new/place of mine'\n" in ran.stderr
    assert files(folder / "new" / "place of mine") == WRITTEN
    monkeypatch.chdir(folder / "new" / "place of mine")
    assert run("validate").stdout == "1 file, 1 task: no problems.\n"


def test_an_example_that_was_taken_away_does_not_come_back(run, repository):
    """What else is missing does."""
    assert run("init").status == 0
    (repository / "tasks" / "winter-sale.yaml").unlink()
    (repository / ".vscode" / "extensions.json").unlink()
    again = run("init")
    created = [line for line in again.stdout.splitlines() if line.startswith("created")]
    assert (created, (repository / "tasks" / "winter-sale.yaml").exists()) == (
        ["created  .vscode/extensions.json"],
        False,
    )


def test_init_overwrites_nothing(run, folder):
    """What exists stays as it is, and is named; a .gitignore gets its line added, once."""
    kept = {"slowsched.yaml": "version: 1\nowner: mine/own\n", ".gitignore": "*.log", "tasks/winter-sale.yaml": "x"}
    for path, text in kept.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    ran = run("init")
    assert ran.status == 0
    assert {line.split()[1] for line in ran.stdout.splitlines() if line.startswith("exists")} == {
        "slowsched.yaml",
        "tasks/winter-sale.yaml",
    }
    assert {path: (folder / path).read_text() for path in kept} == kept | {".gitignore": "*.log\n.slowsched/\n"}
    before = {path: (folder / path).read_bytes() for path in files(folder)}
    again = run("init")
    assert (again.stdout, again.stderr) == ("".join(f"exists   {path}\n" for path in WRITTEN), "")
    assert {path: (folder / path).read_bytes() for path in files(folder)} == before


@pytest.mark.parametrize("line", [".slowsched/", ".slowsched", "/.slowsched/"])
def test_init_knows_a_gitignore_that_has_it(run, folder, line):
    """The folder is not ignored twice, however it was written."""
    (folder / ".gitignore").write_text(f"{line}\n*.log\n")
    assert "exists   .gitignore\n" in run("init").stdout


def test_init_refuses_an_owner_that_is_none(run, folder):
    """A name that the config would refuse is refused before anything is written."""
    ran = run("init", "--owner", "two words")
    assert (ran.status, ran.stderr, files(folder)) == (
        1,
        "slowsched: error: 'two words' is no owner: write letters, digits and . _ - /, as acme/shop\n",
        [],
    )


# --- new -------------------------------------------------------------------------------------------


def test_new_from_options(run, repository):
    """A task file from every option there is, in the order a person would write it."""
    ran = run(
        *("new", "--id", "Coat sale, 50 %", "--due", "2190-01-01T09:00:00", "--timezone", "Europe/Berlin", *SALE),
        *("--description", "no: really", "--team", "012", "--label", "campaign=black friday", "--label", "n=1"),
        *("--environment", "local", "--grace", "6h", "--timeout", "90s", "--attempts", "3", "--backoff", "2m"),
        *("--max-backoff", "2h", "--protect"),
    )
    assert (ran.status, ran.stdout, ran.stderr) == (0, "created  tasks/coat-sale-50.yaml\n", "Next: slowsched plan\n")
    assert (repository / "tasks" / "coat-sale-50.yaml").read_text() == (
        "# yaml-language-server: $schema=../schemas/task.schema.json\n"
        "id: Coat sale, 50 %\n"
        "due: 2190-01-01T09:00:00\n"
        "timezone: Europe/Berlin\n"
        "action: APPLY_SALE\n"
        "payload:\n"
        "  itemID: coat\n"
        "  newPrice: 49.95\n"
        "  salePercent: 50\n"
        "description: 'no: really'\n"
        "team: '012'\n"
        "labels:\n"
        "  campaign: black friday\n"
        "  n: '1'\n"
        "environments:\n"
        "- local\n"
        "grace: 6h\n"
        "retry:\n"
        "  attempts: 3\n"
        "  backoff: 2m\n"
        "  max_backoff: 2h\n"
        "timeout: 90s\n"
        "protect: true\n"
    )
    assert run("validate").status == 0
    assert run("plan").status == 0


def test_new_as_json(run, repository):
    """*.json is written as JSON; a payload as a whole, and values set on top of it."""
    payload = '{"itemID": "coat", "newPrice": 1}'
    words = ("--payload", payload, "--set", "salePercent=5", "--set", "newPrice=2.5")
    ran = run("new", "--id", "x", "--due", AHEAD, "--action", "APPLY_SALE", *words, "--file", "tasks/sub/x.json")
    assert (ran.status, ran.stdout) == (0, "created  tasks/sub/x.json\n")
    assert json.loads((repository / "tasks" / "sub" / "x.json").read_text()) == {
        "id": "x",
        "due": AHEAD,
        "action": "APPLY_SALE",
        "payload": {"itemID": "coat", "newPrice": 2.5, "salePercent": 5},
    }
    assert run("validate").status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "a task needs --id and --due and --action: say it, or run this at a terminal to be asked"),
        (("--id", "x", "--due", AHEAD), "a task needs --action: say it, or run this at a terminal to be asked"),
        (("--set", "novalue"), "--set takes KEY=VALUE, not 'novalue'"),
        (("--label", "=x"), "--label takes KEY=VALUE, not '=x'"),
        (("--payload", "{"), "--payload is no JSON (Expecting property name enclosed in double quotes: line 1 "),
        (
            ("--payload", "[]", "--set", "a=b"),
            "--set adds to a payload that is a JSON object: leave out one of the two",
        ),
        (("--id", "x", "--due", AHEAD, *SALE, "--file", "slowsched.yaml"), "slowsched.yaml exists already: name anoth"),
    ],
)
def test_new_refuses_what_it_cannot_write(run, repository, words, said):
    """What is missing or mistyped is one line, and nothing is written."""
    before = files(repository)
    ran = run("new", *words)
    assert (ran.status, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)
    assert ran.stderr.startswith(f"slowsched: error: {said}")
    assert files(repository) == before


def test_new_holds_the_file_against_the_rules_before_it_is_there(run, repository):
    """What validate would say of the file is said before it is written, and it is not written."""
    before = files(repository)
    words = ("--due", "noon", "--action", "APPLY_SAL", "--set", "newPrice=cheap", "--grace", "soon")
    ran = run("new", "--id", "half price for the winter coat", *words, "--file", "tasks/x.yaml")
    assert (ran.status, ran.stderr) == (1, "Nothing was written.\n")
    assert [line.partition(" [")[2].rstrip("]") for line in ran.stdout.splitlines() if line.startswith("tasks/x")] == [
        "duplicate-id",
        "due-not-a-time",
        "unknown-action",
        "bad-duration",
    ]
    assert files(repository) == before


def test_new_outside_of_the_task_files_is_told(run, repository):
    """A file that plan would never read is written where it was asked for, with a warning."""
    ran = run("new", "--id", "x", "--due", AHEAD, *SALE, "--file", "elsewhere/x.yaml")
    assert (ran.status, (repository / "elsewhere" / "x.yaml").exists()) == (0, True)
    assert "slowsched: warning: elsewhere/x.yaml is not among the task files of slowsched.yaml" in ran.stderr


def test_new_outside_of_the_repository_is_told(run, tmp_path, repository):
    """So is one in another place altogether."""
    assert repository.is_dir()
    ran = run("new", "--id", "x", "--due", AHEAD, *SALE, "--file", "../x.yaml")
    assert (ran.status, (tmp_path / "x.yaml").exists()) == (0, True)
    assert "slowsched: warning: ../x.yaml is not among the task files of slowsched.yaml" in ran.stderr


def test_new_of_what_no_file_can_hold(run, repository):
    """A value that the reader refuses in every form is a problem of the file, which is not written."""
    ran = run("new", "--id", "x", "--due", AHEAD, *SALE, "--payload", "{}", "--set", f"itemID={'9' * 400}")
    assert ran.status == 1
    assert "$.payload.itemID: " in ran.stdout
    assert not (repository / "tasks" / "x.yaml").exists()


def test_new_from_a_folder_below(run, repository, monkeypatch):
    """The default place is in the folder of tasks, wherever it is called from."""
    monkeypatch.chdir(repository / "schemas" / "actions")
    ran = run("new", "--id", "x", "--due", AHEAD, *SALE)
    assert (ran.stdout, (repository / "tasks" / "x.yaml").exists()) == ("created  ../../tasks/x.yaml\n", True)
    assert run("validate").status == 0


def test_new_without_editor_schemas(run, declare, shop):
    """A repository without the schema for editors gets no comment that leads nowhere."""
    declare("a")
    run("new", "--id", "x", "--due", AHEAD, "--action", "NOTE")
    assert (shop / "tasks" / "x.yaml").read_text() == f"id: x\ndue: {AHEAD}\naction: NOTE\npayload: {{}}\n"


@pytest.mark.parametrize(
    "value",
    [
        *("no", "012", "12:30", "1e3", "12e03", "0o7", "1_000", "~", "null", "2030-01-01", "=", "<<", "a: b", "#x", ""),
        *(
            " blank ",
            "two\nlines",
            "tab\t",
            "é",
            "\u2028",
            "\U0001f600",
            "'",
            '"',
            "-",
            "- x",
            "[",
            "{a",
            "&a",
            "*a",
            "!t",
            "%",
            "@",
            "`",
        ),
        *(1, 1.5, 1e300, -0.001, True, None, [], {}, [1, ["x", {}]], {"a b": {"c": [None]}}),
    ],
)
def test_what_is_written_is_read_back(value):
    """Whatever a value looks like, the strict reader reads from the file what was meant."""
    document = {"id": "x", "payload": {"value": value}, "description": value}
    documents, problems = read("x.yaml", yaml_text(document, "s.json").encode())
    assert (problems, [each.value for each in documents]) == ([], [document])


# --- schema, completion ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["task", "config", "plan"])
def test_the_schemas_that_travel_along(run, kind):
    """They are printed as they are, anywhere."""
    ran = run("schema", kind)
    assert ran.status == 0
    assert ran.document == json.loads((Path(__file__).parents[2] / "schemas" / f"{kind}.schema.json").read_text())


def test_the_schema_of_an_action(run, repository):
    """It is the repository's own file; an unknown action names the nearest, or all."""
    ran = run("schema", "action", "APPLY_SALE")
    assert ran.stdout == (repository / "schemas" / "actions" / "APPLY_SALE.schema.json").read_text()
    for words, said in (
        (("action", "APPLY_SALES"), "there is no action 'APPLY_SALES': did you mean 'APPLY_SALE'?"),
        (("action", "zzz"), "there is no action 'zzz': there are APPLY_SALE"),
        (("action",), "`schema action` takes the name of one: there are APPLY_SALE"),
        (("task", "x"), "only `schema action` takes a name, not `schema task`"),
    ):
        assert run("schema", *words).stderr == f"slowsched: error: {said}\n"
    (repository / "schemas" / "actions" / "APPLY_SALE.schema.json").unlink()
    assert run("schema", "action").stderr.endswith(": write schemas/actions/<NAME>.schema.json to have one\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(run, shell):
    """Each shell has its script, which asks the program itself."""
    ran = run("completion", shell)
    assert (ran.status, ran.stderr) == (0, "")
    assert f"_SLOWSCHED_COMPLETE={shell}_complete" in ran.stdout


def completed(line):
    """What bash is offered at the end of a line."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    asked = {"_SLOWSCHED_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    command = [str(Path(sys.executable).parent / "slowsched")]
    process = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=True)
    assert process.stderr == ""
    return [entry.partition(",")[2] for entry in process.stdout.splitlines() if entry]


def test_what_is_completed(run, declare):
    """Commands, options, choices, and, from the repository: environments, ids, actions."""
    declare("a b")
    declare("c")
    run("apply")
    assert completed("slowsched pau") == ["pause"]
    assert completed("slowsched plan --allow-d") == ["--allow-deletes"]
    assert completed("slowsched plan --format ") == ["text", "json", "markdown"]
    assert completed("slowsched --env ") == ["local"]
    assert completed("slowsched new --environment l") == ["local"]
    assert completed("slowsched schema action ") == ["NOTE"]
    for words in ("show", "retry", "run", "plan --supersede", "apply --allow-protected"):
        assert completed(f"slowsched {words} ") == ["a\\\\ b", "c"]


def test_completion_never_fails(folder):
    """Without a repository, and with a broken one, there is nothing to offer, and not a word."""
    for text in (None, "owner: ["):
        if text is not None:
            (folder / "slowsched.yaml").write_text(text)
        assert completed("slowsched show ") == []
        assert completed("slowsched --env ") == []


def test_bash_takes_an_id_with_blanks_as_one_word(run, declare):
    """In a real bash, a completed id with odd characters is one argument."""
    declare("it's a $sale")
    run("apply")
    script = (
        'eval "$(slowsched completion bash)"\n'
        "COMP_WORDS=(slowsched show it); COMP_CWORD=2; _slowsched_completion slowsched it show\n"
        'eval "printf %s ${COMPREPLY[0]}"\n'
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.run(
        ["bash", "-c", script], env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True
    )
    assert process.stdout == "it's a $sale"
