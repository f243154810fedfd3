"""Which rights a call of botocore needs, and whether policies give them, as IAM's documents have it.

Only what our policies use is understood; anything else in one is an error, so that nothing passes unread.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from emulators.fixtures import ACCOUNT, REGION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Need:
    """A right that a call needs; `passed_to` is the service that a role is passed to."""

    role: str
    action: str
    resource: str
    passed_to: str = ""


def needs(role: str, service: str, operation: str, given: Mapping[str, Any]) -> list[Need]:
    """Return the rights that a call needs, in the order of its parts."""
    return [
        Need(role=role, action=action, resource=resource, passed_to=passed_to)
        for action, resource, passed_to in _needs(service, operation, given)
    ]


def _needs(service: str, operation: str, given: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    match service:
        case "sts" if operation == "GetCallerIdentity":
            return  # everybody may
        case "dynamodb":
            yield from ((f"dynamodb:{action}", resource, "") for action, resource in _of_dynamodb(operation, given))
        case "events":
            rule = "*" if operation == "ListRuleNamesByTarget" else _arn("events", f"rule/{_rule(given)}")
            yield f"events:{operation}", rule, ""
        case "scheduler":
            yield f"scheduler:{operation}", _arn("scheduler", f"schedule/{given['GroupName']}/{given['Name']}"), ""
            if "Target" in given:
                yield "iam:PassRole", given["Target"]["RoleArn"], "scheduler.amazonaws.com"
        case "lambda":
            yield f"lambda:{operation}", _arn("lambda", f"function:{given['FunctionName'].rpartition(':')[2]}"), ""
        case "iam" if operation == "SimulatePrincipalPolicy":
            yield "iam:SimulatePrincipalPolicy", given["PolicySourceArn"], ""
        case _:
            raise ValueError(f"tests/aws/rights.py does not know what {service} {operation} needs")


def _of_dynamodb(operation: str, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if operation == "TransactWriteItems":
        for part, of in (entry for item in given["TransactItems"] for entry in item.items()):
            yield _TRANSACTION[part], _table(of["TableName"])
    elif operation == "BatchGetItem":
        yield from ((operation, _table(name)) for name in given["RequestItems"])
    else:
        index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
        yield operation, f"{_table(given['TableName'])}{index}"


def _rule(given: Mapping[str, Any]) -> str:
    return str(given.get("Rule") or given["Name"])


def _table(name: str) -> str:
    return _arn("dynamodb", f"table/{name}")


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Grant:
    """One action on one resource that a statement of a role's policies allows."""

    role: str
    sid: str
    action: str
    resource: str
    passed_to: str = ""

    def allows(self, need: Need) -> bool:
        """Say whether it is enough for a need."""
        return (
            self.role == need.role
            and fnmatchcase(need.action.lower(), self.action.lower())
            and fnmatchcase(need.resource, self.resource)
            and self.passed_to in {"", need.passed_to}
        )


def grants(role: str, document: Mapping[str, Any]) -> list[Grant]:
    """Return what a policy document allows.

    Raises:
        ValueError: it has something that is not understood here.
    """
    found = []
    for statement in document["Statement"]:
        unknown = statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}
        if unknown or statement["Effect"] != "Allow":
            raise ValueError(f"tests/aws/rights.py does not understand {statement}")
        passed_to = _passed_to(statement.get("Condition", {}))
        found += [
            Grant(role=role, sid=statement["Sid"], action=action, resource=resource, passed_to=passed_to)
            for action in _list(statement["Action"])
            for resource in _list(statement["Resource"])
        ]
    return found


def _passed_to(condition: Mapping[str, Any]) -> str:
    match condition:
        case {"StringEquals": {"iam:PassedToService": str(service), **others}, **more} if not others and not more:
            return service
        case _ if not condition:
            return ""
        case _:
            raise ValueError(f"tests/aws/rights.py does not understand the condition {condition}")


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
