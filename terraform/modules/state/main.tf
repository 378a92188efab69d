# The state document, its older versions and the journal.

locals {
  objects    = "projects/_/buckets/${var.bucket}/objects/${var.prefix}"
  is_journal = "resource.name.startsWith(${jsonencode("${local.objects}journal/")})"

  # Of one service the older, flat file is kept up to date, too.
  flat = length(var.services) == 1 ? ["dynamodb_regions.json"] : []
  documents_of = {
    for name in keys(var.readers) : name => concat(
      [for service in sort(lookup(var.reader_services, name, var.services)) : "${service}.json"], local.flat
    )
  }
}

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

# On this bucket, not on the project, and not on the journal: see below. A list names the bucket, which is
# no object of the journal.
resource "google_storage_bucket_iam_member" "writer" {
  for_each = var.writers

  bucket = google_storage_bucket.this.name
  role   = google_project_iam_custom_role.writer.id
  member = each.value

  condition {
    title       = "${replace(var.name, "-", "_")}_documents"
    description = "Everything but the journal."
    expression  = "!${local.is_journal}"
  }

  # An upgrade from a grant without the condition: there is no moment without a grant on the document.
  depends_on = [google_storage_bucket_iam_member.journal]

  lifecycle {
    create_before_destroy = true
  }
}

# Entries of the journal are written once. Who writes them can neither overwrite nor delete them, so what
# was decided under a stolen identity of the function stands, too.
resource "google_project_iam_custom_role" "journal" {
  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_journal"
  title       = "Failover orchestrator: journal"
  description = "Adds entries to the journal and reads them."
  permissions = ["storage.objects.create", "storage.objects.get", "storage.objects.list"]

  depends_on = [google_project_service.this]
}

resource "google_storage_bucket_iam_member" "journal" {
  for_each = var.writers

  bucket = google_storage_bucket.this.name
  role   = google_project_iam_custom_role.journal.id
  member = each.value

  condition {
    title       = "${replace(var.name, "-", "_")}_journal"
    description = "The journal: to be added to."
    expression  = local.is_journal
  }
}

# The documents alone, neither the journal nor what could not be read. A condition may join 12 names with
# `||` and not many more, so more services make more grants.
resource "google_storage_bucket_iam_member" "reader" {
  for_each = merge([
    for name, member in var.readers : {
      for number, some in chunklist(local.documents_of[name], 12) :
      (number == 0 ? name : "${name}/${number}") => { documents = some, member = member }
    }
  ]...)

  bucket = google_storage_bucket.this.name
  role   = "roles/storage.objectViewer"
  member = each.value.member

  condition {
    title       = "${replace(var.name, "-", "_")}_document"
    description = "The state documents, nothing else."
    expression  = join(" || ", [for name in each.value.documents : "resource.name == ${jsonencode("${local.objects}${name}")}"])
  }

  lifecycle {
    create_before_destroy = true
  }
}
