"""The files of a new repository, as `slowsched init` writes them: path -> text. No I/O but reading the package's own.

The schemas, the sample action and its catalogue are the project's own files (`resources`): one source of each.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from slowsched.resources import schema_text, starter_text, workflow_text
from slowsched.timing import rfc3339

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["EXAMPLE_ID", "EXAMPLE_PATH", "IGNORED", "example_due", "starter_files", "workflow_files"]

EXAMPLE_ID = "half price for the winter coat"
EXAMPLE_PATH = "tasks/winter-sale.yaml"
IGNORED = ".slowsched/"
ACTION = "slowsched/slowsched"  # the composite action, as GitHub names its repository

_YEAR = timedelta(days=365)

_CONFIG = """\
# yaml-language-server: $schema=schemas/config.schema.json
# The settings of this repository; its folder is the root.
version: 1
# Whose tasks these are, in a table that several repositories may share: name it before the first apply.
owner: {owner}

# tasks: [tasks]              # folders, files or globs
# schemas: schemas            # an action exists when schemas/actions/<ACTION>.schema.json does
# actions: worker/actions.py  # the code that the worker runs; validate, plan and apply never import it
# defaults: {{timeout: 30s, retry: {{attempts: 5, backoff: 1m, max_backoff: 1h}}}}
# limits: {{max_deletes: 50, max_delete_percent: 30}}

environments:
  local: {{backend: local}}     # .slowsched/local.db on this machine
"""

_TASK = """\
# yaml-language-server: $schema=../schemas/task.schema.json
id: {id}
due: {due}
# or the local time of a place:
# due: {local}
# timezone: Europe/Berlin
action: APPLY_SALE
payload:
  itemID: winter coat
  newPrice: 49.95
  salePercent: 50
description: The season ends; the shop wants the shelf back.
"""


def example_due(now: datetime) -> datetime:
    """Return the due of the example task: a year ahead, at nine in the morning (UTC)."""
    return (now + _YEAR).replace(hour=9, minute=0, second=0, microsecond=0)


def starter_files(owner: str, now: datetime) -> dict[str, str]:
    """Return every file of a new repository but `.gitignore`, which may exist already and is added to."""
    due = rfc3339(example_due(now))
    return {
        "slowsched.yaml": _CONFIG.format(owner=owner),
        EXAMPLE_PATH: _TASK.format(id=EXAMPLE_ID, due=due, local=due.removesuffix("Z")),
        "schemas/task.schema.json": schema_text("task"),
        "schemas/config.schema.json": schema_text("config"),
        "schemas/actions/APPLY_SALE.schema.json": starter_text("schemas/actions/APPLY_SALE.schema.json"),
        "worker/actions.py": starter_text("worker/actions.py"),
        "worker/catalogue.py": starter_text("worker/catalogue.py"),
        ".vscode/settings.json": _json_text(_EDITOR_SETTINGS),
        ".vscode/extensions.json": _json_text({"recommendations": ["redhat.vscode-yaml"]}),
    }


def workflow_files(version: str) -> dict[str, str]:
    """Return the two workflows that a repository on GitHub needs: those of this one, with its action by name."""
    other = {
        "uses: ./": f"uses: {ACTION}@v{version} # better: the commit of that tag",
        "docs/ci.md": f"https://github.com/{ACTION}/blob/v{version}/docs/ci.md",
    }
    files = {}
    for name in ("plan", "apply"):
        text = workflow_text(name)
        for ours, theirs in other.items():
            text = text.replace(ours, theirs)
        files[f".github/workflows/slowsched-{name}.yml"] = text
    return files


_EDITOR_SETTINGS: dict[str, Any] = {
    "yaml.schemas": {
        "./schemas/config.schema.json": "slowsched.yaml",
        "./schemas/task.schema.json": ["tasks/**/*.yaml", "tasks/**/*.yml"],
    },
    "json.schemas": [{"fileMatch": ["tasks/**/*.json"], "url": "./schemas/task.schema.json"}],
}


def _json_text(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"
