"""Make repositories of task files, and a zone of DNS records of the same number, always the same bytes.

Nothing here is random: a file depends on its number alone, so that two machines measure the same work.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

__all__ = ["DUE_TOGETHER", "FIRST_DUE", "make_repository", "make_zone"]

PROJECT = Path(__file__).resolve().parents[1]

FIRST_DUE = datetime(2090, 1, 1, 6, tzinfo=UTC)  # far ahead, so that the files are never late
DUE_TOGETHER = 10  # tasks due at FIRST_DUE: what one wake has to do
REST_BEGINS = datetime(2090, 2, 1, 6, tzinfo=UTC)
REST_DAYS = 3_600  # the other tasks are spread over about ten years

CONFIG = """\
version: 1
owner: acme/shop
"""

TASK = """\
# yaml-language-server: $schema=../../schemas/task.schema.json
id: sale of item {number:05} in {month}
due: {due}
action: APPLY_SALE
payload:
  itemID: item {number:05}
  newPrice: {price}
  salePercent: {percent}
description: The {season} sale; agreed with purchasing on {agreed}.
team: {team}
labels:
  campaign: {season}-{year}
  region: {region}
grace: 6h
retry:
  attempts: 5
  backoff: 2m
"""

SEASONS = ("winter", "spring", "summer", "autumn")
TEAMS = ("pricing", "editorial", "storefront")
REGIONS = ("dach", "nordics", "benelux", "iberia", "baltics")

OCTODNS_CONFIG = """\
providers:
  desired: {class: octodns.provider.yaml.YamlProvider, directory: desired}
  live: {class: octodns.provider.yaml.YamlProvider, directory: live}
zones:
  example.com.: {sources: [desired], targets: [live]}
"""

RECORD = """\
host-{number:05}:
  ttl: 300
  type: A
  value: {address}
"""


def make_repository(root: Path, tasks: int) -> None:
    """Make a repository of `tasks` task files, one task each, in a folder for each month of their due."""
    root.mkdir(parents=True)
    (root / "slowsched.yaml").write_text(CONFIG, encoding="utf-8")
    shutil.copytree(PROJECT / "schemas", root / "schemas")
    shutil.copytree(PROJECT / "worker", root / "worker", ignore=shutil.ignore_patterns("__pycache__"))
    for number in range(tasks):
        due = _due(number)
        folder = root / "tasks" / f"{due:%Y-%m}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"item-{number:05}.yaml").write_text(_task_text(number, due), encoding="utf-8")


def make_zone(root: Path, records: int) -> None:
    """Make a zone of `records` address records for octoDNS, the same in its source and its target."""
    text = "---\n" + "".join(RECORD.format(number=number, address=_address(number)) for number in range(records))
    for folder in ("desired", "live"):
        (root / folder).mkdir(parents=True)
        (root / folder / "example.com.yaml").write_text(text, encoding="utf-8")
    (root / "octodns.yaml").write_text(OCTODNS_CONFIG, encoding="utf-8")


def _address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _due(number: int) -> datetime:
    if number < DUE_TOGETHER:
        return FIRST_DUE
    return REST_BEGINS + timedelta(days=number * 7 % REST_DAYS, minutes=number % 720)


def _task_text(number: int, due: datetime) -> str:
    return TASK.format(
        number=number,
        month=f"{due:%B %Y}",
        year=due.year,
        due=f"{due:%Y-%m-%dT%H:%M:%SZ}",
        price=f"{5 + number % 400}.{number % 90 + 10}",
        percent=5 + number % 14 * 5,
        season=SEASONS[due.month % 12 // 3],
        agreed=f"{due - timedelta(days=90):%d %B}",
        team=TEAMS[number % len(TEAMS)],
        region=REGIONS[number % len(REGIONS)],
    )
