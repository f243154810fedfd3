"""Notes every call that botocore makes in this process; only where the tests have put this folder on PYTHONPATH.

Each is a line of JSON in the file that RECORD_CALLS_TO names: whose rights the process has, what it does, service,
operation, arguments. Python imports a module of this name by itself when it starts.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import botocore


def _whose() -> str:
    """Return the role of this process: what the tests say, or that of a function."""
    return os.environ.get("RECORD_CALLS_OF") or os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")


def _doing() -> str:
    return os.environ.get("RECORD_CALLS_BY", "a wake")


def _note(*, params: dict[str, Any], model: Any, **_: object) -> None:
    call = [_whose(), _doing(), model.service_model.service_name, model.name, params]
    line = json.dumps(call, default=str) + "\n"
    # One write of a file that is only appended to: lines of several processes do not mix.
    with Path(os.environ["RECORD_CALLS_TO"]).open("a", encoding="utf-8") as file:
        file.write(line)


if "RECORD_CALLS_TO" in os.environ:
    botocore.register_initializer(lambda session: session.register("provide-client-params", _note))
