"""Which modules of slowsched and of Powertools the function needs, and what must not be, or would not be, there.

The imports of the team's modules and of the handler say it; nothing of them is run.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

from slowsched.errors import UsageError
from slowsched.import_graph import Sources, needed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from importlib.metadata import Distribution

    from slowsched.import_graph import Import, Needed

__all__ = ["POWERTOOLS", "RUNTIME", "distribution_files", "program_files"]

# Lambda's runtimes for Python have the SDK and what it needs (Lambda Developer Guide, "Building Lambda functions with
# Python"); packed again it would grow old beside the runtime's. Top-level module -> distribution.
RUNTIME = {
    "boto3": "boto3",
    "botocore": "botocore",
    "dateutil": "python-dateutil",
    "jmespath": "jmespath",
    "s3transfer": "s3transfer",
    "six": "six",
    "urllib3": "urllib3",
}

POWERTOOLS = "aws_lambda_powertools"
_POWERTOOLS_NAME = "aws-lambda-powertools"

# What Powertools needs that the runtime lacks, one file each: module -> distribution.
_SINGLE_MODULES = {"typing_extensions": "typing-extensions"}

# What Powertools imports when something happens that does not happen in a wake: (who, what) -> what.
_NEVER = {
    (
        f"{POWERTOOLS}.shared.functions",
        f"{POWERTOOLS}.event_handler.openapi.compat",
    ): "an event of API Gateway that is a Pydantic model is logged",
}

# What a wake on AWS has no use for; that it is reached is a mistake in an import.
_FORBIDDEN = {
    "slowsched.cli": "the command line",
    "slowsched.config": "slowsched.yaml",
    "slowsched.sqlite_file": "the embedded backend",
    "slowsched.wiring": "every backend",
    "sqlite3": "the embedded backend",
}


def program_files(team: Mapping[str, Path], worker: Path, required: AbstractSet[str]) -> dict[str, Path]:
    """Return the files of slowsched and of Powertools that the team's modules need: path in the zip -> file.

    `team` are the modules in the folder `worker` by name; `required` the modules that come with the zip besides.

    Raises:
        UsageError: something is needed that is not there in the function, or that must not be.
    """
    own = POWERTOOLS in required  # the team asks for all of Powertools: its version is taken, whole
    packages = {"worker": worker, "slowsched": Path(__file__).parent}
    singles: dict[str, Path] = {}
    if not own:
        packages[POWERTOOLS] = _located(_POWERTOOLS_NAME, POWERTOOLS)
        singles = {name: _located(of, f"{name}.py") for name, of in _SINGLE_MODULES.items() if name not in required}
    found = needed(team, Sources(packages=packages, files={**team, **singles}, skipped=frozenset(_NEVER)))
    _check(found, {*required, *RUNTIME, *sys.stdlib_module_names})
    files = {_place(name, file): file for name, file in found.modules.items() if name not in team}
    return files | _licences([] if own else [_POWERTOOLS_NAME, *(_SINGLE_MODULES[name] for name in singles)])


def _place(module: str, file: Path) -> str:
    """Return where a module lies in the zip."""
    path = module.replace(".", "/")
    return f"{path}/__init__.py" if file.name == "__init__.py" else f"{path}.py"


# --- what must not be ------------------------------------------------------------------------------


def _check(found: Needed, there: AbstractSet[str]) -> None:
    for module in sorted(found.modules):
        _refuse_forbidden(module, found.way(module))
    for importer, each in found.outside:
        _refuse_forbidden(each.module, f"{found.way(importer)} -> {each.module}")
        if not _is_harmless(importer, each) and each.module.partition(".")[0] not in there:
            raise UsageError(
                f"the function would not have {each.module!r}: {found.way(importer)} imports it (line {each.line})",
                hint="name it in worker/requirements.txt, or move it into worker/",
            )


def _refuse_forbidden(module: str, way: str) -> None:
    for name, what in _FORBIDDEN.items():
        if f"{module}.".startswith(f"{name}."):
            raise UsageError(f"the function would need {what}: {way}", hint="take that import out of worker/")


def _is_harmless(importer: str, each: Import) -> bool:
    """Say whether the importer gets on without it: it says so, asks for its Python's version, or is never called."""
    unused = each.late and importer.startswith(f"{POWERTOOLS}.")
    return each.optional or unused or importer in _SINGLE_MODULES


# --- what is installed here ------------------------------------------------------------------------


def distribution_files(name: str) -> dict[str, Path]:
    """Return the files of an installed distribution without what Python compiled and what pip noted."""
    files = [file for file in _distribution(name).files or () if ".." not in file.parts]
    kept = [file for file in files if file.suffix != ".pyc" and not file.parts[0].endswith(".dist-info")]
    return {file.as_posix(): Path(str(file.locate())) for file in kept}


def _licences(names: Iterable[str]) -> dict[str, Path]:
    """Return the licences of what is packed in part, which ask to come with every copy."""
    files = [(name, file) for name in names for file in _distribution(name).files or () if file.name == "LICENSE"]
    return {f"licenses/{name}.txt": Path(str(file.locate())) for name, file in files}


def _located(name: str, path: str) -> Path:
    return Path(str(_distribution(name).locate_file(path)))


def _distribution(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise UsageError(f"{name} is not installed", hint="install it: pip install 'slowsched[lambda]'") from error
