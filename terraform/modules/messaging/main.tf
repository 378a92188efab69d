# Topics, the push subscriptions that bring their messages to the functions, and the end of a
# message that no function takes. Why a subscription of our own and not Eventarc's: decision 0010.

locals {
  # Pub/Sub's own identity: it signs the pushes and moves dead letters.
  agent  = "serviceAccount:service-${var.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
  topics = { for use, topic in var.topics : use => topic if topic != null }
}

resource "google_project_service" "this" {
  for_each = toset(["monitoring.googleapis.com", "pubsub.googleapis.com"])

  project            = var.project
  service            = each.key
  disable_on_destroy = false # others in the project may use it
}

resource "google_pubsub_topic" "this" {
  #checkov:skip=CKV_GCP_83: The messages hold no secrets, and a key of one's own is one more thing that can be down or disabled when a failover is due. Google's encryption at rest stays.
  for_each = local.topics

  project = var.project
  name    = each.value
  labels  = var.labels

  depends_on = [google_project_service.this]
}

# --- to the functions ---------------------------------------------------------------------------------

resource "google_pubsub_subscription" "push" {
  for_each = var.endpoints

  project = var.project
  name    = "${var.name}-${each.key}"
  topic   = google_pubsub_topic.this[each.value.topic].id
  labels  = var.labels

  ack_deadline_seconds       = var.ack_deadline
  message_retention_duration = "${var.retention}s"

  # Never: the default deletes a subscription that saw no message for 31 days, and a month without an
  # alert is what everybody hopes for.
  expiration_policy {
    ttl = ""
  }

  push_config {
    push_endpoint = each.value.uri

    oidc_token {
      service_account_email = var.pushers[each.value.topic].email
      audience              = each.value.uri
    }
  }

  retry_policy {
    minimum_backoff = "${var.min_backoff}s"
    maximum_backoff = "${var.max_backoff}s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letter.id
    max_delivery_attempts = var.max_delivery_attempts
  }

  depends_on = [google_service_account_iam_member.token]
}

# A project made before April 2021 does not give this to Pub/Sub by itself. On these accounts only.
resource "google_service_account_iam_member" "token" {
  for_each = var.pushers

  service_account_id = each.value.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.agent

  depends_on = [google_pubsub_topic.this] # the agent exists once the API has been used
}

moved {
  from = google_service_account_iam_member.token
  to   = google_service_account_iam_member.token["alerts"]
}

# --- dead letters -------------------------------------------------------------------------------------

resource "google_pubsub_topic" "dead_letter" {
  #checkov:skip=CKV_GCP_83: As above: no secrets, and nothing that a disabled key could stop.
  project = var.project
  name    = "${var.name}-dead-letter"
  labels  = var.labels

  depends_on = [google_project_service.this]
}

# Without a subscription what is published to a topic is gone. People pull from this one.
resource "google_pubsub_subscription" "dead_letter" {
  project = var.project
  name    = "${var.name}-dead-letter"
  topic   = google_pubsub_topic.dead_letter.id
  labels  = var.labels

  message_retention_duration = "${var.dead_letter_days * 24 * 60 * 60}s"

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub needs both, or it goes on delivering and gives nothing up.
resource "google_pubsub_topic_iam_member" "dead_letter" {
  project = var.project
  topic   = google_pubsub_topic.dead_letter.name
  role    = "roles/pubsub.publisher"
  member  = local.agent
}

resource "google_pubsub_subscription_iam_member" "dead_letter" {
  for_each = google_pubsub_subscription.push

  project      = var.project
  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = local.agent
}

resource "google_monitoring_alert_policy" "dead_letter" {
  project               = var.project
  display_name          = "${var.name}: a message was given up"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = var.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "messages on ${google_pubsub_subscription.dead_letter.name}"

    # What lies there, not what arrives: the incident stays open until somebody has taken it away.
    condition_threshold {
      filter = join(" AND ", [
        "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\"",
        "resource.type=\"pubsub_subscription\"",
        "resource.label.subscription_id=\"${google_pubsub_subscription.dead_letter.name}\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "No function took this message for hours. It may be a failover that did not happen. Read it: `gcloud pubsub subscriptions pull ${google_pubsub_subscription.dead_letter.name} --project=${var.project} --limit=10`; when it is dealt with, pull it again with `--auto-ack`."
  }
}

# Long before a message is given up: the function does not answer, or answers with errors only.
resource "google_monitoring_alert_policy" "backlog" {
  project               = var.project
  display_name          = "${var.name}: messages are not taken"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = var.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "oldest message waits for more than ten minutes"

    condition_threshold {
      filter = join(" AND ", [
        "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\"",
        "resource.type=\"pubsub_subscription\"",
        "resource.label.subscription_id=one_of(${join(",", [for push in google_pubsub_subscription.push : "\"${push.name}\""])})",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 600
      duration        = "60s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "A function does not take its messages. Its log says why: look for severity ERROR and above. The other region's function takes the same messages."
  }
}
