"""Mends of how what fires reaches a function, and of what becomes of an event that does not."""

# ruff: noqa: SLF001 - private names are what there is to mend; reach.py lists them, and checks them first
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reach import events_module, module, wrapped

if TYPE_CHECKING:
    from reach import Handler


def functions_are_invoked_asynchronously() -> None:
    """Hand the event of a rule or a schedule to Lambda's queue, which tries again and has a failure destination."""
    events, functions = events_module(), module("services.lambda_svc")

    @wrapped(events, "_dispatch_to_lambda")
    def dispatch(_inner: Handler, arn: str, payload: str) -> None:
        function, config, _name = functions._get_func_record_for_ref(arn)
        if function and config:
            record = functions._execution_record_for_config(function, config)
            functions.invoke_async_with_retry(record, json.loads(payload))


def targets_need_a_permission() -> None:
    """Invoke a function only with the right to: its own policy for a rule, the target's role for a schedule.

    What may not be delivered goes to the target's dead-letter queue, if that may be written, and is not tried again.
    """
    events = events_module()

    @wrapped(events, "_invoke_target")
    def invoke(
        inner: Handler, target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None
    ) -> None:
        refusal = _refusal(target, rule)
        if not refusal:
            inner(target, event, rule, view)
            return
        events.logger.warning("%s does not reach %s: %s", rule["Arn"], target["Arn"], refusal)
        body = target.get("Input") or json.dumps((view or events._pattern_event_view(event)).event_with_detail())
        _dead_letter(target, rule, body, refusal)


def _refusal(target: dict[str, Any], rule: dict[str, Any]) -> str:
    """Return AWS's code for why a target may not be reached, or nothing."""
    if ":lambda:" not in target.get("Arn", ""):
        return ""
    functions = module("services.lambda_svc")
    function, _config, _name = functions._get_func_record_for_ref(target["Arn"])
    if not function:
        return "NO_RESOURCE"
    if ":scheduler:" in rule["Arn"]:
        allowed = _scheduler_may(target, rule, "lambda:InvokeFunction", target["Arn"])
    else:
        allowed = _policy_allows(function["policy"], "lambda:InvokeFunction", target["Arn"], rule["Arn"])
    return "" if allowed else "NO_PERMISSIONS"


def _context(action: str, resource: str, source: str) -> Any:
    evaluator, scope = module("core.iam_evaluator"), module("core.responses")
    return evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region=scope.get_region(),
        service_context={"aws:sourcearn": source, "aws:sourceaccount": scope.get_account_id()},
    )


def _policy_allows(policy: Any, action: str, resource: str, source: str) -> bool:
    """Say whether a resource's policy lets EventBridge act for a rule."""
    evaluate = module("core.iam_evaluator").evaluate_resource_policy
    answer = evaluate(policy, _context(action, resource, source), service="events.amazonaws.com")
    return bool(answer.decision == "Allow")


def _scheduler_may(target: dict[str, Any], schedule: dict[str, Any], action: str, resource: str) -> bool:
    """Say whether a schedule may do something with the role of its target, which may trust its group alone."""
    scope = module("core.responses")
    group = f"arn:aws:scheduler:{scope.get_region()}:{scope.get_account_id()}:schedule-group/{schedule['GroupName']}"
    return _role_allows(target.get("RoleArn", ""), "scheduler", action, resource, source=group)


def _role_allows(role_arn: str, service: str, action: str, resource: str, *, source: str = "") -> bool:
    """Say whether a role trusts a service that acts for a source, and may do something."""
    evaluator, scope = module("core.iam_evaluator"), module("core.responses")
    name = role_arn.rsplit("/", 1)[-1]
    role = module("services.iam")._roles.get_scoped(scope.get_account_id(), None, name)
    if not role:
        return False
    trusted = evaluator.evaluate_resource_policy(
        _with_any_resource(role["AssumeRolePolicyDocument"]),
        _context("sts:AssumeRole", role_arn, source),
        service=f"{service}.amazonaws.com",
    )
    policies = evaluator._gather_role_policies(name, scope.get_account_id())
    allowed = evaluator.evaluate(_context(action, resource, ""), policies)
    return bool(trusted.decision == "Allow" and allowed.decision == "Allow")


def _with_any_resource(trust: Any) -> dict[str, Any]:
    """Return a trust policy as a policy of a resource: its statements name none, the role itself is meant."""
    document = json.loads(trust) if isinstance(trust, str) else trust
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    return {"Statement": [{"Resource": "*", **each} for each in statements]}


def _dead_letter(target: dict[str, Any], rule: dict[str, Any], body: str, code: str) -> None:
    events, queues = events_module(), module("services.sqs")
    arn = (target.get("DeadLetterConfig") or {}).get("Arn", "")
    queue = queues._queue_by_arn(arn) if arn else None
    if queue is None:
        return
    if ":scheduler:" in rule["Arn"]:
        allowed = _scheduler_may(target, rule, "sqs:SendMessage", arn)
    else:
        allowed = _policy_allows(queue["attributes"].get("Policy"), "sqs:SendMessage", arn, rule["Arn"])
    if not allowed:
        events.logger.warning("%s may not write to %s", rule["Arn"], arn)
        return
    events._dispatch_to_sqs(module("core.arn").parse_arn(arn), body)
    attributes = {"RULE_ARN": rule["Arn"], "TARGET_ARN": target["Arn"], "ERROR_CODE": code}
    queue["messages"][-1]["message_attributes"] = {
        key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()
    }


def destinations_need_a_right() -> None:
    """Write to the destination of failed events only with the right of the function's role."""
    functions = module("services.lambda_svc")

    @wrapped(functions, "_route_async_failure")
    def route(inner: Handler, destination: str, name: str, event: Any, result: Any) -> None:
        action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}.get(destination.split(":")[2])
        role = functions._functions.get(name, {}).get("config", {}).get("Role", "")
        if action is None or _role_allows(role, "lambda", action, destination):
            inner(destination, name, event, result)
        else:
            functions.logger.warning("%s may not %s at %s", role, action, destination)
