"""What a client of botocore sends, and answers that a test gives it in the service's place."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from botocore.client import BaseClient


def sent_by(client: BaseClient) -> list[tuple[str, dict[str, Any]]]:
    """Return a list that grows by every call of the client: its name, and all that it is given."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def note(*, params: dict[str, Any], model: Any, **_: object) -> None:
        calls.append((model.name, deepcopy(params)))  # botocore adds to them what it sends besides

    client.meta.events.register("provide-client-params", note)
    return calls


def answer_with(client: BaseClient, operation: str, errors: Iterable[tuple[int, str, str]]) -> None:
    """Let the next calls of an operation be answered with these errors (status, code, message), the rest as ever."""
    left = list(errors)

    def answer(*, request: Any, **_: object) -> AWSResponse | None:
        if not left:
            return None
        status, code, message = left.pop(0)
        body = json.dumps({"__type": code, "message": message, "Message": message}).encode()
        return _Answered(request.url, status, {"x-amzn-errortype": code}, body)

    client.meta.events.register_first(f"before-send.*.{operation}", answer)


class _Answered(AWSResponse):
    """An answer that has arrived already."""

    def __init__(self, url: str, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(url, status, headers, None)
        self._content = body
