"""Which modules a program needs, told from its sources."""

from __future__ import annotations

import pytest

from slowsched.errors import UsageError
from slowsched.import_graph import Import, Needed, Sources, imports_of, needed

GUARDED = """\
try:
    import fast
except ImportError:
    import slow
try:
    import firm
except ValueError:
    pass
try:
    import bare
except:
    pass
try:
    import either
except (KeyError, builtins.ModuleNotFoundError):
    pass
"""
TYPED = """\
if TYPE_CHECKING:
    import for_checkers
else:
    import for_all
if typing.TYPE_CHECKING:
    import for_checkers
if sys.version_info > (3, 12):
    import newer
"""
INSIDE = """\
class A:
    import in_class
    async def f(self):
        def g():
            import in_function
"""
RELATIVE = "from . import near\nfrom .near import thing\nfrom ..far import other\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a, b.c as d", [Import(module="a", line=1), Import(module="b.c", line=1)]),
        ("from a import b, c", [Import(module="a", taken=("b", "c"), line=1)]),
        (
            GUARDED,
            [
                Import(module="fast", line=2, optional=True),
                Import(module="slow", line=4),
                Import(module="firm", line=6),
                Import(module="bare", line=10, optional=True),
                Import(module="either", line=14, optional=True),
            ],
        ),
        (TYPED, [Import(module="for_all", line=4), Import(module="newer", line=8)]),
        (INSIDE, [Import(module="in_class", line=2), Import(module="in_function", line=5, late=True)]),
        (
            RELATIVE,
            [
                Import(module="p.q", taken=("near",), line=1),
                Import(module="p.q.near", taken=("thing",), line=2),
                Import(module="p.far", taken=("other",), line=3),
            ],
        ),
    ],
)
def test_the_imports_of_a_source(source, expected):
    """Each import is told with its place, whether it waits for a call, and whether the module goes on without it."""
    assert imports_of(source, "p.q.r") == expected


def test_a_package_is_relative_to_itself():
    """In an `__init__.py` one dot is the package, in a module the one around it."""
    assert imports_of("from .b import c", "p", is_package=True) == [Import(module="p.b", taken=("c",), line=1)]
    assert imports_of("from .b import c", "p.q") == [Import(module="p.b", taken=("c",), line=1)]


@pytest.fixture(name="packages")
def _packages(tmp_path):
    """Write two packages; return where they are."""
    files = {
        "p/__init__.py": "",
        "p/start.py": "from p import middle\nimport json\n",
        "p/middle.py": "def late():\n    import q.deep.end\n    from p.start import x\n",
        "p/unused.py": "import q\n",
        "q/__init__.py": "import p.skipped\n",
        "q/deep/end.py": "import one\n",
        "p/skipped.py": "",
        "one.py": "",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_every_import_is_followed(packages):
    """In circles too, through folders without `__init__.py`, but what is skipped; what lies outside is told."""
    sources = Sources(
        packages={"p": packages / "p", "q": packages / "q"},
        files={"one": packages / "one.py"},
        skipped=frozenset({("q", "p.skipped")}),
    )
    found = needed(["p.start"], sources)
    assert {name: file.relative_to(packages).as_posix() for name, file in found.modules.items()} == {
        "one": "one.py",
        "p": "p/__init__.py",
        "p.middle": "p/middle.py",
        "p.start": "p/start.py",
        "q": "q/__init__.py",
        "q.deep.end": "q/deep/end.py",
    }
    assert found.outside == (("p.start", Import(module="json", line=2)),)


def test_the_way_to_a_module():
    """It begins at a module that was asked for, and ends where imports go in a circle."""
    found = Needed(modules={}, importers={"b": "a", "c": "b", "x": "y", "y": "x"}, outside=())
    assert [found.way(name) for name in ("a", "c", "x")] == ["a", "a -> b -> c", "y -> x"]


def test_a_source_that_is_no_python(tmp_path):
    """Its file is named, whatever is wrong with it."""
    for data in (b"def (:", b"\xff", b"x = '\x00'"):
        (tmp_path / "m.py").write_bytes(data)
        with pytest.raises(UsageError, match=r"m\.py is no Python: .*: mend it; nothing was written$"):
            needed(["m"], Sources(packages={}, files={"m": tmp_path / "m.py"}))
