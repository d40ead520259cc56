-- title: Which data events the trails record, per account
-- comment: Reading objects, invoking functions and the like are data events, which trails leave out unless told: a
--   credential that does nothing else is alive and not in the logs. From what trails were seen to record (trails), at
--   the latest look before as_of; an account of which no trail is known is taken to record none.

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
trails_then AS (
    SELECT trail_arn, CASE WHEN organization THEN NULL ELSE arn_account(trail_arn) END AS account_id, data_event_types
    FROM (
        SELECT *, row_number() OVER (PARTITION BY trail_arn ORDER BY snapshot_time DESC) AS place
        FROM trails
        WHERE snapshot_time <= $as_of
    ) AS looks
    WHERE place = 1 AND logging
),
-- account_id is null where a trail is of the organisation, and so of every account.
trails_known AS (
    SELECT DISTINCT account_id
    FROM trails_then
),
data_recorded AS (
    SELECT DISTINCT account_id, service
    FROM (SELECT account_id, unnest(data_event_types) AS data_event_type FROM trails_then) AS recorded
    JOIN data_services ON recorded.data_event_type = data_services.data_event_type
)
