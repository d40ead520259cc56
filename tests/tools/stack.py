"""Makes deploy/cloudformation/rolecall.yaml, and for some variants reports.yaml beside it, in an emulated AWS that
enforces IAM, and holds them to their word.

    stack.py ENDPOINT REPOSITORY VARIANT

prints the facts of the stack as JSON, with credentials of its tasks, and ends with an
error that names what is wrong. Does not look at what only a real account has: containers, metrics, encryption
with KMS. The emulator knows neither the encryption of a bucket made by CloudFormation nor the condition keys
kms:ViaService, ecs:cluster and iam:PassedToService: those are compared as text only. It answers 404 for a missing
key whether or not the bucket may be listed.
"""

import gzip
import json
import re
import sys
import time
from pathlib import Path

import botocore.session
import yaml
from botocore.exceptions import ClientError

REGION = "us-east-1"
OURS, THEIRS = "000000000000", "111111111111"
KEY = f"AWSLogs/o-abc/{OURS}/CloudTrail/us-east-1/2026/01/05/{OURS}_CloudTrail_us-east-1_20260105T0000Z_aaaaaaaaaaaaaaaa.json.gz"
REFUSED = {"AccessDenied", "AccessDeniedException", "403", "AWS.SimpleQueueService.AccessDenied"}

endpoint, repository, variant = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
deploy = repository / "deploy"


def check(holds, what):
    if not holds:
        sys.exit(f"{variant}: {what}")


def sessions():
    """One with TLS and one without: the emulator speaks plain HTTP, and takes a proxy's word that there was TLS."""
    session = botocore.session.Session()
    secure = lambda request, **_: request.headers.__setitem__("X-Forwarded-Proto", "https")
    session.get_component("event_emitter").register("before-send", secure)
    return {True: session, False: botocore.session.Session()}


def client(service, key="test", secret="test", token=None, tls=True, sessions=sessions()):
    config = botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0})
    return sessions[tls].create_client(
        service, region_name=REGION, endpoint_url=endpoint, aws_access_key_id=key,
        aws_secret_access_key=secret, aws_session_token=token, config=config)


def allowed(what, call, *args, **kwargs):
    try:
        return call(*args, **kwargs)
    except ClientError as error:
        check(False, f"{what} failed: {error}")


