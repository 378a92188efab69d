variable "dns_zone" {
  description = "Name of a Cloud DNS zone of the project in which the names are made. null: make the A records of the output `records` yourself."
  type        = string
  default     = null
}

variable "domain" {
  description = "Name under which users reach the application."
  type        = string
}

variable "instances" {
  description = "Instances in each region. A drained standby has them too: that is what it costs to take over at once."
  type        = number
  default     = 2

  validation {
    condition     = var.instances >= 1
    error_message = "At least 1."
  }
}

variable "machine_type" {
  description = "Machine type of the instances."
  type        = string
  default     = "e2-small"
}

variable "notification_emails" {
  description = "Who is paged."
  type        = set(string)
}

variable "orchestrator_regions" {
  description = "Where the orchestrator itself lives: none of the application's regions."
  type        = list(string)
  default     = ["us-central1", "northamerica-northeast1"]
}
