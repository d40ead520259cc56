-- title: Which data events the trails record, per account
-- comment: Reading objects, invoking functions and the like are data events, which trails leave out unless told: a
--   credential that does nothing else is alive and not in the logs. From what trails were seen to record (trails), at
--   the latest look before as_of; an account of which no trail is known is taken to record none.
-- with: trail_looks

data_services AS (
    SELECT column1 AS service, column2 AS data_event_type
    FROM (VALUES
        ('s3', 'AWS::S3::Object'),
        ('dynamodb', 'AWS::DynamoDB::Table'),
        ('lambda', 'AWS::Lambda::Function'),
        ('sqs', 'AWS::SQS::Queue'),
        ('sns', 'AWS::SNS::Topic'),
        ('kinesis', 'AWS::Kinesis::Stream'),
        ('monitoring', 'AWS::CloudWatch::Metric'),
        ('xray', 'AWS::XRay::Trace'),
        ('rds-data', 'AWS::RDS::DBCluster'),
        ('iotdata', 'AWS::IoT::Topic'),
        ('ses', 'AWS::SES::EmailIdentity'),
        ('bedrock', 'AWS::Bedrock::Model')
    ) AS services
),
-- account_id is null where a trail is of the organisation, and so of every account.
trails_known AS MATERIALIZED (
    SELECT DISTINCT only_account_id AS account_id
    FROM trail_looks
),
data_recorded AS MATERIALIZED (
    SELECT DISTINCT account_id, service
    FROM (SELECT only_account_id AS account_id, unnest(data_event_types) AS data_event_type FROM trail_looks) AS recorded
    JOIN data_services ON recorded.data_event_type = data_services.data_event_type
)
