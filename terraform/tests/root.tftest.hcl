# The whole, planned from the repository's own failover.yaml: three regions of one service.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

mock_provider "time" {}

variables {
  config               = "../failover.yaml"
  notification_emails  = ["oncall@example.com"]
  orchestrator_regions = ["us-central1", "northamerica-northeast1"]
}

run "everything_comes_from_the_file" {
  command = plan

  assert {
    condition     = output.state == local.config.state
    error_message = "the state bucket"
  }

  assert {
    condition     = keys(local.watched) == ["checkout/eu-west-1", "checkout/us-east-1", "checkout/us-west-2"]
    error_message = "each region of each service is watched"
  }

  assert {
    condition     = keys(output.functions) == ["alert-northamerica-northeast1", "alert-us-central1", "control-northamerica-northeast1", "control-us-central1"]
    error_message = "each region takes alerts and control messages"
  }

  assert {
    condition     = local.topics == { alerts = "dynamodb-failover-alerts", control = "failover-control", events = null }
    error_message = "the topics"
  }

  assert {
    condition     = output.permissions.route == tolist(["compute.backendServices.get", "compute.backendServices.update"])
    error_message = "least privilege on backend services"
  }

  assert {
    condition     = output.permissions.attach == tolist(["compute.globalOperations.get", "compute.regionNetworkEndpointGroups.get", "compute.regionNetworkEndpointGroups.use"])
    error_message = "only what serverless groups need: nothing of instance groups or health checks"
  }

  assert {
    condition     = length(output.permissions.monitor) == 0 && !local.confirms && !local.gauges
    error_message = "nothing of Monitoring, for the file asks for nothing"
  }

  assert {
    condition     = one([for source in data.archive_file.source[0].source : source.content if source.filename == "failover.yaml"]) == file(var.config)
    error_message = "the function reads the file that was planned from"
  }

  assert {
    condition     = length(setintersection(local.sources, ["main.py", "requirements.txt", "orchestrator/entry.py", "orchestrator/adapters/gcp/traffic.py"])) == 4
    error_message = "the function's own files"
  }

  assert {
    condition     = !anytrue([for name in local.sources : startswith(name, "orchestrator/local/") || startswith(name, "orchestrator/client/")])
    error_message = "not the laptop world"
  }
}

run "what_the_file_wants_of_monitoring_is_granted" {
  command = plan

  variables {
    config = "tests/everything.yaml"
  }

  assert {
    condition     = local.confirms && local.gauges && length(output.permissions.monitor) == 4
    error_message = "one service that is confirmed by Monitoring is enough"
  }
}

run "one_region_is_refused" {
  command = plan

  variables {
    orchestrator_regions = ["us-central1"]
  }

  expect_failures = [var.orchestrator_regions]
}

run "a_state_folder_is_refused" {
  command = plan

  variables {
    config = "../examples/failover-local.yaml"
  }

  expect_failures = [var.config]
}
