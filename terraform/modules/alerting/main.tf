# Per region and service: an uptime check, the policy that publishes its failing to the alerts topic,
# and a policy that tells people when the check itself has fallen silent.

locals {
  checks = {
    for key, check in var.checks : key => merge(check, {
      host = regex("^https?://([^/:?#@]+)", check.health_url)[0]
      path = try(regex("^https?://[^/]+(/[^#]*)", check.health_url)[0], "/")
      port = try(tonumber(regex("^https?://[^/:]+:([0-9]+)", check.health_url)[0]), startswith(check.health_url, "https:") ? 443 : 80)
      tls  = startswith(check.health_url, "https:")
    })
  }

  # By these the function knows which region an alert is about (policy_user_labels in the notification).
  identity = { for key, check in var.checks : key => { region = check.region, service = check.service } }

  # The results of one check, of all its checkers.
  filters = {
    for key, check in google_monitoring_uptime_check_config.this : key => join(" AND ", [
      "metric.type=\"monitoring.googleapis.com/uptime_check/check_passed\"",
      "metric.label.check_id=\"${check.uptime_check_id}\"",
      "resource.type=\"uptime_url\"",
    ])
  }
}

resource "google_project_service" "this" {
  project            = var.project
  service            = "monitoring.googleapis.com"
  disable_on_destroy = false # others in the project may use it
}

# --- to the topic -------------------------------------------------------------------------------------

resource "google_monitoring_notification_channel" "topic" {
  project      = var.project
  display_name = "${var.name}: alerts topic"
  type         = "pubsub"
  labels       = { topic = var.topic }
  user_labels  = var.labels

  depends_on = [google_project_service.this]
}

# This identity of Monitoring's is made together with the first Pub/Sub channel of a project: before
# that the grant is refused, for there is nobody to grant it to.
resource "google_pubsub_topic_iam_member" "monitoring" {
  project = var.project
  topic   = var.topic
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:service-${var.project_number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"

  depends_on = [google_monitoring_notification_channel.topic]
}

# --- per region and service ---------------------------------------------------------------------------

resource "google_monitoring_uptime_check_config" "this" {
  for_each = local.checks

  project            = var.project
  display_name       = "${var.name} ${each.value.service} ${each.value.region}"
  checker_type       = "STATIC_IP_CHECKERS"
  log_check_failures = true
  period             = "60s" # the shortest there is; Terraform's own default is 300s
  timeout            = "${var.check_timeout}s"
  user_labels        = merge(var.labels, local.identity[each.key])

  # No selected_regions, which means all six checkers: they stand in Google Cloud regions themselves,
  # one of which may be the one that fails.

  http_check {
    request_method = "GET"
    path           = each.value.path
    port           = each.value.port
    use_ssl        = each.value.tls
    validate_ssl   = each.value.tls

    accepted_response_status_codes {
      status_class = "STATUS_CLASS_2XX"
    }

    dynamic "service_agent_authentication" {
      for_each = each.value.oidc ? [true] : []
      content {
        type = "OIDC_TOKEN"
      }
    }
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      host       = each.value.host
      project_id = var.project
    }
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "region" {
  for_each = local.checks

  project               = var.project
  display_name          = "${var.name}: ${each.value.service} ${each.value.region} is failing"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = [google_monitoring_notification_channel.topic.id]
  user_labels           = merge(var.labels, local.identity[each.key])

  conditions {
    display_name = "${var.failing_checkers} or more checkers fail"

    condition_threshold {
      filter          = local.filters[each.key]
      comparison      = "COMPARISON_GT"
      threshold_value = var.failing_checkers - 1
      duration        = "${var.duration}s"

      # Each checker's newest result, then how many of them are failures. What is not grouped by is
      # lost: the host must stay, it is the second thing by which the function knows a region.
      aggregations {
        alignment_period     = "1200s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.project_id", "resource.label.host"]
      }

      trigger {
        count = 1
      }
    }
  }

  # A close is no proof of health (Monitoring also closes for want of data), but without it nothing
  # would ever say that the incident is over.
  alert_strategy {
    auto_close           = "${var.auto_close}s"
    notification_prompts = ["OPENED", "CLOSED"]
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.health_url} fails from ${var.failing_checkers} or more of six places. The orchestrator takes this alert; its log and the journal say what it did."
  }

  depends_on = [google_pubsub_topic_iam_member.monitoring]
}

# A policy of its own, to people, and never to the topic: that no result comes says something about
# Monitoring, not about the region. As a second condition of the policy above it would be published
# under the region's labels, and the function could not tell it from a failing region.
resource "google_monitoring_alert_policy" "silent" {
  for_each = local.checks

  project               = var.project
  display_name          = "${var.name}: check of ${each.value.service} ${each.value.region} is silent"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = var.notification_channels
  user_labels           = merge(var.labels, local.identity[each.key])

  conditions {
    display_name = "no result for ${var.absence} s"

    condition_absent {
      filter   = local.filters[each.key]
      duration = "${var.absence}s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_COUNT"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.host"]
      }

      trigger {
        count = 1
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "No checker has reported on ${each.value.health_url}. If the region fails now, no alert will say so; the orchestrator's ticks still ask the region themselves."
  }
}
