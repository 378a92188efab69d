output "channels" {
  description = "Ids of all of the people's notification channels."
  value       = local.channels
}

output "dashboard" {
  description = "Id of the dashboard."
  value       = google_monitoring_dashboard.this.id
}
