mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }

  mock_data "google_cloud_run_v2_service" {
    defaults = {
      urls = [
        "https://failover-alert-123456789012.northamerica-northeast1.run.app",
        "https://failover-alert-123456789012.us-central1.run.app",
        "https://failover-control-123456789012.northamerica-northeast1.run.app",
        "https://failover-control-123456789012.us-central1.run.app",
      ]
    }
  }

  mock_resource "google_service_account" {
    defaults = { member = "serviceAccount:somebody@my-project.iam.gserviceaccount.com" }
  }
}

mock_provider "time" {}

variables {
  domain              = "checkout.example.com"
  notification_emails = ["oncall@example.com"]
}

run "the_primary_at_one_the_standbys_at_exactly_zero" {
  command = apply

  assert {
    condition     = local.preference == ["us-east-1", "us-west-2", "eu-west-1"]
    error_message = "the file's order"
  }

  assert {
    condition = {
      for backend in google_compute_backend_service.app.backend : backend.group => backend.capacity_scaler
      } == {
      for name, group in google_compute_region_instance_group_manager.app : group.instance_group => name == "us-east-1" ? 1 : 0
    }
    error_message = "capacity scalers"
  }

  assert {
    condition = alltrue([
      for name, region in local.service.regions :
      endswith(region.backend, "projects/${local.project}/regions/${google_compute_region_instance_group_manager.app[name].region}/instanceGroups/${google_compute_region_instance_group_manager.app[name].name}")
    ])
    error_message = "the groups of failover.yaml are those that are made here"
  }

  assert {
    condition     = toset(keys(output.records)) == toset(["checkout.example.com", "europe-west1.checkout.example.com", "us-east4.checkout.example.com", "us-west1.checkout.example.com"])
    error_message = "a name for the users and one for each region"
  }

  # A region can be asked whatever carries the traffic.
  assert {
    condition = alltrue([
      for only in google_compute_backend_service.region :
      length(only.backend) == 1 && alltrue([for backend in only.backend : backend.capacity_scaler == 1])
    ]) && length(google_compute_backend_service.region) == 3
    error_message = "one backend service per region, for its health path"
  }

  assert {
    condition = alltrue([
      for matcher in google_compute_url_map.app.path_matcher : alltrue([for rule in matcher.path_rule : rule.paths == toset(["/health"])])
    ])
    error_message = "the health path alone goes around the orchestrator"
  }

  # Instances are reached by the load balancer alone.
  assert {
    condition     = google_compute_firewall.load_balancer.source_ranges == toset(["130.211.0.0/22", "35.191.0.0/16"])
    error_message = "Google's front ends and health checkers"
  }

  assert {
    condition     = alltrue([for template in google_compute_instance_template.app : length(template.network_interface[0].access_config) == 0])
    error_message = "no address of its own"
  }
}
