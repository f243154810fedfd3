"""What a minute is in the language of a rule and of a schedule, and that nothing else is read as one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import at

from slowsched.timer.eventbridge import NEVER, at_text, cron_text, read_at, read_cron

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2199, 12, 31, 23, 59, tzinfo=UTC)
MINUTES = st.integers(0, (LAST - FIRST) // timedelta(minutes=1)).map(lambda number: FIRST + timedelta(minutes=number))
TIMER_OF_TERRAFORM = Path(__file__).parents[2] / "terraform" / "module" / "timer.tf"


@given(MINUTES)
def test_every_minute_is_read_back_from_its_expression(minute):
    """The two languages name every minute from 1970 to 2199, and each as itself."""
    assert (read_cron(cron_text(minute)), read_at(at_text(minute))) == (minute, minute)


@given(MINUTES)
def test_an_expression_has_the_form_that_aws_documents(minute):
    """Six fields without leading zeros and one question mark; a date and a time without a zone."""
    assert (cron_text(minute), at_text(minute)) == (
        f"cron({minute.minute} {minute.hour} {minute.day} {minute.month} ? {minute.year})",
        f"at({minute.strftime('%Y-%m-%dT%H:%M:%S')})",
    )


@given(
    st.text(alphabet="cronat(0123456789 ?*:-T)", max_size=30) | MINUTES.map(lambda m: cron_text(m).replace(" ", "  "))
)
def test_what_is_read_is_what_would_be_written(text):
    """No text is taken for a minute that would be written otherwise."""
    assert [write(found) for read, write in ((read_cron, cron_text), (read_at, at_text)) if (found := read(text))] in (
        [],
        [text],
    )


@pytest.mark.parametrize(
    "text",
    [
        "rate(15 minutes)",
        "cron(0 12 * * ? *)",
        "cron(0 12 1 1 ? *)",
        "cron(0 12 ? 1 2 2030)",
        "cron(00 12 1 1 ? 2030)",
        "cron(0 12 30 2 ? 2030)",
        "cron(0/5 12 1 1 ? 2030)",
        "cron(\N{ARABIC-INDIC DIGIT ZERO} 12 1 1 ? 2030)",
        " cron(0 12 1 1 ? 2030)",
        "at(2030-01-01T12:00:30)",
        "at(2030-02-30T12:00:00)",
        "at(2030-01-01T24:00:00)",
        "at(2030-01-01T12:00)",
        "at(2030-01-01T12:00:00Z)",
        "",
    ],
)
def test_another_expression_names_no_minute(text):
    """What a person wrote into a console, in a form that slowsched never writes, is no minute."""
    assert (read_cron(text), read_at(text)) == (None, None)


def test_the_year_has_four_digits():
    """The first and the last minute are written in full."""
    minutes = [at("1970-01-01T00:00:00Z"), at("2199-12-31T23:59:00Z")]
    assert [(cron_text(minute), at_text(minute)) for minute in minutes] == [
        ("cron(0 0 1 1 ? 1970)", "at(1970-01-01T00:00:00)"),
        ("cron(59 23 31 12 ? 2199)", "at(2199-12-31T23:59:00)"),
    ]


def test_terraform_begins_with_what_reads_as_never():
    """The module's first expressions are those that stand for a timer that was never set."""
    text = TIMER_OF_TERRAFORM.read_text(encoding="utf-8")
    assert [write(NEVER) in text for write in (cron_text, at_text)] == [True, True]
