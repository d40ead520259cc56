//! Ordinary API calls: what sessions and keys are used for, in stories and in the background.

use crate::json::Obj;
use crate::model::{AccountIx, Caller, RecIx, SessIx, World};
use crate::record::resource;
use crate::time::{Micros, SECOND};

/// One API call as templates; `%` in a request stands for eight hexadecimal digits.
pub(crate) struct Api {
    pub(crate) source: &'static str,
    pub(crate) name: &'static str,
    pub(crate) read_only: bool,
    /// A data event on an S3 object.
    pub(crate) data: bool,
    pub(crate) request: &'static str,
}

const fn read(source: &'static str, name: &'static str, request: &'static str) -> Api {
    Api { source, name, read_only: true, data: false, request }
}

const fn write(source: &'static str, name: &'static str, request: &'static str) -> Api {
    Api { source, name, read_only: false, data: false, request }
}

pub(crate) const IDENTITY_CHECK: [Api; 1] =
    [read("sts.amazonaws.com", "GetCallerIdentity", "null")];

pub(crate) const OBJECT_READS: [Api; 1] = [Api {
    source: "s3.amazonaws.com",
    name: "GetObject",
    read_only: true,
    data: true,
    request: r#"{"bucketName":"prod-ledger","Host":"prod-ledger.s3.eu-west-1.amazonaws.com","key":"ledger/%.parquet"}"#,
}];

