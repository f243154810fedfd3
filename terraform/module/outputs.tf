output "slowsched_environment" {
  description = "The environment as slowsched.yaml wants it; `slowsched init --from-terraform` writes it there."
  value = {
    backend          = "aws"
    region           = local.region
    table            = aws_dynamodb_table.this.name
    timer            = local.timer
    expected_account = local.account
  }
}

output "function_name" {
  description = "Name of the function that executes what is due."
  value       = aws_lambda_function.worker.function_name
}

output "plan_role_arn" {
  description = "Role for `slowsched plan`, which reads only."
  value       = aws_iam_role.plan.arn
}

output "apply_role_arn" {
  description = "Role for `slowsched apply`."
  value       = aws_iam_role.apply.arn
}

output "worker_role_arn" {
  description = "Role of the function."
  value       = aws_iam_role.worker.arn
}

output "alarm_topic_arn" {
  description = "Topic that alarms go to."
  value       = local.topic_arn
}

locals {
  timer = {
    for key, value in {
      kind       = var.timer_kind
      name       = "${var.name}-wake"
      group      = one(aws_scheduler_schedule_group.this[*].name)
      target_arn = aws_lambda_function.worker.arn
      role_arn   = one(aws_iam_role.scheduler[*].arn)
    } : key => value if local.schedule_timer || contains(["kind", "name"], key)
  }
}
