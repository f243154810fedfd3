"""`slowsched new`: a valid task file, from options or by asking; nothing is written that has a problem."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slowsched.cli.complete import action_names, environments
from slowsched.cli.frame import command, pass_settings
from slowsched.cli.output import at_terminal, emit, note, use_color, warn
from slowsched.cli.status import Status
from slowsched.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slowsched.cli.drafts import Drafts
    from slowsched.cli.settings import Settings
    from slowsched.config import Config

    Document = dict[str, Any]

__all__ = ["new_command"]

_REQUIRED = ("id", "due", "action")
_PLAIN = ("id", "due", "timezone", "action", "description", "team", "grace", "timeout", "protect")


@command(
    "new",
    examples=[
        ("asked for everything, at a terminal", "slowsched new"),
        (
            "from options alone, the payload as well",
            "slowsched new --id 'coat sale' --due 2030-11-29T08:00:00Z --action APPLY_SALE --set itemID=coat ...",
        ),
        ("the local time of a place", "slowsched new --due 2030-11-29T09:00:00 --timezone Europe/Berlin"),
        ("into a file of your choice", "slowsched new --file tasks/2030/coat.yaml"),
    ],
)
@click.option("--id", "id", metavar="ID", help="The name of the task, unique in the repository.")
@click.option("--due", metavar="T", help="When it is due, as 2030-11-29T08:00:00Z.")
@click.option("--timezone", metavar="ZONE", help="The IANA zone of a due without an offset.")
@click.option("--action", metavar="ACTION", shell_complete=action_names, help="What is done.")
@click.option("--payload", metavar="JSON", help="What the action is given, as a JSON object.")
@click.option(
    "--set",
    "values",
    multiple=True,
    metavar="KEY=VALUE",
    help="One value of the payload: JSON, else text.  [repeatable]",
)
@click.option("--description", metavar="TEXT", help="Why, for those who review it.")
@click.option("--team", metavar="NAME", help="Whom to ask about it.")
@click.option("--label", "labels", multiple=True, metavar="KEY=TEXT", help="A word to find it by.  [repeatable]")
@click.option(
    "--environment",
    "environments",
    multiple=True,
    metavar="NAME",
    shell_complete=environments,
    help="An environment that it is for.  [repeatable; default: all]",
)
@click.option("--grace", metavar="D", help="How late it may still start, as 6h.")
@click.option("--timeout", metavar="D", help="How long one attempt may take.")
@click.option("--attempts", type=int, metavar="N", help="How many attempts it has in all.")
@click.option("--backoff", metavar="D", help="How long it rests after the first failure.")
@click.option("--max-backoff", metavar="D", help="The longest rest.")
@click.option("--protect", is_flag=True, default=None, help="Let its delete need an explicit word.")
@click.option(
    "--file", type=click.Path(path_type=Path), metavar="FILE", help="Where to write it: YAML, or JSON in *.json."
)
@pass_settings
def new_command(settings: Settings, /, *, file: Path | None, **options: Any) -> Status:
    """Write a task file, from options or by asking for what is missing.

    It is checked as `slowsched validate` would, before it is written; a file that exists and an id that is
    taken are refused.
    """
    from slowsched.cli.drafts import Drafts
    from slowsched.cli.loading import read_config

    config = read_config()
    document = _given(options)
    drafts = Drafts(config)
    asks = at_terminal() and any(key not in document for key in _REQUIRED)
    if asks:
        from slowsched.cli.asking import ask_for_rest

        ask_for_rest(document, drafts.problems, drafts.action_schemas())
    path = _path(config, document, file, asks=asks)
    _check_complete(document)
    return _written(settings, drafts, document, path)


def _given(options: Document) -> Document:
    """Return the document that the options spell out."""
    document: Document = {key: options[key] for key in _PLAIN if options[key] is not None}
    payload = {} if options["payload"] is None else _json(options["payload"])
    values = dict(_pair("--set", text) for text in options["values"])
    if options["payload"] is not None or values:
        if values and not isinstance(payload, dict):
            raise UsageError("--set adds to a payload that is a JSON object", hint="leave out one of the two")
        document["payload"] = (
            payload | {key: _json_or_text(value) for key, value in values.items()} if values else payload
        )
    if options["labels"]:
        document["labels"] = dict(_pair("--label", text) for text in options["labels"])
    if options["environments"]:
        document["environments"] = list(options["environments"])
    retry = {key: options[key] for key in ("attempts", "backoff", "max_backoff") if options[key] is not None}
    return document | ({"retry": retry} if retry else {})


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(
            f"--payload is no JSON ({error})", hint="""as '{"itemID": "coat"}', in single quotes"""
        ) from error


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _pair(option: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"{option} takes KEY=VALUE, not {text!r}")
    return key, value


def _check_complete(document: Document) -> None:
    missing = [f"--{key}" for key in _REQUIRED if key not in document]
    if missing:
        raise UsageError(f"a task needs {' and '.join(missing)}", hint="say it, or run this at a terminal to be asked")
    document.setdefault("payload", {})


def _path(config: Config, document: Document, file: Path | None, *, asks: bool) -> Path:
    """Return where to write it: as told, else in the first folder of tasks, by its id."""
    if file is not None:
        return file
    from slowsched.work_tree import new_task_folder, slug

    path = Path(os.path.relpath(new_task_folder(config) / f"{slug(str(document.get('id', '')))}.yaml"))
    return Path(click.prompt("file", default=str(path), err=True)) if asks else path


def _written(settings: Settings, drafts: Drafts, document: Document, path: Path) -> Status:
    """Write the file if it would have no problem; else say which."""
    problems: Sequence[Any] = drafts.problems(document, path)
    if problems:
        from slowsched.render.text_problems import problems_text

        emit(problems_text(1, 0, problems, color=use_color(settings)))
        note(settings, "Nothing was written.")
        return Status.ERROR
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as new:
            new.write(drafts.text(document, path))
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="name another with --file") from None
    if not drafts.is_task_file(path):
        warn(f"{path} is not among the task files of slowsched.yaml, and will not be applied: see its `tasks`")
    emit(f"created  {path}")
    note(settings, "Next: slowsched plan")
    return Status.DONE
