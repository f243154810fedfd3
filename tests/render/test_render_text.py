"""Words for a terminal: whole texts against files that were read, and what must hold of every text."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest
from render_values import EVERY_CHANGE, NOW, PLANS, PROBLEMS, a_create, a_plan
from report_values import APPLIES, DIAGNOSES, ROWS, WAKES
from values import a_declared

from slowsched.render.layout import columns
from slowsched.render.text_diagnosis import diagnosis_text
from slowsched.render.text_plan import BLOCKS_MAX, plan_text
from slowsched.render.text_problems import problems_text
from slowsched.render.text_reports import apply_text, wake_text
from slowsched.render.text_rows import list_text, row_text

if TYPE_CHECKING:
    from collections.abc import Callable

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_TEXTS = {
    **{
        f"plan-{name}": lambda width, color, plan=plan: plan_text(plan, width=width, color=color)
        for name, plan in PLANS.items()
    },
    **{
        f"apply-{name}": lambda width, color, report=report: apply_text(report, now=NOW, width=width, color=color)
        for name, report in APPLIES.items()
    },
    **{
        f"wake-{name}": lambda width, color, report=report: wake_text(report, width=width, color=color)
        for name, report in WAKES.items()
    },
    **{
        f"show-{name}": lambda width, color, row=row: row_text(row, now=NOW, width=width, color=color)
        for name, row in ROWS.items()
    },
    **{
        f"doctor-{name}": lambda width, color, found=found: diagnosis_text(found, width=width, color=color)
        for name, found in DIAGNOSES.items()
    },
    "doctor-quiet": lambda width, color: diagnosis_text(DIAGNOSES["ill"], width=width, color=color, quiet=True),
    "list": lambda _, color: list_text(list(ROWS.values()), color=color),
    "list-empty": lambda _, color: list_text([], color=color),
    "problems": lambda _, color: problems_text(2, 12, PROBLEMS, color=color),
    "problems-none": lambda _, color: problems_text(1, 12, [], color=color),
}


@pytest.mark.parametrize("name", _TEXTS)
def test_text_at_80_columns(name: str, as_expected: Callable[[str, str], None]) -> None:
    """Every text reads at 80 columns as the file that was read and approved."""
    as_expected(f"{name}.80.txt", _TEXTS[name](80, False))


@pytest.mark.parametrize("name", ["plan-typical", "plan-wide", "wake-busy", "show-retried"])
def test_text_at_140_columns(name: str, as_expected: Callable[[str, str], None]) -> None:
    """A wide terminal shows more of a value, and breaks fewer sentences."""
    as_expected(f"{name}.140.txt", _TEXTS[name](140, False))


@pytest.mark.parametrize(
    "name", ["plan-typical", "apply-partial", "wake-busy", "show-running", "doctor-ill", "list", "problems"]
)
def test_text_in_color(name: str, as_expected: Callable[[str, str], None]) -> None:
    """Colour is as approved."""
    as_expected(f"{name}.color.txt", _TEXTS[name](80, True))


@pytest.mark.parametrize("name", _TEXTS)
def test_color_changes_no_word(name: str) -> None:
    """Without its colours a coloured text is the plain text, but for blanks at the ends of lines."""
    colored = _ANSI.sub("", _TEXTS[name](80, True))
    assert [line.rstrip() for line in colored.split("\n")] == _TEXTS[name](80, False).split("\n")


@pytest.mark.parametrize("name", _TEXTS)
def test_plain_text_is_harmless(name: str) -> None:
    """No control, format or separator character but the line end, whatever the values hold."""
    text = _TEXTS[name](80, False)
    unseen = {each for each in text if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert unseen == {"\n"}


@pytest.mark.parametrize("name", [name for name in _TEXTS if name.startswith("plan-")])
@pytest.mark.parametrize("width", [80, 140])
def test_only_ids_and_places_are_wider_than_the_terminal(name: str, width: int) -> None:
    """A plan stays in its width but for what is never broken: ids, places, problems, one-liners, the digest."""
    lines = _TEXTS[name](width, False).split("\n")
    wide = [line for line in lines if columns(line) > width]
    unbroken = re.compile(r"[+~.!-] \w+ |    \S+:\d+$|tasks/\S+:\d+:\d+: |    [<a-z`\\]\S+|Plan: ")
    assert [line for line in wide if not unbroken.match(line)] == []


def test_markup_of_rich_is_text() -> None:
    """Square brackets mean nothing: a task named [red] is shown as that."""
    plan = a_plan(a_create(a_declared(id="[red]x[/red]", payload={"a": "[bold]"})))
    assert "[red]x[/red]" in plan_text(plan, width=80, color=True)
    assert '"[bold]"' in plan_text(plan, width=80, color=True)


def test_a_block_is_bounded() -> None:
    """A payload of hundreds of values shows the first ones and counts the others."""
    plan = a_plan(a_create(a_declared(payload={f"key{number}": number for number in range(500)})))
    assert "    ... and 461 more: --format json shows all\n" in plan_text(plan, width=80, color=False)


def test_a_plan_is_bounded() -> None:
    """Beyond `BLOCKS_MAX` changes a change is one line."""
    changes = [a_create(a_declared(id=f"task {number}")) for number in range(BLOCKS_MAX + 100)]
    more = plan_text(a_plan(*changes), width=80, color=False)
    assert (
        len(more.split("\n")) - len(plan_text(a_plan(*changes[:BLOCKS_MAX]), width=80, color=False).split("\n")) == 102
    )


@pytest.mark.parametrize(
    ("values", "call"),
    [
        (
            "PLANS['no-changes']",
            "from slowsched.render.text_plan import plan_text; plan_text({}, width=80, color=True)",
        ),
        ("[]", "from slowsched.render.text_problems import problems_text; problems_text(1, 1, {}, color=True)"),
        ("PLANS['first']", "from slowsched.render.text_plan import plan_text; plan_text({}, width=80, color=False)"),
    ],
    ids=["no changes", "no problems", "plain ASCII"],
)
def test_rich_is_imported_for_color_only(values: str, call: str) -> None:
    """What needs neither colour nor the width of a character does not pay for the import of rich."""
    folders = [path for path in sys.path if "tests" in path]
    code = f"""
import sys
sys.path += {folders!r}
from render_values import PLANS
{call.format(values)}
print(sorted(name for name in sys.modules if name.split(".")[0] == "rich"))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_every_kind_of_change_is_shown() -> None:
    """The values that these tests look at have every kind and every note."""
    assert {change.kind.value for change in EVERY_CHANGE} == {*PLANS["typical"].counts} - {"unchanged", "done"}
    assert {note.partition(":")[0] for change in EVERY_CHANGE for note in change.notes} == {
        *("late-run", "late-skip", "policy-only", "protected", "renamed-from", "runs-again", "soon", "superseded")
    }
