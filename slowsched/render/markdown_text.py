"""Text from files in GitHub's Markdown: text and nothing else, and lists of it that have an end.

It closes no fence and no cell, opens no tag and mentions nobody. Identifiers stand in `<code>`, where GitHub looks
for neither mentions nor references; so does a sentence that holds what could be one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from slowsched.render.harmless import harmless
from slowsched.render.layout import ELLIPSIS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["alert", "code", "fitting", "folded", "prose", "short"]

_LIST_MAX = 8_000  # characters of one list; a comment has up to six of them
_TEXT_MAX = 300  # of one text, before it is escaped

# All that Markdown or HTML reads as more than text; some of it at the start of a line only.
_SPECIAL = re.compile(r"[!#$&*<>@\[\\\]_`|~]|:(?=//)|www(?=\.)|\A[-+=]|\A\d(?=\d*[.)])")
# What GitHub makes a mention, a reference, a commit, a link or an emoji of, even where it was escaped.
_REFERENCE = re.compile(
    r"[@#]|GH-\d|://|www\.|:(?:[a-z+-][\w+-]*|100|1234):|\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,40}\b", re.IGNORECASE
)


def short(text: str, longest: int) -> str:
    """Cut a text where it gets long."""
    return text if len(text) <= longest else text[: longest - 1] + ELLIPSIS


def code(text: str) -> str:
    """Write an identifier."""
    return f"<code>{_escaped(text)}</code>"


def prose(text: str) -> str:
    """Write a sentence as prose, or as code where GitHub could find a mention or a reference in it."""
    return code(text) if _REFERENCE.search(text) else _escaped(text)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(_entity, short(harmless(text), _TEXT_MAX))


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match[0][0])};{match[0][1:]}"


def fitting(parts: Sequence[str], room: int) -> Sequence[str]:
    """Return as many of the first parts as fit."""
    for index, part in enumerate(parts):
        room -= len(part)
        if room < 0:
            return parts[:index]
    return parts


def alert(kind: str, title: str, items: Sequence[str]) -> Iterator[str]:
    """Yield a list that stands out, as much of it as there is room for; nothing without items."""
    if items:
        shown = fitting([f"> - {item}\n" for item in items], _LIST_MAX)
        rest = f"> - and {len(items) - len(shown)} more\n" if len(shown) < len(items) else ""
        yield f"> [!{kind}]\n> {title}\n{''.join(shown)}{rest}\n"


def folded(summary: str, block: str) -> str:
    """Write a block that a click opens."""
    return f"<details><summary>{summary}</summary>\n\n{block}\n</details>\n\n"
