"""The settings of a repository: `slowsched.yaml`, whose folder is the root.

It is read as strictly as task files are, and every fault of it is reported at once. Nothing here opens a
backend, and no path in it leaves the root.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slowsched.errors import ConfigError
from slowsched.json_schema import CompiledSchema, read_schema
from slowsched.model import Document, Problem
from slowsched.resources import schema_text
from slowsched.source_text import read_bytes
from slowsched.task_file import DEFAULTS, Defaults, Violation, read_defaults
from slowsched.timer.settings import TimerSettings
from slowsched.timing import parse_duration
from slowsched.wording import did_you_mean, problem, shown
from slowsched.yaml_reader import locate, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Way = tuple[str | int, ...]

__all__ = ["CONFIG_NAME", "Config", "Environment", "load_config", "own_schema", "place_in_config"]

CONFIG_NAME = "slowsched.yaml"
LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where the rows and the timer of an environment are kept.

    `path` is the file of the local backend, relative to the root; the rest is of the aws backend.
    """

    name: str
    backend: str = LOCAL
    path: str = ".slowsched/local.db"
    region: str | None = None
    table: str | None = None
    timer: TimerSettings | None = None
    expected_account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of a repository; every path is relative to `root`, which is absolute and resolved."""

    root: Path
    owner: str
    environments: Mapping[str, Environment]
    tasks: tuple[str, ...] = ("tasks",)
    schemas: str = "schemas"
    actions: str = "worker/actions.py"
    defaults: Defaults = DEFAULTS
    max_deletes: int = 50
    max_delete_percent: int = 30
    imminent: timedelta = timedelta(0)

    def environment(self, name: str) -> Environment:
        """Return the environment of that name.

        Raises:
            ConfigError: there is none; it names the nearest.
        """
        found = self.environments.get(name)
        if found is None:
            there_are = f"{CONFIG_NAME} has {', '.join(sorted(self.environments))}"
            hint = did_you_mean(name, self.environments, otherwise=there_are).removeprefix(": ")
            raise ConfigError(f"there is no environment {shown(name)}", hint=hint)
        return found


def load_config(directory: Path | None = None) -> Config:
    """Read the config of exactly this folder, or of the nearest one upwards from the current folder.

    Raises:
        ConfigError: there is none, or something in it is wrong; the message has one line a problem.
    """
    root = _root(directory)
    document = _document(root)
    problems = list(_problems(root, document))
    if problems:
        raise _refused(problems)
    return _config(root, document.value)


def place_in_config(config: Config, *way: str | int) -> tuple[int, int]:
    """Return line and column of a value in the file that a config was read from."""
    try:
        return locate(_document(config.root), way)
    except ConfigError:  # gone or broken since
        return 1, 1


def own_schema(name: str) -> CompiledSchema:
    """Return one of slowsched's own schemas, compiled: `task` or `config`."""
    compiled = read_schema(f"{name}.schema.json", schema_text(name).encode())
    if not isinstance(compiled, CompiledSchema):
        raise TypeError(f"slowsched's own schema is broken: {compiled}")
    return compiled


def _root(directory: Path | None) -> Path:
    start = Path.cwd() if directory is None else directory.resolve()
    for folder in (start, *start.parents) if directory is None else (start,):
        if (folder / CONFIG_NAME).exists():
            return folder
    where = "here, nor in any folder above" if directory is None else f"in {directory}"
    hint = "run `slowsched init` to begin, or go to your repository (-C DIR)"
    raise ConfigError(f"there is no {CONFIG_NAME} {where}", hint=hint)


def _document(root: Path) -> Document:
    data = read_bytes(root / CONFIG_NAME, CONFIG_NAME)
    if isinstance(data, Problem):
        raise _refused([data])
    documents, problems = read(CONFIG_NAME, data)
    if len(documents) > 1:
        place = documents[1].place.line, documents[1].place.column
        problems.append(problem(CONFIG_NAME, place, (), "schema", "the settings are one document, and this is another"))
    if problems:
        raise _refused(problems)
    return documents[0]


def _refused(problems: list[Problem]) -> ConfigError:
    from slowsched.render.text_problems import problem_line  # noqa: PLC0415 - needed for what is refused

    lines = sorted(problems, key=lambda found: (found.line, found.column, found.code))
    what = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
    return ConfigError("\n".join([f"{CONFIG_NAME} has {what}", *map(problem_line, lines)]))


def _problems(root: Path, document: Document) -> Iterator[Problem]:
    """Yield every problem of the settings; where the schema finds fault with the same value, it is not heard."""
    schema, value = own_schema("config"), document.value
    found = _breaches(root, value) if isinstance(value, dict) else []
    if not schema.is_valid(value):
        told = {violation.way for violation in found}
        found.extend(violation for violation in schema.explain(value) if violation.way not in told)
    for violation in found:
        place = locate(document, violation.way, key=violation.code == "unknown-key")
        yield problem(CONFIG_NAME, place, violation.way, violation.code, violation.message)


def _breaches(root: Path, value: dict[str, Any]) -> list[Violation]:
    found: list[Violation] = []
    read_defaults(_mapping(value, "defaults"), found, "defaults")
    found.extend(_limit_breaches(_mapping(value, "limits").get("imminent")))
    for way, path in _paths(value):
        if not isinstance(path, str):
            continue  # the schema says so
        if Path(path).is_absolute() or not Path(os.path.realpath(root / path)).is_relative_to(root):
            message = f"{shown(path)} must be a path below the folder of {CONFIG_NAME}: nothing else is read or written"
            found.append(Violation(way=way, code="outside-root", message=message))
    return found


def _limit_breaches(imminent: Any) -> Iterator[Violation]:
    """Yield what is wrong with a duration; what is none at all the schema tells."""
    try:
        parse_duration(imminent if isinstance(imminent, str) else "0s")
    except ValueError as error:
        yield Violation(way=("limits", "imminent"), code="bad-duration", message=str(error))


def _mapping(value: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the mapping at a key, an empty one where there is none."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _paths(value: dict[str, Any]) -> Iterator[tuple[Way, Any]]:
    tasks = value.get("tasks")
    for index, path in enumerate(tasks if isinstance(tasks, list) else ()):
        yield ("tasks", index), path
    for key in ("schemas", "actions"):
        yield (key,), value.get(key)
    environments = _mapping(value, "environments")
    for name in environments:
        yield ("environments", name, "path"), _mapping(environments, name).get("path")


def _config(root: Path, value: dict[str, Any]) -> Config:
    """Build the config from settings that have no problem."""
    given: dict[str, Any] = {key: value[key] for key in ("owner", "schemas", "actions") if key in value}
    if "tasks" in value:
        given["tasks"] = tuple(value["tasks"])
    environments = {LOCAL: Environment(name=LOCAL)}
    for name, settings in value.get("environments", {}).items():
        timer = {"timer": TimerSettings(**settings["timer"])} if "timer" in settings else {}
        environments[name] = Environment(name=name, **settings | timer)
    defaults = read_defaults(value.get("defaults", {}), [])
    limits = dict(value.get("limits", {}))
    if "imminent" in limits:
        limits["imminent"] = parse_duration(limits["imminent"])
    return Config(root=root, environments=environments, defaults=defaults, **limits, **given)
