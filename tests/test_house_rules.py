"""The rules of the house, held over every module, and each shown to fail where it is broken.

A rule is a function from a module (its name, its source, all modules) to what is wrong with it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "slowsched"

# The drawing of the architecture: data flows down, and a module imports only from above itself. A name with
# a slash is a package, whose modules may import one another.
LAYERS = """
    model  errors  reports  diagnosis                   values: the core begins
    timing  canonical  sensitive  schema_places         time, text
    wording
    task_file  lifecycle  decision                      document -> task, row -> row
    trailers  limits  plan  three_way                   files x rows -> plan, and what may not be done
    render/                                             values -> text: the core ends

    source_text  json_reader                            files -> documents
    yaml_plain  yaml_quick  yaml_reader  yaml_edit
    yaml_change
    resources  json_schema_words  json_schema           documents x schemas -> what is wrong with them

    sqlite_file  aws_failures  aws  clock               files, accounts, time
    store/  timer/  backend                             the ports and their adapters
    execute  action_loader                              the team's code, for the worker only

    arm  live_plan  branch_plan                         rows are read; they are written, then the timer
    plan_file  control  apply
    agenda_walk  settling  wake  rehearsal  intervene
    aws_inspection  checks  aws_checks  worker_checks   what is there -> findings
    doctor  drift

    git  commit_trailers                                commits -> what they allow
    config  task_paths  zones                           a work tree -> the tasks that it declares
    repository  commit_tasks                            ... or a commit
    work_tree  tidy  adopt  original_table              ... and those who write its files
    editor_description  editor  editor_app
    starter  environment_file
    import_graph  package_pip                           sources -> the zip of the function
    package_program  package
    aws_backend  wiring                                 name the concrete classes
    lambda_metrics  lambda_worker                       the function on Lambda: an event -> a wake
    cli/                                                parses arguments, calls one use case, renders
    __init__  __main__                                  what a team imports, what a shell runs
"""
LAST_OF_CORE = "render/"

# What the core may import besides itself: no I/O, no clock, no chance, no logging. Time zones and the words for
# spans of time are read like Unicode's tables; of rich, only what measures and colours text.
CORE_MAY_IMPORT = frozenset(
    [
        *("__future__", "abc", "collections", "collections.abc", "dataclasses", "datetime", "decimal", "difflib"),
        *("enum", "functools", "hashlib", "itertools", "json", "json.encoder", "operator", "re", "shlex", "typing"),
        *("unicodedata", "urllib.parse", "zoneinfo", "humanize", "rich.cells", "rich.color", "rich.style"),
    ]
)
IMPURE_CALLS = frozenset({"now", "utcnow", "today", "open", "print", "input", "__import__", "import_module"})

# A library, and the modules that own it: nobody else knows that it exists.
OWNERS: Mapping[str, frozenset[str]] = {
    "aws_lambda_powertools": frozenset({"lambda_metrics", "lambda_worker"}),
    "boto3": frozenset({"aws"}),
    "botocore": frozenset({"aws"}),
    "click": frozenset({"cli/"}),
    "jsonschema": frozenset({"json_schema_words"}),
    "jsonschema_rs": frozenset({"json_schema", "json_schema_words"}),
    "multiprocessing": frozenset(),
    "starlette": frozenset({"editor_app"}),
    "sqlite3": frozenset({"sqlite_file", "store.sqlite"}),
    "subprocess": frozenset({"git", "package_pip", "cli.watch"}),
    "tzdata": frozenset({"zones"}),
    "uvicorn": frozenset({"cli.serve"}),
    "yaml": frozenset({"yaml_change", "yaml_edit", "yaml_quick", "yaml_reader", "cli.task_text"}),
}

# A pull request is untrusted: what it starts knows the team's actions by their schemas only.
UNTRUSTED = ("cli.validate", "cli.plan", "cli.apply")
TEAMS_CODE = frozenset({"execute", "action_loader"})

SPEAKS = frozenset({"print", "input", "exit", "quit", "breakpoint", "SystemExit"})
PROCESS = frozenset({"sys.exit", "sys.stdout", "sys.stderr", "os._exit", "os.abort"})

# --- what is there ---------------------------------------------------------------------------------


def _sources(folder: Path) -> dict[str, str]:
    """Return every module under a folder by its name in it, `store.base`."""
    files = {path.relative_to(folder): path for path in sorted(folder.rglob("*.py"))}
    return {".".join(name.with_suffix("").parts): path.read_text(encoding="utf-8") for name, path in files.items()}


MODULES = _sources(ROOT / PACKAGE)
TESTS = _sources(ROOT / "tests")


def _drawn() -> list[str]:
    """Return the names of the drawing, in its order."""
    return [name for line in LAYERS.splitlines() for name in line.strip().split("   ")[0].split()]


def _place(module: str) -> str:
    """Return the name under which a module stands in the drawing: its package's, where it is in one."""
    return f"{module.partition('.')[0]}/" if "." in module else module


