"""scripts/demo.sh, the story that `make demo` tells."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from acceptance.shop import LONGEST_SECONDS, PROJECT, SCRIPTS, environment

if TYPE_CHECKING:
    from pathlib import Path

WIDTH = 80

# In this order, whatever stands between them.
ESSENTIAL = [
    r"\$ cat tasks/free-momo\.yaml",
    r"id: free Momo",
    r"\$ slowsched validate",
    r".*1 task.*",
    r"\$ slowsched plan",
    r"\+ create +free Momo +tasks/free-momo\.yaml:\d+",
    r" +fires 2066-01-01 00:00 UTC, in .*",
    r"Plan: 1 to create, .*",
    r"\$ slowsched apply --yes",
    r"Applied 1 of 1 change.*",
    r"Timer: armed for 2066-01-01 00:00 UTC, .*",
    r"\$ slowsched plan",
    r"No changes\. 1 unchanged, 0 done\.",
    r"\$ slowsched worker --fakenow 2066-01-01T00:00:00Z",
    r"succeeded +free Momo +attempt 1, on time",
    r"\$ slowsched show 'free Momo'",
    r"free Momo +succeeded",
    r" +1\.1 +2066-01-01 00:00 UTC +succeeded +on time.*",
    r"\$ cat \.slowsched/catalogue\.json",
    r' +"price": 0,',
    r"\$ slowsched plan",
    r"No changes\. 0 unchanged, 1 done\.",
]


def _demo(folder: Path) -> str:
    folder.mkdir()
    done = subprocess.run(
        ["sh", str(PROJECT / "scripts" / "demo.sh")],
        cwd=folder,
        env=environment(folder) | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert list(folder.iterdir()) == []  # it leaves nothing behind
    return done.stdout


def test_the_demo_tells_the_whole_story(tmp_path: Path) -> None:
    """From the file to its outcome, in order, within 80 columns, and in the same words every time."""
    told = _demo(tmp_path / "first")
    lines = iter(told.splitlines())
    missing = [pattern for pattern in ESSENTIAL if not any(re.fullmatch(pattern, line) for line in lines)]
    assert missing == [], told
    assert [line for line in told.splitlines() if len(line) > WIDTH and not line.startswith("#   ")] == []
    assert _without_spans(_demo(tmp_path / "second")) == _without_spans(told)


def _without_spans(text: str) -> str:
    """Take out how far away a moment is, which another second may tell otherwise."""
    return re.sub(r"\d+ (year|day|hour|minute|second)s?(, )?", "", text)


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path) -> None:
    """What stands below `make demo` in README.md is printed, in that order; spans of time apart."""
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    shown = readme.split("$ make demo", 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    printed = iter(_without_spans(_demo(tmp_path / "demo")).splitlines())
    assert [line for line in _without_spans(shown).splitlines() if line not in printed] == []
