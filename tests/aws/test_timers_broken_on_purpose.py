"""Every rule of the timers, broken on purpose: the named tests notice, and without it they pass."""

from __future__ import annotations

import os

import planting
import pytest

if not hasattr(os, "fork"):
    pytest.skip("rules are broken in forked processes", allow_module_level=True)

EXPRESSIONS = "aws/test_timer_expressions.py"
TIMERS = "aws/test_timers.py"
RULE_SENT = f"{TIMERS}::test_a_rule_is_looked_at_once_and_then_set_with_everything_else_constant"
SCHEDULE_SENT = f"{TIMERS}::test_a_schedule_is_read_once_and_then_replaced_with_everything_else_constant"
SCHEDULE_EDITED = f"{TIMERS}::test_a_schedule_edited_by_hand_is_set_to_no_minute_and_arming_puts_it_right"

# The rule: the module that holds it, its text, what stands there instead, and the tests that notice, each alone.
RULES = {
    "the minute that is asked for": (
        "timer.eventbridge",
        "cron({moment.minute:d} ",
        "cron({max(moment.minute - 1, 0):d} ",
        [f"{EXPRESSIONS}::test_every_minute_is_read_back_from_its_expression", RULE_SENT],
    ),
    "day before month": (
        "timer.eventbridge",
        "{moment.day:d} {moment.month:d} ?",
        "{moment.month:d} {moment.day:d} ?",
        [f"{EXPRESSIONS}::test_an_expression_has_the_form_that_aws_documents", RULE_SENT],
    ),
    "a rule counts in UTC": (
        "timer.rule",
        "cron_text(moment)",
        "cron_text(moment.astimezone(__import__('datetime').timezone(__import__('datetime').timedelta(hours=1))))",
        [RULE_SENT],
    ),
    "a schedule counts in UTC": (
        "timer.schedule",
        "at_text(moment)",
        "at_text(moment.astimezone(__import__('datetime').timezone(__import__('datetime').timedelta(hours=1))))",
        [SCHEDULE_SENT],
    ),
    "a schedule says that it counts in UTC": (
        "timer.schedule",
        '            ScheduleExpressionTimezone="UTC",\n',
        "",
        [SCHEDULE_SENT],
    ),
    "a rule says its state": ("timer.rule", '            State="ENABLED",\n', "", [RULE_SENT]),
    "a rule says its description": ("timer.rule", "            Description=DESCRIPTION,\n", "", [RULE_SENT]),
    "a rule gets no tag": (
        "timer.rule",
        "            Description=DESCRIPTION,\n",
        '            Description=DESCRIPTION,\n            Tags=[{"Key": "by", "Value": "slowsched"}],\n',
        [RULE_SENT],
    ),
    "a schedule says its state": (
        "timer.schedule",
        '            State="ENABLED",\n',
        "",
        [SCHEDULE_SENT, SCHEDULE_EDITED],
    ),
    "a schedule says its description": (
        "timer.schedule",
        "            Description=DESCRIPTION,\n",
        "",
        [SCHEDULE_SENT],
    ),
    "a schedule is kept after it has fired": (
        "timer.schedule",
        'ActionAfterCompletion="NONE"',
        'ActionAfterCompletion="DELETE"',
        [SCHEDULE_SENT],
    ),
    "what Terraform set on a schedule is kept": (
        "timer.schedule",
        '("DeadLetterConfig", "RetryPolicy")',
        '("RetryPolicy",)',
        [SCHEDULE_SENT],
    ),
    "the key of a schedule is kept": ("timer.schedule", '("KmsKeyArn",)', "()", [SCHEDULE_SENT]),
    "a schedule's target is that of the settings": (
        "timer.schedule",
        'self._settings.target_arn or target["Arn"]',
        'target["Arn"]',
        [f"{TIMERS}::test_a_target_edited_by_hand_is_put_right"],
    ),
    "look before the first write": (
        "timer.eventbridge",
        '        if self._found is None:\n            self._found = self._existing("arm")\n',
        "        self._found = {}\n",
        [f"{TIMERS}::test_a_rule_that_is_missing_is_not_made", RULE_SENT],
    ),
    "look once": (
        "timer.eventbridge",
        "        if self._found is None:\n            self._found",
        "        if True:\n            self._found",
        [RULE_SENT, SCHEDULE_SENT],
    ),
    "only years that EventBridge knows": (
        "timer.eventbridge",
        "if not DUE_MIN <= moment <= DUE_MAX:",
        "if False:",
        [f"{TIMERS}::test_a_year_that_eventbridge_does_not_know_is_refused_before_any_call"],
    ),
    "try again when somebody else is changing it": (
        "timer.eventbridge",
        "RESTS = (0.2, 0.5, 1.0)",
        "RESTS = ()",
        [f"{TIMERS}::test_a_timer_that_somebody_else_is_changing_is_set_again"],
    ),
    "a disabled timer is set to nothing": (
        "timer.eventbridge",
        "return self._set_to(answer) if _is_enabled(answer) else None",
        "return self._set_to(answer)",
        [f"{TIMERS}::test_a_disabled_rule_is_set_to_no_minute_and_arming_enables_it", SCHEDULE_EDITED],
    ),
    "a far moment is never": (
        "timer.eventbridge",
        "return None if moment == NEVER else moment",
        "return moment",
        [f"{TIMERS}::test_reading_costs_one_call", f"{TIMERS}::test_what_doctor_sees_of_a_schedule"],
    ),
    "another zone is no minute": (
        "timer.schedule",
        'answer.get("ScheduleExpressionTimezone", "UTC") != "UTC" or ',
        "",
        [SCHEDULE_EDITED],
    ),
    "another expression is no minute": (
        "timer.eventbridge",
        "return moment if text == write(moment) else None",
        "return moment",
        [f"{EXPRESSIONS}::test_another_expression_names_no_minute"],
    ),
}
UNBROKEN = "unbroken"
FAILED, PASSED = 1, 0


def _cases():
    """Yield every pair of a rule and a test that notices, and what to run for it."""
    for rule, (module, text, replacement, tests) in RULES.items():
        for test in tests:
            yield (rule, test), (module, text, replacement, [test])
    every = sorted({test for *_, tests in RULES.values() for test in tests})
    yield (UNBROKEN, "all"), ("timer.eventbridge", "", "", every)


CASES = dict(_cases())


@pytest.fixture(scope="module")
def statuses():
    """Return how pytest ended in each case."""
    answers = planting.statuses(list(CASES.values()))
    return dict(zip(CASES, answers, strict=True))


def test_unbroken_every_test_passes(statuses):
    """What notices a broken rule is that, and not the way in which it was broken."""
    assert statuses[UNBROKEN, "all"] == PASSED


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_noticed(statuses, rule):
    """Each test that is named for the rule fails, by itself."""
    assert [(test, statuses[rule, test]) for test in RULES[rule][3]] == [(test, FAILED) for test in RULES[rule][3]]
