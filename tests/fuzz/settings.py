"""The settings of a repository: a config whose paths stay inside its folder, or one error that names each problem."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from slowsched.config import CONFIG_NAME, Config, load_config, place_in_config
from slowsched.errors import ConfigError

__all__ = ["check_config"]


@cache
def _folder() -> TemporaryDirectory[str]:
    """Return a folder for the file, which is removed when the process ends."""
    return TemporaryDirectory(prefix="slowsched-fuzz-")


def check_config(data: bytes) -> None:
    """Settings are read whole, or refused in full."""
    root = Path(_folder().name).resolve()
    (root / CONFIG_NAME).write_bytes(data)
    try:
        config = load_config(root)
    except ConfigError as error:
        first, *lines = str(error).split("\n")
        assert first.startswith(CONFIG_NAME)
        assert lines != []
        assert [line for line in lines if not line.startswith(f"{CONFIG_NAME}:")] == []
        return
    _check(config, root)


def _check(config: Config, root: Path) -> None:
    paths = [config.schemas, config.actions, *config.tasks, *(each.path for each in config.environments.values())]
    assert [path for path in paths if not (root / path).resolve().is_relative_to(root)] == []
    assert "local" in config.environments
    assert [name for name, each in config.environments.items() if each.name != name] == []
    assert place_in_config(config, "owner") >= (1, 1)
