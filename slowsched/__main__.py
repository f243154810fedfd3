"""`python -m slowsched` is the same program as `slowsched`."""

from __future__ import annotations

import sys

from slowsched.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
