"""The mutants that `mutmut run` leaves out: constants, defaults of fields, and what has a decorator.

mutmut keeps all mutants of a function in one module and chooses among them while the tests run; what is evaluated when
the module is imported cannot be chosen so. Here each such mutant, made by the same operators, is a module of its own,
which `planting` puts in the place of the real one before anything is imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import libcst as cst
import planting
from libcst.metadata import MetadataWrapper
from mutation.survivors import PACKAGE, Change, enclosing, stripped
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import get_ignored_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUNDS = "test_documents.py::test_every_bound_is_what_the_architecture_says"
PLANS = [f"core/test_plan{name}.py" for name in ("", "_limits", "_allowed", "_digest", "_table", "_table_gone")]
WAKES = [f"protocol/test_wake{name}.py" for name in ("", "_races", "_timeouts")]

# The tests that look at each module: those of its own, and of what its constants bound.
TESTS = {
    "agenda_walk": ["protocol/test_agenda_walk.py", *WAKES, BOUNDS],
    "arm": ["protocol/test_arm.py", BOUNDS],
    "canonical": ["core/test_canonical.py", "test_task_file.py", BOUNDS],
    "control": ["protocol/test_control.py", "protocol/test_apply_refused.py", BOUNDS],
    "decision": [*PLANS],
    "lifecycle": ["core/test_lifecycle_table.py", "core/test_lifecycle_time.py", "protocol/test_control.py", BOUNDS],
    "limits": [*PLANS, "core/test_trailers.py", BOUNDS],
    "plan": [*PLANS],
    "settling": ["protocol/test_settling.py", *WAKES],
    "timing": ["core/test_timing.py", "core/test_timing_zone.py", BOUNDS],
}

# Plain functions that are called when their module is imported: mutmut chooses its mutants too late for them.
AT_IMPORT = {("canonical", "_accelerated")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One mutant of a module: what it changes, and the whole source with it."""

    change: Change
    source: str


class _Visitor(MutationVisitor):
    """Goes where mutmut does not: into functions with decorators; lists of names stay as they are."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef):
            return False
        if isinstance(node, cst.Assign) and isinstance(target := node.targets[0].target, cst.Name):
            return target.value == "__all__"
        return super()._skip_node_and_children(node)


def mutants(module: str) -> Iterator[Mutant]:
    """Yield the mutants of a module that are there when it is imported, or stand in functions with a decorator."""
    path = PACKAGE / f"{module}.py"
    source = path.read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = _Visitor(mutation_operators, get_ignored_lines(str(path), source, wrapper, None))
    tree = wrapper.visit(visitor)
    for mutation in visitor.mutations:
        function = mutation.contained_by_top_level_function
        plain = isinstance(function, cst.FunctionDef) and not function.decorators
        if not plain or (module, function.name.value) in AT_IMPORT:
            mutated = tree.deep_replace(mutation.original_node, mutation.mutated_node).code
            yield Mutant(change=_change(module, source, mutated), source=mutated)


def _change(module: str, source: str, mutated: str) -> Change:
    before, after = source.splitlines(), mutated.splitlines()
    codes = SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes()
    changed = [code for code in codes if code[0] != "equal"]
    return Change(
        module=module,
        function=enclosing(source, changed[0][1] + 1),
        before=stripped([line for _, start, end, _, _ in changed for line in before[start:end]]),
        after=stripped([line for _, _, _, start, end in changed for line in after[start:end]]),
    )


def survivors(found: list[Mutant]) -> list[Change]:
    """Return the changes that no test of their module notices.

    Raises:
        RuntimeError: the tests fail without any change.
    """
    core = [each for each in found if _of_core(each.change.module)]
    rest = [each for each in found if not _of_core(each.change.module)]
    return _survivors(core, "--hypothesis-profile=planted") + _survivors(rest)


def _of_core(module: str) -> bool:
    """Say whether tests of the core look at a module, who know a profile with fewer examples."""
    return any(test.startswith("core/") for test in TESTS[module])


def _survivors(found: list[Mutant], *options: str) -> list[Change]:
    modules = sorted({each.change.module for each in found})
    cases = [[module, "", "", TESTS[module]] for module in modules]
    for each in found:
        module = each.change.module
        real = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
        cases.append([module, real, each.source, TESTS[module]])
    ended = planting.statuses(cases, *options)
    if any(ended[: len(modules)]):
        raise RuntimeError(f"the tests of {', '.join(modules)} fail without a mutant: run `make test`")
    return [each.change for each, status in zip(found, ended[len(modules) :], strict=True) if status == 0]
