"""What the shell completes beyond words of the program: environments, ids, actions of this repository.

A completion answers within a keystroke and never fails: whatever goes wrong, it has nothing to offer.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click import Context, Parameter
    from click.shell_completion import CompletionItem

    Complete = Callable[[Context, Parameter, str], list[CompletionItem]]

__all__ = ["action_names", "environments", "row_ids"]


def _offering(names: Callable[[Context], Iterable[str]]) -> Complete:
    def complete(ctx: Context, _param: Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        try:
            found = sorted(name for name in names(ctx) if name.startswith(incomplete))
        except Exception:  # noqa: BLE001 - a completion never fails
            return []
        return [CompletionItem(_quoted(name)) for name in found]

    return complete


def _quoted(name: str) -> str:
    """Return a name as it is to be typed: bash puts in what it is given, the other shells quote it themselves."""
    if not os.environ.get("_SLOWSCHED_COMPLETE", "").startswith("bash"):
        return name
    # Two backslashes: click's script for bash loses one to `read`.
    return re.sub(r"([^\w@%+=:,./-])", r"\\\\\1", name)


def _environment_names(_ctx: Context) -> Iterable[str]:
    from slowsched.cli.loading import read_config

    return read_config().environments


def _row_ids(ctx: Context) -> Iterable[str]:
    from slowsched.cli.loading import open_environment, rows_of
    from slowsched.cli.settings import Settings

    with open_environment(ctx.ensure_object(Settings)) as backend:
        return [row.id for row in rows_of(backend, told=False)]


def _action_names(_ctx: Context) -> Iterable[str]:
    from slowsched.cli.loading import action_schemas, read_config

    return action_schemas(read_config())


environments = _offering(_environment_names)
row_ids = _offering(_row_ids)
action_names = _offering(_action_names)
