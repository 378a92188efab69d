output "bucket" {
  description = "Name of the bucket."
  value       = google_storage_bucket.this.name
}

output "role" {
  description = "Id of the role that keeps the document and the journal."
  value       = google_project_iam_custom_role.writer.id
}
