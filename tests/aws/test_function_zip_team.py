"""The team's part of the zip: its folder, what its imports bring in, what it requires, and what is refused."""

from __future__ import annotations

import io
import zipfile
from base64 import b64encode
from hashlib import sha256

import pytest
from click.testing import CliRunner
from function_zips import ACTION, ARM, a_shop, names_of, of_team, write

from slowsched.cli.main import program
from slowsched.errors import UsageError
from slowsched.package import function_zip
from slowsched.package_program import distribution_files


@pytest.fixture(name="shop")
def _shop(tmp_path):
    """Return a repository with one action."""
    return a_shop(tmp_path)


# --- the team's part -------------------------------------------------------------------------------


def test_the_teams_folder_but_not_its_tests(shop):
    """Everything in worker/, at any depth, but tests, hidden files, compiled ones and the requirements themselves."""
    kept = {"worker/data/prices.json": "{}", "worker/lib/tools.py": "", "worker/README.md": ""}
    left = ("tests/test_a.py", "test_b.py", "conftest.py", ".env", ".hidden/c.py", "__pycache__/d.pyc", "e.pyc")
    write(shop, kept | {f"worker/{path}": "" for path in left} | {"worker/requirements.txt": ""})
    expected = {*kept, "typing_extensions.py", "worker/__init__.py", "worker/actions.py", "worker/handler.py"}
    assert set(of_team(function_zip(shop, ARM))) == expected


def test_a_handler_of_the_teams_own_is_kept(shop):
    """The one that travels with slowsched takes the place of one that is not there."""
    write(shop, {"worker/handler.py": "# ours\n", "worker/__init__.py": "# ours\n"})
    archive = zipfile.ZipFile(io.BytesIO(function_zip(shop, ARM)))
    assert [archive.read(f"worker/{name}.py") for name in ("handler", "__init__")] == [b"# ours\n"] * 2


HAVE_NOT = "name it in worker/requirements.txt, or move it into worker/"
TAKE_OUT = "take that import out of worker/"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"actions.py": "import pandas\n"},
            f"the function would not have 'pandas': worker.actions imports it (line 1): {HAVE_NOT}",
        ),
        (
            {"actions.py": "def late():\n    from shop.prices import price\n"},
            f"the function would not have 'shop.prices': worker.actions imports it (line 2): {HAVE_NOT}",
        ),
        (
            {"actions.py": "from worker import prices\n", "prices.py": "import yaml\n"},
            f"the function would not have 'yaml': worker.actions -> worker.prices imports it (line 1): {HAVE_NOT}",
        ),
        (
            {"actions.py": "import sqlite3\n"},
            f"the function would need the embedded backend: worker.actions -> sqlite3: {TAKE_OUT}",
        ),
        (
            {"actions.py": "from slowsched.cli.main import main\n"},
            f"the function would need the command line: worker.actions -> slowsched.cli: {TAKE_OUT}",
        ),
    ],
)
def test_what_the_function_would_not_have_is_refused(shop, files, said):
    """An import that would fail in the function, at the night when it is needed, fails here; it says by what way."""
    write(shop, {f"worker/{path}": text for path, text in files.items()})
    with pytest.raises(UsageError) as error:
        function_zip(shop, ARM)
    assert str(error.value) == said


def test_an_import_that_the_team_can_do_without_is_its_own_matter(shop):
    """Neither one in `try`, nor one for type checkers alone, is asked for."""
    text = "try:\n    import pandas\nexcept ImportError:\n    pandas = None\n"
    text += "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import shop\n"
    write(shop, {"worker/actions.py": text + ACTION})
    assert "worker/actions.py" in names_of(function_zip(shop, ARM))


def test_more_of_powertools_where_the_team_asks_for_more(shop):
    """A part of Powertools that an action imports is packed with what that needs."""
    extra = "aws_lambda_powertools/utilities/parameters/ssm.py"
    before = names_of(function_zip(shop, ARM))
    write(shop, {"worker/actions.py": "from aws_lambda_powertools.utilities import parameters\n" + ACTION})
    assert (extra in before, extra in names_of(function_zip(shop, ARM))) == (False, True)


def test_a_source_that_is_no_python_is_refused(shop):
    """The file is named."""
    write(shop, {"worker/prices.py": "def (:\n"})
    with pytest.raises(UsageError, match=r"worker/prices\.py is no Python: invalid syntax .*: mend it; nothing was"):
        function_zip(shop, ARM)


# --- what it requires ------------------------------------------------------------------------------


