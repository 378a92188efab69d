# The state document, its older versions and the journal.

resource "google_project_service" "this" {
  for_each = toset(["iam.googleapis.com", "storage.googleapis.com"])

  project            = var.project
  service            = each.key
  disable_on_destroy = false # others in the project may use it
}

resource "google_storage_bucket" "this" {
  #checkov:skip=CKV_GCP_62: Access to objects is recorded by Cloud Audit Logs where a project wants it; usage logs to another bucket arrive hours late and would need a bucket of their own.
  project       = var.project
  name          = var.bucket
  location      = upper(var.location)
  storage_class = "STANDARD"
  force_destroy = var.force_destroy
  labels        = var.labels

  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  rpo = contains(["US", "EU", "ASIA"], upper(var.location)) ? null : var.turbo_replication ? "ASYNC_TURBO" : "DEFAULT"

  # A corrupt document is never overwritten blindly, and `state restore` brings back an older one.
  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 60 * 60
  }

  lifecycle_rule {
    condition {
      age            = var.journal_days
      matches_prefix = ["${var.prefix}journal/"]
    }
    action {
      type = "Delete"
    }
  }

  # Both must hold. The newest 100 stay: a service that has been well for a year keeps its history.
  lifecycle_rule {
    condition {
      days_since_noncurrent_time = var.old_version_days
      num_newer_versions         = 100
    }
    action {
      type = "Delete"
    }
  }

  # A journal entry has one version only, so the rule above would never remove a deleted one.
  lifecycle_rule {
    condition {
      days_since_noncurrent_time = var.old_version_days
      matches_prefix             = ["${var.prefix}journal/"]
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [google_project_service.this]
}

# get and create to read and write; delete because overwriting an object takes it; list because without
# it Cloud Storage answers 403 instead of 404 for an object that does not exist, and only a 404 lets a
# document be created.
resource "google_project_iam_custom_role" "writer" {
  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_state"
  title       = "Failover orchestrator: state"
  description = "Keeps the state document and the journal."
  permissions = [
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
  ]

  depends_on = [google_project_service.this]
}

# On this bucket, not on the project.
resource "google_storage_bucket_iam_member" "writer" {
  for_each = var.writers

  bucket = google_storage_bucket.this.name
  role   = google_project_iam_custom_role.writer.id
  member = each.value
}

resource "google_storage_bucket_iam_member" "reader" {
  for_each = var.readers

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectViewer"
  member = each.value
}
