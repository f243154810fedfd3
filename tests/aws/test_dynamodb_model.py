"""DynamoDB against memory: whatever is done to both, both answer the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws.tables import raw_client, shared_account, table_of
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from store_model import LikeMemory

from slowsched.store.dynamodb import DynamoStore

if TYPE_CHECKING:
    import pytest

    from slowsched.store.base import Store


def test_dynamodb_is_like_memory(dynamodb_local_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a table of three buckets with pages of two rows, after any steps."""
    account = shared_account(dynamodb_local_endpoint, monkeypatch)

    class DynamoIsLikeMemory(LikeMemory):
        """A table for each run."""

        def open_store(self) -> Store:
            return DynamoStore(account, table_of(raw_client(dynamodb_local_endpoint), buckets=3), page_rows=2)

    run_state_machine_as_test(
        DynamoIsLikeMemory,
        settings=settings(
            max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
