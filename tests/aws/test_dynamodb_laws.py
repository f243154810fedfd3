"""The store on DynamoDB keeps the laws of a store, whatever is done through two handles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws.tables import raw_client, shared_account, table_of
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from store_laws import Forgetful, KeepsTheLaws

from slowsched.store.dynamodb import DynamoStore

if TYPE_CHECKING:
    import pytest


class ForgetfulDynamo(Forgetful, DynamoStore):
    """The store on DynamoDB, some of whose answers get lost."""


def test_dynamodb(dynamodb_local_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a table of three buckets with pages of two rows."""
    account = shared_account(dynamodb_local_endpoint, monkeypatch)

    class DynamoKeepsTheLaws(KeepsTheLaws):
        """A table for each run."""

        def open_handles(self) -> tuple[Any, Any]:
            table = table_of(raw_client(dynamodb_local_endpoint), buckets=3)
            return ForgetfulDynamo(account, table, page_rows=2), ForgetfulDynamo(account, table, page_rows=2)

    run_state_machine_as_test(
        DynamoKeepsTheLaws,
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
