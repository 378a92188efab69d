# A DynamoDB global table in the regions of failover.yaml, and the two roles as which applications on
# Google Cloud use it. No key of AWS exists anywhere.

locals {
  file   = var.config != null ? var.config : "${path.module}/../cloud-run-global/failover.yaml"
  config = yamldecode(file(local.file))

  # Regions by their DynamoDB endpoints, which default to the region's name.
  endpoints = merge([
    for service in local.config.services : {
      for name, region in service.regions : name => try(region.endpoint, "dynamodb.${name}.amazonaws.com")
    }
  ]...)

  # yamldecode sorts the keys; the file's order is the order of preference, so it is read from the text.
  regions = distinct([
    for found in regexall("(?m)^ +([a-z0-9-]+):", file(local.file)) :
    regex("^dynamodb\\.([a-z0-9-]+)\\.amazonaws\\.com", local.endpoints[found[0]])[0]
    if contains(keys(local.endpoints), found[0])
  ])

  # Items that are no business data. `health` is read to see whether the region's replica can be read;
  # each region writes its own `heartbeat` with the time, and how old another region's is when it is read
  # here is the replication lag.
  key = "pk"
  own_items = merge(
    { health = "failover#health" },
    { for region in local.regions : "heartbeat-${region}" => "failover#heartbeat#${region}" },
  )

  tables = [for region in local.regions : replace(aws_dynamodb_table.this.arn, ":${local.regions[0]}:", ":${region}:")]

  # Who may be which role, told by the account's unique id: `sub`; for a service account's token `aud` is
  # the party that asked for it (azp), again the account, and `oaud` the audience it asked for.
  trust = {
    for role, id in {
      client    = var.google_service_account.application
      heartbeat = coalesce(var.google_service_account.heartbeat, var.google_service_account.application)
      } : role => jsonencode({
        Version = "2012-10-17"
        Statement = [{
          Effect    = "Allow"
          Action    = "sts:AssumeRoleWithWebIdentity"
          Principal = { Federated = "accounts.google.com" }
          Condition = {
            StringEquals = {
              "accounts.google.com:aud"  = id
              "accounts.google.com:oaud" = var.audience
              "accounts.google.com:sub"  = id
            }
          }
        }]
    })
  }
}

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119: Encrypted with a key that AWS owns. A customer key per replica region is one more thing that can be disabled when a region must take over; a project that must have one adds kms_key_arn to every replica.
  name         = var.name
  billing_mode = "PAY_PER_REQUEST" # after a failover one region takes all writes at once
  hash_key     = local.key

  # Replication of MREC tables needs it, with both images.
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  attribute {
    name = local.key
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  dynamic "ttl" {
    for_each = var.ttl_attribute == null ? [] : [var.ttl_attribute]
    content {
      attribute_name = ttl.value
      enabled        = true
    }
  }

  dynamic "replica" {
    for_each = slice(local.regions, 1, length(local.regions))
    content {
      region_name                 = replica.value
      consistency_mode            = var.consistency == "MRSC" ? "STRONG" : "EVENTUAL"
      deletion_protection_enabled = var.deletion_protection
      point_in_time_recovery      = true
      propagate_tags              = true
    }
  }

  lifecycle {
    precondition {
      condition     = length(local.regions) >= 2
      error_message = "A global table has at least two regions, but failover.yaml has ${join(", ", local.regions)}."
    }

    precondition {
      condition     = var.consistency != "MRSC" || length(local.regions) == 3
      error_message = "MRSC has exactly three regions, but failover.yaml has ${join(", ", local.regions)}."
    }
  }
}

resource "aws_dynamodb_table_item" "own" {
  for_each = local.own_items

  table_name = aws_dynamodb_table.this.name
  hash_key   = local.key
  item = jsonencode({
    (local.key) = { S = each.value }
    at          = { N = "0" } # seconds since 1970, written by the application
  })

  # From here on the application writes them.
  lifecycle {
    ignore_changes = [item]
  }
}

# --- roles --------------------------------------------------------------------------------------------

resource "aws_iam_role" "this" {
  for_each = local.trust

  name                 = "${var.name}-${each.key}"
  description          = "Google service account, ${each.key}."
  assume_role_policy   = each.value
  max_session_duration = 3600
  tags                 = var.tags
}

# The data, in every region; the items of our own are read only.
resource "aws_iam_role_policy" "client" {
  name = "table"
  role = aws_iam_role.this["client"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Data"
        Effect = "Allow"
        Action = [
          "dynamodb:BatchGetItem",
          "dynamodb:BatchWriteItem",
          "dynamodb:ConditionCheckItem",
          "dynamodb:DeleteItem",
          "dynamodb:GetItem",
          "dynamodb:PutItem",
          "dynamodb:Query",
          "dynamodb:UpdateItem",
        ]
        Resource = local.tables
      },
      {
        Sid       = "OwnItemsAreReadOnly"
        Effect    = "Deny"
        Action    = ["dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        Resource  = local.tables
        Condition = { "ForAnyValue:StringLike" = { "dynamodb:LeadingKeys" = ["failover#*"] } }
      },
    ]
  })
}

# Nothing but the items of our own.
resource "aws_iam_role_policy" "heartbeat" {
  name = "own-items"
  role = aws_iam_role.this["heartbeat"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OwnItems"
      Effect    = "Allow"
      Action    = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      Resource  = local.tables
      Condition = { "ForAllValues:StringEquals" = { "dynamodb:LeadingKeys" = sort(values(local.own_items)) } }
    }]
  })
}
