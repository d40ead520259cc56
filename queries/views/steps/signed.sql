-- title: What was signed with the credentials of sessions
-- comment: Records that name neither a temporary key nor the session's creation date cannot be told apart from those
--   of the next session of the same name, and are left out. Where a record lacks the creation date, the hour keeps
--   apart two sessions that were given the same key id at different times. Whether a caller is a role's session
--   its ARN tells: some services write another type. forwarded: a service acts on for the caller, with a key of its own
--   unless that was handed out in the lake. signed_in: the sign-in session that the calls were made in; a sign-in's own records name the one
--   that they make. What sums up five minutes names no session.

SELECT
    *,
    CASE WHEN of_role THEN arn_account(coalesce(role_arn, principal_arn)) END AS role_account_id,
    CASE WHEN of_role THEN arn_name(coalesce(role_arn, principal_arn)) END AS role_name,
    CASE WHEN session_created IS NULL THEN hour END AS unsure_hour,
    CASE WHEN event_source <> 'signin.amazonaws.com' THEN sign_in_session_arn END AS signed_in
FROM (
    SELECT
        * EXCEPT (role_id),
        split_part(role_id, ':', 1) AS role_id,
        principal_type = 'AssumedRole' OR coalesce(principal_arn LIKE '%:assumed-role/%', false) AS of_role,
        -- Forward access sessions: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html
        invoked_by IS NOT NULL AND source_ip IS NULL AND access_key_id IS NOT NULL AS forwarded
    FROM activity
    WHERE credential_kind = 'temporary'
        OR (credential_kind <> 'long_term' AND (session_created IS NOT NULL OR sign_in_session_arn IS NOT NULL))
) AS temporary
