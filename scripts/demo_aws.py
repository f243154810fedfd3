"""The main job on AWS, from an empty account to a task that fired by itself: `make demo-aws`.

The account is MiniStack, on this machine's loopback; nothing is asked of AWS. It works in a temporary folder that it
removes again, and ends every process that it starts.
"""

# ruff: noqa: INP001, S603 - a script; it shows and runs commands
from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "tests"))

from emulators.fixtures import ACCOUNT  # noqa: E402 - from the folder named just now
from emulators.ministack import ministack  # noqa: E402
from emulators.parts import EmulatorError, missing  # noqa: E402
from emulators.stack import Stack, deploy  # noqa: E402

KINDS = ("rule", "schedule")
TASK, LATER = "free Momo", "take Momo off the sale"
# Until everything is applied; after that the timer needs 90 seconds to serve a moment.
APPLYING = timedelta(seconds=15)
LEAD = timedelta(seconds=90)
LATE_MAX = timedelta(seconds=90)  # docs/architecture.md: what an apply ahead of the lead may be late
SLOWSCHED = Path(sys.executable).with_name("slowsched")


class DemoError(Exception):
    """The story did not go as it should."""


class Demo:
    """A folder with a repository of task files, and the account that it is applied to."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.folder = folder
        self.endpoint = endpoint
        self.shop = folder / "shop"
        # The same words everywhere, whatever is set on this machine and wherever its temporary folder lies.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SLOWSCHED_"))}
        self.variables = {
            **kept,
            "PATH": f"{SLOWSCHED.parent}{os.pathsep}{kept.get('PATH', os.defpath)}",
            "GIT_CEILING_DIRECTORIES": str(folder),
            **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Demo"),
            **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "demo@example.org"),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": ACCOUNT,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        self.variables.pop("GITHUB_SHA", None)

    def run(self, command: str, *, stdin: str | None = None, expect: str | None = None) -> None:
        """Show a command, run it in the repository, and show what it says.

        Raises:
            DemoError: it failed, or did not say what it should.
        """
        tell(f"$ {command}")
        words = shlex.split(command.rpartition("| ")[2])
        done = subprocess.run(
            words,
            cwd=self.shop,
            env=self.variables,
            input=stdin or "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        tell(done.stdout.rstrip())
        if done.returncode or (expect is not None and expect not in done.stdout):
            raise DemoError(f"{command}: status {done.returncode}, expected {expect or 'success'}")

    def quietly(self, *words: str) -> str:
        """Run a command that is no part of the story, and return what it writes to stdout."""
        return subprocess.run(
            words, cwd=self.shop, env=self.variables, stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    def write(self, path: str, text: str) -> None:
        """Write a file of the repository."""
        place = self.shop / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def tell(text: str) -> None:
    """Show a line of the story at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Show what comes next, in the words of a reader."""
    tell(f"\n# {text}")


def task_text(task_id: str, due: str, price: int, percent: int) -> str:
    """Return a task file."""
    return f"""\
id: {task_id}
due: {due}
action: APPLY_SALE
payload: {{itemID: "Momo, the e-book", newPrice: {price}, salePercent: {percent}}}
"""


# --- the story -------------------------------------------------------------------------------------


def deployed(demo: Demo, kind: str) -> Stack:
    """Make everything with the project's own Terraform, and write the environment into slowsched.yaml."""
    say(f"terraform/ with the timer_kind {kind!r}, applied by Terraform to MiniStack.")
    tell(f"$ terraform apply -var name=by-{kind} -var timer_kind={kind}")
    stack = deploy(demo.folder / "terraform", demo.endpoint, demo.folder / "function.zip", name=f"by-{kind}", kind=kind)
    if kind == "schedule":
        say("The provider that can be had here, 3.39.0, is older than EventBridge Scheduler:")
        tell("# group and schedule are made by boto, with the arguments of terraform/module.")
    check_plan(stack)
    demo.run(
        f"terraform output -json | slowsched init --env {kind} --from-terraform -",
        stdin=stack.terraform.outputs_text(),
        expect="slowsched.yaml",
    )
    (demo.shop / "tasks" / "winter-sale.yaml").unlink(missing_ok=True)  # the example of init: we have our own
    return stack


def check_plan(stack: Stack) -> None:
    """Let Terraform plan once more, and see that there is nothing to change.

    Raises:
        DemoError: there is.
    """
    tell(f"$ terraform plan -var name={stack.name} -var timer_kind={stack.kind}")
    changes = stack.changes()
    if changes:
        raise DemoError(f"terraform plan has changes:\n{changes}")
    tell("No changes: Terraform finds everything as it is declared.")


def declared(demo: Demo) -> datetime:
    """Write and commit a task for the first moment that the timers can serve, and one for much later."""
    moment = datetime.now(UTC) + APPLYING + LEAD
    due = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
    say("Two dates as files: the next minute that EventBridge can serve, and a far one.")
    demo.write("tasks/free-momo.yaml", task_text(TASK, f"{due:%Y-%m-%dT%H:%M:%SZ}", 0, 100))
    demo.write("tasks/end-of-sale.yaml", task_text(LATER, "2066-01-01T00:00:00Z", 9, 0))
    demo.run("cat tasks/free-momo.yaml tasks/end-of-sale.yaml")
    demo.run("git add --all")
    demo.run("git commit --quiet --message 'Momo is free'")
    return due


