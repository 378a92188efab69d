variable "data_access_logs" {
  description = "Whether Google records who publishes to topics and who writes objects (DATA_WRITE of Pub/Sub and Cloud Storage), in the whole project. It takes the place of what stands there for these two services."
  type        = bool
  default     = true
}

variable "dead_letter_subscription" {
  description = "Name of the subscription that holds what was given up."
  type        = string
}

variable "emails" {
  description = "Addresses for which notification channels are made."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)+$", email))])
    error_message = "Write addresses, such as oncall@example.com."
  }
}

variable "freeze_hours" {
  description = "Hours after which people are reminded of a freeze that still stands."
  type        = number
  default     = 4

  validation {
    condition     = var.freeze_hours >= 1 && var.freeze_hours <= 23
    error_message = "From 1 to 23: Monitoring looks back a day at most."
  }
}

variable "function_account" {
  description = "Email of the account as which the functions run."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9.@-]+$", var.function_account))
    error_message = "Write the account's email."
  }
}

variable "functions" {
  description = "Name, kind (alert or control) and region of each function, by `kind-region`."
  type = map(object({
    kind   = string
    name   = string
    region = string
  }))
}

variable "gauges" {
  description = "Whether the functions write gauges. If they do, people are notified when the gauges stop."
  type        = bool
  default     = false
}

variable "labels" {
  description = "Labels of policies and metrics."
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
  description = "Ids of notification channels that exist, besides those for `emails`."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.notification_channels) + length(var.emails) > 0
    error_message = "Somebody must hear of it when a human is needed: give notification_channels or emails."
  }
}

variable "project" {
  description = "Project of the policies."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.project))
    error_message = "Write the project's id, such as my-project, not its number."
  }
}

variable "subscriptions" {
  description = "Names of the push subscriptions, by endpoint."
  type        = map(string)
}

variable "tick_silence" {
  description = "Seconds without a handled tick in a region after which people are notified."
  type        = number
  default     = 600

  validation {
    condition     = var.tick_silence >= 180 && var.tick_silence % 60 == 0
    error_message = "Whole minutes, three at least: one tick may be lost."
  }
}
