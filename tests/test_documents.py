"""The documents say what the code is: modules, bounds, words, codes, keys, commands, links."""

from __future__ import annotations

import ast
import json
import re
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
import pytest
from documents import (
    DOCUMENTS,
    PROJECT,
    anchors,
    blocks,
    codes,
    imports,
    links,
    literals,
    modules,
    passed_as,
    prose,
    rows,
    section,
    text_of,
)

from slowsched.cli.main import COMMANDS, program
from slowsched.cli.status import Status
from slowsched.model import ChangeKind, HistoryOutcome, LateChoice, State
from slowsched.timing import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

ARCHITECTURE = "docs/architecture.md"
CLI = "docs/cli.md"
STATES = "docs/state-machine.md"
TASK_FILES = "docs/task-files.md"

_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


# --- links -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS)
def test_every_link_leads_somewhere(path: str) -> None:
    """A link within the repository leads to a file that is there, and to a heading in it."""
    broken = []
    for link in links(path):
        file, _, anchor = link.partition("#")
        if link.startswith("https://"):
            continue
        found = (PROJECT / path).parent.joinpath(file).resolve() if file else PROJECT / path
        known = found.exists() and found.is_relative_to(PROJECT)
        if not known or (anchor and anchor not in anchors(found.relative_to(PROJECT).as_posix())):
            broken.append(link)
    assert broken == []


def test_the_anchors_are_those_of_the_host() -> None:
    """A heading becomes lower case, loses its marks, and its blanks become hyphens."""
    assert {"slowschedyaml", "an-action-and-its-schema", "a-task-file"} <= anchors(TASK_FILES)


def test_every_decision_is_in_the_index() -> None:
    """Each decision has its line in the index, its number, and the five headings."""
    folder = PROJECT / "docs" / "decisions"
    written = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [link for link in links("docs/decisions/README.md") if link[0].isdigit()] == written
    for number, name in enumerate(written, start=1):
        text = (folder / name).read_text(encoding="utf-8")
        assert (name[:4], text[:8]) == (f"{number:04}", f"# {number:04}: ")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
            *("Status", "Context", "Decision", "Drawbacks", "Alternatives")
        ]


# --- modules and bounds ----------------------------------------------------------------------------


def _listed() -> dict[str, str]:
    """Return the modules that the architecture lists, in its order, with their mark."""
    listed = rows(section(ARCHITECTURE, "Modules, in import order"))
    return {codes(name)[0].replace("/", "."): mark for name, _, mark in listed}


def test_every_module_is_in_the_architecture() -> None:
    """The list of modules has each module of the package, and no other."""
    assert sorted(_listed()) == sorted(modules())


def test_modules_stand_in_import_order() -> None:
    """A module imports only from those above it; a command may import what it needs when it runs."""
    order = list(_listed())
    wrong = [
        f"{module} imports {other}"
        for number, module in enumerate(order)
        for other in sorted(imports(module, everywhere=not module.startswith("cli.")))
        if other not in order[:number]
    ]
    assert wrong == []


def test_the_core_imports_the_core_alone() -> None:
    """A module that is marked as core imports nothing of the package that is not."""
    listed = _listed()
    core = {module for module, mark in listed.items() if mark == "core"}
    assert [module for module in sorted(core) if imports(module, everywhere=True) - core] == []


def test_every_bound_is_what_the_architecture_says() -> None:
    """The table of bounds has the values of the code."""
    said = {codes(name)[0]: codes(value)[0] for name, value, _ in rows(section(ARCHITECTURE, "Bounds"))}
    assert said == {name: _written(_constant(name)) for name in said}


def _constant(name: str) -> Any:
    module, _, constant = name.rpartition(".")
    return getattr(import_module(f"slowsched.{module}"), constant)


def _written(value: timedelta | float) -> str:
    return duration_text(value) if isinstance(value, timedelta) else f"{value:.0f}"


# --- words -----------------------------------------------------------------------------------------


def test_states_and_outcomes_are_explained() -> None:
    """Each state and each outcome of the history has its line, and no other has one."""
    assert _first_codes(STATES, "States") == {state.value for state in State}
    assert _first_codes(STATES, "History") == {outcome.value for outcome in HistoryOutcome}


def test_every_kind_of_change_and_every_note_is_explained() -> None:
    """The table of a plan's decisions has each kind and each note that the code gives, and no other note."""
    table = rows(section(STATES, "What a plan decides"))
    assert {kind.value for kind in ChangeKind} <= {code for row in table for code in codes(row[2])}
    assert {code for row in table for code in codes(row[3])} == set(_notes())


