# The functions, in every region one for alerts and one for control; who they are and what they may do;
# and the clock that ticks.

locals {
  # Entry points of main.py, the topic that each takes, and the account as which Pub/Sub pushes it.
  entry_points = {
    alert   = { entry_point = "on_alert", topic = "alerts", account = "invoker", pushes = "alerts" }
    control = { entry_point = "on_control", topic = "control", account = "push-control", pushes = "ticks and commands" }
  }

  functions = {
    for pair in setproduct(keys(local.entry_points), var.regions) : "${pair[0]}-${pair[1]}" => {
      entry_point = local.entry_points[pair[0]].entry_point
      kind        = pair[0]
      region      = pair[1]
      topic       = local.entry_points[pair[0]].topic

      # The one subscription that pushes to it (modules/messaging), and its URL as Cloud Run derives it
      # from names: known before the function is, so that its variables can name the audience of its tokens.
      subscription = "projects/${var.project}/subscriptions/${var.name}-${pair[0]}-${pair[1]}"
      url          = "https://${var.name}-${pair[0]}-${var.project_number}.${pair[1]}.run.app"
    }
  }

  # What changing a backend service asks for, by what is behind it. The load balancer checks `use` on
  # every group that the request names, also on those that stay as they are.
  permissions_of = {
    "instanceGroups"                = ["compute.healthChecks.useReadOnly", "compute.instanceGroups.use"]
    "zones/networkEndpointGroups"   = ["compute.healthChecks.useReadOnly", "compute.networkEndpointGroups.use"]
    "regions/networkEndpointGroups" = ["compute.regionNetworkEndpointGroups.get", "compute.regionNetworkEndpointGroups.use"]
  }
  kinds = toset([
    for group in var.groups :
    can(regex("/instanceGroups/", group)) ? "instanceGroups" : "${regex("(zones|regions)/[^/]+/networkEndpointGroups/", group)[0]}/networkEndpointGroups"
  ])
  attach_permissions = setunion(
    ["compute.globalOperations.get"], # to wait until the change is made
    var.additional_permissions,
    [for kind in local.kinds : local.permissions_of[kind]]...
  )

  # What is asked of Monitoring, by what failover.yaml wants. A first point of a custom metric also
  # makes the metric's descriptor.
  monitor_permissions = concat(
    var.writes_gauges ? ["monitoring.metricDescriptors.create", "monitoring.metricDescriptors.get", "monitoring.timeSeries.create"] : [],
    var.reads_checks ? ["monitoring.timeSeries.list"] : [],
  )

  only_these = join(" || ", [
    for name in sort(var.backend_services) :
    "resource.name == ${jsonencode("projects/${var.project}/global/backendServices/${name}")}"
  ])

  only_copies = join(" || ", [
    for region in sort(var.regions) :
    "resource.name.startsWith(${jsonencode("projects/_/buckets/gcf-v2-sources-${var.project_number}-${region}/")})"
  ])

  role_prefix = replace(var.name, "-", "_")
  tick        = jsonencode({ kind = "tick" })
}

resource "google_project_service" "this" {
  for_each = toset([
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "run.googleapis.com",
    "storage.googleapis.com",
  ])

  project            = var.project
  service            = each.key
  disable_on_destroy = false # others in the project may use it
}

# --- identities: none has a key -----------------------------------------------------------------------

resource "google_service_account" "runtime" {
  project      = var.project
  account_id   = "${var.name}-function"
  display_name = "Failover orchestrator: the functions"

  depends_on = [google_project_service.this]
}

# One for each topic, so that a function knows which topic a push is from.
resource "google_service_account" "push" {
  for_each = local.entry_points

  project      = var.project
  account_id   = "${var.name}-${each.value.account}"
  display_name = "Failover orchestrator: Pub/Sub pushes ${each.value.pushes} as this"

  depends_on = [google_project_service.this]
}

# It used to push both topics and goes on pushing alerts, so that no alert waits for an upgrade.
moved {
  from = google_service_account.invoker
  to   = google_service_account.push["alert"]
}

resource "google_service_account" "scheduler" {
  project      = var.project
  account_id   = "${var.name}-scheduler"
  display_name = "Failover orchestrator: Cloud Scheduler publishes ticks as this"

  depends_on = [google_project_service.this]
}

# Without one of its own a build runs as the default Compute Engine account, which is far more mighty,
# or, where an organisation has taken its rights away, fails.
resource "google_service_account" "builder" {
  project      = var.project
  account_id   = "${var.name}-builder"
  display_name = "Failover orchestrator: builds the functions"

  depends_on = [google_project_service.this]
}

