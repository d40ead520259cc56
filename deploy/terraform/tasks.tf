# The containers: the worker, which runs always; maintenance, which a schedule starts; the operator's task,
# which RUNBOOK.md starts with a command of the day, such as backfill.

locals {
  lake_uri = "s3://${aws_s3_bucket.lake.bucket}/${var.lake_prefix}"

  of_lake = {
    AWS_REGION    = local.region
    ROLECALL_LAKE = local.lake_uri
  }
  of_source = merge(
    var.source_role_arn == null ? {} : { ROLECALL_SOURCE_ROLE_ARN = var.source_role_arn },
    var.source_role_arn == null || var.source_external_id == null ? {} : { ROLECALL_EXTERNAL_ID = var.source_external_id },
  )

  tasks = merge(local.tasks_of_reports, {
    worker = {
      command = ["worker"]
      cpu     = var.worker_cpu
      memory  = var.worker_memory
      environment = merge(local.of_lake, local.of_source, {
        ROLECALL_QUEUE_URL = aws_sqs_queue.log_files.url
        # All addresses only where somebody is let in.
        ROLECALL_LISTEN             = var.metrics_security_group_id == null ? "127.0.0.1:8080" : "0.0.0.0:8080"
        ROLECALL_VISIBILITY_TIMEOUT = tostring(var.visibility_timeout_seconds)
        ROLECALL_BATCH_SECONDS      = tostring(var.batch_seconds)
      })
      # Bash is in the image, an HTTP client is not. Alive means that the worker answers, whatever S3 and SQS
      # do: a worker that waits for them is not mended by another.
      more = {
        portMappings = [{ containerPort = 8080, hostPort = 8080, protocol = "tcp" }]
        healthCheck = {
          command     = ["CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf \"GET /health/live HTTP/1.0\\r\\n\\r\\n\" >&3 && read -r answer <&3 && [[ $answer == *\" 200 \"* ]]"]
          interval    = 30
          timeout     = 5
          retries     = 3
          startPeriod = 60
        }
      }
    }
    maintenance = {
      # JSON, so that the alarm can tell that a round was finished.
      command     = concat(["maintain", "--format", "json"], var.keep_days == null ? [] : ["--keep-days", tostring(var.keep_days)])
      cpu         = var.maintenance_cpu
      memory      = var.maintenance_memory
      environment = local.of_lake
      more        = {}
    }
    operator = {
      command     = ["doctor", "s3://${var.trail_bucket_name}/${var.trail_prefix}"]
      cpu         = var.maintenance_cpu
      memory      = var.maintenance_memory
      environment = merge(local.of_lake, local.of_source, { ROLECALL_QUEUE_URL = aws_sqs_queue.log_files.url })
      more        = {}
    }
  })
}

resource "aws_ecs_cluster" "this" {
  name = var.name
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/rolecall/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_security_group" "this" {
  name_prefix = "${var.name}-"
  description = "rolecall tasks, which call AWS over TLS and are called by nobody"
  vpc_id      = var.vpc_id

  egress {
    description = "AWS services"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["0.0.0.0/0"]
  }

  dynamic "ingress" {
    for_each = var.metrics_security_group_id == null ? [] : [var.metrics_security_group_id]

    content {
      description     = "Prometheus"
      protocol        = "tcp"
      from_port       = 8080
      to_port         = 8080
      security_groups = [ingress.value]
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_ecs_task_definition" "this" {
  for_each = local.tasks

  family                   = "${var.name}-${each.key}"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  network_mode             = "awsvpc"
  requires_compatibilities = ["FARGATE"]
  execution_role_arn       = aws_iam_role.this[contains(keys(local.tasks_of_reports), each.key) ? "report-execution" : "execution"].arn
  task_role_arn            = aws_iam_role.this[each.key].arn

  runtime_platform {
    cpu_architecture        = var.cpu_architecture
    operating_system_family = "LINUX"
  }

  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([merge({
    name                   = "rolecall"
    image                  = var.image_uri
    essential              = true
    command                = each.value.command
    user                   = "65532:65532"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { add = [], drop = ["ALL"] } }
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]
    # SIGTERM, then up to 30 seconds to finish or release what it holds, then some to spare.
    stopTimeout = 60
    environment = [for name, value in each.value.environment : { name = name, value = value }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = local.region
        awslogs-stream-prefix = each.key
      }
    }
  }, each.value.more)])
}

resource "aws_ecs_service" "worker" {
  name                    = "worker"
  cluster                 = aws_ecs_cluster.this.id
  task_definition         = aws_ecs_task_definition.this["worker"].arn
  desired_count           = var.worker_count
  launch_type             = "FARGATE"
  platform_version        = "LATEST"
  propagate_tags          = "SERVICE"
  enable_ecs_managed_tags = true

  # Old and new workers may run side by side. A version that does not come up is taken back.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    assign_public_ip = var.assign_public_ip
    security_groups  = [aws_security_group.this.id]
    subnets          = var.subnet_ids
  }

  depends_on = [aws_iam_role_policy.this]
}
