# One deployment of slowsched, with the table that the sample action APPLY_SALE writes to. Copy it, and make it yours.
#
#   slowsched package --out function.zip      # or `make zip` in slowsched's own repository
#   terraform init && terraform apply
#   terraform output -json | slowsched init --from-terraform -   # fills slowsched.yaml
#
# Keep the state where your team keeps it, for example:
#
#   terraform {
#     backend "s3" {
#       bucket       = "acme-terraform"
#       key          = "slowsched.tfstate"
#       region       = "eu-central-1"
#       use_lockfile = true
#     }
#   }

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

provider "aws" {
  region = var.region
}

module "slowsched" {
  source = "../module"

  name             = var.name
  timer_kind       = var.timer_kind
  function_package = var.function_package
  architecture     = var.architecture

  github_plan_subjects     = var.github_plan_subjects
  github_apply_subjects    = var.github_apply_subjects
  github_oidc_provider_arn = var.github_oidc_provider_arn
  plan_principal_arns      = var.plan_principal_arns
  apply_principal_arns     = var.apply_principal_arns

  alarm_emails        = var.alarm_emails
  deletion_protection = var.deletion_protection

  worker_environment = { SLOWSCHED_CATALOGUE_TABLE = aws_dynamodb_table.catalogue.name }
  worker_policy_json = [local.catalogue_policy]
}

# --- what the sample action writes to ---

resource "aws_dynamodb_table" "catalogue" {
  #checkov:skip=CKV_AWS_119:the key that AWS manages for DynamoDB encrypts it
  name                        = "${var.name}-catalogue"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

locals {
  # A transaction is allowed by what it does: there is no right to TransactWriteItems itself.
  catalogue_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Catalogue"
      Effect   = "Allow"
      Action   = ["dynamodb:PutItem", "dynamodb:UpdateItem"]
      Resource = aws_dynamodb_table.catalogue.arn
    }]
  })
}
