"""Moments, spans and names in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from values import at

from slowsched.render.words import (
    command,
    counted,
    distance,
    lateness,
    local_moment,
    moment,
    owner_words,
    quoted,
    short_commit,
    span,
)

NOW = at("2026-11-24T12:00:30Z")


@pytest.mark.parametrize(
    ("length", "words"),
    [
        ({"days": 402}, "1 year, 37 days"),
        ({"days": 365}, "1 year"),
        ({"days": 365 * 3 + 38, "hours": 23}, "3 years, 38 days"),
        ({"days": 37, "hours": 23, "minutes": 59}, "37 days"),
        ({"days": 2}, "2 days"),
        ({"days": 1, "hours": 23, "minutes": 59}, "1 day, 23 hours"),
        ({"hours": 1, "minutes": 12, "seconds": 59}, "1 hour, 12 minutes"),
        ({"hours": 2}, "2 hours"),
        ({"minutes": 2, "seconds": 59}, "2 minutes"),
        ({"seconds": 119.9}, "1 minute, 59 seconds"),
        ({"seconds": 1}, "1 second"),
        ({"seconds": 0.999}, "under a second"),
    ],
)
def test_span(length: dict[str, float], words: str) -> None:
    """A span is rounded down to what matters at its length, and never says less than a unit too many."""
    assert span(timedelta(**length)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "now"), (0.5, "now"), (-0.5, "now"), (1, "in 1 second"), (-3600, "1 hour ago"), (86400 * 37, "in 37 days")],
)
def test_distance(seconds: float, words: str) -> None:
    """How far a moment is from now."""
    assert distance(NOW + timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2027-12-31T00:00:00Z", "2027-12-31 00:00 UTC"),
        ("2027-12-31T00:00:30Z", "2027-12-31 00:00:30 UTC"),
        ("2027-12-31T00:00:00.250000Z", "2027-12-31 00:00:00.250000 UTC"),
    ],
)
def test_moment(text: str, words: str) -> None:
    """A moment is told exactly, and without seconds where it has none."""
    assert moment(at(text)) == words


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        (None, None),
        ("Europe/Berlin", "2027-07-01 14:00 in Europe/Berlin"),
        ("Asia/Kathmandu", "2027-07-01 17:45 in Asia/Kathmandu"),
        ("Europe/Nowhere", None),
        ("../etc/passwd", None),
        ("Europe", None),
        ("", None),
    ],
)
def test_local_moment(zone: str | None, words: str | None) -> None:
    """The author's own clock; nothing for a zone that this machine does not know, whatever it is called."""
    assert local_moment(at("2027-07-01T12:00:00Z"), zone) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "on time"), (0.99, "on time"), (12.5, "12 seconds late"), (185, "3 minutes late")]
)
def test_lateness(seconds: float, words: str) -> None:
    """Within a second is on time."""
    assert lateness(seconds) == words


def test_names() -> None:
    """Commits, owners, ids and commands as a person writes them."""
    assert [
        short_commit("0123456789abcdef"),
        short_commit(None),
        owner_words("production", "acme/shop/production", None),
        owner_words("production", "acme", "0123456789"),
        command("plan", "local"),
        command("plan", "production"),
        quoted("some id"),
        counted(1, "row"),
        counted(0, "row"),
    ] == [
        "commit 0123456",
        "no commit",
        "production, owner acme/shop, no commit",
        "production, owner acme, commit 0123456",
        "slowsched plan",
        "slowsched plan --env production",
        "'some id'",
        "1 row",
        "0 rows",
    ]
