variable "domain" {
  description = "Name under which users reach the application, such as checkout.example.com. Its A record must point to the output `address`. null: plain HTTP on the address, to try it out."
  type        = string
  default     = null
}

variable "image" {
  description = "The application. It must answer 200 on the path of its health_url. Google's sample answers every path."
  type        = string
  default     = "us-docker.pkg.dev/cloudrun/container/hello"
}

variable "min_instances" {
  description = "Instances that are kept warm in each region. With 0 a region that takes over starts cold."
  type        = number
  default     = 1

  validation {
    condition     = var.min_instances >= 0
    error_message = "0 or more."
  }
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
