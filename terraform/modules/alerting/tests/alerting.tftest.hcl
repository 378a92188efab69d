mock_provider "google" {}

variables {
  checks = {
    "checkout/us-east-1" = { health_url = "https://use4.checkout.example.com/healthz", region = "us-east-1", service = "checkout" }
    "checkout/us-west-2" = { health_url = "http://usw1.checkout.example.com:8080/health?deep=1", region = "us-west-2", service = "checkout" }
    "search/us-east-1"   = { health_url = "https://search-123456789012.us-east4.run.app/health", oidc = true, region = "us-east-1", service = "search" }
  }
  notification_channels = ["projects/my-project/notificationChannels/1"]
  project               = "my-project"
  project_number        = "123456789012"
  topic                 = "projects/my-project/topics/dynamodb-failover-alerts"
}

run "one_policy_per_region_with_its_labels" {
  command = apply

  assert {
    condition = alltrue([
      for key, check in var.checks :
      google_monitoring_alert_policy.region[key].user_labels == tomap({ region = check.region, service = check.service })
    ]) && length(google_monitoring_alert_policy.region) == length(var.checks)
    error_message = "the labels service and region, by which the function knows a region"
  }

  assert {
    condition = alltrue([
      for key, policy in google_monitoring_alert_policy.region :
      strcontains(policy.conditions[0].condition_threshold[0].filter, "\"${google_monitoring_uptime_check_config.this[key].uptime_check_id}\"")
    ])
    error_message = "each policy watches its own check"
  }

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.region :
      policy.alert_strategy[0].notification_prompts == tolist(["OPENED", "CLOSED"]) && policy.alert_strategy[0].auto_close == "3600s"
    ])
    error_message = "both the open and the close are told"
  }

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.region :
      contains(policy.conditions[0].condition_threshold[0].aggregations[0].group_by_fields, "resource.label.host") &&
      policy.conditions[0].condition_threshold[0].aggregations[0].cross_series_reducer == "REDUCE_COUNT_FALSE" &&
      policy.conditions[0].condition_threshold[0].comparison == "COMPARISON_GT" &&
      policy.conditions[0].condition_threshold[0].threshold_value == 1
    ])
    error_message = "two failing checkers, and the host survives the grouping"
  }

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.region :
      policy.notification_channels == tolist([google_monitoring_notification_channel.topic.id])
    ])
    error_message = "a failing region goes to the topic"
  }

  assert {
    condition = (
      google_monitoring_notification_channel.topic.type == "pubsub" &&
      google_monitoring_notification_channel.topic.labels.topic == var.topic
    )
    error_message = "the channel is the alerts topic"
  }

  assert {
    condition = (
      google_pubsub_topic_iam_member.monitoring.member == "serviceAccount:service-123456789012@gcp-sa-monitoring-notification.iam.gserviceaccount.com" &&
      google_pubsub_topic_iam_member.monitoring.role == "roles/pubsub.publisher" &&
      google_pubsub_topic_iam_member.monitoring.topic == var.topic
    )
    error_message = "Monitoring may publish to the topic"
  }
}

run "checks_ask_what_the_health_url_says" {
  command = plan

  assert {
    condition = alltrue([
      for check in google_monitoring_uptime_check_config.this :
      check.period == "60s" && check.timeout == "10s" && check.selected_regions == null && check.monitored_resource[0].labels.project_id == "my-project"
    ])
    error_message = "once a minute from all six places"
  }

  assert {
    condition = (
      google_monitoring_uptime_check_config.this["checkout/us-east-1"].monitored_resource[0].labels.host == "use4.checkout.example.com" &&
      google_monitoring_uptime_check_config.this["checkout/us-east-1"].http_check[0].path == "/healthz" &&
      google_monitoring_uptime_check_config.this["checkout/us-east-1"].http_check[0].port == 443 &&
      google_monitoring_uptime_check_config.this["checkout/us-east-1"].http_check[0].use_ssl
    )
    error_message = "https, its host and path"
  }

  assert {
    condition = (
      google_monitoring_uptime_check_config.this["checkout/us-west-2"].monitored_resource[0].labels.host == "usw1.checkout.example.com" &&
      google_monitoring_uptime_check_config.this["checkout/us-west-2"].http_check[0].path == "/health?deep=1" &&
      google_monitoring_uptime_check_config.this["checkout/us-west-2"].http_check[0].port == 8080 &&
      !google_monitoring_uptime_check_config.this["checkout/us-west-2"].http_check[0].use_ssl
    )
    error_message = "http, a port and a query"
  }

  assert {
    condition     = google_monitoring_uptime_check_config.this["search/us-east-1"].http_check[0].service_agent_authentication[0].type == "OIDC_TOKEN"
    error_message = "an identity token for a service behind IAM"
  }
}

run "a_silent_check_is_told_to_people_and_never_to_the_topic" {
  command = plan

  assert {
    condition = alltrue([
      for policy in google_monitoring_alert_policy.silent :
      policy.notification_channels == tolist(var.notification_channels) && policy.conditions[0].condition_absent[0].duration == "300s"
    ]) && length(google_monitoring_alert_policy.silent) == length(var.checks)
    error_message = "absence is no proof of an outage"
  }
}

run "a_run_app_path_that_ends_in_z_is_refused" {
  command = plan

  variables {
    checks = {
      "checkout/us-east-1" = { health_url = "https://checkout-123456789012.us-east4.run.app/healthz", region = "us-east-1", service = "checkout" }
    }
  }

  expect_failures = [var.checks]
}

run "a_run_app_path_that_ends_in_z_before_a_query_is_refused" {
  command = plan

  variables {
    checks = {
      "checkout/us-east-1" = { health_url = "https://checkout-abc-uk.a.run.app/statusz?x=1", region = "us-east-1", service = "checkout" }
    }
  }

  expect_failures = [var.checks]
}

run "a_name_that_fits_no_label_is_refused" {
  command = plan

  variables {
    checks = {
      "checkout/US" = { health_url = "https://example.com/", region = "US", service = "checkout" }
    }
  }

  expect_failures = [var.checks]
}

run "an_absence_below_two_minutes_is_refused" {
  command = plan

  variables {
    absence = 60
  }

  expect_failures = [var.absence]
}
