"""MiniStack: DynamoDB, EventBridge, Scheduler, Lambda, SQS, SNS, logs and IAM in one process, without containers.

It fires rules and schedules, and runs a function's zip as a process of its own. `inside_ministack/mends.py` says where
it is made to do what AWS documents. Not to be trusted for: consumed capacity, extracted metrics, the condition key
`dynamodb:LeadingKeys`, the runtime's version and processor, propagation delays.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from emulators.parts import FUNCTION_PYTHON, PYTHON
from emulators.processes import answers, clean_environment, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LAUNCHER = Path(__file__).parent / "inside_ministack" / "launcher.py"
LOG = "ministack.log"


@contextmanager
def ministack(
    folder: Path,
    *,
    auth: bool = False,
    without: Sequence[str] = (),
    retry_seconds: float = 1,
    variables: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Run MiniStack until the block ends.

    Args:
        folder: Where its log and its temporary files go.
        auth: Whether it checks signatures and policies. Without, any key does.
        without: The mends (`inside_ministack/mends.py`, MENDS) that are left out.
        retry_seconds: How long Lambda waits before it sends an event again (AWS: 60).
        variables: What its environment has besides, and that of every function with it.

    Yields:
        Its address, for every service.

    Raises:
        EmulatorError: It did not start.
    """
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    home = folder / f"ministack-{port}"
    home.mkdir(parents=True)
    environment = {
        **clean_environment(home),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "AUTH": "true" if auth else "false",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": str(retry_seconds),
        "SLOWSCHED_FUNCTION_PYTHON": str(FUNCTION_PYTHON),
        "SLOWSCHED_WITHOUT_MENDS": ",".join(without),
        **(variables or {}),
    }
    command = [str(PYTHON), str(LAUNCHER)]
    try:
        with running(
            command, environment=environment, log=folder / LOG, ready=lambda: answers(f"{endpoint}/_ministack/health")
        ):
            yield endpoint
    finally:
        # It leaves the folders of its functions behind.
        shutil.rmtree(home, ignore_errors=True)
