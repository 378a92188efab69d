variable "bucket" {
  description = "Name of the bucket: the host of `state` in failover.yaml."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "Write the bucket's name in small letters, digits and . _ -."
  }
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete the bucket with everything in it. Set it only to take everything down."
  type        = bool
  default     = false
}

variable "journal_days" {
  description = "Days for which journal entries are kept. The document itself is never deleted by age."
  type        = number
  default     = 400

  validation {
    condition     = var.journal_days >= 30
    error_message = "Keep the journal for 30 days at least: it is how a failover is explained afterwards."
  }
}

variable "labels" {
  description = "Labels of the bucket."
  type        = map(string)
  default     = {}
}

variable "location" {
  description = "Where the bucket lives: a multi-region (US, EU, ASIA) or a predefined dual-region (NAM4, EUR4, EUR5, EUR7, EUR8, ASIA1)."
  type        = string
  default     = "US"

  validation {
    condition     = contains(["US", "EU", "ASIA", "NAM4", "EUR4", "EUR5", "EUR7", "EUR8", "ASIA1"], upper(var.location))
    error_message = "The document must not stand or fall with one region: choose US, EU, ASIA, NAM4, EUR4, EUR5, EUR7, EUR8 or ASIA1."
  }
}

variable "name" {
  description = "Prefix of the names of what is made here."
  type        = string
  default     = "failover"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,15}[a-z0-9])?$", var.name))
    error_message = "Small letters, digits and -, 17 at most: with what is appended it must still fit the name of a service account."
  }
}

variable "old_version_days" {
  description = "Days after which a version that was overwritten may be deleted. The newest 100 stay however old they are."
  type        = number
  default     = 30

  validation {
    condition     = var.old_version_days >= 7
    error_message = "Keep old versions for 7 days at least: they are what `state restore` brings back."
  }
}

variable "prefix" {
  description = "Path of `state` in failover.yaml below the bucket, with a slash at its end. Empty: no path."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([A-Za-z0-9._=-]+/)*$", var.prefix))
    error_message = "Write `folder/`, of letters, digits and . _ = -, or nothing."
  }
}

variable "project" {
  description = "Project of the bucket."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.project))
    error_message = "Write the project's id, such as my-project, not its number."
  }
}

variable "reader_services" {
  description = "Services whose document a reader may read, by the reader's name. One that is not named may read the document of every service."
  type        = map(set(string))
  default     = {}
}

variable "readers" {
  description = "Members that may read the documents and nothing else, such as `serviceAccount:app@my-project.iam.gserviceaccount.com`, by a name of their own: the applications."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(values(var.readers), ["allUsers", "allAuthenticatedUsers"])) == 0
    error_message = "The document is not for the public."
  }
}

variable "services" {
  description = "The services of failover.yaml: each has a document."
  type        = set(string)

  # They stand in the condition of a grant: a quote in one would begin another expression.
  validation {
    condition     = alltrue([for name in var.services : can(regex("^[a-z][a-z0-9-]{0,62}$", name))])
    error_message = "Write names in lower-case letters, digits and hyphens, beginning with a letter, at most 63 characters."
  }
}

variable "soft_delete_days" {
  description = "Days for which what was deleted can still be brought back."
  type        = number
  default     = 7

  validation {
    condition     = var.soft_delete_days >= 7 && var.soft_delete_days <= 90
    error_message = "Cloud Storage keeps what was soft-deleted for 7 to 90 days."
  }
}

variable "turbo_replication" {
  description = "Whether a dual-region bucket replicates within 15 minutes (at a price) instead of usually within the hour."
  type        = bool
  default     = false

  validation {
    condition     = !var.turbo_replication || !contains(["US", "EU", "ASIA"], upper(var.location))
    error_message = "Turbo replication exists for dual-regions only: choose NAM4, EUR4, EUR5, EUR7, EUR8 or ASIA1."
  }
}

variable "writers" {
  description = "Members that keep the document and the journal, by a name of their own: the orchestrator."
  type        = map(string)
}
