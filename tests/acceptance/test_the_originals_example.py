"""The document that inovex/cloudwatch-scheduler shows in its README, byte for byte, as a task file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acceptance.shop import Shop

ORIGINAL = (
    '{"id": "some task id", "due": "2020-12-31T00:00:00Z", "action": "APPLY_SALE", '
    '"payload": {"itemID": "some item", "newPrice": 29.99, "salePercent": 50}}'
)
AHEAD = ORIGINAL.replace("2020", "2120")
OTHER = """\
id: another task
due: 2120-06-01T08:00:00Z
action: APPLY_SALE
payload: {itemID: other item, newPrice: 5, salePercent: 10}
"""


def test_it_is_a_valid_task_file_as_it_stands(shop: Shop) -> None:
    """The original's document passes validate, byte for byte."""
    shop.write("tasks/original.json", ORIGINAL)
    assert shop.document("validate") == {"format_version": "1.0", "files": 1, "tasks": 1, "problems": []}


def test_its_past_due_is_late_and_the_plan_says_what_to_do(shop: Shop) -> None:
    """A due in the past is late: status 1, the two ways out are named, and nothing has been written."""
    shop.write("tasks/original.json", ORIGINAL)
    words = shop.run("plan")
    assert (words.status, words.stderr) == (1, "")
    for said in ("some task id", "tasks/original.json:1", "late", "--late run", "--late skip"):
        assert said in words.stdout
    plan = shop.document("plan", status=1)
    assert [(change["id"], change["kind"]) for change in plan["changes"]] == [("some task id", "late")]
    assert not shop.database.exists()


def test_a_late_task_blocks_no_other(shop: Shop) -> None:
    """Apply writes the other task, names the late one, and ends with 6; so does the second apply."""
    shop.write("tasks/original.json", ORIGINAL)
    shop.write("tasks/other.yaml", OTHER)
    first = shop.document("apply", "--yes", status=6)
    assert (first["status"], {each["id"]: each["result"] for each in first["results"]}) == (
        "partial",
        {"some task id": "late", "another task": "applied"},
    )
    assert first["timer"]["armed"] == "2120-06-01T08:00:00Z"
    second = shop.document("apply", "--yes", status=6)
    assert {each["id"]: each["result"] for each in second["results"]} == {"some task id": "late"}
    assert list(shop.rows()) == ["another task"]


def test_it_is_recorded_as_missed_on_request(shop: Shop) -> None:
    """`--late skip` records it as missed; the next plan has nothing to do."""
    shop.write("tasks/original.json", ORIGINAL)
    shop.document("apply", "--yes", "--late", "skip")
    assert shop.document("show", "some task id")["state"] == "missed"
    assert shop.document("plan", "--detailed-exitcode")["changes"] == []


def test_it_runs_late_on_request(shop: Shop) -> None:
    """`--late run` schedules it at once; the next wake gives the item its price."""
    shop.write("tasks/original.json", ORIGINAL)
    shop.document("apply", "--yes", "--late", "run")
    attempts = shop.document("worker")["attempts"]
    assert [(each["id"], each["outcome"]) for each in attempts] == [("some task id", "succeeded")]
    assert _price(shop, "some item") == 29.99


def test_with_its_due_ahead_it_goes_all_the_way(shop: Shop) -> None:
    """Moved to a year ahead: validate, plan, apply, the wake at its due, and the item has its price."""
    shop.write("tasks/original.json", AHEAD)
    assert shop.document("validate")["problems"] == []
    changes = shop.document("plan", "--detailed-exitcode", status=2)["changes"]
    assert [(each["id"], each["kind"], each["notes"]) for each in changes] == [("some task id", "create", [])]
    assert changes[0]["after"]["payload"] == {"itemID": "some item", "newPrice": 29.99, "salePercent": 50}
    assert shop.document("apply", "--yes")["status"] == "applied"
    assert shop.document("worker", "--fakenow", "2120-12-30T23:59:59Z")["attempts"] == []
    wake = shop.document("worker", "--fakenow", "2120-12-31T00:00:00Z")
    assert [(each["id"], each["outcome"], each["late_seconds"]) for each in wake["attempts"]] == [
        ("some task id", "succeeded", 0)
    ]
    assert _price(shop, "some item") == 29.99
    assert shop.document("show", "some task id")["state"] == "succeeded"
    assert shop.document("plan", "--detailed-exitcode")["changes"] == []


def _price(shop: Shop, item: str) -> float:
    catalogue = json.loads((shop.root / ".slowsched" / "catalogue.json").read_text(encoding="utf-8"))
    price: float = catalogue["items"][item]["price"]
    return price
