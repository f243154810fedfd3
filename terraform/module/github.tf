# Who may take on the roles of plan and apply: workflows of GitHub by the subject of their token, and named principals.

locals {
  github_host         = "token.actions.githubusercontent.com"
  github_wanted       = length(var.github_plan_subjects) + length(var.github_apply_subjects) > 0
  github_provider_arn = var.github_oidc_provider_arn != null ? var.github_oidc_provider_arn : one(aws_iam_openid_connect_provider.github[*].arn)

  trusted = {
    plan  = { subjects = var.github_plan_subjects, principals = var.plan_principal_arns }
    apply = { subjects = var.github_apply_subjects, principals = var.apply_principal_arns }
  }

  trust = {
    for role, who in local.trusted : role => concat(
      [for subjects in [who.subjects] : {
        Sid       = "GitHub"
        Effect    = "Allow"
        Principal = { Federated = local.github_provider_arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "${local.github_host}:aud" = "sts.amazonaws.com"
            "${local.github_host}:sub" = subjects
          }
        }
      } if length(subjects) > 0],
      [for principals in [who.principals] : {
        Sid       = "Principals"
        Effect    = "Allow"
        Principal = { AWS = principals }
        Action    = "sts:AssumeRole"
      } if length(principals) > 0],
      # A role must say something about who may take it on; until somebody is named, nobody may.
      [for nobody in [{ AWS = "*" }] : {
        Sid       = "Nobody"
        Effect    = "Deny"
        Principal = nobody
        Action    = "sts:AssumeRole"
      } if length(who.subjects) + length(who.principals) == 0],
    )
  }

  plan_trust  = jsonencode({ Version = "2012-10-17", Statement = local.trust["plan"] })
  apply_trust = jsonencode({ Version = "2012-10-17", Statement = local.trust["apply"] })
}

resource "aws_iam_openid_connect_provider" "github" {
  count = local.github_wanted && var.github_oidc_provider_arn == null ? 1 : 0

  url            = "https://${local.github_host}"
  client_id_list = ["sts.amazonaws.com"]
}
