output "channels" {
  description = "Ids of the people's notification channels."
  value       = module.observability.channels
}

output "check_ids" {
  description = "Ids of the uptime checks, by `service/region`, for `check_id` in failover.yaml, which is optional."
  value       = module.alerting.check_ids
}

output "dead_letter_subscription" {
  description = "Name of the subscription from which people pull what was given up."
  value       = module.messaging.dead_letter_subscription
}

output "function_account" {
  description = "The account as which the functions run."
  value       = module.orchestrator.runtime.email
}

output "functions" {
  description = "Name, kind and region of each function."
  value       = module.orchestrator.functions
}

output "health_callers" {
  description = "Who asks your health URLs. With `probe.auth: oidc` give these members roles/run.invoker on your services."
  value = [
    module.orchestrator.runtime.member,
    "serviceAccount:service-${data.google_project.this.number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com",
  ]
}

output "permissions" {
  description = "What the function may do on the project, by role."
  value       = module.orchestrator.permissions
}

output "source_files" {
  description = "What the source archive holds beside failover.yaml, when it is made here."
  value       = var.source_archive == null ? local.sources : []
  sensitive   = true # no secret, but fifty lines that an apply need not print
}

output "state" {
  description = "Where the state document is."
  value       = local.config.state
}
