//! Log files with the proportions of real trails: records of about 1.3 KB, of which gzip leaves some 150
//! bytes; each principal with its own address, agent and few calls, so that a hundred records of a file
//! aggregate to about thirty rows of activity. The testkit's organisation is richer in stories, but its
//! background is drawn at random: nearly every record is a row of its own there.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Calls that principals make, with what varies in their parameters.
const CALLS: [(&str, &str, &str); 12] = [
    (
        "ec2",
        "DescribeInstances",
        r#""instancesSet":{"items":[{"instanceId":"i-@"}]},"filterSet":{}"#,
    ),
    (
        "ec2",
        "DescribeNetworkInterfaces",
        r#""networkInterfaceIdSet":{"items":[]},"filterSet":{"items":[{"name":"vpc-id","valueSet":{"items":[{"value":"vpc-@"}]}}]}"#,
    ),
    (
        "s3",
        "GetBucketLocation",
        r#""bucketName":"data-@","Host":"data-@.s3.eu-west-1.amazonaws.com","location":"""#,
    ),
    (
        "kms",
        "Decrypt",
        r#""encryptionContext":{"aws:s3:arn":"arn:aws:s3:::data-@"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT""#,
    ),
    (
        "logs",
        "CreateLogStream",
        r#""logGroupName":"/aws/lambda/worker","logStreamName":"2026/01/05/[$LATEST]@""#,
    ),
    ("sts", "GetCallerIdentity", ""),
    ("dynamodb", "DescribeTable", r#""tableName":"orders-@""#),
    (
        "secretsmanager",
        "GetSecretValue",
        r#""secretId":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/@""#,
    ),
    (
        "lambda",
        "GetFunction20150331v2",
        r#""functionName":"arn:aws:lambda:eu-west-1:111122223333:function:worker-@""#,
    ),
    (
        "elasticloadbalancing",
        "DescribeTargetHealth",
        r#""targetGroupArn":"arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/app/@""#,
    ),
    ("monitoring", "DescribeAlarms", r#""alarmNamePrefix":"app-@","maxRecords":100"#),
    (
        "ecr",
        "BatchGetImage",
        r#""registryId":"111122223333","repositoryName":"app","imageIds":[{"imageTag":"@"}]"#,
    ),
];

const AGENTS: [&str; 5] = [
    "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64 api/ec2#1.173.0",
    "Boto3/1.34.144 md/Botocore#1.34.144 ua/2.0 os/linux#5.10.219 md/arch#x86_64 lang/python#3.12.4",
    "aws-cli/2.17.13 md/awscrt#0.20.11 ua/2.0 os/linux#6.1.97 md/arch#x86_64 lang/python#3.11.8 md/pyimpl#CPython",
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.2 terraform-provider-aws/5.58.0 aws-sdk-go-v2/1.30.3",
    "aws-sdk-java/2.26.20 Linux/5.10.219 OpenJDK_64-Bit_Server_VM/17.0.11+9 Java/17.0.11 vendor/Eclipse_Adoptium",
];

/// `count` gzipped log files of `records` records each.
pub(crate) fn files(count: usize, records: usize) -> Vec<Vec<u8>> {
    (0..count).map(|index| file(index as u64 + 1, records)).collect()
}

/// One gzipped log file.
pub(crate) fn file(seed: u64, records: usize) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut text = String::from("{\"Records\":[");
    // A busier five minutes has more principals in it.
    let principals = 3 + records / 18;
    for index in 0..records {
        if index > 0 {
            text.push(',');
        }
        let principal = dice.below(principals);
        if dice.below(25) == 0 {
            assume_role(&mut text, &mut dice, principal);
        } else {
            call(&mut text, &mut dice, principal);
        }
    }
    text.push_str("]}");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

fn call(text: &mut String, dice: &mut Dice, principal: usize) {
    // Half a dozen calls each, the first of them most of the time.
    let favourite = dice.below(6).min(dice.below(6));
    let (service, name, request) = CALLS[(principal * 5 + favourite) % CALLS.len()];
    let request = match request {
        "" => "null".to_owned(),
        request => format!("{{{}}}", request.replace('@', &dice.hex(17))),
    };
    let _ = write!(
        text,
        r#"{{"eventVersion":"1.09","userIdentity":{},"eventTime":"{}","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"eu-west-1","sourceIPAddress":"10.{}.{}.17","userAgent":"{}","requestParameters":{request},"responseElements":null,"requestID":"{}","eventID":"{}","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{service}.eu-west-1.amazonaws.com"}}}}"#,
        identity(principal),
        time(dice),
        principal / 200,
        principal % 200,
        AGENTS[principal % AGENTS.len()],
        dice.uuid(),
        dice.uuid(),
    );
}

fn assume_role(text: &mut String, dice: &mut Dice, principal: usize) {
    let (role, session) = (role(principal), dice.hex(17));
    let token: String = (0..40).map(|_| dice.hex(10)).collect();
    let _ = write!(
        text,
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}},"eventTime":"{}","eventSource":"sts.amazonaws.com","eventName":"AssumeRole","awsRegion":"eu-west-1","sourceIPAddress":"ec2.amazonaws.com","userAgent":"ec2.amazonaws.com","requestParameters":{{"roleArn":"arn:aws:iam::111122223333:role/{role}","roleSessionName":"i-{session}"}},"responseElements":{{"credentials":{{"accessKeyId":"ASIA{}","sessionToken":"IQoJb3JpZ2luX2VjE{token}","expiration":"Jan 5, 2026, 1:12:03 PM"}},"assumedRoleUser":{{"assumedRoleId":"AROA{role}EXAMPLE:i-{session}","arn":"arn:aws:sts::111122223333:assumed-role/{role}/i-{session}"}}}},"requestID":"{}","eventID":"{}","readOnly":true,"resources":[{{"accountId":"111122223333","type":"AWS::IAM::Role","ARN":"arn:aws:iam::111122223333:role/{role}"}}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","sharedEventID":"{}","eventCategory":"Management"}}"#,
        time(dice),
        dice.hex(16).to_uppercase(),
        dice.uuid(),
        dice.uuid(),
        dice.uuid(),
    );
}

fn role(principal: usize) -> String {
    format!("service-{:03}", principal % 150)
}

fn identity(principal: usize) -> String {
    if principal.is_multiple_of(5) {
        return format!(
            r#"{{"type":"IAMUser","principalId":"AIDAEXAMPLE{principal:09}","arn":"arn:aws:iam::111122223333:user/system/user-{principal}","accountId":"111122223333","accessKeyId":"AKIAEXAMPLE{principal:09}","userName":"user-{principal}"}}"#
        );
    }
    let (role, session) = (role(principal), Dice(principal as u64).hex(17));
    format!(
        r#"{{"type":"AssumedRole","principalId":"AROA{role}EXAMPLE:i-{session}","arn":"arn:aws:sts::111122223333:assumed-role/{role}/i-{session}","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE{principal:09}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{role}EXAMPLE","arn":"arn:aws:iam::111122223333:role/{role}","accountId":"111122223333","userName":"{role}"}},"webIdFederationData":{{}},"attributes":{{"creationDate":"2026-01-05T06:{:02}:{:02}Z","mfaAuthenticated":"false"}},"ec2RoleDelivery":"2.0"}}}}"#,
        principal % 60,
        principal % 59,
    )
}

fn time(dice: &mut Dice) -> String {
    format!("2026-01-05T07:{:02}:{:02}Z", 10 + dice.below(5), dice.below(60))
}

/// SplitMix64: the same seed gives the same files.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn hex(&mut self, len: usize) -> String {
        let digits = format!("{:016x}{:016x}", self.next(), self.next());
        digits[..len].to_owned()
    }

    fn uuid(&mut self) -> String {
        let hex = self.hex(32);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}
