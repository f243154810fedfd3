"""Where MiniStack 1.5.33 differs from AWS, and matters to us: each difference mended, by name.

Run by the Python of `.emulators/`, inside MiniStack's process. It reaches for private names, which is why the version
is pinned; a name that is gone stops the start with a message. Nothing here makes MiniStack kinder than AWS.
"""

# ruff: noqa: SLF001 - private names are what there is to mend; KNOWN lists them, and is checked first
from __future__ import annotations

import functools
import importlib
import json
import os
import threading
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    Handler = Callable[..., Any]

VERSION = "1.5.33"
TICK_SECONDS = 0.5
DONE = 200  # HTTP's

# Every name that the mends reach for, by module.
KNOWN: dict[str, tuple[str, ...]] = {
    "core.arn": ("parse_arn",),
    "core.iam_actions": ("access_denied_response", "extract_resource_arn", "identity_denial_message"),
    "core.iam_evaluator": ("EvalContext", "_gather_role_policies", "evaluate", "evaluate_resource_policy"),
    "core.lambda_runtime": ("_detect_runtime_binary",),
    "core.responses": ("get_account_id", "get_region"),
    "services.cloudwatch": ("_alarms", "_describe_alarms"),
    "services.eventbridge": (
        *("_SCHEDULER_TICK_INTERVAL", "_delete_rule", "_dispatch_to_lambda", "_dispatch_to_sqs", "_enable_rule"),
        *("_invoke_target", "_now_ts", "_pattern_event_view", "_put_rule", "_rule_key", "_rule_last_fired", "_rules"),
        "_tick_scheduled_rules",
    ),
    "services.iam": ("_roles",),
    "services.lambda_svc": (
        *("_execution_record_for_config", "_functions", "_get_func_record_for_ref", "_route_async_failure"),
        "invoke_async_with_retry",
    ),
    "services.scheduler": (
        *("_SCHEDULE_TICK_INTERVAL", "_at_time_epoch", "_create_schedule", "_schedule_last_fired", "_tick_schedules"),
        "_update_schedule",
    ),
    "services.sqs": ("_queue_by_arn",),
}

# A look at the clock and a write of a rule do not overlap: a moment that has come fires before it is replaced.
CLOCK = threading.RLock()


class MendError(Exception):
    """MiniStack is not as these mends know it."""


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"ministack.{name}")


def _replace(module: ModuleType, name: str, make: Callable[[Any], Any]) -> None:
    setattr(module, name, make(getattr(module, name)))


def _wrapped(module: ModuleType, name: str) -> Callable[[Handler], Handler]:
    """Return a decorator: the function under it takes the place of another, which is its first argument."""

    def place(wrapper: Handler) -> Handler:
        _replace(module, name, lambda inner: functools.wraps(inner)(functools.partial(wrapper, inner)))
        return wrapper

    return place


# --- rules -----------------------------------------------------------------------------------------


def quick_clock() -> None:
    """Look at the clock twice a second, not every ten seconds."""
    for module, name in ((_events(), "_SCHEDULER_TICK_INTERVAL"), (_scheduler(), "_SCHEDULE_TICK_INTERVAL")):
        _replace(module, name, lambda _seconds: TICK_SECONDS)


def rules_count_from_their_put() -> None:
    """Fire at the moments after a put, and never at one before it.

    A new rule counted from the first look at the clock, and lost a minute that came before that. A rule that was put to
    a minute that has passed fired at once. On AWS the first fires, and the second never does.
    """
    events = _events()
    last_fired = events._rule_last_fired

    def from_now(data: dict[str, Any]) -> None:
        key = events._rule_key(data.get("Name"), data.get("EventBusName", "default"))
        rule = events._rules.get(key)
        if rule and rule["ScheduleExpression"].startswith("cron("):
            last_fired[(events.get_account_id(), events.get_region(), key)] = events._now_ts()

    for name in ("_put_rule", "_enable_rule"):

        @_wrapped(events, name)
        def change(inner: Handler, data: dict[str, Any]) -> Any:
            with CLOCK:
                events._tick_scheduled_rules()
                answer = inner(data)
                from_now(data)
            return answer

    @_wrapped(events, "_delete_rule")
    def delete(inner: Handler, data: dict[str, Any]) -> Any:
        with CLOCK:
            events._tick_scheduled_rules()
            key = events._rule_key(data.get("Name"), data.get("EventBusName", "default"))
            last_fired.pop((events.get_account_id(), events.get_region(), key), None)
            return inner(data)

    @_wrapped(events, "_tick_scheduled_rules")
    def tick(inner: Handler) -> None:
        with CLOCK:
            inner()


