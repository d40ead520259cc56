# The trail's bucket belongs to a log archive account, is encrypted with its key, and is read with a role there.
# Afterwards that account runs the command of the output notification_command.

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

provider "aws" {}

# Credentials for the log archive account.
provider "aws" {
  alias = "archive"
}

locals {
  archive_account_id = "111122223333"
  bucket             = "example-organisation-trail"
  key_arn            = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  external_id        = "a-value-of-your-own-choice"
}

module "rolecall" {
  source = "../.."

  name                    = "rolecall"
  notification_source     = "ExistingBucketNotification"
  trail_bucket_name       = local.bucket
  trail_bucket_account_id = local.archive_account_id
  trail_kms_key_arn       = local.key_arn
  source_role_arn         = "arn:aws:iam::${local.archive_account_id}:role/rolecall-source"
  source_external_id      = local.external_id
  image_uri               = var.image_uri
  vpc_id                  = var.vpc_id
  subnet_ids              = var.subnet_ids
  # Prometheus may scrape the worker, and nobody else reaches it.
  metrics_security_group_id = "sg-0123456789abcdef0"
}

resource "aws_iam_role" "source" {
  provider = aws.archive

  name = "rolecall-source"
  assume_role_policy = templatefile("${path.module}/../../../iam/source-account-trust.json", {
    external_id       = local.external_id
    worker_role_arn   = module.rolecall.worker_role_arn
    operator_role_arn = module.rolecall.operator_role_arn
  })
}

resource "aws_iam_role_policy" "source" {
  provider = aws.archive

  name = "log-files"
  role = aws_iam_role.source.id
  policy = templatefile("${path.module}/../../../iam/source-account.json", {
    trail_bucket_arn  = "arn:aws:s3:::${local.bucket}"
    trail_kms_key_arn = local.key_arn
    trail_prefix      = "AWSLogs/"
  })
}

output "rolecall" {
  description = "What RUNBOOK.md refers to."
  value       = module.rolecall
}
