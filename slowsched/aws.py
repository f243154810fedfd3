"""The way to an AWS account: clients, how long they try, what they used, and what their errors mean to a person.

Nothing here knows a row or a moment. Clients are made when first asked for, so that a command which needs
none does not wait for botocore.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from slowsched.aws_failures import explained
from slowsched.errors import BackendError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CALL_SECONDS", "CALL_TRIES", "PARALLEL_CALLS", "Account", "Usage", "aws_errors"]

# What a call may take: a silent backend is given up after CALL_TRIES times both time-outs and the rests between
# (at most 7 s), so that a command which needs an answer three times to end still ends within 90 seconds.
CALL_TRIES = 4
CALL_SECONDS = 5.0
_CONNECT_SECONDS = 3.0

PARALLEL_CALLS = 16  # of one client: writes of an apply, claims and outcomes of a wake

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was asked of AWS so far: requests of every service, and the capacity that DynamoDB says it consumed."""

    requests: int = 0
    read_units: float = 0.0
    write_units: float = 0.0


class Account:
    """The account and region that this process works in, by the credentials that it finds as every AWS tool does.

    `region` None: as the environment says. `expected_account` is checked before the first client is handed out.
    `call_seconds` is what one try of a call may take until it is answered. Several threads may share it, and its
    clients.
    """

    def __init__(
        self, *, region: str | None = None, expected_account: str | None = None, call_seconds: float = CALL_SECONDS
    ) -> None:
        self._region = region
        self._expected = expected_account
        self._call_seconds = call_seconds
        self._lock = Lock()
        self._count = Lock()
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._usage = Usage()
        self._answered: str | None = None

    @property
    def usage(self) -> Usage:
        """What was used so far."""
        return self._usage

    @property
    def answered(self) -> str | None:
        """The `Date` of the last answer, as its header says it: what time it is there."""
        return self._answered

    @property
    def region(self) -> str | None:
        """The region in use, None when nothing says which."""
        return self._region or self._boto_session().region_name

    def client(self, service: str) -> Any:
        """Return the client of a service, by its name in botocore (`dynamodb`, `events`, `scheduler`).

        Raises:
            UsageError: the credentials are of another account than the expected one.
            BotoCoreError, ClientError: it cannot be made; call it within `aws_errors`.
        """
        with self._lock:
            if self._expected is not None:
                self._check(self._expected)
                self._expected = None
            return self._made(service)

    def number(self) -> str:
        """Return the twelve digits of the account that the credentials belong to, as AWS says."""
        with self._lock:
            return str(self._made("sts").get_caller_identity()["Account"])

    def is_emulator(self) -> bool:
        """Say whether the endpoint of DynamoDB is on this machine, where nothing is real; nobody is asked.

        Raises:
            BackendError: the client cannot be made.
        """
        with self._lock, aws_errors(BackendError, "tell whether this is a real account"):
            return urlsplit(self._made("dynamodb").meta.endpoint_url).hostname in _LOOPBACK

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _check(self, expected: str) -> None:
        found = str(self._made("sts").get_caller_identity()["Account"])
        if found != expected:
            raise UsageError(
                f"the credentials belong to account {found}, and this environment expects {expected}",
                hint="use other credentials (AWS_PROFILE), or correct `expected_account` in slowsched.yaml",
            )

    def _boto_session(self) -> Any:
        if self._session is None:
            from boto3.session import Session  # noqa: PLC0415 - see the module's docstring

            self._session = Session(region_name=self._region)
        return self._session

    def _made(self, service: str) -> Any:
        client = self._clients.get(service)
        if client is None:
            from botocore.config import Config  # noqa: PLC0415 - see the module's docstring

            config = Config(
                retries={"mode": "standard", "total_max_attempts": CALL_TRIES},
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=self._call_seconds,
                max_pool_connections=PARALLEL_CALLS,
            )
            client = self._boto_session().client(service, config=config)
            client.meta.events.register(f"after-call.{client.meta.service_model.service_id.hyphenize()}", self._tally)
            self._clients[service] = client
        return client

    def _tally(self, *, model: Any, parsed: dict[str, Any], **_: object) -> None:
        consumed = parsed.get("ConsumedCapacity") or ()
        units = sum(each["CapacityUnits"] for each in (consumed if isinstance(consumed, list) else (consumed,)) if each)
        reads = model.name in _READS
        with self._count:
            self._answered = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", self._answered)
            self._usage = Usage(
                requests=self._usage.requests + 1,
                read_units=self._usage.read_units + (units if reads else 0.0),
                write_units=self._usage.write_units + (0.0 if reads else units),
            )


@contextmanager
def aws_errors(kind: type[BackendError], doing: str) -> Iterator[None]:
    """Let the caller see what botocore raises as an error of the store or the timer.

    `doing` says what could not be done, from the verb on: "read the table 'slowsched'".

    Raises:
        BackendError: of `kind`, with what happened and the way out.
    """
    try:
        yield
    except (BackendError, UsageError):
        raise
    except Exception as error:
        found = explained(error)
        if found is None:
            raise
        raise kind(f"cannot {doing}: {found.what}", hint=found.way_out) from error
