# The other timer: a schedule of EventBridge Scheduler instead of a rule.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  function_package = "versions.tf"
  timer_kind       = "schedule"
  name             = "shop"
}

run "schedule" {
  command = apply

  assert {
    condition = {
      where       = [aws_scheduler_schedule.wake[0].group_name, aws_scheduler_schedule.wake[0].name]
      when        = [aws_scheduler_schedule.wake[0].schedule_expression, aws_scheduler_schedule.wake[0].schedule_expression_timezone]
      window      = aws_scheduler_schedule.wake[0].flexible_time_window[0].mode
      input       = jsondecode(aws_scheduler_schedule.wake[0].target[0].input)
      undelivered = aws_scheduler_schedule.wake[0].target[0].dead_letter_config[0].arn == aws_sqs_queue.undelivered.arn
      } == {
      where       = ["shop", "shop-wake"]
      when        = ["at(2199-01-01T00:00:00)", "UTC"]
      window      = "OFF"
      input       = { source = "slowsched.schedule" }
      undelivered = true
    }
    error_message = "The schedule is not the one that slowsched sets."
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.wake) + length(aws_cloudwatch_event_target.wake) + length(aws_lambda_permission.wake) == 0
    error_message = "A schedule needs no wake rule."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.heartbeat.name == "shop-heartbeat"
    error_message = "The heartbeat is a rule with every timer."
  }
}

run "roles" {
  command = apply

  assert {
    condition = [for each in jsondecode(aws_iam_role_policy.worker_timer.policy).Statement : "${each.Sid}: ${join(" ", flatten([each.Action]))}"] == [
      "ReadTimer: scheduler:GetSchedule",
      "SetTimer: scheduler:UpdateSchedule",
      "PassTheTimersRole: iam:PassRole",
    ]
    error_message = "The worker cannot set a schedule, or may do more."
  }

  assert {
    condition = jsondecode(aws_iam_role.scheduler[0].assume_role_policy).Statement[0].Condition == {
      StringEquals = {
        "aws:SourceAccount" = "123456789012"
        "aws:SourceArn"     = "arn:aws:scheduler:eu-central-1:123456789012:schedule-group/slowsched"
      }
    }
    error_message = "Other schedules could take on the role."
  }
}

run "outputs" {
  command = apply

  assert {
    condition = output.slowsched_environment.timer == {
      kind       = "schedule"
      name       = "shop-wake"
      group      = "shop"
      target_arn = "arn:aws:lambda:eu-central-1:123456789012:function:slowsched-worker"
      role_arn   = "arn:aws:iam::123456789012:role/slowsched-role"
    }
    error_message = "The environment does not fill slowsched.yaml."
  }

  assert {
    condition = aws_lambda_function.worker.environment[0].variables == tomap({
      SLOWSCHED_TABLE          = "shop"
      SLOWSCHED_TIMER_KIND     = "schedule"
      SLOWSCHED_TIMER_NAME     = "shop-wake"
      SLOWSCHED_TIMER_GROUP    = "shop"
      SLOWSCHED_TIMER_ROLE_ARN = "arn:aws:iam::123456789012:role/slowsched-role"
    })
    error_message = "The function does not know its schedule."
  }
}
