output "address" {
  description = "Where users reach the application."
  value       = var.domain == null ? "http://${google_compute_global_address.app.address}/" : "https://${var.domain}/ (A record: ${google_compute_global_address.app.address})"
}

output "failover" {
  description = "What the orchestrator consists of."
  value = {
    dead_letters = module.failover.dead_letter_subscription
    functions    = module.failover.functions
    state        = module.failover.state
  }
}

output "health_urls" {
  description = "What is asked in each region."
  value       = { for name, region in local.service.regions : name => region.health_url }
}
