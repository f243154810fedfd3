"""The frame: the table of commands, global options, and what becomes of an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from slowsched import __version__
from slowsched.cli.failure import report
from slowsched.cli.main import COMMANDS, program
from slowsched.cli.settings import Settings
from slowsched.cli.status import Status
from slowsched.errors import (
    ActionsError,
    LockedError,
    LockLostError,
    SlowschedError,
    StalePlanError,
    UnsafeError,
)

NAMES = [name for family in COMMANDS.values() for name in family]
HEAVY = {"yaml", "jsonschema", "jsonschema_rs", "rich", "botocore", "boto3", "sqlite3", "slowsched.model"}


@pytest.mark.parametrize("name", NAMES)
def test_the_table_and_the_commands_agree(name):
    """Each name of the table is a command of that name, whose help begins with a sentence and has examples."""
    command = program.get_command(click.Context(program), name)
    assert command is not None
    assert command.name == name
    assert command.help is not None
    assert command.help.partition("\n")[0].endswith((".", ":", ","))
    assert command.examples


def test_the_table_is_all_there_is():
    """The names come in the order of use; another name is no command."""
    assert program.list_commands(click.Context(program)) == NAMES
    assert program.get_command(click.Context(program), "zzz") is None


@pytest.mark.parametrize("name", NAMES)
def test_every_example_of_a_help_is_a_line_of_this_program(name):
    """An example names a command, and options that this command has."""
    for _, line in program.get_command(click.Context(program), name).examples:
        words = line.split(" | ")[0].split()
        command = program.get_command(click.Context(program), words[1])
        known = {option for param in command.params for option in param.opts}
        assert {word for word in words if word.startswith("-") and len(word) > 1} <= known, line


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command(run, name):
    """`--help` of every command is data on stdout, with its examples and the way to the global options."""
    ran = run(name, "--help")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"Usage: slowsched {name} ")
    assert "\nExamples:\n  # " in ran.stdout
    assert ran.stdout.endswith("Also --env, -C, --color, -q, -v: see `slowsched --help`.\n")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_every_command(run, words):
    """Asking for help in any way, and typing nothing, lists every command with what it does."""
    ran = run(*words)
    assert (ran.status, ran.stderr) == (0, "")
    for commands in COMMANDS.values():
        for name, (_, text) in commands.items():
            assert f"\n  {name} " in ran.stdout
            assert text.split()[0] in ran.stdout


def test_help_of_a_command_in_the_other_order(run):
    """`slowsched help plan` is `slowsched plan --help`."""
    assert run("help", "plan") == run("plan", "--help")


def test_help_imports_nothing_heavy():
    """`slowsched --help` pays for click alone."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"  # what measures coverage imports, too
        "from slowsched.cli.main import program\n"
        "try: program.main(['--help'])\n"
        "except SystemExit: print(*sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY.intersection(process.stderr.split()) == set()


def test_version(run):
    """`--version` says the program's name and version."""
    assert run("--version").stdout == f"slowsched {__version__}\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("plann",), "there is no command 'plann': did you mean 'plan'?"),
        (("PLAN",), "there is no command 'PLAN': did you mean 'plan'?"),
        (("terraform",), "there is no command 'terraform': `slowsched --help` lists them"),
        (("plan", "--lat", "run"), "plan has no option '--lat': did you mean '--late'?"),
        (("plan", "--zzz"), "plan has no option '--zzz': see `slowsched plan --help`"),
        (("--verson",), "before the command there is no option '--verson': did you mean '--version'?"),
        (("--late", "run", "plan"), "before the command there is no option '--late': see `slowsched --help`"),
        (("show",), "missing argument 'ID': see `slowsched show --help`"),
        (("--env",), "option '--env' requires an argument: see `slowsched --help`"),
        (
            ("completion", "sh"),
            "invalid value for 'SHELL': 'sh' is not one of 'bash', 'zsh', 'fish': see `slowsched completion --help`",
        ),
        (
            ("-C", "nowhere", "plan"),
            "invalid value for '-C': directory 'nowhere' does not exist: see `slowsched --help`",
        ),
        (("plan", "tasks"), "got unexpected extra argument (tasks): see `slowsched plan --help`"),
    ],
)
def test_a_usage_mistake_is_one_line_with_the_way_out(run, words, line):
    """A usage mistake ends with status 1, nothing on stdout, and one line that names the nearest or the help."""
    ran = run(*words)
    assert (ran.status, ran.stdout, ran.stderr) == (1, "", f"slowsched: error: {line}\n")