def test_the_notes_of_the_code_are_found() -> None:
    """The notes are read from the sources: those that have always been there are among them."""
    assert set(_notes()) >= {"late-run", "late-skip", "policy-only", "protected", "renamed-from:ID", "runs-again"}


def _notes() -> Iterator[str]:
    """Yield the words that `decision` and `plan` put into tuples of notes."""
    trees = [modules()[name] for name in ("decision", "plan")]
    tuples = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Tuple)]
    returned = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Return)]
    for element in (each for found in tuples if found not in returned for each in found.elts):
        match element:
            case ast.Constant(value=str() as word) if _KEBAB.fullmatch(word):
                yield word
            case ast.JoinedStr(values=[ast.Constant(value="late-"), *_]):
                yield from (f"late-{choice.value}" for choice in LateChoice)
            case ast.JoinedStr(values=[ast.Constant(value=str() as start), *_]) if start.endswith(":"):
                yield f"{start}ID"


def _first_codes(path: str, heading: str) -> set[str]:
    return {codes(row[0])[0] for row in rows(section(path, heading))}


# --- codes -----------------------------------------------------------------------------------------


def test_every_problem_code_is_explained() -> None:
    """The table of problem codes has each code that the sources pass or yield, and no other."""
    found = {code for taker, passed in passed_as("code").items() if taker != "Refusal" for code in passed}
    assert _first_codes(TASK_FILES, "Problem codes") == found | _yielded_codes()


def _yielded_codes() -> set[str]:
    """Return the codes of the findings of `json_reader`: index, way, code, message."""
    yields = [node.value for node in ast.walk(modules()["json_reader"]) if isinstance(node, ast.Yield)]
    findings = [value.elts for value in yields if isinstance(value, ast.Tuple)]
    return {code for _, _, value, _ in findings for code in literals(value)}


def test_every_refusal_is_explained() -> None:
    """The table of refusals has each code that the sources pass, or return together with its message."""
    returns = [node.value for node in ast.walk(modules()["limits"]) if isinstance(node, ast.Return)]
    returned = {code for value in returns if isinstance(value, ast.Tuple) for code in literals(value.elts[0])}
    assert _first_codes(STATES, "Limits and refusals") == passed_as("code")["Refusal"] | returned


def test_every_check_of_doctor_is_explained() -> None:
    """The tables of doctor have the code of each check, and no other."""
    told = {code for row in rows(section(CLI, "`doctor`")) for code in codes(row[0])}
    takers = passed_as("check")
    passed = {code for name in ("fine", "warning", "error", "cannot_tell", "_lets_in") for code in takers[name]}
    checks = {code for code in passed if _KEBAB.fullmatch(code)}  # a logger has a method `error`, too
    assert told - {"environment", "now", "healthy", "fix", "findings"} == checks


# --- commands --------------------------------------------------------------------------------------


def _commands() -> list[str]:
    return [name for family in COMMANDS.values() for name in family]


def test_every_command_is_in_the_readme() -> None:
    """The table of commands has each command, and no other."""
    table = rows(section("README.md", "Commands"))
    named = [code.split()[0] for row in table if not row[0].isdecimal() for code in codes(row[0])]
    assert sorted(named) == sorted(_commands())


def test_every_option_in_a_document_exists() -> None:
    """Documents for users name no option that no command has."""
    context = click.Context(program)
    commands = [program, *(program.get_command(context, name) for name in _commands())]
    known = {
        option for command in commands if command for param in command.get_params(context) for option in param.opts
    }
    pages = [path for path in DOCUMENTS if path == "README.md" or re.fullmatch(r"docs/[a-z-]+\.md", path)]
    named = {option for path in pages for code in codes(prose(path)) for option in re.findall(r"--[a-z][a-z-]+", code)}
    assert named - known == set()


@pytest.mark.parametrize("path", ["README.md", CLI, "docs/decisions/0004-exit-codes.md"])
def test_every_exit_code_is_explained(path: str) -> None:
    """The tables of exit codes have the statuses of the code; the README leaves out what a signal does."""
    heading = {"README.md": "Commands", CLI: "Exit codes"}.get(path, "Decision")
    said = {int(number) for row in rows(section(path, heading)) for number in re.findall(r"^\d+", row[0])}
    assert said == {*Status} - ({Status.INTERRUPTED} if path == "README.md" else set())


