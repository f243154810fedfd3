resource "aws_lambda_function" "worker" {
  #checkov:skip=CKV_AWS_50:a wake is one call deep; its logs and metrics say what it did
  #checkov:skip=CKV_AWS_115:correct without it, and refused in a new account; `reserved_concurrency` sets it
  #checkov:skip=CKV_AWS_116:the on-failure destination below takes failed wakes, with their error
  #checkov:skip=CKV_AWS_117:it calls AWS only; a VPC would need endpoints for DynamoDB and EventBridge
  #checkov:skip=CKV_AWS_173:names and ARNs, no secrets, under the key of AWS
  #checkov:skip=CKV_AWS_272:the package is built from reviewed source by the pipeline that deploys it
  function_name    = "${var.name}-worker"
  description      = "slowsched: executes the tasks that are due"
  role             = aws_iam_role.worker.arn
  filename         = var.function_package
  source_code_hash = filebase64sha256(var.function_package)
  handler          = "worker.handler.handler"
  runtime          = var.runtime
  architectures    = [var.architecture]
  memory_size      = var.memory_mb
  timeout          = 900 # the most there is; a wake keeps within it by itself

  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)

  environment {
    variables = merge(var.worker_environment, local.function_environment)
  }

  # Else the first wake could have no rights yet, or make a log group that keeps its logs for ever.
  depends_on = [aws_cloudwatch_log_group.worker, aws_iam_role_policy.worker]
}

locals {
  function_environment = {
    for name, value in {
      SLOWSCHED_TABLE          = aws_dynamodb_table.this.name
      SLOWSCHED_TIMER_KIND     = var.timer_kind
      SLOWSCHED_TIMER_NAME     = "${var.name}-wake"
      SLOWSCHED_TIMER_GROUP    = one(aws_scheduler_schedule_group.this[*].name)
      SLOWSCHED_TIMER_ROLE_ARN = one(aws_iam_role.scheduler[*].arn)
    } : name => value if local.schedule_timer || !contains(["SLOWSCHED_TIMER_GROUP", "SLOWSCHED_TIMER_ROLE_ARN"], name)
  }
}

resource "aws_lambda_function_event_invoke_config" "worker" {
  function_name                = aws_lambda_function.worker.function_name
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed.arn
    }
  }
}

resource "aws_cloudwatch_log_group" "worker" {
  #checkov:skip=CKV_AWS_158:encrypted by AWS's own key; the logs name tasks and hold no secrets
  #checkov:skip=CKV_AWS_338:a year and more unless log_retention_days is set lower
  name              = "/aws/lambda/${var.name}-worker"
  retention_in_days = var.log_retention_days
}