def puts_replace_everything() -> None:
    """Reset what a put of a rule leaves out, and take no tags for a rule that is there."""
    events = _events()

    @_wrapped(events, "_put_rule")
    def put(inner: Handler, data: dict[str, Any]) -> Any:
        known = events._rule_key(data.get("Name"), data.get("EventBusName", "default")) in events._rules
        whole = {"State": "ENABLED", "Description": "", "RoleArn": "", **data}
        return inner({**whole, "Tags": []} if known else whole)


# --- schedules -------------------------------------------------------------------------------------


def schedules_can_be_set_again() -> None:
    """Fire a one-time schedule once for each time that it is set, and never at a moment that has passed.

    It fired once in its life, and at once where its moment had passed.
    """
    scheduler = _scheduler()
    last_fired = scheduler._schedule_last_fired

    def from_now(name: str, body: dict[str, Any]) -> None:
        key = f"{body.get('GroupName', 'default')}/{name}"
        place = (scheduler.get_account_id(), scheduler.get_region(), key)
        moment = scheduler._at_time_epoch(body.get("ScheduleExpression", ""))
        last_fired.pop(place, None)
        if moment is not None and moment <= scheduler.time.time():
            last_fired[place] = scheduler.time.time()

    for function in ("_create_schedule", "_update_schedule"):

        @_wrapped(scheduler, function)
        def change(inner: Handler, name: str, body: dict[str, Any]) -> Any:
            with CLOCK:
                scheduler._tick_schedules()
                answer = inner(name, body)
                if answer[0] == DONE:
                    from_now(name, body)
            return answer

    @_wrapped(scheduler, "_tick_schedules")
    def tick(inner: Handler) -> None:
        with CLOCK:
            inner()


# --- targets ---------------------------------------------------------------------------------------


def functions_are_invoked_asynchronously() -> None:
    """Hand the event of a rule or a schedule to Lambda's queue, which tries again and has a failure destination."""
    events, functions = _events(), _module("services.lambda_svc")

    @_wrapped(events, "_dispatch_to_lambda")
    def dispatch(_inner: Handler, arn: str, payload: str) -> None:
        function, config, _name = functions._get_func_record_for_ref(arn)
        if function and config:
            record = functions._execution_record_for_config(function, config)
            functions.invoke_async_with_retry(record, json.loads(payload))


def targets_need_a_permission() -> None:
    """Invoke a function only with the right to: its own policy for a rule, the target's role for a schedule.

    What may not be delivered goes to the target's dead-letter queue, if that may be written, and is not tried again.
    """
    events = _events()

    @_wrapped(events, "_invoke_target")
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
    functions = _module("services.lambda_svc")
    function, _config, _name = functions._get_func_record_for_ref(target["Arn"])
    if not function:
        return "NO_RESOURCE"
    if ":scheduler:" in rule["Arn"]:
        allowed = _role_allows(target.get("RoleArn", ""), "scheduler", "lambda:InvokeFunction", target["Arn"])
    else:
        allowed = _policy_allows(function["policy"], "lambda:InvokeFunction", target["Arn"], rule["Arn"])
    return "" if allowed else "NO_PERMISSIONS"


def _context(action: str, resource: str, source: str) -> Any:
    evaluator, scope = _module("core.iam_evaluator"), _module("core.responses")
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
    evaluate = _module("core.iam_evaluator").evaluate_resource_policy
    answer = evaluate(policy, _context(action, resource, source), service="events.amazonaws.com")
    return bool(answer.decision == "Allow")


def _role_allows(role_arn: str, service: str, action: str, resource: str) -> bool:
    """Say whether a role trusts a service, and may do something."""
    evaluator, scope = _module("core.iam_evaluator"), _module("core.responses")
    name = role_arn.rsplit("/", 1)[-1]
    role = _module("services.iam")._roles.get_scoped(scope.get_account_id(), None, name)
    if not role:
        return False
    trust = role.get("AssumeRolePolicyDocument")
    context = _context("sts:AssumeRole", "*", "")
    trusted = evaluator.evaluate_resource_policy(_with_any_resource(trust), context, service=f"{service}.amazonaws.com")
    policies = evaluator._gather_role_policies(name, scope.get_account_id())
    allowed = evaluator.evaluate(_context(action, resource, ""), policies)
    return bool(trusted.decision == "Allow" and allowed.decision == "Allow")


def _with_any_resource(trust: Any) -> dict[str, Any]:
    """Return a trust policy as a policy of a resource: its statements name none, the role itself is meant.

    Conditions on who asks are left out: they name the schedule's group, which the evaluator is not told.
    """
    document = json.loads(trust) if isinstance(trust, str) else trust
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    kept = [{key: value for key, value in each.items() if key != "Condition"} for each in statements]
    return {"Statement": [{"Resource": "*", **each} for each in kept]}


