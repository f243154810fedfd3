"""What `init --from-terraform` does to slowsched.yaml: the environment is added, or nothing is written at all."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import TYPE_CHECKING, Any, TextIO

from slowsched.cli.output import note
from slowsched.config import CONFIG_NAME, Config, load_config
from slowsched.environment_file import OUTPUT, environment_block, read_output, with_environment
from slowsched.errors import ConfigError, UsageError
from slowsched.render.words import command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slowsched.cli.settings import Settings

__all__ = ["DEFAULT_NAME", "add_environment"]

DEFAULT_NAME = "production"
UNFIT = f"what Terraform's output {OUTPUT} says is no environment"


def add_environment(settings: Settings, terraform: TextIO, root: Path, files: dict[str, str]) -> bool:
    """Add what Terraform has made to the config in `root`, or to the one in `files` where there is none yet.

    Says whether a config that was there was changed.

    Raises:
        UsageError: Terraform did not say what it should.
        ConfigError: the config that is there has a problem, or another environment of that name.
    """
    name = settings.named_environment or DEFAULT_NAME
    environment = read_output(_text(terraform))
    if (root / CONFIG_NAME).exists():
        changed = _extend(root / CONFIG_NAME, name, environment)
        what = "was added" if changed else "is there already, as Terraform says"
    else:
        files[CONFIG_NAME] = with_environment(files[CONFIG_NAME], name, environment)
        _loaded(files[CONFIG_NAME], UNFIT)
        changed, what = False, "is in it"
    note(
        settings,
        f"{CONFIG_NAME}: the environment {name!r} {what}; `{command('doctor', name)}` looks whether it is well",
    )
    return changed


def _text(terraform: TextIO) -> str:
    try:
        return terraform.read()
    except UnicodeDecodeError as error:
        raise UsageError(f"what Terraform is to have said is no text ({error})") from None


def _extend(path: Path, name: str, environment: Mapping[str, Any]) -> bool:
    """Add the environment to a config that is there; says whether that changed it."""
    before = load_config(path.parent)
    block = environment_block(name, environment)
    alone = _loaded(f"version: 1\nowner: x\nenvironments:\n{block}", UNFIT)
    wanted = alone.environment(name)
    if before.environments.get(name) == wanted:
        return False
    text = path.read_bytes().decode()
    if name in before.environments and name != "local":
        raise _to_paste(
            f"{CONFIG_NAME} has another environment {name!r}; if Terraform is right, write in its place", block
        )
    after = with_environment(text, name, environment)
    if not _means(after, replace(before, environments={**before.environments, name: wanted})):
        raise _to_paste(f"{CONFIG_NAME} is laid out so that nothing can be added by itself; write into it", block)
    _replace(path, after)
    return True


def _means(text: str, wanted: Config) -> bool:
    """Say whether the text is the settings that are wanted."""
    try:
        return replace(_loaded(text, ""), root=wanted.root) == wanted
    except ConfigError:
        return False


def _loaded(text: str, refusal: str) -> Config:
    with TemporaryDirectory() as folder:
        (Path(folder) / CONFIG_NAME).write_bytes(text.encode())
        try:
            return load_config(Path(folder))
        except ConfigError as error:
            raise ConfigError(f"{refusal}: {error.message}") from None


def _to_paste(what: str, block: str) -> ConfigError:
    return ConfigError(f"{what}:\n\nenvironments:\n{block}\nNothing was written.")


def _replace(path: Path, text: str) -> None:
    """Put a text in the place of a file, whole or not at all."""
    target = path.resolve()
    with NamedTemporaryFile("wb", dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        new = Path(file.name)
        try:
            file.write(text.encode())
            file.close()
            shutil.copymode(target, new)
            os.replace(new, target)  # noqa: PTH105 - one call of the system
        finally:
            new.unlink(missing_ok=True)
