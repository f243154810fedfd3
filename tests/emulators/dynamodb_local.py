"""DynamoDB Local: Amazon's own, in memory, and on loopback only (`inside_dynamodb_local/Loopback.java`).

For expressions, reserved words, the index read consistently, rows returned by failed conditions, consumed capacity.
Not to be trusted for: rights, throttling, speed.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from emulators.parts import DYNAMODB_LOCAL, LOOPBACK, EmulatorError
from emulators.processes import answers, clean_environment, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG = "dynamodb-local.log"
HEAP = "-Xmx256m"


def _jar() -> Path:
    found = sorted(DYNAMODB_LOCAL.glob("*/DynamoDBLocal.jar"))
    if not found:
        raise EmulatorError(f"no DynamoDBLocal.jar in {DYNAMODB_LOCAL}; run make emulators")
    return found[-1]


@contextmanager
def dynamodb_local(folder: Path, *, heap: str = HEAP) -> Iterator[str]:
    """Run DynamoDB Local until the block ends.

    Args:
        folder: Where its log and its temporary files go.
        heap: How much memory Java may take for objects.

    Yields:
        Its address.

    Raises:
        EmulatorError: It is not installed, or did not start.
    """
    jar = _jar()
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    home = folder / f"dynamodb-local-{port}"
    home.mkdir(parents=True)
    command = ["java", heap, "-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={home}"]
    libraries = jar.with_name("DynamoDBLocal_lib")
    classes = os.pathsep.join([str(LOOPBACK.parent), str(jar), f"{libraries}/*"])
    command += [f"-Djava.library.path={libraries}", "-cp", classes, LOOPBACK.stem]
    command += ["-inMemory", "-disableTelemetry", "-port", str(port)]
    try:
        with running(
            command,
            environment=clean_environment(home),
            log=folder / LOG,
            ready=lambda: answers(endpoint, refused_is_fine=True),
        ):
            yield endpoint
    finally:
        shutil.rmtree(home, ignore_errors=True)
