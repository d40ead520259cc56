-- title: What was done in sessions, by session, service, address and user agent
-- comment: Records that name neither a temporary key nor the session's creation date cannot be told apart from those
--   of the next session of the same name, and are left out. Where a record lacks the creation date, the hour keeps
--   apart two sessions that were given the same key id at different times. Whether a caller is a role's session
--   its ARN tells: some services write another type.

WITH signed AS (
    SELECT
        *,
        principal_type = 'AssumedRole' OR coalesce(principal_arn LIKE '%:assumed-role/%', false) AS of_role
    FROM activity
    WHERE credential_kind = 'temporary' OR (credential_kind <> 'long_term' AND session_created IS NOT NULL)
)
SELECT
    access_key_id,
    principal_type,
    principal_id,
    principal_arn,
    account_id,
    role_arn,
    split_part(role_id, ':', 1) AS role_id,
    CASE WHEN of_role THEN arn_account(coalesce(role_arn, principal_arn)) END AS role_account_id,
    CASE WHEN of_role THEN arn_name(coalesce(role_arn, principal_arn)) END AS role_name,
    session_name,
    session_created,
    CASE WHEN session_created IS NULL THEN hour END AS unsure_hour,
    event_source,
    source_ip,
    user_agent,
    min(source_identity) AS source_identity,
    min(first_time) AS first_used,
    max(last_time) AS last_used,
    sum(event_count) AS event_count,
    sum(CASE WHEN error_code IS NOT NULL THEN event_count ELSE 0 END) AS error_count,
    first_value(sample_event_id ORDER BY first_time, sample_event_id) AS sample_event_id
FROM signed
GROUP BY
    access_key_id, principal_type, principal_id, principal_arn, account_id, of_role, role_arn, role_id, session_name,
    session_created, CASE WHEN session_created IS NULL THEN hour END, event_source, source_ip, user_agent
