"""This team's actions: what a task does when its moment has come. Copy the shape of `apply_sale` for yours.

An action is called at least once, and may be called again after a crash or a time-out: it makes its effect
and the record of `attempt.idempotency_key` one step, and does nothing when it finds the key recorded.
An exception is a failed attempt, which is retried; `PermanentError` is for what no retry can mend. What an
action returns (JSON, up to 1 KB) becomes the outcome's message. The payload has already passed the action's
schema, schemas/actions/APPLY_SALE.schema.json.
"""

from __future__ import annotations

from typing import Any, TypedDict

from slowsched import Attempt, action

from . import catalogue


class Sale(TypedDict):
    """The payload of APPLY_SALE."""

    itemID: str
    newPrice: float
    salePercent: float


@action("APPLY_SALE")
def apply_sale(payload: Sale, attempt: Attempt) -> dict[str, Any]:
    """Write the item's new price and sale percent into the catalogue.

    Returns the item, its price, and whether this attempt changed it.

    Raises:
        PermanentError: the catalogue says that the item is discontinued.
        ValueError: the catalogue is damaged; somebody may mend it, so the attempt is retried.
    """
    changed = catalogue.put_on_sale(
        payload["itemID"], price=payload["newPrice"], percent=payload["salePercent"], key=attempt.idempotency_key
    )
    attempt.logger.info("%s: price %s, changed: %s", payload["itemID"], payload["newPrice"], changed)
    return {"item": payload["itemID"], "price": payload["newPrice"], "changed": changed}
