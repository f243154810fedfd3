"""Mends of what is asked and answered: resources of rights, the interpreter of functions, descriptions of alarms."""

# ruff: noqa: SLF001 - private names are what there is to mend; reach.py lists them, and checks them first
from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from reach import module, scheduler_module, wrapped

if TYPE_CHECKING:
    from reach import Handler


def resources_are_named_as_on_aws() -> None:
    """Check rights on `rule/NAME`, `schedule/GROUP/NAME` and the role that is simulated, as AWS documents it.

    MiniStack asks for `rule/default/NAME` (for targets and simulations: for `*`), and knows no group but `default`.
    """
    actions = module("core.iam_actions")

    @wrapped(actions, "extract_resource_arn")
    def extract(inner: Handler, *request: Any) -> Any:
        service, _method, path, _headers, body, query, region, account = request
        if service == "events":
            return _rule_arn(body, region, account) or inner(*request)
        if service == "scheduler" and path.startswith("/schedules/"):
            group = _group(body, query)
            return f"arn:aws:scheduler:{region}:{account}:schedule/{group}/{path.split('/')[2]}"
        if service == "iam" and query.get("PolicySourceArn"):
            return _first(query["PolicySourceArn"])
        return inner(*request)


def schedules_need_their_role_passed() -> None:
    """Write a schedule only for who may pass the role of its target to EventBridge Scheduler."""
    scheduler, evaluator = scheduler_module(), module("core.iam_evaluator")
    scope = module("core.responses")

    @wrapped(scheduler, "handle_request")
    async def handle(inner: Handler, *request: Any) -> Any:
        method, _path, headers, body, query = request
        target = json.loads(body or b"{}").get("Target") or {}
        if os.environ.get("AUTH") == "true" and method in {"POST", "PUT"} and target.get("RoleArn"):
            denied = evaluator.enforce(
                module("core.router").extract_access_key_id(headers, query),
                *("iam:PassRole", "iam", scope.get_region()),
                resource_arn=target["RoleArn"],
                service_context={"iam:passedtoservice": "scheduler.amazonaws.com"},
            )
            if denied:
                who = getattr(denied, "principal_arn", "")
                said = module("core.iam_actions").identity_denial_message
                return scheduler._error(
                    403, "AccessDeniedException", said("iam:PassRole", who, target["RoleArn"], False)
                )
        return await inner(*request)


def refusals_name_the_resource() -> None:
    """Name the resource in a refusal by a policy of the caller's, as most services of AWS do."""
    actions = module("core.iam_actions")

    @wrapped(actions, "access_denied_response")
    def refuse(inner: Handler, service: str, action: str, who: str, request: str, **details: Any) -> Any:
        plain = not (details.get("message") or details.get("error_code") or details.get("resource_policy_arn"))
        if plain and details.get("resource_arn", "*") != "*":
            denied = details.get("explicit_deny", False)
            details["message"] = actions.identity_denial_message(action, who, details["resource_arn"], denied)
        return inner(service, action, who, request, **details)


def _rule_arn(body: bytes, region: str, account: str) -> str:
    """Return the ARN of the rule on the default bus that a request names, or nothing."""
    named = json.loads(body or b"{}")
    name = named.get("Rule") or (named.get("Name") if not named.get("EventSourceArn") else None)
    if not isinstance(name, str) or named.get("EventBusName", "default") != "default":
        return ""
    return f"arn:aws:events:{region}:{account}:rule/{name}"


def _group(body: bytes, query: dict[str, Any]) -> str:
    named = json.loads(body or b"{}").get("GroupName") or query.get("groupName") or "default"
    return _first(named)


def _first(value: Any) -> str:
    return str(value[0] if isinstance(value, list) else value)


def functions_have_an_interpreter_of_their_own() -> None:
    """Run Python functions where there is only what Lambda brings, not with all that MiniStack has installed."""
    runtime = module("core.lambda_runtime")
    python = os.environ.get("SLOWSCHED_FUNCTION_PYTHON")

    @wrapped(runtime, "_detect_runtime_binary")
    def detect(inner: Handler, name: str) -> tuple[str, str]:
        binary, script = inner(name)
        return (python if python and name.startswith("python") else binary), script


def alarms_are_described_whole() -> None:
    """Say all of an alarm in the older of CloudWatch's protocols, which Terraform's provider 3.39 speaks.

    Without, every plan of Terraform wants to change each alarm.
    """
    cloudwatch = module("services.cloudwatch")

    @wrapped(cloudwatch, "_describe_alarms")
    def describe(inner: Handler, params: Any, data: Any, is_cbor: Any, *more: Any) -> Any:
        answer = inner(params, data, is_cbor, *more)
        if is_cbor or any(more):
            return answer
        status, headers, body = answer
        text = body.decode() if isinstance(body, bytes) else body
        for name, alarm in cloudwatch._alarms.items():
            begin = f"<member><AlarmName>{name}</AlarmName>"
            text = text.replace(begin, begin + _left_out_of(alarm))
        return status, headers, text.encode()


def _left_out_of(alarm: dict[str, Any]) -> str:
    """Return as XML what the answer leaves out of an alarm."""
    single = ("AlarmDescription", "Statistic", "Period", "TreatMissingData")
    lists = ("AlarmActions", "OKActions", "InsufficientDataActions", "Dimensions")
    parts = [f"<ActionsEnabled>{str(alarm['ActionsEnabled']).lower()}</ActionsEnabled>"]
    parts += [f"<{key}>{escape(str(alarm[key]))}</{key}>" for key in single if alarm.get(key)]
    for key in lists:
        members = "".join(f"<member>{_xml_of(each)}</member>" for each in alarm.get(key) or ())
        parts.append(f"<{key}>{members}</{key}>")
    return "".join(parts)


def _xml_of(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{key}>{escape(str(each))}</{key}>" for key, each in value.items())
    return escape(str(value))
