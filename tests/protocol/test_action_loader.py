"""Importing the team's actions: from their file, under the name of their place, with their own traceback."""

from __future__ import annotations

import sys

import pytest

from slowsched.action_loader import load_actions
from slowsched.errors import ActionsError

HEAD = "from slowsched import action\n"
ONE = HEAD + "@action('A')\ndef act(payload, attempt):\n    return 'one'\n"


@pytest.fixture(autouse=True)
def _modules():
    """Leave path and modules as they were."""
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in [name for name in sys.modules if name not in modules]:
        del sys.modules[name]
    sys.modules.update(modules)


def written(root, actions, **others):
    """Write worker/actions.py, and other modules beside it; return the path of the actions."""
    folder = root / "worker"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"actions": actions, **others}.items():
        (folder / f"{name}.py").write_text(text)
    return folder / "actions.py"


def result_of(registry, name="A"):
    """Call an action."""
    return registry.get(name)({}, None)


def test_a_module_registers_its_actions(tmp_path):
    """Those of its neighbours, imported absolutely or relatively, belong to it."""
    path = written(
        tmp_path,
        "from worker import prices\nfrom . import stock\n" + ONE,
        prices=HEAD + "@action('B')\ndef act(payload, attempt):\n    return 'b'\n",
        stock="import worker.prices\n" + HEAD + "@action('C')\ndef act(payload, attempt):\n"
        "    import worker.actions\n    return worker.actions.act(payload, attempt), worker.prices.__name__\n",
    )
    registry = load_actions(path, tmp_path)
    assert (len(registry), result_of(registry), result_of(registry, "B"), result_of(registry, "C")) == (
        3,
        "one",
        "b",
        ("one", "worker.prices"),
    )


def test_a_package_with_an_init_is_imported_as_one(tmp_path):
    """Its `__init__` runs first, and once."""
    path = written(
        tmp_path,
        "from worker import COUNT\nCOUNT.append(2)\n" + ONE,
        __init__="COUNT = [1]\n",
    )
    load_actions(path, tmp_path)
    assert sys.modules["worker"].COUNT == [1, 2]


def test_a_package_of_that_name_elsewhere_does_not_stand_in(tmp_path):
    """Another repository's `worker`, imported before, is dropped with its modules."""
    load_actions(written(tmp_path / "old", ONE), tmp_path / "old")
    new = tmp_path / "new"
    path = written(new, "from worker.name import NAME\n" + ONE, name="NAME = 'new'\n")
    load_actions(path, new)
    assert sys.modules["worker.name"].NAME == "new"


def test_a_second_load_reads_the_file_again(tmp_path):
    """A worker that goes on after a deployment gets the new functions."""
    assert result_of(load_actions(written(tmp_path, ONE), tmp_path)) == "one"
    path = written(tmp_path, ONE.replace("one", "second"))
    assert result_of(load_actions(path, tmp_path)) == "second"


def test_a_file_in_the_root_is_a_module_of_its_own(tmp_path):
    """There is no package to import first."""
    (tmp_path / "shop_actions.py").write_text(ONE)
    assert result_of(load_actions(tmp_path / "shop_actions.py", tmp_path)) == "one"


def test_a_file_out_of_the_root_is_named_in_full(tmp_path):
    """`actions: ../shared/actions.py` works, too."""
    root = tmp_path / "root"
    (tmp_path / "shared_actions.py").write_text(ONE)
    assert result_of(load_actions(tmp_path / "shared_actions.py", root)) == "one"
    with pytest.raises(ActionsError) as error:
        load_actions(tmp_path / "none.py", root)
    assert error.value.message == f"there is no actions module at {tmp_path / 'none.py'}"


@pytest.mark.parametrize(
    ("text", "message", "trace"),
    [
        (
            "def deep():\n    raise ValueError('no catalogue')\ndeep()\n",
            "worker/actions.py does not import: ValueError: no catalogue",
            ["line 3, in <module>", "line 2, in deep", "ValueError: no catalogue"],
        ),
        ("import shoplib\n", "worker/actions.py does not import: ModuleNotFoundError: No module named 'shoplib'", []),
        ("def broken(:\n", "worker/actions.py does not import: SyntaxError: invalid syntax (actions.py, line 1)", []),
        ("raise SystemExit(3)\n", "worker/actions.py does not import: SystemExit: 3", []),
        (
            ONE + ONE.replace("one", "other"),
            (
                "worker/actions.py does not import: UsageError: two functions are registered as action 'A': "
                "an action has one function"
            ),
            [],
        ),
    ],
    ids=["raises", "lacks a library", "is no Python", "exits", "names two alike"],
)
def test_a_module_that_does_not_import_is_told_with_its_own_traceback(tmp_path, text, message, trace):
    """From the team's first line on: how it came to be imported is nobody's business."""
    with pytest.raises(ActionsError) as error:
        load_actions(written(tmp_path, text), tmp_path)
    assert (error.value.message, error.value.hint) == (message, "the traceback above is its own; nothing was claimed")
    assert [line for line in trace if line not in error.value.trace] == []
    assert "action_loader" not in error.value.trace
    assert "importlib" not in error.value.trace


def test_ctrl_c_while_importing_is_ctrl_c(tmp_path):
    """It is no fault of the module."""
    with pytest.raises(KeyboardInterrupt):
        load_actions(written(tmp_path, "raise KeyboardInterrupt\n"), tmp_path)


@pytest.mark.parametrize("make", [lambda _path: None, lambda path: path.mkdir(parents=True)], ids=["none", "a folder"])
def test_a_module_that_is_not_there_is_told(tmp_path, make):
    """With where it was looked for, and what to do."""
    make(tmp_path / "worker" / "actions.py")
    with pytest.raises(ActionsError) as error:
        load_actions(tmp_path / "worker" / "actions.py", tmp_path)
    assert str(error.value) == (
        "there is no actions module at worker/actions.py: write it, or set `actions` in slowsched.yaml"
    )


def test_a_module_without_actions_is_told(tmp_path):
    """A forgotten decorator would defer every task for a day."""
    with pytest.raises(ActionsError) as error:
        load_actions(written(tmp_path, "def act(payload, attempt): ...\n"), tmp_path)
    assert str(error.value) == 'worker/actions.py registers no action: declare one with @action("NAME")'


def test_a_file_that_is_no_python_is_told(tmp_path):
    """By its name, not by what importlib makes of it."""
    path = tmp_path / "actions.txt"
    path.write_text(ONE)
    with pytest.raises(ActionsError, match=r"actions.txt does not import: ImportError: actions.txt is no Python file"):
        load_actions(path, tmp_path)
