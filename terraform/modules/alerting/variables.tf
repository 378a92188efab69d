variable "absence" {
  description = "Seconds without any result of a check after which people are notified. At least 120."
  type        = number
  default     = 300

  validation {
    condition     = var.absence >= 120 && var.absence % 60 == 0
    error_message = "Monitoring takes whole minutes, two at least."
  }
}

variable "auto_close" {
  description = "Seconds without any data after which Monitoring closes an incident by itself. Not shorter than the 1,200 s for which a result counts."
  type        = number
  default     = 3600

  validation {
    condition     = var.auto_close >= 1800
    error_message = "Write half an hour or more. An incident that is closed earlier would open again from old results."
  }
}

variable "check_timeout" {
  description = "Seconds that a checker waits for an answer."
  type        = number
  default     = 10

  validation {
    condition     = var.check_timeout >= 1 && var.check_timeout <= 60
    error_message = "Monitoring allows 1 to 60 seconds."
  }
}

variable "checks" {
  description = "What is watched, by `service/region`: the health URL of one region of one service. oidc: whether the checkers send an identity token (Cloud Run behind IAM)."
  type = map(object({
    health_url = string
    oidc       = optional(bool, false)
    region     = string
    service    = string
  }))

  validation {
    condition     = alltrue([for check in var.checks : can(regex("^https?://[^/:?#@]+(:[0-9]+)?(/[^#]*)?$", check.health_url))])
    error_message = "A health_url is http:// or https://, a host, perhaps a port and a path."
  }

  # Google's front end answers these itself, with 404: the check would say nothing about the application.
  validation {
    condition = alltrue([
      for check in var.checks :
      !can(regex("^https?://(?i:[^/:?#]+\\.run\\.app)(:[0-9]+)?/[^?#]*z([?#].*)?$", check.health_url))
    ])
    error_message = "On *.run.app Google's front end answers some paths that end in z (such as /healthz) itself, with 404. Use /health."
  }

  # They are what the function tells a region by, so they must fit into a label as they are.
  validation {
    condition = alltrue([
      for check in var.checks :
      can(regex("^[a-z0-9_-]{1,63}$", check.region)) && can(regex("^[a-z0-9_-]{1,63}$", check.service))
    ])
    error_message = "Names of services and regions become labels: small letters, digits, - and _, 63 at most."
  }
}

variable "duration" {
  description = "Seconds for which the checkers must fail before an incident opens."
  type        = number
  default     = 60

  validation {
    condition     = var.duration >= 0 && var.duration % 60 == 0
    error_message = "Monitoring takes whole minutes, or 0."
  }
}

variable "failing_checkers" {
  description = "How many of the six checkers must fail at once."
  type        = number
  default     = 2

  validation {
    condition     = var.failing_checkers >= 1 && var.failing_checkers <= 6
    error_message = "There are six checkers. With one, a fault on that checker's own way is a failover."
  }
}

variable "labels" {
  description = "Further labels of checks and policies."
  type        = map(string)
  default     = {}
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

variable "notification_channels" {
  description = "Ids of the people's notification channels. They are notified of checks without results. Failing regions go to the topic."
  type        = list(string)
}

variable "project" {
  description = "Project of checks and policies."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.project))
    error_message = "Write the project's id, such as my-project, not its number."
  }
}

variable "project_number" {
  description = "Its number: Google's own service agents are named after it."
  type        = string
}

variable "topic" {
  description = "Full name of the alerts topic, `projects/P/topics/T`."
  type        = string
}
