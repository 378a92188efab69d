# One plan, for tests/terraform: the planned table is made on a DynamoDB of the laptop's and used.

mock_provider "aws" {}

variables {
  google_service_account = { application = "111111111111111111111" }
}

run "table" {
  command = plan
}
