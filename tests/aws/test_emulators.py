"""The emulators start, serve, and leave nothing behind; and MiniStack does what its mends say.

A mend is shown by what happens with it and without it.
"""

from __future__ import annotations

from emulators.fixtures import REGION, client, requires
from emulators.ministack import ministack


def test_ministack_serves(ministack_endpoint, boto):
    """MiniStack answers for DynamoDB, rules, schedules and functions at one address."""
    answers = [
        boto("dynamodb", ministack_endpoint).list_tables()["TableNames"],
        boto("events", ministack_endpoint).list_rules(NamePrefix="nobody's")["Rules"],
        boto("scheduler", ministack_endpoint).list_schedules(NamePrefix="nobodys")["Schedules"],
        boto("sts", ministack_endpoint).get_caller_identity()["Account"],
    ]

    assert answers == [[], [], [], "123456789012"]


def test_dynamodb_local_serves(dynamodb_local_endpoint, boto):
    """DynamoDB Local answers."""
    assert boto("dynamodb", dynamodb_local_endpoint).list_tables()["TableNames"] == []