def applied(demo: Demo, kind: str) -> None:
    """Plan and apply."""
    say(f"What would change, and then do it: {kind}.")
    demo.run(f"slowsched plan --env {kind}", expect="2 to create")
    demo.run(f"slowsched apply --env {kind} --yes", expect="Applied 2 of 2 changes")


def waited(demo: Demo, kinds: list[str], due: datetime) -> None:
    """Wait until the task has run everywhere, without doing anything for it.

    Raises:
        DemoError: it has not, long after it should have.
    """
    say(f"Now nobody does anything. At {due:%H:%M} UTC EventBridge wakes the function.")
    left = list(kinds)
    end = due + 2 * LATE_MAX
    while left and datetime.now(UTC) < end:
        progress(f"waiting for {TASK!r} to have run by {' and by '.join(left)}", due)
        time.sleep(1)
        if datetime.now(UTC) > due:
            left = [each for each in left if state(demo, each) == "scheduled"]
    progress("", due)
    if left:
        raise DemoError(f"{TASK!r} did not run by {', '.join(left)}; see {demo.folder}")


def progress(text: str, due: datetime) -> None:
    """Show at a terminal, in place, what is waited for and how long still."""
    if sys.stderr.isatty():
        seconds = int((due - datetime.now(UTC)).total_seconds())
        when = f": due in {seconds} s" if seconds > 0 else ": due now"
        sys.stderr.write(f"\r\x1b[K{text + when if text else ''}")
        sys.stderr.flush()


def state(demo: Demo, kind: str) -> str:
    """Return the state of the task; running is not done."""
    found = str(json.loads(demo.quietly("slowsched", "show", TASK, "--env", kind, "--format", "json"))["state"])
    return "scheduled" if found == "running" else found


def check_attempts(demo: Demo, kind: str) -> None:
    """See that there was one attempt, and that it was in time.

    Raises:
        DemoError: there were more, or it was late beyond the bound.
    """
    shown = json.loads(demo.quietly("slowsched", "show", TASK, "--env", kind, "--format", "json"))
    late = [each["late_seconds"] for each in shown["history"]]
    if len(late) != 1 or not 0 <= late[0] <= LATE_MAX.total_seconds():
        raise DemoError(f"by {kind}: attempts that were {late} s late, expected one that was in time")
    tell(f"\n# One attempt, {late[0]:.1f} s after the minute.")


def outcome(demo: Demo, stack: Stack) -> None:
    """Show what came of it, that the timer is set to the next task, and that there is nothing left to do."""
    kind = stack.kind
    say(f"What came of it, by the {kind}? It ran once, and says how late.")
    demo.run(f"slowsched show {shlex.quote(TASK)} --env {kind}", expect="succeeded")
    check_attempts(demo, kind)
    say("The shop's catalogue has the new price, and the timer waits for the next task.")
    tell(json.dumps(stack.catalogue(), indent=2, sort_keys=True))
    tell(f"{kind} {stack.name}-wake: {stack.timer_expression()}")
    say("Done is done: a second apply changes nothing, Terraform has nothing to undo.")
    demo.run(f"slowsched apply --env {kind} --yes", expect="No changes. 1 unchanged, 1 done.")
    check_plan(stack)


def story(demo: Demo, kinds: list[str]) -> None:
    """Tell it from the empty account on."""
    copytree(PROJECT / "schemas", demo.shop / "schemas")
    copytree(PROJECT / "worker", demo.shop / "worker", ignore=ignore_patterns("__pycache__"))
    demo.write("slowsched.yaml", "version: 1\nowner: acme/shop\n")
    demo.quietly("git", "init", "--quiet")
    say("The function: the team's actions, and of slowsched what a wake needs.")
    demo.run("slowsched package --out ../function.zip", expect="wrote")
    stacks = [deployed(demo, kind) for kind in kinds]
    for kind in kinds:
        say(f"Is everything in its place for {kind}? (The old provider knows neither new")
        tell("# runtimes nor the protection from deletion.)")
        demo.run(f"slowsched doctor --env {kind}", expect="Healthy")
    due = declared(demo)
    for kind in kinds:
        applied(demo, kind)
    waited(demo, kinds, due)
    for stack in stacks:
        outcome(demo, stack)


def main() -> int:
    """Tell the story for the timers that are asked for."""
    parser = argparse.ArgumentParser(description="The main job on AWS, on an emulator of it.")
    parser.add_argument("--timer", choices=[*KINDS, "both"], default="both", help="what wakes the function")
    chosen = parser.parse_args().timer
    reason = missing("ministack") or missing("terraform")
    if reason:
        sys.stderr.write(f"demo: {reason}\n")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the folder is removed and MiniStack ended
    with TemporaryDirectory(prefix="slowsched-demo-") as name:
        try:
            with ministack(Path(name)) as endpoint:
                tell(f"# An empty account: MiniStack, at {endpoint}.")
                story(Demo(Path(name), endpoint), list(KINDS) if chosen == "both" else [chosen])
        except (DemoError, EmulatorError, subprocess.CalledProcessError) as error:
            sys.stderr.write(f"demo: {error}\n")
            return 1
        except KeyboardInterrupt:
            return 130
    say("It fired by itself. Folder and MiniStack of this demo are gone again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
