# The module once for each way of announcing log files, with all that is optional in the last one; and the
# examples that need one account only. For ../variants.tftest.hcl, not for use.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {}

locals {
  of_all = {
    image_uri         = "registry.example/rolecall:0.1.0"
    trail_bucket_name = "trail"
    vpc_id            = "vpc-0"
    subnet_ids        = ["subnet-0", "subnet-1"]
  }
}

module "new_bucket" {
  source = "../.."

  name                = "rolecall"
  notification_source = "NewBucket"
  trail_arn           = "arn:aws:cloudtrail:us-east-1:000000000000:trail/organisation"
  reports             = true
  trail_bucket_name   = local.of_all.trail_bucket_name
  image_uri           = local.of_all.image_uri
  vpc_id              = local.of_all.vpc_id
  subnet_ids          = local.of_all.subnet_ids
}

module "event_bridge" {
  source = "../.."

  name                = "rolecall"
  notification_source = "ExistingBucketEventBridge"
  trail_bucket_name   = local.of_all.trail_bucket_name
  image_uri           = local.of_all.image_uri
  vpc_id              = local.of_all.vpc_id
  subnet_ids          = local.of_all.subnet_ids
}

module "topic" {
  source = "../.."

  name                = "rolecall"
  notification_source = "ExistingSnsTopic"
  sns_topic_arn       = "arn:aws:sns:us-east-1:000000000000:trail"
  trail_bucket_name   = local.of_all.trail_bucket_name
  image_uri           = local.of_all.image_uri
  vpc_id              = local.of_all.vpc_id
  subnet_ids          = local.of_all.subnet_ids
}

module "other_account" {
  source = "../.."

  name                      = "rolecall"
  notification_source       = "ExistingBucketNotification"
  trail_bucket_account_id   = "111111111111"
  trail_kms_key_arn         = "arn:aws:kms:us-east-1:111111111111:key/trail"
  lake_kms_key_arn          = "arn:aws:kms:us-east-1:000000000000:key/lake"
  queue_kms_key_arn         = "arn:aws:kms:us-east-1:000000000000:key/queue"
  source_role_arn           = "arn:aws:iam::111111111111:role/rolecall-source"
  source_external_id        = "chosen-by-us"
  image_repository_arn      = "arn:aws:ecr:us-east-1:000000000000:repository/rolecall"
  metrics_security_group_id = "sg-0"
  keep_days                 = 400
  reports                   = true
  inventory_accounts        = "organization"
  inventory_external_id     = "chosen-by-us"
  webhook_secret_arn        = "arn:aws:secretsmanager:us-east-1:000000000000:secret:webhook-AbCdEf"
  findings_topic_arn        = "arn:aws:sns:us-east-1:000000000000:findings"
  trail_bucket_name         = local.of_all.trail_bucket_name
  image_uri                 = local.of_all.image_uri
  vpc_id                    = local.of_all.vpc_id
  subnet_ids                = local.of_all.subnet_ids
}

module "example_new_bucket" {
  source = "../../examples/new-bucket"

  image_uri  = local.of_all.image_uri
  vpc_id     = local.of_all.vpc_id
  subnet_ids = local.of_all.subnet_ids
}

module "example_existing_topic" {
  source = "../../examples/existing-topic"

  image_uri  = local.of_all.image_uri
  vpc_id     = local.of_all.vpc_id
  subnet_ids = local.of_all.subnet_ids
}

output "new_bucket" {
  value = module.new_bucket
}

output "event_bridge" {
  value = module.event_bridge
}

output "topic" {
  value = module.topic
}

output "other_account" {
  value = module.other_account
}
