"""Feeds the oracles by coverage (atheris, libFuzzer): `guided.py TARGET [options of libFuzzer] FOLDER...`.

The first input that an oracle refuses ends it with status 77 and the input in a file; what takes too long or too
much memory ends it as well. `docs/reliability.md` says what is run, `make fuzz` runs it.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

ADDRESS_SPACE = 4 * 1024**3  # the interpreter, its libraries and the fuzzer's own map take most of it

with atheris.instrument_imports(include=["slowsched"]):
    from fuzz.oracles import TARGETS


def main() -> None:
    """Fuzz one target."""
    target = TARGETS[sys.argv[1]]
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
