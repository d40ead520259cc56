# Everything new: the trail's bucket too. Afterwards run the command of the output create_trail_command.

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
  description = "The image, pushed to the repository below."
  type        = string
}

variable "vpc_id" {
  description = "A network with a way to AWS: a NAT gateway, or endpoints for S3, SQS, STS, ECR and CloudWatch Logs."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of that network."
  type        = list(string)
}

data "aws_caller_identity" "current" {}

resource "aws_ecr_repository" "rolecall" {
  name                 = "rolecall"
  image_tag_mutability = "IMMUTABLE"
}

# Not encrypted with alias/aws/sns: CloudWatch may not use that key, and its alarms would be lost without a word.
resource "aws_sns_topic" "alarms" {
  name = "rolecall-alarms"
}

resource "aws_sns_topic" "findings" {
  name = "rolecall-findings"
}

module "rolecall" {
  source = "../.."

  name                 = "rolecall"
  notification_source  = "NewBucket"
  trail_bucket_name    = "example-organisation-trail"
  trail_arn            = "arn:aws:cloudtrail:eu-west-1:${data.aws_caller_identity.current.account_id}:trail/organisation"
  image_uri            = var.image_uri
  image_repository_arn = aws_ecr_repository.rolecall.arn
  vpc_id               = var.vpc_id
  subnet_ids           = var.subnet_ids
  alarm_topic_arn      = aws_sns_topic.alarms.arn
  # Inventory of this account and all reports, once a day; findings are told to those who own keys and roles.
  reports            = true
  findings_topic_arn = aws_sns_topic.findings.arn
}

output "rolecall" {
  description = "What RUNBOOK.md refers to."
  value       = module.rolecall
}
