"""init --from-terraform: what Terraform says becomes an environment of slowsched.yaml, or nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slowsched.config import Environment, load_config
from slowsched.environment_file import environment_block, read_output, with_environment
from slowsched.errors import UsageError
from slowsched.timer.settings import TimerSettings

VALUE = {
    "backend": "aws",
    "region": "eu-central-1",
    "table": "slowsched",
    "timer": {"kind": "rule", "name": "slowsched-wake"},
    "expected_account": "012345678901",
}
SCHEDULE = VALUE | {
    "table": "off",
    "expected_account": None,
    "timer": {
        "kind": "schedule",
        "name": "slowsched-wake",
        "group": "slowsched",
        "target_arn": "arn:aws:lambda:eu-central-1:012345678901:function:slowsched-worker",
        "role_arn": "arn:aws:iam::012345678901:role/slowsched-scheduler",
    },
}
PRODUCTION = """\
  production:
    backend: aws
    region: eu-central-1
    table: slowsched
    timer:
      kind: rule
      name: slowsched-wake
    expected_account: "012345678901"
"""
MINIMAL = "version: 1\nowner: acme/shop\n"


def output(value=VALUE, **others):
    return json.dumps({"slowsched_environment": {"sensitive": False, "type": "object", "value": value}, **others})


def environment(name="production", **overrides):
    fields = {"backend": "aws", "region": "eu-central-1", "table": "slowsched", "expected_account": "012345678901"}
    timer = TimerSettings(kind="rule", name="slowsched-wake")
    return Environment(name=name, **({"timer": timer} | fields | overrides))


def test_a_new_repository_has_the_environment(run, folder):
    """Where there is no config the usual one is written, with the environment behind `local`."""
    ran = run("init", "--from-terraform", "-", stdin=output(other={"value": 1}))
    assert (ran.status, "created  slowsched.yaml\n" in ran.stdout) == (0, True)
    assert (folder / "slowsched.yaml").read_text().endswith(f"  # .slowsched/local.db on this machine\n{PRODUCTION}")
    assert load_config(folder).environments["production"] == environment()
    assert ran.stderr.startswith("slowsched.yaml: the environment 'production' is in it; `slowsched doctor --env prod")


def test_a_config_keeps_its_comments_and_layout(run, folder):
    """Behind the last environment, as far indented as they are, before whatever comes next; line ends stay."""
    before = "# mine\r\nversion: 1\r\nowner: acme/shop\r\nenvironments: # where\r\n   dev: {backend: local}\r\n"
    after = "\r\n# and the limits\r\nlimits: {max_deletes: 3}\r\n"
    (folder / "slowsched.yaml").write_bytes((before + after).encode())
    ran = run("init", "--from-terraform", "-", "--env", "staging", stdin=output())
    assert (ran.status, "changed  slowsched.yaml\n" in ran.stdout) == (0, True)
    block = environment_block("staging", VALUE, indent="   ").replace("\n", "\r\n")
    assert (folder / "slowsched.yaml").read_bytes().decode() == before + block + after
    assert load_config(folder).environments["staging"] == environment("staging")
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".slow")) == []


@pytest.mark.parametrize(
    "text", [MINIMAL, MINIMAL.removesuffix("\n"), f"{MINIMAL}environments:\n  # none yet\n  a: {{backend: local}}"]
)
def test_a_config_without_environments_gets_them(run, folder, text):
    """A last line without its end and a missing key are no reason to fail."""
    (folder / "slowsched.yaml").write_text(text)
    assert run("init", "--from-terraform", "-", stdin=output()).status == 0
    assert load_config(folder).environments["production"] == environment()


def test_a_schedule_is_written_whole(run, folder):
    """All that a schedule needs is there; null is absent, and a word that YAML knows is quoted."""
    assert run("init", "--from-terraform", "-", stdin=output(SCHEDULE)).status == 0
    wanted = environment(table="off", expected_account=None, timer=TimerSettings(**SCHEDULE["timer"]))
    assert '    table: "off"\n' in environment_block("x", read_output(output(SCHEDULE)))
    assert load_config(folder).environments["production"] == wanted


def test_twice_is_once(run, folder):
    """What is there already stays as it is, to the byte."""
    run("init", "--from-terraform", "-", stdin=output())
    before = (folder / "slowsched.yaml").read_bytes()
    ran = run("init", "--from-terraform", "-", stdin=json.dumps(VALUE))
    assert (ran.status, "exists   slowsched.yaml\n" in ran.stdout) == (0, True)
    assert "is there already, as Terraform says" in ran.stderr
    assert (folder / "slowsched.yaml").read_bytes() == before


def test_another_environment_of_that_name_is_left_alone(run, folder):
    """It shows the block to write in its place, and writes nothing."""
    (folder / "slowsched.yaml").write_text(f"{MINIMAL}environments:\n  production: {{backend: local}}\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    ran = run("init", "--from-terraform", "-", stdin=output())
    assert (ran.status, ran.stdout) == (1, "")
    assert ran.stderr == (
        "slowsched: error: slowsched.yaml has another environment 'production'; if Terraform is right, write in its "
        f"place:\n\nenvironments:\n{PRODUCTION}\nNothing was written.\n"
    )
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "text",
    [
        f"{MINIMAL}environments: {{dev: {{backend: local}}}}\n",
        "{version: 1, owner: acme/shop}\n",
        f"{MINIMAL}...\n",
        f"{MINIMAL}environments:\n  local: {{backend: local}}\n",
    ],
)
def test_a_layout_that_cannot_be_added_to_is_left_alone(run, folder, text):
    """What would not mean what was meant is shown, to be written by hand, and never half-written."""
    (folder / "slowsched.yaml").write_text(text)
    ran = run("init", "--from-terraform", "-", "--env", "local", stdin=output())
    assert (ran.status, (folder / "slowsched.yaml").read_text()) == (1, text)
    assert (
        "is laid out so that nothing can be added by itself; write into it:\n\nenvironments:\n  local:\n" in ran.stderr
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("terraform: command not found", "what Terraform is to have said is no JSON"),
        ("{}", "Terraform has no output slowsched_environment"),
        ("[]", "Terraform has no output slowsched_environment"),
        (output(None), "says nothing of backend, region, table, timer.kind, timer.name: run `terraform output -json`"),
        (json.dumps({"slowsched_environment": 1}), "says nothing of backend, region, table, timer.kind, timer.name"),
        (output(VALUE | {"table": 3}), "says nothing of table"),
        (output(VALUE | {"timer": {"kind": "schedule", "name": "x"}}), "timer.group, timer.target_arn, timer.role_arn"),
        (
            output(VALUE | {"zone": "a", "timer": {"kind": "rule", "name": "x", "y": 1}}),
            "has zone, timer.y, which this",
        ),
        (output(VALUE | {"region": "nowhere"}), "$.environments.production.region: 'nowhere' does not match"),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_what_terraform_did_not_say_is_told(run, folder, text, message, there):
    """Whatever is wrong with the output is one clear error, and nothing is written, not even a starter file."""
    if there:
        (folder / "slowsched.yaml").write_text(MINIMAL)
    before = sorted(Path.iterdir(folder))
    ran = run("init", "--from-terraform", "-", stdin=text)
    assert (ran.status, ran.stdout, sorted(folder.iterdir())) == (1, "", before)
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_broken_config_is_not_touched(run, folder):
    """A config with a problem is named with its place, and stays."""
    (folder / "slowsched.yaml").write_text("version: 2\nowner: acme/shop\n")
    ran = run("init", "--from-terraform", "-", stdin=output())
    assert (ran.status, "slowsched.yaml:1:10: $.version" in ran.stderr) == (1, True)
    assert (folder / "slowsched.yaml").read_text() == "version: 2\nowner: acme/shop\n"


def test_a_file_that_is_no_text_is_told(run, folder):
    """Bytes that are no UTF-8 are an error with a way out, and a missing file is one of usage."""
    (folder / "out.json").write_bytes(b"\xff\xfe{\x00")
    assert "is no text" in run("init", "--from-terraform", "out.json").stderr
    assert run("init", "--from-terraform", "missing.json").status == 1
    assert sorted(path.name for path in folder.iterdir()) == ["out.json"]


def test_the_mode_of_the_file_and_a_link_to_it_stay(run, folder):
    """The file behind a link is replaced, with its mode; the link stays a link."""
    (folder / "real.yaml").write_text(MINIMAL)
    (folder / "real.yaml").chmod(0o640)
    (folder / "slowsched.yaml").symlink_to("real.yaml")
    assert run("init", "--from-terraform", "-", stdin=output()).status == 0
    assert (folder / "slowsched.yaml").is_symlink()
    assert (folder / "real.yaml").stat().st_mode & 0o777 == 0o640
    assert (folder / "real.yaml").read_text() == f"{MINIMAL}\nenvironments:\n{PRODUCTION}"


def test_an_empty_config_becomes_one():
    """Text without a line gets the key and the block."""
    assert with_environment("", "production", VALUE) == f"environments:\n{PRODUCTION}"


def test_an_output_of_the_value_alone_is_taken():
    """`terraform output -json slowsched_environment` prints the bare value."""
    assert read_output(json.dumps(VALUE)) == VALUE
    with pytest.raises(UsageError):
        read_output(json.dumps({"backend": "aws"}))
