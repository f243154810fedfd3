"""The table of kills: a command that is killed at one point after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kills.launcher import launched
from kills.scenes import SCENES, Repository

if TYPE_CHECKING:
    from pathlib import Path

    from kills.grounds import Ground
    from kills.scenes import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the kills of one command on one ground came to."""

    command: str
    ground: str
    verdicts: tuple[Verdict, ...]

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Return points, tasks lost, and tasks run again after a recorded success."""
        lost, again = (sum(getattr(each, name) for each in self.verdicts) for name in ("lost", "again"))
        return len(self.verdicts), lost, again

    @property
    def text(self) -> str:
        """The line as the table shows it."""
        points, lost, again = self.numbers
        return f"| `{self.command}` | {self.ground} | {points} | {lost} | {again} |"


HEADER = "| killed | on | points | lost | run again |\n|---|---|---|---|---|"


def line_of(
    folder: Path,
    command: str,
    ground: Ground,
    *,
    every: int = 1,
    first: int = 0,
    once_a_state: bool = False,
    faults: tuple[tuple[str, str, str], ...] = (),
) -> Line:
    """Kill a command at every point (or at every so many, from the first), finish its work each time, and judge."""
    folder.mkdir(parents=True)
    verdicts = []
    with launched(folder, *faults, aws=bool(ground.variables)) as launcher:
        scene = SCENES[command](Repository(folder, ground, launcher))
        scene.once_a_state = once_a_state
        for point in scene.points()[first::every]:
            verdict = scene.killed_at(point)
            if verdict is not None:  # how often it looks at the store depends on how its threads are scheduled
                verdicts.append(verdict)
    return Line(command=command, ground=ground.name, verdicts=tuple(verdicts))
