-- title: The ARN and unique id behind each account and role name that the lake has seen
-- comment: Session ARNs drop a role's path; this finds it again. Role names are unique in an account whatever
--   their path. role_id is set where only one id was ever seen under the name: a role that was deleted and
--   made again has two. It is the role's from id_from to id_until: before and after, IAM shows that another
--   role had the name, or none. current_role_id is the id of the role that has the name now, by whoever saw it last, the logs or
--   an inventory; null where that one was deleted, and deleted_at says when.

WITH seen AS (
    SELECT role_arn, role_id, min(first_time) AS first_seen, max(last_time) AS last_seen, 0 AS doubt
    FROM activity
    WHERE role_arn IS NOT NULL
    GROUP BY role_arn, role_id
    UNION ALL
    SELECT
        role_arn,
        role_id,
        min(event_time),
        max(event_time),
        CASE WHEN role_arn_source = 'error_message' THEN 1 ELSE 0 END
    FROM credential_events
    WHERE role_arn IS NOT NULL
    GROUP BY role_arn, role_id, role_arn_source
    UNION ALL
    SELECT target_arn, target_id, min(event_time), max(event_time), 0
    FROM iam_changes
    WHERE target_type = 'role' AND outcome = 'success' AND target_arn IS NOT NULL
    GROUP BY target_arn, target_id
),
placed AS (
    SELECT
        arn_account(role_arn) AS role_account_id,
        arn_name(role_arn) AS role_name,
        role_arn,
        split_part(role_id, ':', 1) AS role_id,
        first_seen,
        last_seen,
        row_number() OVER (
            PARTITION BY arn_account(role_arn), arn_name(role_arn)
            ORDER BY doubt, last_seen DESC, role_arn, role_id
        ) AS place
    FROM seen
),
named AS (
    SELECT
        role_account_id,
        role_name,
        first_value(role_arn ORDER BY place) AS role_arn,
        CASE WHEN count(DISTINCT role_id) = 1 THEN min(role_id) END AS role_id,
        min(first_seen) FILTER (WHERE role_id IS NOT NULL) AS first_seen,
        max(last_seen) FILTER (WHERE role_id IS NOT NULL) AS last_seen,
        last_value(role_id ORDER BY last_seen, role_id) FILTER (WHERE role_id <> '') AS newest_role_id
    FROM placed
    WHERE role_account_id IS NOT NULL AND role_name IS NOT NULL
    GROUP BY role_account_id, role_name
),
inventoried AS (
    SELECT account_id, role_name, last_value(role_id ORDER BY snapshot_time, role_id) AS role_id, max(snapshot_time) AS seen
    FROM iam_roles
    WHERE role_id IS NOT NULL
    GROUP BY account_id, role_name
),
turns AS (
    SELECT DISTINCT
        coalesce(arn_account(target_arn), recipient_account_id) AS role_account_id,
        target_name AS role_name,
        event_time AS turn,
        event_name LIKE 'Delete%' AS is_end
    FROM iam_changes
    WHERE target_type = 'role'
        AND outcome = 'success'
        AND event_name IN ('CreateRole', 'CreateServiceLinkedRole', 'DeleteRole', 'DeleteServiceLinkedRole')
)
SELECT
    named.role_account_id,
    named.role_name,
    min(role_arn) AS role_arn,
    min(named.role_id) AS role_id,
    max(turn) FILTER (WHERE turn <= first_seen) AS id_from,
    min(turn) FILTER (WHERE turn > last_seen) AS id_until,
    CASE
        WHEN coalesce(bool_or(is_end AND turn > greatest(last_seen, seen)), false) THEN NULL
        WHEN min(seen) > coalesce(min(last_seen), min(seen) - INTERVAL '1 second') THEN min(inventoried.role_id)
        ELSE min(newest_role_id)
    END AS current_role_id,
    max(turn) FILTER (WHERE is_end AND turn > greatest(last_seen, seen)) AS deleted_at
FROM named
LEFT JOIN inventoried ON named.role_account_id = inventoried.account_id AND named.role_name = inventoried.role_name
LEFT JOIN turns ON named.role_account_id = turns.role_account_id AND named.role_name = turns.role_name
GROUP BY named.role_account_id, named.role_name
