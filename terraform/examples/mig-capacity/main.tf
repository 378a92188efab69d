# Three regional instance groups behind one global load balancer, and the orchestrator that moves its
# traffic by their capacity scalers: 1 for the primary, exactly 0 for the standbys.

locals {
  file    = "${path.module}/failover.yaml"
  config  = yamldecode(file(local.file))
  project = local.config.project
  name    = one(keys(local.config.services))
  service = local.config.services[local.name]

  # Names and places are read out of the URLs that the orchestrator needs anyway.
  regions = {
    for name, region in local.service.regions : name => merge(
      regex("/regions/(?P<location>[^/]+)/instanceGroups/(?P<group>[^/]+)$", region.backend),
      regex("^(?P<scheme>https?)://(?P<host>[^/:]+)(?P<path>/.*)$", region.health_url),
    )
  }
  https = anytrue([for region in local.regions : region.scheme == "https"])
  hosts = sort([for region in local.regions : region.host])

  # yamldecode sorts the keys; the file's order is the order of preference, so it is read from the text.
  preference = [
    for found in regexall("(?m)^ +([a-z0-9-]+):", file(local.file)) : found[0] if contains(keys(local.regions), found[0])
  ]
  primary = local.preference[0]

  port = 8080 # of startup.sh
}

resource "google_project_service" "this" {
  for_each = toset(["compute.googleapis.com", "dns.googleapis.com", "iam.googleapis.com"])

  project            = local.project
  service            = each.key
  disable_on_destroy = false # others in the project may use it
}

# --- the network: the load balancer reaches the instances, nobody else does ---------------------------

resource "google_compute_network" "app" {
  project                 = local.project
  name                    = local.name
  auto_create_subnetworks = false

  depends_on = [google_project_service.this]
}

resource "google_compute_subnetwork" "app" {
  #checkov:skip=CKV_GCP_26: Flow logs of an example's network would cost more than they tell; the load balancer logs every request.
  #checkov:skip=CKV_GCP_76: The network has no IPv6.
  for_each = local.regions

  project                  = local.project
  region                   = each.value.location
  name                     = "${local.name}-${each.value.location}"
  network                  = google_compute_network.app.id
  ip_cidr_range            = cidrsubnet("10.64.0.0/16", 8, index(sort(keys(local.regions)), each.key))
  private_ip_google_access = true
}

resource "google_compute_firewall" "load_balancer" {
  project       = local.project
  name          = "${local.name}-load-balancer"
  network       = google_compute_network.app.id
  direction     = "INGRESS"
  source_ranges = ["130.211.0.0/22", "35.191.0.0/16"] # Google's front ends and health checkers

  allow {
    protocol = "tcp"
    ports    = [tostring(local.port)]
  }
}

# --- the application ----------------------------------------------------------------------------------

resource "google_service_account" "app" {
  project      = local.project
  account_id   = local.name
  display_name = "The application ${local.name}"

  depends_on = [google_project_service.this]
}

