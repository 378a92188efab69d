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

  mock_resource "google_cloud_run_v2_service" {
    defaults = {
      urls = [
        "https://checkout-123456789012.europe-west1.run.app",
        "https://checkout-123456789012.us-east4.run.app",
        "https://checkout-123456789012.us-west1.run.app",
      ]
    }
  }
}

mock_provider "time" {}

variables {
  notification_emails = ["oncall@example.com"]
}

run "three_regions_one_of_them_attached" {
  command = apply

  assert {
    condition     = local.preference == ["us-east-1", "us-west-2", "eu-west-1"]
    error_message = "the file's order"
  }

  assert {
    condition     = toset([for app in google_cloud_run_v2_service.app : app.location]) == toset(["europe-west1", "us-east4", "us-west1"])
    error_message = "a service in each region"
  }

  assert {
    condition = (
      google_compute_backend_service.app.name == "checkout" &&
      google_compute_backend_service.app.load_balancing_scheme == "EXTERNAL_MANAGED" &&
      [for backend in google_compute_backend_service.app.backend : backend.group] == [google_compute_region_network_endpoint_group.app["us-east-1"].id] &&
      google_compute_backend_service.app.health_checks == null
    )
    error_message = "the primary alone carries traffic; serverless groups have no health check"
  }

  # What stands in failover.yaml is what is made here.
  assert {
    condition = alltrue([
      for name, region in local.service.regions :
      endswith(region.backend, "projects/${local.project}/regions/${google_compute_region_network_endpoint_group.app[name].region}/networkEndpointGroups/${google_compute_region_network_endpoint_group.app[name].name}")
    ])
    error_message = "the groups of failover.yaml"
  }

  assert {
    condition = alltrue([
      for name, app in google_cloud_run_v2_service.app :
      endswith(local.service.regions[name].health_url, app.template[0].containers[0].startup_probe[0].http_get[0].path)
    ])
    error_message = "the health path"
  }

  assert {
    condition     = google_compute_global_forwarding_rule.app.port_range == "80" && length(google_compute_target_https_proxy.app) == 0
    error_message = "to try it out"
  }
}

run "a_certificate_with_a_domain" {
  command = plan

  variables {
    domain = "checkout.example.com"
  }

  assert {
    condition     = google_compute_global_forwarding_rule.app.port_range == "443" && google_compute_managed_ssl_certificate.app[0].managed[0].domains == tolist(["checkout.example.com"])
    error_message = "https"
  }
}
