mock_provider "google" {}

variables {
  bucket   = "my-project-failover"
  prefix   = "prod/"
  project  = "my-project"
  readers  = { app = "serviceAccount:app@my-project.iam.gserviceaccount.com" }
  services = ["checkout", "search"]
  writers  = { function = "serviceAccount:failover-function@my-project.iam.gserviceaccount.com" }
}

run "nobody_but_us_and_nothing_is_lost" {
  command = apply

  assert {
    condition = (
      google_storage_bucket.this.public_access_prevention == "enforced" &&
      google_storage_bucket.this.uniform_bucket_level_access
    )
    error_message = "no public access, no access lists of objects"
  }

  assert {
    condition = (
      google_storage_bucket.this.versioning[0].enabled &&
      google_storage_bucket.this.soft_delete_policy[0].retention_duration_seconds == 604800 &&
      !google_storage_bucket.this.force_destroy
    )
    error_message = "what was overwritten or deleted can be brought back"
  }

  assert {
    condition     = google_storage_bucket.this.location == "US"
    error_message = "not in one region"
  }

  assert {
    condition = alltrue([
      for rule in google_storage_bucket.this.lifecycle_rule :
      one(rule.condition).age == null || one(rule.condition).matches_prefix == tolist(["prod/journal/"])
    ])
    error_message = "age deletes journal entries only, never the document"
  }

  assert {
    condition     = google_project_iam_custom_role.writer.permissions == toset(["storage.objects.create", "storage.objects.delete", "storage.objects.get", "storage.objects.list"])
    error_message = "what keeping the document takes, and no more"
  }

  assert {
    condition = (
      google_storage_bucket_iam_member.writer["function"].bucket == "my-project-failover" &&
      google_storage_bucket_iam_member.writer["function"].member == var.writers.function &&
      google_storage_bucket_iam_member.writer["function"].role == google_project_iam_custom_role.writer.id
    )
    error_message = "granted on the bucket"
  }
}

run "entries_of_the_journal_are_added_and_never_changed" {
  command = apply

  assert {
    condition = (
      google_project_iam_custom_role.journal.permissions == toset(["storage.objects.create", "storage.objects.get", "storage.objects.list"]) &&
      google_storage_bucket_iam_member.journal["function"].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/my-project-failover/objects/prod/journal/\")" &&
      google_storage_bucket_iam_member.writer["function"].condition[0].expression == "!resource.name.startsWith(\"projects/_/buckets/my-project-failover/objects/prod/journal/\")"
    )
    error_message = "whoever may overwrite the document may not overwrite the journal"
  }
}

run "a_reader_reads_the_documents_and_neither_the_journal_nor_poison" {
  command = apply

  assert {
    condition = google_storage_bucket_iam_member.reader["app"].condition[0].expression == join(" || ", [
      "resource.name == \"projects/_/buckets/my-project-failover/objects/prod/checkout.json\"",
      "resource.name == \"projects/_/buckets/my-project-failover/objects/prod/search.json\"",
    ])
    error_message = "by their whole names"
  }
}

run "a_reader_of_one_service_reads_its_document_alone" {
  command = apply

  variables {
    reader_services = { app = ["search"] }
  }

  assert {
    condition     = google_storage_bucket_iam_member.reader["app"].condition[0].expression == "resource.name == \"projects/_/buckets/my-project-failover/objects/prod/search.json\""
    error_message = "not the other service's"
  }
}

run "of_one_service_the_flat_file_is_read_too" {
  command = apply

  variables {
    services = ["checkout"]
  }

  assert {
    condition     = endswith(google_storage_bucket_iam_member.reader["app"].condition[0].expression, "== \"projects/_/buckets/my-project-failover/objects/prod/dynamodb_regions.json\"")
    error_message = "as long as applications read it"
  }
}

run "many_services_make_more_grants_and_no_longer_conditions" {
  command = apply

  variables {
    services = [for number in range(30) : "service-${number}"]
  }

  assert {
    condition     = keys(google_storage_bucket_iam_member.reader) == ["app", "app/1", "app/2"]
    error_message = "a condition joins 12 names at most"
  }
}

run "a_quote_in_a_name_is_refused" {
  command = plan

  variables {
    services = ["x\" || true || \""]
  }

  expect_failures = [var.services]
}

run "one_region_is_refused" {
  command = plan

  variables {
    location = "us-east4"
  }

  expect_failures = [var.location]
}

run "the_public_is_refused" {
  command = plan

  variables {
    readers = { everybody = "allUsers" }
  }

  expect_failures = [var.readers]
}

run "turbo_replication_is_for_dual_regions" {
  command = plan

  variables {
    location          = "NAM4"
    turbo_replication = true
  }

  assert {
    condition     = google_storage_bucket.this.rpo == "ASYNC_TURBO"
    error_message = "as asked"
  }
}
