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
  description = "When a region counts as failing for Monitoring: how many of the six checkers must fail, and for how many seconds. Also the seconds without any result after which people are notified."
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

  # The same rules as the function's (orchestrator/config/kinds.py). These texts become names, filters and
  # conditions of grants, in which a quote would begin another expression.
  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", yamldecode(file(var.config)).project))
    error_message = "failover.yaml: project: write the project's id, such as my-project, not its number."
  }

  validation {
    condition     = can(regex("^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[A-Za-z0-9._=-]+)*/?$", yamldecode(file(var.config)).state))
    error_message = "failover.yaml: state: write gs://BUCKET or gs://BUCKET/FOLDER: of letters, digits and . _ = -, the bucket's letters small."
  }

  validation {
    condition = alltrue([
      for topic in values(try(yamldecode(file(var.config)).topics, {})) :
      can(regex("^[A-Za-z][A-Za-z0-9._~+-]{2,254}$", topic)) && !startswith(topic, "goog") if topic != null
    ])
    error_message = "failover.yaml: topics: write names of 3 to 255 letters, digits and . _ ~ + -, beginning with a letter and not with goog."
  }

  validation {
    condition = alltrue([
      for name in flatten([
        for service, content in try(yamldecode(file(var.config)).services, {}) :
        [service, try(content.traffic.backend_service, "-")]
      ]) : can(regex("^[a-z][a-z0-9-]{0,62}$", name))
    ])
    error_message = "failover.yaml: write names of services and backend services in lower-case letters, digits and hyphens, beginning with a letter, at most 63 characters."
  }

  validation {
    condition = alltrue([
      for region in flatten([for content in values(try(yamldecode(file(var.config)).services, {})) : keys(try(content.regions, {}))]) :
      can(regex("^[a-z0-9][a-z0-9-]{0,62}$", region))
    ])
    error_message = "failover.yaml: write names of regions in lower-case letters, digits and hyphens, such as us-east-1, at most 63 characters."
  }
}

variable "data_access_logs" {
  description = "Whether Google records who publishes to topics and who writes objects: data access logs (DATA_WRITE) of Pub/Sub and Cloud Storage. They are the project's, for all of its topics and buckets, cost 0.50 USD per GiB beyond 50 GiB a month (about 1 to 2 KiB a publish or write), and take the place of what stands there for these two services. false: leave them as they are."
  type        = bool
  default     = true
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
  description = "Number of deliveries after which a message is given up and moved to the dead-letter topic. 40 take more than five hours."
  type        = number
  default     = 40
}

variable "name" {
  description = "Prefix of the names of what is made here. Another one allows a second orchestrator in the project."
  type        = string
  default     = "failover"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,15}[a-z0-9])?$", var.name))
    error_message = "Small letters, digits and -, 17 at most: with what is appended it must still fit the name of a service account."
  }
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

  validation {
    condition     = alltrue([for email in var.notification_emails : can(regex("^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$", email))])
    error_message = "Write addresses, such as oncall@example.com."
  }
}

variable "orchestrator_regions" {
  description = "Google Cloud regions of the orchestrator itself: at least two, and better not those of your first two service regions."
  type        = list(string)

  validation {
    condition     = length(distinct(var.orchestrator_regions)) >= 2
    error_message = "At least two regions: the orchestrator may live in the region that dies."
  }

  validation {
    condition     = alltrue([for region in var.orchestrator_regions : can(regex("^[a-z]+-[a-z]+[0-9]+$", region))])
    error_message = "Write Google Cloud regions, such as us-central1."
  }
}

variable "reminders" {
  description = "Seconds without a tick, and hours of a freeze, after which people are notified."
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

variable "state_reader_services" {
  description = "Services whose document a member of state_readers may read, by the member's name there. One that is not named here may read the document of every service."
  type        = map(set(string))
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.state_reader_services) : contains(keys(var.state_readers), name)])
    error_message = "Write names of state_readers."
  }

  validation {
    condition     = alltrue([for services in values(var.state_reader_services) : alltrue([for service in services : can(yamldecode(file(var.config)).services[service])])])
    error_message = "Write names of services in failover.yaml."
  }
}

variable "state_readers" {
  description = "Members that may read the state document and nothing else of the bucket: the applications, such as `serviceAccount:app@my-project.iam.gserviceaccount.com`, by a name of their own."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for member in values(var.state_readers) : can(regex("^[A-Za-z]+:[A-Za-z0-9._%+@:/*-]+$", member))])
    error_message = "Write members such as serviceAccount:app@my-project.iam.gserviceaccount.com. The public is refused."
  }
}
