# The one moment at which anything is due next. slowsched sets it, with every attribute but the expression as it stands
# here; Terraform makes it and never sets its moment again.

locals {
  rule_timer     = var.timer_kind == "rule"
  schedule_timer = var.timer_kind == "schedule"

  # A wake that could not be delivered for this long is given up: the next heartbeat does its work.
  delivery_seconds_max = 900
  delivery_retries_max = 185
}

# --- the rule ---

resource "aws_cloudwatch_event_rule" "wake" {
  count = local.rule_timer ? 1 : 0

  name                = "${var.name}-wake"
  description         = "slowsched: the next moment anything is due"
  schedule_expression = "cron(0 0 1 1 ? 2199)" # the last year that EventBridge knows: nothing is due yet

  lifecycle {
    ignore_changes = [schedule_expression]
  }
}

resource "aws_cloudwatch_event_target" "wake" {
  count = local.rule_timer ? 1 : 0

  rule      = aws_cloudwatch_event_rule.wake[0].name
  target_id = "worker"
  arn       = aws_lambda_function.worker.arn

  retry_policy {
    maximum_event_age_in_seconds = local.delivery_seconds_max
    maximum_retry_attempts       = local.delivery_retries_max
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  depends_on = [aws_lambda_permission.wake, aws_sqs_queue_policy.undelivered]
}

resource "aws_lambda_permission" "wake" {
  count = local.rule_timer ? 1 : 0

  statement_id  = "wake"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.worker.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.wake[0].arn
}

# --- or the schedule ---

resource "aws_scheduler_schedule_group" "this" {
  count = local.schedule_timer ? 1 : 0

  name = var.name
}

resource "aws_scheduler_schedule" "wake" {
  #checkov:skip=CKV_AWS_297:it holds a moment and no data
  count = local.schedule_timer ? 1 : 0

  name                         = "${var.name}-wake"
  group_name                   = aws_scheduler_schedule_group.this[0].name
  description                  = "slowsched: the next moment anything is due"
  schedule_expression          = "at(2199-01-01T00:00:00)"
  schedule_expression_timezone = "UTC"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.worker.arn
    role_arn = aws_iam_role.scheduler[0].arn
    input    = jsonencode({ source = "slowsched.schedule" }) # to the byte what slowsched writes with every moment

    retry_policy {
      maximum_event_age_in_seconds = local.delivery_seconds_max
      maximum_retry_attempts       = local.delivery_retries_max
    }

    dead_letter_config {
      arn = aws_sqs_queue.undelivered.arn
    }
  }

  lifecycle {
    ignore_changes = [schedule_expression]
  }

  depends_on = [aws_iam_role_policy.scheduler]
}

# --- the heartbeat, which mends what a crash, a lost wake or a timer edited by hand left behind ---

resource "aws_cloudwatch_event_rule" "heartbeat" {
  name                = "${var.name}-heartbeat"
  description         = "slowsched: wakes the worker whatever the timer says"
  schedule_expression = "rate(15 minutes)" # the bound on lateness after a fault counts on it
}

resource "aws_cloudwatch_event_target" "heartbeat" {
  rule      = aws_cloudwatch_event_rule.heartbeat.name
  target_id = "worker"
  arn       = aws_lambda_function.worker.arn
  input     = jsonencode({ source = "slowsched.heartbeat" })

  retry_policy {
    maximum_event_age_in_seconds = local.delivery_seconds_max
    maximum_retry_attempts       = local.delivery_retries_max
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  depends_on = [aws_lambda_permission.heartbeat, aws_sqs_queue_policy.undelivered]
}

resource "aws_lambda_permission" "heartbeat" {
  statement_id  = "heartbeat"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.worker.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.heartbeat.arn
}
