# Inventory and reports on timers, where `reports` asks for them: what reports.yaml makes beside rolecall.yaml.

locals {
  all_roles_of_reports = {
    inventory        = { trust = "tasks", description = "What rolecall inventory may do; it sees neither the queue nor the log files" }
    report           = { trust = "tasks", description = "What rolecall report may do; it writes nothing but reports" }
    report-execution = { trust = "tasks", description = "What ECS itself does to start the tasks of inventory and reports" }
    report-scheduler = { trust = "scheduler", description = "What EventBridge Scheduler does to start rolecall inventory and rolecall report" }
  }
  roles_of_reports = { for name, role in local.all_roles_of_reports : name => role if var.reports }

  families = "arn:${local.partition}:ecs:${local.region}:${local.account_id}:task-definition/${var.name}"

  # What stands in for the names in the policies.
  values_of_reports = {
    inventory_family_arn      = "${local.families}-inventory"
    inventory_role_arn        = var.reports ? aws_iam_role.this["inventory"].arn : ""
    inventory_role_name       = var.inventory_role_name
    partition                 = local.partition
    report_execution_role_arn = var.reports ? aws_iam_role.this["report-execution"].arn : ""
    report_family_arn         = "${local.families}-report"
    report_prefix             = var.report_prefix
    report_role_arn           = var.reports ? aws_iam_role.this["report"].arn : ""
    webhook_secret_arn        = var.webhook_secret_arn == null ? "" : var.webhook_secret_arn
  }

  all_tasks_of_reports = {
    inventory = {
      # A line for each account, so that the alarm can tell that there is one.
      command = concat(
        ["inventory", "--format", "ndjson"],
        local.reads_organization ? ["--organization"] : [for accounts in compact([var.inventory_accounts]) : "--accounts=${accounts}"],
        var.inventory_accounts == null ? [] : ["--role-name", var.inventory_role_name],
        var.inventory_accounts == null || var.inventory_external_id == null ? [] : ["--external-id", var.inventory_external_id],
      )
      cpu         = 1024
      memory      = 4096
      environment = local.of_lake
      more        = {}
    }
    report = {
      # The last line that it logs ends with its exit code, for the alarms.
      command = concat(
        ["report", "--all", "--since-last", "--output", "s3://${aws_s3_bucket.lake.bucket}/${var.report_prefix}"],
        ["--format", var.report_format, "--days", tostring(var.report_days), "--fail-on", var.report_fail_on],
        var.report_require_coverage == null ? [] : ["--require-coverage", tostring(var.report_require_coverage)],
      )
      cpu         = var.report_cpu
      memory      = var.report_memory
      environment = local.of_lake
      more        = { for arn in compact([var.webhook_secret_arn]) : "secrets" => [{ name = "ROLECALL_WEBHOOK", valueFrom = arn }] }
    }
  }
  tasks_of_reports = { for name, task in local.all_tasks_of_reports : name => task if var.reports }

  all_timers_of_reports = {
    inventory = { description = "rolecall inventory", schedule = var.inventory_schedule }
    report    = { description = "rolecall report --all", schedule = var.report_schedule }
  }
  timers_of_reports = { for name, timer in local.all_timers_of_reports : name => timer if var.reports }

  # Findings are for those who own keys and roles, the others for those who run this: hence two topics.
  find = var.findings_topic_arn == null ? [] : [var.findings_topic_arn]
  all_filters_of_reports = {
    Snapshots                 = "{ $.snapshot_id = \"*\" }"
    ReportRuns                = "\"rolecall:\" \"exit code\""
    FailedReportRuns          = "\"rolecall:\" \"exit code 1\""
    ReportRunsWithFindings    = "\"rolecall:\" \"exit code 3\""
    ReportRunsWithLowCoverage = "\"rolecall:\" \"exit code 4\""
  }
  all_alarms_of_reports = {
    no-inventory   = { metric = "Snapshots", absent = true, tell = local.tell, description = "No snapshot of any account was taken for two days. RUNBOOK.md, no-inventory." }
    no-reports     = { metric = "ReportRuns", absent = true, tell = local.tell, description = "No run of the reports came to an end for two days. RUNBOOK.md, no-reports." }
    reports-failed = { metric = "FailedReportRuns", absent = false, tell = local.tell, description = "A report could not be made. RUNBOOK.md, reports-failed." }
    low-coverage   = { metric = "ReportRunsWithLowCoverage", absent = false, tell = local.tell, description = "The logs hold too little for verdicts. RUNBOOK.md, low-coverage." }
    findings       = { metric = "ReportRunsWithFindings", absent = false, tell = local.find, description = "The reports have findings, and nothing failed. RUNBOOK.md, findings." }
  }
}

resource "aws_scheduler_schedule" "reports" {
  for_each = local.timers_of_reports

  name                         = each.key
  group_name                   = aws_scheduler_schedule_group.this.name
  description                  = each.value.description
  schedule_expression          = each.value.schedule
  schedule_expression_timezone = "UTC"

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 15
  }

  target {
    arn      = aws_ecs_cluster.this.arn
    role_arn = aws_iam_role.this["report-scheduler"].arn

    # A run that could not be started within the hour is left to the next one.
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.this[each.key].arn
      launch_type         = "FARGATE"
      platform_version    = "LATEST"
      task_count          = 1

      network_configuration {
        assign_public_ip = var.assign_public_ip
        security_groups  = [aws_security_group.this.id]
        subnets          = var.subnet_ids
      }
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "reports" {
  for_each = { for metric, pattern in local.all_filters_of_reports : metric => pattern if var.reports }

  name           = each.key
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = each.value

  metric_transformation {
    namespace = local.metrics
    name      = each.key
    value     = "1"
    unit      = "Count"
  }
}

resource "aws_cloudwatch_metric_alarm" "reports" {
  for_each = { for name, alarm in local.all_alarms_of_reports : name => alarm if var.reports }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = local.metrics
  metric_name         = each.value.metric
  statistic           = "Sum"
  period              = 86400
  evaluation_periods  = each.value.absent ? 2 : 1
  comparison_operator = each.value.absent ? "LessThanThreshold" : "GreaterThanThreshold"
  threshold           = each.value.absent ? 1 : 0
  treat_missing_data  = each.value.absent ? "breaching" : "notBreaching"
  alarm_actions       = each.value.tell
  ok_actions          = each.value.tell
}
