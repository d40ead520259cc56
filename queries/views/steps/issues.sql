-- title: Acts that handed out credentials or made a role session
-- comment: One row per session that the lake saw being issued. A user's console sign-in starts a session too, whose key no
--   record of it shows; that of a role does not, since the role was taken before. A sign-in token that repeats the
--   key it was asked with is no new session. issues_session: false of a session's own way into the console, which only says that it
--   uses other keys from then on. principal_id and principal_arn are what records signed in the session
--   will carry.

SELECT
    event_id,
    event_ids,
    event_time,
    event_name,
    method,
    coalesce(issued_expiration, event_time + arrow_cast(duration_seconds * 1000000, 'Duration(Microsecond)')) AS expires,
    issued_access_key_id,
    role,
    coalesce(role_arn, known_role_arn) AS role_arn,
    role_account_id,
    role_name,
    role_id,
    known_role_id,
    session_name,
    CASE WHEN session_arn LIKE '%:assumed-role/%' THEN session_arn END AS session_arn,
    CASE
        WHEN event_name IN ('GetSessionToken', 'ConsoleLogin') THEN caller_principal_id
        WHEN event_name = 'GetFederationToken' THEN concat_ws(':', caller_account_id, session_name)
        WHEN event_name = 'AssumeRoot' THEN role_account_id
        WHEN role_id IS NOT NULL AND session_name IS NOT NULL THEN concat_ws(':', role_id, session_name)
    END AS principal_id,
    coalesce(
        session_arn,
        CASE
            WHEN event_name IN ('GetSessionToken', 'ConsoleLogin') THEN caller_arn
            WHEN event_name <> 'AssumeRoot' THEN NULL
            WHEN target_principal LIKE 'arn:%' THEN target_principal
            ELSE concat('arn:', coalesce(split_part(caller_arn, ':', 2), 'aws'), ':iam::', role_account_id, ':root')
        END
    ) AS principal_arn,
    coalesce(role_account_id, caller_account_id) AS session_account_id,
    caller,
    caller_type,
    caller_resolved_by,
    caller_resolved_arn,
    caller_principal_id,
    caller_account_id,
    caller_access_key_id,
    caller_session_name,
    caller_session_created,
    identity_provider,
    source_identity,
    -- A person's console, portal or login turns what it was given into keys of its own.
    issued_access_key_id IS NULL
        OR event_name NOT IN ('AssumeRole', 'GetSessionToken', 'GetFederationToken', 'AssumeRoleWithWebIdentity', 'AssumeRoot', 'CreateSession')
        OR method = 'console_switch'
        OR coalesce(caller_type IN ('SAMLUser', 'IdentityCenterUser') OR caller = 'account-access.amazonaws.com', false) AS uses_other_keys,
    issues_session
FROM (
    SELECT
        *,
        event_name IN (
            'AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity', 'AssumeRoot', 'CreateSession', 'SwitchRole'
        )
            OR (event_name = 'ConsoleLogin' AND coalesce(caller_type IN ('IAMUser', 'Root'), false))
            OR (issued_access_key_id IS NOT NULL AND issued_access_key_id IS DISTINCT FROM caller_access_key_id) AS issues_session
    FROM acts
    WHERE outcome = 'success'
) AS done
WHERE issues_session OR event_name IN ('ConsoleLogin', 'GetSigninToken')
ORDER BY event_time, event_id, act_key, event_name
