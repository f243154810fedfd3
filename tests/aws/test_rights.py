"""What tests/aws/rights.py makes of calls and policies: a check that could not fail would hold nothing."""

from __future__ import annotations

import pytest
from rights import Grant, Need, grants, needs

TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table/shop"
ROLE = "arn:aws:iam::123456789012:role/shop-scheduler"
SCHEDULE = "arn:aws:scheduler:eu-central-1:123456789012:schedule/shop/shop-wake"
TO_SCHEDULER = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}


def statement(**overrides):
    return {"Sid": "Read", "Effect": "Allow", "Action": "dynamodb:Query", "Resource": TABLE} | overrides


@pytest.mark.parametrize(
    ("service", "operation", "given", "expected"),
    [
        ("sts", "GetCallerIdentity", {}, []),
        ("dynamodb", "Query", {"TableName": "shop"}, [("dynamodb:Query", TABLE, "")]),
        (
            "dynamodb",
            "Query",
            {"TableName": "shop", "IndexName": "agenda"},
            [("dynamodb:Query", f"{TABLE}/index/agenda", "")],
        ),
        ("dynamodb", "BatchGetItem", {"RequestItems": {"shop": {}}}, [("dynamodb:BatchGetItem", TABLE, "")]),
        (
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"TableName": "shop"}}, {"Update": {"TableName": "shop"}}]},
            [("dynamodb:PutItem", TABLE, ""), ("dynamodb:UpdateItem", TABLE, "")],
        ),
        (
            "scheduler",
            "UpdateSchedule",
            {"GroupName": "shop", "Name": "shop-wake", "Target": {"RoleArn": ROLE}},
            [("scheduler:UpdateSchedule", SCHEDULE, ""), ("iam:PassRole", ROLE, "scheduler.amazonaws.com")],
        ),
    ],
)
def test_a_call_needs_rights(service, operation, given, expected):
    """Each part of a call needs its own, on the resource that it names."""
    found = needs("a role", service, operation, given)
    assert [(each.role, each.action, each.resource, each.passed_to) for each in found] == [
        ("a role", *each) for each in expected
    ]


def test_a_call_that_is_not_known_is_an_error():
    """A new call has to be understood before it can be held."""
    with pytest.raises(ValueError, match="s3 PutObject"):
        needs("a role", "s3", "PutObject", {})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"role": "another"}, False),
        ({"action": "dynamodb:PutItem"}, False),
        ({"resource": f"{TABLE}/index/agenda"}, False),
        ({"resource": TABLE.replace("shop", "other")}, False),
    ],
)
def test_a_right_is_for_one_role_action_and_resource(changes, expected):
    """Nothing else is allowed by it."""
    (grant,) = grants("a role", {"Statement": [statement()]})
    need = Need(**({"role": "a role", "action": "dynamodb:Query", "resource": TABLE} | changes))
    assert grant.allows(need) is expected


@pytest.mark.parametrize(("passed_to", "expected"), [("scheduler.amazonaws.com", True), ("ec2.amazonaws.com", False)])
def test_a_role_is_passed_to_one_service_only(passed_to, expected):
    """The condition on iam:PassRole counts."""
    (grant,) = grants(
        "a role", {"Statement": [statement(Action="iam:PassRole", Resource=ROLE, Condition=TO_SCHEDULER)]}
    )
    assert grant == Grant(
        role="a role", sid="Read", action="iam:PassRole", resource=ROLE, passed_to="scheduler.amazonaws.com"
    )
    assert grant.allows(Need(role="a role", action="iam:PassRole", resource=ROLE, passed_to=passed_to)) is expected


@pytest.mark.parametrize(
    "overrides",
    [
        {"Effect": "Deny"},
        {"NotResource": "*"},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com", "aws:PrincipalTag/a": "b"}}},
    ],
)
def test_a_policy_that_is_not_understood_is_an_error(overrides):
    """Nothing in a policy is passed over."""
    with pytest.raises(ValueError, match="does not understand"):
        grants("a role", {"Statement": [statement(**overrides)]})
