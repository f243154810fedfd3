output "slowsched_environment" {
  description = "The environment as slowsched.yaml wants it; `slowsched init --from-terraform` writes it there."
  value       = module.slowsched.slowsched_environment
}

output "function_name" {
  description = "Name of the function that executes what is due."
  value       = module.slowsched.function_name
}

output "plan_role_arn" {
  description = "Role for `slowsched plan`, which reads only."
  value       = module.slowsched.plan_role_arn
}

output "apply_role_arn" {
  description = "Role for `slowsched apply`."
  value       = module.slowsched.apply_role_arn
}

output "worker_role_arn" {
  description = "Role of the function."
  value       = module.slowsched.worker_role_arn
}

output "alarm_topic_arn" {
  description = "Topic that alarms go to."
  value       = module.slowsched.alarm_topic_arn
}
