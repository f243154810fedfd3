"""The Lambda function, `worker.handler.handler`. The work is done in `slowsched.lambda_worker`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from slowsched.lambda_worker import Context, LambdaWorker


def _end_process() -> None:
    """End this process at once, whatever its threads do."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


_worker = LambdaWorker(Path(__file__).with_name("actions.py"), os.environ, end_process=_end_process)


def handler(event: object, context: Context) -> dict[str, Any]:
    """Do one wake."""
    return _worker.handle(event, context)
