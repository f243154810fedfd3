# Who may do what. Each statement is a call that the code makes; a test holds the calls against these policies.
# No condition keys of DynamoDB: every row of a table is written by the same code, and its partition key is no owner.

locals {
  wake_rule_arns = aws_cloudwatch_event_rule.wake[*].arn
  schedule_arns  = aws_scheduler_schedule.wake[*].arn

  read_rows = {
    Sid      = "ReadRows"
    Effect   = "Allow"
    Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem"]
    Resource = local.table_arn
  }

  # Of all tasks, for a plan; a wake never asks for more than what is due.
  list_rows = {
    Sid      = "ListRows"
    Effect   = "Allow"
    Action   = "dynamodb:Query"
    Resource = local.table_arn
  }

  read_agenda = {
    Sid      = "ReadAgenda"
    Effect   = "Allow"
    Action   = "dynamodb:Query"
    Resource = "${local.table_arn}/index/agenda"
  }

  write_rows = {
    Sid      = "WriteRows"
    Effect   = "Allow"
    Action   = "dynamodb:PutItem"
    Resource = local.table_arn
  }

  read_timer = local.rule_timer ? {
    Sid      = "ReadTimer"
    Effect   = "Allow"
    Action   = "events:DescribeRule"
    Resource = local.wake_rule_arns
    } : {
    Sid      = "ReadTimer"
    Effect   = "Allow"
    Action   = "scheduler:GetSchedule"
    Resource = local.schedule_arns
  }

  set_timer = local.rule_timer ? {
    Sid      = "SetTimer"
    Effect   = "Allow"
    Action   = "events:PutRule"
    Resource = local.wake_rule_arns
    } : {
    Sid      = "SetTimer"
    Effect   = "Allow"
    Action   = "scheduler:UpdateSchedule"
    Resource = local.schedule_arns
  }

  # A schedule is written together with the role that it invokes its target with.
  pass_role = [for arn in aws_iam_role.scheduler[*].arn : {
    Sid       = "PassTheTimersRole"
    Effect    = "Allow"
    Action    = "iam:PassRole"
    Resource  = arn
    Condition = { StringEquals = { "iam:PassedToService" = "scheduler.amazonaws.com" } }
  }]

  # What only `slowsched doctor` looks at.
  inspect = concat([
    {
      Sid      = "InspectTable"
      Effect   = "Allow"
      Action   = ["dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"]
      Resource = local.table_arn
    },
    {
      Sid      = "InspectHeartbeat"
      Effect   = "Allow"
      Action   = "events:DescribeRule"
      Resource = aws_cloudwatch_event_rule.heartbeat.arn
    },
    {
      Sid      = "FindHeartbeat"
      Effect   = "Allow"
      Action   = "events:ListRuleNamesByTarget"
      Resource = "*" # this call knows no resources
    },
    {
      Sid      = "InspectFunction"
      Effect   = "Allow"
      Action   = ["lambda:GetFunctionConfiguration", "lambda:GetPolicy"]
      Resource = aws_lambda_function.worker.arn
    },
    ],
    # What the timer starts: a rule has targets, a schedule a role that it starts its target with.
    [for arn in local.wake_rule_arns : {
      Sid      = "InspectTargets"
      Effect   = "Allow"
      Action   = "events:ListTargetsByRule"
      Resource = arn
    }],
    [for arn in aws_iam_role.scheduler[*].arn : {
      Sid      = "InspectTimersRole"
      Effect   = "Allow"
      Action   = "iam:SimulatePrincipalPolicy"
      Resource = arn
    }],
  )

  plan_statements  = concat([local.read_rows, local.list_rows, local.read_agenda, local.read_timer], local.inspect)
  apply_statements = concat(local.plan_statements, [local.write_rows, local.set_timer], local.pass_role)
}

# --- plan: reads ---

resource "aws_iam_role" "plan" {
  name               = "${var.name}-plan"
  description        = "slowsched plan, drift, doctor: reads the table and the timer"
  assume_role_policy = local.plan_trust
}

resource "aws_iam_role_policy" "plan" {
  #checkov:skip=CKV_AWS_355:events:ListRuleNamesByTarget knows no resources; it lists names of rules
  name   = "plan"
  role   = aws_iam_role.plan.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.plan_statements })
}

# --- apply: reads, writes rows, sets the timer ---

resource "aws_iam_role" "apply" {
  name               = "${var.name}-apply"
  description        = "slowsched apply, arm, retry, run, pause: writes rows and sets the timer"
  assume_role_policy = local.apply_trust
}

resource "aws_iam_role_policy" "apply" {
  #checkov:skip=CKV_AWS_355:events:ListRuleNamesByTarget knows no resources; it lists names of rules
  name   = "apply"
  role   = aws_iam_role.apply.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.apply_statements })
}

# --- worker: the function ---

resource "aws_iam_role" "worker" {
  name        = "${var.name}-worker"
  description = "slowsched: the function that executes what is due"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Lambda"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "worker" {
  name = "worker"
  role = aws_iam_role.worker.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.read_rows,
      local.read_agenda,
      local.write_rows,
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.worker.arn}:*"
      },
      {
        Sid      = "KeepFailedWakes"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.failed.arn
      },
    ]
  })
}

# Apart from the policy above, because a schedule names the function, and the function waits for that policy.
resource "aws_iam_role_policy" "worker_timer" {
  name   = "timer"
  role   = aws_iam_role.worker.id
  policy = jsonencode({ Version = "2012-10-17", Statement = concat([local.read_timer, local.set_timer], local.pass_role) })
}

resource "aws_iam_role_policy" "worker_actions" {
  count = length(var.worker_policy_json)

  name   = "actions-${count.index}"
  role   = aws_iam_role.worker.id
  policy = var.worker_policy_json[count.index]
}

# --- scheduler: what EventBridge Scheduler invokes the function with ---

resource "aws_iam_role" "scheduler" {
  count = local.schedule_timer ? 1 : 0

  name        = "${var.name}-scheduler"
  description = "slowsched: wakes the function at the moment of the schedule"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Scheduler"
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = local.account
          "aws:SourceArn"     = aws_scheduler_schedule_group.this[0].arn
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  count = local.schedule_timer ? 1 : 0

  name = "wake"
  role = aws_iam_role.scheduler[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Wake"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = aws_lambda_function.worker.arn
      },
      {
        Sid      = "KeepUndeliveredWakes"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.undelivered.arn
      },
    ]
  })
}