def refused(what, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ClientError as error:
        check(error.response["Error"]["Code"] in REFUSED, f"{what} failed otherwise: {error}")
        return
    check(False, f"{what} was let through")


iam, s3, sqs = client("iam"), client("s3"), client("sqs")
name = f"rc-{variant.lower()}"[:32]
trail = f"trail-{variant.lower()}"
owner = OURS

# -- The variants: what is there before the stack ------------------------------------------------------------

parameters = {"TrailBucketName": trail, "ImageUri": "registry.example/rolecall:0.1.0", "WorkerCount": "0"}
unwanted = {"DecryptMessages", "EncryptMessages", "DecryptLogFiles", "AssumeSourceRole", "UseLakeKey",
            "SignInToRegistry", "PullImage"}
senders = {"NewBucket": "LetBucketSend", "ExistingBucketNotification": "LetBucketSend",
           "ExistingBucketEventBridge": "LetEventBridgeSend", "ExistingSnsTopic": "LetTopicSend"}
source = variant
if variant == "NewBucket":
    parameters["TrailArn"] = f"arn:aws:cloudtrail:us-east-1:{OURS}:trail/organisation"
elif variant == "ExistingBucketNotification":
    s3.create_bucket(Bucket=trail)
elif variant == "ExistingBucketEventBridge":
    s3.create_bucket(Bucket=trail)
    s3.put_bucket_notification_configuration(
        Bucket=trail, NotificationConfiguration={"EventBridgeConfiguration": {}})
elif variant == "ExistingSnsTopic":
    s3.create_bucket(Bucket=trail)
    topic = client("sns").create_topic(Name=trail)["TopicArn"]
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish",
        "Resource": topic, "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{trail}"}}}]}
    client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))
    s3.put_bucket_notification_configuration(Bucket=trail, NotificationConfiguration={
        "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]})
    parameters["SnsTopicArn"] = topic
elif variant == "OtherAccount":
    # Everything that is optional: another account's bucket, read with a role there, and keys everywhere.
    source, owner = "ExistingBucketNotification", THEIRS
    keys = {"TrailKmsKeyArn": THEIRS, "LakeKmsKeyArn": OURS, "QueueKmsKeyArn": OURS}
    keys = {parameter: f"arn:aws:kms:us-east-1:{account}:key/{parameter}" for parameter, account in keys.items()}
    client("s3", key=THEIRS).create_bucket(Bucket=trail)
    parameters |= keys | {
        "TrailBucketAccountId": THEIRS, "SourceExternalId": "chosen-by-us",
        "SourceRoleArn": f"arn:aws:iam::{THEIRS}:role/rolecall-source",
        "ImageRepositoryArn": f"arn:aws:ecr:us-east-1:{OURS}:repository/rolecall",
        "MetricsSecurityGroupId": client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"],
    }
    unwanted = {"FindLogFiles", "ReadLogFiles", "DecryptLogFiles", "SeeNotification"}
else:
    sys.exit(f"no such variant: {variant}")
parameters["NotificationSource"] = source
unwanted |= set(senders.values()) - {senders[source]}
ec2 = client("ec2")
parameters["VpcId"] = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
parameters["SubnetIds"] = ",".join(subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"])

# -- The stack -----------------------------------------------------------------------------------------------

template = (deploy / "cloudformation/rolecall.yaml").read_text()
# CloudFormation makes a number of a parameter that is one; the emulator stumbles over the text.
template, numbers = re.subn("DesiredCount: !Ref WorkerCount", "DesiredCount: 0", template)
check(numbers == 1, "DesiredCount is not where it was")
cloudformation = client("cloudformation")


def create(name, template, parameters):
    """A stack's outputs, and the ids of its parts."""
    cloudformation.create_stack(
        StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])
    deadline = time.monotonic() + 60
    while True:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            break
        if not stack["StackStatus"].endswith("CREATE_IN_PROGRESS") or time.monotonic() > deadline:
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            failed = [event for event in events if "FAILED" in event["ResourceStatus"]]
            reasons = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed]
            sys.exit(f"{variant}: {stack['StackStatus']}: {reasons}")
        time.sleep(0.05)
    resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
    return ({output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]},
            {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources})


outputs, ids = create(name, template, parameters)
of_some = {"TrailBucket": "NewBucket", "TrailBucketPolicy": "NewBucket",
           "ObjectCreatedRule": "ExistingBucketEventBridge", "TopicSubscription": "ExistingSnsTopic"}


class Loader(yaml.SafeLoader):
    """Takes !Ref and the like for what they are applied to."""


plain = {yaml.ScalarNode: "scalar", yaml.SequenceNode: "sequence", yaml.MappingNode: "mapping"}
Loader.add_multi_constructor("!", lambda loader, _, node: getattr(loader, f"construct_{plain[type(node)]}")(node))
declared = yaml.load(template, Loader)["Resources"]
expected = {part for part in declared if of_some.get(part, source) == source}
check(set(ids) == expected, f"parts: {sorted(set(ids) ^ expected)} are missing or too many")
lake, prefix = outputs["LakeUri"].removeprefix("s3://").split("/", 1)
queue, queue_arn = outputs["QueueUrl"], outputs["QueueArn"]
dead, dead_arn = outputs["DeadLetterQueueUrl"], outputs["DeadLetterQueueArn"]
of_keys = variant == "OtherAccount"

# Inventory and reports: of this account alone, or with all that is optional.
with_reports = variant in ("NewBucket", "OtherAccount")
prefix_of_reports, role_in_accounts = "reports", "rolecall-inventory"
unwanted_of_reports = {"AssumeInventoryRole", "ReadOrganization", "ReadIdentityCenter", "ReadIdentityStore", "ReadWebhook"}
given = {"RolecallStack": name, "ImageUri": parameters["ImageUri"], "SubnetIds": parameters["SubnetIds"]}
if of_keys:
    unwanted_of_reports = set()
    prefix_of_reports = "of/reports"
    given |= {
        "InventoryAccounts": "organization", "InventoryExternalId": "chosen-by-us", "ReportPrefix": prefix_of_reports,
        "LakeKmsKeyArn": parameters["LakeKmsKeyArn"], "ImageRepositoryArn": parameters["ImageRepositoryArn"],
        "WebhookSecretArn": f"arn:aws:secretsmanager:us-east-1:{OURS}:secret:webhook-AbCdEf",
        "FindingsTopicArn": f"arn:aws:sns:us-east-1:{OURS}:findings",
    }
