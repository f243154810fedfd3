"""Which timer of EventBridge an environment has: a value, as config and the function's variables say it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TimerSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerSettings:
    """Which timer there is, `rule` or `schedule`, and what a schedule needs besides."""

    kind: str
    name: str
    group: str | None = None
    target_arn: str | None = None
    role_arn: str | None = None
