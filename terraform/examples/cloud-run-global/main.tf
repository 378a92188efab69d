# Three Cloud Run regions behind one global load balancer, and the orchestrator that moves its traffic
# by attaching and detaching regions.

locals {
  file    = "${path.module}/failover.yaml"
  config  = yamldecode(file(local.file))
  project = local.config.project
  name    = one(keys(local.config.services))
  service = local.config.services[local.name]

  # Names and places are read out of the URLs that the orchestrator needs anyway.
  regions = {
    for name, region in local.service.regions : name => merge(
      regex("/regions/(?P<location>[^/]+)/networkEndpointGroups/(?P<group>[^/]+)$", region.backend),
      regex("^(?P<url>https://(?P<run_service>[a-z0-9-]+)-(?P<number>[0-9]+)\\.(?P<url_location>[^.]+)\\.run\\.app)(?P<path>/.*)$", region.health_url),
    )
  }

  # yamldecode sorts the keys; the file's order is the order of preference, so it is read from the text.
  preference = [
    for found in regexall("(?m)^ +([a-z0-9-]+):", file(local.file)) : found[0] if contains(keys(local.regions), found[0])
  ]
  primary = local.preference[0]
}

resource "google_project_service" "this" {
  for_each = toset(["compute.googleapis.com", "iam.googleapis.com", "run.googleapis.com"])

  project            = local.project
  service            = each.key
  disable_on_destroy = false # others in the project may use it
}

# --- the application ----------------------------------------------------------------------------------

resource "google_service_account" "app" {
  project      = local.project
  account_id   = local.name
  display_name = "The application ${local.name}"

  depends_on = [google_project_service.this]
}

resource "google_cloud_run_v2_service" "app" {
  for_each = local.regions

  project             = local.project
  location            = each.value.location
  name                = each.value.run_service
  ingress             = "INGRESS_TRAFFIC_ALL" # checkers and the orchestrator's own probe ask each region directly
  deletion_protection = false                 # an example: `terraform destroy` takes it away

  template {
    service_account = google_service_account.app.email

    scaling {
      min_instance_count = var.min_instances
      max_instance_count = 10
    }

    containers {
      image = var.image

      startup_probe {
        http_get {
          path = each.value.path
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = each.value.location == each.value.url_location
      error_message = "failover.yaml: health_url and backend of ${each.key} name different regions."
    }

    postcondition {
      condition     = contains(self.urls, each.value.url)
      error_message = "failover.yaml: the health_url of ${each.key} is not this service's; it has ${join(", ", self.urls)}. Is the project's number right?"
    }
  }

  depends_on = [google_project_service.this]
}

# It is a public web application. Behind IAM: leave this out, set `probe: {auth: oidc}` in failover.yaml and
# let the orchestrator's account and Monitoring's agent invoke it.
resource "google_cloud_run_v2_service_iam_member" "public" {
  #checkov:skip=CKV_GCP_102: The application is for everybody; see above for how it would not be.
  for_each = google_cloud_run_v2_service.app

  project  = local.project
  location = each.value.location
  name     = each.value.name
  role     = "roles/run.invoker"
  member   = "allUsers"
}

# --- the load balancer --------------------------------------------------------------------------------

resource "google_compute_region_network_endpoint_group" "app" {
  for_each = local.regions

  project               = local.project
  region                = each.value.location
  name                  = each.value.group
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = google_cloud_run_v2_service.app[each.key].name
  }
}

resource "google_compute_backend_service" "app" {
  project               = local.project
  name                  = local.service.traffic.backend_service
  load_balancing_scheme = "EXTERNAL_MANAGED" # stated: the default is another one in provider 7
  protocol              = "HTTPS"

  # The primary alone; the orchestrator attaches what it fails over to. No health check and no scaler:
  # neither exists for serverless groups.
  backend {
    group = google_compute_region_network_endpoint_group.app[local.primary].id
  }

  log_config {
    enable      = true
    sample_rate = 1
  }

  # What the orchestrator writes. This alone is no guarantee: a plan made before a failover and applied
  # after it may write old values all the same (decision 0011). The next tick puts the traffic right again.
  lifecycle {
    ignore_changes = [backend, description]
  }

  # So that it goes before the groups: the orchestrator may have attached any of them.
  depends_on = [google_compute_region_network_endpoint_group.app]
}

resource "google_compute_url_map" "app" {
  project         = local.project
  name            = local.name
  default_service = google_compute_backend_service.app.id
}

resource "google_compute_global_address" "app" {
  project = local.project
  name    = local.name

  depends_on = [google_project_service.this]
}

resource "google_compute_managed_ssl_certificate" "app" {
  count = var.domain == null ? 0 : 1

  project = local.project
  name    = local.name

  managed {
    domains = [var.domain]
  }

  depends_on = [google_project_service.this]
}

resource "google_compute_target_https_proxy" "app" {
  count = var.domain == null ? 0 : 1

  project          = local.project
  name             = local.name
  url_map          = google_compute_url_map.app.id
  ssl_certificates = google_compute_managed_ssl_certificate.app[*].id
}

resource "google_compute_target_http_proxy" "app" {
  count = var.domain == null ? 1 : 0

  project = local.project
  name    = local.name
  url_map = google_compute_url_map.app.id
}

resource "google_compute_global_forwarding_rule" "app" {
  project               = local.project
  name                  = local.name
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.app.address
  port_range            = var.domain == null ? "80" : "443"
  target                = one(concat(google_compute_target_https_proxy.app[*].id, google_compute_target_http_proxy.app[*].id))
}

# --- the orchestrator ---------------------------------------------------------------------------------

module "failover" {
  source = "../.."

  config               = local.file
  notification_emails  = var.notification_emails
  orchestrator_regions = var.orchestrator_regions
  state_readers        = { app = google_service_account.app.member }
}
