"""The schema of today's AWS provider, 6.25.0, for Terraform's own checks: `validate`, and `test` with mocks.

The provider itself cannot be had without a download; the attributes of its resources can, from the type files of
@cdktf/provider-aws, which are generated from it. `inside_terraform/provider.py` serves them as a provider that does
nothing else. What the files do not say: whether an optional attribute may also be computed (only `id` and `tags_all`
are taken as such), and rules beyond types, such as which values an attribute takes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulators.parts import PROVIDER_TYPES, PYTHON, EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROVIDER = "6.25.0"
STUB = Path(__file__).parent / "inside_terraform" / "provider.py"
SIMPLE = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
ALSO_COMPUTED = frozenset({"id", "tags_all"})  # of every resource
TYPES_OF_GETTERS = {
    "string": "string",
    "number": "number",
    "cdktf.IResolvable": "bool",
    "boolean | cdktf.IResolvable": "bool",
    "string[]": ["list", "string"],
    "number[]": ["list", "number"],
    "cdktf.StringMap": ["map", "string"],
}

_ENTRY = re.compile(
    r"^\s+(?P<name>\w+): \{\n\s+value: (?P<value>.*)\n\s+isBlock: (?P<block>true|false),\n"
    r"\s+type: \"(?P<kind>\w+)\",\n\s+storageClassType: \"(?P<storage>\w+)\",",
    re.MULTILINE,
)
_TABLE = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
_CLASS = re.compile(r"^class (\w+) extends cdktf\.\w+ \{(.*?)^\}", re.MULTILINE | re.DOTALL)
_INTERFACE = re.compile(r"^export interface (\w+) .*?\{(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^    readonly (\w+)(\??): (.*?);$", re.MULTILINE | re.DOTALL)
_READ_ONLY = re.compile(r"// (\w+) - computed: true, optional: false, required: false\n\s+get (\w+)\(\)")
_MEMBER = re.compile(r"(?:struct\.|this\._)(\w+)")
_COLLECTION = re.compile(r"(string|number|boolean|any)(List|Map)(List|Map)?")
_DECLARED = re.compile(r"^\s*(resource|data) \"aws_(\w+)\"", re.MULTILINE)


def folders_of(configuration: Path) -> list[str]:
    """Return the type files that a configuration needs: one folder a resource or data source, by name."""
    used = {
        ("data-aws-" if kind == "data" else "") + name.replace("_", "-")
        for file in sorted(configuration.rglob("*.tf"))
        for kind, name in _DECLARED.findall(file.read_text(encoding="utf-8"))
    }
    return sorted(used)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Types:
    """The type files of one resource, taken apart."""

    tables: dict[str, list[re.Match[str]]]  # of a block: its arguments
    interfaces: dict[str, dict[str, tuple[bool, str]]]  # of a block: is an argument optional, and its type
    read_only: dict[str, list[tuple[str, Any]]]  # of a block: what it computes
    root: str

    def block(self, name: str) -> dict[str, Any]:
        """Return the schema of a block."""
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for entry in self.tables[name]:
            found = _MEMBER.search(entry["value"])
            optional, type_text = self._field(name, found[1] if found else "")
            inner = re.search(r"(\w+)ToHclTerraform", entry["value"])
            if entry["block"] == "true" and inner:
                blocks[entry["name"]] = {
                    "mode": entry["kind"],
                    "min": int(not optional),
                    "max": int(entry["kind"] != "struct" and "[]" not in type_text),
                    "block": self.block(inner[1].lower()),
                }
            else:
                attributes[entry["name"]] = {
                    "type": _type(entry["kind"], entry["storage"]),
                    "required": not optional,
                    "optional": optional,
                    "computed": optional and entry["name"] in ALSO_COMPUTED,
                }
        for attribute, its_type in self.read_only.get(name, []):
            attributes.setdefault(attribute, {"type": its_type, "required": False, "optional": False, "computed": True})
        return {"attributes": attributes, "blocks": blocks}

    def _field(self, block: str, member: str) -> tuple[bool, str]:
        fields = self.interfaces.get(f"{block}config" if block == self.root else block, {})
        if member not in fields:
            raise EmulatorError(f"the type files of {self.root} say nothing of {member} in {block}")
        return fields[member]


def _type(kind: str, storage: str) -> Any:
    """Return a type in Terraform's own way of writing, `["map", "string"]`."""
    if storage in SIMPLE:
        return SIMPLE[storage]
    found = _COLLECTION.fullmatch(storage)
    if not found:
        raise EmulatorError(f"the type files have an attribute of type {storage}, which is not known here")
    inner = SIMPLE[found[1]]
    return [kind, [found[2].lower(), inner]] if found[3] else [kind, inner]


