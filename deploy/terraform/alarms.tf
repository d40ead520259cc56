# Alarms: deploy/RUNBOOK.md has a section for each.

locals {
  metrics = "rolecall/${var.name}"
  tell    = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
}

resource "aws_cloudwatch_log_metric_filter" "commits" {
  name           = "commits"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = "{ $.message = \"batch committed\" }"

  metric_transformation {
    namespace = local.metrics
    name      = "Commits"
    value     = "1"
    unit      = "Count"
  }
}

resource "aws_cloudwatch_log_metric_filter" "maintenance" {
  name           = "maintenance"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = "{ $.tables.log_files.files_vacuumed >= 0 }"

  metric_transformation {
    namespace = local.metrics
    name      = "MaintenanceRounds"
    value     = "1"
    unit      = "Count"
  }
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Log files were given up on and are not in the lake. RUNBOOK.md, dead-letters."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  # SQS stops reporting on a queue that nobody has used for hours.
  treat_missing_data = "notBreaching"
  alarm_actions      = local.tell
  ok_actions         = local.tell
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  alarm_name          = "${var.name}-oldest-message"
  alarm_description   = "The workers fall behind, or one log file cannot be read. RUNBOOK.md, oldest-message."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.log_files.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.oldest_message_alarm_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.tell
  ok_actions          = local.tell
}

resource "aws_cloudwatch_metric_alarm" "no_commits" {
  alarm_name          = "${var.name}-no-commits"
  alarm_description   = "Nothing reaches the lake, whatever the reason. RUNBOOK.md, no-commits."
  namespace           = local.metrics
  metric_name         = "Commits"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = var.no_commits_alarm_minutes / 5
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  # No line in the log, no data: that is what it is about.
  treat_missing_data = "breaching"
  alarm_actions      = local.tell
  ok_actions         = local.tell
}

resource "aws_cloudwatch_metric_alarm" "no_maintenance" {
  alarm_name          = "${var.name}-no-maintenance"
  alarm_description   = "No round of maintenance was finished for two days. RUNBOOK.md, no-maintenance."
  namespace           = local.metrics
  metric_name         = "MaintenanceRounds"
  statistic           = "Sum"
  period              = 86400
  evaluation_periods  = 2
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = local.tell
  ok_actions          = local.tell
}
