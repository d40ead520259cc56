locals {
  notification = jsonencode({
    Id       = "rolecall"
    QueueArn = aws_sqs_queue.log_files.arn
    Events   = ["s3:ObjectCreated:*"]
    Filter = {
      Key = {
        FilterRules = [
          { Name = "prefix", Value = var.trail_prefix },
          { Name = "suffix", Value = ".json.gz" },
        ]
      }
    }
  })

  trail_name   = var.trail_arn == null ? "" : split("/", var.trail_arn)[1]
  trail_region = var.trail_arn == null ? "" : split(":", var.trail_arn)[3]
}

output "lake_uri" {
  description = "What to give as --lake or ROLECALL_LAKE."
  value       = local.lake_uri
}

output "lake_bucket_name" {
  description = "The lake's bucket."
  value       = aws_s3_bucket.lake.bucket
}

output "lake_prefix" {
  description = "The folder of the lake in it."
  value       = var.lake_prefix
}

output "security_group_id" {
  description = "The security group of all tasks."
  value       = aws_security_group.this.id
}

output "queue_url" {
  description = "What to give as --queue-url or ROLECALL_QUEUE_URL."
  value       = aws_sqs_queue.log_files.url
}

output "queue_arn" {
  description = "Where the bucket is to send its notifications."
  value       = aws_sqs_queue.log_files.arn
}

output "dead_letter_queue_url" {
  description = "The dead letters."
  value       = aws_sqs_queue.dead_letters.url
}

output "dead_letter_queue_arn" {
  description = "What to give to sqs start-message-move-task."
  value       = aws_sqs_queue.dead_letters.arn
}

output "cluster_name" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "network_configuration" {
  description = "What to give to ecs run-task."
  value       = "awsvpcConfiguration={subnets=[${join(",", var.subnet_ids)}],securityGroups=[${aws_security_group.this.id}],assignPublicIp=${var.assign_public_ip ? "ENABLED" : "DISABLED"}}"
}

output "log_group_name" {
  description = "The tasks' logs."
  value       = aws_cloudwatch_log_group.this.name
}

output "worker_role_arn" {
  description = "Whom the source account's role, a bucket policy or a key policy has to let in."
  value       = aws_iam_role.this["worker"].arn
}

output "operator_role_arn" {
  description = "Likewise, for backfill."
  value       = aws_iam_role.this["operator"].arn
}

output "maintenance_role_arn" {
  description = "Whom the policy of the lake's key has to let in, beside the two above."
  value       = aws_iam_role.this["maintenance"].arn
}

output "create_trail_command" {
  description = "NewBucket: run by the organisation's management account or its delegated administrator for CloudTrail."
  value       = local.makes_bucket ? "aws cloudtrail create-trail --name ${local.trail_name} --region ${local.trail_region} --s3-bucket-name ${var.trail_bucket_name} --is-organization-trail --is-multi-region-trail --include-global-service-events --enable-log-file-validation && aws cloudtrail start-logging --name ${local.trail_name} --region ${local.trail_region}" : null
}

output "notification_command" {
  description = "ExistingBucketNotification: run by the bucket's owner; put replaces the whole configuration, so it adds to what is there."
  value       = local.asks_owner ? "aws s3api get-bucket-notification-configuration --bucket ${var.trail_bucket_name} | jq -s '(.[0] // {}) | .QueueConfigurations = [.QueueConfigurations[]? | select(.Id != \"rolecall\")] + [${local.notification}]' > notification.json && aws s3api put-bucket-notification-configuration --bucket ${var.trail_bucket_name} --notification-configuration file://notification.json" : null
}

output "event_bridge_command" {
  description = "ExistingBucketEventBridge: shows whether EventBridge is on for the bucket; README.md says how to switch it on."
  value       = local.event_bridge_sends ? "aws s3api get-bucket-notification-configuration --bucket ${var.trail_bucket_name} --query EventBridgeConfiguration" : null
}

output "inventory_role_arn" {
  description = "With `reports`: what to give to stackset-inventory-role.yaml as TrustedPrincipalArn."
  value       = var.reports ? aws_iam_role.this["inventory"].arn : null
}

output "report_role_arn" {
  description = "With `reports`: whom the policy of the lake's key has to let in, beside the inventory's."
  value       = var.reports ? aws_iam_role.this["report"].arn : null
}

output "report_execution_role_arn" {
  description = "With `reports`: whom the policy of the webhook secret's key has to let in, if it is a key of yours."
  value       = var.reports ? aws_iam_role.this["report-execution"].arn : null
}
