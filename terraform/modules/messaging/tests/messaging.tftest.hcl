mock_provider "google" {}

variables {
  endpoints = {
    alert-us-central1   = { topic = "alerts", uri = "https://failover-alert-abc-uc.a.run.app" }
    alert-us-east1      = { topic = "alerts", uri = "https://failover-alert-abc-ue.a.run.app" }
    control-us-central1 = { topic = "control", uri = "https://failover-control-abc-uc.a.run.app" }
    control-us-east1    = { topic = "control", uri = "https://failover-control-abc-ue.a.run.app" }
  }
  notification_channels = ["projects/my-project/notificationChannels/1"]
  project               = "my-project"
  project_number        = "123456789012"
  pushers = {
    alerts = {
      email = "failover-invoker@my-project.iam.gserviceaccount.com"
      name  = "projects/my-project/serviceAccounts/failover-invoker@my-project.iam.gserviceaccount.com"
    }
    control = {
      email = "failover-push-control@my-project.iam.gserviceaccount.com"
      name  = "projects/my-project/serviceAccounts/failover-push-control@my-project.iam.gserviceaccount.com"
    }
  }
  topics = { alerts = "dynamodb-failover-alerts", control = "failover-control" }
}

run "every_function_is_pushed_to_with_a_token_and_back_off" {
  command = apply

  assert {
    condition = alltrue([
      for key, push in google_pubsub_subscription.push :
      push.push_config[0].push_endpoint == var.endpoints[key].uri &&
      push.push_config[0].oidc_token[0].audience == var.endpoints[key].uri &&
      push.push_config[0].oidc_token[0].service_account_email == var.pushers[var.endpoints[key].topic].email &&
      push.topic == google_pubsub_topic.this[var.endpoints[key].topic].id
    ]) && length(google_pubsub_subscription.push) == length(var.endpoints)
    error_message = "as its topic's account, to its own URL, from its own topic"
  }

  assert {
    condition = alltrue([
      for push in google_pubsub_subscription.push :
      push.retry_policy[0].minimum_backoff == "10s" && push.retry_policy[0].maximum_backoff == "600s" &&
      push.ack_deadline_seconds == 600 && push.message_retention_duration == "86400s"
    ])
    error_message = "back-off, deadline and retention"
  }

  assert {
    condition = alltrue([
      for push in concat(values(google_pubsub_subscription.push), [google_pubsub_subscription.dead_letter]) :
      push.expiration_policy[0].ttl == ""
    ])
    error_message = "a month without an alert must not delete the subscription"
  }
}

run "what_no_function_takes_is_kept_and_told" {
  command = apply

  assert {
    condition = alltrue([
      for push in google_pubsub_subscription.push :
      push.dead_letter_policy[0].dead_letter_topic == google_pubsub_topic.dead_letter.id && push.dead_letter_policy[0].max_delivery_attempts == 40
    ])
    error_message = "each subscription gives up to the dead-letter topic"
  }

  assert {
    condition = (
      google_pubsub_topic_iam_member.dead_letter.member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com" &&
      google_pubsub_topic_iam_member.dead_letter.role == "roles/pubsub.publisher" &&
      length(google_pubsub_subscription_iam_member.dead_letter) == length(var.endpoints) &&
      alltrue([for grant in google_pubsub_subscription_iam_member.dead_letter : grant.role == "roles/pubsub.subscriber" && grant.member == google_pubsub_topic_iam_member.dead_letter.member])
    )
    error_message = "Pub/Sub may move dead letters"
  }

  assert {
    condition = (
      google_pubsub_subscription.dead_letter.topic == google_pubsub_topic.dead_letter.id &&
      length(google_pubsub_subscription.dead_letter.push_config) == 0 &&
      google_pubsub_subscription.dead_letter.message_retention_duration == "1209600s"
    )
    error_message = "people can pull them for two weeks"
  }

  assert {
    condition = (
      google_monitoring_alert_policy.dead_letter.notification_channels == tolist(var.notification_channels) &&
      strcontains(google_monitoring_alert_policy.dead_letter.conditions[0].condition_threshold[0].filter, "\"failover-dead-letter\"")
    )
    error_message = "a dead letter is told to people"
  }
}

run "giving_up_within_the_hour_is_refused" {
  command = plan

  variables {
    max_delivery_attempts = 11
  }

  expect_failures = [var.max_delivery_attempts]
}

run "twelve_attempts_are_the_first_beyond_an_hour" {
  command = plan

  variables {
    max_delivery_attempts = 12
  }

  assert {
    condition     = google_pubsub_subscription.push["alert-us-east1"].dead_letter_policy[0].max_delivery_attempts == 12
    error_message = "as asked"
  }
}

run "without_an_events_topic_there_is_none" {
  command = plan

  assert {
    condition     = keys(google_pubsub_topic.this) == ["alerts", "control"]
    error_message = "two topics"
  }
}

run "one_account_for_both_topics_is_refused" {
  command = plan

  variables {
    pushers = {
      alerts  = { email = "a@my-project.iam.gserviceaccount.com", name = "projects/my-project/serviceAccounts/a" }
      control = { email = "a@my-project.iam.gserviceaccount.com", name = "projects/my-project/serviceAccounts/a" }
    }
  }

  expect_failures = [var.pushers]
}
