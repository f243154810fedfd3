variable "region" {
  description = "Region that everything is put into."
  type        = string
  default     = "eu-central-1"
}

variable "name" {
  description = "What everything is called."
  type        = string
  default     = "slowsched"
}

variable "timer_kind" {
  description = "What wakes the worker: \"rule\" or \"schedule\"."
  type        = string
  default     = "rule"
}

variable "function_package" {
  description = "Path of function.zip."
  type        = string
  default     = "../function.zip"
}

variable "architecture" {
  description = "Processor that function.zip was built for: \"arm64\" or \"x86_64\"."
  type        = string
  default     = "arm64"
}

variable "github_plan_subjects" {
  description = "Subjects of GitHub's tokens that may plan, such as \"repo:acme/shop:pull_request\"."
  type        = list(string)
  default     = []
}

variable "github_apply_subjects" {
  description = "Subjects of GitHub's tokens that may apply, such as \"repo:acme/shop:environment:production\"."
  type        = list(string)
  default     = []
}

variable "github_oidc_provider_arn" {
  description = "ARN of GitHub's OIDC provider, where the account has it already."
  type        = string
  default     = null
}

variable "plan_principal_arns" {
  description = "ARNs of other roles, users or accounts that may plan."
  type        = list(string)
  default     = []
}

variable "apply_principal_arns" {
  description = "ARNs of other roles, users or accounts that may apply."
  type        = list(string)
  default     = []
}

variable "alarm_emails" {
  description = "Addresses that alarms are sent to."
  type        = list(string)
  default     = []
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the tables. Set it to false, and apply, before a tear-down."
  type        = bool
  default     = true
}
