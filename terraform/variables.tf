variable "additional_permissions" {
  description = "Further permissions of the function on the project, such as compute.securityPolicies.use where a Cloud Armor policy is attached to a backend service."
  type        = set(string)
  default     = []
}

variable "bucket" {
  description = "The state bucket: where it lives (never in one region alone), and how long what is old or deleted is kept. Its name comes from `state` in failover.yaml."
  type = object({
    force_destroy     = optional(bool, false)
    journal_days      = optional(number, 400)
    location          = optional(string, "US")
    old_version_days  = optional(number, 30)
    soft_delete_days  = optional(number, 7)
    turbo_replication = optional(bool, false)
  })
  default = {}
}

variable "checks" {
  description = "When a region counts as failing for Monitoring: how many of the six checkers must fail, for how many seconds; and after how many seconds without any result people are told."
  type = object({
    absence          = optional(number, 300)
    auto_close       = optional(number, 3600)
    duration         = optional(number, 60)
    failing_checkers = optional(number, 2)
    timeout          = optional(number, 10)
  })
  default = {}
}

variable "config" {
  description = "Path of failover.yaml. Project, topics, state bucket, services, regions and health URLs are read from it."
  type        = string

  validation {
    condition     = fileexists(var.config) && can(yamldecode(file(var.config)).services)
    error_message = "There is no such file, or it is no failover.yaml."
  }

  validation {
    condition     = try(yamldecode(file(var.config)).version, null) == 1
    error_message = "failover.yaml: version must be 1."
  }

  validation {
    condition     = can(regex("^gs://[a-z0-9]", yamldecode(file(var.config)).state))
    error_message = "failover.yaml: state must be gs://BUCKET; file:// is for a laptop."
  }

  validation {
    condition     = try(yamldecode(file(var.config)).topics.control, null) != null
    error_message = "failover.yaml: topics.control is missing: without it there are no ticks, and nothing finishes what a crash left."
  }
}

variable "functions" {
  description = "Size of the functions, their Python, and how many alert functions per region are kept warm (about 10 USD a month each, see docs/deploy.md)."
  type = object({
    cpu           = optional(string, "1")
    max_instances = optional(number, 5)
    memory        = optional(string, "512Mi")
    min_instances = optional(number, 1)
    runtime       = optional(string, "python313")
  })
  default = {}
}

variable "labels" {
  description = "Labels of everything that can carry some."
  type        = map(string)
  default     = {}
}

variable "max_delivery_attempts" {
  description = "After so many deliveries a message is given up and moved to the dead-letter topic; 40 take more than five hours."
  type        = number
  default     = 40
}

variable "name" {
  description = "Prefix of the names of what is made here. Another one allows a second orchestrator in the project."
  type        = string
  default     = "failover"
}

variable "notification_channels" {
  description = "Ids of the people's notification channels that exist: who is paged."
  type        = list(string)
  default     = []
}

variable "notification_emails" {
  description = "Addresses for which notification channels are made: who is paged. These or notification_channels must be given."
  type        = set(string)
  default     = []
}

variable "orchestrator_regions" {
  description = "Google Cloud regions of the orchestrator itself: at least two, and better not those of your first two service regions."
  type        = list(string)

  validation {
    condition     = length(distinct(var.orchestrator_regions)) >= 2
    error_message = "At least two regions: the orchestrator may live in the region that dies."
  }
}

variable "reminders" {
  description = "Seconds without a tick, and hours of a freeze, after which people are told."
  type = object({
    freeze_hours = optional(number, 4)
    tick_silence = optional(number, 600)
  })
  default = {}
}

variable "restrict_to_backend_services" {
  description = "Whether the function may change only the backend services that failover.yaml names, by a condition on their names. false: every one of the project."
  type        = bool
  default     = true
}

variable "source_archive" {
  description = "Path of the source archive that `make package` has made, with the same failover.yaml in it. null: it is made here."
  type        = string
  default     = null
}

variable "state_readers" {
  description = "Members that may read the state document: the applications, such as `serviceAccount:app@my-project.iam.gserviceaccount.com`, by a name of their own."
  type        = map(string)
  default     = {}
}
