"""`slowsched package`: the zip of the Lambda function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from slowsched.cli.frame import command, pass_settings
from slowsched.cli.output import emit, note
from slowsched.cli.status import Status
from slowsched.errors import UsageError

if TYPE_CHECKING:
    from slowsched.cli.settings import Settings
    from slowsched.config import Config

__all__ = ["package_command"]

DEFAULT_OUT = "terraform/function.zip"  # where the Terraform of docs/deploy.md looks for it
LAMBDA_BYTES_MAX = 50 * 1024 * 1024  # of a zip that is uploaded directly


@command(
    "package",
    examples=[
        ("the zip that Terraform deploys", "slowsched package"),
        ("for another machine and Python", "slowsched package --arch x86_64 --python 3.12"),
    ],
)
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it.")
@click.option("--with-boto3", is_flag=True, help="Pack boto3, too: the one installed here, not that of Lambda.")
@click.option("--arch", type=click.Choice(["arm64", "x86_64"]), default="arm64", help="The machine.  [default: arm64]")
@click.option("--python", default="3.13", metavar="X.Y", help="Lambda's Python.  [default: 3.13]")
@pass_settings
def package_command(settings: Settings, *, out: Path | None, with_boto3: bool, arch: str, python: str) -> Status:
    """Pack the worker for AWS Lambda: the folder worker/, and of slowsched what a wake needs.

    The zip is written to terraform/function.zip, unless --out says otherwise. Equal input makes equal bytes.
    What worker/requirements.txt names is installed into it by pip, for the machine and the Python of the
    function. Nothing of the team's code is run.
    """
    from slowsched.cli.loading import read_config
    from slowsched.package import function_zip
    from slowsched.package_pip import Target

    config = read_config()
    _check_actions(config)
    content = function_zip(config.root, Target(architecture=arch, python=python), with_boto3=with_boto3)
    if len(content) > LAMBDA_BYTES_MAX:
        raise UsageError(f"the zip has {len(content)} bytes, and Lambda takes {LAMBDA_BYTES_MAX}", hint=_TOO_LARGE)
    place = out or config.root / DEFAULT_OUT
    _write(place, content)
    emit(f"wrote {place if out else DEFAULT_OUT}")
    note(settings, _described(content))
    return Status.DONE


_TOO_LARGE = "require less in worker/requirements.txt"


def _check_actions(config: Config) -> None:
    from slowsched.package import ACTIONS_PATH

    if config.actions != ACTIONS_PATH:
        raise UsageError(
            f"the function runs {ACTIONS_PATH}, and slowsched.yaml names {config.actions}",
            hint=f"move the actions to {ACTIONS_PATH}",
        )


def _write(place: Path, content: bytes) -> None:
    """Put the new file in the old one's place, so that nobody ever reads half of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f"{place.name}.new")
    new.write_bytes(content)
    new.replace(place)


def _described(content: bytes) -> str:
    """Say what is in a zip, and the digest by which Terraform knows it (`filebase64sha256`)."""
    from base64 import b64encode
    from hashlib import sha256
    from io import BytesIO
    from zipfile import ZipFile

    entries = ZipFile(BytesIO(content)).infolist()
    unpacked = sum(entry.file_size for entry in entries)
    digest = b64encode(sha256(content).digest()).decode()
    return f"{len(entries)} files, {len(content):,} bytes, {unpacked:,} unpacked, SHA-256 {digest}"
