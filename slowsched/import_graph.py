"""Which modules a program needs: its sources are read, nothing of them is imported.

Imports in functions count as well: they are needed some day. What is imported for type checkers alone is not.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slowsched.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["Import", "Needed", "Sources", "imports_of", "needed"]

_MAY_FAIL = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import: the module, what is taken from it (attributes or modules), and where.

    `late` says that it stands in a function, `optional` that the module goes on without it.
    """

    module: str
    taken: tuple[str, ...] = ()
    line: int
    late: bool = False
    optional: bool = False


# --- one source ------------------------------------------------------------------------------------


def imports_of(source: str, module: str, *, is_package: bool = False) -> list[Import]:
    """Return what a source imports, in its order; `module` is its own name, for relative imports.

    Raises:
        SyntaxError: it is no Python.
    """
    package = module if is_package else module.rpartition(".")[0]
    return list(_imports(ast.parse(source).body, package))


def _imports(nodes: Iterable[ast.AST], package: str, *, late: bool = False, optional: bool = False) -> Iterator[Import]:
    for node in nodes:
        match node:
            case ast.Import():
                for alias in node.names:
                    yield Import(module=alias.name, line=node.lineno, late=late, optional=optional)
            case ast.ImportFrom():
                name = _absolute(node, package)
                taken = tuple(alias.name for alias in node.names)
                yield Import(module=name, taken=taken, line=node.lineno, late=late, optional=optional)
            case ast.If() if _is_for_checkers(node.test):
                yield from _imports(node.orelse, package, late=late, optional=optional)
            case ast.Try() if any(map(_survives, node.handlers)):
                yield from _imports(node.body, package, late=late, optional=True)
                rest = (*node.handlers, *node.orelse, *node.finalbody)
                yield from _imports(rest, package, late=late, optional=optional)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from _imports(ast.iter_child_nodes(node), package, late=True, optional=optional)
            case _:
                yield from _imports(ast.iter_child_nodes(node), package, late=late, optional=optional)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def _is_for_checkers(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _survives(handler: ast.ExceptHandler) -> bool:
    """Say whether a failed import ends in this handler."""
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(each).rpartition(".")[2] in _MAY_FAIL for each in types)


# --- many ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a program's modules are: the folders of its packages, and files of modules that lie elsewhere.

    `skipped` are imports that are not followed: the module that imports, and what it imports.
    """

    packages: Mapping[str, Path]
    files: Mapping[str, Path] = field(default_factory=dict)
    skipped: frozenset[tuple[str, str]] = frozenset()

    def owns(self, module: str) -> bool:
        """Say whether a module is, or would be, one of the program's own."""
        return module in self.files or module.partition(".")[0] in self.packages

    def file(self, module: str) -> Path | None:
        """Return the file of a module; None when there is none."""
        top, *rest = module.split(".")
        if module in self.files or top not in self.packages:
            return self.files.get(module)
        place = self.packages[top].joinpath(*rest)
        candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
        return next((each for each in candidates if each.is_file()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """The modules that a program needs (name -> file), and the imports of what lies outside of its packages."""

    modules: Mapping[str, Path]
    importers: Mapping[str, str]
    outside: tuple[tuple[str, Import], ...]

    def way(self, module: str) -> str:
        """Say by which imports a module is reached: `worker.handler -> slowsched.wake -> slowsched.arm`."""
        way = [module]
        while (importer := self.importers.get(way[-1])) is not None and importer not in way:
            way.append(importer)
        return " -> ".join(reversed(way))


def needed(roots: Iterable[str], sources: Sources) -> Needed:
    """Follow every import from these modules on.

    Raises:
        UsageError: a source is no Python.
    """
    modules: dict[str, Path] = {}
    importers: dict[str, str] = {}
    outside: list[tuple[str, Import]] = []
    ahead = list(roots)
    while ahead:
        module = ahead.pop()
        file = sources.file(module)
        if module in modules or file is None:
            continue
        modules[module] = file
        for each in _read(file, module):
            if not sources.owns(each.module):
                outside.append((module, each))
            elif (module, each.module) not in sources.skipped:
                for name in _loaded(each):
                    importers.setdefault(name, module)
                    ahead.append(name)
    return Needed(modules=modules, importers=importers, outside=tuple(outside))


def _loaded(each: Import) -> Iterator[str]:
    """Yield what an import may load: the packages around the module, the module, and what is taken from it."""
    parts = each.module.split(".")
    yield from (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))
    yield from (f"{each.module}.{name}" for name in each.taken)


def _read(file: Path, module: str) -> list[Import]:
    try:
        return imports_of(file.read_text(encoding="utf-8"), module, is_package=file.name == "__init__.py")
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{file} is no Python: {error}", hint="mend it; nothing was written") from error
