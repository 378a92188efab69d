# One plan of everything a file can ask for, for tests/terraform: Python compares what is planned here with
# what the function uses.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

mock_provider "time" {}

variables {
  config               = "tests/everything.yaml"
  notification_emails  = ["oncall@example.com"]
  orchestrator_regions = ["us-central1", "northamerica-northeast1"]
}

run "everything" {
  command = plan
}