if with_reports:
    of_reports = (deploy / "cloudformation/reports.yaml").read_text()
    outputs_of_reports, ids_of_reports = create(f"{name}-reports", of_reports, given)
    parts = set(yaml.load(of_reports, Loader)["Resources"])
    check(set(ids_of_reports) == parts, f"parts: {sorted(set(ids_of_reports) ^ parts)} are missing or too many")
    unwanted |= unwanted_of_reports

if variant == "NewBucket":
    # What the command of the outputs does, in an organisation of one account.
    wanted = ["--name organisation ", f"--s3-bucket-name {trail} ", "--is-multi-region-trail "]
    check(all(flag in outputs["CreateTrailCommand"] for flag in wanted), outputs["CreateTrailCommand"])
    cloudtrail = client("cloudtrail")
    cloudtrail.create_trail(Name="organisation", S3BucketName=trail, IsMultiRegionTrail=True,
                            IncludeGlobalServiceEvents=True, EnableLogFileValidation=True)
    cloudtrail.start_logging(Name="organisation")

# -- The policies are those of deploy/iam, statement by statement --------------------------------------------

roles = {role: iam.get_role(RoleName=ids[f"{role.title()}Role"])["Role"]
         for role in ["worker", "maintenance", "operator", "execution", "scheduler"]}
if with_reports:
    for role in ["inventory", "report", "report-execution", "report-scheduler"]:
        part = role.title().replace("-", "") + "Role"
        roles[role] = iam.get_role(RoleName=ids_of_reports[part])["Role"]
    check(roles["inventory"]["Arn"] == outputs_of_reports["InventoryRoleArn"], "another role is told to the StackSet")


def arn_of(role):
    return roles[role]["Arn"] if role in roles else ""


values = {
    "account_id": OURS, "partition": "aws", "region": REGION,
    "cluster_arn": f"arn:aws:ecs:us-east-1:{OURS}:cluster/{outputs['ClusterName']}",
    "dead_letter_queue_arn": dead_arn, "queue_arn": queue_arn,
    "execution_role_arn": roles["execution"]["Arn"], "maintenance_role_arn": roles["maintenance"]["Arn"],
    "operator_role_arn": roles["operator"]["Arn"], "worker_role_arn": roles["worker"]["Arn"],
    "external_id": parameters.get("SourceExternalId", ""),
    "image_repository_arn": parameters.get("ImageRepositoryArn", ""),
    "lake_bucket_arn": f"arn:aws:s3:::{lake}", "lake_prefix": prefix,
    "lake_kms_key_arn": parameters.get("LakeKmsKeyArn", ""),
    "log_group_arn": f"arn:aws:logs:us-east-1:{OURS}:log-group:{outputs['LogGroupName']}",
    "maintenance_family_arn": f"arn:aws:ecs:us-east-1:{OURS}:task-definition/{name}-maintenance",
    "queue_kms_key_arn": parameters.get("QueueKmsKeyArn", ""),
    "rule_arn": f"arn:aws:events:us-east-1:{OURS}:rule/{name}-log-files",
    "sns_topic_arn": parameters.get("SnsTopicArn", ""),
    "source_role_arn": parameters.get("SourceRoleArn", ""),
    "trail_arn": parameters.get("TrailArn", ""),
    "trail_bucket_account_id": owner, "trail_bucket_arn": f"arn:aws:s3:::{trail}",
    "trail_kms_key_arn": parameters.get("TrailKmsKeyArn", ""), "trail_prefix": "AWSLogs/",
    "inventory_family_arn": f"arn:aws:ecs:us-east-1:{OURS}:task-definition/{name}-inventory",
    "report_family_arn": f"arn:aws:ecs:us-east-1:{OURS}:task-definition/{name}-report",
    "inventory_role_arn": arn_of("inventory"), "report_role_arn": arn_of("report"),
    "report_execution_role_arn": arn_of("report-execution"), "inventory_role_name": role_in_accounts,
    "report_prefix": prefix_of_reports, "webhook_secret_arn": given.get("WebhookSecretArn", ""),
}


