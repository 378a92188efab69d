output "endpoints" {
  description = "Where each function takes its messages, and of which topic, by `kind-region`."
  value = {
    for key, function in local.functions : key => {
      topic = function.topic
      uri   = function.url # by name and not by reference: a subscription is brought up to date before the builds
    }
  }
}

output "functions" {
  description = "Name, kind (alert or control) and region of each function."
  value = {
    for key, function in local.functions : key => {
      kind   = function.kind
      name   = "${var.name}-${function.kind}"
      region = function.region
    }
  }
}

output "permissions" {
  description = "What the function may do on the project, by role. The state module says what it may do in the bucket."
  value = {
    attach  = sort(local.attach_permissions)
    monitor = sort(local.monitor_permissions)
    route   = sort(google_project_iam_custom_role.route.permissions)
  }
}

output "pushers" {
  description = "Email and full name of the account as which Pub/Sub pushes each topic, by the topic's use."
  value = {
    for kind, account in google_service_account.push : local.entry_points[kind].topic => {
      email = account.email
      name  = account.name
    }
  }
}

output "runtime" {
  description = "Email and IAM member of the account as which the functions run."
  value = {
    email  = google_service_account.runtime.email
    member = google_service_account.runtime.member
  }
}
