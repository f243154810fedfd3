"""The settings of a repository: what they say, where they are found, and what is wrong with them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from values import a_retry

from slowsched.config import Config, Environment, load_config, own_schema, place_in_config
from slowsched.errors import ConfigError
from slowsched.task_file import Defaults
from slowsched.timer.settings import TimerSettings

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = Environment(name="local", backend="local", path=".slowsched/local.db")

EVERYTHING = """\
version: 1
owner: acme/shop
tasks: [tasks, more/*.yaml]
schemas: contracts
actions: lambda/actions.py
defaults: {timeout: 1m, grace: 2d, retry: {attempts: 3, max_backoff: 2h}}
limits: {max_deletes: 7, max_delete_percent: 0}
environments:
  local: {backend: local, path: rows.db}
  staging:
    backend: aws
    region: eu-central-1
    table: slowsched-staging
    timer: {kind: rule, name: slowsched-wake}
  production:
    backend: aws
    region: us-gov-west-1
    table: slowsched
    timer: {kind: schedule, name: wake, group: default, target_arn: "arn:aws:lambda:x", role_arn: "arn:aws:iam::x"}
    expected_account: "012345678901"
"""


def written(folder: Path, text: str | bytes) -> Path:
    """Write the settings of a folder, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "slowsched.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def refused(folder: Path, text: str | bytes) -> list[str]:
    """Return the lines of what is said about settings that are wrong."""
    with pytest.raises(ConfigError) as caught:
        load_config(written(folder, text))
    return str(caught.value).splitlines()


def brief(line: str) -> str:
    """Return place and code of a problem's line."""
    return line.partition(": ")[0] + line[line.rindex(" ") :]


# --- what they say ---------------------------------------------------------------------------------


def test_everything(tmp_path: Path) -> None:
    """Every setting is taken over."""
    assert load_config(written(tmp_path, EVERYTHING)) == Config(
        root=tmp_path,
        owner="acme/shop",
        tasks=("tasks", "more/*.yaml"),
        schemas="contracts",
        actions="lambda/actions.py",
        defaults=Defaults(
            retry=a_retry(attempts=3, max_backoff=timedelta(hours=2)),
            timeout=timedelta(minutes=1),
            grace=timedelta(days=2),
        ),
        max_deletes=7,
        max_delete_percent=0,
        environments={
            "local": Environment(name="local", path="rows.db"),
            "staging": Environment(
                name="staging",
                backend="aws",
                region="eu-central-1",
                table="slowsched-staging",
                timer=TimerSettings(kind="rule", name="slowsched-wake"),
            ),
            "production": Environment(
                name="production",
                backend="aws",
                region="us-gov-west-1",
                table="slowsched",
                timer=TimerSettings(
                    kind="schedule",
                    name="wake",
                    group="default",
                    target_arn="arn:aws:lambda:x",
                    role_arn="arn:aws:iam::x",
                ),
                expected_account="012345678901",
            ),
        },
    )


def test_least(tmp_path: Path) -> None:
    """An owner is enough: the rest has its default, and the environment `local` exists."""
    assert load_config(written(tmp_path, "version: 1\nowner: acme\n")) == Config(
        root=tmp_path,
        owner="acme",
        tasks=("tasks",),
        schemas="schemas",
        actions="worker/actions.py",
        defaults=Defaults(retry=a_retry(), timeout=timedelta(seconds=30), grace=None),
        max_deletes=50,
        max_delete_percent=30,
        environments={"local": LOCAL},
    )


def test_environment(tmp_path: Path) -> None:
    """An environment is found by its name; for another name the nearest is offered, else all are."""
    config = load_config(written(tmp_path, EVERYTHING))
    assert config.environment("local").path == "rows.db"
    with pytest.raises(ConfigError) as caught:
        config.environment("prodcution")
    assert (caught.value.message, caught.value.hint) == (
        "there is no environment 'prodcution'",
        "did you mean 'production'?",
    )
    with pytest.raises(ConfigError) as caught:
        config.environment("moon")
    assert caught.value.hint == "slowsched.yaml has local, production, staging"


# --- where they are --------------------------------------------------------------------------------


def test_found_upwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder the nearest settings upwards from the current folder are taken."""
    written(tmp_path, "version: 1\nowner: outer\n")
    written(tmp_path / "inner", "version: 1\nowner: inner\n")
    (tmp_path / "inner/tasks/deep").mkdir(parents=True)
    (tmp_path / "beside").mkdir()
    found = []
    for folder in ("inner/tasks/deep", "inner", "beside"):
        monkeypatch.chdir(tmp_path / folder)
        config = load_config()
        found.append((config.root, config.owner))
    assert found == [(tmp_path / "inner", "inner"), (tmp_path / "inner", "inner"), (tmp_path, "outer")]


def test_exactly_there(tmp_path: Path) -> None:
    """A folder that is named must have settings itself; through a link its real path is the root."""
    written(tmp_path / "real", "version: 1\nowner: acme\n")
    (tmp_path / "real/inner").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert load_config(tmp_path / "link").root == tmp_path / "real"
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "real/inner")
    assert caught.value.message == f"there is no slowsched.yaml in {tmp_path}/real/inner"


def test_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no settings, it says how to begin."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert (caught.value.message, caught.value.hint) == (
        "there is no slowsched.yaml here, nor in any folder above",
        "run `slowsched init` to begin, or go to your repository (-C DIR)",
    )


def test_place_in_config(tmp_path: Path) -> None:
    """The place of a setting can be asked for later; of one that is not written, where the settings begin."""
    config = load_config(written(tmp_path, EVERYTHING))
    assert [place_in_config(config, "tasks", 1), place_in_config(config, "nowhere")] == [(3, 16), (1, 1)]
    written(tmp_path, "no longer: [settings")
    assert place_in_config(config, "tasks", 1) == (1, 1)


# --- what is wrong with them -----------------------------------------------------------------------


OWNERS = "^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$"
NO_NAME = "does not match the pattern ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


def test_all_problems(tmp_path: Path) -> None:
    """Every problem is told at once, each with its place."""
    text = """\
version: 2
owner: acme shop
task: [tasks]
schemas: ""
limits: {max_deletes: -1}
environments:
  "bad name": {backend: local}
  one: {backend: azure}
  two: {backend: aws, region: eu-central-1, table: rows, timer: {kind: rule, name: wake, group: x}}
  three: {backend: aws, timer: {kind: schedule, name: wake}}
  four: {backend: local, table: rows}
"""
    assert refused(tmp_path, text) == [
        "slowsched.yaml has 14 problems",
        "slowsched.yaml:1:10: $.version: must be 1, and is 2 [schema]",
        f"slowsched.yaml:2:8: $.owner: 'acme shop' does not match the pattern {OWNERS} [schema]",
        "slowsched.yaml:3:1: $.task: unknown key 'task': did you mean 'tasks'? [unknown-key]",
        "slowsched.yaml:4:10: $.schemas: must not be empty [schema]",
        "slowsched.yaml:5:23: $.limits.max_deletes: must be at least 0, and is -1 [schema]",
        f"slowsched.yaml:7:15: $.environments['bad name']: the key 'bad name': 'bad name' {NO_NAME} [schema]",
        "slowsched.yaml:8:18: $.environments.one.backend: must be one of 'local', 'aws', and is 'azure' [schema]",
        "slowsched.yaml:9:90: $.environments.two.timer.group: unknown key 'group' [unknown-key]",
        "slowsched.yaml:10:10: $.environments.three: the key 'region' is missing [missing-key]",
        "slowsched.yaml:10:10: $.environments.three: the key 'table' is missing [missing-key]",
        "slowsched.yaml:10:32: $.environments.three.timer: the key 'group' is missing [missing-key]",
        "slowsched.yaml:10:32: $.environments.three.timer: the key 'target_arn' is missing [missing-key]",
        "slowsched.yaml:10:32: $.environments.three.timer: the key 'role_arn' is missing [missing-key]",
        "slowsched.yaml:11:26: $.environments.four.table: unknown key 'table' [unknown-key]",
    ]


def test_paths_and_defaults(tmp_path: Path) -> None:
    """No path leads out of the root, by itself or through a link, and defaults are as strict as tasks."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to("..")
    (tmp_path / "root/loop").symlink_to("loop")
    text = f"""\
version: 1
owner: acme
tasks: [../tasks, tasks, {tmp_path}/root/tasks, link/*.yaml, tasks/../inside, loop]
schemas: /etc
actions: link/actions.py
defaults: {{timeout: 1h, grace: soon, retry: {{backoff: 2h}}}}
environments: {{local: {{backend: local, path: ../../rows.db}}}}
"""
    assert [brief(line) for line in refused(tmp_path / "root", text)[1:]] == [
        "slowsched.yaml:3:9 [outside-root]",
        "slowsched.yaml:3:26 [outside-root]",
        f"slowsched.yaml:3:{26 + len(str(tmp_path)) + 13} [outside-root]",
        "slowsched.yaml:4:10 [outside-root]",
        "slowsched.yaml:5:10 [outside-root]",
        "slowsched.yaml:6:21 [timeout-too-long]",
        "slowsched.yaml:6:32 [bad-duration]",
        "slowsched.yaml:6:45 [bad-duration]",
        "slowsched.yaml:7:46 [outside-root]",
    ]


@pytest.mark.parametrize(
    ("text", "place_and_code"),
    [
        (b"", "1:1 [empty-file]"),
        (b"\xff", "1:1 [not-utf8]"),
        ("version: 1\nowner: no\n", "2:8 [ambiguous-value]"),
        ("- 1\n", "1:1 [schema]"),
        ("version: 1\nowner: a\n---\nversion: 1\n", "4:1 [schema]"),
        ("version: 1\nowner: a\ntasks: tasks\n", "3:8 [schema]"),
        ("version: 1\nowner: a\ntasks: [5]\n", "3:9 [schema]"),
        ("version: 1\nowner: a\ndefaults: 5\n", "3:11 [schema]"),
        ("version: 1\nowner: a\nenvironments: {a: b}\n", "3:19 [schema]"),
        ("version: 1\nowner: a\nenvironments: {a: {backend: local, path: 5}}\n", "3:42 [schema]"),
    ],
)
def test_one_problem(tmp_path: Path, text: str | bytes, place_and_code: str) -> None:
    """The settings are read as strictly as task files are."""
    first, line = refused(tmp_path, text)
    assert (first, brief(line)) == ("slowsched.yaml has a problem", f"slowsched.yaml:{place_and_code}")


def test_settings_that_are_a_folder(tmp_path: Path) -> None:
    """A folder by the name of the settings is told as one."""
    (tmp_path / "slowsched.yaml").mkdir()
    with pytest.raises(ConfigError, match="this is a folder with the name of a file"):
        load_config(tmp_path)


def test_own_schema() -> None:
    """The schemas that travel with slowsched are in order, the plan's included."""
    assert [own_schema(name).is_valid([]) for name in ("task", "config", "plan")] == [False] * 3


def test_the_time_in_which_a_task_is_imminent(tmp_path: Path) -> None:
    """A duration as any other; without one nothing is imminent."""
    head = "version: 1\nowner: acme/shop\n"
    configs = [load_config(written(tmp_path, head + more)) for more in ("", "limits: {imminent: 10m}\n")]
    assert [config.imminent for config in configs] == [timedelta(0), timedelta(minutes=10)]
    assert [
        brief(refused(tmp_path, f"{head}limits: {{imminent: {value}}}\n")[1]) for value in ("1w", "99999d", "10")
    ] == [
        "slowsched.yaml:3:20 [bad-duration]",
        "slowsched.yaml:3:20 [bad-duration]",
        "slowsched.yaml:3:20 [schema]",
    ]
