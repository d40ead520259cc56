# One resource for each command that runs on a timer.

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

resource "aws_scheduler_schedule" "maintenance" {
  name                         = "maintenance"
  group_name                   = aws_scheduler_schedule_group.this.name
  description                  = "rolecall maintain"
  schedule_expression          = var.maintenance_schedule
  schedule_expression_timezone = "UTC"

  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 15
  }

  target {
    arn      = aws_ecs_cluster.this.arn
    role_arn = aws_iam_role.this["scheduler"].arn

    # A round that could not be started within the hour is left to the next one.
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.this["maintenance"].arn
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
