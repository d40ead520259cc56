# How log files are announced, and the queue they are announced on.

resource "aws_s3_bucket" "trail" {
  count = local.makes_bucket ? 1 : 0

  # A bucket with log files in it is not deleted: force_destroy stays false.
  bucket = var.trail_bucket_name

  lifecycle {
    precondition {
      condition     = var.trail_arn != null
      error_message = "notification_source NewBucket needs trail_arn."
    }
    precondition {
      condition     = var.trail_bucket_account_id == null
      error_message = "notification_source NewBucket makes the bucket in this account."
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "trail" {
  count = local.makes_bucket ? 1 : 0

  bucket = aws_s3_bucket.trail[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "trail" {
  count = local.makes_bucket ? 1 : 0

  bucket = aws_s3_bucket.trail[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "trail" {
  count = local.makes_bucket ? 1 : 0

  bucket                  = aws_s3_bucket.trail[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "trail" {
  count = local.makes_bucket ? 1 : 0

  bucket = aws_s3_bucket.trail[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "trail" {
  count = local.makes_bucket ? 1 : 0

  bucket = aws_s3_bucket.trail[0].id

  rule {
    id     = "broken-off-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "trail" {
  count = local.makes_bucket ? 1 : 0

  bucket     = aws_s3_bucket.trail[0].id
  policy     = local.policies["trail-bucket"]
  depends_on = [aws_s3_bucket_public_access_block.trail]
}

# Of an existing bucket this resource would replace all other notifications, so there a command does it: see
# the outputs.
resource "aws_s3_bucket_notification" "trail" {
  count = local.makes_bucket ? 1 : 0

  bucket = aws_s3_bucket.trail[0].id

  queue {
    id            = "rolecall"
    queue_arn     = aws_sqs_queue.log_files.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = var.trail_prefix
    filter_suffix = ".json.gz"
  }

  # S3 tries the target when it is set, so the queue must accept it by then.
  depends_on = [aws_sqs_queue_policy.log_files]
}

resource "aws_cloudwatch_event_rule" "object_created" {
  count = local.event_bridge_sends ? 1 : 0

  name        = local.rule_name
  description = "CloudTrail log files that S3 has announced, for rolecall"

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    account     = [local.account_id]
    detail = {
      bucket = { name = [var.trail_bucket_name] }
      object = { key = [{ prefix = var.trail_prefix }] }
    }
  })

  lifecycle {
    precondition {
      condition     = var.trail_bucket_account_id == null
      error_message = "A bucket's events go to its own account's bus; forward them, or take another source."
    }
  }
}

resource "aws_cloudwatch_event_target" "queue" {
  count = local.event_bridge_sends ? 1 : 0

  rule      = aws_cloudwatch_event_rule.object_created[0].name
  target_id = "queue"
  arn       = aws_sqs_queue.log_files.arn
}

# For a topic in another region, give the module a provider of the topic's region for this one resource.
resource "aws_sns_topic_subscription" "queue" {
  count = local.topic_sends ? 1 : 0

  topic_arn            = var.sns_topic_arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.log_files.arn
  raw_message_delivery = true
  depends_on           = [aws_sqs_queue_policy.log_files]

  lifecycle {
    precondition {
      condition     = var.sns_topic_arn != null
      error_message = "notification_source ExistingSnsTopic needs sns_topic_arn."
    }
  }
}

resource "aws_sqs_queue" "log_files" {
  name = "${var.name}-log-files"

  # The longest there is: so long may the worker stand still without losing an announcement.
  message_retention_seconds         = 1209600
  receive_wait_time_seconds         = 20
  visibility_timeout_seconds        = var.visibility_timeout_seconds
  sqs_managed_sse_enabled           = var.queue_kms_key_arn == null ? true : null
  kms_master_key_id                 = var.queue_kms_key_arn
  kms_data_key_reuse_period_seconds = var.queue_kms_key_arn == null ? null : 3600

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
}

# Dead letters are the only trace of log files that are not in the lake: look at them before a destroy. A dead
# letter's age counts from when it was first sent, so no shorter retention than the longest will do.
resource "aws_sqs_queue" "dead_letters" {
  name = "${var.name}-dead-letters"

  message_retention_seconds         = 1209600
  sqs_managed_sse_enabled           = var.queue_kms_key_arn == null ? true : null
  kms_master_key_id                 = var.queue_kms_key_arn
  kms_data_key_reuse_period_seconds = var.queue_kms_key_arn == null ? null : 3600

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["arn:${local.partition}:sqs:${local.region}:${local.account_id}:${var.name}-log-files"]
  })
}

resource "aws_sqs_queue_policy" "log_files" {
  queue_url = aws_sqs_queue.log_files.url
  policy    = local.policies["queue"]
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  policy    = local.policies["dead-letter-queue"]
}