pub(crate) const LOOKS: [Api; 12] = [
    read(
        "ec2.amazonaws.com",
        "DescribeInstances",
        r#"{"instancesSet":{"items":[{"instanceId":"i-0%"}]},"filterSet":{}}"#,
    ),
    read(
        "ec2.amazonaws.com",
        "DescribeSecurityGroups",
        r#"{"securityGroupSet":{},"securityGroupIdSet":{"items":[{"groupId":"sg-0%"}]},"filterSet":{}}"#,
    ),
    read(
        "ec2.amazonaws.com",
        "DescribeVolumes",
        r#"{"volumeSet":{"items":[{"volumeId":"vol-0%"}]},"filterSet":{}}"#,
    ),
    read("s3.amazonaws.com", "ListBuckets", r#"{"Host":"s3.amazonaws.com"}"#),
    read(
        "s3.amazonaws.com",
        "GetBucketLocation",
        r#"{"bucketName":"artifacts-%","location":"","Host":"s3.amazonaws.com"}"#,
    ),
    read(
        "logs.amazonaws.com",
        "DescribeLogGroups",
        r#"{"logGroupNamePrefix":"/aws/lambda/%","limit":50}"#,
    ),
    read(
        "cloudwatch.amazonaws.com",
        "DescribeAlarms",
        r#"{"alarmNamePrefix":"web-%","maxRecords":100}"#,
    ),
    read("rds.amazonaws.com", "DescribeDBInstances", r#"{"dBInstanceIdentifier":"orders-%"}"#),
    read("iam.amazonaws.com", "GetRole", r#"{"roleName":"service-%"}"#),
    read(
        "kms.amazonaws.com",
        "Decrypt",
        r#"{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::artifacts-%"}}"#,
    ),
    read("secretsmanager.amazonaws.com", "GetSecretValue", r#"{"secretId":"prod/orders/%"}"#),
    read(
        "elasticloadbalancing.amazonaws.com",
        "DescribeTargetHealth",
        r#"{"targetGroupArn":"targetgroup/web/%"}"#,
    ),
];

pub(crate) const CHANGES: [Api; 6] = [
    write(
        "ec2.amazonaws.com",
        "CreateTags",
        r#"{"resourcesSet":{"items":[{"resourceId":"i-0%"}]},"tagSet":{"items":[{"key":"release","value":"%"}]}}"#,
    ),
    write(
        "lambda.amazonaws.com",
        "UpdateFunctionCode20150331v2",
        r#"{"functionName":"order-fn","s3Bucket":"artifacts","s3Key":"%.zip","publish":false,"dryRun":false}"#,
    ),
    write(
        "ecs.amazonaws.com",
        "UpdateService",
        r#"{"cluster":"shop","service":"cart","taskDefinition":"cart:%"}"#,
    ),
    write(
        "s3.amazonaws.com",
        "PutBucketTagging",
        r#"{"bucketName":"artifacts-%","tagging":"","Host":"s3.amazonaws.com"}"#,
    ),
    write(
        "ssm.amazonaws.com",
        "PutParameter",
        r#"{"name":"/shop/release/%","type":"String","overwrite":true,"value":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
    ),
    write(
        "ec2.amazonaws.com",
        "StartInstances",
        r#"{"instancesSet":{"items":[{"instanceId":"i-0%"}]}}"#,
    ),
];

/// Where calls come from: address, user agent and region.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) ip: &'a str,
    pub(crate) agent: &'a str,
    pub(crate) region: &'static str,
}

impl World {
    /// One ordinary call in the caller's own account.
    pub(crate) fn work(&mut self, caller: &Caller, at: Micros, api: &Api, place: Place) -> RecIx {
        let account = self.account_of(caller).unwrap_or_default();
        self.work_in(caller, account, at, api, place)
    }

    fn work_in(
        &mut self,
        caller: &Caller,
        account: AccountIx,
        at: Micros,
        api: &Api,
        place: Place,
    ) -> RecIx {
        let mut call = self.call(caller, at, api.source, api.name);
        call.account = account;
        // IAM and Organizations exist in one region only.
        call.region = if api.source == "iam.amazonaws.com" { "us-east-1" } else { place.region };
        call.read_only = api.read_only;
        call.data = api.data;
        if call.host.is_some() {
            call.ip = place.ip.to_owned();
            call.agent = place.agent.to_owned();
        }
        let digits = self.dice.hex(8);
        call.request = Some(api.request.replace('%', &digits));
        if api.data {
            let id = self.id(account);
            call.resources = vec![
                Obj::new()
                    .str("type", "AWS::S3::Object")
                    .str("ARN", &format!("arn:aws:s3:::prod-ledger/ledger/{digits}.parquet"))
                    .end(),
                resource("arn:aws:s3:::prod-ledger", &id, "AWS::S3::Bucket"),
            ];
            let extra = Obj::new()
                .str("SignatureVersion", "SigV4")
                .str("CipherSuite", "TLS_AES_128_GCM_SHA256")
                .num("bytesTransferredIn", 0)
                .str("AuthenticationMethod", "AuthHeader")
                .num("bytesTransferredOut", self.dice.between(1_000, 9_000_000))
                .end();
            call.additional = Some(extra);
            call.vpc_endpoint = Some("vpce-0a12b34c56d78e90f");
        }
        self.emit(call)
    }

    /// `count` calls in a session, spread evenly over `span` from `from` on.
    pub(crate) fn spend(
        &mut self,
        session: SessIx,
        (from, span): (Micros, Micros),
        count: i64,
        apis: &[Api],
        place: Place,
    ) -> Vec<RecIx> {
        let caller = Caller::Session(session);
        let mut records = Vec::new();
        for step in 0..count {
            let offset = (span / count.max(1) * step) / SECOND * SECOND;
            let api = self.dice.pick(apis);
            records.push(self.work(&caller, from + offset, api, place));
        }
        records
    }

    /// Like [`World::spend`], signed with a long-term key.
    pub(crate) fn spend_key(
        &mut self,
        caller: &Caller,
        (from, span): (Micros, Micros),
        count: i64,
        apis: &[Api],
        place: Place,
    ) {
        for step in 0..count {
            let offset = (span / count.max(1) * step) / SECOND * SECOND;
            let api = self.dice.pick(apis);
            self.work(caller, from + offset, api, place);
        }
    }
}