def wheel(folder, name, files, tag="py3-none-any"):
    """Write a wheel."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as archive:
        for path, text in {**files, **about}.items():
            archive.writestr(path, text)


def require(shop, *names):
    lines = ["--no-index", "--find-links ../wheels", *names]
    write(shop, {"worker/requirements.txt": "".join(f"{line}\n" for line in lines)})


def test_what_is_required_is_installed_for_the_functions_machine(shop):
    """A wheel of that machine is taken; no program, no note of pip, and nothing that the runtime has."""
    wheels = shop / "wheels"
    wheel(wheels, "ours", {"ours/__init__.py": "import six\n"}, tag="cp313-cp313-manylinux2014_aarch64")
    wheel(wheels, "six", {"six.py": "other = True\n"})
    require(shop, "ours", "six")
    write(shop, {"worker/actions.py": "import ours\nimport six\n" + ACTION})
    info = [f"ours-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "entry_points.txt")]
    modules = ("ours/__init__.py", "typing_extensions.py")
    team = ("worker/__init__.py", "worker/actions.py", "worker/handler.py")
    assert of_team(function_zip(shop, ARM)) == [*info, *modules, *team]


def test_two_builds_with_requirements_are_equal(shop):
    """What pip writes differently each time is left out."""
    wheel(shop / "wheels", "ours", {"ours/__init__.py": ""})
    require(shop, "ours")
    assert function_zip(shop, ARM) == function_zip(shop, ARM)


def test_what_pip_cannot_install_is_told(shop):
    """A wheel of another machine is no wheel; the requirement and the machine are named."""
    wheel(shop / "wheels", "ours", {"ours/__init__.py": ""}, tag="cp313-cp313-manylinux2014_x86_64")
    require(shop, "ours")
    with pytest.raises(UsageError) as error:
        function_zip(shop, ARM)
    said = "pip cannot install worker/requirements.txt for arm64 and Python 3.13: "
    said += "Could not find a version that satisfies the requirement ours (from versions: none)"
    assert str(error.value) == f"{said}: every requirement needs a wheel for that machine"


def test_with_boto3(shop):
    """Asked for, the SDK that is installed here goes in, with the data of its services and without notes of pip."""
    names = names_of(function_zip(shop, ARM, with_boto3=True))
    assert {"boto3/__init__.py", "jmespath/parser.py", "six.py"} <= set(names)
    assert any(name.startswith("botocore/data/dynamodb/") for name in names)
    assert [name for name in names if name.endswith(("RECORD", ".pyc"))] == []


def test_what_is_not_installed_is_named():
    """What is packed is what is installed here; the way to have it is told."""
    with pytest.raises(
        UsageError, match=r"^nothing-like-it is not installed: install it: pip install 'slowsched\[lamb"
    ):
        distribution_files("nothing-like-it")


# --- the command -----------------------------------------------------------------------------------


def test_the_command_writes_the_zip_and_says_what_is_in_it(shop, monkeypatch):
    """It goes to terraform/function.zip of the repository, and what Terraform knows it by is told."""
    monkeypatch.chdir(shop / "worker")
    ran = CliRunner().invoke(program, ["package"])
    content = (shop / "terraform" / "function.zip").read_bytes()
    digest = b64encode(sha256(content).digest()).decode()
    assert (ran.exit_code, ran.stdout, content) == (0, "wrote terraform/function.zip\n", function_zip(shop, ARM))
    sizes = f"{len(names_of(content))} files, {len(content):,} bytes, {unpacked(content):,} unpacked"
    assert ran.stderr == f"{sizes}, SHA-256 {digest}\n"
    assert list((shop / "terraform").iterdir()) == [shop / "terraform" / "function.zip"]


def unpacked(content):
    return sum(entry.file_size for entry in zipfile.ZipFile(io.BytesIO(content)).infolist())


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"slowsched.yaml": "version: 1\nowner: acme/shop\nactions: backend/actions.py\n"},
            (
                "the function runs worker/actions.py, and slowsched.yaml names backend/actions.py: "
                "move the actions to worker/actions.py"
            ),
        ),
        (
            {"worker/actions.py": None},
            "there is no worker/actions.py in {}: the function runs the actions of that file",
        ),
    ],
)
def test_actions_elsewhere_are_refused(shop, monkeypatch, files, said):
    """The function has one place for them; nothing is written."""
    write(shop, {path: text for path, text in files.items() if text is not None})
    for path in [path for path, text in files.items() if text is None]:
        (shop / path).unlink()
    monkeypatch.chdir(shop)
    ran = CliRunner().invoke(program, ["package"])
    assert (ran.exit_code, ran.stderr) == (1, f"slowsched: error: {said.format(shop)}\n")
    assert not (shop / "terraform").exists()