def _read_only(script: str, types: str) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    for name, body in _CLASS.findall(script):
        declared = re.search(rf"^export declare class {name} extends .*?^\}}", types, re.MULTILINE | re.DOTALL)
        getters = dict(re.findall(r"get (\w+)\(\): ([^;]+);", declared[0] if declared else ""))
        found = [
            (attribute, TYPES_OF_GETTERS[getters[getter]])
            for attribute, getter in _READ_ONLY.findall(body)
            if getters.get(getter) in TYPES_OF_GETTERS
        ]
        yield name.removesuffix("OutputReference").lower(), found


def schema_of(folder: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the schema of a resource, a data source (`data-aws-...`) or the provider (`provider`).

    Raises:
        EmulatorError: Provider 6.25.0 has no such thing, or its type files are not as they are known here.
    """
    place = PROVIDER_TYPES / folder
    if not place.is_dir():
        raise EmulatorError(f"AWS provider {PROVIDER} has no {folder.replace('-', '_')} ({place} is not there)")
    script = (place / "index.js").read_text(encoding="utf-8")
    types = (place / "index.d.ts").read_text(encoding="utf-8")
    root = re.search(r"^class (\w+) extends cdktf\.Terraform(?:Resource|DataSource|Provider)", script, re.MULTILINE)
    arguments = re.search(r"synthesizeHclAttributes\(\) \{(.*?)// remove undefined", script, re.DOTALL)
    named = re.search(r'tfResourceType = "(\w+)"', script)
    if not (root and arguments and named):
        raise EmulatorError(f"{place} is not written as it is known here")
    tables = {name.lower(): list(_ENTRY.finditer(body)) for name, body in _TABLE.findall(script)}
    taken = _Types(
        tables={**tables, root[1].lower(): list(_ENTRY.finditer(arguments[1]))},
        interfaces={
            name.lower(): {field: (mark == "?", its_type) for field, mark, its_type in _FIELD.findall(body)}
            for name, body in _INTERFACE.findall(types)
        },
        read_only=dict(_read_only(script, types)),
        root=root[1].lower(),
    )
    return named[1], taken.block(taken.root)


def schema(folders: Iterable[str]) -> dict[str, Any]:
    """Return the provider's schema: of itself, and of the resources and data sources in these folders."""
    found: dict[str, Any] = {"provider": schema_of("provider")[1], "resources": {}, "data": {}}
    for folder in folders:
        name, block = schema_of(folder)
        found["data" if folder.startswith("data-") else "resources"][name] = block
    return found


def current_mirror(target: Path, configuration: Path) -> Path:
    """Make a mirror with a provider 6.25.0 that knows what a configuration uses, and nothing else; return it.

    Args:
        target: An empty place for it.
        configuration: A folder of Terraform files, searched to any depth.
    """
    known = target / "schema.json"
    place = target / "registry.terraform.io" / "hashicorp" / "aws" / PROVIDER / _platform()
    place.mkdir(parents=True)
    known.write_text(json.dumps(schema(folders_of(configuration))), encoding="utf-8")
    program = place / f"terraform-provider-aws_v{PROVIDER}"
    program.write_text(f"#!/bin/sh\nexec '{PYTHON}' '{STUB}' '{known}'\n", encoding="utf-8")
    program.chmod(0o755)
    return target


def _platform() -> str:
    """Return this machine's name in Terraform's words, `linux_amd64`."""
    import platform  # noqa: PLC0415 - only here

    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}_{machine}"
