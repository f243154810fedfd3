"""The sample action: it changes the catalogue once a key, whoever else does so at the same time."""

from __future__ import annotations

import json
import logging
import multiprocessing
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from slowsched import Attempt, PermanentError
from worker import actions

DUE = datetime(2030, 1, 1, tzinfo=UTC)
SALE = {"itemID": "some item", "newPrice": 29.99, "salePercent": 50}
KEY = "local/some task id@2030-01-01T00:00:00Z#1"


def an_attempt(key=KEY):
    logger = logging.LoggerAdapter(logging.getLogger("test"))
    return Attempt(
        task_id="some task id",
        environment="local",
        number=1,
        idempotency_key=key,
        due=DUE,
        deadline=DUE,
        logger=logger,
    )


@pytest.fixture(name="catalogue")
def _catalogue(tmp_path, monkeypatch):
    path = tmp_path / "shelf" / "catalogue.json"
    monkeypatch.delenv("SLOWSCHED_CATALOGUE_TABLE", raising=False)
    monkeypatch.setenv("SLOWSCHED_CATALOGUE", str(path))
    return path


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_it_writes_the_price_into_the_catalogue(catalogue):
    """A sale makes the catalogue when there is none, with the price, the percent and the key."""
    assert actions.apply_sale(SALE, an_attempt()) == {"item": "some item", "price": 29.99, "changed": True}
    assert read(catalogue) == {
        "applied": {KEY: "some item"},
        "items": {"some item": {"price": 29.99, "salePercent": 50}},
    }


def test_the_same_key_changes_nothing_again(catalogue):
    """A second attempt of the same execution leaves every byte alone, whatever has changed since, and says so."""
    actions.apply_sale(SALE, an_attempt())
    actions.apply_sale(SALE | {"newPrice": 10}, an_attempt("another"))
    before = catalogue.read_bytes()
    assert actions.apply_sale(SALE, an_attempt()) == {"item": "some item", "price": 29.99, "changed": False}
    assert catalogue.read_bytes() == before


def test_what_else_the_catalogue_holds_stays(catalogue):
    """Other items, and what else is known of this one, are kept."""
    catalogue.parent.mkdir()
    items = {"some item": {"price": 60, "colour": "blué"}, "other": {"price": 1}}
    catalogue.write_text(json.dumps({"items": items, "currency": "EUR"}), encoding="utf-8")
    actions.apply_sale(SALE, an_attempt())
    assert read(catalogue) == {
        "applied": {KEY: "some item"},
        "currency": "EUR",
        "items": items | {"some item": {"price": 29.99, "salePercent": 50, "colour": "blué"}},
    }


def test_a_discontinued_item_is_not_put_on_sale(catalogue):
    """What no retry can mend is a PermanentError, and nothing is written."""
    catalogue.parent.mkdir()
    text = json.dumps({"items": {"some item": {"discontinued": True}}})
    catalogue.write_text(text, encoding="utf-8")
    with pytest.raises(PermanentError, match="'some item' is discontinued"):
        actions.apply_sale(SALE, an_attempt())
    assert catalogue.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_catalogue_is_left_alone(catalogue, text):
    """A file that is no catalogue fails the attempt, which names the file; it is not replaced."""
    catalogue.parent.mkdir()
    catalogue.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"catalogue\.json (is not JSON|holds no JSON object)"):
        actions.apply_sale(SALE, an_attempt())
    assert catalogue.read_text(encoding="utf-8") == text


def test_threads_at_once_lose_nothing(catalogue):
    """Each of many attempts at once leaves its mark."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: actions.apply_sale(SALE, an_attempt(f"key {number}")), range(48)))
    assert read(catalogue)["applied"] == {f"key {number}": "some item" for number in range(48)}


def _sell_some(start):
    for number in range(start, start + 10):
        actions.apply_sale(SALE, an_attempt(f"key {number}"))


def test_processes_at_once_lose_nothing(catalogue):
    """So do several processes; no scraps of files are left."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_sell_some, args=(start,)) for start in (0, 10, 20)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert read(catalogue)["applied"] == {f"key {number}": "some item" for number in range(30)}
    assert sorted(path.name for path in catalogue.parent.iterdir()) == ["catalogue.json", "catalogue.json.lock"]


def test_the_catalogue_is_beside_the_local_store_unless_named(tmp_path):
    """Copied into a repository, the sample keeps its catalogue in that repository's .slowsched folder."""
    shutil.copytree(Path(actions.__file__).parent, tmp_path / "worker")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from worker import catalogue\nprint(catalogue.catalogue_path())"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == str(tmp_path / ".slowsched" / "catalogue.json")
