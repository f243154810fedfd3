"""The composite action on a pull request, its shell steps run as GitHub runs them, against a stand-in of its API."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ci.github_stand_in import BOT, stand_in
from repositories import task_text

MARKER = "<!-- slowsched:plan:local -->"
AHEAD = "2190-06-01T00:00:00Z"
PAST = "2020-01-01T00:00:00Z"
SCARF = task_text("scarf", due=AHEAD)


def counts(**some):
    """Return the counts of a plan in which only these are not zero."""
    return dict.fromkeys(("create", "update", "delete", "forget", "late", "conflict", "unchanged", "done"), 0) | some


def test_a_plan_becomes_a_comment_outputs_a_summary_and_an_artifact(clone, pull_request, github):
    """One new task: the comment has it, the outputs count it, the summary says the same, the artifact holds all."""
    clone.commit(scarf=SCARF)
    told = pull_request.run(command="plan")
    assert (told.failed, told.commands) == (False, [])
    folder = told.steps["install"]["outputs"]["folder"]
    plan = json.loads((pull_request.temp / folder / "plan.json").read_text())
    assert {**told.outputs, "counts": json.loads(told.outputs["counts"])} == {
        "changes": "1",
        "counts": counts(create=1, unchanged=1),
        "digest": plan["digest"],
        "valid-until": AHEAD,
        "failure_reason": "",
        "folder": folder,
    }
    (body,) = github.bodies()
    assert body.startswith(f"{MARKER}\n### slowsched plan: local\n")
    assert "<code>scarf</code>" in body
    assert body.endswith(
        "\n<sub>[run 4711](https://github.example/acme/shop/actions/runs/4711), attempt 1, "
        "as of the push of 0123456</sub>\n"
    )
    assert told.summary.startswith("### slowsched plan: local\n")
    assert told.used[-1][1] == {
        "name": "slowsched-plan-local",
        "path": folder,
        "overwrite": "True",
        "if-no-files-found": "ignore",
    }


def test_the_comment_is_created_updated_left_alone_and_removed(clone, pull_request, github):
    """Four plans: a first, one of other changes, the same again, and one without: one comment, then none."""
    clone.commit(scarf=SCARF)
    pull_request.run(command="plan")
    first = github.bodies()
    clone.commit(scarf=SCARF, hat=task_text("hat", due=AHEAD))
    pull_request.run(command="plan")
    second = github.bodies()
    clone.commit(scarf=None, hat=None)
    pull_request.run(command="plan")
    pull_request.run(command="plan")
    assert [len(first), len(second), "hat" in first[0], "hat" in second[0], github.bodies()] == [1, 1, False, True, []]
    assert github.writes == ["POST issues/7/comments", "PATCH issues/comments/1", "DELETE issues/comments/1"]


def test_the_comment_is_found_on_a_later_page(clone, pull_request, github):
    """Behind 130 comments of others it is still found, and updated in place."""
    for number in range(130):
        github.comment(f"comment {number}")
    ours = github.comment(f"{MARKER}\nfrom an earlier run", BOT)
    github.comment("and one more")
    clone.commit(scarf=SCARF)
    pull_request.run(command="plan")
    assert github.writes == [f"PATCH issues/comments/{ours['id']}"]
    assert (len(github.bodies()), "scarf" in ours["body"]) == (1, True)


def test_a_strangers_marker_is_not_ours(clone, pull_request, github):
    """Somebody who writes the marker could change our text under it later: their comment is let alone."""
    theirs = github.comment(f"{MARKER}\nLooks good to me!", "mallory")
    clone.commit(scarf=SCARF)
    pull_request.run(command="plan")
    assert theirs["body"] == f"{MARKER}\nLooks good to me!"
    assert github.writes == ["POST issues/7/comments"]


def test_two_comments_of_ours_become_one(clone, pull_request, github):
    """Two runs at once may both have found none; the next one mends it."""
    for _ in range(2):
        github.comment(f"{MARKER}\nfrom an earlier run", BOT)
    clone.commit(scarf=SCARF)
    pull_request.run(command="plan")
    assert github.writes == ["DELETE issues/comments/2", "PATCH issues/comments/1"]


def test_a_lost_answer_makes_no_second_comment(clone, pull_request, github):
    """GitHub writes the comment and its answer is lost: the next try finds it."""
    github.lost = ["POST"]
    clone.commit(scarf=SCARF)
    told = pull_request.run(command="plan")
    assert (told.failed, github.writes, len(github.bodies())) == (False, ["POST issues/7/comments"], 1)


def test_a_token_that_may_not_write_is_told_and_fails_nothing(clone, pull_request, github):
    """The token of a fork's pull request only reads: the summary has it all, and says that it is alone."""
    github.may_write = False
    clone.commit(scarf=SCARF)
    told = pull_request.run(command="plan", offline="true")
    (notice,) = told.commands
    assert notice.startswith("::notice::the token may not write it to GitHub, so it stands in the step summary alone (")
    assert "answered with 403 Resource not accessible by integration" in notice
    assert (told.failed, told.outputs["changes"], github.bodies()) == (False, "1", [])
    assert told.summary.endswith(
        "The token of this run may not write to GitHub: what you read here stands nowhere else.\n"
    )


@pytest.mark.parametrize("refused", [(422, "POST", {}), (301, "GET", {"Location": "/elsewhere"})])
def test_a_comment_that_stays_out_of_date_fails_the_run(clone, pull_request, github, refused):
    """Where GitHub refuses for another reason a reviewer would read an old plan: the run is red, and says so."""
    github.failures = [refused]
    clone.commit(scarf=SCARF)
    told = pull_request.run(command="plan")
    (error,) = told.commands
    assert error.startswith(f"::error::what stands on GitHub is out of date: {refused[1]} ")
    assert (told.failed, told.outputs["changes"]) == (True, "1")


