# What a person must look at. The function writes the metrics of the namespace "slowsched" into its log.

locals {
  topic_arn = var.alarm_topic_arn != null ? var.alarm_topic_arn : one(aws_sns_topic.alarms[*].arn)

  alarms = {
    dead = {
      description = "A task is dead: its attempts are used up. See `slowsched list --state dead`; mend the cause, then `slowsched retry ID`."
      namespace   = "slowsched", metric = "Dead", dimensions = { table = var.name }
      statistic   = "Sum", operator = "GreaterThanThreshold", threshold = 0, period = 300, missing = "notBreaching"
    }
    overdue = {
      description = "A task has been due for more than ${var.overdue_alarm_seconds} s and was left. See `slowsched doctor`."
      namespace   = "slowsched", metric = "OldestOverdueSeconds", dimensions = { table = var.name }
      statistic   = "Maximum", operator = "GreaterThanThreshold", threshold = var.overdue_alarm_seconds, period = 300, missing = "notBreaching"
    }
    heartbeat = {
      description = "No wake for half an hour, two heartbeats long: nothing would be executed. See `slowsched doctor`."
      namespace   = "slowsched", metric = "Wakes", dimensions = { table = var.name }
      statistic   = "Sum", operator = "LessThanThreshold", threshold = 1, period = 1800, missing = "breaching"
    }
    errors = {
      description = "A wake failed, or ended with an attempt that ran past its timeout. See the log of ${var.name}-worker."
      namespace   = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = "${var.name}-worker" }
      statistic   = "Sum", operator = "GreaterThanThreshold", threshold = 0, period = 300, missing = "notBreaching"
    }
    undelivered = {
      description = "EventBridge could not wake the worker. See the messages of ${var.name}-undelivered, then purge it."
      namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = "${var.name}-undelivered" }
      statistic   = "Maximum", operator = "GreaterThanThreshold", threshold = 0, period = 300, missing = "notBreaching"
    }
    failed = {
      description = "A wake failed three times in a row. See the messages of ${var.name}-failed, then purge it."
      namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = "${var.name}-failed" }
      statistic   = "Maximum", operator = "GreaterThanThreshold", threshold = 0, period = 300, missing = "notBreaching"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = 1
  treat_missing_data  = each.value.missing
  alarm_actions       = [local.topic_arn]
  ok_actions          = [local.topic_arn]
}

resource "aws_sns_topic" "alarms" {
  #checkov:skip=CKV_AWS_26:CloudWatch may not use the key that AWS manages for SNS; an alarm holds no data of tasks
  count = var.alarm_topic_arn == null ? 1 : 0

  name = "${var.name}-alarms"
}

resource "aws_sns_topic_policy" "alarms" {
  count = var.alarm_topic_arn == null ? 1 : 0

  arn = aws_sns_topic.alarms[0].arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Alarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alarms[0].arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    }]
  })
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = var.alarm_topic_arn == null ? toset(var.alarm_emails) : toset([])

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = each.value
}
