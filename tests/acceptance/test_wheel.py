"""The wheel, installed where there is no source tree near: what somebody gets who installs a release."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from acceptance.shop import LONGEST_SECONDS, PROJECT, environment

if TYPE_CHECKING:
    from collections.abc import Sequence


def _done(words: Sequence[str | Path], folder: Path) -> str:
    ran = subprocess.run(
        words, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
    )
    assert ran.returncode == 0, f"{words}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    _done([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder], PROJECT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def slowsched(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a fresh environment, and return its console script.

    The dependencies are those of this environment, so that no network is needed; slowsched itself is not
    found there, for an editable install is a path that only an environment's own folder is searched for.
    """
    home = tmp_path_factory.mktemp("venv") / "fresh"
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    python = home / "bin" / "python"
    _done(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel],
        home,
    )
    packages = sysconfig.get_path("purelib", vars={"base": str(home)})
    (Path(packages) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    where = _done([python, "-c", "import slowsched; print(slowsched.__file__)"], home)
    assert where.strip() == str(Path(packages) / "slowsched" / "__init__.py")
    return home / "bin" / "slowsched"


def test_the_wheel_holds_what_it_needs_and_each_schema_once(wheel: Path) -> None:
    """Every module, one copy of each schema, py.typed and the starter; no tests, tasks or docs."""
    names = sorted(zipfile.ZipFile(wheel).namelist())
    info = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"
    modules = [path.relative_to(PROJECT).as_posix() for path in (PROJECT / "slowsched").rglob("*.py")]
    data = [
        "slowsched/data/schemas/config.schema.json",
        "slowsched/data/schemas/plan.schema.json",
        "slowsched/data/schemas/task.schema.json",
        "slowsched/data/starter/schemas/actions/APPLY_SALE.schema.json",
        "slowsched/data/starter/worker/actions.py",
        "slowsched/data/starter/worker/catalogue.py",
        "slowsched/data/worker/handler.py",
        "slowsched/data/workflows/apply.yml",
        "slowsched/data/workflows/plan.yml",
    ]
    about = [f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")]
    assert names == sorted([*modules, *data, *about, "slowsched/py.typed"])


def test_a_first_repository_works_from_the_wheel_alone(slowsched: Path, tmp_path: Path) -> None:
    """In an empty folder: init, validate, plan, apply, the wake at the due; and the catalogue has the new price."""
    _done([slowsched, "init", "--owner", "acme/shop"], tmp_path)
    assert json.loads(_done([slowsched, "validate", "--format", "json"], tmp_path))["problems"] == []
    (change,) = json.loads(_done([slowsched, "plan", "--format", "json"], tmp_path))["changes"]
    assert json.loads(_done([slowsched, "apply", "--yes", "--format", "json"], tmp_path))["status"] == "applied"
    wake = json.loads(_done([slowsched, "worker", "--fakenow", change["due"], "--format", "json"], tmp_path))
    assert [(each["id"], each["outcome"]) for each in wake["attempts"]] == [(change["id"], "succeeded")]
    payload = change["after"]["payload"]
    catalogue = json.loads((tmp_path / ".slowsched" / "catalogue.json").read_text(encoding="utf-8"))
    assert catalogue["items"] == {
        payload["itemID"]: {"price": payload["newPrice"], "salePercent": payload["salePercent"]}
    }
    plan = json.loads(_done([slowsched, "plan", "--detailed-exitcode", "--format", "json"], tmp_path))
    assert (plan["changes"], plan["counts"]["done"]) == ([], 1)
