"""What of GitHub's REST API is needed: one comment of a pull request, and one issue, found again by a hidden marker.

A text of ours is one that begins with the marker *and* was written by the account that the token stands for: a
stranger may write the marker, too, and could then change what we would put under it.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BODY_MAX", "GitHub", "GitHubError", "NotAllowedError", "keep_comment", "keep_issue"]

BODY_MAX = 65_535  # characters of a comment or an issue
_SECONDS_MAX = 30  # of one call
_PAUSES_SECONDS = (1, 4, 15)  # before another try
_PAUSE_MAX_SECONDS = 60  # what an answer may ask for

_NEXT = re.compile(r'<([^>]+)>;\s*rel="next"')


class GitHubError(Exception):
    """GitHub did not do what it was asked; the message says what, and what it answered."""


class NotAllowedError(GitHubError):
    """The token may not do this: that of a fork's pull request only reads."""


class _PassingError(GitHubError):
    """It may work in a moment, `pause` seconds from now where GitHub said so."""

    def __init__(self, message: str, pause: float | None = None) -> None:
        super().__init__(message)
        self.pause = pause


class _NoRedirect(HTTPRedirectHandler):
    """Follows nothing: the token would go along."""

    def redirect_request(self, *_: Any) -> None:
        """Refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """One repository, as one account."""

    api_url: str
    token: str
    repository: str
    login: str  # the account that the token writes as
    sleep: Callable[[float], None] = field(default=time.sleep)

    def send(self, method: str, path: str, content: Any = None) -> Any:
        """Send one request below the repository and return the document of its answer, None where it has none.

        Raises:
            NotAllowedError: the token may not do this.
            GitHubError: any other answer but success, or none.
        """
        return self._answer(method, f"{self.api_url}/repos/{self.repository}/{path}", content)[0]

    def each(self, path: str) -> Iterator[Any]:
        """Yield every item of a list, page by page.

        Raises:
            NotAllowedError, GitHubError: as `send`.
        """
        url: str | None = f"{self.api_url}/repos/{self.repository}/{path}"
        while url is not None:
            items, links = self._answer("GET", url, None)
            yield from items
            following = _NEXT.search(links)
            url = following[1] if following else None

    def _answer(self, method: str, url: str, content: Any) -> tuple[Any, str]:
        if not url.startswith(f"{self.api_url}/"):
            raise GitHubError(f"GitHub's list goes on at {url}, which is not below {self.api_url}")
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "User-Agent": "slowsched",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        data = None if content is None else json.dumps(content).encode()
        request = Request(url, data=data, headers=headers, method=method)  # noqa: S310 - the runner's own API
        try:
            with build_opener(_NoRedirect).open(request, timeout=_SECONDS_MAX) as answer:
                text = answer.read()
                return (json.loads(text) if text else None), answer.headers.get("Link", "")
        except HTTPError as error:
            raise _meaning(error, f"{method} {url}") from error
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise _PassingError(f"{method} {url} had no answer: {error}") from error


def _meaning(error: HTTPError, asked: str) -> GitHubError:
    """Return what an answer that is no success means."""
    said = f"{asked} was answered with {error.code} {_message(error)}"
    pause = error.headers.get("Retry-After", "")
    limited = pause or error.headers.get("X-RateLimit-Remaining") == "0"
    if error.code >= 500 or error.code == 429 or (limited and error.code == 403):  # noqa: PLR2004 - HTTP's own numbers
        return _PassingError(said, float(pause) if pause.isdigit() else None)
    if error.code in (401, 403, 404):  # 404 is how GitHub hides what a token may not see
        return NotAllowedError(said)
    return GitHubError(said)


def _message(error: HTTPError) -> str:
    try:
        return str(json.load(error).get("message", ""))
    except (ValueError, AttributeError, OSError):
        return str(error.reason)


def keep_comment(github: GitHub, number: int, marker: str, body: str | None) -> str:
    """Let pull request `number` have exactly one comment of ours with this marker, or none (`body` is None).

    Returns:
        What was done: `created`, `updated`, `removed` or `unchanged`.

    Raises:
        NotAllowedError: the token may not comment.
        GitHubError: GitHub does not answer, or not as it should.
    """
    return _patiently(github, lambda: _keep_comment(github, number, marker, body))


def _keep_comment(github: GitHub, number: int, marker: str, body: str | None) -> str:
    found = list(_ours(github, f"issues/{number}/comments?per_page=100", marker))
    kept, others = (found[:1], found[1:]) if body is not None else ([], found)
    for other in others:
        github.send("DELETE", f"issues/comments/{other['id']}")
    if body is None:
        return "removed" if found else "unchanged"
    if not kept:
        github.send("POST", f"issues/{number}/comments", {"body": f"{marker}\n{body}"})
        return "created"
    if _same(kept[0], f"{marker}\n{body}"):
        return "unchanged"
    github.send("PATCH", f"issues/comments/{kept[0]['id']}", {"body": f"{marker}\n{body}"})
    return "updated"


def keep_issue(github: GitHub, title: str, marker: str, body: str | None, closing: str) -> str:
    """Let the repository have one open issue of ours with this marker, or none: `body` is None.

    `closing` is said in the issue before it is closed.

    Returns:
        What was done: `opened`, `updated`, `closed` or `unchanged`.

    Raises:
        NotAllowedError: the token may not write issues.
        GitHubError: GitHub does not answer, or not as it should.
    """
    return _patiently(github, lambda: _keep_issue(github, title, marker, body, closing))


def _keep_issue(github: GitHub, title: str, marker: str, body: str | None, closing: str) -> str:
    found = [each for each in _ours(github, "issues?state=open&per_page=100", marker) if "pull_request" not in each]
    kept, others = (found[:1], found[1:]) if body is not None else ([], found)
    for other in others:
        path = f"issues/{other['number']}"
        github.send("POST", f"{path}/comments", {"body": closing})
        github.send("PATCH", path, {"state": "closed", "state_reason": "completed"})
    if body is None:
        return "closed" if found else "unchanged"
    content = {"title": title, "body": f"{marker}\n{body}"}
    if not kept:
        github.send("POST", "issues", content)
        return "opened"
    if _same(kept[0], content["body"]):
        return "unchanged"
    github.send("PATCH", f"issues/{kept[0]['number']}", content)
    return "updated"


def _ours(github: GitHub, path: str, marker: str) -> Iterator[Any]:
    for each in github.each(path):
        author = (each.get("user") or {}).get("login")
        if author == github.login and (each.get("body") or "").startswith(marker):
            yield each


def _same(found: Any, body: str) -> bool:
    return str(found["body"]).replace("\r\n", "\n") == body


def _patiently(github: GitHub, act: Callable[[], str]) -> str:
    """Try again where that may help; from the beginning, so that nothing is made twice whose answer was lost."""
    for pause in _PAUSES_SECONDS:
        try:
            return act()
        except _PassingError as error:
            github.sleep(min(pause if error.pause is None else error.pause, _PAUSE_MAX_SECONDS))
    return act()
