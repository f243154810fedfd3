"""Ask a person at the terminal for what a task still needs; every answer is checked at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from slowsched.canonical import pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from slowsched.model import Problem

    Document = dict[str, Any]

__all__ = ["ask_for_rest"]

# What stands in for the values that are not known yet, so that a draft is checked like a task.
_PLACEHOLDER: dict[str, Any] = {"id": "draft", "due": "2030-01-01T00:00:00Z", "action": "", "payload": {}}

_DUE_QUESTION = "due: as 2030-11-29T08:00:00Z, or the local time of a place, as 2030-11-29T09:00:00"


def ask_for_rest(
    document: Document, check: Callable[[Document], Sequence[Problem]], actions: Mapping[str, Mapping[str, Any]]
) -> None:
    """Fill in what a task file must have and `document` does not, and a description.

    `check` returns the problems of a document, `actions` are the payload schemas by action.
    """
    asking = _Asking(document, check)
    if "id" not in document:
        asking.ask(("id",), "id: the name of the task, unique in the repository")
    if "due" not in document:
        asking.ask_due()
    if "action" not in document:
        only = next(iter(actions)) if len(actions) == 1 else None
        asking.ask(("action",), "action: what is done", choices=sorted(actions), default=only)
    if "payload" not in document:
        asking.ask_payload(actions.get(document["action"], {}))
    if "description" not in document:
        asking.ask(("description",), "description: why, for those who review it (may be left out)", optional=True)


class _Asking:
    """Questions about one document, which the answers are written into."""

    def __init__(self, document: Document, check: Callable[[Document], Sequence[Problem]]) -> None:
        self._document = document
        self._check = check

    def ask(
        self,
        way: tuple[str, ...],
        question: str,
        *,
        choices: Sequence[str] = (),
        default: str | None = None,
        optional: bool = False,
        read: Callable[[str], Any] = str,
    ) -> None:
        """Ask until the answer has no problem; an empty answer leaves an optional value out."""
        *parents, key = way
        place = self._document
        for parent in parents:
            place = place[parent]
        while True:
            answer = click.prompt(
                question,
                default="" if optional else default,
                show_default=default is not None,
                type=click.Choice(choices) if choices else str,
                err=True,
            )
            if optional and not answer:
                return
            place[key] = read(answer)
            problems = self._problems_at(way)
            if not problems:
                return
            del place[key]
            _tell(problems)

    def ask_due(self) -> None:
        """Ask for the due, and for the place whose local time it is where it has no offset."""
        while True:
            self._document["due"] = click.prompt(_DUE_QUESTION, err=True)
            problems = self._problems_at(("due",))
            if "due-without-offset" in {each.code for each in problems}:
                self.ask(("timezone",), "timezone: of that place, as Europe/Berlin")
                problems = self._problems_at(("due",))
            if not problems:
                return
            self._document.pop("timezone", None)
            _tell(problems)

    def ask_payload(self, schema: Mapping[str, Any]) -> None:
        """Ask for each value that the action's schema names, else for the payload as a whole."""
        self._document["payload"] = {}
        properties: Mapping[str, Any] = schema.get("properties", {})
        if not properties:
            self.ask(("payload",), "payload: a JSON object", default="{}", read=_value)
            return
        required = schema.get("required", ())
        for name, about in properties.items():
            choices = [str(choice) for choice in about.get("enum", ())]
            self.ask(
                ("payload", name),
                f"payload.{name}{_about(about)}{'' if name in required else ' (may be left out)'}",
                choices=choices,
                optional=name not in required,
                read=str if about.get("type") == "string" else _value,
            )

    def _problems_at(self, way: tuple[str, ...]) -> list[Problem]:
        """Return the problems of one value of the draft; what is still missing elsewhere is none of them."""
        at = pointer(way)
        problems = self._check(_PLACEHOLDER | self._document)
        return [each for each in problems if each.pointer == at or each.pointer.startswith((f"{at}.", f"{at}["))]


def _tell(problems: Sequence[Problem]) -> None:
    for problem in problems:
        click.echo(f"  {problem.message}", err=True)


def _about(schema: Mapping[str, Any]) -> str:
    description = schema.get("description") or schema.get("type") or ""
    return f": {str(description).rstrip('.')}" if description else ""


def _value(answer: str) -> Any:
    """Read an answer as JSON, and as text where it is none: the schema says what it was to be."""
    try:
        return json.loads(answer)
    except ValueError:
        return answer
