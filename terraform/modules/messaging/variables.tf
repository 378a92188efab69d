variable "ack_deadline" {
  description = "Seconds that Pub/Sub waits for an answer before it delivers again. Pub/Sub allows no more than 600."
  type        = number
  default     = 600

  validation {
    condition     = var.ack_deadline >= 10 && var.ack_deadline <= 600
    error_message = "Pub/Sub allows 10 to 600 seconds."
  }
}

variable "dead_letter_days" {
  description = "Days for which a message that was given up is kept for people to look at."
  type        = number
  default     = 14

  validation {
    condition     = var.dead_letter_days >= 1 && var.dead_letter_days <= 31
    error_message = "Pub/Sub keeps messages for 31 days at most."
  }
}

variable "endpoints" {
  description = "The functions, by a name that is part of the subscription's: which topic each takes (alerts or control) and its URL."
  type = map(object({
    topic = string
    uri   = string
  }))

  validation {
    condition     = alltrue([for endpoint in var.endpoints : contains(["alerts", "control"], endpoint.topic)])
    error_message = "A function takes the topic alerts or control."
  }
}

variable "labels" {
  description = "Labels of topics, subscriptions and policies."
  type        = map(string)
  default     = {}
}

variable "max_backoff" {
  description = "Longest pause between two deliveries of one message, in seconds."
  type        = number
  default     = 600

  validation {
    condition     = var.max_backoff >= 10 && var.max_backoff <= 600
    error_message = "Pub/Sub allows 10 to 600 seconds."
  }
}

# With pauses of 10 s, doubled up to 600 s, n attempts take sum(min(600, 10 * 2^i), i = 0 .. n-2):
#
#   10 + 20 + 40 + 80 + 160 + 320 = 630 s   7 attempts
#   + 5 * 600 = 3,630 s                    12 attempts: the first number beyond an hour
#   + 33 * 600 = 20,430 s                  40 attempts: 5 h 40 min
#
# Google does not say how fast the pauses grow. Were it by a tenth only, 40 attempts would still take
# 10 * (1.1^39 - 1) / 0.1 = 4,014 s, more than an hour; 12 would take 185 s. So it is 40.
variable "max_delivery_attempts" {
  description = "Number of deliveries after which a message is given up and moved to the dead-letter topic. They must last at least an hour."
  type        = number
  default     = 40

  validation {
    condition     = var.max_delivery_attempts >= 5 && var.max_delivery_attempts <= 100
    error_message = "Pub/Sub allows 5 to 100 attempts."
  }

  validation {
    condition = 3600 <= sum([
      for attempt in range(var.max_delivery_attempts - 1) :
      min(var.max_backoff, var.min_backoff * pow(2, attempt))
    ])
    error_message = "A message must be tried for an hour at least before it is given up: an outage of Google Cloud itself is when it is needed."
  }
}

variable "min_backoff" {
  description = "Shortest pause between two deliveries of one message, in seconds."
  type        = number
  default     = 10

  validation {
    condition     = var.min_backoff >= 10 && var.min_backoff <= 600
    error_message = "Below 10 seconds a function that cannot be reached is called so often that its quota is used up. Pub/Sub allows up to 600."
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

variable "notification_channels" {
  description = "Ids of the people's notification channels."
  type        = list(string)
}

variable "project" {
  description = "Project of the topics."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.project))
    error_message = "Write the project's id, such as my-project, not its number."
  }
}

variable "project_number" {
  description = "Its number: Google's own service agents are named after it."
  type        = string

  validation {
    condition     = can(regex("^[0-9]+$", var.project_number))
    error_message = "Write digits."
  }
}

variable "pushers" {
  description = "Service accounts whose identity tokens the pushes carry, by the use of the topic (alerts or control): email and full name of each."
  type = map(object({
    email = string
    name  = string
  }))

  validation {
    condition     = length(setintersection(keys(var.pushers), ["alerts", "control"])) == 2 && length(distinct([for account in var.pushers : account.name])) == length(var.pushers)
    error_message = "One account for alerts and another for control: by it a function knows which topic a push is from."
  }
}

variable "retention" {
  description = "Seconds for which an unacknowledged message is kept: 24 h, the age up to which an alert still updates health."
  type        = number
  default     = 86400

  validation {
    condition     = var.retention >= 21600 && var.retention <= 2678400
    error_message = "Six hours to 31 days: a message that expires before its last attempt never reaches the dead-letter topic."
  }
}

variable "topics" {
  description = "Names of the topics, as in failover.yaml. Without `events` no such topic is made."
  type = object({
    alerts  = string
    control = string
    events  = optional(string)
  })

  validation {
    condition = alltrue([
      for topic in values(var.topics) :
      can(regex("^[A-Za-z][A-Za-z0-9._~+-]{2,254}$", topic)) && !startswith(topic, "goog") if topic != null
    ])
    error_message = "Write names of 3 to 255 letters, digits and . _ ~ + -, beginning with a letter and not with goog."
  }
}
