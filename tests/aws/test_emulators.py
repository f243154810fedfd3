"""The emulators start, serve, and leave nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from emulators import parts
from emulators.dynamodb_local import dynamodb_local
from emulators.fixtures import client, requires
from emulators.ministack import ministack
from emulators.parts import EmulatorError
from emulators.processes import answers, clean_environment, running

LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F")
TESTS = Path(__file__).resolve().parent.parent


def _processes_in(folder: Path) -> list[str]:
    """Return the commands of the processes that work in a folder or below."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def _gone_in(folder: Path, seconds: float = 10) -> list[str]:
    """Return what is left in a folder after some time at most; the kernel takes a moment to end a process."""
    deadline = time.monotonic() + seconds
    while (left := _processes_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def test_ministack_serves(ministack_endpoint, boto):
    """MiniStack answers for DynamoDB, rules, schedules and functions at one address."""
    answered = [
        boto("dynamodb", ministack_endpoint).list_tables()["ResponseMetadata"]["HTTPStatusCode"],
        boto("events", ministack_endpoint).list_rules(NamePrefix="nobody's")["Rules"],
        boto("scheduler", ministack_endpoint).list_schedules(NamePrefix="nobodys")["Schedules"],
        boto("sts", ministack_endpoint).get_caller_identity()["Account"],
    ]

    assert answered == [200, [], [], "123456789012"]


def test_dynamodb_local_serves(dynamodb_local_endpoint, boto):
    """DynamoDB Local answers."""
    answer = boto("dynamodb", dynamodb_local_endpoint).list_tables()

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("start", "needed"), [(ministack, ["ministack"]), (dynamodb_local, ["java", "dynamodb-local"])]
)
def test_an_emulator_leaves_no_process_and_no_folder(start, needed, tmp_path):
    """When the block ends, also by an exception, the emulator and all that it started are gone; its log is left."""
    requires(*needed)
    with contextlib.suppress(ZeroDivisionError), start(tmp_path) as endpoint:
        assert client("dynamodb", endpoint).list_tables()["TableNames"] == []
        assert len(_processes_in(tmp_path)) == 2  # the guard and the emulator
        raise ZeroDivisionError

    assert not answers(endpoint, refused_is_fine=True)
    assert _gone_in(tmp_path) == []
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for sockets in /proc")
@pytest.mark.parametrize("which", ["ministack_endpoint", "dynamodb_local_endpoint"])
def test_an_emulator_listens_on_loopback_only(which, request):
    """Nobody reaches an emulator over the network."""
    port = f":{int(request.getfixturevalue(which).rpartition(':')[2]):04X}"
    sockets = [line.split() for table in ("tcp", "tcp6") for line in Path("/proc/net", table).read_text().splitlines()]
    listening = [words[1].removesuffix(port) for words in sockets if words[1].endswith(port) and words[3] == "0A"]

    # 127.0.0.1 as the kernel writes it, in tcp and in tcp6.
    assert [address for address in listening if address not in LOOPBACK] == []
    assert len(listening) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_an_emulator_does_not_outlive_tests_that_are_killed(tmp_path):
    """When whoever started it is killed, an emulator ends, too."""
    requires("ministack")
    program = (
        "import sys, time; from pathlib import Path; from emulators.ministack import ministack\n"
        f"with ministack(Path({str(tmp_path)!r})): print('up', flush=True); time.sleep(600)"
    )
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as tests:
        assert tests.stdout.readline() == b"up\n"
        tests.send_signal(signal.SIGKILL)

    assert _gone_in(tmp_path) == []


def test_a_process_that_does_not_start_shows_its_log(tmp_path):
    """What ends before it is ready is an error with the end of its log."""
    command = [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"]
    log = tmp_path / "some.log"

    with (
        pytest.raises(EmulatorError) as error,
        running(command, environment=clean_environment(tmp_path), log=log, ready=lambda: False),
    ):
        raise AssertionError

    assert str(error.value) == f"{sys.executable} ended with status 3; {log} ends:\nno such table"


def test_an_emulator_knows_nothing_of_the_caller(tmp_path, monkeypatch):
    """No AWS variable and no home of the caller's reaches an emulator."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    monkeypatch.setenv("CI", "1")

    assert clean_environment(tmp_path) == {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.mark.parametrize(("ci", "raised"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_part_is_named(ci, raised, tmp_path, monkeypatch):
    """A part that is not there leaves a test out on a user's machine, and fails it in CI; both name it."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(
        raised, match=r"java is not installed; what it needs: a Java development kit, 17 or newer, and then"
    ):
        requires("java")


@pytest.mark.parametrize("part", sorted(parts.PARTS))
def test_every_part_is_known(part):
    """Every part says what it lacks, or that it lacks nothing."""
    assert parts.missing(part) == "" or parts.missing(part).startswith(f"{part} is not installed")
