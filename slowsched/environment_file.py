"""An environment on AWS, from what Terraform says of it into the text of slowsched.yaml; comments and layout stay.

Pure: text and values in, text out. Whether the result means what was meant is for the caller to see, by loading it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from slowsched.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OUTPUT", "environment_block", "read_output", "with_environment"]

OUTPUT = "slowsched_environment"
"""The name of Terraform's output."""

_KEYS = ("backend", "region", "table", "timer", "expected_account")
_REQUIRED = ("backend", "region", "table", "timer.kind", "timer.name")
_TIMER_KEYS = ("kind", "name", "group", "target_arn", "role_arn")
_OF_SCHEDULE = ("timer.group", "timer.target_arn", "timer.role_arn")
_PLAIN = re.compile(r"(?!(y|n|yes|no|on|off|true|false|null)$)[a-z][a-z0-9_-]*")
_HEAD = re.compile(r"environments:[ \t]*(#.*)?")
_WAY_OUT = "run `terraform output -json` in the folder of your Terraform root, after its apply"


def read_output(text: str) -> dict[str, Any]:
    """Return the environment that the output of `terraform output -json` describes, in the order of the settings.

    Raises:
        UsageError: it is no such output, or lacks something.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"what Terraform is to have said is no JSON ({error})", hint=_WAY_OUT) from None
    if isinstance(found, dict) and OUTPUT in found:
        found = found[OUTPUT].get("value") if isinstance(found[OUTPUT], dict) else None
    elif not isinstance(found, dict) or not {"backend", "table"} <= found.keys():
        hint = f"give your root an output {OUTPUT} with the value of the module's, as terraform/example does"
        raise UsageError(f"Terraform has no output {OUTPUT}", hint=hint)
    return _environment(found)


def _environment(found: Any) -> dict[str, Any]:
    """Return the settings in order, without what is null."""
    value = _without_null(found)
    value["timer"] = _without_null(value.get("timer"))
    wrong = [key for key in value if key not in _KEYS]
    wrong += [f"timer.{key}" for key in value["timer"] if key not in _TIMER_KEYS]
    if wrong:
        words = f"Terraform's output {OUTPUT} has {', '.join(wrong)}, which this version does not know"
        raise UsageError(words, hint="upgrade slowsched, or use the module of this version")
    flat = value | {f"timer.{key}": each for key, each in value["timer"].items()}
    required = (*_REQUIRED, *(_OF_SCHEDULE if flat.get("timer.kind") == "schedule" else ()))
    lacking = [key for key in required if not isinstance(flat.get(key), str)]
    if lacking:
        raise UsageError(f"Terraform's output {OUTPUT} says nothing of {', '.join(lacking)}", hint=_WAY_OUT)
    ordered = {key: value[key] for key in _KEYS if key in value}
    return ordered | {"timer": {key: value["timer"][key] for key in _TIMER_KEYS if key in value["timer"]}}


def _without_null(found: Any) -> dict[str, Any]:
    return {key: each for key, each in found.items() if each is not None} if isinstance(found, dict) else {}


def environment_block(name: str, environment: Mapping[str, Any], *, indent: str = "  ") -> str:
    """Write an environment as it stands below `environments:`."""
    lines = [f"{indent}{_scalar(name)}:"]
    for key, value in environment.items():
        if isinstance(value, dict):
            lines.append(f"{2 * indent}{key}:")
            lines += [f"{3 * indent}{inner}: {_scalar(each)}" for inner, each in value.items()]
        else:
            lines.append(f"{2 * indent}{key}: {_scalar(value)}")
    return "".join(f"{line}\n" for line in lines)


def _scalar(value: Any) -> str:
    """Write a text bare where no reader of YAML takes it for anything else."""
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value)


def with_environment(text: str, name: str, environment: Mapping[str, Any]) -> str:
    """Return the text of slowsched.yaml with this environment behind those that it has.

    Where they are not written one below the other the result is no settings, which loading it shows.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if _HEAD.fullmatch(line)]
    if heads:
        last = _last_of_block(lines, heads[0])
        block = environment_block(name, environment, indent=_indent(lines[heads[0] + 1 : last + 1]))
    else:
        last = len(lines) - 1
        block = ("\n" if lines else "") + "environments:\n" + environment_block(name, environment)
    return "".join(f"{line}{end}" for line in [*lines[: last + 1], *block.splitlines(), *lines[last + 1 :]])


def _last_of_block(lines: list[str], head: int) -> int:
    """Return the last line that belongs to the mapping below a key of the top level."""
    last = head
    for number in range(head + 1, len(lines)):
        line = lines[number]
        if line[:1] not in {"", " ", "#"}:
            break
        if line.startswith(" ") and line.strip():
            last = number
    return last


def _indent(lines: list[str]) -> str:
    """Return how far the keys of a block are indented; two blanks where it has none."""
    keys = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return keys[0][: len(keys[0]) - len(keys[0].lstrip(" "))] if keys else "  "