@pytest.mark.usefixtures("repository")
def test_a_global_option_is_taken_before_and_after_the_command(run):
    """`--env` works in both places; after the command wins."""
    before = run("--env", "nowhere", "list")
    after = run("list", "--env", "nowhere")
    assert before == after
    assert before.status == 1
    assert "nowhere" in before.stderr
    assert run("--env", "nowhere", "list", "--env", "local").status == 0


@pytest.mark.usefixtures("repository")
def test_the_environment_variable_stands_behind_the_option(run, monkeypatch):
    """SLOWSCHED_ENV names the environment unless `--env` does; empty is as if unset."""
    monkeypatch.setenv("SLOWSCHED_ENV", "nowhere")
    assert "nowhere" in run("list").stderr
    assert run("list", "--env", "local").status == 0
    monkeypatch.setenv("SLOWSCHED_ENV", "")
    assert run("list").status == 0


def test_a_command_works_as_if_started_elsewhere(run, repository, monkeypatch):
    """`-C DIR` is taken before and after the command, and leaves this process where it was."""
    monkeypatch.chdir(repository.parent)
    assert run("-C", "shop", "validate").status == 0
    assert run("validate", "-C", "shop").status == 0
    assert run("validate").status == 1


def test_an_unexpected_exception_is_one_line(capsys):
    """A defect says its type and message and where to report; the traceback comes with -v only."""
    line = (
        "slowsched: error: ZeroDivisionError: once in a while: "
        "this is a defect of slowsched: run the same with -v, and report what it prints\n"
    )
    assert report(ZeroDivisionError("once\nin a while"), Settings()) is Status.ERROR
    assert capsys.readouterr() == ("", line)
    report(ZeroDivisionError("once\nin a while"), Settings(verbose=True))
    assert capsys.readouterr().err == f"ZeroDivisionError: once\nin a while\n{line}"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (PermissionError(13, "Permission denied", "a/file"), 1, "slowsched: error: a/file: permission denied\n"),
        (OSError(28, "No space left on device"), 1, "slowsched: error: output: no space left on device\n"),
        (SlowschedError("it is so", hint="do this"), 1, "slowsched: error: it is so: do this\n"),
        (UnsafeError("no"), 3, "slowsched: error: no\n"),
        (LockedError("no"), 4, "slowsched: error: no\n"),
        (LockLostError("no"), 4, "slowsched: error: no\n"),
        (StalePlanError("no"), 5, "slowsched: error: no\n"),
        (KeyboardInterrupt(), 130, "slowsched: interrupted\n"),
        (click.Abort(), 1, "\nslowsched: error: the input ended before the question was answered\n"),
        (BrokenPipeError(32, "Broken pipe"), 1, ""),
        (
            ActionsError("it does not import", trace="Traceback\n"),
            1,
            "Traceback\nslowsched: error: it does not import\n",
        ),
    ],
)
def test_what_is_said_of_an_error_and_its_status(capsys, error, status, said):
    """Each kind of error has its line and its status."""
    assert (report(error, Settings()), capsys.readouterr().err) == (status, said)


def test_a_reader_that_is_gone_is_no_error_to_talk_about():
    """Output into a closed pipe ends the program without a word."""
    command = f"{sys.executable} -m slowsched completion bash | true; echo ${{PIPESTATUS[0]}}"
    for _ in range(3):  # the reader may be gone before the first write, or after it
        process = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        assert process.stderr == ""
        assert process.stdout.strip() in {"0", "1"}


def test_a_full_disk_under_stdout_is_said():
    """Output that cannot be written ends with status 1 and one line."""
    command = [sys.executable, "-m", "slowsched", "--help"]
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (process.returncode, process.stderr) == (1, "slowsched: error: output: no space left on device\n")
