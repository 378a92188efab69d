output "endpoints" {
  description = "Where each function takes its messages, and of which topic, by `kind-region`."
  value = {
    for key, function in google_cloudfunctions2_function.this : key => {
      topic = local.functions[key].topic
      uri   = function.service_config[0].uri
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

output "invoker" {
  description = "Email and full name of the account as which Pub/Sub calls the functions."
  value = {
    email = google_service_account.invoker.email
    name  = google_service_account.invoker.name
  }
}

output "permissions" {
  description = "What the function may do on the project, by role; what it may do in the bucket is the state module's."
  value = {
    attach  = sort(local.attach_permissions)
    monitor = sort(local.monitor_permissions)
    route   = sort(google_project_iam_custom_role.route.permissions)
  }
}

output "runtime" {
  description = "Email and IAM member of the account as which the functions run."
  value = {
    email  = google_service_account.runtime.email
    member = google_service_account.runtime.member
  }
}
