"""The whole story on MiniStack with rights checked: real Terraform, the real zip, real processes with their own roles.

It is told once a session, because most of it is waiting; tests look at what came of it. Three deployments stand side
by side: one wakes by a rule, one by a schedule, and on the third everything goes wrong that only a deployment shows.
`make demo-aws` runs beside them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from acceptance.shop import PROJECT, SLOWSCHED, Ran, Shop, environment
from emulators.fixtures import REGION, requires
from emulators.ministack import ministack
from emulators.stack import Stack, deploy
from on_aws import account_on
from values import a_declared

from slowsched.lifecycle import Applier, create
from slowsched.model import Row, State
from slowsched.store.dynamodb import DynamoStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from slowsched.aws import Account
    from slowsched.model import Unreadable

RECORDER = Path(__file__).parent / "recorder"
KINDS = ("rule", "schedule")
OWNER = "acme/shop"
SOON = ("publish Momo", "publish Jim Knopf")
LATER = ("withdraw Momo", "withdraw Jim Knopf")
DISABLED, OVERRUN = "due while the rule was disabled", "does not stop"
REFUSED = "refused"  # whose calls nobody has to be allowed
LATER_DUE = "2066-01-01T00:00:00Z"
LEAD = timedelta(seconds=90 + 20)  # the timer's, and what plan and apply may take on a busy machine
COMMAND_SECONDS = 120  # of one, on a busy machine
WAIT_SECONDS = 420  # at most, on a busy machine; it is about 150

HANG = """

import time


