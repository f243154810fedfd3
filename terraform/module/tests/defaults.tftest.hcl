# What is made when nothing but the package is given.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  function_package = "versions.tf" # any file: only its hash is read
}

run "table" {
  command = apply

  assert {
    condition = {
      name   = aws_dynamodb_table.this.name
      keys   = [aws_dynamodb_table.this.hash_key, aws_dynamodb_table.this.range_key]
      types  = { for each in aws_dynamodb_table.this.attribute : each.name => each.type }
      index  = { for each in aws_dynamodb_table.this.local_secondary_index : each.name => [each.range_key, each.projection_type] }
      ttl    = [aws_dynamodb_table.this.ttl[0].attribute_name, aws_dynamodb_table.this.ttl[0].enabled]
      guards = [aws_dynamodb_table.this.point_in_time_recovery[0].enabled, aws_dynamodb_table.this.deletion_protection_enabled, aws_dynamodb_table.this.server_side_encryption[0].enabled]
      } == {
      name   = "slowsched"
      keys   = ["bucket", "id"]
      types  = { bucket = "N", id = "S", wake_at = "S" }
      index  = { agenda = ["wake_at", "KEYS_ONLY"] }
      ttl    = ["expires_at", true]
      guards = [true, true, true]
    }
    error_message = "The table is not the one that slowsched works on."
  }

  assert {
    condition     = jsondecode(aws_dynamodb_table_item.control.item).buckets.N == "1"
    error_message = "The control row does not say that there is one bucket."
  }
}

run "timer" {
  command = apply

  assert {
    condition = {
      name        = aws_cloudwatch_event_rule.wake[0].name
      description = aws_cloudwatch_event_rule.wake[0].description
      expression  = aws_cloudwatch_event_rule.wake[0].schedule_expression
      } == {
      name        = "slowsched-wake"
      description = "slowsched: the next moment anything is due"
      expression  = "cron(0 0 1 1 ? 2199)"
    }
    error_message = "The wake rule is not the one that slowsched sets."
  }

  assert {
    condition     = aws_cloudwatch_event_target.wake[0].input == null
    error_message = "The rule's own event says that it is the rule's."
  }

  assert {
    condition     = length(aws_scheduler_schedule.wake) + length(aws_scheduler_schedule_group.this) + length(aws_iam_role.scheduler) == 0
    error_message = "A rule needs no schedule."
  }

  assert {
    condition = [
      aws_cloudwatch_event_rule.heartbeat.name,
      aws_cloudwatch_event_rule.heartbeat.schedule_expression,
      jsondecode(aws_cloudwatch_event_target.heartbeat.input),
    ] == ["slowsched-heartbeat", "rate(15 minutes)", { source = "slowsched.heartbeat" }]
    error_message = "The heartbeat is not every 15 minutes, or does not say what it is."
  }
}

run "function" {
  command = apply

  assert {
    condition = {
      name        = aws_lambda_function.worker.function_name
      runtime     = [aws_lambda_function.worker.runtime, aws_lambda_function.worker.handler, tolist(aws_lambda_function.worker.architectures)[0]]
      limits      = [aws_lambda_function.worker.timeout, aws_lambda_function.worker.memory_size, aws_lambda_function.worker.reserved_concurrent_executions]
      environment = aws_lambda_function.worker.environment[0].variables
      log         = [aws_cloudwatch_log_group.worker.name, aws_cloudwatch_log_group.worker.retention_in_days]
      } == {
      name        = "slowsched-worker"
      runtime     = ["python3.13", "worker.handler.handler", "arm64"]
      limits      = [900, 256, -1]
      environment = tomap({ SLOWSCHED_TABLE = "slowsched", SLOWSCHED_TIMER_KIND = "rule", SLOWSCHED_TIMER_NAME = "slowsched-wake" })
      log         = ["/aws/lambda/slowsched-worker", 400]
    }
    error_message = "The function is not the worker."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.worker.destination_config[0].on_failure[0].destination == aws_sqs_queue.failed.arn
    error_message = "A wake that failed is not kept."
  }
}

run "nobody_is_trusted" {
  command = apply

  assert {
    condition = [for role in [aws_iam_role.plan, aws_iam_role.apply] : jsondecode(role.assume_role_policy).Statement] == [
      for role in ["plan", "apply"] : [{ Sid = "Nobody", Effect = "Deny", Principal = { AWS = "*" }, Action = "sts:AssumeRole" }]
    ]
    error_message = "Somebody may plan or apply who was not named."
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "A provider was made for nobody."
  }
}

run "alarms" {
  command = apply

  assert {
    condition = { for key, alarm in aws_cloudwatch_metric_alarm.this : key => "${alarm.namespace} ${alarm.metric_name}, no data: ${alarm.treat_missing_data}" } == {
      dead        = "slowsched Dead, no data: notBreaching"
      overdue     = "slowsched OldestOverdueSeconds, no data: notBreaching"
      heartbeat   = "slowsched Wakes, no data: breaching"
      errors      = "AWS/Lambda Errors, no data: notBreaching"
      undelivered = "AWS/SQS ApproximateNumberOfMessagesVisible, no data: notBreaching"
      failed      = "AWS/SQS ApproximateNumberOfMessagesVisible, no data: notBreaching"
    }
    error_message = "An alarm is missing, or looks elsewhere."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset([aws_sns_topic.alarms[0].arn])])
    error_message = "An alarm tells nobody."
  }
}

run "outputs" {
  command = apply

  assert {
    condition = output.slowsched_environment == {
      backend          = "aws"
      region           = "eu-central-1"
      table            = "slowsched"
      timer            = { kind = "rule", name = "slowsched-wake" }
      expected_account = "123456789012"
    }
    error_message = "The environment does not fill slowsched.yaml."
  }
}
