# What tells people: through their own channels, never through the topics that the function takes.

locals {
  channels = concat(var.notification_channels, [for channel in google_monitoring_notification_channel.email : channel.id])

  # A function's log and metrics are those of its Cloud Run service, which has its name.
  services = sort(distinct([for function in var.functions : function.name]))
  ours = join(" AND ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=(${join(" OR ", [for service in local.services : "\"${service}\""])})",
  ])

  # Fields of the function's log lines (orchestrator/telemetry.py).
  lines = {
    page = {
      severity = "CRITICAL"
      title    = "a human is needed"
      text     = "The orchestrator cannot or must not go on by itself. The line's message says why; `failoverctl status` and `explain` say more."
    }
    poison = {
      severity = "ERROR"
      title    = "a message could not be read"
      text     = "It was acknowledged and lies in the journal under `_poison`. An alert that matches no region is a failover that did not happen: label its policy with `service` and `region`."
    }
    unverified = {
      severity = "ERROR"
      title    = "a shift is not verified"
      text     = "The load balancer is not as the document says, after two attempts. The next tick tries again; if this comes again, something else writes to the backend service."
    }
  }

  # What a backend service has beside what the function writes (backends, description, fingerprint) and what
  # only Google writes.
  foreign_fields = [
    "affinityCookieTtlSec", "cdnPolicy", "circuitBreakers", "compressionMode",
    "connectionDraining", "connectionTrackingPolicy", "consistentHash", "customMetrics",
    "customRequestHeaders", "customResponseHeaders", "edgeSecurityPolicy", "enableCDN",
    "externalManagedMigrationState", "externalManagedMigrationTestingPercentage", "failoverPolicy",
    "haPolicy", "healthChecks", "iap", "ipAddressSelectionPolicy", "loadBalancingScheme",
    "localityLbPolicies", "localityLbPolicy", "logConfig", "maxStreamDuration", "metadatas",
    "name", "network", "networkPassThroughLbTrafficPolicy", "orchestrationInfo",
    "outlierDetection", "params", "port", "portName", "protocol", "securityPolicy",
    "securitySettings", "serviceBindings", "serviceLbPolicy", "sessionAffinity",
    "strongSessionAffinityCookie", "subsetting", "timeoutSec", "tlsSettings",
  ]
  foreign = join(" OR ", concat(
    ["NOT protoPayload.methodName=\"v1.compute.backendServices.patch\""],
    [for field in local.foreign_fields : "protoPayload.request.${field}:*"],
  ))
}

resource "google_project_service" "this" {
  for_each = toset(["logging.googleapis.com", "monitoring.googleapis.com"])

  project            = var.project
  service            = each.key
  disable_on_destroy = false # others in the project may use it
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.emails

  project      = var.project
  display_name = "${var.name}: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }
  user_labels  = var.labels

  depends_on = [google_project_service.this]
}

# A line in the log reaches people within half a minute or so; a metric made of it would take minutes.
resource "google_monitoring_alert_policy" "line" {
  for_each = local.lines

  project               = var.project
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "log line with ${each.key}"

    condition_matched_log {
      filter = "${local.ours} AND jsonPayload.${each.key}=true"
      label_extractors = {
        message = "EXTRACT(jsonPayload.message)"
        service = "EXTRACT(jsonPayload.service)"
      }
    }
  }

  alert_strategy {
    auto_close = "3600s"

    notification_rate_limit {
      period = "300s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = each.value.text
  }

  depends_on = [google_project_service.this]
}

# The function's identity may change every field of a backend service, because IAM knows no permission for
# some of them. It writes three. A request of its with another field, or of another kind than a patch, is
# not the function's: somebody else has its identity. What it writes into `backends` this cannot judge: the
# ticks do.
resource "google_monitoring_alert_policy" "foreign" {
  project               = var.project
  display_name          = "${var.name}: a change that is not the orchestrator's"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "a backend service changed as the function, in a field that it never writes"

    condition_matched_log {
      filter = join(" AND ", [
        "log_id(\"cloudaudit.googleapis.com/activity\")",
        "resource.type=\"gce_backend_service\"",
        "protoPayload.authenticationInfo.principalEmail=\"${var.function_account}\"",
        "(${local.foreign})",
      ])
      label_extractors = {
        method   = "EXTRACT(protoPayload.methodName)"
        resource = "EXTRACT(protoPayload.resourceName)"
      }
    }
  }

  alert_strategy {
    auto_close = "3600s"

    notification_rate_limit {
      period = "300s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The account ${var.function_account} has changed a field of a backend service that the orchestrator never writes. Somebody else acts with its identity. Read the audit log entry, disable the account (`gcloud iam service-accounts disable ${var.function_account} --project=${var.project}`; no failover happens then), and put the backend service right."
  }

  depends_on = [google_project_service.this]
}

# Who publishes to a topic, and who writes to the bucket: else nobody can say afterwards whose an alert, a
# command or a document was. Reads are not recorded: applications read the document every few seconds.
resource "google_project_iam_audit_config" "data" {
  for_each = toset(var.data_access_logs ? ["pubsub.googleapis.com", "storage.googleapis.com"] : [])

  project = var.project
  service = each.key

  audit_log_config {
    log_type = "DATA_WRITE"
  }

  depends_on = [google_project_service.this]
}

