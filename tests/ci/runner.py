"""Runs the shell steps of a composite action as GitHub's runner does: each in bash, with files for what it says.

Of expressions it knows what action.yml needs: a name, comparisons with a text, `always()` and `&&`. Steps that use
another action are not run; what they would be given is kept.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECT = Path(__file__).resolve().parents[2]
SLOWSCHED = Path(sys.executable).with_name("slowsched")
LONGEST_SECONDS = 120  # of one step, on a busy machine

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
# As the runner looks for them: `::name` at the start of a line, `##[name]` anywhere in it.
_NAMES = (
    "add-mask|add-matcher|add-path|debug|echo|error|group|notice|save-state|set-env|set-output|stop-commands|warning"
)
_COMMAND = re.compile(rf"(?:^::|##\[)({_NAMES})\b")
_OURS = ("GITHUB_", "INPUT_", "RUNNER_", "SLOWSCHED_", "AWS_", "GIT_", "ACTIONS_")


@dataclass(slots=True)
class Told:
    """What an action that ran has told GitHub."""

    failed: bool = False
    log: str = ""
    commands: list[str] = field(default_factory=list)  # lines that the runner would have followed
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id: outcome, outputs
    used: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # other actions, and their inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A workspace, and the event that the run is about."""

    workspace: Path
    temp: Path
    api_url: str
    event: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, str] = field(default_factory=dict)  # variables of the run
    cancelled: str = ""  # the step, by id, during which somebody cancels the run

    def run(self, action: Path = PROJECT / "action.yml", **inputs: str) -> Told:
        """Run the composite action with these inputs; `_` in their names stands for `-`."""
        document = yaml.safe_load(action.read_text(encoding="utf-8"))
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        assert given.keys() <= document["inputs"].keys()
        defaults = {name: str(each.get("default", "")) for name, each in document["inputs"].items()}
        told = Told()
        values = {"inputs": {**defaults, **given}, "github": {"token": "the token"}, "steps": told.steps}
        values["inputs"] = {name: _filled(value, values) for name, value in values["inputs"].items()}
        for step in document["runs"]["steps"]:
            self._step(step, action, values, told)
        told.outputs = {name: _filled(each["value"], values) for name, each in document["outputs"].items()}
        return told

    def _step(self, step: Mapping[str, Any], action: Path, values: Any, told: Told) -> None:
        if not _is_true(step.get("if", "success()"), values, failed=told.failed):
            return
        if "uses" in step:
            told.used.append((step["uses"], {name: _filled(str(each), values) for name, each in step["with"].items()}))
            return
        if step.get("id") == self.cancelled:
            told.failed = True
            told.steps[self.cancelled] = {"outcome": "cancelled", "outputs": {}}
            return
        status, outputs = self._shell(step, action, values, told)
        outcome = "success" if status == 0 else "failure"
        told.failed = told.failed or status != 0
        told.steps[step.get("id", step["name"])] = {"outcome": outcome, "outputs": outputs}

    def _shell(self, step: Mapping[str, Any], action: Path, values: Any, told: Told) -> tuple[int, dict[str, str]]:
        assert step["shell"] == "bash"
        script, output, summary = (self.temp / name for name in ("step.sh", "output", "summary"))
        script.write_text(step["run"], encoding="utf-8")
        output.write_text("", encoding="utf-8")
        summary.write_text("", encoding="utf-8")
        own = {name: _filled(str(each), values) for name, each in step.get("env", {}).items()}
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace,
            env=self._environment(action) | {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)} | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=LONGEST_SECONDS,
            check=False,
        )
        told.log += ran.stdout
        told.commands += _followed(ran.stdout)
        told.summary += summary.read_text(encoding="utf-8")
        return ran.returncode, dict(line.split("=", 1) for line in output.read_text(encoding="utf-8").splitlines())

    def _environment(self, action: Path) -> dict[str, str]:
        event = self.temp / "event.json"
        event.write_text(json.dumps(self.event), encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return kept | {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(action.parent),
            "GITHUB_API_URL": self.api_url,
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "4711",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temp),
            **self.more,
        }


def installed(temp: Path) -> None:
    """Let slowsched be installed already where the action would install it: the one of this environment."""
    (temp / "slowsched-action").symlink_to(sys.prefix, target_is_directory=True)


def _followed(log: str) -> Iterator[str]:
    """Yield the commands in the log of one step: not those that stop-commands shields, at most to the step's end."""
    token = None
    for line in map(str.strip, log.splitlines()):
        command = _COMMAND.search(line)
        if token is not None:
            token = None if line == f"::{token}::" else token
        elif command is not None and command[1] == "stop-commands":
            token = line.removeprefix("::stop-commands::")
        elif command is not None:
            yield line


def _filled(text: str, values: Any) -> str:
    return _EXPRESSION.sub(lambda match: _value(match[1], values), text)


def _value(expression: str, values: Any) -> str:
    """Return what a name stands for; nothing where a step did not run or did not say, as GitHub has it."""
    found: Any = values
    for name in expression.split("."):
        assert re.fullmatch(r"[A-Za-z_-]+", name), expression
        found = found.get(name, {})
    return found if isinstance(found, str) else ""


def _is_true(condition: str, values: Any, *, failed: bool) -> bool:
    terms = [term.strip() for term in condition.split("&&")]
    if not failed or "always()" in terms:
        return all(_holds(term, values) for term in terms)
    return False


def _holds(term: str, values: Any) -> bool:
    if term in ("always()", "success()"):
        return True
    name, sign, text = re.fullmatch(r"([\w.-]+) (==|!=) '([^']*)'", term).groups()  # type: ignore[union-attr]
    return (_value(name, values) == text) is (sign == "==")
