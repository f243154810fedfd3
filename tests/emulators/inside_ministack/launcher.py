"""Starts MiniStack as its mends make it; run by the Python of `.emulators/`, not by ours.

Its folder is the first on its path, so the mends are found beside it. Nothing else of this project is imported.
"""

from __future__ import annotations

import os
import sys

from mends import mend
from reach import MendError


def main() -> int:
    """Mend MiniStack but for what the environment leaves out, and serve until a signal comes."""
    left_out = os.environ.get("SLOWSCHED_WITHOUT_MENDS", "")
    try:
        mend(without=[name for name in left_out.split(",") if name])
    except MendError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    from ministack.app import main as serve  # noqa: PLC0415 - only once it is mended

    sys.argv[1:] = []
    serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
