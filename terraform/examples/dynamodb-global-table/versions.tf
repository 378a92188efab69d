terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7"
    }
  }
}

# The first region of failover.yaml; the table's replicas are made from there.
provider "aws" {
  region = local.regions[0]
}
