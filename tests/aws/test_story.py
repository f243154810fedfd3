"""The story of a task on AWS, on MiniStack with rights checked: it fires by itself, and what goes wrong mends itself.

All of it happens once a session, in `story`; here one looks at what came of it.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from emulators.fixtures import ACCOUNT, REGION
from story import DISABLED, KINDS, LATER, LATER_DUE, OVERRUN, OWNER, SOON

from slowsched.model import HistoryOutcome, State
from slowsched.timer.eventbridge import DESCRIPTION, at_text, cron_text
from slowsched.timing import parse_stamp

# docs/architecture.md: the minute, a minute, and the delivery; the due is a whole minute.
LATE_MAX = timedelta(seconds=60 + 30)

EXPRESSION = {"rule": cron_text, "schedule": at_text}

# What the copy of terraform/ for an old provider cannot have: see tests/emulators/terraform.py.
OLD_PROVIDER = {"table-protection", "function-runtime"}


@pytest.fixture(name="kind", params=KINDS)
def _kind(request):
    """Either kind of timer."""
    return request.param


def expression(kind, text):
    return EXPRESSION[kind](parse_stamp(text))


def findings(ran):
    return {each["code"] for each in ran.document["findings"] if each["severity"] != "ok"}


def test_terraform_has_nothing_to_change_after_it_has_made_everything(story, kind):
    """Real Terraform with a real provider plans no changes right after its apply."""
    assert story.told[kind].changes_before == ""


def test_doctor_finds_the_fresh_deployment_well(story, kind):
    """But for what the old provider cannot make, only the worker has not said anything yet; the plan role may look."""
    ran = story.told[kind].doctor
    assert (ran.status, ran.stderr, findings(ran)) == (0, "", OLD_PROVIDER | {"worker-version"})


def test_the_plan_role_plans(story, kind):
    """Reading rights are enough for a plan, which tells of every task and of the timer."""
    ran = story.told[kind].plan
    changes = sorted((each["id"], each["kind"], each["due"]) for each in ran.document["changes"])
    due = f"{story.due:%Y-%m-%dT%H:%M:%SZ}"
    expected = [(each, "create", due) for each in SOON] + [(each, "create", LATER_DUE) for each in LATER]
    assert (ran.status, changes, ran.document["timer"]) == (0, sorted(expected), {"before": None, "after": due})


def test_the_plan_role_cannot_apply(story, kind):
    """It is refused before anything is written, and the message names the action and the resource."""
    ran = story.told[kind].refused
    table = f"by-{kind}"
    said = (
        f"slowsched: error: cannot write the control row into the table '{table}': these credentials may not "
        f"dynamodb:PutItem on arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}: use the role that terraform/ makes "
        "for this, or let this one do dynamodb:PutItem\n"
    )
    assert (ran.status, ran.stdout, ran.stderr) == (1, "", said)


def test_apply_arms_the_timer_and_changes_nothing_else_of_it(story, kind):
    """The timer is as Terraform made it, but for the moment, which is the first that is due."""
    told = story.told[kind]
    assert told.made["Description"] == DESCRIPTION
    assert told.armed == {**told.made, "ScheduleExpression": EXPRESSION[kind](story.due)} | kept(kind)


def kept(kind):
    """Return what arming a schedule sets besides, to what AWS takes for granted."""
    return {} if kind == "rule" else {"ActionAfterCompletion": "NONE"}


def test_apply_writes_every_task(story, kind):
    """The apply role applies, and says of each task that it did."""
    ran = story.told[kind].applied
    results = sorted((each["id"], each["kind"], each["result"]) for each in ran.document["results"])
    expected = sorted((each, "create", "applied") for each in (*SOON, *LATER))
    assert (ran.status, ran.document["status"], results) == (0, "applied", expected)


@pytest.mark.parametrize("number", range(len(SOON)))
def test_a_task_fires_by_itself_once_and_in_time(story, kind, number):
    """Timer, function process, action, table: nobody did anything, and the row has one attempt, which succeeded."""
    shown = story.outcomes[kind].shown[number]
    (entry,) = shown["history"]
    late = datetime.fromisoformat(entry["started_at"]) - story.due
    assert timedelta(0) <= late <= LATE_MAX
    item = SOON[number].partition(" ")[2]
    assert (shown["id"], shown["state"], shown["attempt"], shown["wake_at"], shown["owner"], shown["source"]) == (
        SOON[number],
        "succeeded",
        1,
        None,
        f"{OWNER}/{kind}",
        {"path": f"tasks/{SOON[number]}.json", "line": 1, "commit": story.commit},
    )
    assert entry == {
        "generation": 1,
        "attempt": 1,
        "started_at": entry["started_at"],
        "finished_at": entry["finished_at"],
        "late_seconds": late.total_seconds(),
        "outcome": "succeeded",
        "message": f'{{"changed":true,"item":"{item}","price":9.99}}',
    }


def test_the_catalogue_has_the_new_prices(story, kind):
    """The sample action has written each price, and the key of its attempt in the same step."""
    due = f"{story.due:%Y-%m-%dT%H:%M:%SZ}"
    items = {each: each.partition(" ")[2] for each in SOON}
    prices = {f"item#{item}": {"price": {"N": "9.99"}, "salePercent": {"N": "50"}} for item in items.values()}
    keys = {f"applied#{kind}/{each}@{due}#1": {"item": {"S": item}} for each, item in items.items()}
    assert story.told[kind].stack.catalogue() == prices | keys


def test_the_timer_is_set_to_the_next_task(story, kind):
    """The worker has armed it for what is due in many years, and left the rest as it was."""
    expected = {**story.told[kind].armed, "ScheduleExpression": expression(kind, LATER_DUE)}
    assert story.outcomes[kind].woken == expected


def test_a_second_apply_changes_nothing(story, kind):
    """What has run is done, and what has not is as declared."""
    ran = story.outcomes[kind].again
    shape = {key: value for key, value in ran.document.items() if key != "digest"}
    assert (ran.status, shape) == (
        0,
        {
            "format_version": "1.0",
            "environment": kind,
            "owner": f"{OWNER}/{kind}",
            "commit": story.commit,
            "status": "nothing",
            "interrupted": False,
            "results": [],
            "timer": {"armed": LATER_DUE, "error": None},
            "refused": [],
        },
    )


def test_doctor_finds_what_has_worked_well(story, kind):
    """The worker has said what it is, and the timer is in time for the next task."""
    ran = story.outcomes[kind].doctor
    assert (ran.status, ran.stderr, findings(ran)) == (0, "", OLD_PROVIDER)


def test_terraform_does_not_undo_an_armed_timer(story, kind):
    """It plans no changes either after slowsched has set the timer several times."""
    assert story.outcomes[kind].changes == ""


# --- make demo-aws ---------------------------------------------------------------------------------

# In this order, whatever stands between them.
ESSENTIAL = [
    r"\$ slowsched package .*",
    r"\$ terraform apply -var name=by-rule .*",
    r"No changes: Terraform .*",
    r"\$ terraform output -json \| slowsched init .*",
    r"\$ terraform apply -var name=by-schedule .*",
    r"No changes: Terraform .*",
    r"\$ slowsched doctor --env rule",
    r"Healthy: .*",
    r"\$ slowsched doctor --env schedule",
    r"Healthy: .*",
    r"id: free Momo",
    *(line for kind in KINDS for line in (rf"\$ slowsched apply --env {kind} --yes", r"Applied 2 of 2 changes .*")),
    r"# Now nobody does anything.*",
    *(
        line
        for kind in KINDS
        for line in (
            rf"\$ slowsched show 'free Momo' --env {kind}",
            r"free Momo +succeeded",
            r"# One attempt, \d+\.\d s after the minute\.",
            rf"{kind} by-{kind}-wake: .*2066.*",
            r"No changes\. 1 unchanged, 1 done\.",
            r"No changes: Terraform .*",
        )
    ),
    r"# It fired by itself\..*",
]


def test_the_demo_tells_the_story(story):
    """`make demo-aws` shows each step for both timers, in order, succeeds, and leaves nothing behind."""
    lines = iter(story.demo.stdout.splitlines())
    missing = [pattern for pattern in ESSENTIAL if not any(re.fullmatch(pattern, line) for line in lines)]
    assert (story.demo.status, missing, story.demo.stderr) == (0, [], ""), story.demo.stdout


# --- bad days --------------------------------------------------------------------------------------


def test_the_heartbeat_finds_what_a_disabled_rule_left(story):
    """A rule that somebody disabled by hand: its task runs at the next heartbeat, and the rule is enabled again."""
    row = story.bad_rows[DISABLED]
    assert (row.state, row.wake_at, [each.outcome for each in row.history]) == (
        State.SUCCEEDED,
        None,
        [HistoryOutcome.SUCCEEDED],
    )
    assert story.bad_rule["State"] == "ENABLED"


def test_an_action_that_does_not_stop_is_ended_with_its_process_and_attempted_again(story):
    """Its process ends before its lease does, the next wake attempts it after that, and the two never overlap."""
    row = story.bad_rows[OVERRUN]
    first, second = row.history
    assert (row.state, [(each.attempt, each.outcome, each.message) for each in row.history]) == (
        State.SUCCEEDED,
        [
            (1, HistoryOutcome.TIMED_OUT, "given up after its timeout of 2 s"),
            (2, HistoryOutcome.SUCCEEDED, '{"attempt":2}'),
        ],
    )
    assert second.started_at - first.started_at >= timedelta(seconds=2 + 60)  # its timeout, and the rest of the lease


def test_a_wake_that_fails_is_tried_again_and_then_kept(story):
    """A setting that the function refuses: three tries, then the event is in the queue, with the error in words."""
    told = [(each["requestContext"], each["requestPayload"], each["responsePayload"]) for each in story.failed_wakes]
    assert told == [
        (
            {
                "approximateInvokeCount": 3,
                "condition": "RetriesExhausted",
                "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{story.bad.name}-worker",
            },
            {"source": "slowsched.heartbeat"},
            {
                "errorMessage": "SLOWSCHED_TIMER_KIND is 'sundial': set it to rule or schedule",
                "errorType": "Runtime.HandlerError",
            },
        )
    ]