def test_every_environment_variable_is_explained() -> None:
    """The table has each variable that the sources of slowsched and of the sample action look at."""
    samples = [ast.parse(path.read_text(encoding="utf-8")) for path in (PROJECT / "worker").glob("*.py")]
    named = {text for tree in (*modules().values(), *samples) for text in literals(tree)}
    pattern = re.compile(r"(SLOWSCHED|GITHUB)_[A-Z]+(_[A-Z]+)*|NO_COLOR|TERM")
    told = {code for row in rows(section(CLI, "Environment variables")) for code in codes(row[0])}
    assert told == {name for name in named if pattern.fullmatch(name)}


def test_every_target_of_make_in_a_document_exists() -> None:
    """Documents name no target that the Makefile does not have."""
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = [code for path in DOCUMENTS for code in codes(prose(path))]
    shown += [
        line for path in DOCUMENTS for kind in ("sh", "console") for line in "".join(blocks(path, kind)).splitlines()
    ]
    named = {found[1] for text in shown if (found := re.match(r"(?:\$ )?make ([a-z-]+)", text))}
    assert named - targets == set()


# --- keys ------------------------------------------------------------------------------------------


def _schema(name: str) -> dict[str, Any]:
    return json.loads((PROJECT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))


def _leaves(properties: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the properties of a schema by dotted name; those of `retry` in its place."""
    found: dict[str, Any] = {}
    for name, about in properties.items():
        nested = about.get("properties") if name == "retry" else None
        found |= _leaves(nested, f"{prefix}{name}.") if nested else {f"{prefix}{name}": about}
    return found


def test_every_key_of_a_task_file_is_explained() -> None:
    """The table has the keys of the schema, says which are required, and their defaults."""
    schema = _schema("task")
    table = rows(section(TASK_FILES, "A task file"))
    said = {
        codes(key)[0]: "required" if absent == "required" else (codes(absent) or [None])[0] for key, _, absent in table
    }
    wanted = {
        name: "required" if name in schema["required"] else _default(about)
        for name, about in _leaves(schema["properties"]).items()
    }
    assert {key: said.get(key) for key, default in wanted.items() if default is not None} == {
        key: default for key, default in wanted.items() if default is not None
    }
    assert list(said) == list(wanted)


def _default(about: dict[str, Any]) -> str | None:
    default = about.get("default")
    return json.dumps(default) if isinstance(default, bool) else None if default is None else str(default)


def test_every_key_of_the_settings_is_explained() -> None:
    """The section on slowsched.yaml names each key of its schema, at any depth."""
    told = [code for row in rows(section(TASK_FILES, "slowsched.yaml")) for cell in row[:2] for code in codes(cell)]
    told += codes(section(TASK_FILES, "A task file"))  # whose retry is that of the defaults
    words = {word for code in told for word in code.split(".")}
    assert set(_keys(_schema("config"))) - words == set()


def _keys(schema: Any) -> Iterator[str]:
    """Yield the names of all properties in a schema."""
    for key, value in schema.items():
        if isinstance(value, dict):
            yield from value if key == "properties" else ()
            yield from _keys(value)


@pytest.mark.parametrize(
    ("heading", "files"),
    [
        ("`validate`", ["validate.json"]),
        ("`plan`", ["plan-every-change.json", "plan-refused.json"]),
        ("`apply`", ["apply-partial.json", "apply-refused.json"]),
        ("`worker`", ["wake-busy.json", "wake-paused.json"]),
        ("`list` and `show`", ["list.json", "show-running.json"]),
        ("`doctor`", ["doctor-ill.json"]),
    ],
)
def test_every_key_of_a_json_document_is_explained(heading: str, files: list[str]) -> None:
    """Each key that a document has, and each key of the things in it, is named under its command."""
    told = set(codes(section(CLI, heading))) | {"format_version"}
    if heading in {"`plan`", "`apply`"}:  # what is told of validate and of a plan holds there, too
        told |= set(codes(section(CLI, "`validate`"))) | set(codes(section(CLI, "`plan`")))
    for name in files:
        document = json.loads((PROJECT / "tests" / "render" / "expected" / name).read_text(encoding="utf-8"))
        assert set(_document_keys(document)) - told == set()


def _document_keys(document: dict[str, Any]) -> Iterator[str]:
    """Yield the keys of a JSON document and of the things in it; what is inside a task is the task's."""
    for key, value in document.items():
        yield key
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict) and key not in {"task", "before", "after", "paused"}:
                yield from _document_keys(each)


def test_the_readme_shows_a_plan_as_it_is_printed() -> None:
    """The plan in the README is made of pieces of one that the renderer's tests hold."""
    (shown,) = (block for block in blocks("README.md", "text") if block.startswith("Plan for "))
    printed = text_of("tests/render/expected/plan-typical.80.txt")
    assert [piece for piece in shown.split("...\n") if piece not in printed] == []
