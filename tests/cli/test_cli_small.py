"""Who is asking, and how far long work is."""

from __future__ import annotations

import sys

from command_line import Terminal

from slowsched.cli.loading import holder, person
from slowsched.cli.progress import progress
from slowsched.cli.settings import Settings
from slowsched.control import Holder


def test_the_holder_of_a_lock_on_a_laptop():
    """A user and a machine; nowhere to look."""
    assert holder() == Holder(name=person())
    assert "@" in person()


def test_a_user_without_a_name(monkeypatch):
    """A container whose user has no name says its number."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USER", "jane")
    assert person().startswith("jane@")


def test_the_holder_of_a_lock_in_a_workflow(monkeypatch):
    """The actor, and the run to look at."""
    for name, value in {
        "GITHUB_ACTOR": "octocat",
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_RUN_ID": "7",
    }.items():
        monkeypatch.setenv(name, value)
    assert holder() == Holder(name="octocat (GitHub)", url="https://github.example/acme/shop/actions/runs/7")


def test_no_progress_where_nobody_watches():
    """Without a terminal, and with -q, nothing counts."""
    for settings in (Settings(), Settings(quiet=True)):
        with progress(settings, "things") as tell:
            assert tell is None


def watched(seconds):
    code = (
        "import sys, time\n"
        "from slowsched.cli.settings import Settings\n"
        "from slowsched.cli.progress import progress\n"
        "with progress(Settings(), 'things done') as tell:\n"
        f"    for done in range(1, 5): time.sleep({seconds / 4}); tell(done, 4)\n"
        "print('end')\n"
    )
    terminal = Terminal(program=[sys.executable, "-c", code], env={"TERM": "xterm"})
    assert terminal.end() == 0
    return terminal.shown


def test_progress_at_a_terminal():
    """Long work shows how far it is, and leaves no trace; short work shows nothing."""
    shown = watched(1.6)
    assert "things done" in shown
    assert "4/4" in shown
    assert shown.endswith("end\n")
    assert watched(0) == "end\n"
