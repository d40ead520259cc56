"""Formats, validates and tests the Terraform module, and holds its policies against deploy/iam.

    module.py REPOSITORY FOLDER PROVIDERS

works on a copy in FOLDER, with terraform from the search path and its providers from PROVIDERS; nothing is
downloaded. The module's own tests (deploy/terraform/tests) apply every variant to a provider that only pretends;
what the policies come out as there is compared with the files that CloudFormation is compared with as well, so
that the three say the same, statement by statement.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

deploy, folder = Path(sys.argv[1]) / "deploy", Path(sys.argv[2])
module = folder / "deploy/terraform"
shutil.copytree(deploy, folder / "deploy", ignore=shutil.ignore_patterns(".terraform*"))


def terraform(*args):
    done = subprocess.run(["terraform", *args], cwd=module, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"terraform {' '.join(args)}: {done.stdout}{done.stderr}")


terraform("fmt", "-check", "-recursive", "-diff")
terraform("init", "-input=false", "-no-color", f"-plugin-dir={sys.argv[3]}")

OURS, THEIRS = "000000000000", "111111111111"
always = {
    "account_id": OURS, "partition": "aws", "region": "us-east-1",
    "cluster_arn": f"arn:aws:ecs:us-east-1:{OURS}:cluster/rolecall",
    "dead_letter_queue_arn": f"arn:aws:sqs:us-east-1:{OURS}:log-files",
    "execution_role_arn": f"arn:aws:iam::{OURS}:role/mocked", "image_repository_arn": "",
    "lake_bucket_arn": "arn:aws:s3:::lake", "lake_kms_key_arn": "", "lake_prefix": "lake",
    "log_group_arn": f"arn:aws:logs:us-east-1:{OURS}:log-group:/rolecall/rolecall",
    "maintenance_family_arn": f"arn:aws:ecs:us-east-1:{OURS}:task-definition/rolecall-maintenance",
    "maintenance_role_arn": f"arn:aws:iam::{OURS}:role/mocked",
    "queue_arn": f"arn:aws:sqs:us-east-1:{OURS}:log-files", "queue_kms_key_arn": "",
    "rule_arn": f"arn:aws:events:us-east-1:{OURS}:rule/rolecall-log-files", "sns_topic_arn": "",
    "source_role_arn": "", "trail_arn": "", "trail_bucket_account_id": OURS,
    "trail_bucket_arn": "arn:aws:s3:::trail", "trail_kms_key_arn": "", "trail_prefix": "AWSLogs/",
    "inventory_family_arn": f"arn:aws:ecs:us-east-1:{OURS}:task-definition/rolecall-inventory",
    "report_family_arn": f"arn:aws:ecs:us-east-1:{OURS}:task-definition/rolecall-report",
    "inventory_role_arn": f"arn:aws:iam::{OURS}:role/mocked", "report_role_arn": f"arn:aws:iam::{OURS}:role/mocked",
    "report_execution_role_arn": f"arn:aws:iam::{OURS}:role/mocked", "inventory_role_name": "rolecall-inventory",
    "report_prefix": "reports", "webhook_secret_arn": "",
}
optional = {"DecryptMessages", "EncryptMessages", "DecryptLogFiles", "UseLakeKey", "AssumeSourceRole",
            "SignInToRegistry", "PullImage", "AssumeInventoryRole", "ReadOrganization", "ReadIdentityCenter",
            "ReadIdentityStore", "ReadWebhook"}
senders = {"LetBucketSend", "LetEventBridgeSend", "LetTopicSend"}
# For each variant: what differs from the above, and the statements that are not wanted.
variants = {
    "new_bucket": ({"trail_arn": f"arn:aws:cloudtrail:us-east-1:{OURS}:trail/organisation"},
                   optional | senders - {"LetBucketSend"}),
    "event_bridge": ({}, optional | senders - {"LetEventBridgeSend"}),
    "topic": ({"sns_topic_arn": f"arn:aws:sns:us-east-1:{OURS}:trail"}, optional | senders - {"LetTopicSend"}),
    "other_account": ({
        "trail_bucket_account_id": THEIRS, "trail_kms_key_arn": f"arn:aws:kms:us-east-1:{THEIRS}:key/trail",
        "lake_kms_key_arn": f"arn:aws:kms:us-east-1:{OURS}:key/lake",
        "queue_kms_key_arn": f"arn:aws:kms:us-east-1:{OURS}:key/queue",
        "source_role_arn": f"arn:aws:iam::{THEIRS}:role/rolecall-source",
        "image_repository_arn": f"arn:aws:ecr:us-east-1:{OURS}:repository/rolecall",
        "dead_letter_queue_arn": f"arn:aws:sqs:us-east-1:{OURS}:dead-letters",
        "execution_role_arn": f"arn:aws:iam::{OURS}:role/execution",
        "maintenance_role_arn": f"arn:aws:iam::{OURS}:role/maintenance",
        "inventory_role_arn": f"arn:aws:iam::{OURS}:role/inventory",
        "report_role_arn": f"arn:aws:iam::{OURS}:role/report",
        "report_execution_role_arn": f"arn:aws:iam::{OURS}:role/report-execution",
        "webhook_secret_arn": f"arn:aws:secretsmanager:us-east-1:{OURS}:secret:webhook-AbCdEf",
    }, {"FindLogFiles", "ReadLogFiles", "DecryptLogFiles", "SeeNotification"} | senders - {"LetBucketSend"}),
}
# Those with inventory and reports.
with_reports = {"new_bucket", "other_account"}
# Parts that only one of them has.
own = {"aws_s3_bucket_notification": "new_bucket", "aws_cloudwatch_event_target": "event_bridge",
       "aws_sns_topic_subscription": "topic"}


def compare(variant, resources):
    values, unwanted = always | variants[variant][0], variants[variant][1]

    def same(document, file, address):
        text = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], (deploy / f"iam/{file}.json").read_text())
        theirs = [statement for statement in json.loads(text)["Statement"] if statement["Sid"] not in unwanted]
        ours = json.loads(document)["Statement"]
        if ours != theirs:
            sys.exit(f"{address} and deploy/iam/{file}.json differ:\n{ours}\n{theirs}")
        return 1

    compared = 0
    of_queues = {"log_files": "queue", "dead_letters": "dead-letter-queue"}
    for resource in resources:
        kind, its, address = resource["type"], resource["values"], resource["address"]
        if kind == "aws_iam_role_policy":
            compared += same(its["policy"], resource["index"], address)
        elif kind == "aws_iam_role":
            trust = "scheduler-trust" if resource["index"].endswith("scheduler") else "tasks-trust"
            compared += same(its["assume_role_policy"], trust, address)
        elif kind == "aws_sqs_queue_policy":
            compared += same(its["policy"], of_queues[resource["name"]], address)
        elif kind == "aws_s3_bucket_policy":
            compared += same(its["policy"], f"{resource['name']}-bucket", address)
    # Five roles with a trust and a policy each, two queues, one bucket or two; with reports four more roles.
    if compared != 13 + (variant == "new_bucket") + 8 * (variant in with_reports):
        sys.exit(f"{variant}: {compared} policies")
    commands = {}
    for resource in resources:
        if resource["type"] == "aws_ecs_task_definition":
            container = json.loads(resource["values"]["container_definitions"])[0]
            commands[resource["index"]] = container["command"], container.get("secrets", [])
    expected = {}
    if variant in with_reports:
        everybody = ["--organization", "--role-name", "rolecall-inventory", "--external-id", "chosen-by-us"]
        secret = [{"name": "ROLECALL_WEBHOOK", "valueFrom": values["webhook_secret_arn"]}]
        optional_too = variant == "other_account"
        report = ["report", "--all", "--since-last", "--output", "s3://lake/reports", "--format", "html",
                  "--days", "90", "--fail-on", "RETIRE_NOW,RETIRE_AFTER_SOAK,STALE,NEVER_USED", "--require-coverage", "0.9"]
        expected = {"inventory": (["inventory", "--format", "ndjson"] + everybody * optional_too, []),
                    "report": (report, secret * optional_too)}
    if {task: its for task, its in commands.items() if task in ("inventory", "report")} != expected:
        sys.exit(f"{variant}: {commands}")
    timers = {resource["values"]["name"] for resource in resources if resource["type"] == "aws_scheduler_schedule"}
    if timers != {"maintenance", *expected}:
        sys.exit(f"{variant}: the timers are {timers}")
    kinds = {resource["type"] for resource in resources}
    if kinds & set(own) != {kind for kind, its in own.items() if its == variant}:
        sys.exit(f"{variant}: has {sorted(kinds)}")


test = subprocess.Popen(["terraform", "test", "-json", "-verbose"], cwd=module, stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT, text=True)
terraform("validate", "-no-color")  # while the tests run
said, seen = [], set()
for line in test.stdout:
    event = json.loads(line) if line.startswith("{") else {"type": "text", "@message": line}
    # A state comes with the provider's whole schema, so the lines are not kept.
    if event["type"] == "test_state" and event["@testrun"] == "variants":
        for child in event["test_state"]["root_module"]["child_modules"]:
            variant = child["address"].removeprefix("module.")
            if variant in variants:
                compare(variant, child["resources"])
                seen.add(variant)
    elif event["type"] not in ("test_state", "test_plan"):
        said.append(f"{event['@message']} {event.get('diagnostic', '')}")
if test.wait() or seen != set(variants):
    sys.exit("\n".join(said) or "terraform test failed")
