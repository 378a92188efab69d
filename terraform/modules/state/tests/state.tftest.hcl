mock_provider "google" {}

variables {
  bucket  = "my-project-failover"
  prefix  = "prod/"
  project = "my-project"
  readers = { app = "serviceAccount:app@my-project.iam.gserviceaccount.com" }
  writers = { function = "serviceAccount:failover-function@my-project.iam.gserviceaccount.com" }
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
