mock_provider "google" {}

variables {
  dead_letter_subscription = "failover-dead-letter"
  emails                   = ["oncall@example.com"]
  function_account         = "failover-function@my-project.iam.gserviceaccount.com"
  functions = {
    alert-us-central1   = { kind = "alert", name = "failover-alert", region = "us-central1" }
    alert-us-east1      = { kind = "alert", name = "failover-alert", region = "us-east1" }
    control-us-central1 = { kind = "control", name = "failover-control", region = "us-central1" }
    control-us-east1    = { kind = "control", name = "failover-control", region = "us-east1" }
  }
  project       = "my-project"
  subscriptions = { alert-us-central1 = "failover-alert-us-central1" }
}

run "people_hear_of_pages_unverified_shifts_and_poison" {
  command = apply

  assert {
    condition     = keys(google_monitoring_alert_policy.line) == ["page", "poison", "unverified"]
    error_message = "three kinds of lines"
  }

  assert {
    condition = alltrue([
      for field, policy in google_monitoring_alert_policy.line :
      policy.conditions[0].condition_matched_log[0].filter == "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"failover-alert\" OR \"failover-control\") AND jsonPayload.${field}=true" &&
      policy.alert_strategy[0].notification_rate_limit[0].period == "300s" &&
      policy.notification_channels == tolist([google_monitoring_notification_channel.email["oncall@example.com"].id])
    ])
    error_message = "lines of our own functions, to people's own channels"
  }
}

run "a_dead_clock_is_told_in_each_region" {
  command = apply

  assert {
    condition = keys(google_monitoring_alert_policy.tick) == ["us-central1", "us-east1"] && alltrue([
      for region, policy in google_monitoring_alert_policy.tick :
      strcontains(policy.conditions[0].condition_threshold[0].filter, "resource.label.location=\"${region}\"") &&
      policy.conditions[0].condition_threshold[0].evaluation_missing_data == "EVALUATION_MISSING_DATA_ACTIVE" &&
      policy.conditions[0].condition_threshold[0].duration == "600s" &&
      length(policy.notification_channels) == 1
    ])
    error_message = "nothing at all counts as no tick"
  }
}

run "no_gauges_are_missed_where_none_are_written" {
  command = plan

  assert {
    condition     = length(google_monitoring_alert_policy.gauges) + length(google_monitoring_metric_descriptor.last_tick) == 0
    error_message = "an alert on what nobody writes"
  }
}

run "gauges_that_stop_are_told" {
  command = apply

  variables {
    gauges = true
  }

  assert {
    condition = (
      google_monitoring_alert_policy.gauges[0].conditions[0].condition_absent[0].filter == "metric.type=\"custom.googleapis.com/region_failover/last_tick\" AND resource.type=\"global\"" &&
      google_monitoring_alert_policy.gauges[0].conditions[0].condition_absent[0].duration == "300s" &&
      google_monitoring_alert_policy.gauges[0].conditions[0].condition_absent[0].aggregations[0].cross_series_reducer == "REDUCE_MAX" &&
      google_monitoring_alert_policy.gauges[0].conditions[0].condition_absent[0].aggregations[0].group_by_fields == tolist(["metric.label.service"]) &&
      google_monitoring_alert_policy.gauges[0].notification_channels == tolist([google_monitoring_notification_channel.email["oncall@example.com"].id])
    )
    error_message = "of each service, from whichever region, to people's own channels"
  }
}

run "a_page_of_each_service_is_told_without_a_daily_limit" {
  command = plan

  assert {
    condition = (
      google_monitoring_alert_policy.page.conditions[0].condition_prometheus_query_language[0].duration == "0s" &&
      startswith(google_monitoring_alert_policy.page.conditions[0].condition_prometheus_query_language[0].query, "sum by (service) (increase(") &&
      google_monitoring_alert_policy.page.conditions[0].condition_prometheus_query_language[0].disable_metric_validation &&
      google_logging_metric.page.label_extractors["service"] == "EXTRACT(jsonPayload.service)" &&
      endswith(google_logging_metric.page.filter, "jsonPayload.page=true")
    )
    error_message = "an incident for each service"
  }
}

run "a_forgotten_freeze_is_told" {
  command = plan

  assert {
    condition = (
      google_monitoring_alert_policy.frozen.conditions[0].condition_prometheus_query_language[0].duration == "14400s" &&
      google_monitoring_alert_policy.frozen.conditions[0].condition_prometheus_query_language[0].disable_metric_validation &&
      endswith(google_logging_metric.frozen.filter, "jsonPayload.frozen=true")
    )
    error_message = "after four hours"
  }
}

run "the_dashboard_is_json_with_every_tile_in_its_place" {
  command = plan

  assert {
    condition     = length(distinct([for tile in jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles : "${tile.xPos}/${tile.yPos}"])) == 6
    error_message = "no two tiles in one place"
  }
}

run "nobody_to_tell_is_refused" {
  command = plan

  variables {
    emails = []
  }

  expect_failures = [var.notification_channels]
}

run "a_change_that_the_function_never_makes_is_told" {
  command = apply

  assert {
    condition = alltrue([
      for part in [
        "resource.type=\"gce_backend_service\"",
        "protoPayload.authenticationInfo.principalEmail=\"failover-function@my-project.iam.gserviceaccount.com\"",
        "NOT protoPayload.methodName=\"v1.compute.backendServices.patch\" OR ",
        "protoPayload.request.securityPolicy:*",
        "protoPayload.request.iap:*",
      ] : strcontains(google_monitoring_alert_policy.foreign.conditions[0].condition_matched_log[0].filter, part)
    ])
    error_message = "another field, or another kind of request, under our identity"
  }

  assert {
    condition = alltrue([
      for field in ["backends", "description", "fingerprint"] :
      !strcontains(google_monitoring_alert_policy.foreign.conditions[0].condition_matched_log[0].filter, "request.${field}:")
    ])
    error_message = "what the function does write is no news"
  }
}

run "writes_and_publishes_are_recorded_unless_somebody_says_no" {
  command = apply

  assert {
    condition = keys(google_project_iam_audit_config.data) == ["pubsub.googleapis.com", "storage.googleapis.com"] && alltrue([
      for config in google_project_iam_audit_config.data : [for log in config.audit_log_config : log.log_type] == ["DATA_WRITE"]
    ])
    error_message = "writes, not reads: applications read every few seconds"
  }
}

run "no_data_access_logs_where_they_are_not_wanted" {
  command = plan

  variables {
    data_access_logs = false
  }

  assert {
    condition     = length(google_project_iam_audit_config.data) == 0
    error_message = "what stands there is left as it is"
  }
}
