"""The table: each comparison with its ratio, its budget, the verdict, and how much the machine wavered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from measure import Figures, Quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suite import Comparison

__all__ = ["Line", "table"]

HEADS = ("what", "measured", "", "median (min-max)", "floor", "median (min-max)", "ratio", "budget", "verdict")
RIGHT = {3, 5, 6, 7}  # columns of figures
SECOND_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A comparison and the figures that it came to."""

    comparison: Comparison
    measured: Figures
    floor: Figures

    @property
    def ratio(self) -> float:
        """The ratio of the medians."""
        return self.measured.median / self.floor.median

    @property
    def broken(self) -> bool:
        """Whether there is a budget, and it is not kept."""
        return self.comparison.budget is not None and self.ratio > self.comparison.budget


def table(lines: Sequence[Line]) -> str:
    """Return the table as text."""
    rows = [HEADS, *map(_cells, lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in RIGHT else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _cells(line: Line) -> tuple[str, ...]:
    comparison = line.comparison
    budget = comparison.budget
    return (
        comparison.what,
        comparison.case,
        comparison.quantity.value,
        _figures(line.measured, comparison.quantity),
        comparison.floor,
        _figures(line.floor, comparison.quantity),
        f"{line.ratio:.2f}",
        "" if budget is None else f"{budget:.2f}",
        "" if budget is None else "BROKEN" if line.broken else "within",
    )


def _figures(figures: Figures, quantity: Quantity) -> str:
    if quantity is Quantity.PEAK:
        scale, unit, digits = 1.0, "MiB", 0
    elif figures.median < 1:
        scale, unit, digits = float(SECOND_MS), "ms", 0
    else:
        scale, unit, digits = 1.0, "s", 2
    least, middle, most = (f"{value * scale:.{digits}f}" for value in (figures.least, figures.median, figures.most))
    return f"{middle} {unit} ({least}-{most})"
