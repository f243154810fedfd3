"""`slowsched init`: a repository that works, without touching anything that is there."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from slowsched.cli.frame import command, pass_settings
from slowsched.cli.output import emit, note
from slowsched.cli.status import Status
from slowsched.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from slowsched.cli.settings import Settings

__all__ = ["init_command"]

CONFIG_NAME = "slowsched.yaml"  # as in config.py, which imports too much for this

OWNER_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")  # as in config.schema.json


@command(
    "init",
    examples=[
        ("a repository in the current folder", "slowsched init"),
        ("one in a new folder, for a named team", "slowsched init shop-dates --owner acme/shop"),
        ("with the workflows that plan pull requests and apply main on GitHub", "slowsched init --github"),
        (
            "with the environment on AWS that Terraform has made (`terraform output -json > outputs.json`)",
            "slowsched init --env production --from-terraform outputs.json",
        ),
    ],
)
@click.argument("directory", metavar="[DIR]", required=False, default=".", type=click.Path(file_okay=False))
@click.option("--owner", metavar="NAME", help="Whose tasks these are.  [default: my-team/ and the folder's name]")
@click.option(
    "--from-terraform",
    "terraform",
    type=click.File(encoding="utf-8-sig"),
    metavar="FILE",
    help="Add the environment (--env, else production) that `terraform output -json` describes; - is stdin.",
)
@click.option("--github", is_flag=True, help="Add the workflows for GitHub: plan on pull requests, apply on main.")
@pass_settings
def init_command(
    settings: Settings, directory: str, *, owner: str | None, terraform: TextIO | None, github: bool
) -> Status:
    """Make a repository that works in DIR, the current folder by default.

    It writes the config, an example task, the schemas for your editor and of the example's payload, the
    code of its action, and what git is to ignore. A file that exists is never overwritten, and an example
    that was taken away does not come back. An environment from Terraform is added to the config, whose
    comments and layout stay.
    """
    from slowsched import __version__
    from slowsched.starter import EXAMPLE_PATH, starter_files, workflow_files

    root, now = Path(directory), datetime.now(UTC)
    files = starter_files(_checked(owner) if owner else _default_owner(root), now)
    if (root / CONFIG_NAME).exists() and not (root / EXAMPLE_PATH).exists():
        del files[EXAMPLE_PATH]  # a repository of its own by now, which has taken the example away
    if github:
        files |= workflow_files(__version__)
    if terraform is None:
        changed = False
    else:
        from slowsched.cli.environment import add_environment

        changed = add_environment(settings, terraform, root, files)
    created = [path for path, text in files.items() if _create(root / path, text)]
    if _ignore_local_state(root / ".gitignore"):
        created.append(".gitignore")
    _tell(created, {*files, ".gitignore"} - {*created}, changed={CONFIG_NAME} if changed else set())
    if EXAMPLE_PATH in created:
        note(settings, _next_steps(directory, now))
    return Status.DONE


def _tell(created: Iterable[str], others: AbstractSet[str], *, changed: AbstractSet[str]) -> None:
    for path in sorted(created):
        emit(f"created  {path}")
    for path in sorted(others):
        emit(f"{'changed' if path in changed else 'exists '}  {path}")


def _checked(owner: str) -> str:
    if OWNER_PATTERN.fullmatch(owner) is None:
        raise UsageError(f"{owner!r} is no owner", hint="write letters, digits and . _ - /, as acme/shop")
    return owner


def _default_owner(root: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", root.resolve().name).strip("-") or "dates"
    return f"my-team/{name}"


def _create(path: Path, text: str) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _ignore_local_state(path: Path) -> bool:
    """Add the folder of the local state to .gitignore, unless it is there."""
    from slowsched.starter import IGNORED

    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    if IGNORED.rstrip("/") in {line.strip().strip("/") for line in text.splitlines()}:
        return False
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{'' if not text or text.endswith(chr(10)) else chr(10)}{IGNORED}\n")
    return True


def _next_steps(directory: str, now: datetime) -> str:
    """Return what a newcomer types next: the example's whole life."""
    from slowsched.starter import EXAMPLE_ID, example_due
    from slowsched.timing import rfc3339

    steps = [
        ("slowsched plan", "what would change"),
        ("slowsched apply", "do it, and arm the timer"),
        (f"slowsched worker --fakenow {rfc3339(example_due(now))}", "play the moment it is due"),
        (f"slowsched show {EXAMPLE_ID!r}", "what came of it"),
    ]
    if directory != ".":
        steps.insert(0, (f"cd {shlex.quote(directory)}", ""))
    width = max(len(line) for line, _ in steps)
    return "\nNext:\n" + "\n".join(f"  {line:{width}}  {'# ' * bool(why)}{why}".rstrip() for line, why in steps)
