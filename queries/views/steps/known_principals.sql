-- title: The ARN behind each unique id that the lake has seen
-- comment: One row per AIDA… or AROA… id: a user's ARN, or a role's ARN with its path; where only sessions of a
--   role were seen, a session's ARN. Learnt from uses, from acts, from changes, from console switches and from inventories of any account.
--   The latest ARN stands, since users and roles can move and be renamed. An id that has two names at a time has none here: logs that
--   were made anonymous give one id to many.

WITH seen AS (
    SELECT
        coalesce(split_part(role_id, ':', 1), principal_id) AS unique_id,
        coalesce(role_arn, principal_arn) AS arn,
        role_arn IS NULL AND principal_arn LIKE '%:assumed-role/%' AS only_session,
        min(first_time) AS first_seen,
        max(last_time) AS last_seen
    FROM activity
    WHERE principal_type IN ('IAMUser', 'AssumedRole') OR principal_arn LIKE '%:assumed-role/%'
    GROUP BY 1, 2, 3
    UNION ALL
    SELECT split_part(role_id, ':', 1), role_arn, false, min(event_time), max(event_time)
    FROM credential_events
    WHERE outcome = 'success'
    GROUP BY 1, 2
    UNION ALL
    SELECT target_id, target_arn, false, min(event_time), max(event_time)
    FROM iam_changes
    WHERE target_type IN ('user', 'role') AND outcome = 'success'
    GROUP BY target_id, target_arn
    UNION ALL
    SELECT
        split_part(caller_principal_id, ':', 1),
        switch_from,
        switch_from LIKE '%:assumed-role/%',
        min(arrow_cast(assume_time, 'Timestamp(Microsecond, Some("UTC"))')),
        max(arrow_cast(assume_time, 'Timestamp(Microsecond, Some("UTC"))'))
    FROM switch_pairs
    GROUP BY 1, 2
    UNION ALL
    SELECT user_id, user_arn, false, min(snapshot_time), max(snapshot_time)
    FROM iam_users
    GROUP BY user_id, user_arn
    UNION ALL
    SELECT role_id, role_arn, false, min(snapshot_time), max(snapshot_time)
    FROM iam_roles
    GROUP BY role_id, role_arn
),
named AS (
    SELECT
        unique_id,
        arn_account(arn) AS account_id,
        arn_name(arn) AS name,
        first_value(arn ORDER BY only_session, last_seen DESC, arn) AS arn,
        min(first_seen) AS first_seen,
        max(last_seen) AS last_seen
    FROM seen
    WHERE unique_id IS NOT NULL AND arn IS NOT NULL
    GROUP BY 1, 2, 3
),
ordered AS (
    SELECT
        *,
        max(last_seen) OVER (
            PARTITION BY unique_id
            ORDER BY first_seen, last_seen, account_id, name
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS named_before_until,
        row_number() OVER (PARTITION BY unique_id ORDER BY last_seen DESC, first_seen DESC, account_id, name) AS place
    FROM named
)
SELECT unique_id, min(arn) FILTER (WHERE place = 1) AS arn
FROM ordered
GROUP BY unique_id
HAVING NOT bool_or(coalesce(named_before_until >= first_seen, false))
