variable "audience" {
  description = "Audience of the Google identity tokens that AWS accepts: what the application asks the metadata server for."
  type        = string
  default     = "aws-dynamodb"
}

variable "config" {
  description = "Path of the failover.yaml whose regions the table gets. null: that of the example cloud-run-global."
  type        = string
  default     = null
}

variable "consistency" {
  description = "MREC: asynchronous, the last writer wins, any number of regions. MRSC: strong, nothing acknowledged is lost, exactly three regions. It cannot be changed later."
  type        = string
  default     = "MREC"

  validation {
    condition     = contains(["MREC", "MRSC"], var.consistency)
    error_message = "MREC or MRSC."
  }
}

variable "deletion_protection" {
  description = "Whether the table and its replicas refuse to be deleted. Set it to false and apply before `terraform destroy`."
  type        = bool
  default     = true
}

variable "google_service_account" {
  description = "Unique ids (21 digits) of the Google service accounts: `application` reads and writes the table, `heartbeat` keeps the two kinds of items that tell whether a region works (null: the application itself). From `gcloud iam service-accounts describe EMAIL --format='value(uniqueId)'`."
  type = object({
    application = string
    heartbeat   = optional(string)
  })

  validation {
    condition = alltrue([
      for id in [var.google_service_account.application, coalesce(var.google_service_account.heartbeat, var.google_service_account.application)] :
      can(regex("^[0-9]{20,22}$", id))
    ])
    error_message = "Write the unique id, digits only. The address is refused, because another account may have it after this one is deleted."
  }
}

variable "name" {
  description = "Name of the table, and prefix of the roles' names."
  type        = string
  default     = "checkout"
}

variable "tags" {
  description = "Tags of table and roles."
  type        = map(string)
  default     = {}
}

variable "ttl_attribute" {
  description = "Attribute with the time (seconds since 1970) at which an item may be deleted: `expires_at` for the sessions of examples/flask-shop. null: items live until they are deleted."
  type        = string
  default     = null
}
