# The policies are the files in deploy/iam, the same that CloudFormation has; deploy/README.md says why each
# statement is there. What a statement is about may be absent, and then so is the statement.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  iam = "${path.module}/../iam"

  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.name

  makes_bucket       = var.notification_source == "NewBucket"
  asks_owner         = var.notification_source == "ExistingBucketNotification"
  event_bridge_sends = var.notification_source == "ExistingBucketEventBridge"
  topic_sends        = var.notification_source == "ExistingSnsTopic"
  reads_itself       = var.source_role_arn == null
  reads_organization = var.inventory_accounts == null ? false : var.inventory_accounts == "organization"

  unwanted = concat(
    local.reads_itself ? ["AssumeSourceRole"] : ["FindLogFiles", "ReadLogFiles", "DecryptLogFiles", "SeeNotification"],
    var.trail_kms_key_arn == null ? ["DecryptLogFiles"] : [],
    var.lake_kms_key_arn == null ? ["UseLakeKey"] : [],
    var.queue_kms_key_arn == null ? ["DecryptMessages", "EncryptMessages"] : [],
    var.image_repository_arn == null ? ["SignInToRegistry", "PullImage"] : [],
    local.makes_bucket || local.asks_owner ? [] : ["LetBucketSend"],
    local.event_bridge_sends ? [] : ["LetEventBridgeSend"],
    local.topic_sends ? [] : ["LetTopicSend"],
    var.inventory_accounts == null ? ["AssumeInventoryRole"] : [],
    local.reads_organization ? [] : ["ReadOrganization", "ReadIdentityCenter", "ReadIdentityStore"],
    var.webhook_secret_arn == null ? ["ReadWebhook"] : [],
  )

  trail_bucket_arn = "arn:${local.partition}:s3:::${var.trail_bucket_name}"
  rule_name        = "${var.name}-log-files"

  # What stands in for the names in the files.
  values = merge(local.values_of_reports, {
    account_id              = local.account_id
    cluster_arn             = aws_ecs_cluster.this.arn
    dead_letter_queue_arn   = aws_sqs_queue.dead_letters.arn
    execution_role_arn      = aws_iam_role.this["execution"].arn
    image_repository_arn    = var.image_repository_arn == null ? "" : var.image_repository_arn
    lake_bucket_arn         = aws_s3_bucket.lake.arn
    lake_kms_key_arn        = var.lake_kms_key_arn == null ? "" : var.lake_kms_key_arn
    lake_prefix             = var.lake_prefix
    log_group_arn           = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${aws_cloudwatch_log_group.this.name}"
    maintenance_family_arn  = "arn:${local.partition}:ecs:${local.region}:${local.account_id}:task-definition/${var.name}-maintenance"
    maintenance_role_arn    = aws_iam_role.this["maintenance"].arn
    queue_arn               = aws_sqs_queue.log_files.arn
    queue_kms_key_arn       = var.queue_kms_key_arn == null ? "" : var.queue_kms_key_arn
    rule_arn                = "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/${local.rule_name}"
    sns_topic_arn           = var.sns_topic_arn == null ? "" : var.sns_topic_arn
    source_role_arn         = var.source_role_arn == null ? "" : var.source_role_arn
    trail_arn               = var.trail_arn == null ? "" : var.trail_arn
    trail_bucket_account_id = var.trail_bucket_account_id == null ? local.account_id : var.trail_bucket_account_id
    trail_bucket_arn        = local.trail_bucket_arn
    trail_kms_key_arn       = var.trail_kms_key_arn == null ? "" : var.trail_kms_key_arn
    trail_prefix            = var.trail_prefix
  })

  policies = {
    for name in concat(["dead-letter-queue", "execution", "lake-bucket", "maintenance", "operator", "queue", "scheduler", "trail-bucket", "worker"], keys(local.roles_of_reports)) :
    name => jsonencode({
      Version = "2012-10-17"
      Statement = [
        for statement in jsondecode(templatefile("${local.iam}/${name}.json", local.values)).Statement :
        statement if !contains(local.unwanted, statement.Sid)
      ]
    })
  }

  trust = {
    for name in ["scheduler", "tasks"] :
    name => templatefile("${local.iam}/${name}-trust.json", {
      account_id = local.account_id
      partition  = local.partition
      region     = local.region
    })
  }

  roles = merge(local.roles_of_reports, {
    worker      = { trust = "tasks", description = "What the rolecall worker may do" }
    maintenance = { trust = "tasks", description = "What rolecall maintain may do; it sees neither the queue nor the trail" }
    operator    = { trust = "tasks", description = "What an operator's own rolecall tasks may do, such as backfill and doctor" }
    execution   = { trust = "tasks", description = "What ECS itself does to start the rolecall tasks" }
    scheduler   = { trust = "scheduler", description = "What EventBridge Scheduler does to start rolecall maintain" }
  })
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name               = "${var.name}-${each.key}"
  description        = each.value.description
  assume_role_policy = local.trust[each.value.trust]
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = local.policies[each.key]
}
