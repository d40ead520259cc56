# -- Log files

variable "name" {
  description = "What the names of all parts start with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.name))
    error_message = "Lower-case letters, digits and hyphens, at most 40, a letter first."
  }
}

variable "notification_source" {
  description = "How new log files are announced: `NewBucket` makes the bucket; `ExistingBucketNotification` leaves one command for you to run (see the outputs); `ExistingBucketEventBridge` needs EventBridge switched on for the bucket; `ExistingSnsTopic` subscribes to a topic that the bucket or the trail publishes to."
  type        = string

  validation {
    condition     = contains(["NewBucket", "ExistingBucketNotification", "ExistingBucketEventBridge", "ExistingSnsTopic"], var.notification_source)
    error_message = "One of NewBucket, ExistingBucketNotification, ExistingBucketEventBridge, ExistingSnsTopic."
  }
}

variable "trail_bucket_name" {
  description = "The bucket the trail delivers to; `NewBucket` makes it under this name."
  type        = string
}

variable "trail_bucket_account_id" {
  description = "The account that owns the bucket; null for this one."
  type        = string
  default     = null

  validation {
    condition     = var.trail_bucket_account_id == null || can(regex("^[0-9]{12}$", var.trail_bucket_account_id))
    error_message = "Twelve digits."
  }
}

variable "trail_prefix" {
  description = "What the trail's keys start with; the trail's own prefix, if it has one, goes before `AWSLogs/`."
  type        = string
  default     = "AWSLogs/"
  nullable    = false

  validation {
    condition     = can(regex("^([^/]+/)*AWSLogs/$", var.trail_prefix))
    error_message = "Ends with AWSLogs/ and does not start with a slash."
  }
}

variable "trail_arn" {
  description = "`NewBucket` only: the ARN of the one trail that may deliver to the bucket. It need not exist yet."
  type        = string
  default     = null
}

variable "sns_topic_arn" {
  description = "`ExistingSnsTopic` only: the topic."
  type        = string
  default     = null
}

variable "trail_kms_key_arn" {
  description = "The KMS key the trail encrypts its log files with; null if it uses none."
  type        = string
  default     = null
}

variable "source_role_arn" {
  description = "A role in the bucket's account to read log files with; null to read them with the task's own."
  type        = string
  default     = null
}

variable "source_external_id" {
  description = "The external ID that the trust policy of `source_role_arn` asks for."
  type        = string
  default     = null
}

# -- Lake and queue

variable "lake_bucket_name" {
  description = "Name of the lake's bucket, which is made; null for a generated name."
  type        = string
  default     = null
}

variable "lake_prefix" {
  description = "The folder of the lake in its bucket."
  type        = string
  default     = "lake"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", var.lake_prefix))
    error_message = "Letters, digits, hyphens and underscores, slashes between."
  }
}

variable "lake_kms_key_arn" {
  description = "A KMS key of yours for the lake; null for S3's own encryption."
  type        = string
  default     = null
}

variable "queue_kms_key_arn" {
  description = "A KMS key of yours for the queues; null for SQS's own encryption. Its key policy must let S3, EventBridge or SNS, whichever announces the log files, use it."
  type        = string
  default     = null
}

variable "visibility_timeout_seconds" {
  description = "How long a message stays with the worker that took it; the worker extends it as it needs."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.visibility_timeout_seconds >= 60 && var.visibility_timeout_seconds <= 3600
    error_message = "60 to 3600."
  }
}

variable "max_receive_count" {
  description = "After so many receives a message is a dead letter; a worker that is replaced uses one up."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.max_receive_count >= 3 && var.max_receive_count <= 1000
    error_message = "3 to 1000."
  }
}

variable "batch_seconds" {
  description = "At most so long does a log file wait to be committed with others."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.batch_seconds >= 1 && var.batch_seconds <= 900
    error_message = "1 to 900."
  }
}

# -- Containers

variable "image_uri" {
  description = "The image, by tag or better by digest."
  type        = string
}

variable "image_repository_arn" {
  description = "The image's ECR repository; null if the image is not in ECR."
  type        = string
  default     = null
}

variable "cpu_architecture" {
  description = "What the image was built for: `X86_64` or `ARM64`."
  type        = string
  default     = "X86_64"
  nullable    = false

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "X86_64 or ARM64."
  }
}

variable "vpc_id" {
  description = "The network of the tasks."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets from which S3, SQS, STS, ECR and CloudWatch Logs can be reached."
  type        = list(string)
}

variable "assign_public_ip" {
  description = "True only in subnets without a NAT gateway or VPC endpoints."
  type        = bool
  default     = false
  nullable    = false
}

variable "metrics_security_group_id" {
  description = "The security group of whatever scrapes Prometheus metrics, let in on port 8080; null, and nothing is let in and the worker listens to itself alone."
  type        = string
  default     = null
}

variable "worker_count" {
  description = "Workers that share the queue; 0 stops them."
  type        = number
  default     = 1
  nullable    = false
}

