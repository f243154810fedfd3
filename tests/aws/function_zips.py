"""What tests of the zip share: a small repository, and looks into a zip."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from slowsched.package_pip import Target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ARM = Target(architecture="arm64", python="3.13")
ACTION = """\
from slowsched import action


@action("NOTE")
def note(payload, attempt):
    return None
"""


def a_shop(folder: Path) -> Path:
    """Write a repository with one action."""
    return write(folder / "shop", {"worker/actions.py": ACTION, "slowsched.yaml": "version: 1\nowner: acme/shop\n"})


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder, and return that."""
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return root


def names_of(content: bytes) -> list[str]:
    """Return the names in a zip, in its order."""
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def of_team(content: bytes) -> list[str]:
    """Return the names in a zip that are neither slowsched's nor Powertools', nor a licence."""
    others = ("slowsched/", "aws_lambda_powertools/", "licenses/")
    return [name for name in names_of(content) if not name.startswith(others)]
