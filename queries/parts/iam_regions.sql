-- title: Where IAM's changes are logged
-- comment: One region per partition: https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html

iam_regions AS (
    SELECT column1 AS iam_region
    FROM (VALUES
        ('us-east-1'), ('us-gov-west-1'), ('cn-north-1'), ('eusc-de-east-1'), ('us-iso-east-1'), ('us-isob-east-1')
    ) AS regions
)
