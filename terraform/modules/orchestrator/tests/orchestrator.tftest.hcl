mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      member = "serviceAccount:somebody@my-project.iam.gserviceaccount.com"
      name   = "projects/my-project/serviceAccounts/somebody@my-project.iam.gserviceaccount.com"
    }
  }

  mock_data "google_cloud_run_v2_service" {
    defaults = {
      urls = [
        "https://failover-alert-123456789012.us-central1.run.app",
        "https://failover-alert-123456789012.us-east1.run.app",
        "https://failover-control-123456789012.us-central1.run.app",
        "https://failover-control-123456789012.us-east1.run.app",
      ]
    }
  }
}

override_resource {
  target = google_service_account.runtime
  values = { email = "failover-function@example.com", member = "serviceAccount:failover-function@example.com" }
}

override_resource {
  target = google_service_account.push["alert"]
  values = { email = "failover-invoker@example.com", member = "serviceAccount:failover-invoker@example.com" }
}

override_resource {
  target = google_service_account.push["control"]
  values = { email = "failover-push-control@example.com", member = "serviceAccount:failover-push-control@example.com" }
}

override_resource {
  target = google_service_account.scheduler
  values = { email = "failover-scheduler@example.com", member = "serviceAccount:failover-scheduler@example.com" }
}

mock_provider "time" {}

variables {
  backend_services = ["checkout"]
  control_topic    = "projects/my-project/topics/failover-control"
  groups           = ["https://www.googleapis.com/compute/v1/projects/my-project/regions/us-east4/networkEndpointGroups/checkout-use4"]
  project          = "my-project"
  project_number   = "123456789012"
  regions          = ["us-central1", "us-east1"]
  source_archive   = "variables.tf" # any file
}

run "two_functions_in_each_of_two_regions" {
  command = apply

  assert {
    condition = (
      length(google_cloudfunctions2_function.this) == 4 &&
      toset([for function in google_cloudfunctions2_function.this : function.location]) == toset(["us-central1", "us-east1"])
    )
    error_message = "alert and control, in both regions"
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.this :
      function.service_config[0].service_account_email == "failover-function@example.com" &&
      function.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY" &&
      function.service_config[0].timeout_seconds == 540 &&
      length(function.event_trigger) == 0
    ])
    error_message = "its own account, closed to the internet, called by our own subscriptions"
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.this :
      function.service_config[0].environment_variables == tomap({
        FAILOVER_INSTANCE          = function.location
        FAILOVER_PUSH_AUDIENCE     = "https://${function.name}-123456789012.${function.location}.run.app"
        FAILOVER_PUSH_IAM          = "closed"
        FAILOVER_PUSH_IDENTITY     = function.name == "failover-alert" ? "failover-invoker@example.com" : "failover-push-control@example.com"
        FAILOVER_PUSH_SUBSCRIPTION = "projects/my-project/subscriptions/${function.name}-${function.location}"
        GOOGLE_CLOUD_PROJECT       = "my-project"
      })
    ])
    error_message = "its region tells a function from that of the same name elsewhere, and it knows who pushes to it"
  }

  assert {
    condition = (
      google_cloudfunctions2_function.this["alert-us-east1"].service_config[0].min_instance_count == 1 &&
      google_cloudfunctions2_function.this["control-us-east1"].service_config[0].min_instance_count == 0
    )
    error_message = "alert functions are kept warm"
  }

  assert {
    condition = (
      length(google_cloud_run_v2_service_iam_binding.invoker) == 4 &&
      alltrue([
        for key, grant in google_cloud_run_v2_service_iam_binding.invoker :
        grant.role == "roles/run.invoker" && grant.members == toset([
          startswith(key, "alert-") ? "serviceAccount:failover-invoker@example.com" : "serviceAccount:failover-push-control@example.com"
        ])
      ])
    )
    error_message = "only the account that pushes its topic may call, and nobody else"
  }
}

run "ticks_in_every_region_as_an_account_that_can_publish_nothing_else" {
  command = apply

  assert {
    condition = alltrue([
      for job in google_cloud_scheduler_job.tick :
      job.schedule == "* * * * *" &&
      job.http_target[0].uri == "https://pubsub.googleapis.com/v1/projects/my-project/topics/failover-control:publish" &&
      job.http_target[0].oauth_token[0].service_account_email == "failover-scheduler@example.com" &&
      base64decode(jsondecode(base64decode(job.http_target[0].body)).messages[0].data) == jsonencode({ kind = "tick" })
    ]) && length(google_cloud_scheduler_job.tick) == 2
    error_message = "a tick a minute on the control topic"
  }

  assert {
    condition = (
      google_pubsub_topic_iam_member.scheduler.topic == var.control_topic &&
      google_pubsub_topic_iam_member.scheduler.member == "serviceAccount:failover-scheduler@example.com" &&
      google_pubsub_topic_iam_member.scheduler.role == "roles/pubsub.publisher"
    )
    error_message = "granted on the one topic"
  }
}

