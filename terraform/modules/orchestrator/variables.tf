variable "additional_permissions" {
  description = "Further permissions of the function on the project, such as compute.securityPolicies.use where a Cloud Armor policy is attached to a backend service."
  type        = set(string)
  default     = []
}

variable "backend_services" {
  description = "Names of the global backend services whose traffic is moved."
  type        = set(string)

  validation {
    condition     = length(var.backend_services) > 0
    error_message = "At least one, or there is nothing to move."
  }

  # They stand in the condition of a grant: a quote in one would begin another expression.
  validation {
    condition     = alltrue([for name in var.backend_services : can(regex("^[a-z][a-z0-9-]{0,62}$", name))])
    error_message = "Write names in lower-case letters, digits and hyphens, beginning with a letter, at most 63 characters."
  }
}

variable "control_topic" {
  description = "Full name of the control topic, `projects/P/topics/T`, on which the ticks go."
  type        = string
}

variable "cpu" {
  description = "CPUs of an instance. Below 1 an instance takes one request at a time."
  type        = string
  default     = "1"
}

variable "groups" {
  description = "URLs or paths of the groups behind the backend services. Their kinds decide which permissions are granted."
  type        = set(string)
}

variable "labels" {
  description = "Labels of functions and bucket."
  type        = map(string)
  default     = {}
}

variable "location" {
  description = "Location of the bucket of the source archive. It must not be a single region."
  type        = string
  default     = "US"
}

variable "max_instances" {
  description = "Most instances of each function. It is a bound on cost and no lock: several may run at once."
  type        = number
  default     = 5

  validation {
    condition     = var.max_instances >= 1
    error_message = "At least 1."
  }
}

variable "memory" {
  description = "Memory of an instance."
  type        = string
  default     = "512Mi"
}

variable "min_instances" {
  description = "Instances of each alert function that are kept warm. The control function needs none: a tick a minute keeps it so."
  type        = number
  default     = 1

  validation {
    condition     = var.min_instances >= 0 && var.min_instances <= var.max_instances
    error_message = "From 0 to max_instances."
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

variable "project" {
  description = "Project of the functions."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.project))
    error_message = "Write the project's id, such as my-project, not its number."
  }
}

variable "project_number" {
  description = "Its number: buckets of Google's own are named after it."
  type        = string

  validation {
    condition     = can(regex("^[0-9]+$", var.project_number))
    error_message = "Write digits."
  }
}

variable "publishes_to" {
  description = "Full names of the topics to which the function publishes, by a name of their own: the events topic."
  type        = map(string)
  default     = {}
}

variable "reads_checks" {
  description = "Whether the function asks Monitoring what the uptime checks found: `confirm: monitoring` of some service."
  type        = bool
  default     = false
}

variable "regions" {
  description = "Google Cloud regions of the orchestrator itself: at least two, for one may be the one that dies."
  type        = list(string)

  validation {
    condition     = length(distinct(var.regions)) >= 2 && length(distinct(var.regions)) == length(var.regions)
    error_message = "At least two regions, each named once: the orchestrator may live in the region that dies."
  }

  validation {
    condition     = alltrue([for region in var.regions : can(regex("^[a-z]+-[a-z]+[0-9]+$", region))])
    error_message = "Google Cloud regions, such as us-central1."
  }
}

variable "restrict_to_backend_services" {
  description = "Whether the function may change the named backend services only, by a condition on their names. false: every backend service of the project."
  type        = bool
  default     = true
}

variable "runtime" {
  description = "The functions' Python."
  type        = string
  default     = "python313"

  validation {
    condition     = contains(["python311", "python312", "python313"], var.runtime)
    error_message = "python311, python312 or python313."
  }
}

variable "source_archive" {
  description = "Path of the zip with main.py, requirements.txt, failover.yaml and orchestrator/."
  type        = string

  validation {
    condition     = fileexists(var.source_archive)
    error_message = "There is no such file."
  }
}

variable "timeout" {
  description = "Seconds that an invocation may take: below the acknowledgement deadline of 600, above the 200 for which it waits for one change of the load balancer."
  type        = number
  default     = 540

  validation {
    condition     = var.timeout >= 300 && var.timeout <= 590
    error_message = "From 300 to 590: Pub/Sub delivers again after 600."
  }
}

variable "writes_gauges" {
  description = "Whether the function writes gauges to Monitoring."
  type        = bool
  default     = false
}
