"""Terraform checks a configuration against the schema of AWS provider 6.25.0, and finds what is planted."""

from __future__ import annotations

import pytest
from emulators.fixtures import requires
from emulators.parts import EmulatorError
from emulators.processes import clean_environment, finished
from emulators.provider_schema import current_mirror, schema_of
from emulators.terraform import Terraform

MAIN = """
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

resource "aws_scheduler_schedule" "wake" {
  name                = "wake"
  schedule_expression = "at(2199-01-01T00:00:00)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sqs_queue.dead.arn
    role_arn = "arn:aws:iam::123456789012:role/scheduler"

    retry_policy {
      maximum_retry_attempts = 185
    }
  }
}

resource "aws_sqs_queue" "dead" {
  name                    = "dead"
  sqs_managed_sse_enabled = true
}

resource "aws_lambda_function" "worker" {
  function_name = "worker"
  role          = "arn:aws:iam::123456789012:role/worker"
  architectures = ["arm64"]
}

data "aws_caller_identity" "this" {}
"""
TESTS = """
mock_provider "aws" {}

run "queue" {
  command = apply

  assert {
    condition     = aws_scheduler_schedule.wake.target[0].arn == aws_sqs_queue.dead.arn
    error_message = "The schedule does not lead to the queue."
  }
}
"""


@pytest.fixture
def terraform(tmp_path):
    """Return Terraform in a small configuration of today, initialised."""
    requires("terraform", "provider-schema")
    folder = tmp_path / "configuration"
    folder.mkdir()
    (folder / "main.tf").write_text(MAIN)
    terraform = Terraform(folder=folder, mirror=current_mirror(tmp_path / "mirror", folder))
    terraform.init()
    return terraform


def _plant(terraform, here, instead):
    file = terraform.folder / "main.tf"
    assert here in file.read_text()
    file.write_text(file.read_text().replace(here, instead, 1))


def test_what_is_right_is_accepted(terraform):
    """Today's arguments are known, and the file is formatted."""
    assert (terraform.validate(), terraform.unformatted()) == ([], [])


@pytest.mark.parametrize(
    ("here", "instead", "line", "found"),
    [
        ("architectures", "architecture", 37, "Unsupported argument"),
        ("maximum_retry_attempts", "maximum_retries", 24, "Unsupported argument"),
        ("retry_policy {", "retry {", 23, "Unsupported block type"),
        ('flexible_time_window {\n    mode = "OFF"\n  }', "", 11, "Insufficient flexible_time_window blocks"),
        (
            'name                = "wake"',
            'target {\n    arn      = "arn"\n    role_arn = "arn"\n  }',
            22,
            "Too many target blocks",
        ),
        ('mode = "OFF"', "", 15, "Missing required argument"),
        ("= 185", '= "many"', 24, "Incorrect attribute value type"),
        ('["arm64"]', '{ arm64 = "yes" }', 37, "Incorrect attribute value type"),
        ("dead.arn", "dead.amazon_name", 20, "Unsupported attribute"),
        ('"aws_lambda_function"', '"aws_lambda_functions"', 34, "Invalid resource type"),
        ('name                    = "dead"', 'arn = "arn"', 30, "Value for unconfigurable attribute"),
    ],
)
def test_what_is_planted_is_found(here, instead, line, found, terraform):
    """A typo, a missing or repeated block, a missing argument, a wrong type: each is found at its line."""
    _plant(terraform, here, instead)

    problems = [each.split(": ")[:2] for each in terraform.validate()]

    assert problems == [[f"main.tf:{line}", found]]


def test_tests_run_with_a_mocked_provider(terraform):
    """`terraform test` makes what is mocked; a condition that does not hold is a failure that says so."""
    tests = terraform.folder / "main.tftest.hcl"
    tests.write_text(TESTS)
    assert terraform.test().strip().splitlines()[-1] == "Success! 1 passed, 0 failed."

    tests.write_text(TESTS.replace("aws_sqs_queue.dead.arn", '"another"'))
    with pytest.raises(EmulatorError, match="The schedule does not lead to the queue"):
        terraform.test()


def test_what_is_not_formatted_is_found(terraform):
    """A file that `terraform fmt` would write anew is named."""
    _plant(terraform, "  name                =", "  name =")

    assert terraform.unformatted() == ["main.tf"]


def test_what_the_provider_does_not_have_is_said():
    """A resource that provider 6.25.0 does not have is an error that names it."""
    requires("provider-schema")
    with pytest.raises(EmulatorError, match="has no scheduler_timetable"):
        schema_of("scheduler-timetable")


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path):
    """A command that does not end is ended, and its children with it."""
    program = "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"

    with pytest.raises(EmulatorError, match="took more than 1 s, and was ended"):
        finished(["python3", "-c", program], environment=clean_environment(tmp_path), folder=tmp_path, seconds=1)
