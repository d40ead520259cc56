# The bucket's log files are announced on an SNS topic already, to others too.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }
}

variable "image_uri" {
  description = "The image."
  type        = string
}

variable "vpc_id" {
  description = "A network with a way to AWS."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of that network."
  type        = list(string)
}

module "rolecall" {
  source = "../.."

  name                = "rolecall"
  notification_source = "ExistingSnsTopic"
  sns_topic_arn       = "arn:aws:sns:eu-west-1:111122223333:trail"
  trail_bucket_name   = "example-organisation-trail"
  trail_prefix        = "organisation/AWSLogs/"
  image_uri           = var.image_uri
  vpc_id              = var.vpc_id
  subnet_ids          = var.subnet_ids
  keep_days           = 400
}

output "rolecall" {
  description = "What RUNBOOK.md refers to."
  value       = module.rolecall
}
