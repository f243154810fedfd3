"""The time zones of the world, from the package `tzdata` and not from the machine.

Two machines must not read one task file differently because one of them knows older zones; and a name that
is a path, or differs in case only, must not be found on one system and not on another.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["PackagedZones"]


class PackagedZones:
    """The zones of the installed `tzdata`; a `task_file.Zones`."""

    def get(self, name: str) -> ZoneInfo | None:
        """Return the zone of that name, None when there is none."""
        return _zone(name) if name in _names() else None

    def names(self) -> frozenset[str]:
        """Return the names of all zones."""
        return _names()


@cache
def _folder() -> Path:
    import tzdata  # type: ignore[import-untyped]  # noqa: PLC0415 - needed where a task names a zone

    return Path(tzdata.__file__).parent


@cache
def _names() -> frozenset[str]:
    return frozenset((_folder() / "zones").read_text(encoding="utf-8").split())


@cache
def _zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - as above

    with (_folder() / "zoneinfo" / name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)