resource "google_compute_instance_template" "app" {
  for_each = local.regions

  project      = local.project
  region       = each.value.location
  name_prefix  = "${local.name}-"
  machine_type = var.machine_type

  disk {
    source_image = "debian-cloud/debian-12"
    auto_delete  = true
    boot         = true
  }

  # No address of its own: what it needs from Google it reaches through the subnet.
  network_interface {
    subnetwork = google_compute_subnetwork.app[each.key].id
  }

  metadata = {
    block-project-ssh-keys = "true"
    startup-script         = file("${path.module}/startup.sh")
  }

  service_account {
    email  = google_service_account.app.email
    scopes = ["cloud-platform"] # what it may do is said by its roles
  }

  shielded_instance_config {
    enable_integrity_monitoring = true
    enable_secure_boot          = true
    enable_vtpm                 = true
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_region_instance_group_manager" "app" {
  for_each = local.regions

  project            = local.project
  region             = each.value.location
  name               = each.value.group
  base_instance_name = local.name
  target_size        = var.instances

  version {
    instance_template = google_compute_instance_template.app[each.key].id
  }

  named_port {
    name = "http"
    port = local.port
  }

  # No auto-healing: it would take an outage of a dependency for a fault of the instances.
}

# --- the load balancer --------------------------------------------------------------------------------

resource "google_compute_health_check" "app" {
  project             = local.project
  name                = local.name
  check_interval_sec  = 5
  timeout_sec         = 2
  healthy_threshold   = 2
  unhealthy_threshold = 2

  http_health_check {
    port         = local.port
    request_path = local.regions[local.primary].path
  }

  depends_on = [google_project_service.this]
}

resource "google_compute_backend_service" "app" {
  project               = local.project
  name                  = local.service.traffic.backend_service
  load_balancing_scheme = "EXTERNAL_MANAGED" # stated: the default is another one in provider 7
  protocol              = "HTTP"
  port_name             = "http"
  health_checks         = [google_compute_health_check.app.id]

  dynamic "backend" {
    for_each = local.regions
    content {
      group                 = google_compute_region_instance_group_manager.app[backend.key].instance_group
      balancing_mode        = "RATE"
      max_rate_per_instance = 100
      capacity_scaler       = backend.key == local.primary ? 1 : 0
    }
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
}

# A way to each region by itself, whatever the orchestrator does: what the uptime checks and its own probe
# ask. It is moved by nobody.
resource "google_compute_backend_service" "region" {
  for_each = local.regions

  project               = local.project
  name                  = "${local.name}-only-${each.value.location}"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTP"
  port_name             = "http"
  health_checks         = [google_compute_health_check.app.id]

  backend {
    group                 = google_compute_region_instance_group_manager.app[each.key].instance_group
    balancing_mode        = "RATE"
    max_rate_per_instance = 100
    capacity_scaler       = 1
  }

  log_config {
    enable      = true
    sample_rate = 1
  }
}

resource "google_compute_url_map" "app" {
  project         = local.project
  name            = local.name
  default_service = google_compute_backend_service.app.id

  dynamic "host_rule" {
    for_each = local.regions
    content {
      hosts        = [host_rule.value.host]
      path_matcher = host_rule.value.location
    }
  }

  # Only the health path of a region has a way around the orchestrator.
  dynamic "path_matcher" {
    for_each = local.regions
    content {
      name            = path_matcher.value.location
      default_service = google_compute_backend_service.app.id

      path_rule {
        paths   = [path_matcher.value.path]
        service = google_compute_backend_service.region[path_matcher.key].id
      }
    }
  }
}

resource "google_compute_global_address" "app" {
  project = local.project
  name    = local.name

  depends_on = [google_project_service.this]
}

resource "google_compute_managed_ssl_certificate" "app" {
  count = local.https ? 1 : 0

  project = local.project
  name    = local.name

  managed {
    domains = concat([var.domain], local.hosts)
  }

  depends_on = [google_project_service.this]
}

resource "google_compute_target_https_proxy" "app" {
  count = local.https ? 1 : 0

  project          = local.project
  name             = local.name
  url_map          = google_compute_url_map.app.id
  ssl_certificates = google_compute_managed_ssl_certificate.app[*].id
}

resource "google_compute_target_http_proxy" "app" {
  count = local.https ? 0 : 1

  project = local.project
  name    = local.name
  url_map = google_compute_url_map.app.id
}

resource "google_compute_global_forwarding_rule" "app" {
  project               = local.project
  name                  = local.name
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.app.address
  port_range            = local.https ? "443" : "80"
  target                = one(concat(google_compute_target_https_proxy.app[*].id, google_compute_target_http_proxy.app[*].id))
}

resource "google_dns_record_set" "app" {
  for_each = var.dns_zone == null ? toset([]) : toset(concat([var.domain], local.hosts))

  project      = local.project
  managed_zone = var.dns_zone
  name         = "${each.key}."
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_global_address.app.address]
}

# --- the orchestrator ---------------------------------------------------------------------------------

module "failover" {
  source = "../.."

  config               = local.file
  notification_emails  = var.notification_emails
  orchestrator_regions = var.orchestrator_regions
  state_readers        = { app = google_service_account.app.member }
}