@action("HANG")
def hang(payload: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
    \"\"\"Never stop at the first attempt.\"\"\"
    if attempt.number == 1:
        time.sleep(3600)
    return {"attempt": attempt.number}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What happened at one deployment, in the order of the fields."""

    stack: Stack
    made: dict[str, Any]
    changes_before: str
    doctor: Ran
    plan: Ran
    refused: Ran
    applied: Ran
    armed: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it there: rows as `show` has them, the timer, a second apply, another plan of Terraform."""

    shown: list[Any]
    woken: dict[str, Any]
    again: Ran
    doctor: Ran
    changes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened at all of them; `due` is when the task was due, `calls` what processes called, as they noted it."""

    due: datetime
    commit: str
    told: dict[str, Told]
    outcomes: dict[str, Outcome]
    bad: Stack
    bad_rows: dict[str, Row | Unreadable | None]
    bad_rule: dict[str, Any]
    failed_wakes: list[Any]
    calls: list[list[Any]]
    policies: dict[str, list[dict[str, Any]]]
    demo: Ran


class Teller:
    """A repository of task files with its environments, and slowsched in it with the rights of a role."""

    def __init__(self, folder: Path, calls: Path) -> None:
        self.shop = Shop(folder / "shop")
        self.shop.take_from_project("schemas", "worker")
        self.shop.write("slowsched.yaml", f"version: 1\nowner: {OWNER}\n")
        self.shop.write("tasks/.gitkeep", "")
        self.shop.write(".gitignore", ".slowsched/\n")
        self.calls = calls
        self.git("init", "--quiet")

    def git(self, *words: str) -> None:
        """Run git in the repository."""
        who = [f"-c{key}" for key in ("user.name=A Person", "user.email=person@example.org")]
        words = tuple(part for each in who for part in ("-c", each.removeprefix("-c"))) + words
        subprocess.run(["git", *words], cwd=self.shop.root, env=environment(self.shop.root), check=True)

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=as it is")

    def head(self) -> str:
        """Return the commit."""
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.shop.root, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def command(self, stack: Stack, role: str, *words: str, stdin: str = "", noted_as: str = "") -> Ran:
        """Run slowsched with the rights of `plan` or `apply`, every call of it noted."""
        kept = {name: value for name, value in environment(self.shop.root).items() if not name.startswith("AWS_")}
        own = {
            **kept,
            **stack.credentials(role),
            "AWS_ENDPOINT_URL": stack.endpoint,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "PYTHONPATH": str(RECORDER),
            "RECORD_CALLS_TO": str(self.calls),
            "RECORD_CALLS_OF": noted_as or f"{stack.name}-{role}",
            "RECORD_CALLS_BY": words[0],
            "SLOWSCHED_ENV": stack.kind,
        }
        done = subprocess.run(
            [SLOWSCHED, *words],
            cwd=self.shop.root,
            env=own,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Ran(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


def first_moment(now: datetime) -> datetime:
    """Return the first minute that the timer can serve, by the time that everything is applied."""
    return (now + LEAD).replace(second=0, microsecond=0) + timedelta(minutes=1)


@contextmanager
def tell(folder: Path) -> Iterator[Story]:
    """Deploy, apply, wait until it has happened, and keep the emulator until the block ends."""
    calls = folder / "calls.jsonl"
    noted = {"PYTHONPATH": str(RECORDER), "RECORD_CALLS_TO": str(calls)}
    with (
        _demo(folder) as demo,
        ministack(folder, auth=True, variables=noted) as endpoint,
        pytest.MonkeyPatch.context() as patch,
        ThreadPoolExecutor() as side_by_side,
    ):
        account = account_on(endpoint, patch)
        teller = Teller(folder, calls)
        bad_days = side_by_side.submit(_bad_days, folder, endpoint, account)
        stacks = [_deploy(teller, folder, endpoint, kind) for kind in KINDS]
        looks = list(side_by_side.map(partial(_look_before, teller), stacks))
        due = _declare(teller)
        told = {each.stack.kind: each for each in side_by_side.map(partial(_apply, teller), looks)}
        bad, failed = bad_days.result()
        store = DynamoStore(account, bad.name)
        _wait(store, [DynamoStore(account, stack.name) for stack in stacks])
        outcomes = side_by_side.map(partial(_look_after, teller), stacks)
        yield Story(
            due=due,
            commit=teller.head(),
            told=told,
            outcomes={stack.kind: outcome for stack, outcome in zip(stacks, outcomes, strict=True)},
            bad=bad,
            bad_rows={each: store.get(each) for each in (DISABLED, OVERRUN)},
            bad_rule=timer_of(bad),
            failed_wakes=failed,
            calls=[json.loads(line) for line in calls.read_text(encoding="utf-8").splitlines()],
            policies={name: found for stack in stacks for name, found in _policies(stack).items()},
            demo=demo(),
        )


@contextmanager
def _demo(folder: Path) -> Iterator[Callable[[], Ran]]:
    """Run scripts/demo_aws.py meanwhile, on an emulator of its own; gives what returns how it ended."""
    home = folder / "demo"
    home.mkdir()
    with (folder / "demo.out").open("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, str(PROJECT / "scripts" / "demo_aws.py")],
            cwd=folder,
            env=environment(folder, measured=False) | {"TMPDIR": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

        def ended() -> Ran:
            status = process.wait(timeout=WAIT_SECONDS)
            left = [each.name for each in home.iterdir()]
            return Ran(status=status, stdout=(folder / "demo.out").read_text(encoding="utf-8"), stderr=", ".join(left))

        try:
            yield ended
        finally:
            process.terminate()  # it ends what it has started
            process.wait()


# --- as it should be -------------------------------------------------------------------------------


def _deploy(teller: Teller, folder: Path, endpoint: str, kind: str) -> Stack:
    """Deploy, and write the environment into slowsched.yaml."""
    stack = deploy(folder / "terraform", endpoint, _package(teller.shop), name=f"by-{kind}", kind=kind)
    made = teller.command(stack, "plan", "init", "--from-terraform", "-", stdin=stack.terraform.outputs_text())
    assert made.status == 0, made.stderr
    (teller.shop.root / "tasks" / "winter-sale.yaml").unlink(missing_ok=True)  # the example that init writes
    return stack


def _package(shop: Shop) -> Path:
    """Build the zip of the function as `make zip` does."""
    zipped = shop.root.parent / f"{shop.root.name}.zip"
    done = shop.run("package", "--out", str(zipped))
    assert done.status == 0, done.stderr
    return zipped


def _look_before(teller: Teller, stack: Stack) -> tuple[Stack, str, Ran]:
    """Ask Terraform and doctor about what was just made."""
    return stack, stack.changes(), teller.command(stack, "plan", "doctor", "--format", "json")


def _declare(teller: Teller) -> datetime:
    """Declare tasks for the first moment there is, which is returned, and for much later."""
    due = first_moment(datetime.now(UTC))
    for task_id in (*SOON, *LATER):
        when = f"{due:%Y-%m-%dT%H:%M:%SZ}" if task_id in SOON else LATER_DUE
        payload = {"itemID": task_id.partition(" ")[2], "newPrice": 9.99, "salePercent": 50}
        task = {"id": task_id, "due": when, "action": "APPLY_SALE", "payload": payload}
        teller.shop.write(f"tasks/{task_id}.json", json.dumps(task))
    teller.commit()
    return due


def _apply(teller: Teller, look: tuple[Stack, str, Ran]) -> Told:
    """Plan and apply, with the right role and before that with the wrong one."""
    stack, changes, doctor = look
    return Told(
        stack=stack,
        made=timer_of(stack),
        changes_before=changes,
        doctor=doctor,
        plan=teller.command(stack, "plan", "plan", "--format", "json"),
        refused=teller.command(stack, "plan", "apply", "--yes", noted_as=REFUSED),
        applied=teller.command(stack, "apply", "apply", "--yes", "--format", "json"),
        armed=timer_of(stack),
    )


def _look_after(teller: Teller, stack: Stack) -> Outcome:
    """Look at what came of it, apply a second time, and ask Terraform once more."""
    shown = [teller.command(stack, "plan", "show", each, "--format", "json").document for each in SOON]
    woken = timer_of(stack)
    again = teller.command(stack, "apply", "apply", "--yes", "--format", "json")
    for words in (("list",), ("pause", "--reason", "a look"), ("resume",), ("arm",)):
        done = teller.command(stack, "plan" if words[0] == "list" else "apply", *words)
        assert done.status == 0, done.stderr
    fixed = teller.command(stack, "apply", "doctor", "--fix")
    assert fixed.status == 0, fixed.stdout
    doctor = teller.command(stack, "plan", "doctor", "--format", "json")
    return Outcome(shown=shown, woken=woken, again=again, doctor=doctor, changes=stack.changes())


def _policies(stack: Stack) -> dict[str, list[dict[str, Any]]]:
    """Return the policies of the roles, as Terraform has rendered them and MiniStack keeps them."""
    iam = stack.client("iam")
    names = [each["RoleName"] for each in iam.list_roles()["Roles"] if each["RoleName"].startswith(f"{stack.name}-")]
    return {
        role: [
            iam.get_role_policy(RoleName=role, PolicyName=each)["PolicyDocument"]
            for each in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        for role in names
    }


def timer_of(stack: Stack) -> dict[str, Any]:
    """Return all that AWS says of a timer, without what it says of the answer and when it was changed."""
    if stack.kind == "rule":
        answer = stack.client("events").describe_rule(Name=f"{stack.name}-wake")
    else:
        answer = stack.client("scheduler").get_schedule(GroupName=stack.name, Name=f"{stack.name}-wake")
    return {
        key: value
        for key, value in answer.items()
        if key not in {"ResponseMetadata", "CreationDate", "LastModificationDate"}
    }


# --- bad days --------------------------------------------------------------------------------------


def _bad_days(folder: Path, endpoint: str, account: Account) -> tuple[Stack, list[Any]]:
    """Deploy, and plant what goes wrong; returns what was left of the wakes that failed."""
    bad = _deploy_bad(folder, endpoint)
    failed = _failed_wakes(bad)
    _plant(DynamoStore(account, bad.name), bad)
    return bad, failed


def _deploy_bad(folder: Path, endpoint: str) -> Stack:
    """Deploy a function that has one more action, which does not stop."""
    shop = Shop(folder / "bad-shop")
    shop.take_from_project("schemas", "worker")
    shop.write("slowsched.yaml", f"version: 1\nowner: {OWNER}\n")
    shop.write("worker/actions.py", (PROJECT / "worker" / "actions.py").read_text(encoding="utf-8") + HANG)
    return deploy(folder / "terraform", endpoint, _package(shop), name="bad-days", kind="rule")


def _failed_wakes(stack: Stack) -> list[Any]:
    """Give the function a setting that it refuses, wake it, and return what then is in its dead-letter queue."""
    functions, name = stack.client("lambda"), f"{stack.name}-worker"
    good = functions.get_function_configuration(FunctionName=name)["Environment"]
    wrong = {"Variables": {**good["Variables"], "SLOWSCHED_TIMER_KIND": "sundial"}}
    functions.update_function_configuration(FunctionName=name, Environment=wrong)
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"source": "slowsched.heartbeat"}')
    queues = stack.client("sqs")
    url = queues.get_queue_url(QueueName=f"{stack.name}-failed")["QueueUrl"]
    end = time.monotonic() + 60
    messages: list[Any] = []
    while not messages and time.monotonic() < end:
        messages = queues.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
    functions.update_function_configuration(FunctionName=name, Environment=good)
    return [json.loads(each["Body"]) for each in messages]


def _plant(store: DynamoStore, stack: Stack) -> None:
    """Disable the rule by hand, with two tasks due that were applied an hour ago; then the heartbeat beats."""
    events = stack.client("events")
    now = datetime.now(UTC)
    before = now - timedelta(hours=1)
    events.disable_rule(Name=f"{stack.name}-wake")
    for task_id, action in ((DISABLED, "APPLY_SALE"), (OVERRUN, "HANG")):
        declared = a_declared(id=task_id, action=action, due=now - timedelta(minutes=1), timeout=timedelta(seconds=2))
        by = Applier(owner=f"{OWNER}/bad", commit=None, now=before, soonest=before)
        row = create(declared, by)
        assert store.put(row, 0) is None
    # By the rule of the heartbeat itself, only more often than every 15 minutes.
    events.put_rule(Name=f"{stack.name}-heartbeat", ScheduleExpression="rate(1 minute)", State="ENABLED")


def _wait(bad: DynamoStore, good: list[DynamoStore]) -> None:
    """Wait until every task that is due has come to an end."""
    awaited = [(bad, each) for each in (DISABLED, OVERRUN)] + [(store, each) for store in good for each in SOON]
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end and not all(_has_ended(*each) for each in awaited):
        time.sleep(2)
    time.sleep(2)  # the last wake arms once more


def _has_ended(store: DynamoStore, task_id: str) -> bool:
    row = store.get(task_id)
    return isinstance(row, Row) and row.state in {State.SUCCEEDED, State.DEAD}


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Tell the story once, for every test that looks at it."""
    requires("ministack", "terraform")
    with tell(tmp_path_factory.mktemp("story")) as told:
        yield told
