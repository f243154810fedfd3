# Values that a variable does not take, one at a time.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  function_package = "versions.tf"
}

run "name_with_a_dot" {
  command = plan
  variables {
    name = "slow.sched"
  }
  expect_failures = [var.name]
}

run "name_too_long" {
  command = plan
  variables {
    name = "a1234567890123456789012345678901234567890"
  }
  expect_failures = [var.name]
}

run "timer_kind" {
  command = plan
  variables {
    timer_kind = "cron"
  }
  expect_failures = [var.timer_kind]
}

run "no_buckets" {
  command = plan
  variables {
    buckets = 0
  }
  expect_failures = [var.buckets]
}

run "half_a_bucket" {
  command = plan
  variables {
    buckets = 1.5
  }
  expect_failures = [var.buckets]
}

run "no_package" {
  command = plan
  variables {
    function_package = "nowhere/function.zip"
  }
  expect_failures = [var.function_package]
}

run "runtime" {
  command = plan
  variables {
    runtime = "python3.8"
  }
  expect_failures = [var.runtime]
}

run "architecture" {
  command = plan
  variables {
    architecture = "arm"
  }
  expect_failures = [var.architecture]
}

run "memory" {
  command = plan
  variables {
    memory_mb = 64
  }
  expect_failures = [var.memory_mb]
}

run "nothing_may_run" {
  command = plan
  variables {
    reserved_concurrency = 0
  }
  expect_failures = [var.reserved_concurrency]
}

run "log_retention" {
  command = plan
  variables {
    log_retention_days = 100
  }
  expect_failures = [var.log_retention_days]
}

run "environment_of_the_module" {
  command = plan
  variables {
    worker_environment = { SLOWSCHED_TABLE = "other" }
  }
  expect_failures = [var.worker_environment]
}

run "policy_that_is_none" {
  command = plan
  variables {
    worker_policy_json = ["{}"]
  }
  expect_failures = [var.worker_policy_json]
}

run "subject_with_a_wildcard" {
  command = plan
  variables {
    github_plan_subjects = ["repo:acme/*:pull_request"]
  }
  expect_failures = [var.github_plan_subjects]
}

run "apply_from_a_pull_request" {
  command = plan
  variables {
    github_apply_subjects = ["repo:acme/shop:pull_request"]
  }
  expect_failures = [var.github_apply_subjects]
}

run "provider_that_is_none" {
  command = plan
  variables {
    github_oidc_provider_arn = "token.actions.githubusercontent.com"
  }
  expect_failures = [var.github_oidc_provider_arn]
}

run "everybody_may_plan" {
  command = plan
  variables {
    plan_principal_arns = ["*"]
  }
  expect_failures = [var.plan_principal_arns]
}

run "everybody_may_apply" {
  command = plan
  variables {
    apply_principal_arns = ["arn:aws:iam::123456789012:role/*"]
  }
  expect_failures = [var.apply_principal_arns]
}

run "topic_that_is_none" {
  command = plan
  variables {
    alarm_topic_arn = "on-call"
  }
  expect_failures = [var.alarm_topic_arn]
}

run "email_that_is_none" {
  command = plan
  variables {
    alarm_emails = ["on-call"]
  }
  expect_failures = [var.alarm_emails]
}

run "emails_for_a_topic_that_is_there" {
  command = plan
  variables {
    alarm_topic_arn = "arn:aws:sns:eu-central-1:123456789012:on-call"
    alarm_emails    = ["on-call@example.com"]
  }
  expect_failures = [var.alarm_emails]
}

run "overdue_before_a_heartbeat_could_mend_it" {
  command = plan
  variables {
    overdue_alarm_seconds = 600
  }
  expect_failures = [var.overdue_alarm_seconds]
}