run "serverless_groups_need_no_more_than_this" {
  command = apply

  assert {
    condition     = google_project_iam_custom_role.attach.permissions == toset(["compute.globalOperations.get", "compute.regionNetworkEndpointGroups.get", "compute.regionNetworkEndpointGroups.use"])
    error_message = "the membership lever's permissions"
  }

  assert {
    condition     = google_project_iam_custom_role.route.permissions == toset(["compute.backendServices.get", "compute.backendServices.update"])
    error_message = "read and change, never create or delete"
  }

  assert {
    condition = (
      google_project_iam_member.route.condition[0].expression == "resource.name == \"projects/my-project/global/backendServices/checkout\"" &&
      google_project_iam_member.route.member == "serviceAccount:failover-function@example.com"
    )
    error_message = "only the backend service that is named"
  }
}

run "every_function_is_pushed_to_under_a_url_that_it_has" {
  command = plan # the functions are there: the runs above have made them

  override_data {
    target = data.google_cloud_run_v2_service.this
    values = { urls = ["https://failover-alert-abc-uc.a.run.app"] }
  }

  expect_failures = [data.google_cloud_run_v2_service.this]
}

run "the_builder_reads_sources_and_writes_images_and_nothing_else" {
  command = apply

  assert {
    condition = (
      google_project_iam_member.builder_copies.condition[0].expression == join(" || ", [
        "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-123456789012-us-central1/\")",
        "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-123456789012-us-east1/\")",
      ]) &&
      google_storage_bucket_iam_member.builder.bucket == google_storage_bucket.source.name
    )
    error_message = "on its own bucket and on the copies, not on the project's buckets"
  }

  assert {
    condition = (
      keys(google_project_iam_member.builder) == ["roles/logging.logWriter"] &&
      alltrue([
        for region, grant in google_artifact_registry_repository_iam_member.builder :
        grant.role == "roles/artifactregistry.writer" && grant.location == region && grant.repository == "failover-functions"
      ]) &&
      alltrue([
        for function in google_cloudfunctions2_function.this :
        function.build_config[0].docker_repository == google_artifact_registry_repository.images[function.location].id
      ])
    )
    error_message = "into a repository of our own in each region, not into every function's"
  }
}

run "instance_groups_need_others" {
  command = plan

  variables {
    groups = [
      "projects/my-project/regions/us-east4/instanceGroups/checkout-use4",
      "projects/my-project/zones/us-east4-a/networkEndpointGroups/checkout-use4-a",
    ]
  }

  assert {
    condition     = google_project_iam_custom_role.attach.permissions == toset(["compute.globalOperations.get", "compute.healthChecks.useReadOnly", "compute.instanceGroups.use", "compute.networkEndpointGroups.use"])
    error_message = "the capacity lever's permissions"
  }
}

run "nothing_of_monitoring_unless_it_is_asked_for" {
  command = plan

  assert {
    condition     = length(google_project_iam_custom_role.monitor) + length(google_project_iam_member.monitor) == 0
    error_message = "neither the role nor its grant"
  }
}

run "whoever_reads_the_checks_writes_nothing" {
  command = apply

  variables {
    reads_checks = true
  }

  assert {
    condition = (
      google_project_iam_custom_role.monitor[0].permissions == toset(["monitoring.timeSeries.list"]) &&
      google_project_iam_member.monitor[0].member == "serviceAccount:failover-function@example.com"
    )
    error_message = "time series are read"
  }
}

run "whoever_writes_gauges_reads_none" {
  command = plan

  variables {
    writes_gauges = true
  }

  assert {
    condition     = google_project_iam_custom_role.monitor[0].permissions == toset(["monitoring.metricDescriptors.create", "monitoring.metricDescriptors.get", "monitoring.timeSeries.create"])
    error_message = "time series are written, the first one with its metric"
  }
}

run "one_region_is_refused" {
  command = plan

  variables {
    regions = ["us-central1"]
  }

  expect_failures = [var.regions]
}

run "the_same_region_twice_is_refused" {
  command = plan

  variables {
    regions = ["us-central1", "us-central1"]
  }

  expect_failures = [var.regions]
}