@cache
def _nodes(source: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(source)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One import: of this package (then `name` is the name inside it), or of another."""

    name: str
    own: bool
    line: int


def _imports(source: str, modules: Mapping[str, str]) -> Iterator[Imported]:
    """Yield every import, those in functions and under TYPE_CHECKING too."""
    for node in _nodes(source):
        if isinstance(node, ast.Import):
            for alias in node.names:
                own = alias.name.split(".")[0] == PACKAGE
                yield Imported(name=alias.name.removeprefix(f"{PACKAGE}."), own=own, line=node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            own = base.split(".")[0] in {PACKAGE, ""}
            inside = base.removeprefix(PACKAGE).removeprefix(".") if own else base
            for alias in node.names:
                full = f"{inside}.{alias.name}" if inside else alias.name
                name = full if own and (full in modules or not inside) else inside
                yield Imported(name=name, own=own, line=node.lineno)


def _calls(source: str) -> Iterator[tuple[str, int]]:
    """Yield what is called, as it is written, and where: `print`, `datetime.now`, `backend.timer.arm`."""
    for node in _nodes(source):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


# --- the rules of a module -------------------------------------------------------------------------


def imports_from_above_only(module: str, source: str, modules: Mapping[str, str]) -> list[str]:
    """A module stands in the drawing, and imports only from above itself (and what is started, the version)."""
    order = {name: index for index, name in enumerate(_drawn())}
    here = _place(module)
    if here not in order:
        return [f"{module} is not in the drawing"]
    wrong = []
    for each in _imports(source, modules):
        there = _place(each.name)
        siblings = here == there and here.endswith("/")
        version = here in {"cli/", "lambda_worker"} and each.name == "__version__"
        if each.own and not siblings and not version and order.get(there, len(order)) >= order[here]:
            wrong.append(f"{module}:{each.line} imports {each.name}")
    return wrong


def core_is_pure(module: str, source: str, modules: Mapping[str, str]) -> list[str]:
    """The core has no I/O, no clock, no chance and no logging."""
    names = _drawn()
    if _place(module) not in names[: names.index(LAST_OF_CORE) + 1]:
        return []
    imported = [
        f"{module}:{each.line} imports {each.name}"
        for each in _imports(source, modules)
        if not each.own and each.name not in CORE_MAY_IMPORT
    ]
    called = [f"{module}:{line} calls {name}" for name, line in _calls(source) if name.split(".")[-1] in IMPURE_CALLS]
    return imported + called


def libraries_have_owners(module: str, source: str, modules: Mapping[str, str]) -> list[str]:
    """A library is known to the modules that own it."""
    return [
        f"{module}:{each.line} imports {each.name}"
        for each in _imports(source, modules)
        if not each.own and not {module, _place(module)} & OWNERS.get(each.name.split(".")[0], {module})
    ]


def library_is_silent(module: str, source: str, _modules: Mapping[str, str]) -> list[str]:
    """Nothing but the command line prints, asks or exits."""
    if _place(module) == "cli/" or module == "__main__":
        return []
    wrong = [f"{module}:{line} calls {name}" for name, line in _calls(source) if name in SPEAKS]
    for node in _nodes(source):
        match node:
            case ast.Attribute() if ast.unparse(node) in PROCESS:
                wrong.append(f"{module}:{node.lineno} uses {ast.unparse(node)}")
            case ast.Raise(exc=ast.Name(id="SystemExit")):
                wrong.append(f"{module}:{node.lineno} raises SystemExit")
            case ast.ImportFrom() if {f"{node.module}.{alias.name}" for alias in node.names} & PROCESS:
                wrong.append(f"{module}:{node.lineno} imports from {node.module}")
    return wrong


def arm_alone_arms(module: str, source: str, _modules: Mapping[str, str]) -> list[str]:
    """The arm protocol is the only code that writes the timer."""
    return [
        f"{module}:{line} calls {name}" for name, line in _calls(source) if name.endswith(".arm") and module != "arm"
    ]


def every_test_says_what_it_shows(module: str, source: str, _modules: Mapping[str, str]) -> list[str]:
    """Every test has a docstring of one line."""
    return [
        f"{module}:{node.lineno} {node.name}"
        for node in _nodes(source)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        if "\n" in (ast.get_docstring(node, clean=False) or "\n")
    ]


def nothing_is_patched(module: str, source: str, modules: Mapping[str, str]) -> list[str]:
    """Real fakes, no mocks: no attribute of anything is replaced."""
    imported = [
        f"{module}:{each.line} imports {each.name}"
        for each in _imports(source, modules)
        if each.name.split(".")[0] in {"mock", "pytest_mock", "unittest"}
    ]
    taken = [
        f"{module}:{node.lineno} takes mocker"
        for node in _nodes(source)
        if isinstance(node, ast.arg) and node.arg == "mocker"
    ]
    called = [f"{module}:{line} calls {name}" for name, line in _calls(source) if name == "monkeypatch.setattr"]
    return imported + taken + called


# --- the rules of all modules together -------------------------------------------------------------


def untrusted_paths_know_no_code(modules: Mapping[str, str]) -> list[str]:
    """Validate, plan and apply, with all that they import at any depth, never import the team's code."""
    found = dict.fromkeys(UNTRUSTED, "")
    ahead = list(UNTRUSTED)
    while ahead:
        module = ahead.pop()
        for each in _imports(modules[module], modules):
            if each.own and each.name in modules and each.name not in found:
                found[each.name] = module
                ahead.append(each.name)
    return [f"{found[name]} imports {name}" for name in sorted(TEAMS_CODE & found.keys())]


def no_circles(modules: Mapping[str, str]) -> list[str]:
    """No two modules of a package import one another (but commands, which import when they run)."""
    needs = {
        module: {each.name for each in _imports(source, modules) if each.own and _place(each.name) == _place(module)}
        for module, source in modules.items()
        if "." in module and _place(module) != "cli/"
    }
    while free := {module for module, needed in needs.items() if not needed & needs.keys()}:
        needs = {module: needed for module, needed in needs.items() if module not in free}
    return sorted(needs)


def drawing_is_true(modules: Mapping[str, str]) -> list[str]:
    """Nothing is drawn that is not there, and nothing is drawn twice."""
    names = _drawn()
    there = {_place(module) for module in modules}
    return [name for index, name in enumerate(names) if name not in there or name in names[:index]]


MODULE_RULES = [imports_from_above_only, core_is_pure, libraries_have_owners, library_is_silent, arm_alone_arms]
TEST_RULES = [every_test_says_what_it_shows, nothing_is_patched]
WHOLE_RULES = [untrusted_paths_know_no_code, no_circles, drawing_is_true]


@pytest.mark.parametrize("rule", MODULE_RULES)
def test_every_module_keeps_the_rule(rule):
    """Each module of the package keeps to each rule of a module."""
    assert [wrong for module, source in MODULES.items() for wrong in rule(module, source, MODULES)] == []


@pytest.mark.parametrize("rule", TEST_RULES)
def test_every_test_keeps_the_rule(rule):
    """Each file of the tests keeps to each rule of a test."""
    assert [wrong for module, source in TESTS.items() for wrong in rule(module, source, MODULES)] == []


@pytest.mark.parametrize("rule", WHOLE_RULES)
def test_the_package_keeps_the_rule(rule):
    """The package as a whole keeps to each rule of all modules together."""
    assert rule(MODULES) == []


# --- each rule can fail ----------------------------------------------------------------------------

BROKEN = [
    (imports_from_above_only, "timing", "from slowsched.plan import compare"),
    (imports_from_above_only, "timing", "from slowsched import plan"),
    (imports_from_above_only, "timing", "import slowsched.plan"),
    (imports_from_above_only, "timing", "if TYPE_CHECKING:\n    from slowsched.plan import Plan"),
    (imports_from_above_only, "timing", "def late():\n    from slowsched.plan import Plan"),
    (imports_from_above_only, "timing", "from slowsched.timing import stamp"),
    (imports_from_above_only, "timing", "from . import plan"),
    (imports_from_above_only, "timing", "from .plan import Plan"),
    (imports_from_above_only, "apply", "from slowsched import action"),
    (imports_from_above_only, "apply", "import slowsched"),
    (imports_from_above_only, "wake", "from slowsched import __version__"),
    (imports_from_above_only, "store.memory", "from slowsched.timer.base import Timer"),
    (imports_from_above_only, "plan", "from slowsched.render.words import moment"),
    (imports_from_above_only, "wiring", "from slowsched.cli import frame"),
    (imports_from_above_only, "unheard_of", ""),
    (core_is_pure, "plan", "import os"),
    (core_is_pure, "plan", "import os.path as path"),
    (core_is_pure, "plan", "from io import open"),
    (core_is_pure, "model", "if TYPE_CHECKING:\n    from pathlib import Path"),
    (core_is_pure, "lifecycle", "import random"),
    (core_is_pure, "lifecycle", "from secrets import token_hex"),
    (core_is_pure, "lifecycle", "from time import time"),
    (core_is_pure, "render.words", "import logging"),
    (core_is_pure, "render.words", "from rich.console import Console"),
    (core_is_pure, "task_file", "import yaml"),
    (core_is_pure, "task_file", "import jsonschema_rs"),
    (core_is_pure, "decision", "now = datetime.now(UTC)"),
    (core_is_pure, "decision", "now = datetime.datetime.utcnow()"),
    (core_is_pure, "decision", "now = date.today()"),
    (core_is_pure, "decision", "def read(path):\n    return path.open()"),
    (core_is_pure, "decision", "open('file')"),
    (core_is_pure, "decision", "print('decided')"),
    (core_is_pure, "decision", "os = __import__('os')"),
    (libraries_have_owners, "repository", "import yaml"),
    (libraries_have_owners, "repository", "def read():\n    from yaml.events import Event"),
    (libraries_have_owners, "apply", "import boto3"),
    (libraries_have_owners, "apply", "from botocore.exceptions import ClientError"),
    (libraries_have_owners, "timer.sqlite", "import sqlite3"),
    (libraries_have_owners, "cli.plan", "import subprocess"),
    (libraries_have_owners, "config", "from click import echo"),
    (library_is_silent, "apply", "print('applied')"),
    (library_is_silent, "apply", "sys.exit(1)"),
    (library_is_silent, "apply", "from sys import exit"),
    (library_is_silent, "apply", "os._exit(1)"),
    (library_is_silent, "apply", "raise SystemExit"),
    (library_is_silent, "apply", "raise SystemExit(1)"),
    (library_is_silent, "apply", "sys.stderr.write('applied')"),
    (library_is_silent, "apply", "answer = input('apply?')"),
    (arm_alone_arms, "apply", "backend.timer.arm(moment)"),
    (arm_alone_arms, "cli.intervene", "timer.arm(moment)"),
    (every_test_says_what_it_shows, "test_x", "def test_it():\n    assert True"),
    (every_test_says_what_it_shows, "test_x", "async def test_it():\n    assert True"),
    (every_test_says_what_it_shows, "test_x", 'def test_it():\n    """Says\n    too much."""'),
    (every_test_says_what_it_shows, "test_x", 'class TestX:\n    def test_it(self):\n        """"""'),
    (nothing_is_patched, "test_x", "from unittest import mock"),
    (nothing_is_patched, "test_x", "from unittest.mock import patch"),
    (nothing_is_patched, "test_x", "import mock"),
    (nothing_is_patched, "test_x", "def test_it(mocker): ..."),
    (nothing_is_patched, "test_x", "monkeypatch.setattr(time, 'sleep', print)"),
]

KEPT = [
    (imports_from_above_only, "plan", "from slowsched import canonical\nfrom slowsched.model import Plan\nimport os"),
    (imports_from_above_only, "store.memory", "from slowsched.store.base import Store"),
    (imports_from_above_only, "cli.main", "from slowsched import __version__\nfrom slowsched.cli.frame import command"),
    (core_is_pure, "plan", "import re\nfrom collections.abc import Iterable\nnow = setting.now"),
    (core_is_pure, "yaml_reader", "import os\nopen('file')"),
    (libraries_have_owners, "git", "import subprocess, os"),
    (libraries_have_owners, "cli.plan", "import click"),
    (library_is_silent, "cli.plan", "print('planned')\nsys.exit(0)"),
    (library_is_silent, "apply", "self.exit()\nimport sys\nsys.path.append('')"),
    (arm_alone_arms, "arm", "backend.timer.arm(minute)"),
    (arm_alone_arms, "apply", "from slowsched.arm import arm\narm(backend)"),
    (every_test_says_what_it_shows, "test_x", 'def test_it():\n    """It is so."""\ndef helper(): ...'),
    (nothing_is_patched, "test_x", "monkeypatch.setenv('NO_COLOR', '1')"),
]


@pytest.mark.parametrize(("rule", "module", "source"), BROKEN)
def test_a_rule_that_is_broken_is_noticed(rule, module, source):
    """Each way to break a rule is found, once."""
    assert len(rule(module, source, MODULES)) == 1


@pytest.mark.parametrize(("rule", "module", "source"), KEPT)
def test_what_is_allowed_is_not_reported(rule, module, source):
    """A rule forbids no more than it says."""
    assert rule(module, source, MODULES) == []


@pytest.mark.parametrize(
    ("rule", "changed", "wrong"),
    [
        (untrusted_paths_know_no_code, {"cli.plan": "import slowsched.execute"}, ["cli.plan imports execute"]),
        (
            untrusted_paths_know_no_code,
            {
                "cli.plan": "from slowsched.apply import apply",
                "apply": "def f():\n    from slowsched import action_loader",
            },
            ["apply imports action_loader"],
        ),
        (
            no_circles,
            {
                "store.base": "from slowsched.store import items",
                "store.items": "from slowsched.store.base import Store",
            },
            ["store.base", "store.items"],
        ),
        (drawing_is_true, {"wake": None}, ["wake"]),
    ],
)
def test_a_rule_of_the_whole_that_is_broken_is_noticed(rule, changed, wrong):
    """A module that is changed so that it breaks a rule of the whole is found."""
    modules = {name: source for name, source in (MODULES | changed).items() if source is not None}
    assert set(wrong) <= set(rule(modules))