def _dead_letter(target: dict[str, Any], rule: dict[str, Any], body: str, code: str) -> None:
    events, queues = _events(), _module("services.sqs")
    arn = (target.get("DeadLetterConfig") or {}).get("Arn", "")
    queue = queues._queue_by_arn(arn) if arn else None
    if queue is None:
        return
    if ":scheduler:" in rule["Arn"]:
        allowed = _role_allows(target.get("RoleArn", ""), "scheduler", "sqs:SendMessage", arn)
    else:
        allowed = _policy_allows(queue["attributes"].get("Policy"), "sqs:SendMessage", arn, rule["Arn"])
    if not allowed:
        events.logger.warning("%s may not write to %s", rule["Arn"], arn)
        return
    events._dispatch_to_sqs(_module("core.arn").parse_arn(arn), body)
    attributes = {"RULE_ARN": rule["Arn"], "TARGET_ARN": target["Arn"], "ERROR_CODE": code}
    queue["messages"][-1]["message_attributes"] = {
        key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()
    }


def destinations_need_a_right() -> None:
    """Write to the destination of failed events only with the right of the function's role."""
    functions = _module("services.lambda_svc")

    @_wrapped(functions, "_route_async_failure")
    def route(inner: Handler, destination: str, name: str, event: Any, result: Any) -> None:
        action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}.get(destination.split(":")[2])
        role = functions._functions.get(name, {}).get("config", {}).get("Role", "")
        if action is None or _role_allows(role, "lambda", action, destination):
            inner(destination, name, event, result)
        else:
            functions.logger.warning("%s may not %s at %s", role, action, destination)


# --- rights ----------------------------------------------------------------------------------------


def resources_are_named_as_on_aws() -> None:
    """Check rights on `rule/NAME`, `schedule/GROUP/NAME` and the role that is simulated, as AWS documents it.

    MiniStack asks for `rule/default/NAME` (for targets and simulations: for `*`), and knows no group but `default`.
    """
    actions = _module("core.iam_actions")

    @_wrapped(actions, "extract_resource_arn")
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


def refusals_name_the_resource() -> None:
    """Name the resource in a refusal by a policy of the caller's, as most services of AWS do."""
    actions = _module("core.iam_actions")

    @_wrapped(actions, "access_denied_response")
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


# --- functions -------------------------------------------------------------------------------------


def functions_have_an_interpreter_of_their_own() -> None:
    """Run Python functions where there is only what Lambda brings, not with all that MiniStack has installed."""
    runtime = _module("core.lambda_runtime")
    python = os.environ.get("SLOWSCHED_FUNCTION_PYTHON")

    @_wrapped(runtime, "_detect_runtime_binary")
    def detect(inner: Handler, name: str) -> tuple[str, str]:
        binary, script = inner(name)
        return (python if python and name.startswith("python") else binary), script


# --- alarms ----------------------------------------------------------------------------------------


def alarms_are_described_whole() -> None:
    """Say all of an alarm in the older of CloudWatch's protocols, which Terraform's provider 3.39 speaks.

    Without, every plan of Terraform wants to change each alarm.
    """
    cloudwatch = _module("services.cloudwatch")

    @_wrapped(cloudwatch, "_describe_alarms")
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


def _events() -> ModuleType:
    return _module("services.eventbridge")


def _scheduler() -> ModuleType:
    return _module("services.scheduler")


# In this order: a later one wraps what an earlier one left.
MENDS: dict[str, Callable[[], None]] = {
    "quick-clock": quick_clock,
    "rules-count-from-their-put": rules_count_from_their_put,
    "puts-replace-everything": puts_replace_everything,
    "schedules-can-be-set-again": schedules_can_be_set_again,
    "functions-are-invoked-asynchronously": functions_are_invoked_asynchronously,
    "targets-need-a-permission": targets_need_a_permission,
    "destinations-need-a-right": destinations_need_a_right,
    "resources-are-named-as-on-aws": resources_are_named_as_on_aws,
    "refusals-name-the-resource": refusals_name_the_resource,
    "functions-have-an-interpreter-of-their-own": functions_have_an_interpreter_of_their_own,
    "alarms-are-described-whole": alarms_are_described_whole,
}


def _check_names() -> None:
    gone = [
        f"{module}.{name}" for module, names in KNOWN.items() for name in names if not hasattr(_module(module), name)
    ]
    if gone:
        raise MendError(
            f"MiniStack has no {', '.join(gone)}: tests/emulators/inside_ministack/mends.py knows {VERSION}; install "
            "that with make emulators, or look how the new version does it and mend the mends"
        )


def mend(without: Sequence[str] = ()) -> None:
    """Mend all differences but those named.

    Raises:
        MendError: A name is unknown, or MiniStack is not as the mends know it.
    """
    unknown = set(without) - MENDS.keys()
    if unknown:
        raise MendError(f"there is no mend {', '.join(sorted(unknown))}; there are {', '.join(MENDS)}")
    _check_names()
    for name, apply in MENDS.items():
        if name not in without:
            apply()
