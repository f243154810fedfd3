"""What tests need to know of the project's documents and sources: links, anchors, tables, blocks, names."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "slowsched"
DOCUMENTS = sorted(
    path.relative_to(PROJECT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "terraform/*.md")
    for path in PROJECT.glob(pattern)
)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^(#+) +(.*?) *$", re.MULTILINE)


# --- documents -------------------------------------------------------------------------------------


@cache
def text_of(path: str) -> str:
    """Return the text of a document."""
    return (PROJECT / path).read_text(encoding="utf-8")


def blocks(path: str, language: str) -> list[str]:
    """Return the fenced blocks of a document in this language."""
    return [text for name, text in _FENCE.findall(text_of(path)) if name == language]


def prose(path: str) -> str:
    """Return a document without its fenced blocks."""
    return _FENCE.sub("", text_of(path))


def links(path: str) -> list[str]:
    """Return the targets of a document's links."""
    return _LINK.findall(_CODE.sub("", prose(path)))


def anchors(path: str) -> set[str]:
    """Return the anchors that the repository's host gives to the headings of a document."""
    found: dict[str, int] = {}
    for _, heading in _HEADING.findall(prose(path)):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return {slug if not number else f"{slug}-{number}" for slug, last in found.items() for number in range(last + 1)}


def section(path: str, heading: str) -> str:
    """Return what stands under a heading, its deeper headings included."""
    text = prose(path)
    for match in _HEADING.finditer(text):
        if match[2] == heading:
            level = len(match[1])
            ends = (other.start() for other in _HEADING.finditer(text, match.end()) if len(other[1]) <= level)
            return text[match.end() : next(ends, len(text))]
    raise AssertionError(f"{path} has no heading {heading!r}")


def rows(text: str) -> list[list[str]]:
    """Return the cells of every row of every table in a text, without the rows of the heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    ruled = {number for number, row in enumerate(cells) if set("".join(row)) <= {"-", ":"}}
    return [row for number, row in enumerate(cells) if number not in ruled and number + 1 not in ruled]


def codes(text: str) -> list[str]:
    """Return what is written as code in a text."""
    return _CODE.findall(text)


# --- sources ---------------------------------------------------------------------------------------


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the package but those that only make a folder a package: `cli.main` -> its tree."""
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py"]
    return {_module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(module: str, *, everywhere: bool) -> set[str]:
    """Return the modules of the package that a module imports: everywhere, or at its top only.

    What is imported for type checkers alone is none of them.
    """
    found: set[str] = set()
    for node in _nodes(modules()[module], everywhere=everywhere):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(name if name.removeprefix("slowsched.") in modules() else node.module for name in names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    own = {name.removeprefix("slowsched.") for name in found if name.startswith("slowsched.")}
    return own & modules().keys()


def _nodes(tree: ast.AST, *, everywhere: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        if everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _nodes(node, everywhere=everywhere)


def literals(tree: ast.AST) -> set[str]:
    """Return every text that is written out in a tree."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def passed_as(parameter: str) -> dict[str, set[str]]:
    """Return the texts that are written out where the package passes this parameter, by who takes it.

    `_LITERAL` stands for what a function yields or returns in place of passing it.
    """
    places = _positions(parameter)
    found: dict[str, set[str]] = {}
    for tree in modules().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                values = [keyword.value for keyword in node.keywords if keyword.arg == parameter]
                values += [node.args[index] for index in places.get(name, ()) if index < len(node.args)]
                for value in values:
                    found.setdefault(name, set()).update(literals(value))
    return found


def _positions(parameter: str) -> dict[str, set[int]]:
    """Return at which position functions and classes take a parameter, by their name."""
    found: dict[str, set[int]] = {}
    for tree in modules().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                makers = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
            else:
                makers = [node] if isinstance(node, ast.FunctionDef) and node.name != "__init__" else []
            for maker in makers:
                names = [each.arg for each in (*maker.args.posonlyargs, *maker.args.args) if each.arg != "self"]
                if parameter in names:
                    found.setdefault(node.name, set()).add(names.index(parameter))
    return found
