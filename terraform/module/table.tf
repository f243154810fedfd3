resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119:the key that AWS manages for DynamoDB encrypts it; tasks are reviewed in git and hold no secrets
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "bucket"
  range_key                   = "id"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "bucket"
    type = "N"
  }

  attribute {
    name = "id"
    type = "S"
  }

  attribute {
    name = "wake_at"
    type = "S"
  }

  # Local, because arming stands on its strongly consistent reads; it cannot be added later.
  local_secondary_index {
    name            = "agenda"
    range_key       = "wake_at"
    projection_type = "KEYS_ONLY"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

# The control row, which says how many buckets there are. It is made here and from then on written by slowsched only.
# Taking it away would take pauses, apply locks and the order of commits with it, so it does not hang on a variable.
resource "aws_dynamodb_table_item" "control" {
  table_name = aws_dynamodb_table.this.name
  hash_key   = aws_dynamodb_table.this.hash_key
  range_key  = aws_dynamodb_table.this.range_key

  item = jsonencode({
    bucket   = { N = "0" }
    id       = { S = " control" }
    format   = { N = "1" }
    version  = { N = "1" } # 0 would mean that there is none
    write_id = { S = "terraform" }
    owners   = { S = "{}" }
    buckets  = { N = tostring(var.buckets) }
  })

  lifecycle {
    ignore_changes = [item]

    postcondition {
      condition     = try(tonumber(jsondecode(self.item).buckets.N), 1) == var.buckets
      error_message = "The number of buckets is fixed when the table is made: set `buckets` back, or put up another table beside this one, by using the module once more with another `name`."
    }
  }
}

locals {
  # The table's own name for itself says where all of this is, without a call.
  table_arn = aws_dynamodb_table.this.arn
  region    = split(":", local.table_arn)[3]
  account   = split(":", local.table_arn)[4]
}
