# From failover.yaml to a running orchestrator. What the file says is said nowhere else.

locals {
  config   = yamldecode(file(var.config))
  project  = local.config.project
  services = local.config.services

  state = regex("^gs://(?P<bucket>[^/]+)/?(?P<path>.*)$", local.config.state)
  path  = trim(local.state.path, "/")

  topics = {
    alerts  = try(local.config.topics.alerts, "dynamodb-failover-alerts")
    control = local.config.topics.control
    events  = try(local.config.topics.events, null)
  }

  # Every region of every service, by `service/region`.
  regions = merge([
    for service_name, service in local.services : {
      for region_name, region in service.regions : "${service_name}/${region_name}" => {
        groups     = flatten([region.backend])
        health_url = try(region.health_url, null)
        region     = region_name
        service    = service_name
      }
    }
  ]...)
  watched = { for key, region in local.regions : key => region if region.health_url != null }

  # What the function asks of Monitoring itself, and writes to it.
  confirms = anytrue([for service in local.services : try(service.policy.confirm, "probe") == "monitoring"])
  gauges   = try(local.config.gauges, false)

  labels = merge({ component = "region-failover" }, var.labels)
}

data "google_project" "this" {
  project_id = local.project
}

# --- the source archive -------------------------------------------------------------------------------

locals {
  root = abspath("${path.module}/..")

  # .gcloudignore says what stays at home; `gcloud functions deploy` reads it too.
  kept_out = [
    for line in split("\n", file("${local.root}/.gcloudignore")) : trimprefix(trimspace(line), "/") if startswith(line, "/orchestrator/")
  ]
  # With mirrors their libraries come along.
  requirements = try(local.config.mirrors, null) == null ? "requirements.txt" : "requirements/mirrors.txt"
  sources = [
    for name in concat(["main.py", "requirements.txt"], sort(fileset(local.root, "orchestrator/**/*.py"))) : name
    if !anytrue([for path in local.kept_out : startswith(name, path)])
  ]
}

data "archive_file" "source" {
  count = var.source_archive == null ? 1 : 0

  type             = "zip"
  output_path      = "${path.root}/.terraform/${var.name}-source.zip"
  output_file_mode = "0644"

  source {
    filename = "failover.yaml"
    content  = file(var.config)
  }

  dynamic "source" {
    for_each = local.sources
    content {
      filename = source.value
      content  = file("${local.root}/${source.value == "requirements.txt" ? local.requirements : source.value}")
    }
  }
}

# --- the parts ----------------------------------------------------------------------------------------

module "orchestrator" {
  source = "./modules/orchestrator"

  additional_permissions       = var.additional_permissions
  backend_services             = [for service in local.services : service.traffic.backend_service]
  control_topic                = module.messaging.topics.control
  cpu                          = var.functions.cpu
  groups                       = flatten([for region in local.regions : region.groups])
  labels                       = local.labels
  location                     = var.bucket.location
  max_instances                = var.functions.max_instances
  memory                       = var.functions.memory
  min_instances                = var.functions.min_instances
  name                         = var.name
  project                      = local.project
  project_number               = data.google_project.this.number
  publishes_to                 = local.topics.events == null ? {} : { events = module.messaging.topics.events }
  reads_checks                 = local.confirms
  regions                      = var.orchestrator_regions
  restrict_to_backend_services = var.restrict_to_backend_services
  runtime                      = var.functions.runtime
  source_archive               = var.source_archive != null ? var.source_archive : data.archive_file.source[0].output_path
  writes_gauges                = local.gauges
}

module "state" {
  source = "./modules/state"

  bucket            = local.state.bucket
  force_destroy     = var.bucket.force_destroy
  journal_days      = var.bucket.journal_days
  labels            = local.labels
  location          = var.bucket.location
  name              = var.name
  old_version_days  = var.bucket.old_version_days
  prefix            = local.path == "" ? "" : "${local.path}/"
  project           = local.project
  reader_services   = var.state_reader_services
  readers           = var.state_readers
  services          = keys(local.services)
  soft_delete_days  = var.bucket.soft_delete_days
  turbo_replication = var.bucket.turbo_replication
  writers           = { function = module.orchestrator.runtime.member }
}

module "messaging" {
  source = "./modules/messaging"

  endpoints             = module.orchestrator.endpoints
  labels                = local.labels
  max_delivery_attempts = var.max_delivery_attempts
  name                  = var.name
  notification_channels = module.observability.channels
  project               = local.project
  project_number        = data.google_project.this.number
  pushers               = module.orchestrator.pushers
  topics                = local.topics
}

module "alerting" {
  source = "./modules/alerting"

  absence    = var.checks.absence
  auto_close = var.checks.auto_close
  checks = {
    for key, region in local.watched : key => {
      health_url = region.health_url
      oidc       = try(local.config.probe.auth, "none") == "oidc"
      region     = region.region
      service    = region.service
    }
  }
  check_timeout         = var.checks.timeout
  duration              = var.checks.duration
  failing_checkers      = var.checks.failing_checkers
  labels                = local.labels
  name                  = var.name
  notification_channels = module.observability.channels
  project               = local.project
  project_number        = data.google_project.this.number
  topic                 = module.messaging.topics.alerts
}

module "observability" {
  source = "./modules/observability"

  data_access_logs         = var.data_access_logs
  dead_letter_subscription = module.messaging.dead_letter_subscription
  emails                   = var.notification_emails
  freeze_hours             = var.reminders.freeze_hours
  function_account         = module.orchestrator.runtime.email
  functions                = module.orchestrator.functions
  gauges                   = local.gauges
  labels                   = local.labels
  name                     = var.name
  notification_channels    = var.notification_channels
  project                  = local.project
  subscriptions            = module.messaging.subscriptions
  tick_silence             = var.reminders.tick_silence
}

# --- warnings: these do not stop an apply -------------------------------------------------------------

check "every_region_is_watched" {
  assert {
    condition     = length(local.watched) == length(local.regions)
    error_message = "No health_url, so no uptime check and no alert: ${join(", ", setsubtract(keys(local.regions), keys(local.watched)))}."
  }
}
