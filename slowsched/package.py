"""The zip of the Lambda function: what is in it, and its bytes, which depend on nothing but that.

No file of the team is imported. What Lambda's runtime has already is left out.
"""

from __future__ import annotations

import stat
import zipfile
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from slowsched.errors import UsageError
from slowsched.package_pip import install
from slowsched.package_program import RUNTIME, distribution_files, program_files
from slowsched.resources import handler_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from slowsched.package_pip import Target

__all__ = ["ACTIONS_PATH", "function_zip", "zip_bytes"]

ACTIONS_PATH = "worker/actions.py"  # what the handler imports
_HANDLER_PATH = "worker/handler.py"
_REQUIREMENTS = "requirements.txt"
_TESTS = frozenset({"tests", "test", "conftest.py"})

STORED_BYTES_MAX = 5 * 1024 * 1024  # up to here nothing is compressed: two versions of zlib write different bytes
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name
_UNIX = 3


def function_zip(root: Path, target: Target, *, with_boto3: bool = False) -> bytes:
    """Return the zip of the function for the repository at `root`.

    Raises:
        UsageError: there are no actions, they need what the function would not have, or pip cannot install
            what they require.
    """
    if not (root / ACTIONS_PATH).is_file():
        raise UsageError(f"there is no {ACTIONS_PATH} in {root}", hint="the function runs the actions of that file")
    team = dict(_team_files(root / "worker"))
    team.setdefault(_HANDLER_PATH, handler_path())
    with TemporaryDirectory() as folder:
        required = _required(root / "worker" / _REQUIREMENTS, target, Path(folder), with_boto3=with_boto3)
        runtime = {path: file for name in RUNTIME.values() for path, file in distribution_files(name).items()}
        program = program_files(_modules(team), root / "worker", {_top(path) for path in required})
        files = {**(runtime if with_boto3 else {}), **program, **required, **team}
        contents = {path: (file.read_bytes(), _mode(file)) for path, file in files.items()}
    # A folder without it is a package that any other `worker` on the path of the function goes before.
    contents.setdefault("worker/__init__.py", (b"", 0o644))
    return zip_bytes(contents)


def _team_files(worker: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of worker/ but hidden ones, tests, what Python compiled, and the requirements."""
    for file in sorted(worker.rglob("*")):
        path = file.relative_to(worker)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts) or path.suffix == ".pyc"
        tests = not _TESTS.isdisjoint(path.parts) or path.name.startswith("test_")
        if file.is_file() and not hidden and not tests and path != Path(_REQUIREMENTS):
            yield f"worker/{path.as_posix()}", file


def _modules(files: Mapping[str, Path]) -> dict[str, Path]:
    """Return the Python files by the names of their modules."""
    sources = {path.removesuffix(".py"): file for path, file in files.items() if path.endswith(".py")}
    return {path.removesuffix("/__init__").replace("/", "."): file for path, file in sources.items()}


def _required(requirements: Path, target: Target, folder: Path, *, with_boto3: bool) -> dict[str, Path]:
    """Return what the actions require, without what the runtime has."""
    files = install(requirements, target, folder) if requirements.is_file() else {}
    return files if with_boto3 else {path: file for path, file in files.items() if _top(path) not in RUNTIME}


def _top(path: str) -> str:
    """Return the top-level module that a file of an installation belongs to, as far as its path says."""
    first = PurePosixPath(path).parts[0]
    if not first.endswith(".dist-info"):
        return first.partition(".")[0]
    name = first.partition("-")[0].replace("_", "-").lower()
    return next((module for module, known in RUNTIME.items() if known == name), name)


def _mode(file: Path) -> int:
    """Return the permissions in the zip: readable by all, and to be run by all where its owner may."""
    return 0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644


def zip_bytes(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """Return a zip of these contents and permissions; the same bytes whoever makes it, wherever and whenever."""
    size = sum(len(content) for content, _ in files.values())
    method = zipfile.ZIP_STORED if size <= STORED_BYTES_MAX else zipfile.ZIP_DEFLATED
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for path in sorted(files):
            content, mode = files[path]
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = (stat.S_IFREG | mode) << 16
            entry.compress_type = method
            archive.writestr(entry, content)
    return buffer.getvalue()
