"""Repositories for the acceptance tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acceptance.shop import Shop

if TYPE_CHECKING:
    from pathlib import Path

RECORD_ACTION = '''\
"""One action, which leaves its idempotency key at the end of a file, in one write."""

import os
from pathlib import Path

from slowsched import Attempt, action

KEYS = Path(__file__).resolve().parents[1] / "keys.txt"


@action("RECORD")
def record(payload: dict, attempt: Attempt) -> None:
    file = os.open(KEYS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{attempt.idempotency_key}\\n".encode())
    os.close(file)
'''


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return a repository with the sample action, and no task."""
    shop = Shop(tmp_path / "shop")
    shop.write("slowsched.yaml", "version: 1\nowner: acme/shop\n")
    shop.take_from_project("schemas/actions/APPLY_SALE.schema.json", "worker/actions.py", "worker/catalogue.py")
    (shop.root / "tasks").mkdir()
    return shop


@pytest.fixture
def recording_shop(tmp_path: Path) -> Shop:
    """Return a repository with one action, RECORD, which appends its idempotency key to keys.txt."""
    shop = Shop(tmp_path / "recording")
    shop.write("slowsched.yaml", "version: 1\nowner: acme/shop\n")
    shop.write("schemas/actions/RECORD.schema.json", '{"type": "object"}\n')
    shop.write("worker/actions.py", RECORD_ACTION)
    (shop.root / "tasks").mkdir()
    return shop
