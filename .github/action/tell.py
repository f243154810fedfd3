"""Tells GitHub what a command of slowsched found: annotations, outputs, step summary, and a comment or an issue.

It runs after run.sh, also where that failed, takes everything from its environment, and runs nothing of the repository.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from found import Found, found
from github_api import BODY_MAX, GitHub, GitHubError, NotAllowedError, keep_comment, keep_issue

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_NAME = "slowsched.yaml"
SUMMARY_MAX = 1_000_000  # bytes; GitHub refuses more than 1 MiB of a step


def main(environ: Mapping[str, str]) -> int:
    """Tell, and return the exit status: 1 where a comment or an issue is out of date and stays so."""
    command, environment = environ["INPUT_COMMAND"], environ["INPUT_ENVIRONMENT"] or environ.get("SLOWSCHED_ENV", "")
    result = found(
        command,
        Path(environ["SLOWSCHED_FOLDER"]),
        environment=environment or "local",
        prefix=_prefix(environ),
    )
    for line in result.annotations:
        print(line)
    told, status = _told(command, result, environ)
    _write_outputs(result, command, environ)
    with Path(environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as file:
        text = f"{result.markdown}\n{told}".encode()[:SUMMARY_MAX].decode(errors="ignore")
        file.write(text)
    return status


def _prefix(environ: Mapping[str, str]) -> str:
    """Return what leads from the workspace to the root of the task files: annotations count from the former."""
    workspace = Path(environ["GITHUB_WORKSPACE"]).resolve()
    here = workspace.joinpath(environ["INPUT_WORKING_DIRECTORY"]).resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).exists() and folder.is_relative_to(workspace):
            path = folder.relative_to(workspace).as_posix()
            return "" if path == "." else f"{path}/"
    return ""


def _write_outputs(result: Found, command: str, environ: Mapping[str, str]) -> None:
    outputs = {**result.outputs, "failure_reason": result.reason}
    if command == "plan":
        outputs["artifact"] = f"slowsched-plan-{_word(result.environment)}"
    lines = [f"{name}={' '.join(value.split())}\n" for name, value in outputs.items()]
    with Path(environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
        file.writelines(lines)


# --- the comment and the issue ---------------------------------------------------------------------


def _told(command: str, result: Found, environ: Mapping[str, str]) -> tuple[str, int]:
    """Keep the comment of a plan, or the issue of a drift; return a note for the summary, and the exit status."""
    if environ["RUN_OUTCOME"] == "cancelled":
        return "", 0  # nothing was found; what stands there names the run that it is from
    if environ["INPUT_COMMENT"] != "true" or command not in ("plan", "drift"):
        return "", _alone(result)
    try:
        done = _keep(command, result, environ)
    except NotAllowedError as error:
        print(
            f"::notice::the token may not write it to GitHub, so it stands in the step summary alone ({_line(error)})"
        )
        return "\nThe token of this run may not write to GitHub: what you read here stands nowhere else.\n", _alone(
            result
        )
    except GitHubError as error:
        print(f"::error::what stands on GitHub is out of date: {_line(error)}; run this again")
        return "\nWhat stands on GitHub is out of date: it could not be written there.\n", 1
    if done:
        print(done)
    return "", 0


def _alone(result: Found) -> int:
    """Return the exit status where only this run tells: of drift it must then be red."""
    return 1 if result.reason == "drift" else 0


def _keep(command: str, result: Found, environ: Mapping[str, str]) -> str:
    """Keep what there is to keep, and return what was done."""
    github = GitHub(
        api_url=environ["GITHUB_API_URL"].rstrip("/"),
        token=environ["GITHUB_TOKEN"],
        repository=environ["GITHUB_REPOSITORY"],
        login=environ["INPUT_TOKEN_LOGIN"],
    )
    marker = _marker(command, result, environ)
    body = _body(result, marker, environ) if result.tells else None
    if command == "plan":
        number = _pull_request(environ).get("number")
        return "" if number is None else f"comment of #{number}: {keep_comment(github, number, marker, body)}"
    if result.reason == "error":
        return ""  # whether there is drift is not known; the run is red
    title, closing = f"slowsched: drift in {result.environment}", f"No drift any more, as of {_run(environ)}."
    return f"issue: {keep_issue(github, title, marker, body, closing)}"


def _pull_request(environ: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the pull request that the run is about; nothing where it is about none."""
    event = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    return event.get("pull_request") or {}


def _marker(command: str, result: Found, environ: Mapping[str, str]) -> str:
    """Return the hidden first line by which a text of ours is found again: one a command, environment and folder."""
    folder = environ["INPUT_WORKING_DIRECTORY"].strip("./")
    words = [command, _word(result.environment), *([_word(folder)] if folder else [])]
    return f"<!-- slowsched:{':'.join(words)} -->"


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)


def _body(result: Found, marker: str, environ: Mapping[str, str]) -> str:
    commit = _pull_request(environ).get("head", {}).get("sha", "")[:7]
    pushed = f", as of the push of {commit}" if commit else ""
    end = f"\n<sub>{_run(environ)}, attempt {environ['GITHUB_RUN_ATTEMPT']}{pushed}</sub>\n"
    room = BODY_MAX - len(marker) - len(end) - 200
    text = result.markdown
    if len(text) > room:
        text = f"{text[:room].rsplit(chr(10), 1)[0]}\n\n</details>\n\nCut here: the summary of the run has it all.\n"
    return f"{text}{end}"


def _run(environ: Mapping[str, str]) -> str:
    url = f"{environ['GITHUB_SERVER_URL']}/{environ['GITHUB_REPOSITORY']}/actions/runs/{environ['GITHUB_RUN_ID']}"
    return f"[run {environ['GITHUB_RUN_ID']}]({url})"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main(os.environ))
