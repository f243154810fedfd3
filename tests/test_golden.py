"""Rows and control rows as released versions wrote them: read as the same values, and written the same way still."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from golden_files import GOLDEN, golden, sums
from golden_values import CONTROLS, ROWS, WRITE_ID
from values import summary_of

from slowsched.model import State
from slowsched.store.codec import (
    CONTROL_FORMAT,
    ROW_FORMAT,
    SUMMARY_ATTRIBUTES,
    decode_control,
    decode_row,
    decode_summary,
    encode_control,
    encode_row,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = golden("format-*.json")
ROW_ITEMS = [(file, name) for file, held in FILES.items() for name in held.get("rows", {})]
CONTROL_ITEMS = [(file, name) for file, held in FILES.items() for name in held.get("controls", {})]


def written(kind: str, found_format: int) -> dict[str, Any]:
    """Return what files hold in a format, by the name of the value."""
    items = [pair for held in FILES.values() for pair in held.get(kind, {}).items()]
    return {name: item for name, item in items if item["format"] == found_format}


def otherwise(values: dict[str, Any], encode: Callable[[Any], Any], kind: str, found_format: int) -> list[str]:
    """Return the names of the values that an encoder writes otherwise than the files of its format hold them."""
    held = written(kind, found_format)
    return [name for name, value in values.items() if held.get(name) != encode(value)]


def row_item(row: Any) -> Any:
    """Encode a row."""
    return encode_row(row, WRITE_ID)


def control_item(control: Any) -> Any:
    """Encode a control row."""
    return encode_control(control, WRITE_ID)


# --- read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "name"), ROW_ITEMS)
def test_a_row_of_a_released_version_is_read(file: str, name: str) -> None:
    """It is the value that it was written from, in full and as a summary."""
    item = FILES[file]["rows"][name]
    summary = decode_summary([item.get(attribute) for attribute in SUMMARY_ATTRIBUTES])
    assert (decode_row(item), summary) == (ROWS[name], summary_of(ROWS[name]))


@pytest.mark.parametrize(("file", "name"), CONTROL_ITEMS)
def test_a_control_row_of_a_released_version_is_read(file: str, name: str) -> None:
    """It is the value that it was written from."""
    assert decode_control(FILES[file]["controls"][name]) == CONTROLS[name]


def test_every_state_is_among_the_rows() -> None:
    """No state is left out."""
    assert {row.state for row in ROWS.values()} == set(State)


# --- written ---------------------------------------------------------------------------------------


def test_rows_are_written_as_ever() -> None:
    """What is written in a format changes only with the format, or by an attribute that older values do not have."""
    _write_new("rows", {name: row_item(row) for name, row in ROWS.items()}, ROW_FORMAT)
    assert otherwise(ROWS, row_item, "rows", ROW_FORMAT) == []


def test_control_rows_are_written_as_ever() -> None:
    """The same for the control row."""
    _write_new("controls", {name: control_item(each) for name, each in CONTROLS.items()}, CONTROL_FORMAT)
    assert otherwise(CONTROLS, control_item, "controls", CONTROL_FORMAT) == []


def _write_new(kind: str, items: dict[str, Any], found_format: int) -> None:
    new = {name: item for name, item in items.items() if name not in written(kind, found_format)}
    if new and os.environ.get("SLOWSCHED_WRITE_EXPECTED"):
        text = json.dumps({"written_by": "HEAD", kind: new}, indent=1, sort_keys=True)
        (GOLDEN / f"format-{found_format}-{kind}-new.json").write_text(f"{text}\n", encoding="utf-8")


def test_no_golden_file_was_changed() -> None:
    """Their bytes are those that were once written."""
    if os.environ.get("SLOWSCHED_WRITE_EXPECTED"):
        (GOLDEN / "SHA256SUMS").write_text(sums(), encoding="utf-8")
    assert sums() == (GOLDEN / "SHA256SUMS").read_text(encoding="utf-8")


# --- the checks can fail ---------------------------------------------------------------------------

CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "an attribute more": lambda item: item | {"more": 1},
    "an attribute less": lambda item: {name: value for name, value in item.items() if name != "source"},
    "another name": lambda item: {("policy" if name == "spec" else name): value for name, value in item.items()},
    "another form": lambda item: item | {"due": item["due"].replace(".000000", "")},
    "another digest": lambda item: item | {"task_digest": item["task_digest"][::-1]},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_what_is_written_is_noticed(change: Callable[[dict[str, Any]], Any]) -> None:
    """Every row but at most the one whose due has a fraction is written otherwise then."""
    changed = otherwise(ROWS, lambda row: change(row_item(row)), "rows", ROW_FORMAT)
    assert set(ROWS) - set(changed) <= {"last due"}


def test_a_format_without_a_file_is_noticed() -> None:
    """A format that is raised needs a file with every value."""
    raised = otherwise(ROWS, lambda row: row_item(row) | {"format": ROW_FORMAT + 1}, "rows", ROW_FORMAT + 1)
    assert raised == list(ROWS)


def test_a_value_without_a_file_is_noticed() -> None:
    """A new attribute is given a value of its own, and that a file."""
    assert otherwise(ROWS | {"new": ROWS["dead"]}, row_item, "rows", ROW_FORMAT) == ["new"]
