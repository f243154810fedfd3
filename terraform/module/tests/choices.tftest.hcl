# What a team may choose.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  function_package = "versions.tf"
}

run "github" {
  command = apply

  variables {
    github_plan_subjects  = ["repo:acme/shop:pull_request", "repo:acme@1234/shop@5678:pull_request"]
    github_apply_subjects = ["repo:acme/shop:environment:production"]
    apply_principal_arns  = ["arn:aws:iam::123456789012:role/on-call"]
  }

  assert {
    condition = jsondecode(aws_iam_role.plan.assume_role_policy).Statement == [{
      Sid       = "GitHub"
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = ["repo:acme/shop:pull_request", "repo:acme@1234/shop@5678:pull_request"]
        }
      }
    }]
    error_message = "Others than the named subjects may plan."
  }

  assert {
    condition     = [for each in jsondecode(aws_iam_role.apply.assume_role_policy).Statement : each.Sid] == ["GitHub", "Principals"]
    error_message = "Others than the named subjects and principals may apply."
  }
}

run "a_provider_that_is_there" {
  command = apply

  variables {
    github_plan_subjects     = ["repo:acme/shop:pull_request"]
    github_oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "An account has one provider for GitHub only."
  }
}

run "a_topic_that_is_there" {
  command = apply

  variables {
    alarm_topic_arn = "arn:aws:sns:eu-central-1:123456789012:on-call"
  }

  assert {
    condition     = length(aws_sns_topic.alarms) == 0 && output.alarm_topic_arn == "arn:aws:sns:eu-central-1:123456789012:on-call"
    error_message = "The given topic is not used."
  }
}

run "emails" {
  command = apply

  variables {
    alarm_emails = ["on-call@example.com"]
  }

  assert {
    condition     = [for each in aws_sns_topic_subscription.alarms : "${each.protocol} ${each.endpoint}"] == ["email on-call@example.com"]
    error_message = "Nobody is written to."
  }
}

run "the_teams_actions" {
  command = apply

  variables {
    worker_environment = { SHOP_TABLE = "shop" }
    worker_policy_json = ["{\"Version\": \"2012-10-17\", \"Statement\": []}"]
  }

  assert {
    condition     = aws_lambda_function.worker.environment[0].variables["SHOP_TABLE"] == "shop" && aws_iam_role_policy.worker_actions[0].role == aws_iam_role.worker.id
    error_message = "The actions do not get what they need."
  }
}
