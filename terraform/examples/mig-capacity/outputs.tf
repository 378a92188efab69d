output "failover" {
  description = "What the orchestrator consists of."
  value = {
    dead_letters = module.failover.dead_letter_subscription
    functions    = module.failover.functions
    state        = module.failover.state
  }
}

output "records" {
  description = "A records that must exist."
  value       = { for host in concat([var.domain], local.hosts) : host => google_compute_global_address.app.address }
}
