-- title: The ARN and unique id behind each account and role name that the lake has seen
-- comment: Session ARNs drop a role's path; this finds it again. Role names are unique in an account whatever
--   their path. role_id is set where only one id was ever seen under the name: a role that was deleted and
--   made again has two.

WITH seen AS (
    SELECT role_arn, role_id, max(last_time) AS last_seen, 0 AS doubt
    FROM activity
    WHERE role_arn IS NOT NULL
    GROUP BY role_arn, role_id
    UNION ALL
    SELECT role_arn, role_id, max(event_time), CASE WHEN role_arn_source = 'error_message' THEN 1 ELSE 0 END
    FROM credential_events
    WHERE role_arn IS NOT NULL
    GROUP BY role_arn, role_id, role_arn_source
    UNION ALL
    SELECT target_arn, target_id, max(event_time), 0
    FROM iam_changes
    WHERE target_type = 'role' AND outcome = 'success' AND target_arn IS NOT NULL
    GROUP BY target_arn, target_id
),
named AS (
    SELECT
        arn_account(role_arn) AS role_account_id,
        arn_name(role_arn) AS role_name,
        role_arn,
        role_id,
        row_number() OVER (
            PARTITION BY arn_account(role_arn), arn_name(role_arn)
            ORDER BY doubt, last_seen DESC, role_arn, role_id
        ) AS place
    FROM seen
)
SELECT
    role_account_id,
    role_name,
    first_value(role_arn ORDER BY place) AS role_arn,
    CASE WHEN count(DISTINCT role_id) = 1 THEN min(role_id) END AS role_id
FROM named
WHERE role_account_id IS NOT NULL AND role_name IS NOT NULL
GROUP BY role_account_id, role_name
