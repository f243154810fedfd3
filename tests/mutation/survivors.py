"""The mutants that are known to survive: where each stands, what it changes, and why no test can notice it.

They are written in survivors.toml, a table a module: the function (none: the module itself), the lines before, the
lines after (several where several mutants of one line survive for one reason), and the reason.
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent
PACKAGE = _FOLDER.parent.parent / "slowsched"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Change:
    """What a mutant changes: the lines of a function that it takes away and those that stand there instead."""

    module: str
    function: str
    before: str
    after: str

    def __str__(self) -> str:
        """Write the change as a person reads it."""
        lines = [f"{self.module}: {self.function or 'outside of functions'}"]
        lines += [f"    - {line}" for line in self.before.splitlines()]
        lines += [f"    + {line}" for line in self.after.splitlines()]
        return "\n".join(lines)


def explained() -> list[tuple[Change, str]]:
    """Return the known survivors, and why each survives, in the order of the file."""
    tables = tomllib.loads((_FOLDER / "survivors.toml").read_text(encoding="utf-8"))
    return [
        (Change(module=module, function=entry["function"], before=entry["before"], after=after), entry["why"])
        for module, entries in tables.items()
        for entry in entries
        for after in entry["after"]
    ]


def stripped(lines: list[str]) -> str:
    """Return lines without what moves when the code around them does: blanks at both ends, and empty lines."""
    return "\n".join(line.strip() for line in lines if line.strip())


def is_there(change: Change, source: str) -> bool:
    """Say whether the lines that a mutant takes away stand in its function, one after the other."""
    segment = source
    if change.function:
        node = _found(ast.parse(source), change.function.split("."))
        segment = "" if node is None else ast.get_source_segment(source, node) or ""
    lines = stripped(segment.splitlines()).splitlines()
    wanted = change.before.splitlines()
    return any(lines[start : start + len(wanted)] == wanted for start in range(len(lines)))


def _found(node: ast.AST, names: list[str]) -> ast.AST | None:
    for name in names:
        inner = [each for each in ast.iter_child_nodes(node) if getattr(each, "name", None) == name]
        if not inner:
            return None
        node = inner[0]
    return node


def enclosing(source: str, line: int) -> str:
    """Return the dotted name of the innermost class or function around a line; none for the module itself."""
    names: list[str] = []
    node: ast.AST = ast.parse(source)
    while True:
        inner = [
            each
            for each in ast.iter_child_nodes(node)
            if isinstance(each, ast.ClassDef | ast.FunctionDef) and each.lineno <= line <= (each.end_lineno or 0)
        ]
        if not inner:
            return ".".join(names)
        node = inner[0]
        names.append(inner[0].name)
