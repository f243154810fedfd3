# What does not change once it is made.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  function_package = "versions.tf"
}

run "made_with_four_buckets" {
  command = apply

  variables {
    buckets = 4
  }
}

run "buckets_stay" {
  command = plan

  variables {
    buckets = 8
  }

  expect_failures = [aws_dynamodb_table_item.control]
}
