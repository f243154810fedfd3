"""Repositories of task files in a folder of their own, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from slowsched.config import load_config
from slowsched.render.text_problems import problem_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slowsched.config import Config
    from slowsched.repository import Scan

PROJECT = Path(__file__).parents[1]
EXAMPLES = Path(__file__).parent / "examples"
APPLY_SALE = "schemas/actions/APPLY_SALE.schema.json"

CONFIG = """\
version: 1
owner: acme/shop
environments:
  production:
    backend: aws
    region: eu-central-1
    table: slowsched
    timer: {kind: rule, name: slowsched-wake}
"""


def task_text(task_id: str = "some task id", *more: str, due: str = "2030-01-01T00:00:00Z") -> str:
    """Return a task file; `more` are further lines of it."""
    lines = [
        f"id: {task_id}",
        f"due: {due}",
        "action: APPLY_SALE",
        "payload: {itemID: some item, newPrice: 29.99, salePercent: 50}",
        *more,
    ]
    return "\n".join(lines) + "\n"


def a_repository(root: Path, files: Mapping[str, str | bytes] | None = None) -> Config:
    """Write a repository with the sample action and these files, and return its config."""
    written = {"slowsched.yaml": CONFIG, APPLY_SALE: (PROJECT / APPLY_SALE).read_bytes()} | dict(files or {})
    for path, content in written.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_config(root)


def report(scan: Scan) -> list[str]:
    """Read all files of a scan, and return its problems as lines."""
    for _ in scan:
        pass
    return [problem_line(problem) for problem in scan.problems]
