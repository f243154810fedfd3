# Everything as it would be made, by exact names: tests/aws/test_terraform.py reads the policies out of these two.

mock_provider "aws" {
  source = "./tests/mocks"
}

override_resource {
  target = aws_cloudwatch_event_rule.wake
  values = { arn = "arn:aws:events:eu-central-1:123456789012:rule/slowsched-wake" }
}

override_resource {
  target = aws_cloudwatch_event_rule.heartbeat
  values = { arn = "arn:aws:events:eu-central-1:123456789012:rule/slowsched-heartbeat" }
}

override_resource {
  target = aws_sqs_queue.failed
  values = { arn = "arn:aws:sqs:eu-central-1:123456789012:slowsched-failed" }
}

override_resource {
  target = aws_sqs_queue.undelivered
  values = { arn = "arn:aws:sqs:eu-central-1:123456789012:slowsched-undelivered" }
}

override_resource {
  target = aws_iam_role.worker
  values = { arn = "arn:aws:iam::123456789012:role/slowsched-worker" }
}

override_resource {
  target = aws_iam_role.scheduler
  values = { arn = "arn:aws:iam::123456789012:role/slowsched-scheduler" }
}

variables {
  function_package = "versions.tf"
}

run "rule" {
  command   = apply
  state_key = "rule"
}

run "schedule" {
  command   = apply
  state_key = "schedule"

  variables {
    timer_kind = "schedule"
  }
}
