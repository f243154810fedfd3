"""slowsched: dated tasks in git, reviewed in a pull request, run once on their date months later.

What a team's actions need is imported from here: `from slowsched import Attempt, PermanentError, action`.
The names are looked up when first used, so that a command which runs no action does not pay for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slowsched.errors import PermanentError
    from slowsched.execute import Attempt, action

__all__ = ["Attempt", "PermanentError", "__version__", "action"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "PermanentError":
        from slowsched import errors  # noqa: PLC0415 - see the module's docstring

        return errors.PermanentError
    if name in {"Attempt", "action"}:
        from slowsched import execute  # noqa: PLC0415 - see the module's docstring

        return getattr(execute, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
