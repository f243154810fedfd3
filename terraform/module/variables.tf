# --- what it is called, and what wakes it ---

variable "name" {
  description = "What everything here is called: the table is NAME, the function NAME-worker, the rule NAME-wake, and so on."
  type        = string
  default     = "slowsched"

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9-]{2,39}$", var.name))
    error_message = "name must be 3 to 40 letters, digits and hyphens, and begin with a letter."
  }
}

variable "timer_kind" {
  description = "What wakes the worker: \"rule\" (an EventBridge rule) or \"schedule\" (one EventBridge Scheduler schedule)."
  type        = string
  default     = "rule"

  validation {
    condition     = contains(["rule", "schedule"], var.timer_kind)
    error_message = "timer_kind must be \"rule\" or \"schedule\"."
  }
}

# --- the table ---

variable "buckets" {
  description = "Into how many item collections the rows are spread, fixed when the table is made. One holds 10 GB and takes about 1,000 writes a second; every wake asks each."
  type        = number
  default     = 1

  validation {
    condition     = var.buckets >= 1 && var.buckets <= 64 && floor(var.buckets) == var.buckets
    error_message = "buckets must be a whole number from 1 to 64."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the table. Set it to false, and apply, before a tear-down."
  type        = bool
  default     = true
}

# --- the function ---

variable "function_package" {
  description = "Path of function.zip, as `slowsched package` builds it."
  type        = string

  validation {
    condition     = fileexists(var.function_package)
    error_message = "There is no file at function_package: build it with `slowsched package`."
  }
}

variable "runtime" {
  description = "Python runtime of the function, the one that `slowsched package --python` built for."
  type        = string
  default     = "python3.13"

  validation {
    condition     = can(regex("^python3\\.1[1-9]$", var.runtime))
    error_message = "runtime must be python3.11 or newer, such as \"python3.13\"."
  }
}

variable "architecture" {
  description = "Processor of the function, the one that `slowsched package --arch` built for: \"arm64\" or \"x86_64\"."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be \"arm64\" or \"x86_64\"."
  }
}

variable "memory_mb" {
  description = "Memory of the function in MB; its share of a processor grows with it."
  type        = number
  default     = 256

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb must be a whole number from 128 to 10240."
  }
}

variable "reserved_concurrency" {
  description = "How many wakes may run at once; null: as many as the account allows. Never needed to be correct, and refused in an account that would keep fewer than 100 unreserved."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null || try(var.reserved_concurrency >= 1 && floor(var.reserved_concurrency) == var.reserved_concurrency, false)
    error_message = "reserved_concurrency must be a whole number from 1, or null: with 0 nothing would ever run."
  }
}

variable "log_retention_days" {
  description = "How long the function's logs are kept. 400 days is also how long rows of deleted tasks stay."
  type        = number
  default     = 400

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the numbers that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "worker_environment" {
  description = "Environment variables for the team's actions, such as the name of a table. No secrets: they are read by whoever may look at the function."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.worker_environment) : !can(regex("^(AWS_|SLOWSCHED_TABLE$|SLOWSCHED_TIMER_)", name))])
    error_message = "worker_environment must leave AWS_*, SLOWSCHED_TABLE and SLOWSCHED_TIMER_* alone: AWS and this module set them."
  }
}

variable "worker_policy_json" {
  description = "What the team's actions may do besides: a list of IAM policy documents in JSON, each put on the worker's role."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for policy in var.worker_policy_json : can(jsondecode(policy).Statement)])
    error_message = "Each entry of worker_policy_json must be an IAM policy document in JSON, with a Statement."
  }
}

# --- who may plan and apply ---

variable "github_plan_subjects" {
  description = "Subjects of GitHub's tokens that may plan, exactly as the token says them: \"repo:acme/shop:pull_request\". A new or renamed repository has ids in its subject: \"repo:acme@1234/shop@5678:pull_request\"."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for subject in var.github_plan_subjects : can(regex("^repo:[^/:*?]+/[^/:*?]+:[^*?]+$", subject))])
    error_message = "Each of github_plan_subjects must read repo:OWNER/REPOSITORY:CONTEXT, without wildcards."
  }
}

variable "github_apply_subjects" {
  description = "Subjects of GitHub's tokens that may apply: \"repo:acme/shop:environment:production\". Never one of a pull request."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for subject in var.github_apply_subjects : can(regex("^repo:[^/:*?]+/[^/:*?]+:[^*?]+$", subject))])
    error_message = "Each of github_apply_subjects must read repo:OWNER/REPOSITORY:CONTEXT, without wildcards."
  }

  validation {
    condition     = alltrue([for subject in var.github_apply_subjects : !endswith(subject, ":pull_request")])
    error_message = "github_apply_subjects must not hold the subject of a pull request: anybody who may open one could apply."
  }
}

variable "github_oidc_provider_arn" {
  description = "ARN of GitHub's OIDC provider, where the account has it already (it can have one only); null: created when there are subjects."
  type        = string
  default     = null

  validation {
    condition     = var.github_oidc_provider_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$", var.github_oidc_provider_arn))
    error_message = "github_oidc_provider_arn must be the ARN of an OIDC provider, or null."
  }
}

variable "plan_principal_arns" {
  description = "ARNs of other roles, users or accounts that may take on the role of plan, for people and for other CI."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.plan_principal_arns : can(regex("^arn:[a-z-]+:(iam|sts)::[0-9]{12}:[^*?]+$", arn))])
    error_message = "Each of plan_principal_arns must be the ARN of a role, a user or an account, without wildcards."
  }
}

variable "apply_principal_arns" {
  description = "ARNs of other roles, users or accounts that may take on the role of apply."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.apply_principal_arns : can(regex("^arn:[a-z-]+:(iam|sts)::[0-9]{12}:[^*?]+$", arn))])
    error_message = "Each of apply_principal_arns must be the ARN of a role, a user or an account, without wildcards."
  }
}

# --- alarms ---

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic that alarms go to; null: one is created."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:.+$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be the ARN of an SNS topic, or null."
  }
}

variable "alarm_emails" {
  description = "Addresses that the created topic writes to; each is asked to confirm first."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s]+$", address))])
    error_message = "Each of alarm_emails must be an e-mail address."
  }

  validation {
    condition     = var.alarm_topic_arn == null || length(var.alarm_emails) == 0
    error_message = "alarm_emails is for the topic that is created here: subscribe to the one in alarm_topic_arn yourself."
  }
}

variable "overdue_alarm_seconds" {
  description = "How long a task may be due and left before an alarm is raised. Not below 1,200: a heartbeat may have to mend a lost wake first."
  type        = number
  default     = 1800

  validation {
    condition     = var.overdue_alarm_seconds >= 1200 && var.overdue_alarm_seconds <= 604800
    error_message = "overdue_alarm_seconds must be from 1200 (20 minutes) to 604800 (a week)."
  }
}
