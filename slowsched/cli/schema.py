"""`slowsched schema`: the JSON Schemas, for editors and for those who write actions."""

from __future__ import annotations

import click

from slowsched.cli.complete import action_names
from slowsched.cli.frame import command
from slowsched.cli.output import emit
from slowsched.cli.status import Status
from slowsched.errors import UsageError

__all__ = ["schema_command"]


@command(
    "schema",
    examples=[
        ("what a task file may hold, for the editor", "slowsched schema task > schemas/task.schema.json"),
        ("what `plan --format json` prints", "slowsched schema plan"),
        ("the payload of one action", "slowsched schema action APPLY_SALE"),
    ],
)
@click.argument("kind", metavar="KIND", type=click.Choice(["task", "config", "plan", "action"]))
@click.argument("name", metavar="[NAME]", required=False, shell_complete=action_names)
def schema_command(kind: str, name: str | None) -> Status:
    """Print the JSON Schema of KIND: task, config, plan, or action together with the NAME of one.

    The first three travel with slowsched; an action's is the file in the repository that declares it.
    """
    from slowsched.resources import schema_text

    if kind != "action":
        if name is not None:
            raise UsageError(f"only `schema action` takes a name, not `schema {kind}`")
        emit(schema_text(kind))
    else:
        emit(_action_schema(name))
    return Status.DONE


def _action_schema(name: str | None) -> str:
    from slowsched.cli.loading import action_schemas, read_config
    from slowsched.cli.nearest import way_out

    known = action_schemas(read_config())
    if name is None:
        raise UsageError("`schema action` takes the name of one", hint=_listed(known))
    if name not in known:
        raise UsageError(f"there is no action {name!r}", hint=way_out(name, known, otherwise=_listed(known)))
    return known[name].read_text(encoding="utf-8", errors="backslashreplace")


def _listed(names: dict[str, object] | object) -> str:
    words = ", ".join(sorted(names)) if isinstance(names, dict) else ""
    return f"there are {words}" if words else "write schemas/actions/<NAME>.schema.json to have one"
