"""The IAM table: every call that was made is allowed, every right that is given is used, and docs/iam.md shows it.

The calls are those of the whole story (`story`), noted from botocore's events in each process; the policies are those
that Terraform has rendered. `SLOWSCHED_WRITE_EXPECTED=1 pytest tests/aws/test_iam.py` writes the document anew.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from emulators.fixtures import ACCOUNT, REGION, client
from emulators.parts import ROOT
from rights import Grant, Need, grants, needs
from story import KINDS, REFUSED

if TYPE_CHECKING:
    from story import Story

DOCUMENT = ROOT / "docs" / "iam.md"
ROLES = ("plan", "apply", "worker", "scheduler")

# What AWS itself does with a role, and no call of ours.
BY_AWS = {
    ("worker", "logs:CreateLogStream"): "Lambda, which writes the log of the function",
    ("worker", "logs:PutLogEvents"): "Lambda, which writes the log of the function",
    ("worker", "sqs:SendMessage"): "Lambda, which keeps the event of a wake that failed",
    ("scheduler", "lambda:InvokeFunction"): "EventBridge Scheduler, which wakes the function",
    ("scheduler", "sqs:SendMessage"): "EventBridge Scheduler, which keeps a wake that it could not deliver",
}

HEAD = """\
# What each role may do

Every right that the roles of [terraform/](../terraform/README.md) have, and who uses it. This page is written and held
by `tests/aws/test_iam.py`: it notes every call that the commands and the function make on the way of a task (deploy,
doctor, plan, apply, wake, and what goes wrong), and compares them with the policies that Terraform renders. A call
without a right fails the test, and so does a right without a call.

`NAME` is the name of the deployment, and `TABLE` its sample catalogue; `ACCOUNT` and `REGION` are where it is. *Timer*
says for which kind the right is given. Who may take on `plan` and `apply` is decided by the variables of the module.
`sts:GetCallerIdentity`, with which every command looks whose credentials it has, needs no right.
"""


@pytest.fixture(name="granted", scope="module")
def _granted(story) -> list[Grant]:
    """Every right that a role of the two deployments has."""
    return [
        grant
        for role, documents in story.policies.items()
        for document in documents
        for grant in grants(role, document)
    ]


@pytest.fixture(name="needed", scope="module")
def _needed(story) -> dict[Need, set[str]]:
    """Every right that a call needed, and what the process was doing."""
    return needed_by(story)


def needed_by(story: Story) -> dict[Need, set[str]]:
    found: dict[Need, set[str]] = {}
    for role, doing, service, operation, given in story.calls:
        if role != REFUSED and not role.startswith(story.bad.name):
            for need in needs(role, service, operation, given):
                found.setdefault(need, set()).add(doing)
    return found


def test_every_call_is_allowed(granted, needed):
    """No call was made that the role's policies do not allow, whatever the emulator says to it."""
    assert {need.role for need in needed} == {f"by-{kind}-{role}" for kind in KINDS for role in ROLES[:3]}
    assert [need for need in sorted(needed) if not any(grant.allows(need) for grant in granted)] == []


def test_every_right_is_used(granted, needed):
    """Each action on each resource of each statement is needed by a call, or by AWS itself for a reason given here."""
    unused = [grant for grant in sorted(granted) if not any(grant.allows(need) for need in needed)]
    assert {(grant.role.split("-")[2], grant.action) for grant in unused} == BY_AWS.keys()


def test_the_document_shows_it(granted, needed):
    """docs/iam.md is what was found."""
    text = document(granted, needed)
    if os.environ.get("SLOWSCHED_WRITE_EXPECTED"):
        DOCUMENT.write_text(text, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == text


def document(granted: list[Grant], needed: dict[Need, set[str]]) -> str:
    """Return the page: for each role a table of actions, resources, kinds of timer, and who uses the right."""
    lines = [HEAD]
    for role in ROLES:
        lines += [f"## {role}", "", "| action | resource | timer | used by |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in _rows(role, granted, needed)]
        lines.append("")
    return "\n".join(lines)


def _rows(role: str, granted: list[Grant], needed: dict[Need, set[str]]) -> list[tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for grant in granted:
        _, kind, own = grant.role.split("-")
        if own == role:
            kinds, users = found.setdefault((_action(grant), _general(grant.resource, kind)), (set(), set()))
            kinds.add(kind)
            users |= {each for need, doing in needed.items() if grant.allows(need) for each in doing}
            users |= {BY_AWS[role, grant.action]} if (role, grant.action) in BY_AWS else set()
    return [
        (action, f"`{resource}`", " and ".join(sorted(kinds)), ", ".join(sorted(_shown(each) for each in users)))
        for (action, resource), (kinds, users) in sorted(found.items())
    ]


def _action(grant: Grant) -> str:
    return f"`{grant.action}`" + (f", to `{grant.passed_to}` only" if grant.passed_to else "")


def _shown(user: str) -> str:
    return user if " " in user else f"`{user}`"


def _general(resource: str, kind: str) -> str:
    named = resource.replace(f"by-{kind}-catalogue", "TABLE").replace(f"by-{kind}", "NAME")
    return named.replace(ACCOUNT, "ACCOUNT").replace(REGION, "REGION")


# --- and the emulator agrees -----------------------------------------------------------------------


def refused(call: Any, **given: Any) -> str:
    """Return what a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**given)
    return f"{caught.value.response['Error']['Code']}: {caught.value.response['Error']['Message']}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", ["plan", "apply"])
def test_neither_role_invokes_the_function_or_deletes_the_table(story, kind, role):
    """What an apply does not need it is refused, by the policies alone."""
    stack = story.told[kind].stack
    own = dict(zip(("key", "secret", "token"), stack.credentials(role).values(), strict=True))
    who = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/by-{kind}-{role}/{role} is not authorized to perform: "
    functions, tables = (client(service, stack.endpoint, **own) for service in ("lambda", "dynamodb"))
    answers = [
        refused(functions.invoke, FunctionName=f"by-{kind}-worker"),
        refused(tables.delete_table, TableName=f"by-{kind}"),
    ]
    assert answers == [
        f"AccessDeniedException: {who}{action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
        for action, resource in (
            ("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:by-{kind}-worker"),
            ("dynamodb:DeleteTable", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/by-{kind}"),
        )
    ]


def test_the_worker_has_only_its_role(story):
    """The function that ran every task has no other rights: without its policy a wake fails, and says what it lacks."""
    stack = story.bad
    stack.client("iam").delete_role_policy(RoleName=f"{stack.name}-worker", PolicyName="worker")
    answer = stack.client("lambda").invoke(FunctionName=f"{stack.name}-worker", Payload=b"{}")
    text = answer["Payload"].read().decode()
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{stack.name}"
    assert (answer.get("FunctionError"), f"may not dynamodb:GetItem on {table}" in text) == ("Unhandled", True), text