# --- what the function may do -------------------------------------------------------------------------

# Read and change backend services: the lever itself.
resource "google_project_iam_custom_role" "route" {
  project     = var.project
  role_id     = "${local.role_prefix}_route"
  title       = "Failover orchestrator: backend services"
  description = "Reads and changes backend services."
  permissions = ["compute.backendServices.get", "compute.backendServices.update"]

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "route" {
  project = var.project
  role    = google_project_iam_custom_role.route.id
  member  = google_service_account.runtime.member

  dynamic "condition" {
    for_each = var.restrict_to_backend_services ? [true] : []
    content {
      title       = "${local.role_prefix}_backend_services"
      description = "Only what failover.yaml names."
      expression  = local.only_these
    }
  }
}

# What a change needs besides. These resources know no condition on their names.
resource "google_project_iam_custom_role" "attach" {
  project     = var.project
  role_id     = "${local.role_prefix}_attach"
  title       = "Failover orchestrator: groups"
  description = "Uses the groups behind backend services, and follows operations."
  permissions = local.attach_permissions

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "attach" {
  project = var.project
  role    = google_project_iam_custom_role.attach.id
  member  = google_service_account.runtime.member
}

# Only where failover.yaml says `confirm: monitoring` or `gauges: true`. Whose time series: that cannot be
# said, neither here nor by a condition.
resource "google_project_iam_custom_role" "monitor" {
  count = length(local.monitor_permissions) > 0 ? 1 : 0

  project     = var.project
  role_id     = "${local.role_prefix}_monitor"
  title       = "Failover orchestrator: Monitoring"
  description = "Reads what the uptime checks found, and writes gauges: whichever failover.yaml asks for."
  permissions = local.monitor_permissions

  depends_on = [google_project_service.this]
}

resource "google_project_iam_member" "monitor" {
  count = length(local.monitor_permissions) > 0 ? 1 : 0

  project = var.project
  role    = google_project_iam_custom_role.monitor[0].id
  member  = google_service_account.runtime.member
}

resource "google_pubsub_topic_iam_member" "runtime" {
  for_each = var.publishes_to

  project = var.project
  topic   = each.value
  role    = "roles/pubsub.publisher"
  member  = google_service_account.runtime.member
}

# --- the functions ------------------------------------------------------------------------------------

resource "google_storage_bucket" "source" {
  #checkov:skip=CKV_GCP_62: Usage logs of a bucket that holds copies of this repository would tell nobody anything.
  project                     = var.project
  name                        = "${replace(var.project, "/[.:]/", "-")}-${var.name}-source"
  location                    = upper(var.location)
  force_destroy               = true # copies of the repository only
  labels                      = var.labels
  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  versioning {
    enabled = true
  }

  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 90
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_storage_bucket_object" "source" {
  bucket = google_storage_bucket.source.name
  name   = "source-${filemd5(var.source_archive)}.zip" # another name: the functions are built again
  source = var.source_archive
}

resource "google_storage_bucket_iam_member" "builder" {
  bucket = google_storage_bucket.source.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.builder.member
}

# Cloud Functions copies the archive into a bucket of its own in each region, and the build reads it there.
# That bucket is made by the first deployment, so the grant is on the project, for these buckets alone.
resource "google_project_iam_member" "builder_copies" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.builder.member

  condition {
    title       = "${local.role_prefix}_source_copies"
    description = "Only the copies of sources that Cloud Functions makes in our regions."
    expression  = local.only_copies
  }
}

# The images. A repository of our own and not Cloud Functions' `gcf-artifacts`, which holds the images of
# every function of the project: anybody who may write there may replace them.
resource "google_artifact_registry_repository" "images" {
  #checkov:skip=CKV_GCP_84: The images hold this repository's code and no secrets, and a key of one's own that is disabled would stop new instances from starting when a failover is due.
  for_each = toset(var.regions)

  project       = var.project
  location      = each.key
  repository_id = "${var.name}-functions"
  description   = "Images of the failover orchestrator's functions."
  format        = "DOCKER"
  labels        = var.labels

  depends_on = [google_project_service.this]
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  for_each = google_artifact_registry_repository.images

  project    = var.project
  location   = each.value.location
  repository = each.value.repository_id
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.builder.member
}

# Logs know no narrower place than the project.
resource "google_project_iam_member" "builder" {
  for_each = toset(["roles/logging.logWriter"])

  project = var.project
  role    = each.key
  member  = google_service_account.builder.member
}

# Grants take effect within a minute or so. A build that comes sooner fails, and with it the first apply.
resource "time_sleep" "grants" {
  create_duration = "60s"

  triggers = {
    repositories = join(",", [for region in sort(var.regions) : "${region}/${var.name}-functions"])
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.builder,
    google_project_iam_member.builder,
    google_project_iam_member.builder_copies,
    google_storage_bucket_iam_member.builder,
  ]
}

resource "google_cloudfunctions2_function" "this" {
  for_each = local.functions

  project     = var.project
  location    = each.value.region
  name        = "${var.name}-${each.value.kind}"
  description = "Region failover orchestrator: takes the ${each.value.topic} topic."
  labels      = var.labels

  build_config {
    runtime         = var.runtime
    entry_point     = each.value.entry_point
    service_account = google_service_account.builder.id

    docker_repository = google_artifact_registry_repository.images[each.value.region].id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.runtime.email
    available_cpu                    = var.cpu
    available_memory                 = var.memory
    timeout_seconds                  = var.timeout
    min_instance_count               = each.value.kind == "alert" ? var.min_instances : 0
    max_instance_count               = var.max_instances
    max_instance_request_concurrency = tonumber(var.cpu) < 1 ? 1 : 10

    # Three gates. The network: Pub/Sub's pushes from the same project to the run.app URL count as
    # internal, the internet does not. IAM: only the one account may call. And the function itself
    # compares the token and the subscription with what is named below.
    ingress_settings               = "ALLOW_INTERNAL_ONLY"
    all_traffic_on_latest_revision = true

    # No FAILOVER_CONFIG: failover.yaml lies beside main.py in the archive, so that code and
    # configuration are always of one deployment and reading it needs nothing that may be down.
    environment_variables = {
      FAILOVER_INSTANCE          = each.value.region # the functions' names are the same in every region
      FAILOVER_PUSH_AUDIENCE     = each.value.url
      FAILOVER_PUSH_IAM          = "closed" # said by the writer of the invokers below
      FAILOVER_PUSH_IDENTITY     = google_service_account.push[each.value.kind].email
      FAILOVER_PUSH_SUBSCRIPTION = each.value.subscription
      GOOGLE_CLOUD_PROJECT       = var.project
    }
  }

  depends_on = [time_sleep.grants]
}

# All who may call, and nobody else: what somebody adds by hand is taken away by the next apply.
resource "google_cloud_run_v2_service_iam_binding" "invoker" {
  for_each = google_cloudfunctions2_function.this

  project  = var.project
  location = each.value.location
  name     = each.value.name # a function's Cloud Run service has the function's name
  role     = "roles/run.invoker"
  members  = [google_service_account.push[local.functions[each.key].kind].member]
}

# The grant that stood in its place. It is forgotten and not destroyed: to destroy it after the binding
# is written would take the invoker out of the binding.
removed {
  from = google_cloud_run_v2_service_iam_member.invoker

  lifecycle {
    destroy = false
  }
}

# Cloud Run lists the URLs under which it serves a function, and takes each of them for an audience.
data "google_cloud_run_v2_service" "this" {
  for_each = google_cloudfunctions2_function.this

  project  = var.project
  location = each.value.location
  name     = each.value.name

  lifecycle {
    postcondition {
      condition     = contains(self.urls, local.functions[each.key].url)
      error_message = "${each.key} has the URLs ${join(", ", self.urls)}, and not ${local.functions[each.key].url}, to which Pub/Sub pushes: no message reaches it, and no failover happens by it. Is its default URL disabled?"
    }
  }
}

# --- the clock ----------------------------------------------------------------------------------------

resource "google_pubsub_topic_iam_member" "scheduler" {
  project = var.project
  topic   = var.control_topic
  role    = "roles/pubsub.publisher"
  member  = google_service_account.scheduler.member
}

# In every region one, for each is a regional thing. The Pub/Sub API is called as an account of our own;
# Scheduler's own Pub/Sub target publishes as Google's agent, which may publish to every topic of the project.
resource "google_cloud_scheduler_job" "tick" {
  for_each = toset(var.regions)

  project          = var.project
  region           = each.key
  name             = "${var.name}-tick"
  description      = "Has the orchestrator look at everything: events for speed, ticks for truth."
  schedule         = "* * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "30s"

  # A tick that could not be published is not sent again: the next one is a minute away.
  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = "https://pubsub.googleapis.com/v1/${var.control_topic}:publish"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode({ messages = [{ data = base64encode(local.tick) }] }))

    oauth_token {
      service_account_email = google_service_account.scheduler.email
      scope                 = "https://www.googleapis.com/auth/pubsub"
    }
  }

  depends_on = [google_project_service.this, google_pubsub_topic_iam_member.scheduler]
}
