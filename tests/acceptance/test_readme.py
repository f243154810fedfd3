"""The commands that README.md shows, with what they print.

In each block marked `console`, in their order and in one copy of the repository's example, the lines that
begin with `$ slowsched` or `$ cat` are run, and must print the lines that follow them. Below `$ make demo` all
lines of the block are the demo's own. How far away a moment is may differ, and a line `...` stands for any
lines. Other commands (`$ make test`) are not run here.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from acceptance.shop import LONGEST_SECONDS, PROJECT, SCRIPTS, Shop, environment

if TYPE_CHECKING:
    from pathlib import Path

README = PROJECT / "README.md"
EXAMPLE = ("slowsched.yaml", "tasks", "schemas", "worker")
RUN = ("slowsched ", "cat ")
DEMO = "make demo"
ANYTHING = "..."

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(\d+ (year|day|hour|minute|second)s?(, )?)+")
_NEXT_TO_NOW = re.compile(r"\bin SPAN|SPAN ago|\bnow\b")


@dataclass(frozen=True, slots=True)
class Shown:
    """A command, and the lines that it is shown to print."""

    command: str
    output: tuple[str, ...]


def shown_in(text: str) -> list[Shown]:
    """Return the commands of all console blocks, in their order."""
    found: list[Shown] = []
    for block in _BLOCK.findall(text):
        if block.startswith(f"$ {DEMO}\n"):
            found.append(Shown(DEMO, tuple(block.splitlines()[1:])))
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *output = part.splitlines()
            found.append(Shown(command, tuple(output)))
    return found


def agrees(shown: tuple[str, ...], printed: tuple[str, ...]) -> bool:
    """Say whether the printed lines are those that are shown."""
    parts = [".*" if line.strip() == ANYTHING else re.escape(_plain(line)) for line in _trimmed(shown)]
    pattern = "\n".join(parts)
    return re.fullmatch(pattern, "\n".join(map(_plain, _trimmed(printed))), flags=re.DOTALL) is not None


def _plain(line: str) -> str:
    return _NEXT_TO_NOW.sub("SPAN", _SPAN.sub("SPAN", line.rstrip()))


def _trimmed(lines: tuple[str, ...]) -> list[str]:
    return "\n".join(lines).strip("\n").split("\n")


def test_every_command_of_the_readme_prints_what_is_shown(tmp_path: Path) -> None:
    """The commands of README.md run, one after the other, and print what stands below them."""
    shop = Shop(tmp_path / "shop")
    shop.root.mkdir()
    shop.take_from_project(*(path for path in EXAMPLE if (PROJECT / path).exists()))
    wrong = []
    for shown in shown_in(README.read_text(encoding="utf-8")):
        if shown.command.startswith(RUN):
            printed = _printed(shown.command, shop.root)
        elif shown.command == DEMO and shown.output:
            printed = _printed("sh scripts/demo.sh", PROJECT)
        else:
            continue
        if not agrees(shown.output, tuple(printed.splitlines())):
            wrong.append(f"$ {shown.command}\n{printed}")
    assert wrong == []


def _printed(command: str, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-c", command],  # a shell, as the reader's
        cwd=folder,
        env=environment(folder) | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    return done.stdout


EXAMPLE_BLOCK = """\
Text.

```console
$ make demo

# What?
$ slowsched plan
...
```

```console
$ make test
whatever
$ slowsched plan
Plan for local

+ create    a
    fires 2066-01-01 00:00 UTC, in 39 years, 38 days
...
Next: slowsched apply
```
"""


FIRES = "Plan for local\n\n+ create    a\n    fires 2066-01-01 00:00 UTC, in 1 year, 2 days\n"


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (f"{FIRES}x\ny\nNext: slowsched apply\n", True),
        (f"{FIRES}x\ny\n", False),
        (f"{FIRES.replace('01-01', '01-02')}x\nNext: slowsched apply\n", False),
    ],
    ids=["as shown", "a line is missing", "another moment"],
)
def test_the_comparison_notices_a_difference(printed: str, expected: bool) -> None:
    """Spans and `...` may be anything; everything else must be as shown."""
    demo, test, plan = shown_in(EXAMPLE_BLOCK)
    assert demo == Shown("make demo", ("", "# What?", "$ slowsched plan", "..."))
    assert (test, plan.command) == (Shown("make test", ("whatever",)), "slowsched plan")
    assert agrees(plan.output, tuple(printed.splitlines())) is expected