def statements(file, left_out=()):
    text = re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], (deploy / f"iam/{file}.json").read_text())
    return [statement for statement in json.loads(text)["Statement"] if statement["Sid"] not in left_out]


def same(document, file, where):
    document = json.loads(document) if isinstance(document, str) else document
    ours, theirs = document["Statement"], statements(file, unwanted)
    check([statement["Sid"] for statement in ours] == [statement["Sid"] for statement in theirs],
          f"{where} and deploy/iam/{file}.json: {[s['Sid'] for s in ours]}, {[s['Sid'] for s in theirs]}")
    for one, other in zip(ours, theirs):
        check(one == other, f"{where} and deploy/iam/{file}.json differ in {one['Sid']}: {one}, {other}")


for role, made in roles.items():
    document = iam.get_role_policy(RoleName=made["RoleName"], PolicyName=role)["PolicyDocument"]
    same(document, role, f"the policy of {role}")
    trust = "scheduler-trust" if role.endswith("scheduler") else "tasks-trust"
    same(made["AssumeRolePolicyDocument"], trust, f"the trust in {role}")
    named = iam.list_role_policies(RoleName=made["RoleName"])["PolicyNames"]
    attached = iam.list_attached_role_policies(RoleName=made["RoleName"])["AttachedPolicies"]
    check((named, attached) == ([role], []), f"{role} has other policies: {named} {attached}")


