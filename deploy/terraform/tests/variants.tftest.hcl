# Every variant planned and applied against a provider that only pretends: no account is needed. What the policies
# come out as is compared with CloudFormation's by the repository's own tests, which run this with -verbose -json.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "000000000000" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:000000000000:log-files", url = "https://sqs.us-east-1.amazonaws.com/000000000000/log-files" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::lake", bucket = "lake", id = "lake" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::000000000000:role/mocked" }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:us-east-1:000000000000:cluster/rolecall", id = "arn:aws:ecs:us-east-1:000000000000:cluster/rolecall" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:us-east-1:000000000000:task-definition/rolecall:1" }
  }
  mock_resource "aws_ecr_repository" {
    defaults = { arn = "arn:aws:ecr:us-east-1:000000000000:repository/rolecall" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:000000000000:rolecall-alarms" }
  }
}

mock_provider "aws" {
  alias = "archive"
}

# One of them has names that tell its parts apart.
override_resource {
  target = module.other_account.aws_sqs_queue.dead_letters
  values = { arn = "arn:aws:sqs:us-east-1:000000000000:dead-letters", url = "https://sqs.us-east-1.amazonaws.com/000000000000/dead-letters" }
}

override_resource {
  target = module.other_account.aws_iam_role.this["execution"]
  values = { arn = "arn:aws:iam::000000000000:role/execution" }
}

override_resource {
  target = module.other_account.aws_iam_role.this["maintenance"]
  values = { arn = "arn:aws:iam::000000000000:role/maintenance" }
}

override_resource {
  target = module.other_account.aws_iam_role.this["inventory"]
  values = { arn = "arn:aws:iam::000000000000:role/inventory" }
}

override_resource {
  target = module.other_account.aws_iam_role.this["report"]
  values = { arn = "arn:aws:iam::000000000000:role/report" }
}

override_resource {
  target = module.other_account.aws_iam_role.this["report-execution"]
  values = { arn = "arn:aws:iam::000000000000:role/report-execution" }
}

variables {
  image_uri  = "registry.example/rolecall:0.1.0"
  vpc_id     = "vpc-0"
  subnet_ids = ["subnet-0", "subnet-1"]
}

# The variants in one run: each run starts the provider anew, which takes longer than all of them.
run "variants" {
  module {
    source = "./tests/variants"
  }

  assert {
    condition     = startswith(output.new_bucket.create_trail_command, "aws cloudtrail create-trail --name organisation --region us-east-1 --s3-bucket-name trail ")
    error_message = "Whoever manages the trails is told what to run."
  }
  assert {
    condition     = startswith(output.other_account.notification_command, "aws s3api get-bucket-notification-configuration --bucket trail ")
    error_message = "The bucket's owner is told what to run."
  }
  assert {
    condition     = output.event_bridge.notification_command == null && output.topic.notification_command == null && output.new_bucket.notification_command == null
    error_message = "Nobody else is told to."
  }
}

run "example_other_account" {
  module {
    source = "./examples/other-account"
  }
}

run "new_bucket_without_its_trail" {
  command = plan

  variables {
    name                = "rolecall"
    trail_bucket_name   = "trail"
    notification_source = "NewBucket"
  }

  expect_failures = [aws_s3_bucket.trail]
}
