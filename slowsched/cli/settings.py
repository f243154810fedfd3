"""What the global options say: where to work, how to write, how much to say."""

from __future__ import annotations

import os

__all__ = ["DEFAULT_ENVIRONMENT", "ENVIRONMENT_VARIABLE", "Settings"]

DEFAULT_ENVIRONMENT = "local"
ENVIRONMENT_VARIABLE = "SLOWSCHED_ENV"


class Settings:
    """What the global options say; `environment_option` is None when nobody named an environment.

    No dataclass: importing and applying `dataclasses` would be a twentieth of the time of `--help`.
    """

    __slots__ = ("color", "environment_option", "quiet", "verbose")

    def __init__(
        self,
        *,
        environment_option: str | None = None,
        color: str = "auto",
        quiet: bool = False,
        verbose: bool = False,
    ) -> None:
        self.environment_option = environment_option
        self.color = color
        self.quiet = quiet
        self.verbose = verbose

    @property
    def environment(self) -> str:
        """The environment to work on: `--env`, else SLOWSCHED_ENV, else local."""
        return self.named_environment or DEFAULT_ENVIRONMENT

    @property
    def named_environment(self) -> str | None:
        """The environment that somebody named, None when nobody did."""
        return self.environment_option or os.environ.get(ENVIRONMENT_VARIABLE) or None