def test_the_token_goes_nowhere_else(clone, pull_request, github):
    """A redirection, and a list that goes on at another host, are errors; the other host is not asked."""
    clone.commit(scarf=SCARF)
    with stand_in() as other:
        github.failures = [(307, "GET", {"Location": f"{other.url}/repos/acme/shop/issues/7/comments"})]
        redirected = pull_request.run(command="plan")
        github.pages_at = other.url
        for number in range(101):
            github.comment(f"comment {number}")
        led_away = pull_request.run(command="plan")
        assert (redirected.failed, led_away.failed, github.writes, other.tokens) == (True, True, [], set())


@pytest.mark.parametrize(
    "trouble", [(502, "GET", {}), (429, "POST", {"Retry-After": "0"}), (403, "POST", {"Retry-After": "0"})]
)
def test_a_moment_of_trouble_is_waited_out(clone, pull_request, github, trouble):
    """One answer that GitHub gives when it is busy, and the comment is there all the same."""
    github.failures = [trouble]
    clone.commit(scarf=SCARF)
    assert (pull_request.run(command="plan").failed, len(github.bodies())) == (False, 1)


def test_a_cancelled_plan_leaves_the_comment(clone, pull_request, github):
    """Nothing was found, so nothing is said; the comment names the run that it is from."""
    theirs = github.comment(f"{MARKER}\nfrom an earlier run", BOT)
    clone.commit(scarf=SCARF)
    told = replace(pull_request, cancelled="run").run(command="plan")
    assert (told.failed, github.writes, theirs["body"]) == (True, [], f"{MARKER}\nfrom an earlier run")


def test_problems_are_annotated_on_their_lines_and_fail(clone, pull_request, github):
    """Two defects: an annotation each, in the words of validate, and the comment lists them."""
    clone.commit(bad="id: bad\ndue: soon\naction: UNKNOWN\npayload: {}\n")
    told = pull_request.run(command="plan")
    assert [line.split("::")[1] for line in told.commands] == [
        "error title=due-not-a-time,file=tasks/bad.yaml,line=2,col=6",
        "error title=unknown-action,file=tasks/bad.yaml,line=3,col=9",
    ]
    assert (told.failed, told.outputs["failure_reason"], told.outputs["digest"]) == (True, "problems", "")
    assert "unknown-action" in github.bodies()[0]


def test_paths_count_from_the_workspace(clone, pull_request):
    """A repository in a folder of a larger one: annotations carry the folder."""
    (clone.root / "shop").mkdir()
    clone.git("mv", "tasks", "schemas", "slowsched.yaml", "shop/")
    clone.write("shop/tasks/bad.yaml", "id: bad\n")
    clone.commit()
    told = pull_request.run(command="validate", working_directory="shop")
    assert {line.split("::")[1].split(",")[1] for line in told.commands} == {"file=shop/tasks/bad.yaml"}
    assert told.outputs["failure_reason"] == "problems"


@pytest.mark.parametrize(
    ("files", "reason"),
    [({"old": task_text("old", due=PAST)}, "late"), ({"coat": None}, "refused")],
)
def test_the_reason_of_a_failure_is_one_word(clone, pull_request, github, files, reason):
    """A late task and a plan that deletes everything fail with their word; the comment is there."""
    clone.commit(**files)
    told = pull_request.run(command="plan")
    assert (told.failed, told.outputs["failure_reason"], len(told.commands), len(github.bodies())) == (
        True,
        reason,
        1,
        1,
    )


def test_a_plan_that_comes_to_nothing_says_why(pull_request, github):
    """A base that nobody knows: the error in the comment, escaped, and as an annotation; no command to the runner."""
    told = pull_request.run(command="plan", base="origin/<b>@ada##[add-mask]x")
    assert (told.failed, told.outputs["failure_reason"], told.outputs["changes"]) == (True, "error", "")
    (body,) = github.bodies()
    assert "&#60;b&#62;&#64;ada" in body
    assert "<b>" not in body.replace("&#60;b", "")
    assert [line.partition("::slowsched")[0] for line in told.commands] == ["::error title=slowsched plan"]


def test_what_files_say_is_no_command_to_the_runner(clone, pull_request):
    """An id that reads as a command, as the runner finds one anywhere in a line, is text in log and annotation."""
    clone.commit(bad=task_text('"##[add-mask]50%0A::error::x"', due=PAST))
    told = pull_request.run(command="plan")
    applied = pull_request.run(command="apply")
    assert [line[:77] for line in told.commands] == [
        "::error title=late,file=tasks/bad.yaml,line=1::##[add-mask]50%250A::error::x: "[:77]
    ]
    assert [line[:57] for line in applied.commands] == [
        "::error ::##[add-mask]50%250A::error::x: late: it was due "[:57]
    ]


def test_without_a_comment_nobody_is_asked(clone, pull_request, github):
    """`comment: false` sends nothing to GitHub."""
    clone.commit(scarf=SCARF)
    assert (pull_request.run(command="plan", comment="false").failed, github.tokens) == (False, set())


def test_the_token_is_the_one_that_was_given(clone, pull_request, github):
    """Every request carries the input's token, by default that of the run."""
    clone.commit(scarf=SCARF)
    pull_request.run(command="plan")
    assert github.tokens == {"Bearer the token"}