# A line in the log (the policies `line`) reaches people at once, and by Google's limit at most 20 times a day for all services
# together. This one has no such limit: it is an incident for each service, a few minutes later, so a
# page of one service is never lost among those of another.
resource "google_logging_metric" "page" {
  project     = var.project
  name        = "${var.name}/page"
  description = "Log lines that call a human."
  filter      = "${local.ours} AND jsonPayload.page=true"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key        = "service"
      value_type = "STRING"
    }
  }

  label_extractors = {
    service = "EXTRACT(jsonPayload.service)"
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "page" {
  project               = var.project
  display_name          = "${var.name}: a service needs a human"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "a page of a service within 10 minutes"

    # In PromQL for the reason that stands at the policy of freezes. Ten minutes: shorter than the time to
    # the first reminder, so that a reminder opens an incident of its own.
    condition_prometheus_query_language {
      query                     = "sum by (service) (increase({\"__name__\"=\"logging.googleapis.com/user/${google_logging_metric.page.name}\",\"monitored_resource\"=\"cloud_run_revision\"}[10m])) > 0"
      duration                  = "0s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The orchestrator called a human for this service: once for each condition, then as reminders. Its log line names the region, the rule and the command to paste: `jsonPayload.page=true`. `failoverctl ack` ends the reminders of what you have seen."
  }
}

# Dead man: in every region the control function must answer a tick with 2xx. Request counts come from
# Cloud Run itself, so this also notices a function that cannot even write its log.
resource "google_monitoring_alert_policy" "tick" {
  for_each = { for key, function in var.functions : function.region => function if function.kind == "control" }

  project               = var.project
  display_name          = "${var.name}: no tick in ${each.key}"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "no tick handled for ${var.tick_silence} s"

    # A count below one and no count at all are the same thing here.
    condition_threshold {
      filter = join(" AND ", [
        "metric.type=\"run.googleapis.com/request_count\"",
        "metric.label.response_code_class=\"2xx\"",
        "resource.type=\"cloud_run_revision\"",
        "resource.label.service_name=\"${each.value.name}\"",
        "resource.label.location=\"${each.key}\"",
      ])
      comparison              = "COMPARISON_LT"
      threshold_value         = 1
      duration                = "${var.tick_silence}s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_ACTIVE"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The orchestrator in ${each.key} does not tick: nothing there repairs drift, proves recovery or finds lost alerts. The other region's still does, unless it reports the same. Look at the log of ${each.value.name} in ${each.key} and at the Scheduler job ${var.name}-tick."
  }

  depends_on = [google_project_service.this]
}

# The other dead man: that a tick was answered does not show that it came to its end for every
# service. Only what was written once can be missed, so this is no substitute for the one above.
#
# Of a metric that nobody has written yet Monitoring would take no policy, so the metric is made first;
# as the function's first point would make it, beside the texts (orchestrator/adapters/gcp/gauges.py).
resource "google_monitoring_metric_descriptor" "last_tick" {
  count = var.gauges ? 1 : 0

  project      = var.project
  type         = "custom.googleapis.com/region_failover/last_tick"
  display_name = "Region failover: last tick"
  description  = "When the last tick of a service ended well, in seconds since 1970."
  metric_kind  = "GAUGE"
  value_type   = "INT64"

  labels {
    key        = "instance"
    value_type = "STRING"
  }

  labels {
    key        = "service"
    value_type = "STRING"
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "gauges" {
  count = var.gauges ? 1 : 0

  project               = var.project
  display_name          = "${var.name}: no tick ends well"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "no gauge of a service for 300 s"

    # From whichever region it comes: one that ticks is enough.
    condition_absent {
      filter   = "metric.type=\"${google_monitoring_metric_descriptor.last_tick[0].type}\" AND resource.type=\"global\""
      duration = "300s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_MAX"
        group_by_fields      = ["metric.label.service"]
      }

      trigger {
        count = 1
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "In no region has a tick of this service come to its end: nothing looks after it. The functions may be answering all the same, so look at their log first, for this service and for `gauges not written`. Of a service that was taken out of failover.yaml, close this."
  }
}

# A freeze ends by itself, but one that was made for a day and forgotten after an hour is a day without
# automatic failover. The function says `frozen` with every tick while one stands.
resource "google_logging_metric" "frozen" {
  project     = var.project
  name        = "${var.name}/frozen"
  description = "Log lines written while a freeze stands."
  filter      = "${local.ours} AND jsonPayload.frozen=true"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"

    labels {
      key        = "service"
      value_type = "STRING"
    }
  }

  label_extractors = {
    service = "EXTRACT(jsonPayload.service)"
  }

  depends_on = [google_project_service.this]
}

resource "google_monitoring_alert_policy" "frozen" {
  project               = var.project
  display_name          = "${var.name}: a freeze still stands"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels
  user_labels           = var.labels

  conditions {
    display_name = "frozen for ${var.freeze_hours} h"

    # In PromQL, for there the check whether the metric exists can be left out: of one that was made a
    # moment ago Monitoring says for up to ten minutes that there is none, and the first apply would fail.
    condition_prometheus_query_language {
      query                     = "sum by (service) (increase({\"__name__\"=\"logging.googleapis.com/user/${google_logging_metric.frozen.name}\",\"monitored_resource\"=\"cloud_run_revision\"}[10m])) > 0"
      duration                  = "${var.freeze_hours * 60 * 60}s"
      evaluation_interval       = "60s"
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "No automatic failover happens for this service. If the freeze was forgotten: `failoverctl unfreeze`."
  }
}
