-- title: The ARN behind each unique id that the lake has seen
-- comment: One row per AIDA… or AROA… id: a user's ARN, or a role's ARN with its path; where only sessions of a
--   role were seen, a session's ARN. The latest ARN stands, since users and roles can move between paths.

WITH seen AS (
    SELECT
        coalesce(split_part(role_id, ':', 1), principal_id) AS unique_id,
        coalesce(role_arn, principal_arn) AS arn,
        role_arn IS NULL AND principal_arn LIKE '%:assumed-role/%' AS only_session,
        max(last_time) AS last_seen
    FROM activity
    WHERE principal_type IN ('IAMUser', 'AssumedRole') OR principal_arn LIKE '%:assumed-role/%'
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT split_part(role_id, ':', 1), role_arn, false, max(event_time)
    FROM credential_events
    WHERE outcome = 'success'
    GROUP BY 1, 2
    UNION ALL
    SELECT target_id, target_arn, false, max(event_time)
    FROM iam_changes
    WHERE target_type IN ('user', 'role') AND outcome = 'success'
    GROUP BY target_id, target_arn
),
ranked AS (
    SELECT
        unique_id,
        arn,
        row_number() OVER (PARTITION BY unique_id ORDER BY only_session, last_seen DESC, arn) AS place
    FROM seen
    WHERE unique_id IS NOT NULL AND arn IS NOT NULL
)
SELECT unique_id, arn
FROM ranked
WHERE place = 1
