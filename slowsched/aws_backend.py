"""Put a backend on AWS together: a DynamoDB table and a timer of EventBridge, for the command line and the function.

With `wiring` the only place that names concrete classes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from slowsched.backend import Backend
from slowsched.clock import chance, system_clock
from slowsched.store.base import new_write_id
from slowsched.store.dynamodb import DynamoStore
from slowsched.timer.rule import RuleTimer
from slowsched.timer.schedule import ScheduleTimer

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from slowsched.aws import Account
    from slowsched.timer.base import Timer
    from slowsched.timer.settings import TimerSettings

__all__ = ["aws_backend"]


def aws_backend(
    account: Account,
    *,
    table: str,
    timer: TimerSettings,
    environment: str,
    owner: str,
    clock: Callable[[], datetime] = system_clock,
    standing: bool = False,
) -> Backend:
    """Put together the backend of a table and its timer; nothing is called before it is used."""
    return Backend(
        environment=environment,
        owner=owner,
        store=DynamoStore(account, table),
        timer=_timer(account, timer),
        clock=clock,
        sleep=time.sleep,
        chance=chance,
        nonce=new_write_id,
        standing=standing,
    )


def _timer(account: Account, settings: TimerSettings) -> Timer:
    return ScheduleTimer(account, settings) if settings.kind == "schedule" else RuleTimer(account, settings)