def attributes(url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


same(attributes(queue)["Policy"], "queue", "the queue's policy")
same(attributes(dead)["Policy"], "dead-letter-queue", "the dead-letter queue's policy")
same(s3.get_bucket_policy(Bucket=lake)["Policy"], "lake-bucket", "the lake's policy")
if variant == "NewBucket":
    same(s3.get_bucket_policy(Bucket=trail)["Policy"], "trail-bucket", "the trail bucket's policy")

# -- Settings of the parts -----------------------------------------------------------------------------------

for url in [queue, dead]:
    facts = attributes(url)
    check(facts["MessageRetentionPeriod"] == "1209600", f"{url}: retention {facts['MessageRetentionPeriod']}")
    encrypted = facts.get("KmsMasterKeyId") == parameters.get("QueueKmsKeyArn") if of_keys \
        else facts.get("SqsManagedSseEnabled") == "true"
    check(encrypted, f"{url} is not encrypted: {facts}")
redrive = json.loads(attributes(queue)["RedrivePolicy"])
check(redrive["deadLetterTargetArn"] == dead_arn and int(redrive["maxReceiveCount"]) == 10, f"redrive: {redrive}")
check(json.loads(attributes(dead)["RedriveAllowPolicy"])["sourceQueueArns"] == [queue_arn], "redrive allowed")
for bucket in [lake] + [trail] * (variant == "NewBucket"):
    properties = declared["LakeBucket" if bucket == lake else "TrailBucket"]["Properties"]
    rule = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]
    algorithm = rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
    check("AES256" in algorithm, f"{bucket} is not encrypted by default: {algorithm}")
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    check(len(block) == 4 and all(block.values()), f"{bucket}: {block}")
    check(s3.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled", f"{bucket} keeps no versions")
logs = client("logs").describe_log_groups(logGroupNamePrefix=outputs["LogGroupName"])["logGroups"]
check([group.get("retentionInDays") for group in logs] == [30], f"logs: {logs}")
alarms = client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{name}-")["MetricAlarms"]
alarms = {alarm["AlarmName"].removeprefix(f"{name}-"): alarm for alarm in alarms}
metrics = {"no-commits": "Commits", "no-maintenance": "MaintenanceRounds"}
if with_reports:
    metrics |= {"no-inventory": "Snapshots", "no-reports": "ReportRuns", "reports-failed": "FailedReportRuns",
                "low-coverage": "ReportRunsWithLowCoverage", "findings": "ReportRunsWithFindings"}
check(set(alarms) == {"dead-letters", "oldest-message", *metrics}, f"alarms: {set(alarms)}")
check(alarms["dead-letters"]["Dimensions"] == [{"Name": "QueueName", "Value": dead_arn.split(":")[-1]}],
      "the alarm looks at another queue")
filters = client("logs").describe_metric_filters(logGroupName=outputs["LogGroupName"])["metricFilters"]
counted = {metric["metricName"] for found in filters for metric in found["metricTransformations"]}
watched = {alarm: its["MetricName"] for alarm, its in alarms.items() if its["Namespace"] == f"rolecall/{name}"}
check(watched == metrics and counted == set(metrics.values()), f"{watched} are watched, {counted} counted")
told_findings = alarms.get("findings", {}).get("AlarmActions")
check(told_findings in (None, [given[topic] for topic in given if topic == "FindingsTopicArn"]), f"told: {told_findings}")
timers = {"maintenance": "scheduler"}
if with_reports:
    timers |= {"inventory": "report-scheduler", "report": "report-scheduler"}
for task, role in timers.items():
    target = client("scheduler").get_schedule(GroupName=name, Name=task)["Target"]
    check(target["EcsParameters"]["TaskDefinitionArn"].split("/")[1].split(":")[0] == f"{name}-{task}",
          f"the timer starts another task: {target}")
    check(target["Arn"] == values["cluster_arn"] and target["RoleArn"] == roles[role]["Arn"], f"{task}: {target}")
group = ec2.describe_security_groups(GroupIds=[ids["SecurityGroup"]])["SecurityGroups"][0]
check(bool(group["IpPermissions"]) == of_keys, f"let in: {group['IpPermissions']}")

ecs, tasks = client("ecs"), {}
for task in ["worker", "maintenance", "operator"] + ["inventory", "report"] * with_reports:
    definition = ecs.describe_task_definition(taskDefinition=f"{name}-{task}")["taskDefinition"]
    container = definition["containerDefinitions"][0]
    check(container["readonlyRootFilesystem"] is True and container["user"] == "65532:65532",
          f"{task} runs with {container}")
    check(definition["taskRoleArn"] == roles[task]["Arn"], f"{task} has the role {definition['taskRoleArn']}")
    tasks[task] = {"command": container["command"],
                   "environment": {pair["name"]: pair["value"] for pair in container["environment"]},
                   # The emulator keeps how many there are, and not in the names of the API.
                   "secrets": len(container.get("secrets") or []),
                   "health_check": container.get("healthCheck", {}).get("command")}
told = tasks["worker"]["environment"]
if with_reports:
    for task in ["inventory", "report"]:
        check(tasks[task]["environment"]["ROLECALL_LAKE"] == outputs["LakeUri"], f"{task} is told {tasks[task]}")
    [secret] = yaml.load(of_reports, Loader)["Resources"]["ReportTask"]["Properties"]["ContainerDefinitions"][0]["Secrets"]
    check(secret[:2] == ["HasWebhook", {"Name": "ROLECALL_WEBHOOK", "ValueFrom": "WebhookSecretArn"}], f"{secret}")
    check(tasks["report"]["secrets"] == int(of_keys), f"secrets: {tasks['report']['secrets']}")
    asked = ["--organization", "--role-name", role_in_accounts, "--external-id", "chosen-by-us"] * of_keys
    said = ["report", "--all", "--since-last", "--output", f"s3://{lake}/{prefix_of_reports}", "--format", "html",
            "--days", "90", "--fail-on", "RETIRE_NOW,RETIRE_AFTER_SOAK,STALE,NEVER_USED", "--require-coverage", "0.9"]
    check(tasks["report"]["command"] == said, f"{tasks['report']}")
    check(tasks["inventory"]["command"] == ["inventory", "--format", "ndjson"] + asked, f"{tasks['inventory']}")
check(told["ROLECALL_LAKE"] == outputs["LakeUri"] and told["ROLECALL_QUEUE_URL"] == queue, f"told: {told}")
check(told["ROLECALL_VISIBILITY_TIMEOUT"] == attributes(queue)["VisibilityTimeout"], "visibility timeouts differ")
check(told["ROLECALL_LISTEN"] == ("0.0.0.0:8080" if of_keys else "127.0.0.1:8080"), f"listens: {told}")
check(told.get("ROLECALL_EXTERNAL_ID") == parameters.get("SourceExternalId"), f"external id: {told}")

# -- A log file that is put arrives, and nothing else --------------------------------------------------------

theirs = client("s3", key=THEIRS) if owner == THEIRS else s3
if source == "ExistingBucketNotification":
    # What the command of the outputs adds to the bucket's configuration.
    configuration = json.loads(re.search(r"\+ \[(.+)\]' >", outputs["NotificationCommand"])[1])
    theirs.put_bucket_notification_configuration(
        Bucket=trail, NotificationConfiguration={"QueueConfigurations": [configuration]})


def receive(wait=0):
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
    for message in answer.get("Messages", []):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        yield json.loads(message["Body"])


list(receive())  # S3's own test message
theirs.put_object(Bucket=trail, Key="elsewhere/" + KEY, Body=b"not a log file")
theirs.put_object(Bucket=trail, Key=KEY, Body=b"a log file")
bodies, deadline = [], time.monotonic() + 20
while time.monotonic() < deadline and KEY not in json.dumps(bodies):
    bodies += [body for body in receive(wait=1) if body.get("Event") != "s3:TestEvent"]
shape = "detail" if source == "ExistingBucketEventBridge" else "Records"
expected = 2 if source == "ExistingSnsTopic" else 1  # a topic that is there already filters as it likes
check(len(bodies) == expected and all(shape in body for body in bodies), f"arrived: {bodies}")

# A bucket that nobody named may not send.
s3.create_bucket(Bucket=f"stranger-{name}")
try:
    s3.put_bucket_notification_configuration(Bucket=f"stranger-{name}", NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": queue_arn, "Events": ["s3:ObjectCreated:*"]}]})
    check(False, "a stranger's bucket may send")
except ClientError as error:
    check("Unable to validate" in str(error), f"a stranger's bucket: {error}")

# -- What the roles may do, and what they may not ------------------------------------------------------------


def assume(role, **more):
    """Credentials of a task. Only ECS may take the roles, so the trust is widened for a moment."""
    trust = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OURS}:root"}, "Action": "sts:AssumeRole"}]}
    arn, before = roles[role]["Arn"], roles[role]["AssumeRolePolicyDocument"]
    refused(f"a stranger taking the role of {role}", client("sts").assume_role, RoleArn=arn, RoleSessionName="test")
    iam.update_assume_role_policy(RoleName=roles[role]["RoleName"], PolicyDocument=json.dumps(trust))
    credentials = client("sts").assume_role(RoleArn=arn, RoleSessionName="task")["Credentials"]
    iam.update_assume_role_policy(RoleName=roles[role]["RoleName"], PolicyDocument=json.dumps(before))
    return credentials


def clients(credentials, tls=True):
    pair = credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
    return lambda service: client(service, *pair, tls=tls)


def uses_lake(role, s3):
    key = f"{prefix}/log_files/_delta_log/{role}.json"
    allowed(f"{role}: create", s3.put_object, Bucket=lake, Key=key, Body=b"{}", IfNoneMatch="*")
    try:
        s3.put_object(Bucket=lake, Key=key, Body=b"{}", IfNoneMatch="*")
        check(False, f"{role}: the conditional put did not see the first")
    except ClientError as error:
        check(error.response["Error"]["Code"] == "PreconditionFailed", f"{role}: {error}")
    allowed(f"{role}: read", s3.get_object, Bucket=lake, Key=key)
    listed = allowed(f"{role}: list", s3.list_objects_v2, Bucket=lake, Prefix=f"{prefix}/log_files/_delta_log/")
    check(key in [found["Key"] for found in listed.get("Contents", [])], f"{role}: not listed: {listed}")
    upload = allowed(f"{role}: upload", s3.create_multipart_upload, Bucket=lake, Key=key)["UploadId"]
    allowed(f"{role}: abort", s3.abort_multipart_upload, Bucket=lake, Key=key, UploadId=upload)
    allowed(f"{role}: delete", s3.delete_object, Bucket=lake, Key=key)
    refused(f"{role}: write beside the lake", s3.put_object, Bucket=lake, Key="other/key", Body=b"")
    refused(f"{role}: list beside the lake", s3.list_objects_v2, Bucket=lake, Prefix="other/")
    refused(f"{role}: see the bucket's policy", s3.get_bucket_policy, Bucket=lake)
    refused(f"{role}: write to another bucket", s3.put_object, Bucket=f"stranger-{name}", Key="k", Body=b"")
    refused(f"{role}: read another bucket", s3.get_object, Bucket=f"stranger-{name}", Key="k")


def reads_trail(what, s3):
    found = allowed(f"{what}: read a log file", s3.get_object, Bucket=trail, Key=KEY)
    if variant == "NewBucket":
        version = {"Bucket": trail, "Key": KEY, "VersionId": found["VersionId"]}
        allowed(f"{what}: read a version of it", s3.get_object, **version)
    allowed(f"{what}: list the trail", s3.list_objects_v2, Bucket=trail, Prefix="AWSLogs/")
    refused(f"{what}: read beside the trail", s3.get_object, Bucket=trail, Key="elsewhere/" + KEY)
    refused(f"{what}: list beside the trail", s3.list_objects_v2, Bucket=trail, Prefix="elsewhere/")
    refused(f"{what}: write to the trail", s3.put_object, Bucket=trail, Key=KEY, Body=b"")
    refused(f"{what}: delete from the trail", s3.delete_object, Bucket=trail, Key=KEY)


credentials = {role: assume(role) for role in
               ["worker", "maintenance", "operator"] + ["inventory", "report"] * with_reports}
worker, maintenance, operator = (clients(credentials[role]) for role in ["worker", "maintenance", "operator"])
take = {"QueueUrl": queue, "MaxNumberOfMessages": 1}
send = {"QueueUrl": queue, "MessageBody": "{}"}
foreign = sqs.create_queue(QueueName=f"stranger-{name}")["QueueUrl"]

allowed("operator: send", operator("sqs").send_message, **send)
allowed("operator: look", operator("sqs").get_queue_attributes, QueueUrl=queue, AttributeNames=["All"])
refused("operator: receive", operator("sqs").receive_message, **take)
refused("worker: send", worker("sqs").send_message, **send)
message = allowed("worker: receive", worker("sqs").receive_message, **take)["Messages"][0]
receipt = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
allowed("worker: extend", worker("sqs").change_message_visibility, **receipt, VisibilityTimeout=60)
allowed("worker: acknowledge", worker("sqs").delete_message, **receipt)
allowed("worker: look", worker("sqs").get_queue_attributes, QueueUrl=queue, AttributeNames=["All"])
refused("worker: purge", worker("sqs").purge_queue, QueueUrl=queue)
refused("worker: take dead letters", worker("sqs").receive_message, QueueUrl=dead)
refused("worker: take from another queue", worker("sqs").receive_message, QueueUrl=foreign)
refused("worker: make itself a role", worker("iam").create_role, RoleName="x", AssumeRolePolicyDocument="{}")
for call in ["receive_message", "purge_queue"]:
    refused(f"maintenance: {call}", getattr(maintenance("sqs"), call), QueueUrl=queue)
refused("maintenance: read a log file", maintenance("s3").get_object, Bucket=trail, Key=KEY)
plain = clients(credentials["worker"], tls=False)
refused("worker: receive without TLS", plain("sqs").receive_message, **take)
refused("worker: read the lake without TLS", plain("s3").list_objects_v2, Bucket=lake, Prefix=f"{prefix}/")
for role, its in [("worker", worker), ("maintenance", maintenance), ("operator", operator)]:
    uses_lake(role, its("s3"))

if with_reports:
    inventory, report = clients(credentials["inventory"]), clients(credentials["report"])
    uses_lake("inventory", inventory("s3"))
    refused("inventory: read a log file", inventory("s3").get_object, Bucket=trail, Key=KEY)
    refused("inventory: make a user", inventory("iam").create_user, UserName="x")
    refused("inventory: write a report", inventory("s3").put_object, Bucket=lake, Key=f"{prefix_of_reports}/x", Body=b"")
    for what, its, queue_call in [("inventory", inventory, "receive_message"), ("report", report, "receive_message")]:
        refused(f"{what}: {queue_call}", getattr(its("sqs"), queue_call), QueueUrl=queue)
    s3.put_object(Bucket=lake, Key=f"{prefix}/x", Body=b"x")
    its, there = report("s3"), {"Bucket": lake, "Key": f"{prefix_of_reports}/x/as_of=2026-01-05/x.html"}
    allowed("report: read the lake", its.get_object, Bucket=lake, Key=f"{prefix}/x")
    allowed("report: list the lake", its.list_objects_v2, Bucket=lake, Prefix=f"{prefix}/")
    refused("report: write to the lake", its.put_object, Bucket=lake, Key=f"{prefix}/x", Body=b"")
    refused("report: delete from the lake", its.delete_object, Bucket=lake, Key=f"{prefix}/x")
    allowed("report: write a report", its.put_object, **there, Body=b"x")
    allowed("report: read a report", its.get_object, **there)
    allowed("report: list reports", its.list_objects_v2, Bucket=lake, Prefix=f"{prefix_of_reports}/x/")
    refused("report: delete a report", its.delete_object, **there)
    refused("report: list beside", its.list_objects_v2, Bucket=lake, Prefix="other/")
    refused("report: read IAM", report("iam").list_users)
    for key in [f"{prefix}/x", there["Key"]]:
        s3.delete_object(Bucket=lake, Key=key)

if variant == "OtherAccount":
    there = client("iam", key=THEIRS)
    trust = {"Version": "2012-10-17", "Statement": statements("source-account-trust")}
    there.create_role(RoleName="rolecall-source", AssumeRolePolicyDocument=json.dumps(trust))
    policy = {"Version": "2012-10-17", "Statement": statements("source-account")}
    there.put_role_policy(RoleName="rolecall-source", PolicyName="x", PolicyDocument=json.dumps(policy))
    ask = {"RoleArn": parameters["SourceRoleArn"], "RoleSessionName": "rolecall"}
    refused("worker: the source role without its external ID", worker("sts").assume_role, **ask)
    refused("maintenance: the source role", maintenance("sts").assume_role, **ask, ExternalId="chosen-by-us")
    for role, its in [("worker", worker), ("operator", operator)]:
        refused(f"{role}: a log file with the task's own role", its("s3").get_object, Bucket=trail, Key=KEY)
        given = allowed(f"{role}: the source role", its("sts").assume_role, **ask, ExternalId="chosen-by-us")
        there = clients(given["Credentials"])("s3")
        reads_trail(f"{role}, with the source role", there)
        allowed(f"{role}: see the notification", there.get_bucket_notification_configuration, Bucket=trail)
else:
    for role, its in [("worker", worker), ("operator", operator)]:
        reads_trail(role, its("s3"))
    allowed("operator: see the notification", operator("s3").get_bucket_notification_configuration, Bucket=trail)


# What ECS does with its role is beyond the emulator: whether the policy would let it through.
for group, decision in [(values["log_group_arn"], "allowed"), (f"{values['log_group_arn']}-other", "implicitDeny")]:
    answer = iam.simulate_principal_policy(
        PolicySourceArn=roles["execution"]["Arn"], ActionNames=["logs:PutLogEvents"],
        ResourceArns=[f"{group}:log-stream:worker/rolecall/1"])["EvaluationResults"][0]["EvalDecision"]
    check(answer == decision, f"execution: logs in {group}: {answer}")

# For the programs that come after this, one log file, which nobody has taken yet.
theirs.put_object(Bucket=trail, Key=KEY, Body=gzip.compress(b'{"Records":[]}'))

# Two things about the emulator are in the way of programs that run after this: they reach it without TLS, and it
# wants leave for each batch call by its own name, where AWS asks for that of the single call.
for role in ["worker", "operator"]:
    may = next(statement for statement in statements(role) if statement.get("Resource") == queue_arn)
    batches = [f"{action}Batch" for action in may["Action"] if action.endswith(("Message", "Visibility"))]
    batches = {"Version": "2012-10-17", "Statement": [may | {"Action": batches}]}
    iam.put_role_policy(RoleName=roles[role]["RoleName"], PolicyName="batches", PolicyDocument=json.dumps(batches))
for bucket in [lake] + [trail] * (variant == "NewBucket"):
    s3.delete_bucket_policy(Bucket=bucket)
policy = {"Version": "2012-10-17", "Statement": statements("queue", unwanted | {"RefusePlainText"})}
sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})

json.dump({"outputs": outputs, "tasks": tasks, "trail": trail, "credentials": {
    role: {"AWS_ACCESS_KEY_ID": given["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
           "AWS_SESSION_TOKEN": given["SessionToken"]} for role, given in credentials.items()}}, sys.stdout)
