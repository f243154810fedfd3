"""What the trailers of a commit message say, and why some say nothing (slowsched/trailers.py)."""

from __future__ import annotations

import pytest
from values import COMMIT

from slowsched.model import LateChoice, Trailer
from slowsched.trailers import late_of, read_message, reverted_by, task_of

KNOWN = (
    "Slowsched-Allow-Deletes, Slowsched-Allow-Protected, Slowsched-Allow-Imminent, Slowsched-Late, Slowsched-Supersede"
)


def _read(*lines: str) -> list[tuple[str, str, str | None]]:
    """Return name, value and message of each trailer in a message with these lines below its subject."""
    found = read_message(COMMIT, "\n".join(["A subject", "", *lines]))
    assert {each.commit for each in found} <= {COMMIT}
    assert not any(each.used for each in found)
    return [(each.name, each.value, each.message) for each in found]


def _said(*lines: str) -> str | None:
    """Return why the one trailer of these lines allows nothing."""
    ((_, _, message),) = _read(*lines)
    return message


def test_every_trailer():
    """Each in a line of its own, beside those of others; ids are written as they are, spaces and all."""
    assert _read(
        "Slowsched-Allow-Deletes: 12",
        "Signed-off-by: somebody <somebody@example.com>",
        "Slowsched-Allow-Protected: some task id",
        "Slowsched-Allow-Imminent: b: c",
        "Slowsched-Late: some task id run",
        "Slowsched-Supersede: d",
        "(cherry picked from commit 0123456789abcdef0123456789abcdef01234567)",
    ) == [
        ("Slowsched-Allow-Deletes", "12", None),
        ("Slowsched-Allow-Protected", "some task id", None),
        ("Slowsched-Allow-Imminent", "b: c", None),
        ("Slowsched-Late", "some task id run", None),
        ("Slowsched-Supersede", "d", None),
    ]


def test_a_message_without_a_trailer_of_ours():
    """Nothing is found in a subject alone, in prose, or in the trailers of others."""
    assert read_message(COMMIT, "A subject") == ()
    assert read_message(COMMIT, "") == ()
    assert _read("Prose on slowsched-late things, and Slowsched-Late: in the middle of a line.", "", "Fixes: #1") == []


def test_names_in_any_case_and_folded_lines():
    """As git reads them: without regard to case, and a line that begins with a space goes on."""
    assert _read("slowsched-LATE : some", "  task id", "\tskip") == [("Slowsched-Late", "some task id skip", None)]


def test_lines_that_end_as_on_windows():
    """A carriage return belongs to no value."""
    assert read_message(COMMIT, "A subject\r\n\r\nSlowsched-Supersede: a\r\n") == (
        Trailer(name="Slowsched-Supersede", value="a", commit=COMMIT),
    )


def test_the_messages_of_a_squashed_branch():
    """A forge strings them together: each paragraph of trailers counts, not only the last."""
    assert _read("* Delete the sales", "", "Slowsched-Allow-Deletes: 12", "", "* Mend it", "", "Co-authored-by: x") == [
        ("Slowsched-Allow-Deletes", "12", None)
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ["Slowsched-Late: a run", "is what one would write."],
        ["One would write", "Slowsched-Late: a run"],
    ],
)
def test_a_trailer_amid_other_text_allows_nothing(lines):
    """A message that speaks about a trailer does not say it."""
    assert _said(*lines) == "it stands amid other text: give it a paragraph of its own at the end of the message"


def test_a_trailer_in_the_subject_allows_nothing():
    """The first paragraph is prose, whatever it looks like."""
    (found,) = read_message(COMMIT, "Slowsched-Supersede: a")
    assert found.message == "it stands amid other text: give it a paragraph of its own at the end of the message"


def test_an_indented_trailer_is_no_trailer():
    """`git merge --squash` quotes messages with four spaces."""
    assert _read("    Slowsched-Late: a run") == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Slowsched-Allow-Deletes: twelve", "it takes the exact number of deletes, and says 'twelve'"),
        ("Slowsched-Allow-Deletes: -1", "it takes the exact number of deletes, and says '-1'"),
        ("Slowsched-Allow-Deletes: ²", "it takes the exact number of deletes, and says '²'"),
        ("Slowsched-Allow-Deletes: 1234567890", "it takes the exact number of deletes, and says '1234567890'"),
        ("Slowsched-Late: a", "it takes the id of a task and `run` or `skip`, and says 'a'"),
        ("Slowsched-Late: run", "it takes the id of a task and `run` or `skip`, and says 'run'"),
        ("Slowsched-Late: a Run", "it takes the id of a task and `run` or `skip`, and says 'a Run'"),
        ("Slowsched-Supersede:", "it takes the id of a task, and says ''"),
        (f"Slowsched-Supersede: {'x' * 129}", f"it takes the id of a task, and says '{'x' * 60}...'"),
        (
            "Slowsched-Alow-Deletes: 1",
            "there is no trailer 'Slowsched-Alow-Deletes': did you mean 'Slowsched-Allow-Deletes'?",
        ),
        ("Slowsched-Zzzzzzzzzzzzzzzzz: 1", f"there is no trailer 'Slowsched-Zzzzzzzzzzzzzzzzz': there are {KNOWN}"),
        ("Slowsched-Allow-Rollback: x", "no commit can say that: it is for who applies, as --allow-rollback"),
        ("Slowsched-Allow-Dirty: yes", "no commit can say that: it is for who applies, as --allow-dirty"),
    ],
)
def test_a_trailer_that_is_not_understood(line, message):
    """It says why it allows nothing, with the nearest name."""
    assert _said(line) == message


def test_what_a_trailer_is_about():
    """The id of a task where it names one; a number and what is not understood name none."""
    lines = ("Late: some task id run", "Supersede: b", "Allow-Deletes: 1", "X: c")
    found = read_message(COMMIT, "A subject\n\n" + "\n".join(f"Slowsched-{line}" for line in lines))
    assert [task_of(each) for each in found] == ["some task id", "b", None, None]
    assert late_of(found[0]) == ("some task id", LateChoice.RUN)


def test_what_a_message_reverts():
    """The line that git writes, in small letters; a mention of it in a sentence is none."""
    text = f"Revert it\n\nThis reverts commit {COMMIT.upper()}.\n\nSee This reverts commit 1234567."
    assert reverted_by(text) == (COMMIT,)
