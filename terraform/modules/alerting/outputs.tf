output "check_ids" {
  description = "Ids of the uptime checks, by `service/region`, for `check_id` in failover.yaml, which identifies the region of an alert without labels."
  value       = { for key, check in google_monitoring_uptime_check_config.this : key => check.uptime_check_id }
}

output "policies" {
  description = "Names of the policies that publish a failing region, by `service/region`."
  value       = { for key, policy in google_monitoring_alert_policy.region : key => policy.name }
}

output "topic_channel" {
  description = "Id of the notification channel to the alerts topic."
  value       = google_monitoring_notification_channel.topic.id
}
