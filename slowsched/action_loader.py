"""Import the team's actions from their file: done by the worker only, never by validate, plan or apply.

The module gets the name that its place under the root gives it (`worker/actions.py` is `worker.actions`),
whatever else on the path has that name, so that it can import its neighbours absolutely and relatively.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import traceback
from typing import TYPE_CHECKING

from slowsched.errors import ActionsError
from slowsched.execute import Registry, filling

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

__all__ = ["load_actions"]


def load_actions(path: Path, root: Path) -> Registry:
    """Import the actions module at `path`, a file under `root`, and return what it registered.

    Raises:
        ActionsError: there is no such file, its import fails (with its own traceback), or it registers
            no action.
    """
    shown = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    if not path.is_file():
        raise ActionsError(
            f"there is no actions module at {shown}", hint="write it, or set `actions` in slowsched.yaml"
        )
    parts = path.relative_to(root).with_suffix("").parts if path.is_relative_to(root) else (path.stem,)
    _forget_modules(parts[0])
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    registry = Registry()
    try:
        with filling(registry):
            for depth in range(1, len(parts)):
                _import(".".join(parts[:depth]), root.joinpath(*parts[:depth]))
            _import(".".join(parts), path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        hint = "the traceback above is its own; nothing was claimed"
        raise ActionsError(
            f"{shown} does not import: {type(error).__name__}: {error}", hint=hint, trace=_trace(error)
        ) from error
    if not len(registry):
        raise ActionsError(f"{shown} registers no action", hint='declare one with @action("NAME")')
    return registry


def _forget_modules(top: str) -> None:
    """Drop modules of that name which were imported from elsewhere, or from an earlier load."""
    for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
        del sys.modules[name]


def _import(name: str, place: Path) -> ModuleType:
    """Import a file, or a folder as the package that it is (with or without `__init__.py`)."""
    spec: importlib.machinery.ModuleSpec | None
    if place.is_dir() and not (place / "__init__.py").is_file():
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(place)]
    elif place.is_dir():
        init = place / "__init__.py"
        spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(place)])
    else:
        spec = importlib.util.spec_from_file_location(name, place)
    if spec is None:
        raise ImportError(f"{place.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if spec.loader is not None:
        spec.loader.exec_module(module)
    parent, _, short = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], short, module)  # as an import statement does
    return module


def _trace(error: BaseException) -> str:
    """Format the traceback from the team's first frame on."""
    trace = error.__traceback__
    while trace is not None and ("importlib" in trace.tb_frame.f_code.co_filename or _is_own(trace.tb_frame.f_globals)):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def _is_own(module_globals: dict[str, object]) -> bool:
    return module_globals.get("__name__") == __name__
