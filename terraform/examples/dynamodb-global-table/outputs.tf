output "items" {
  description = "Keys of the items that tell whether a region works."
  value       = local.own_items
}

output "regions" {
  description = "Regions of the table, in the order of failover.yaml."
  value       = local.regions
}

output "roles" {
  description = "ARNs of the roles, for AWS_ROLE_ARN of the application."
  value       = { for role, made in aws_iam_role.this : role => made.arn }
}

output "table" {
  description = "Name of the table."
  value       = aws_dynamodb_table.this.name
}
