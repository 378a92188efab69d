mock_provider "aws" {}

override_resource {
  target = aws_dynamodb_table.this
  values = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/checkout" }
}

variables {
  google_service_account = { application = "111111111111111111111" }
}

run "a_table_in_the_regions_of_the_file" {
  command = apply

  assert {
    condition     = output.regions == tolist(["us-east-1", "us-west-2", "eu-west-1"])
    error_message = "in the order of failover.yaml"
  }

  assert {
    condition = (
      toset([for replica in aws_dynamodb_table.this.replica : replica.region_name]) == toset(["eu-west-1", "us-west-2"]) &&
      alltrue([for replica in aws_dynamodb_table.this.replica : replica.point_in_time_recovery && replica.consistency_mode == "EVENTUAL"])
    )
    error_message = "replicas, each with its own recovery"
  }

  assert {
    condition = (
      aws_dynamodb_table.this.stream_enabled && aws_dynamodb_table.this.stream_view_type == "NEW_AND_OLD_IMAGES" &&
      aws_dynamodb_table.this.point_in_time_recovery[0].enabled && aws_dynamodb_table.this.deletion_protection_enabled
    )
    error_message = "stream, recovery and protection"
  }

  assert {
    condition     = toset(values(output.items)) == toset(["failover#health", "failover#heartbeat#eu-west-1", "failover#heartbeat#us-east-1", "failover#heartbeat#us-west-2"])
    error_message = "a health item, and a heartbeat of each region"
  }
}

run "only_the_named_google_account_and_no_key" {
  command = apply

  assert {
    condition = alltrue([
      for role in aws_iam_role.this :
      jsondecode(role.assume_role_policy).Statement[0].Action == "sts:AssumeRoleWithWebIdentity" &&
      jsondecode(role.assume_role_policy).Statement[0].Principal.Federated == "accounts.google.com" &&
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["accounts.google.com:sub"] == "111111111111111111111" &&
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["accounts.google.com:oaud"] == "aws-dynamodb"
    ])
    error_message = "trust by web identity"
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.client.policy).Statement[0].Resource == [
      "arn:aws:dynamodb:us-east-1:123456789012:table/checkout",
      "arn:aws:dynamodb:us-west-2:123456789012:table/checkout",
      "arn:aws:dynamodb:eu-west-1:123456789012:table/checkout",
    ]
    error_message = "this table alone, in its regions"
  }

  assert {
    condition = !anytrue([
      for action in flatten([for statement in jsondecode(aws_iam_role_policy.client.policy).Statement : statement.Action]) : endswith(action, "*") || endswith(action, "Table")
    ])
    error_message = "no wildcard, nothing that changes the table"
  }

  assert {
    condition = (
      jsondecode(aws_iam_role_policy.heartbeat.policy).Statement[0].Action == ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"] &&
      toset(jsondecode(aws_iam_role_policy.heartbeat.policy).Statement[0].Condition["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]) == toset(values(output.items))
    )
    error_message = "the heartbeat keeps its own items only"
  }
}

run "strong_consistency" {
  command = plan

  variables {
    consistency = "MRSC"
  }

  assert {
    condition     = alltrue([for replica in aws_dynamodb_table.this.replica : replica.consistency_mode == "STRONG"])
    error_message = "as asked"
  }
}

run "an_address_is_refused" {
  command = plan

  variables {
    google_service_account = { application = "app@my-project.iam.gserviceaccount.com" }
  }

  expect_failures = [var.google_service_account]
}