variable "worker_cpu" {
  description = "CPU units of a worker."
  type        = number
  default     = 1024
  nullable    = false
}

variable "worker_memory" {
  description = "MiB of a worker."
  type        = number
  default     = 4096
  nullable    = false
}

variable "maintenance_cpu" {
  description = "CPU units of maintenance, and of operator tasks."
  type        = number
  default     = 2048
  nullable    = false
}

variable "maintenance_memory" {
  description = "MiB of maintenance, and of operator tasks."
  type        = number
  default     = 8192
  nullable    = false
}

variable "maintenance_schedule" {
  description = "When maintenance runs, in UTC; at least once a day, or its alarm fires."
  type        = string
  default     = "cron(30 3 * * ? *)"
  nullable    = false
}

variable "keep_days" {
  description = "Maintenance drops events older than so many days; null, and it drops nothing."
  type        = number
  default     = null
}

# -- Inventory and reports

variable "reports" {
  description = "Whether inventory and reports run on timers: what reports.yaml makes beside rolecall.yaml."
  type        = bool
  default     = false
  nullable    = false
}

variable "inventory_accounts" {
  description = "Which accounts' IAM is read: numbers with commas between, or `organization` for all active ones, which needs this account to be the management account or a delegated administrator; null for this account alone."
  type        = string
  default     = null

  validation {
    condition     = var.inventory_accounts == null || can(regex("^(organization|[0-9]{12}(,[0-9]{12})*)$", var.inventory_accounts))
    error_message = "organization, or numbers of twelve digits with commas between."
  }
}

variable "inventory_role_name" {
  description = "The role of stackset-inventory-role.yaml, which is assumed in every other account."
  type        = string
  default     = "rolecall-inventory"
  nullable    = false
}

variable "inventory_external_id" {
  description = "The external ID that the role asks for; null for none."
  type        = string
  default     = null
}

variable "inventory_schedule" {
  description = "When the inventory is taken, in UTC; at least once a day, or its alarm fires."
  type        = string
  default     = "cron(30 4 * * ? *)"
  nullable    = false
}

variable "report_prefix" {
  description = "The folder of the reports in the lake's bucket, beside the lake."
  type        = string
  default     = "reports"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", var.report_prefix))
    error_message = "Letters, digits, hyphens and underscores, slashes between."
  }
}

variable "report_format" {
  description = "The form of the reports for people; Parquet is written in any case."
  type        = string
  default     = "html"
  nullable    = false

  validation {
    condition     = contains(["csv", "html", "json", "markdown", "ndjson", "parquet"], var.report_format)
    error_message = "csv, html, json, markdown, ndjson or parquet."
  }
}

variable "report_days" {
  description = "How many days of logs the reports look at; coverage is the share of these that is held."
  type        = number
  default     = 90
  nullable    = false
}

variable "report_fail_on" {
  description = "Verdicts that count as findings and fire the findings alarm; `any` for what each report calls one."
  type        = string
  default     = "RETIRE_NOW,RETIRE_AFTER_SOAK,STALE,NEVER_USED"
  nullable    = false
}

variable "report_require_coverage" {
  description = "Share of the window's account-days that the logs have to hold, 0 to 1; null, and none is asked for."
  type        = number
  default     = 0.9

  validation {
    condition     = var.report_require_coverage == null || try(var.report_require_coverage >= 0 && var.report_require_coverage <= 1, false)
    error_message = "0 to 1."
  }
}

variable "report_schedule" {
  description = "When the reports are made, in UTC, after the inventory; at least once a day, or their alarm fires."
  type        = string
  default     = "cron(30 5 * * ? *)"
  nullable    = false
}

variable "report_cpu" {
  description = "CPU units of the reports' task."
  type        = number
  default     = 2048
  nullable    = false
}

variable "report_memory" {
  description = "MiB of the reports' task."
  type        = number
  default     = 8192
  nullable    = false
}

variable "webhook_secret_arn" {
  description = "A secret in Secrets Manager whose text is the address that each run of the reports is told to, in Slack's form; null for none. Encrypted with aws/secretsmanager, or its key has to let the execution role in."
  type        = string
  default     = null
}

variable "findings_topic_arn" {
  description = "An SNS topic to tell when reports have findings; null for none."
  type        = string
  default     = null
}

# -- Logs and alarms

variable "log_retention_days" {
  description = "How long the tasks' own logs are kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "alarm_topic_arn" {
  description = "An SNS topic to tell when an alarm fires and when it ends; null for none."
  type        = string
  default     = null
}

variable "oldest_message_alarm_seconds" {
  description = "How long a message may wait."
  type        = number
  default     = 1800
  nullable    = false

  validation {
    condition     = var.oldest_message_alarm_seconds >= 300
    error_message = "At least 300."
  }
}

variable "no_commits_alarm_minutes" {
  description = "How long may pass without a commit; CloudTrail delivers every few minutes."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = contains([15, 30, 60, 120, 180, 360], var.no_commits_alarm_minutes)
    error_message = "15, 30, 60, 120, 180 or 360."
  }
}
